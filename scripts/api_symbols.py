#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print the CMW_API names that the given headers declare, one a line, sorted."""
import re
import sys


def declared(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.M)
    for declaration in re.findall(r"\bCMW_API\b([^;{]*)", text):
        function = re.search(r"\b(cmw_\w+)\s*\(", declaration)
        name = function or re.search(r"\b(cmw_\w+)\s*(?:\[[^]]*\]\s*)*$", declaration)
        if not name:
            sys.exit(f"{path}: no name in: CMW_API{declaration}")
        yield name.group(1)


print("\n".join(sorted({name for path in sys.argv[1:] for name in declared(path)})))
