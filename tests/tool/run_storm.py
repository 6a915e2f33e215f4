#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All of the traffic at once: run_storm.py <program> <server>

Clients of every bad manner (broken heads, bodies that are cut, answers that are not read, resets)
meet a chain of all that waits, keeps or shares state, which is read again all the while. What they
get is of little interest: the server must live, answer afterwards, end with 0, and a sanitizer that
it is built with must have nothing to say. What each client sends depends on its number alone.
"""
import collections
import gzip
import json
import random
import re
import signal
import socket
import struct
import sys
import threading
import time

import run_tool as tool

CLIENTS, ROUNDS = 16, 40

STATE = [
    {"use": "response_cache", "options": {"default_ttl": 1, "max_waiting": 20, "max_wait_ms": 50,
                                          "max_bytes": 2000000, "max_entry_bytes": 100000,
                                          "stale_while_revalidate": 5, "stale_if_error": 5}},
    {"use": "idempotency_key"},
    {"use": "load_shed", "options": {"max_limit": 50, "initial_limit": 20, "window_ms": 10}},
    {"use": "concurrency_limit", "options": {"limit": 4, "key_limit": 3, "queue": 10,
                                             "queue_ms": 50}},
    {"use": "circuit_breaker", "options": {"open_ms": 1, "window_ms": 10, "min_requests": 5}},
    {"use": "rate_limit", "options": {"limit": 100000, "window_ms": 1000}},
    {"use": "mirror", "options": {"share_permille": 100, "output": "mirror.http"}},
    {"use": "access_log", "options": {"file": "access.log"}}]
REST = [{"use": kind} for kind in
        ("request_id", "server_timing", "conditional", "security_headers", "trace_context",
         "health", "cookies")] + [
    {"use": "timeout", "options": {"total_ms": 400, "handler_ms": 100}},
    {"use": "trusted_proxy", "options": {"trust": ["127.0.0.0/8"]}},
    {"use": "body_limit", "options": {"limit": 300000}},
    {"use": "vary", "options": {"fields": ["X-T"]}}]
PACKING = [{"use": "compression", "options": {"min_size": 10}}, {"use": "decompression"}]

METHODS = ["GET"] * 6 + ["POST"] * 4 + ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]
TARGETS = ["/a", "/b?x=1", "/b?x=2", "/livez", "/readyz", "/c/../d", "/%2e%2e/x", "*"]
FIELDS = {  # each is sent with one of its values, or not at all
    "Accept-Encoding": ["gzip", "br", "zstd", "gzip;q=0, *", "identity;q=0"],
    "X-Echo-Body-Size": ["0", "10", "5000", "70000", "300000"],
    "X-Echo-Status": ["200", "204", "304", "500", "404", "503"],
    "TE": ["trailers"],
    "If-None-Match": ["*", '"a"', 'W/"x", "y"'],
    "Cache-Control": ["no-cache", "no-store", "max-age=0", "only-if-cached", "max-stale"],
    "X-Forwarded-For": ["192.0.2.1", "192.0.2.2, 127.0.0.1", "unknown"],
    "Idempotency-Key": [f'"k{i}"' for i in range(20)],
    "Expect": ["100-continue"],
    "Connection": ["close", "keep-alive"],
    "Content-Encoding": ["gzip", "br", "deflate"]}


def body_of(chance, fields):
    body = chance.choice([b"", b"{}", b"x" * 5000, b"z" * 400000, chance.randbytes(3000)])
    if chance.random() < 0.3:
        body = gzip.compress(body)
        fields.append("Content-Encoding: gzip")
    if chance.random() < 0.5:
        fields.append(f"Content-Length: {len(body)}")
        return body
    fields.append("Transfer-Encoding: chunked")
    size = chance.choice([100, 5000, 60000])
    chunks = [body[at:at + size] for at in range(0, len(body), size)]
    trailers = chance.choice([b"", b"X-T: v\r\n", b"Server-Timing: a\r\nHost: evil\r\n"])
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailers + b"\r\n"


def request_of(chance):
    method = chance.choice(METHODS)
    fields = ["Host: a"] + [f"{name}: {chance.choice(values)}" for name, values in FIELDS.items()
                            if chance.random() < 0.15]
    if chance.random() < 0.02:
        fields += [f"X-{i}: v" for i in range(10000)]
    has_body = method in ("POST", "PUT", "PATCH") or chance.random() < 0.1
    body = body_of(chance, fields) if has_body else b""
    head = "\r\n".join([f"{method} {chance.choice(TARGETS)} HTTP/1.1", *fields, "", ""])
    return head.encode() + body


def bytes_of(chance):
    """One request or some behind each other, perhaps broken, perhaps cut."""
    data = bytearray(b"".join(request_of(chance) for _ in range(chance.choice([1, 1, 1, 2, 5]))))
    if chance.random() < 0.3:
        for _ in range(chance.choice([1, 3])):
            data[chance.randrange(min(len(data), 600))] = chance.choice([0, 10, 13, 32, 58, 255])
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)):]
    return bytes(data)


def talk(chance, connection):
    """What was answered, as far as it was read."""
    if chance.random() < 0.3:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(chance.choice([0.02, 0.1, 0.3]))
    data = bytes_of(chance)
    step = chance.choice([len(data) or 1, 1000, 50000])
    for at in range(0, len(data), step):
        connection.sendall(data[at:at + step])
    manner = chance.random()
    if manner < 0.2:
        connection.shutdown(socket.SHUT_WR)
    answer = b""
    try:
        while manner < 0.7 and (piece := connection.recv(chance.choice([10, 1000, 65536]))):
            answer += piece
    except OSError:
        pass
    if chance.random() < 0.5:  # close with a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return answer


class Clients:
    def __init__(self, port):
        self.port = port
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(number,))
                        for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        chance = random.Random(number)
        for _ in range(ROUNDS):
            answer = b""
            try:
                with socket.create_connection(("127.0.0.1", self.port),
                                              timeout=tool.LIMIT_S) as connection:
                    answer = talk(chance, connection)
            except OSError:
                pass
            with self.lock:
                self.counts.update(re.findall(rb"HTTP/1\.1 (\d)\d\d", answer))

    def are_there(self):
        return any(thread.is_alive() for thread in self.threads)


def write(folder, number, packing):
    """The chain: a file of turns, so that state is taken over, dropped and made anew."""
    state = [item for at, item in enumerate(STATE) if number == 0 or at % 4 != number % 4]
    for item in state:
        name = {"mirror": "output", "access_log": "file"}.get(item["use"])
        if name:
            item["options"][name] = str(folder.file.parent / item["options"][name])
    folder.write(*state, *REST, *packing, backend="echo", engine={"context_limit": 200})


def main():
    tool.PROGRAM, tool.SERVER = sys.argv[1:]
    packing = PACKING if "compression" in tool.run("list")[0] else []
    with tool.Folder() as folder:
        write(folder, 0, packing)
        with tool.Server(folder.file, "--threads", "16" if tool.SERVER == "civetweb" else "4") \
                as server:
            clients = Clients(server.port)
            reloads = 0
            while clients.are_there():
                reloads += 1
                write(folder, reloads % 5, packing)
                server.send(signal.SIGHUP)
                said = server.lines_until("chain.json: access logs opened anew")
                tool.expect_in("the report", "chain.json: read again\n", "".join(said))
                time.sleep(0.02)  # the clients need the processor, too
            print(json.dumps({"reloads": reloads, "answers": {
                f"{first.decode()}xx": count for first, count in clients.counts.items()}}))
            tool.expect("there were answers", clients.counts[b"2"] > 0 < clients.counts[b"4"], True)
            for _ in range(10):
                tool.expect("afterwards", server.ask("GET", "/livez")[0], 200)


if __name__ == "__main__":
    main()
