#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drive microhttpd_server over real connections: test_microhttpd.py <server> <mode>"""
import json
import socket
import subprocess
import sys
import threading
import time
import unittest

SERVER, MODE = "", ""
BODY_LIMIT = 1 << 20
LONG_S = 30


class Response:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def get(self, name):
        return [v for n, v in self.fields if n == name.lower()]


class Client:
    """One connection, bytes by hand."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(self.rest)
        self.rest += data

    def read(self, has_body=True):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = [(n.lower(), v.strip()) for n, v in (line.split(":", 1) for line in lines[1:])]
        status = int(lines[0].split()[1])
        length = int(dict(fields).get("content-length", "0")) if has_body else 0
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return Response(status, fields, body)

    def ask(self, method, target, body=None, fields=()):
        self.send(request(method, target, body, fields))
        return self.read(has_body=method != "HEAD")

    def is_closed(self):
        try:
            return self.rest == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def request(method, target, body=None, fields=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: test.example"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


class Server:
    def __init__(self):
        self.process = subprocess.Popen([SERVER, MODE], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        """SIGTERM; (exit code, last counts)."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=LONG_S)
        return self.process.returncode, json.loads(out)


class AdapterTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        code, counts = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")
        if counts["entered"] != counts["left"]:
            raise AssertionError(f"complete did not run once a request: {counts}")

    def connect(self):
        return Client(self.server.port)

    def ask(self, *arguments, **named):
        with self.connect() as client:
            return client.ask(*arguments, **named)

    def counts(self):
        return json.loads(self.ask("GET", "/_counts").body)

    def settled_counts(self):
        """When only the request that asks is open."""
        end = time.monotonic() + LONG_S
        while True:
            counts = self.counts()
            if counts["entered"] == counts["left"] + 1:
                return counts
            self.assertLess(time.monotonic(), end, f"requests stay open: {counts}")
            time.sleep(0.02)

    def assert_decorated(self, response):
        self.assertEqual(response.get("X-Const"), ["yes"])
        self.assertEqual(response.get("X-Post"), ["ran"])

    # ---- What is answered

    def test_get(self):
        response = self.ask("GET", "/ok")
        self.assertEqual((response.status, response.body), (200, b"ok"))
        self.assertEqual(response.get("Content-Type"), ["text/plain; charset=utf-8"])
        self.assertEqual(len(response.get("Content-Length")), 1)
        self.assert_decorated(response)

    def test_head_has_the_length_and_no_body(self):
        with self.connect() as client:
            response = client.ask("HEAD", "/ok")
            self.assertEqual(response.status, 200)
            self.assertEqual(response.get("Content-Length"), ["2"])
            self.assert_decorated(response)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_unknown_path_is_404(self):
        response = self.ask("GET", "/nowhere")
        self.assertEqual(response.status, 404)
        self.assert_decorated(response)

    def test_no_content(self):
        with self.connect() as client:
            self.assertEqual(client.ask("GET", "/no-content").status, 204)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_short_circuit_carries_constant_fields_and_keeps_the_connection(self):
        with self.connect() as client:
            response = client.ask("GET", "/denied")
            self.assertEqual((response.status, response.body), (403, b"denied\n"))
            self.assert_decorated(response)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_condition_sees_the_canonical_path(self):
        self.assertEqual(self.ask("GET", "/x/../%64enied").status, 403)

    def test_handler_failure_is_a_decorated_500(self):
        with self.connect() as client:
            response = client.ask("GET", "/fail")
            self.assertEqual(response.status, 500)
            self.assertEqual(response.get("X-Handler"), [])
            self.assert_decorated(response)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_view(self):
        view = json.loads(self.ask("GET", "/view?a=%20b", fields=[("X-Big", "abc")]).body)
        self.assertEqual(view, {"method": "GET", "target": "/view?a=%20b", "peer": "127.0.0.1",
                                "https": False, "version": 0x0101, "fields": 2, "big": 3,
                                "has_connection": True})

    def test_blanks_around_a_value_are_not_part_of_it(self):
        for value, length in {" \t abc \t ": 3, "abc": 3, " a b ": 3, " \t ": 0, "": 0}.items():
            with self.subTest(value):
                response = self.ask("GET", "/view", fields=[("X-Big", value)])
                self.assertEqual(json.loads(response.body)["big"], length)

    def test_empty_field_value_is_sent(self):
        response = self.ask("GET", "/empty-field")
        self.assertEqual((response.status, response.get("X-Empty")), (200, [""]))

    def test_response_that_the_server_refuses_closes_the_connection(self):
        with self.connect() as client:
            client.send(request("GET", "/refused-status"))
            self.assertTrue(client.is_closed())
        self.settled_counts()

    # ---- Request bodies

    def test_bodies_are_echoed(self):
        with self.connect() as client:
            for size in (0, 1, 5000, BODY_LIMIT):
                body = bytes(i * 7 % 251 for i in range(1024)) * (size // 1024 + 1)
                response = client.ask("POST", "/echo", body=body[:size])
                self.assertEqual(response.status, 200)
                self.assertTrue(response.body == body[:size], f"{size} bytes differ")

    def test_chunked_body_is_echoed(self):
        head = request("POST", "/echo", fields=[("Transfer-Encoding", "chunked")])
        with self.connect() as client:
            client.send(head + chunked(b"one", b"two" * 1000, b"!"))
            self.assertEqual(client.read().body, b"one" + b"two" * 1000 + b"!")
            client.send(head + chunked())
            self.assertEqual(client.read().body, b"")

    def test_declared_body_over_the_limit_is_a_decorated_413(self):
        with self.connect() as client:
            response = client.ask("POST", "/echo", body=b"x" * (BODY_LIMIT + 1))
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok", "the connection goes on")

    def test_chunked_body_over_the_limit_is_a_decorated_413(self):
        head = request("POST", "/echo", fields=[("Transfer-Encoding", "chunked")])
        with self.connect() as client:
            client.send(head + chunked(*[b"x" * 4096] * 300))
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
            self.assertEqual(client.ask("GET", "/ok").body, b"ok", "the connection goes on")

    def test_body_that_is_too_long_to_drain_is_answered_at_once(self):
        with self.connect() as client:
            client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assertEqual(response.get("Connection"), ["close"])
            self.assert_decorated(response)
            self.assertTrue(client.is_closed())

    def test_endless_refused_body_is_cut_off(self):
        with self.connect() as client:
            client.send(request("POST", "/denied", fields=[("Transfer-Encoding", "chunked")]))
            with self.assertRaises(OSError):
                for _ in range(2000):
                    client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        self.settled_counts()

    def test_refused_upload_is_drained(self):
        with self.connect() as client:
            response = client.ask("POST", "/denied", body=b"x" * 100000)
            self.assertEqual((response.status, response.body), (403, b"denied\n"))
            self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_refused_upload_that_asks_first_is_not_awaited(self):
        with self.connect() as client:
            client.send(b"POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            response = client.read()
            self.assertEqual(response.status, 403)
            self.assertTrue(client.is_closed())

    def test_allowed_upload_that_asks_first_is_told_to_go_on(self):
        with self.connect() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(client.read().status, 100)
            client.send(b"body")
            self.assertEqual(client.read().body, b"body")

    def test_refused_body_is_never_read_as_a_request(self):
        inner = b"GET /view HTTP/1.1\r\nHost: a\r\n\r\n"
        for method in ("POST", "PATCH", "DELETE", "FOO"):
            with self.subTest(method), self.connect() as client:
                self.assertEqual(client.ask(method, "/denied", body=inner).status, 403)
                self.assertEqual(client.ask("GET", "/ok").body, b"ok")

    def test_ambiguous_length_is_400_and_closes(self):
        for name, fields in {
            "two lengths": "Content-Length: 3\r\nContent-Length: 4",
            "length and coding": "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "unknown coding": "Transfer-Encoding: gzip",
            "a blank behind the coding": "Transfer-Encoding: chunked ",
            "a tab behind the coding": "Transfer-Encoding: chunked\t",
            "a blank before the colon of a coding": "Transfer-Encoding : chunked",
            "a blank before the colon of a length": "Content-Length : 3",
            "a folded coding": "Transfer-Encoding:\r\n chunked",
            "a folded length": "Content-Length:\r\n\t3",
            "a control byte in a value": "X: a\vb",
        }.items():
            with self.subTest(name), self.connect() as client:
                client.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
                response = client.read()
                self.assertEqual(response.status, 400)
                self.assert_decorated(response)
                self.assertTrue(client.is_closed())

    def test_coding_in_http_1_0_is_400_and_closes(self):
        with self.connect() as client:
            client.send(b"POST /echo HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"one"))
            self.assertEqual(client.read().status, 400)
            self.assertTrue(client.is_closed())

    # ---- Connections

    def test_keep_alive(self):
        with self.connect() as client:
            for i in range(200):
                self.assertEqual(client.ask("POST", "/echo", body=b"%d" % i).body, b"%d" % i)

    def test_pipelining(self):
        with self.connect() as client:
            client.send(b"".join(request("POST", "/echo", body=b"%d" % i) +
                                 request("GET", "/denied") for i in range(20)))
            for i in range(20):
                self.assertEqual(client.read().body, b"%d" % i)
                self.assertEqual(client.read().status, 403)

    def test_http_1_0_closes(self):
        with self.connect() as client:
            client.send(b"GET /ok HTTP/1.0\r\n\r\n")
            self.assertEqual(client.read().body, b"ok")
            self.assertTrue(client.is_closed())

    def test_big_headers(self):
        view = json.loads(self.ask("GET", "/view", fields=[("X-Big", "b" * 20000)]).body)
        self.assertEqual(view["big"], 20000)
        many = self.ask("GET", "/view", fields=[(f"X-{i}", "v") for i in range(90)])
        self.assertEqual(json.loads(many.body)["fields"], 91)

    def test_too_many_or_too_big_headers_are_a_decorated_431(self):
        for fields in ([(f"X-{i}", "v") for i in range(150)], [("X-Big", "b" * 40000)]):
            response = self.ask("GET", "/view", fields=fields)
            self.assertEqual(response.status, 431)
            self.assert_decorated(response)

    def test_long_target(self):
        target = "/view?" + "q" * 8000
        self.assertEqual(json.loads(self.ask("GET", target).body)["target"], target)

    def test_what_the_server_answers_by_itself_leaks_nothing(self):
        for data in (b"nonsense\r\n\r\n", b"GET /ok HTTP/1.1\r\nno colon\r\n\r\n",
                     b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n"):
            with self.connect() as client:
                try:
                    client.send(data)
                    client.socket.shutdown(socket.SHUT_WR)
                    while client.socket.recv(4096):
                        pass
                except OSError:
                    pass
        self.settled_counts()

    def test_concurrent_connections(self):
        failures = []

        def talk(number):
            try:
                with self.connect() as client:
                    for i in range(30):
                        body = b"%d/%d" % (number, i) * 50
                        if client.ask("POST", "/echo", body=body).body != body:
                            failures.append((number, i))
                        if client.ask("GET", "/denied").status != 403:
                            failures.append((number, i, "denied"))
            except Exception as error:
                failures.append((number, repr(error)))

        threads = [threading.Thread(target=talk, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_overload_is_a_503_with_constant_fields(self):
        if MODE != "thread":
            self.skipTest("only a thread for each connection can use up the workers")
        clients = [self.connect() for _ in range(40)]
        try:
            responses = [client.ask("GET", "/ok") for client in clients]
        finally:
            for client in clients:
                client.socket.close()
        refused = [r for r in responses if r.status != 200]
        self.assertGreater(len(refused), 0)
        for response in refused:
            self.assertEqual((response.status, response.get("X-Const")), (503, ["yes"]))
        self.settled_counts_after_overload()

    def settled_counts_after_overload(self):
        end = time.monotonic() + LONG_S
        while self.ask("GET", "/ok").status != 200:
            self.assertLess(time.monotonic(), end, "the workers do not come back")
            time.sleep(0.02)
        self.settled_counts()

    # ---- Ends

    def test_client_that_leaves_in_its_upload_is_counted_once(self):
        before = self.settled_counts()
        for _ in range(5):
            with self.connect() as client:
                client.send(request("POST", "/echo", body=b"x" * 1000)[:-500])
                time.sleep(0.02)
        after = self.settled_counts()
        # By epoll, libmicrohttpd 0.9.75 sometimes misses the end of a connection until it times out.
        late = after["deadline"] - before["deadline"] if MODE in ("epoll", "pool") else 0
        self.assertEqual(after["client_gone"] - before["client_gone"] + late, 5)

    def test_client_that_leaves_in_its_answer_is_counted_once(self):
        before = self.settled_counts()
        with self.connect() as client:
            client.send(request("GET", "/large"))
            client.socket.recv(100)
        after = self.settled_counts()
        self.assertEqual(after["client_gone"] - before["client_gone"], 1)

    def test_warm_requests_allocate_nothing(self):
        def exercise(client):
            for _ in range(20):
                client.ask("POST", "/echo", body=b"x" * 3000)
                client.ask("GET", "/denied")
                client.ask("GET", "/ok", fields=[("X-Big", "b" * 2000)])
            return int(client.ask("GET", "/_allocations").body)

        self.settled_counts()
        with self.connect() as client:  # one connection stays with one thread, hence one worker
            before = exercise(client)
            self.assertEqual(exercise(client) - before, 0)


class ShutdownTest(unittest.TestCase):
    def test_open_requests_end_with_shutdown(self):
        server = Server()
        clients = [Client(server.port) for _ in range(3)]
        for client in clients:
            client.send(request("POST", "/echo", body=b"x" * 1000)[:-500])
        with Client(server.port) as client:
            end = time.monotonic() + LONG_S
            while True:
                counts = json.loads(client.ask("GET", "/_counts").body)
                if counts["entered"] - counts["left"] == len(clients) + 1:
                    break
                self.assertLess(time.monotonic(), end, f"requests do not begin: {counts}")
        code, counts = server.stop()
        for client in clients:
            client.socket.close()
        self.assertEqual(code, 0, "the engine could not be destroyed")
        # With a thread for each connection, libmicrohttpd stops a thread by breaking its connection,
        # which the thread may take for the client's doing.
        mistaken = counts["client_gone"] if MODE == "thread" else 0
        self.assertEqual(counts["shutdown"] + mistaken, len(clients), counts)
        self.assertEqual(counts["entered"], counts["left"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    SERVER, MODE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=1)
