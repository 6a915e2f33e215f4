#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every number of the schema at and beyond its ends: run_numbers.py <check> <program> [<server>]

The options are those that `catzilla-mw schema` names, so a new one is tried as soon as it is there.
What the schema does not allow is refused by a line that names the member. What it allows is either
refused by such a line, or the chain is served: it is read into a running server by SIGHUP and asked.
"""
import copy
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile

import run_tool as tool

INT64_MAX = 2**63 - 1
ROOM_BYTES = 4 << 30
NO_MEMORY = "catzilla-mw: reading the file: the allocator has no memory left"
# What only a server can say: it has two plans for a moment, and may not time heads or bodies.
NOT_TAKEN = "no memory|'timeout' limits the time of (heads|bodies), and .* does not measure"
# Sizes of tables that are made at once, and up to where they are tried where memory has no limit.
TABLES = ("entries", "max_bytes")
TABLE_MOST = 1 << 24

# What an instance needs beside the number that is tried: options by kind, members by list of objects.
NEEDED = {
    "content_type": {"allow": ["application/json"]},
    "cors": {"allow_origins": ["https://a.example"]},
    "host_allow": {"hosts": ["*"]},
    "redirect": {"rules": [{"from": "/old", "to": "/new"}]},
    "static_files": {"root": ".", "go_on": True},
    "vary": {"fields": ["X-Tenant"]},
    "load_shed": {"classes": [{"methods": ["GET"], "share_permille": 500}]},
    "mirror": {"output": "mirror.http"},
    "rate_limit": {"limits": [{"key": "ip"}]},
    "security_headers": {"strict_transport_security": {}},
}
# Members that exclude one another: with the first, the second is left out.
EXCLUDES = {"rate_limit": (("limit", "window_ms", "burst"), "limits")}


def numbers_of(node, path=()):
    """(path, schema) of each whole number in a schema, also in objects and lists of objects."""
    for form in [node, *node.get("anyOf", [])]:
        types = form.get("type")
        if "integer" in (types if isinstance(types, list) else [types]):
            yield path, form
        for name, member in form.get("properties", {}).items():
            yield from numbers_of(member, (*path, name))
        if isinstance(form.get("items"), dict):
            yield from numbers_of(form["items"], (*path, 0))


def put(options, path, value):
    """`options` with `value` at `path`; what is on the way there is made."""
    options = copy.deepcopy(options)
    at = options
    for step, following in zip(path, path[1:]):
        made = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            while len(at) <= step:
                at.append({})
            at = at[step]
        else:
            at = at.setdefault(step, made)
    at[path[-1]] = value
    return options


def outside(schema):
    """JSON texts that the member must not take."""
    least, most = schema["minimum"], schema["maximum"]
    texts = ["1.5", "-0.5", "1e308", "-1e308", "1e1", "1.0", "true", "null", '"60"', "[]", "{}"]
    texts += [str(number) for number in (-2**63, least - 1, most + 1, INT64_MAX, -1, 0, 2**31, 2**32)
              if not least <= number <= most and -2**63 <= number <= INT64_MAX]
    return [*texts, str(2**63), str(-2**63 - 1), "1" + 400 * "0"]


def inside(schema, most):
    least = schema["minimum"]
    return sorted({number for number in (least, least + 1, 0, 1, 2**16, 2**31, 2**32, 10**9, 2**62,
                                         (least + most) // 2, most - 1, most)
                   if least <= number <= most})


def most_of(where, schema, is_limited):
    is_table = where.rsplit(".", 1)[-1] in TABLES
    return min(schema["maximum"], TABLE_MOST) if is_table and not is_limited else schema["maximum"]


class Case:
    """A document with a value, and what is to be said of it."""

    def __init__(self, name, document, member, text=None):
        self.name, self.document, self.member, self.text = name, document, member, text

    def write(self, file):
        text = json.dumps(self.document)
        file.write_text(text if self.text is None else text.replace('"@"', self.text))


def member_name(path):
    return re.sub(r"\.\[", "[", ".".join(f"[{step}]" if isinstance(step, int) else step
                                         for step in path))


def chain(item):
    return {"listen": "127.0.0.1:0", "backend": "echo", "middleware": [item]}


def options_for(kind, path):
    options = copy.deepcopy(NEEDED.get(kind, {}))
    first, second = EXCLUDES.get(kind, ((), None))
    if path[0] in first or path[0] != second:
        options.pop(second, None)
    return options


def each_number(schema):
    """(where, path, schema, document_for(value)) of every number of a document."""
    for name, member in schema["properties"]["engine"]["properties"].items():
        if member.get("type") == "integer":
            yield (f"engine.{name}", f"engine.{name}", member,
                   lambda value, name=name: {**chain({"use": "request_id"}),
                                             "engine": {name: value}})
    for name in ("priority", "post_priority", "failure_status"):
        extra = {"failure": "status"} if name == "failure_status" else {}
        yield (f"item.{name}", f"middleware[0].{name}", schema["$defs"]["use"]["properties"][name],
               lambda value, name=name, extra=extra: chain({"use": "set_headers", **extra,
                                                            name: value}))
    yield ("group.route", "middleware[0].route", schema["$defs"]["group"]["properties"]["route"],
           lambda value: chain({"group": "g", "route": value,
                                "middleware": [{"use": "set_headers"}]}))
    for definition, options in schema["$defs"].items():
        kind = definition.removeprefix("options.")
        if kind == definition:
            continue
        for path, member in numbers_of(options):
            yield (f"{kind}.{member_name(path)}", f"middleware[0].options.{member_name(path)}",
                   member, lambda value, kind=kind, path=path: chain(
                       {"use": kind, "options": put(options_for(kind, path), path, value)}))


def all_at(schema, end):
    """A document for each kind, all of whose numbers are at the same end."""
    for definition, options in schema["$defs"].items():
        kind = definition.removeprefix("options.")
        numbers = list(numbers_of(options)) if kind != definition else []
        if not numbers:
            continue
        wanted = options_for(kind, numbers[0][0])
        for path, member in numbers:
            if path[0] not in EXCLUDES.get(kind, ((), None))[1:]:
                wanted = put(wanted, path, member[end])
        yield Case(f"{kind}, all at the {end}", chain({"use": kind, "options": wanted}), None)


def limit_memory():
    """So that a size is not what brings the machine down: 1 if the program lives with less."""
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    if subprocess.run([tool.PROGRAM, "--version"], capture_output=True).returncode == 0:
        return 1
    resource.setrlimit(resource.RLIMIT_AS, 2 * resource.getrlimit(resource.RLIMIT_AS)[1:])
    return 0  # a sanitizer's


def read_schema():
    schema = json.loads(tool.run("schema")[0])
    numbers = list(each_number(schema))
    tool.expect("there are numbers", len(numbers) > 80, True)
    for where, _, member, _ in numbers:
        tool.expect(f"{where} has ends", {"minimum", "maximum"} <= member.keys(), True)
    return schema, numbers


def reports_of(cases, folder):
    """What `check` says of each: a list of lines."""
    files = []
    for number, case in enumerate(cases):
        files.append(folder / f"{number}.json")
        case.write(files[-1])
    reports = {file.name: [] for file in files}
    for at in range(0, len(files), 200):
        done = subprocess.run([tool.PROGRAM, "check", *map(str, files[at:at + 200])],
                              capture_output=True, text=True, timeout=tool.LIMIT_S * 5)
        tool.expect(f"exit code ({done.stderr[-2000:]})", done.returncode in (0, 1, 3), True)
        for line in done.stderr.splitlines():
            if line == NO_MEMORY:  # beside the line that says for what
                continue
            name = pathlib.Path(line.split(":", 1)[0]).name
            tool.expect(f"a line of a file: {line!r}", name in reports, True)
            reports[name].append(line)
    return [reports[file.name] for file in files]


def check_outside():
    """Each is refused by a sentence at its place; texts that are no JSON number, as such."""
    _, numbers = read_schema()
    cases = [Case(where, document("@"), path, text) for where, path, member, document in numbers
             for text in outside(member)]
    with tempfile.TemporaryDirectory() as folder:
        reports = reports_of(cases, pathlib.Path(folder))
    for case, lines in zip(cases, reports):
        what = f"{case.name} = {case.text[:40]}: {lines}"
        sentences = [line.split(f" {case.member}: ", 1)[1] for line in lines
                     if f" {case.member}: " in line]
        if not sentences:  # no JSON number
            sentences = [line for line in lines if "too big" in line or "overflow" in line]
        tool.expect(f"{what}: a sentence", any(len(sentence) > 10 for sentence in sentences), True)


def ask(port):
    """Requests that meet most of what a chain can hold; each has an answer, or the connection ends."""
    fields = (b"Host: a.example\r\nOrigin: https://a.example\r\nAccept-Encoding: gzip\r\n"
              b"X-Echo-Body-Size: 5000\r\nX-Request-ID: abc\r\nX-Forwarded-For: 192.0.2.7\r\n"
              b"Connection: close\r\n")
    for request in (b"GET /a?b=c HTTP/1.1\r\n" + fields + b"\r\n",
                    b"GET /a?b=c HTTP/1.1\r\n" + fields + b"\r\n",
                    b"OPTIONS /a HTTP/1.1\r\nAccess-Control-Request-Method: PUT\r\n" + fields +
                    b"\r\n",
                    b"POST /old HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                    b"Idempotency-Key: \"a\"\r\n" + fields + b"\r\n{}"):
        with socket.create_connection(("127.0.0.1", port), timeout=tool.LIMIT_S) as connection:
            connection.sendall(request)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        tool.expect(f"an answer: {answer[:60]}", re.match(rb"HTTP/1\.1 [2-5]\d\d ", answer)
                    is not None, True)


def serve_all(cases, file):
    """One server reads them one after the other."""
    cases[0].write(file)
    with tool.Server(file) as server:
        for case in cases:
            case.write(file)
            server.send(signal.SIGHUP)
            try:
                lines = server.lines_until("chain.json: access logs opened anew")
                if "chain.json: read again\n" not in "".join(lines):
                    said = "".join(lines)
                    tool.expect(f"not taken: {said}", re.search(NOT_TAKEN, said) is not None, True)
                ask(server.port)
            except (SystemExit, OSError) as why:
                server.process.kill()
                raise SystemExit(f"{case.name}: {why}; {server.process.communicate()[1]}")


def serve_alone(case, folder):
    """With limits of the engine: too little memory may be too little to begin with."""
    case.write(folder.file)
    try:
        with tool.Server(folder.file) as server:
            ask(server.port)
    except SystemExit as why:
        tool.expect_in(f"{case.name}: {why}", "chain.json: 127.0.0.1:0: cannot serve: ", str(why))
        tool.expect_in(case.name, "pool_limit_bytes", case.name)


def check_inside():
    """Each is either refused by a sentence at its place or somewhere in its item, or it serves."""
    schema, numbers = read_schema()
    is_limited = limit_memory()
    cases = [Case(f"{where} = {value}", document(value), path)
             for where, path, member, document in numbers
             for value in inside(member, most_of(where, member, is_limited))]
    cases += [case for end in ("minimum", "maximum") if is_limited or end == "minimum"
              for case in all_at(schema, end)]
    good, bad = [], []
    with tool.Folder() as folder:
        os.chdir(folder.file.parent)  # for what chains write
        reports = reports_of(cases, folder.file.parent)
        for case, lines in zip(cases, reports):
            print(f"{case.name}: {lines[0].split(': ', 1)[1] if lines else 'good'}")
            (bad if lines else good).append(case)
            for line in lines:
                tool.expect_in(case.name, f" {(case.member or 'middleware[0]').split('.')[0]}", line)
        tool.expect("most are good", len(good) > 4 * len(bad), True)
        serve_all([case for case in good if "engine" not in case.document], folder.file)
        for case in good:
            if "engine" in case.document:
                serve_alone(case, folder)


def main():
    tool.PROGRAM = os.path.abspath(sys.argv[2])
    if len(sys.argv) > 3:
        tool.SERVER = sys.argv[3]
    {"outside": check_outside, "inside": check_inside}[sys.argv[1]]()


if __name__ == "__main__":
    main()
