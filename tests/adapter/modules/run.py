#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules in stock servers: run.py nginx|apache|apache_prefork MODULE PLUGIN [unittest options]

CMW_TEST_PRELOAD names a library to be loaded before the server: a sanitizer's runtime.
"""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "conformance"))

import cases
import cases_apache
import cases_apache_bodies
import cases_apache_cgi
import cases_configuration
import cases_module_bodies
import cases_nginx
import cases_nginx_http2
import servers

SKIPPED = 77  # for CTest

if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    name, module, plugin = sys.argv[1:4]
    server = {"nginx": servers.Nginx, "apache": servers.Apache,
              "apache_prefork": servers.ApachePrefork}[name]
    if not os.access(server.program, os.X_OK):
        print(f"skipped: {server.program} is not installed")
        sys.exit(SKIPPED)
    servers.Stock.settings = {"module": module, "plugin": plugin,
                              "compression": os.environ.get("CMW_TEST_COMPRESSION"),
                              "preload": os.environ.get("CMW_TEST_PRELOAD")}
    cases.ModuleTest.Server = server
    both = [cases, cases_module_bodies]
    for group in both + {"nginx": [cases_configuration, cases_nginx, cases_nginx_http2],
                         "apache": [cases_configuration, cases_apache, cases_apache_bodies,
                                    cases_apache_cgi],
                         "apache_prefork": [cases_apache_bodies, cases_apache_cgi]}[name]:
        for key, value in vars(group).items():
            if isinstance(value, type) and issubclass(value, unittest.TestCase):
                globals()[key] = value
    globals().pop("ModuleTest")
    unittest.main(argv=[sys.argv[0]] + sys.argv[4:], verbosity=1)
