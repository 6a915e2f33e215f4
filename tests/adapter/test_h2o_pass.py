#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Requests that H2O's own handlers answer: test_h2o_pass.py h2o_pass_server [unittest options]

Every case of Passed runs over HTTP/1.1, by hand, and over HTTP/2, by curl.
"""
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "conformance"))
from client import Client, LONG_S, Response, request  # noqa: E402

STREAM = 100 * 40000
FILE = bytes(range(256)) * 1000


class Server:
    """The process, and what it serves files from."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        for name in ("a.txt", "secret.txt"):
            pathlib.Path(self.folder.name, name).write_bytes(FILE)
        pathlib.Path(self.folder.name, "empty.txt").touch()
        self.process = subprocess.Popen([program, self.folder.name], stdout=subprocess.PIPE,
                                        text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=LONG_S)
        self.process.stdout.close()
        self.folder.cleanup()
        return code


class Http1(Client):
    """Reads chunks, and bodies that the end of the connection ends."""

    def read(self, has_body=True):
        response = self.read_head()
        if not has_body or response.status in (204, 304):
            return response
        if response.get("Transfer-Encoding") == ["chunked"]:
            response.body = self.read_chunks()
        elif response.get("Content-Length"):
            length = int(response.get("Content-Length")[0])
            response.body = self.take(length)
        else:
            response.body = self.read_rest()
        return response

    def take(self, length):
        while len(self.rest) < length:
            self._more()
        taken, self.rest = bytes(self.rest[:length]), self.rest[length:]
        return taken

    def read_chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.rest:
                self._more()
            size = int(self.take(self.rest.index(b"\r\n") + 2), 16)
            body += self.take(size)
            self.take(2)
            if size == 0:
                return body

    def read_rest(self):
        while True:
            try:
                self._more()
            except EOFError:
                return bytes(self.rest)


def ask_1(port, method, target, fields=()):
    with Http1(port) as client:
        client.send(request(method, target, fields=fields))
        return client.read(has_body=method != "HEAD")


def ask_2(port, method, target, fields=()):
    """By curl. A stream that is reset has status None."""
    command = ["curl", "-sS", "-D-", "--path-as-is", "--http2-prior-knowledge", "-o", "/dev/fd/3",
               *(["-I"] if method == "HEAD" else ["-X", method])]
    for name, value in fields:
        command += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryFile() as body:
        os.set_inheritable(body.fileno(), True)
        command[command.index("/dev/fd/3")] = f"/dev/fd/{body.fileno()}"
        done = subprocess.run([*command, f"http://127.0.0.1:{port}{target}"], capture_output=True,
                              timeout=LONG_S, pass_fds=[body.fileno()])
        body.seek(0)
        lines = done.stdout.decode("latin-1").split("\r\n")
        parts = [line.split(":", 1) for line in lines[1:] if ":" in line]
        status = int(lines[0].split()[1]) if done.returncode == 0 else None
        return Response(status, [(n.lower(), v.strip()) for n, v in parts],
                        b"" if method == "HEAD" else body.read())


class Case(unittest.TestCase):
    program = ""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.program)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")

    def counts(self):
        return json.loads(ask_1(self.server.port, "GET", "/app/counts").body)

    def poll(self, question, what):
        end = time.monotonic() + LONG_S
        while not question():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def release(self, count):
        """Until so many have gone on."""
        done = 0

        def question():
            nonlocal done
            done += int(ask_1(self.server.port, "GET", "/app/release").body)
            return done >= count
        self.poll(question, "those that wait are not found")

    def settled(self):
        self.poll(lambda: (lambda c: c["begun"] == c["ended"] + 1)(self.counts()),
                  "requests stay open")
        return self.counts()


class Passed:
    """Over one version of HTTP: `ask`."""

    def setUp(self):
        self.before = self.settled()

    def ask(self, method, target, fields=()):
        return type(self).way(self.server.port, method, target, fields)

    def act(self, target, act, method="GET"):
        return self.ask(method, target, [("X-Act", act)])

    def assert_decorated(self, response):
        self.assertEqual((response.get("X-Const"), response.get("X-Post")), (["yes"], ["ran"]))

    def assert_sent(self, count):
        """So many requests since the case began came to their end."""
        after = self.settled()
        others = after["begun"] - self.before["begun"] - count
        self.assertEqual(after["sent"] - self.before["sent"], count + others, after)

    # ---- What comes back

    def test_answer_of_a_handler(self):
        response = self.ask("GET", "/app/known")
        self.assertEqual((response.status, response.body), (200, b"from the app\n"))
        self.assert_decorated(response)
        self.assertEqual(response.get("Content-Type"), ["text/html"])
        self.assertEqual(response.get("Set-Cookie"), ["a=1", "b=2"])
        self.assertEqual(response.get("X-App"), ["app"])
        self.assertEqual(response.get("Content-Length"), ["13"])
        self.assertEqual(len(response.get("Date")), 1)
        self.assert_sent(1)

    def test_files(self):
        response = self.ask("GET", "/file/a.txt")
        self.assertEqual((response.status, response.body), (200, FILE))
        self.assertEqual(response.get("Content-Length"), [str(len(FILE))])
        self.assert_decorated(response)
        head = self.ask("HEAD", "/file/a.txt")
        self.assertEqual(head.get("Content-Length"), [str(len(FILE))])
        self.assert_decorated(head)
        empty = self.ask("GET", "/file/empty.txt")
        self.assertEqual((empty.status, empty.body), (200, b""))
        self.assert_decorated(empty)
        missing = self.ask("GET", "/file/missing.txt")
        self.assertEqual((missing.status, missing.body), (404, b"not found"))
        self.assert_decorated(missing)
        self.assert_sent(4)

    def test_not_modified_file(self):
        etag = self.ask("GET", "/file/a.txt").get("ETag")[0]
        response = self.ask("GET", "/file/a.txt", [("If-None-Match", etag)])
        self.assertEqual((response.status, response.body), (304, b""))
        self.assert_decorated(response)

    def test_range_of_a_file(self):
        response = self.ask("GET", "/file/a.txt", [("Range", "bytes=10-19")])
        self.assertEqual((response.status, response.body), (206, FILE[10:20]))
        self.assert_decorated(response)

    def test_streams(self):
        for target in ("/app/stream", "/app/stream-known"):
            response = self.ask("GET", target)
            self.assertEqual((response.status, response.body), (200, b"s" * STREAM))
            self.assert_decorated(response)
        self.assert_sent(2)

    def test_errors_of_h2o_keep_their_body(self):
        for target, status, body in (("/nowhere", 404, b"not found"),
                                     ("/app/error", 503, b"busy\n"),
                                     ("/app/404", 404, b"not in the app\n")):
            response = self.ask("GET", target)
            self.assertEqual((response.status, response.body), (status, body))
            self.assert_decorated(response)
        self.assert_sent(3)

    def test_field_that_cannot_be_one_is_a_fault(self):
        response = self.ask("GET", "/app/bad-field")
        self.assertEqual((response.status, response.get("X-Bad"), response.get("X-App")),
                         (500, [], []))
        self.assert_decorated(response)
        self.assertNotIn(b"bad", response.body)

    def test_redirect_inside_is_one_request(self):
        response = self.ask("GET", "/app/redirect")
        self.assertEqual((response.status, response.body), (200, b"from the app\n"))
        self.assert_decorated(response)
        self.assert_sent(1)

    def test_handler_knows_the_context(self):
        self.assertEqual(self.ask("GET", "/app/user").body, b"mia")

    def test_handler_replaces_fields_of_pre_route(self):
        response = self.ask("GET", "/app/known", [("X-Pre", "fields")])
        self.assertEqual((response.get("X-App"), response.get("X-Pre")), (["app"], ["pre"]))
        self.assertEqual(sorted(response.get("Set-Cookie")), ["a=1", "b=2", "pre=1"])

    # ---- What post_route does

    def test_status_and_fields_are_changed(self):
        response = self.act("/app/known", "status")
        self.assertEqual((response.status, response.body), (418, b"from the app\n"))
        response = self.act("/app/known", "fields")
        self.assertEqual(response.get("X-App"), [])
        self.assertEqual(response.get("Content-Type"), ["text/plain"])
        self.assertEqual(response.get("Set-Cookie"), ["a=1", "b=2", "plan=1"])
        self.assertEqual(response.body, b"from the app\n")
        self.assert_sent(2)

    def test_body_is_replaced(self):
        for target in ("/app/known", "/app/stream", "/app/stream-known", "/file/a.txt", "/nowhere",
                       "/file/empty.txt"):
            with self.subTest(target):
                response = self.act(target, "body")
                self.assertEqual((response.status, response.body), (200, b"from the plan\n"))
                self.assertEqual(response.get("Content-Length"), ["14"])
                head = self.act(target, "body", "HEAD")
                self.assertEqual(head.get("Content-Length"), ["14"])
        self.assert_sent(12)

    def test_body_is_taken_away(self):
        for target in ("/app/known", "/app/stream", "/file/a.txt"):
            for act, status, length in (("empty", 200, ["0"]), ("204", 204, []), ("304", 304, [])):
                with self.subTest(f"{act} {target}"):
                    response = self.act(target, act)
                    self.assertEqual((response.status, response.body), (status, b""))
                    self.assertEqual(response.get("Content-Length"), length)
                    self.assertEqual(response.get("Transfer-Encoding"), [])
        self.assert_sent(9)

    def test_body_is_replaced_by_a_stream(self):
        for target in ("/app/known", "/app/stream", "/app/stream-known", "/file/a.txt", "/nowhere",
                       "/file/empty.txt"):
            with self.subTest(target):
                response = self.act(target, "stream")
                self.assertEqual((response.status, response.get("Content-Length")), (200, []))
                self.assertTrue(response.body == b"o" * 180000, len(response.body))
                self.assert_decorated(response)
        self.assert_sent(6)

    def test_stream_in_its_place_waits(self):
        for target in ("/app/known", "/app/stream", "/file/a.txt"):
            with self.subTest(target):
                response = self.wait(target, "stream-waits")
                self.assertTrue(response.body == b"o" * 180000, len(response.body))
        self.settled()

    def test_stream_in_its_place_fails(self):
        for target in ("/app/known", "/app/stream"):
            with self.subTest(target):
                try:
                    response = self.act(target, "stream-fails")
                    self.assertIsNone(response.status)
                except (EOFError, OSError):
                    pass
        after = self.settled()
        self.assertEqual(after["error"] - self.before["error"], 2)

    def test_answer_without_a_body_gets_one(self):
        response = self.act("/app/304", "body")
        self.assertEqual((response.status, response.body), (200, b"from the plan\n"))

    def test_failure_of_post_route_is_a_500(self):
        for target in ("/app/known", "/app/stream", "/file/a.txt"):
            response = self.act(target, "fail")
            self.assertEqual((response.status, response.get("X-App")), (500, []))
            self.assertEqual(response.get("X-Const"), ["yes"])
            self.assertNotIn(b"app", response.body)
        self.assert_sent(3)

    # ---- Waiting

    def wait(self, target, act, fields=()):
        """The answer to a request that waits and is released from another thread."""
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.ask, "GET", target, [("X-Act", act), *fields])
            self.release(1)
            return answer.result()

    def test_waiting_in_post_route(self):
        for target, body in (("/app/known", b"from the app\n"), ("/app/stream", b"s" * STREAM),
                             ("/app/stream-known", b"s" * STREAM), ("/file/a.txt", FILE),
                             ("/file/empty.txt", b""), ("/nowhere", b"not found")):
            with self.subTest(target):
                response = self.wait(target, "wait")
                self.assertEqual(response.body, body)
                self.assert_decorated(response)
                response = self.wait(target, "wait-status")
                self.assertEqual((response.status, response.body), (418, body))
                response = self.wait(target, "wait-body")
                self.assertEqual((response.status, response.body), (200, b"from the plan\n"))
                response = self.wait(target, "wait-fail")
                self.assertEqual((response.status, response.get("X-App")), (500, []))
                response = self.wait(target, "wait-204")
                self.assertEqual((response.status, response.body), (204, b""))
        self.settled()

    def test_waiting_in_pre_route(self):
        response = self.wait("/app/known", "", [("X-Pre", "wait")])
        self.assertEqual(response.body, b"from the app\n")
        self.assert_decorated(response)

    # ---- What goes in

    def test_guard_and_router_see_one_path(self):
        for target in ("/secret/a", "//secret/a", "/x/../secret/a", "/%73ecret/a", "/./secret//a",
                       "/file/secret.txt", "/file//secret.txt", "/file/x/../%73ecret.txt"):
            with self.subTest(target):
                self.assertEqual(self.ask("GET", target).body, b"denied\n")

    def test_path_that_differs_is_routed_anew(self):
        for target in ("//app/known", "/file/../app/known", "/app//known", "/%61pp/known"):
            with self.subTest(target):
                self.assertEqual(self.ask("GET", target).body, b"from the app\n")
        self.assertEqual(self.ask("GET", "//file/a.txt?q").body, FILE)

    def test_escaped_slash_is_refused(self):
        for target in ("/secret%2fa", "/file/x%2Fsecret.txt", "/file%2fsecret.txt"):
            with self.subTest(target):
                response = self.ask("GET", target)
                self.assertEqual(response.status, 400)
                self.assert_decorated(response)

    def test_query_is_kept(self):
        text = self.ask("GET", "//app/show?a=%2F&b").body.decode()
        self.assertIn("/app/show?a=%2F&b /app/show\n", text)

    def test_handler_sees_what_middleware_changed(self):
        response = self.ask("GET", "/elsewhere", [("X-Pre", "rewrite"), ("X-Remove", "1"),
                                                  ("X-User", "eve"), ("Accept", "a/b")])
        text = response.body.decode()
        self.assertEqual(text.split("\n")[0], "inner.example:81 /app/show?rewritten /app/show")
        self.assertIn("\nx-user: mia\n", text)
        self.assertIn("\naccept: a/b\n", text)
        self.assertNotIn("x-remove", text)
        self.assertNotIn("eve", text)


class PassedOver1(Passed, Case):
    way = staticmethod(ask_1)

    def test_connection_goes_on(self):
        with Http1(self.server.port) as client:
            for target, act in (("/app/known", ""), ("/app/stream", ""), ("/app/known", "body"),
                                ("/app/stream-known", "body"), ("/file/a.txt", "204"),
                                ("/app/known", "fail"), ("/app/304", ""), ("/app/known", "")):
                client.send(request("GET", target, fields=[("X-Act", act)]))
                client.read()
            self.assertFalse(client.rest)

    def test_bodies_are_shown_and_changed_before_they_are_passed_on(self):
        with Http1(self.server.port) as client:
            for body in (b"", b"a", b"hello" * 10000):
                for target, expected in (("/app/echo", body),
                                         ("/app/shout", body.upper() + b"!!!!")):
                    client.send(request("POST", target, body=body))
                    response = client.read()
                    self.assertEqual(response.status, 200)
                    self.assertTrue(response.body == expected, (target, len(body)))
            client.send(request("POST", "/app/shout", body=b"!not this"))
            response = client.read()
            self.assertEqual((response.status, response.body), (422, b"not so loud\n"))
            self.assert_decorated(response)

    def test_status_that_cannot_be_sent_closes_the_connection(self):
        for target in ("/app/known", "/app/stream", "/file/a.txt"):
            with Http1(self.server.port) as client:
                client.send(request("GET", target, fields=[("X-Act", "101")]))
                self.assertTrue(client.is_closed())
        after = self.settled()
        self.assertEqual(after["error"] - self.before["error"], 3)

    def test_errors_before_any_handler(self):
        for name, data, status in (
                ("unknown coding", b"Transfer-Encoding: gzip", 400),
                ("too long", b"Content-Length: 99999999", 413),
                ("unknown expectation", b"Content-Length: 1\r\nExpect: a miracle", 417)):
            with self.subTest(name), Http1(self.server.port) as client:
                client.send(b"POST /app/known HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n")
                response = client.read()
                self.assertEqual(response.status, status)
                self.assert_decorated(response)
                self.assertTrue(client.is_closed())
        self.settled()

    def test_client_that_leaves_in_a_stream(self):
        for target in ("/app/stream", "/app/stream-known"):
            with Http1(self.server.port) as client:
                client.send(request("GET", target))
                client.socket.recv(100)
        after = self.settled()
        self.assertEqual(after["client_gone"] - self.before["client_gone"], 2)


class Http2:
    """A connection that sends requests and resets them; it reads nothing but frames' types."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(4, 0, 0, b"")

    def send(self, kind, flags, stream, payload):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] +
                            struct.pack(">BBI", kind, flags, stream) + payload)

    def ask(self, stream, target, fields=(), scheme="http"):
        pairs = [(":method", "GET"), (":scheme", scheme), (":path", target),
                 (":authority", "a.example"), *fields]
        block = b"".join(b"\x00" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode()
                         for n, v in pairs)
        self.send(1, 4 | 1, stream, block)

    def read_payload(self, kind, stream):
        while True:
            head = self.take(9)
            payload = self.take(int.from_bytes(head[:3], "big"))
            if head[3] == kind and int.from_bytes(head[5:], "big") == stream:
                return payload

    def take(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class PassedOver2(Passed, Case):
    way = staticmethod(ask_2)

    def test_status_that_cannot_be_sent_is_an_empty_500(self):
        response = self.act("/app/known", "101")
        self.assertEqual((response.status, response.body, response.get("X-App")), (500, b"", []))

    def test_streams_that_are_reset(self):
        for target in ("/app/stream", "/app/stream-known"):
            with self.subTest(target):
                before = self.settled()
                client = Http2(self.server.port)
                client.ask(1, target)
                client.read_payload(0, 1)
                client.send(3, 0, 1, struct.pack(">I", 8))
                self.poll(lambda: self.counts()["client_gone"] > before["client_gone"], target)
                client.socket.close()
        self.settled()

    def test_client_that_leaves_while_it_waits(self):
        for fields in ([("x-pre", "wait")], [("x-act", "wait")]):
            with self.subTest(fields):
                before = self.settled()
                client = Http2(self.server.port)
                client.ask(1, "/app/known", fields)
                client.ask(3, "/app/counts")
                client.read_payload(0, 3)
                client.socket.close()
                self.poll(lambda: self.counts()["client_gone"] > before["client_gone"], "noticed")
                self.release(0)


class Ends(unittest.TestCase):
    program = ""

    def test_what_is_open_ends_with_the_server(self):
        server = Server(Case.program)
        clients = []
        for target, fields in (("/app/known", [("X-Pre", "wait")]),
                               ("/app/known", [("X-Act", "wait")]), ("/app/stream", [])):
            clients.append(Http1(server.port))
            clients[-1].send(request("GET", target, fields=fields))
        clients[-1].socket.recv(1)
        self.assertEqual(server.stop(), 0)
        for client in clients:
            client.socket.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    Case.program = sys.argv[1]
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
