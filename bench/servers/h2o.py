#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the adapter adds to a request of H2O: h2o.py [SERVER [MODE...]]

The server runs under callgrind with few and with many requests of one keep-alive connection: the
difference, divided by their number, is what a request costs, whole process, H2O and libc included.
Allocator calls are counted likewise, the process's by valgrind, the engine's by its pools.
"""
import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

from loopback import ask

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODES = ("bare", "empty", "pass", "three", "five")
FEW, MANY = 1000, 5000

PLAIN = b"GET / HTTP/1.1\r\nHost: www.example.com\r\nOrigin: https://admin.example.com\r\n\r\n"
BROWSER = (
    b"GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n"
    b"Cache-Control: max-age=0\r\nUpgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/120.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    b"\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: session=4f1c9a7e2b6d8035; theme=dark\r\nOrigin: https://admin.example.com\r\n\r\n")


def run(command, request, count):
    """What the server, started by the command, printed in the end; and its valgrind's words."""
    with tempfile.TemporaryFile("w+") as words:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True)
        port = int(server.stdout.readline().split()[1])
        ask(port, request, count, b"hello, world\n")
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError):  # an idle loop sees no signal
            socket.create_connection(("127.0.0.1", port)).close()
        out = server.communicate()[0]
        words.seek(0)
        return out, words.read()


def find(pattern, text):
    return int(re.search(pattern, text).group(1).replace(",", ""))


def measure(server, mode, request):
    """Instructions and allocator calls a request: the process's and the engine's."""
    with tempfile.TemporaryDirectory() as folder:
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", server, mode]
        memcheck = ["valgrind", "--leak-check=no", server, mode]
        totals = []
        for count in (FEW, MANY):
            out, words = run(callgrind, request, count)
            calls = find(r"calls (\d+)", out) if mode != "bare" else 0
            words_2 = run(memcheck, request, count)[1]
            totals.append((find(r"Collected : (\d+)", words),
                           find(r"total heap usage: ([\d,]+) allocs", words_2), calls))
    return [(many - few) / (MANY - FEW) for few, many in zip(*totals)]


def main():
    server = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/bin/bench_server_h2o")
    modes = sys.argv[2:] or MODES
    for name, request in (("2 fields", PLAIN), ("13 fields, as a browser", BROWSER)):
        bare = None
        print(f"{name:24}{'instructions':>14}{'added':>8}{'allocator calls':>17}{'engine':>8}")
        for mode in modes:
            instructions, allocs, calls = measure(server, mode, request)
            bare = instructions if bare is None else bare
            print(f"  {mode:22}{instructions:14.0f}{instructions - bare:8.0f}{allocs:17.2f}"
                  f"{calls:8.2f}", flush=True)


if __name__ == "__main__":
    main()
