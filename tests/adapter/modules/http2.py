# SPDX-License-Identifier: MIT
"""HTTP/2 by frames of its own, for what curl does not send: RFC 9113."""
import socket

from servers import LONG_S

DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") +
            payload)


def fields_of(pairs):
    """Literal, without a table and without Huffman's code: RFC 7541, 6.2.2."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
                    for name, value in pairs)


def ask(port, target, body, fields=(), trailers=None, ends=True):
    """A POST, and the body of its answer. `ends`: the request's body does."""
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", target.encode()),
            (b":authority", b"a.example"), *fields]
    last = END_STREAM if ends and trailers is None else 0
    with socket.create_connection(("127.0.0.1", port), timeout=LONG_S) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"") +
                       frame(HEADERS, END_HEADERS, 1, fields_of(head)) +
                       frame(DATA, last, 1, body))
        if trailers is not None:
            client.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields_of(trailers)))
        answer, came = b"", client.makefile("rb")
        while True:
            head = came.read(9)
            if len(head) < 9:
                raise EOFError(answer)
            payload = came.read(int.from_bytes(head[:3], "big"))
            if int.from_bytes(head[5:], "big") != 1 or head[3] not in (DATA, HEADERS):
                continue
            answer += payload if head[3] == DATA else b""
            if head[4] & END_STREAM:
                return answer
