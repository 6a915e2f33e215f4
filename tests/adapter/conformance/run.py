#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conformance suite of adapters: run.py SERVER MODE [unittest options]

SERVER is a program made of conformance.h and one adapter. It says which capabilities its host table
has; where one is lacking, the cases that need it check that a plan that needs it is refused.
"""
import sys
import unittest

import base
import cases_answers
import cases_bodies
import cases_connections
import cases_requests

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    base.AdapterTest.program, base.AdapterTest.mode = sys.argv[1:3]
    for module in (cases_answers, cases_requests, cases_bodies, cases_connections):
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, base.AdapterTest):
                globals()[name] = value
    globals().pop("AdapterTest", None)
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=1)
