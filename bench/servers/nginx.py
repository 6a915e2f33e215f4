#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure our module of nginx beside nginx's own directives: nginx.py [--build FOLDER] [--seconds N]

Four configurations answer the same request with the same body:

  bare    `return 200` alone, no log
  native  CORS by `map`, 12 security headers by `add_header`, an id by `$request_id`, `limit_req`, and
          a buffered access log in the combined format, as one writes them for nginx
  empty   the module and a plan without middleware
  plan    the same work as native by a plan: cors, security_headers, request_id, rate_limit, access_log

Instructions and heap allocations are those of one request on a warm connection: the difference between
a run of few and one of many requests, by valgrind, whole process (master_process off), kernel excluded.
CPU time is that of a worker process, kernel included, by wrk with 16 connections, server and client on
different cores; the rounds of the four follow each other, and the median of five is shown.

--smoke: a few requests to each, which have the fields that they should have.
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
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "/usr/sbin/nginx"
KINDS = ("bare", "native", "empty", "plan")
FEW, MANY = 1000, 3000
ROUNDS = 5
SKIPPED = 77  # for CTest
ORIGIN = "https://www.example.com"
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
HTTP_OF = {
    "bare": "access_log off;",
    "native": f"""
    access_log access.log combined buffer=64k flush=5s;
    limit_req_zone $binary_remote_addr zone=all:1m rate=1000000r/s;
    map $http_origin $allowed {{ default ""; "{ORIGIN}" $http_origin; "https://admin.example.com" $http_origin; }}
    map $allowed $exposed {{ default ""; "{ORIGIN}" "X-Request-ID"; "https://admin.example.com" "X-Request-ID"; }}""",
    "empty": "access_log off; catzilla_mw empty.json;",
    "plan": "access_log off; catzilla_mw plan.json;",
}
SERVER_OF = {
    "native": """
        limit_req zone=all burst=1000000 nodelay;
        add_header Access-Control-Allow-Origin $allowed always;
        add_header Access-Control-Expose-Headers $exposed always;
        add_header Vary Origin always;
        add_header X-Request-ID $request_id always;
        """ + "\n".join(f'add_header {name} "{value}" always;' for name, value in SECURITY.items()),
}
CHAIN = [
    {"use": "cors", "options": {"allow_origins": [ORIGIN, "https://admin.example.com"],
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
    """nginx in a folder of its own; `before` stands before its command."""

    def __init__(self, kind, module, before=(), is_single=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="catzilla-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        chain = json.loads(json.dumps(CHAIN).replace('"access.log"', f'"{self.folder}/access.log"'))
        for name, middleware in (("empty", []), ("plan", chain)):
            (self.folder / f"{name}.json").write_text(json.dumps({"middleware": middleware}))
        (self.folder / "nginx.conf").write_text(self.configuration(kind, module, is_single))
        self.words = (self.folder / "words").open("w+")
        self.process = subprocess.Popen(
            [*before, NGINX, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
            stderr=self.words)
        self.wait()

    def configuration(self, kind, module, is_single):
        load = f"load_module {module};" if kind in ("empty", "plan") else ""
        return f"""{load}
daemon off;
master_process {"off" if is_single else "on"};
worker_processes 1;
user root;
error_log error.log error;
pid nginx.pid;
events {{ }}
http {{
    keepalive_requests 1000000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    {HTTP_OF[kind]}
    server {{
        listen 127.0.0.1:{self.port};
        {SERVER_OF.get(kind, "")}
        location / {{ default_type text/plain; return 200 "hello\\n"; }}
    }}
}}
"""

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
        raise SystemExit(f"nginx did not start: {self.words.read()}")

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
            raise SystemExit(f"nginx ended with {code}: {words}")
        shutil.rmtree(self.folder)
        return words


# ---- Measures -------------------------------------------------------------------------------


def count(kind, module, tool, pattern, requests):
    server = Server(kind, module, ("valgrind", *tool))
    ask(server.port, REQUEST, requests)
    return int(re.search(pattern, server.stop()).group(1).replace(",", ""))


def per_request(kind, module, tool, pattern):
    few, many = (count(kind, module, tool, pattern, requests) for requests in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def instructions(kind, module):
    return per_request(kind, module, ("--tool=callgrind", "--callgrind-out-file=/dev/null"),
                       r"Collected : (\d+)")


def allocations(kind, module):
    return per_request(kind, module, ("--leak-check=no",), r"total heap usage: ([\d,]+) allocs")


def cpu_ns(kind, module, seconds):
    server = Server(kind, module, pinned(SERVER_CORE), is_single=False)
    ask(server.port, REQUEST, 1000)
    before = cpu_seconds(server.worker())
    count = load(server.port, seconds, ORIGIN)
    used = cpu_seconds(server.worker()) - before
    server.stop()
    return used / count * 1e9


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--seconds", default=3, type=int, help="of wrk in a round; 0: no CPU time")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    module = (options.build / "lib/nginx/ngx_http_catzilla_mw_module.so").resolve()
    if not module.exists():
        sys.exit(f"{module} is not built")
    if not os.access(NGINX, os.X_OK):
        print(f"skipped: {NGINX} is not installed")
        sys.exit(SKIPPED)
    for kind in KINDS:
        server = Server(kind, module)
        check(kind, ask(server.port, REQUEST, 3))
        server.stop()
    if options.smoke:
        return
    print("| measure | configuration | a request | against bare | of native's |")
    print("|---|---|--:|--:|--:|")
    print_rows("instructions", {kind: instructions(kind, module) for kind in KINDS})
    print_rows("allocations", {kind: allocations(kind, module) for kind in KINDS})
    if shutil.which("wrk") and options.seconds > 0:
        rounds = [{kind: cpu_ns(kind, module, options.seconds) for kind in KINDS} for _ in range(ROUNDS)]
        print_rows("CPU ns", {kind: statistics.median(turn[kind] for turn in rounds) for kind in KINDS})


if __name__ == "__main__":
    main()
