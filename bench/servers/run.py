#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure servers bare and behind a plan: run.py [--build FOLDER] [--seconds N] [--smoke] [server...]

For each server: bare (its own interface), empty (the adapter and an empty plan), stack_3 (cors,
security_headers, rate_limit) and five (those, request_id, access_log). Two measures:

  instructions  of one request on a warm connection, by valgrind's callgrind: the difference between a
                run of 1,000 and one of 3,000 requests, divided by 2,000. By whose code: ours (adapter,
                engine, middleware, handler), the server's library, malloc and free, the rest of libc.
                Kernel excluded. They do not depend on what else the machine does.
  CPU time      of the server's process for each request, kernel included, under wrk with 16
                connections over loopback; server and client on different cores. It depends on the
                machine and its load.

--smoke: a few requests to each, no measures; the test bench.servers.
"""
import argparse
import collections
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from loopback import SERVER_CORE, ask, cpu_seconds, load, pinned

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS = ("microhttpd", "evhttp", "civetweb")
PLANS = ("bare", "empty", "stack_3", "five")
REQUEST = (b"GET /hello HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
           b"Origin: https://www.example.com\r\n\r\n")
FEW, MANY = 1000, 3000
KINDS = ("ours", "server", "malloc", "libc")
MALLOC = re.compile(r"malloc|calloc|realloc|\bfree\b|_int_free|tcache|unlink_chunk|memalign")


class Server:
    def __init__(self, program, plan, *before):
        self.process = subprocess.Popen([*before, program, plan], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("port "):
            raise SystemExit(f"{program} {plan}: not ready: {line!r}")
        self.port = int(line.split()[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60) != 0:
            raise SystemExit(f"{self.process.args}: ended with {self.process.returncode}")


# ---- Instructions ---------------------------------------------------------------------------


def kind_of(name, function, program):
    if pathlib.Path(name).name == pathlib.Path(program).name:
        return "ours"
    if MALLOC.search(function):
        return "malloc"
    return "server" if re.search(r"libmicrohttpd|libevent|libcivetweb", name) else "libc"


def read_costs(file, program):
    """Self cost of each kind, of a file that callgrind wrote."""
    costs = collections.Counter()
    names = {"ob": {}, "fn": {}}
    now = {"ob": "", "fn": ""}
    is_call = False

    def look_up(kind, text):
        number, _, name = text.partition(" ")
        if name:
            names[kind][number] = name
        return names[kind][number]

    for line in file.read_text().splitlines():
        key, equals, text = line.partition("=")
        if equals and key in ("ob", "fn"):
            now[key] = look_up(key, text)
        elif equals and key in ("cob", "cfn"):
            look_up(key[1:], text)
        elif equals and key == "calls":
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not is_call:
                costs[kind_of(now["ob"], now["fn"], program)] += int(line.split()[1])
            is_call = False
    return costs


def count_instructions(program, plan, count, folder):
    file = folder / f"{plan}.{count}"
    server = Server(program, plan, "valgrind", "-q", "--tool=callgrind",
                    f"--callgrind-out-file={file}")
    ask(server.port, REQUEST, count)
    server.stop()
    return read_costs(file, program)


def instructions(program, plan, folder):
    few, many = (count_instructions(program, plan, count, folder) for count in (FEW, MANY))
    return {kind: (many[kind] - few[kind]) / (MANY - FEW) for kind in KINDS}


# ---- CPU time -------------------------------------------------------------------------------


def cpu_ns(program, plan, seconds):
    """(CPU time of a request in ns, requests a second)."""
    server = Server(program, plan, *pinned(SERVER_CORE))
    ask(server.port, REQUEST, 1000)
    before = cpu_seconds(server.process.pid)
    count = load(server.port, seconds, "https://www.example.com")
    used = cpu_seconds(server.process.pid) - before
    server.stop()
    return used / count * 1e9, count / seconds


# ---- The table ------------------------------------------------------------------------------


def measure(name, program, options):
    with tempfile.TemporaryDirectory() as folder:
        bare_total = 0
        for plan in PLANS:
            cells = [name, plan]
            if shutil.which("valgrind"):
                costs = instructions(program, plan, pathlib.Path(folder))
                total = sum(costs.values())
                bare_total = total if plan == "bare" else bare_total
                cells += [f"{costs[kind]:,.0f}" for kind in KINDS]
                cells += [f"{total:,.0f}", f"{total - bare_total:+,.0f}"]
            else:
                cells += ["-"] * (len(KINDS) + 2)
            if shutil.which("wrk") and options.seconds > 0:
                ns, rate = cpu_ns(program, plan, options.seconds)
                cells += [f"{ns:,.0f}", f"{rate:,.0f}"]
            else:
                cells += ["-", "-"]
            print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--seconds", default=5, type=int, help="of wrk; 0: no CPU time")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("servers", nargs="*")
    options = parser.parse_args()
    programs = {name: options.build / f"bin/bench/bench_{name}" for name in options.servers or SERVERS}
    if not options.smoke:
        print("| server | plan | " + " | ".join(KINDS) + " | all | against bare | CPU ns | requests/s |")
        print("|---" * 2 + "|--:" * (len(KINDS) + 4) + "|")
    for name, program in programs.items():
        if not program.exists():
            if options.servers:
                sys.exit(f"{program} is not built")
        elif options.smoke:
            for plan in PLANS:
                server = Server(program, plan)
                ask(server.port, REQUEST, 10)
                server.stop()
        else:
            measure(name, program, options)


if __name__ == "__main__":
    main()
