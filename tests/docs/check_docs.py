#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check README.md and docs/: what they show compiles, and what they name exists.

    check_docs.py [--cc COMPILER] [--no-microhttpd] [--write] [page...]

A block marked ```c is, by its text:
  whole      it includes <catzilla/...>: compiled as it is
  quoted     its first line is "/* from include/...: */" or "/* from examples/...: */": each paragraph stands
             in that file
  functions  a line is "{" alone: compiled behind tests/docs/prelude.h
  fragment   anything else: put into a function behind the prelude

Fragments and functions may leave what they define unused. In README.md the block that contains
`int main` is examples/hello.c, byte for byte; --write copies it there. Blocks marked ```sh are not
run: files of this tree that they name must exist, as must files that `code` and links name, and the
headings that links lead to.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("cmake", "docs", "examples", "include", "scripts", "src", "tests")
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"/\* from ((?:include|examples)/\S+): \*/\n")
NAMED = re.compile(r"(?:^|[\s`(=\"'])(?:\./)?((?:%s)/[\w./+-]*[\w/])(?![\w*<{\[])" % "|".join(FOLDERS))
LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#{1,6} +(.*)$", re.MULTILINE)
FLAGS = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
LOOSE = ["-Wno-unused", "-Wno-unused-parameter", "-Wno-unused-but-set-parameter"]
WRAPPED = """#include "prelude.h"
int snippet(SNIPPET_PARAMETERS);
int snippet(SNIPPET_PARAMETERS)
{{
    {{
#line {line} "{page}"
{text}
    }}
    return 0;
}}
"""


def compile_unit(options, unit, flags):
    command = [options.cc, *FLAGS, *flags, "-I", ROOT / "include", "-I", ROOT / "tests/docs",
               "-x", "c", "-"]
    done = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def check_quote(header, text):
    whole = (ROOT / header).read_text() if (ROOT / header).is_file() else ""
    for paragraph in re.split(r"\n{2,}", text.strip("\n")):
        if paragraph not in whole:
            return f"this is not in {header} word for word:\n{paragraph}"
    return ""


def check_c(options, page, line, text):
    quoted = QUOTED.match(text)
    if quoted:
        return check_quote(quoted.group(1), text[quoted.end():])
    place = f'#line {line} "{page}"\n'
    if "#include <catzilla/" in text:
        if options.no_microhttpd and "catzilla/adapter/microhttpd.h" in text:
            return ""
        return compile_unit(options, place + text, [])
    if re.search(r"^\{$", text, re.MULTILINE):
        return compile_unit(options, f'#include "prelude.h"\n{place}{text}', ["-Wno-unused-function"])
    return compile_unit(options, WRAPPED.format(line=line, page=page, text=text), LOOSE)


def check_names(text):
    for name in NAMED.findall(text):
        if not (ROOT / name).exists():
            yield f"{name} does not exist"


def check_page(options, page):
    """Yields (line, complaint)."""
    path = ROOT / page
    whole = path.read_text()
    for block in BLOCK.finditer(whole):
        kind, text = block.groups()
        line = whole.count("\n", 0, block.start()) + 2
        if kind == "c":
            complaint = check_c(options, page, line, text)
            if complaint:
                yield line, complaint
        elif kind == "sh":
            yield from ((line, complaint) for complaint in check_names(text))
    prose = BLOCK.sub(lambda block: "\n" * block.group().count("\n"), whole)
    for number, text in enumerate(prose.split("\n"), 1):
        yield from ((number, complaint) for complaint in check_names(text))
        for target, anchor in LINK.findall(text):
            page = path.parent / target if target else path
            if not page.exists():
                yield number, f"the link to {target} leads nowhere"
            elif anchor and page.suffix == ".md" and anchor not in anchors_of(page):
                yield number, f"{page.name} has no part #{anchor}"


def anchors_of(page):
    """As GitHub makes them of headings."""
    texts = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
             for heading in HEADING.findall(BLOCK.sub("", page.read_text())))
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in texts}


def readme_program(whole):
    return next((b for b in BLOCK.finditer(whole) if b[1] == "c" and "int main(" in b[2]), None)


def check_readme(options):
    path = ROOT / "README.md"
    whole = path.read_text()
    program = readme_program(whole)
    wanted = (ROOT / "examples/hello.c").read_text()
    if not program:
        return 1, "the program of examples/hello.c is not shown"
    if program[2] == wanted:
        return None
    if options.write:
        path.write_text(whole[:program.start(2)] + wanted + whole[program.end(2):])
        return None
    return whole.count("\n", 0, program.start()) + 1, \
        "the program differs from examples/hello.c; check_docs.py --write copies it"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--no-microhttpd", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("pages", nargs="*")
    options = parser.parse_args()
    pages = options.pages or ["README.md", "CHANGELOG.md", *sorted(
        str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]

    complaints = 0
    if "README.md" in pages:
        found = check_readme(options)
        if found:
            print(f"README.md:{found[0]}: {found[1]}", file=sys.stderr)
            complaints += 1
    for page in pages:
        for line, complaint in check_page(options, page):
            print(f"{page}:{line}: {complaint}", file=sys.stderr)
            complaints += 1
    print(f"{len(pages)} pages, {complaints} complaints")
    return complaints > 0


if __name__ == "__main__":
    sys.exit(main())
