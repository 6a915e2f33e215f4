#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The suite's server over HTTP/2, by curl: test_h2o_http2.py h2o_server [unittest options]"""
import concurrent.futures
import functools
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "conformance"))
from base import AdapterTest, BODY_LIMIT  # noqa: E402
from cases_answers import VERDICTS  # noqa: E402
from cases_bodies import LOUD, alphabet  # noqa: E402
from client import LONG_S, Server  # noqa: E402
from test_h2o_pass import Http2, ask_2  # noqa: E402


class OverHttp2(AdapterTest):
    def ask_2(self, method, target, fields=()):
        return ask_2(self.server.port, method, target, fields)

    def post(self, target, body):
        """Status and body."""
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-w", "%{stderr}%{http_code}",
                               "--data-binary", "@-", f"http://127.0.0.1:{self.server.port}{target}"],
                              input=body, capture_output=True, timeout=LONG_S)
        return int(done.stderr), done.stdout

    def test_verdicts(self):
        for act, status, way, body in VERDICTS:
            with self.subTest(act):
                response = self.ask_2("GET", "/ok", [("X-Act", act)])
                self.assertEqual((response.status, response.get("X-Trace")), (status, [way]))
                self.assert_decorated(response)
                if body is not None:
                    self.assertEqual(response.body, body)

    def test_view(self):
        view = json.loads(self.ask_2("GET", "/x/../view?a=%20b", [("X-Big", "abc")]).body)
        self.assertEqual((view["method"], view["target"], view["path"], view["version"]),
                         ("GET", "/x/../view?a=%20b", "/view", 0x0200))
        self.assertEqual((view["host"], view["https"], view["big"], view["owned"], view["length"]),
                         ("127.0.0.1", 0, 3, 1, 0))

    def test_scheme_is_not_what_the_client_calls_it(self):
        client = Http2(self.server.port)
        client.ask(1, "/view", scheme="https")
        text = client.read_payload(0, 1)
        client.socket.close()
        self.assertEqual(json.loads(text)["https"], 0)

    def test_head(self):
        for target in ("/ok", "/nowhere", "/denied", "/large"):
            head = self.ask_2("HEAD", target)
            get = self.ask("GET", target)
            self.assertEqual((head.status, head.get("Content-Length")),
                             (get.status, get.get("Content-Length")))
            self.assert_decorated(head)

    def test_answers_without_a_body(self):
        for target, status in (("/no-content", 204), ("/not-modified", 304), ("/empty", 200)):
            response = self.ask_2("GET", target)
            self.assertEqual((response.status, response.body), (status, b""))
            self.assert_decorated(response)

    def test_bodies(self):
        for size in (0, 1, 5000, BODY_LIMIT):
            body = bytes(i * 7 % 251 for i in range(size))
            status, echoed = self.post("/echo", body)
            self.assertEqual(status, 200)
            self.assertTrue(echoed == body, f"{size} bytes differ")
        self.assertEqual(self.post("/echo", b"x" * (BODY_LIMIT + 1))[0], 413)
        self.assertEqual(self.post("/denied", b"x" * 100000), (403, b"denied\n"))

    def test_streams(self):
        for target, length in (("/stream", []), ("/stream-declared", ["70000"])):
            for size in (0, 1, 70000, 1000000):
                with self.subTest(target, size=size):
                    response = self.ask_2("GET", f"{target}?{size}")
                    self.assertEqual(response.status, 200)
                    self.assertTrue(response.body == alphabet(size), f"{size} bytes differ")
                    self.assert_decorated(response)
            self.assertEqual(self.ask_2("GET", f"{target}?70000").get("Content-Length"), length)

    def test_a_stream_that_waits(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.ask_2, "GET", "/stream-waiting?100000")
            self.poll(lambda: int(self.ask("GET", "/_release").body), "nobody waits")
            self.assertTrue(answer.result().body == alphabet(100000))

    def test_a_stream_that_fails_is_not_taken_for_whole(self):
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null",
                               f"http://127.0.0.1:{self.server.port}/stream-failing?1000000"],
                              capture_output=True, timeout=LONG_S)
        self.assertNotEqual(done.returncode, 0)

    def test_bodies_are_transformed(self):
        for target, body in (("/ok", b"ok"), ("/stream?70000", alphabet(70000))):
            self.assertTrue(self.ask_2("GET", target, LOUD).body == body.upper())
        self.assertEqual(self.post("/shout", b"hello"), (200, b"HELLO"))

    def test_a_slow_client_holds_its_stream_up(self):
        """Not more than its window is asked of the source, which has no end."""
        before = self.settled_counts()
        client = Http2(self.server.port)
        client.ask(1, "/stream?1000000000")
        taken = 0
        while taken < 65535:
            taken += len(client.read_payload(0, 1))
        client.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            client.read_payload(0, 1)
        self.assertEqual(taken, 65535)
        client.socket.close()
        after = self.settled_counts()
        self.assertEqual(after["client_gone"] - before["client_gone"], 1)

    def test_many_fields(self):
        response = self.ask_2("GET", "/many-fields")
        self.assertEqual(response.get("Set-Cookie"), ["a=1", "b=2"])
        self.assertEqual(response.get("X-Field-99"), ["l" * 100])

    def test_large_body_is_sent(self):
        before = self.settled_counts()
        self.assertEqual(len(self.ask_2("GET", "/large").body), 16 << 20)
        after = self.settled_counts()
        self.assertEqual(after["client_gone"], before["client_gone"])

    def test_what_h2o_writes_itself_is_there_once(self):
        """Over HTTP/1 some of it is in the adapter's bytes."""
        for ask in (self.ask, self.ask_2):
            for target in ("/ok", "/nowhere"):
                response = ask("GET", target)
                self.assertEqual([len(response.get(name)) for name in ("Date", "Server")], [1, 1])
                self.assertTrue(response.get("Server")[0].startswith("h2o/"))
                self.assertEqual(response.get("Content-Length"), [str(len(response.body))])

    def test_requests_that_wait(self):
        for path in ("/wait", "/wait-post"):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                answers = [pool.submit(self.ask_2, "GET", path) for _ in range(4)]
                done = 0

                def question():
                    nonlocal done
                    done += int(self.ask("GET", "/_release").body)
                    return done == len(answers)
                self.poll(question, "those that wait are not found")
                for answer in answers:
                    self.assertEqual((answer.result().status, answer.result().body), (200, b"ok"))

    def test_client_that_leaves_in_its_answer(self):
        before = self.settled_counts()
        client = Http2(self.server.port)
        client.ask(1, "/large")
        client.read_payload(0, 1)
        client.socket.close()
        after = self.settled_counts()
        self.assertEqual(after["client_gone"] - before["client_gone"], 1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    AdapterTest.launch = staticmethod(functools.partial(Server, sys.argv[1], "loop"))
    del AdapterTest
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
