# SPDX-License-Identifier: MIT
"""What the measures of our modules in installed servers share: nginx.py, apache.py.

Four configurations answer the same request with the same body: bare, native (the work done by the
server's own directives), empty (the module and a plan without middleware), plan (the same work by a
plan).

Instructions and heap allocations are those of one request on a warm connection: the difference between
a run of few and one of many requests, by valgrind, whole process, kernel excluded. CPU time is that of a
worker process, kernel included, by wrk with 16 connections, server and client on different cores; the
rounds of the four follow each other, and the median of five is shown.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from loopback import SERVER_CORE, ask, cpu_seconds, load, pinned

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("bare", "native", "empty", "plan")
FEW, MANY = 1000, 3000
ROUNDS = 5
SKIPPED = 77  # for CTest
ORIGIN = "https://www.example.com"
OTHER_ORIGIN = "https://admin.example.com"
REQUEST = (f"GET /hello HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
           f"Origin: {ORIGIN}\r\n\r\n").encode()

SECURITY = {
    "Content-Security-Policy": "default-src 'self';base-uri 'self';font-src 'self' https: data:;"
                               "form-action 'self';frame-ancestors 'self';img-src 'self' data:;"
                               "object-src 'none';script-src 'self';script-src-attr 'none';"
                               "style-src 'self' https: 'unsafe-inline'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}
CHAIN = [
    {"use": "cors", "options": {"allow_origins": [ORIGIN, OTHER_ORIGIN],
                                "expose_headers": ["X-Request-ID"]}},
    {"use": "security_headers"},
    {"use": "request_id"},
    {"use": "rate_limit", "options": {"limit": 900000}},
    {"use": "access_log", "options": {"file": "access.log"}},
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One in a folder of its own; `before` stands before its command. Made by its subclasses:

    name, program, module  as it is called; its path; our module's below the build folder
    command()              what starts it
    configuration(...)     the text of its file, `file`
    """

    name = program = module = file = None

    def __init__(self, kind, module, before=(), is_single=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="catzilla-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        chain = json.loads(json.dumps(CHAIN).replace('"access.log"', f'"{self.folder}/access.log"'))
        for name, middleware in (("empty", []), ("plan", chain)):
            (self.folder / f"{name}.json").write_text(json.dumps({"middleware": middleware}))
        (self.folder / self.file).write_text(self.configuration(kind, module, is_single))
        self.words = (self.folder / "words").open("w+")
        self.process = subprocess.Popen([*before, *self.command(is_single)], stderr=self.words,
                                        start_new_session=True)  # some end their group
        self.wait()

    def configuration(self, kind, module, is_single):
        raise NotImplementedError

    def command(self, is_single):
        raise NotImplementedError

    def wait(self):
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.words.seek(0)
        raise SystemExit(f"{self.name} did not start: {self.words.read()}")

    def worker(self):
        """The process that serves: the only child, or the process itself."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else pid

    def stop(self):
        """Ends it: what it printed."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError):  # valgrind passes a signal on when a call returns
            socket.create_connection(("127.0.0.1", self.port)).close()
        code = self.process.wait(timeout=60)
        self.words.seek(0)
        words = self.words.read()
        self.words.close()
        if code != 0:
            raise SystemExit(f"{self.name} ended with {code}: {words}")
        shutil.rmtree(self.folder)
        return words


# ---- Measures -------------------------------------------------------------------------------


def count(launch, tool, pattern, requests):
    server = launch(before=("valgrind", *tool))
    ask(server.port, REQUEST, requests)
    return int(re.search(pattern, server.stop()).group(1).replace(",", ""))


def per_request(launch, tool, pattern):
    few, many = (count(launch, tool, pattern, requests) for requests in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def instructions(launch):
    return per_request(launch, ("--tool=callgrind", "--callgrind-out-file=/dev/null"),
                       r"Collected : (\d+)")


def allocations(launch):
    return per_request(launch, ("--leak-check=no",), r"total heap usage: ([\d,]+) allocs")


def cpu_ns(launch, seconds):
    server = launch(before=pinned(SERVER_CORE), is_single=False)
    ask(server.port, REQUEST, 1000)
    before = cpu_seconds(server.worker())
    answered = load(server.port, seconds, ORIGIN)
    used = cpu_seconds(server.worker()) - before
    server.stop()
    return used / answered * 1e9


def check(kind, answer):
    """The two that do the work have all its fields, the others none."""
    names = {line.split(b":")[0].lower().decode() for line in answer.split(b"\r\n")[1:] if b":" in line}
    wanted = {name.lower() for name in SECURITY} - {"strict-transport-security"}  # not over http
    wanted |= {"access-control-allow-origin", "access-control-expose-headers", "vary", "x-request-id"}
    found = wanted & names
    if found != (wanted if kind in ("native", "plan") else set()):
        raise SystemExit(f"{kind}: {sorted(wanted ^ found)} in {answer!r}")


def share(value, base, native):
    return f"{(value - base) / (native - base):.2f}" if native != base else "-"


def print_rows(title, values):
    bare, native = values["bare"], values["native"]
    for kind in KINDS:
        print(f"| {title} | {kind} | {values[kind]:,.1f} | {values[kind] - bare:+,.1f} | "
              f"{share(values[kind], bare, native)} |", flush=True)


def measure(kind_of_server, doc):
    """What a script of one server does."""
    parser = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--seconds", default=3, type=int, help="of wrk in a round; 0: no CPU time")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    module = (options.build / kind_of_server.module).resolve()
    if not module.exists():
        sys.exit(f"{module} is not built")
    if not os.access(kind_of_server.program, os.X_OK):
        print(f"skipped: {kind_of_server.program} is not installed")
        sys.exit(SKIPPED)

    def launcher(kind):
        return lambda **named: kind_of_server(kind, module, **named)

    for kind in KINDS:
        server = launcher(kind)()
        check(kind, ask(server.port, REQUEST, 3))
        server.stop()
    if options.smoke:
        return
    print("| measure | configuration | a request | against bare | of native's |")
    print("|---|---|--:|--:|--:|")
    print_rows("instructions", {kind: instructions(launcher(kind)) for kind in KINDS})
    print_rows("allocations", {kind: allocations(launcher(kind)) for kind in KINDS})
    if shutil.which("wrk") and options.seconds > 0:
        rounds = [{kind: cpu_ns(launcher(kind), options.seconds) for kind in KINDS}
                  for _ in range(ROUNDS)]
        print_rows("CPU ns", {kind: statistics.median(turn[kind] for turn in rounds) for kind in KINDS})
