# SPDX-License-Identifier: MIT
"""What the measures of servers share: a client, wrk, and the CPU time of a process."""
import os
import pathlib
import re
import socket
import subprocess

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]


def pinned(core):
    return ["taskset", "-c", str(core)]


def ask(port, request, count, body=b"hello\n"):
    """Requests one after another on one connection, all answered 200 with the body: the last answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            client.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + body):
                piece = client.recv(65536)
                if not piece:
                    raise SystemExit(f"the connection ended after {answer!r}")
                answer += piece
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"answered {answer!r}")
    return answer


def load(port, seconds, origin):
    """How many requests wrk has had answered, by 16 connections."""
    done = subprocess.run([*pinned(CLIENT_CORE), "wrk", "-t1", "-c16", f"-d{seconds}s",
                           "-H", f"Origin: {origin}", f"http://127.0.0.1:{port}/hello"],
                          capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    return int(re.search(r"(\d+) requests in", done.stdout).group(1))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
