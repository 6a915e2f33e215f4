#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conformance suite of adapters:

    run.py PROGRAM MODE [unittest options]               a program made of conformance.h and an adapter
    run.py nginx|apache MODULE TEST_MODULE [unittest options]
                                           the server that is installed, with our module and its test

The server says which capabilities its host table has; where one is lacking, the cases that need it
check that a plan that needs it is refused.

CMW_TEST_PRELOAD names a library to be loaded before an installed server: a sanitizer's runtime.
"""
import functools
import os
import sys
import unittest

import base
import cases_answers
import cases_bodies
import cases_connections
import cases_processes
import cases_requests
import client
import stock

SKIPPED = 77  # for CTest


def launcher(arguments):
    """What starts a server, and how many of the arguments it takes."""
    server = stock.SERVERS.get(arguments[0])
    if not server:
        return functools.partial(client.Server, *arguments[:2]), 2
    if not os.access(server.program, os.X_OK):
        print(f"skipped: {server.program} is not installed")
        sys.exit(SKIPPED)
    stock.use(*arguments[1:3])
    return functools.partial(stock.Server, server), 3


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    launch, taken = launcher(sys.argv[1:])
    base.AdapterTest.launch = staticmethod(launch)
    for module in (cases_answers, cases_requests, cases_bodies, cases_connections,
                   cases_processes):
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, base.AdapterTest):
                globals()[name] = value
    globals().pop("AdapterTest", None)
    done = unittest.main(argv=[sys.argv[0]] + sys.argv[1 + taken:], verbosity=1, exit=False)
    for case, reason in done.result.skipped:
        print(f"skipped: {case}: {reason}")
    sys.exit(not done.result.wasSuccessful())
