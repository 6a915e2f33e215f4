# SPDX-License-Identifier: MIT
"""Bodies in pieces: request_body and response_body, streams in both directions."""
import json

from base import AdapterTest, BODY_LIMIT
from client import chunked, request

CHUNKED = [("Transfer-Encoding", "chunked")]
LOUD = [("X-Loud", "yes")]


def alphabet(size):
    return (b"abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


class RequestBodies(AdapterTest):
    def setUp(self):
        self.require("stream_request_body")

    def test_bodies_are_transformed(self):
        with self.connect() as client:
            for size in (0, 1, 199, 200, 201, 5000, BODY_LIMIT):
                body = alphabet(size)
                response = client.ask("POST", "/shout", body=body)
                self.assertEqual(response.status, 200)
                self.assertTrue(response.body == body.upper(), f"{size} bytes differ")
                self.assert_decorated(response)

    def test_chunked_bodies_are_transformed(self):
        head = request("POST", "/shout", fields=CHUNKED)
        with self.connect() as client:
            for chunks in ((b"one", b"two" * 1000, b"!"), (b"x",), (b"c" * 60000,) * 10, ()):
                client.send(head + chunked(*chunks))
                self.assertTrue(client.read().body == b"".join(chunks).upper(), len(chunks))

    def test_pipelined_bodies_are_transformed(self):
        with self.connect() as client:
            client.send(request("POST", "/shout", body=b"first") * 3 +
                        request("POST", "/shout", fields=CHUNKED) + chunked(b"sec", b"ond") +
                        request("GET", "/ok"))
            for expected in (b"FIRST",) * 3 + (b"SECOND", b"ok"):
                self.assertEqual(client.read().body, expected)

    def test_a_body_over_the_limit_is_a_decorated_413(self):
        with self.connect() as client:
            client.send(request("POST", "/shout", fields=CHUNKED) + chunked(*[b"x" * 4096] * 300))
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
            self.assert_goes_on_after_413(client, response)

    def test_suspended_in_the_midst_of_a_body(self):
        self.require("suspend")
        body = alphabet(100000)
        with self.connect() as client:
            client.send(request("POST", "/wait-body", body=body))
            released = 0

            def ask():
                nonlocal released
                released += int(self.ask("GET", "/_release").body)
                client.socket.settimeout(0.05)
                try:
                    client._more()
                except TimeoutError:
                    return False
                finally:
                    client.socket.settimeout(30)
                return True
            self.poll(ask, "the body does not go on")
            response = client.read()
            self.assertEqual(response.status, 200)
            self.assertTrue(response.body == body)
            self.assertGreater(released, 0)
            self.assert_goes_on(client)
        self.settled_counts()

    def test_a_client_that_leaves_while_its_body_waits(self):
        self.require("suspend")
        with self.connect() as client:
            client.send(request("POST", "/wait-body", body=b"body"))
            self.wait_for_open(1)

        def settled():
            self.ask("GET", "/_release")
            counts = self.counts()
            return counts["entered"] == counts["left"] + 1
        self.poll(settled, "the request stays open")


class UnseenTrailers(AdapterTest):
    """Of requests, where the server hands over none: they are not taken for anything else."""

    def test_they_are_no_fields_of_the_head(self):
        if self.can("request_trailers"):
            self.skipTest("it hands them over: RequestTrailers")
        with self.connect() as client:
            client.send(request("POST", "/view", fields=CHUNKED) +
                        b"4\r\nbody\r\n0\r\nX-Big: big\r\nX-Act: pre-stop\r\nHost: evil\r\n\r\n" +
                        request("GET", "/ok"))
            view = json.loads(client.read().body)
            self.assertEqual((view["fields"], view["big"]), (2, 0))
            self.assertNotEqual(view["host"], "evil")
            try:
                self.assertEqual(client.read().body, b"ok")
            except (EOFError, OSError):
                pass  # the server ends the connection behind them


class RequestTrailers(AdapterTest):
    def setUp(self):
        self.require("request_trailers")

    def send(self, client, trailers, target="/trailers", fields=()):
        client.send(request("POST", target, fields=CHUNKED + list(fields)) +
                    b"4\r\nbody\r\n0\r\n" + trailers + b"\r\n")
        return client.read()

    def test_they_are_shown_behind_the_body(self):
        with self.connect() as client:
            response = self.send(client, b"X-Sum:  abc \r\nx-other: 1\r\nX-Sum: again\r\n")
            lines = (b"X-Sum=abc, again\nx-other=1\n" if self.has_trait("joins_equal_fields")
                     else b"X-Sum=abc\nx-other=1\nX-Sum=again\n")
            self.assertEqual((response.status, response.body), (200, b"body\n" + lines))
            self.assert_decorated(response)
            self.assertEqual(self.send(client, b"").body, b"body\n", "of the next request")
            self.assert_goes_on(client)

    def test_they_are_no_fields_of_the_head(self):
        with self.connect() as client:
            client.send(request("POST", "/view", fields=CHUNKED) +
                        b"4\r\nbody\r\n0\r\nX-Big: big\r\nX-Act: pre-stop\r\nHost: evil\r\n\r\n")
            response = client.read()
            view = json.loads(response.body)
            self.assertEqual((view["fields"], view["big"]), (2, 0))
            self.assertNotEqual(view["host"], "evil")
            self.assert_goes_on(client)

    def test_what_only_a_head_may_say_is_left_out(self):
        with self.connect() as client:
            response = self.send(client, b"".join(
                name + b": 1\r\n" for name in
                (b"Content-Length", b"transfer-encoding", b"Host", b"Authorization", b"Cookie",
                 b"Content-Type", b"Content-Encoding", b"X-Forwarded-For", b"Range", b"Trailer",
                 b"max-forwards", b"X-Kept")))
            self.assertEqual((response.status, response.body), (200, b"body\nX-Kept=1\n"))
            self.assert_goes_on(client)

    def test_what_is_no_field_is_refused(self):
        for line in (b"X-A: a\x01b", b"X A: a", b"X-A : a", b"no field"):
            with self.subTest(line), self.connect() as client:
                client.send(request("POST", "/trailers", fields=CHUNKED) +
                            b"4\r\nbody\r\n0\r\n" + line + b"\r\n\r\n")
                try:
                    status = client.read().status
                except (EOFError, OSError):  # the server ends the connection by itself
                    continue
                self.assertEqual(status, 400)

    def test_too_many(self):
        with self.connect() as client:
            client.send(request("POST", "/trailers", fields=CHUNKED) + b"4\r\nbody\r\n0\r\n" +
                        b"".join(b"X-%d: 1\r\n" % i for i in range(101)) + b"\r\n")
            self.assertIn(client.read().status, (400, 431))


class ResponseBodies(AdapterTest):
    def assert_head_ends(self, client):
        """Nothing follows, though the length is not known: the connection goes on, or is closed."""
        response = client.read(has_body=False)
        self.assertEqual(response.status, 200)
        if response.get("Connection") == ["close"]:
            self.assertTrue(client.is_closed())
        else:
            self.assert_goes_on(client)

    def test_streams(self):
        with self.connect() as client:
            for path in ("/stream", "/stream-declared"):
                for size in (0, 1, 4999, 5000, 5001, 100000, 1 << 20):
                    with self.subTest(path=path, size=size):
                        response = client.ask("GET", f"{path}?{size}")
                        self.assertEqual(response.status, 200)
                        self.assertTrue(response.body == alphabet(size), len(response.body))
                        self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_a_declared_stream_says_its_length(self):
        self.assertEqual(self.ask("GET", "/stream-declared?70000").get("Content-Length"), ["70000"])
        self.assertEqual(self.ask("HEAD", "/stream-declared?70000").get("Content-Length"),
                         ["70000"])

    def test_pipelined_streams(self):
        with self.connect() as client:
            client.send(request("GET", "/stream?7000") * 3 + request("GET", "/ok") +
                        request("HEAD", "/stream?7000"))
            for _ in range(3):
                self.assertTrue(client.read().body == alphabet(7000))
            self.assertEqual(client.read().body, b"ok")
            self.assert_head_ends(client)

    def test_a_stream_to_http_1_0_ends_with_the_connection(self):
        with self.connect() as client:
            client.send(b"GET /stream?100000 HTTP/1.0\r\n\r\n")
            response = client.read_head()
            self.assertEqual(response.get("Transfer-Encoding"), [])
            self.assertTrue(client._read_to_end() == alphabet(100000))

    def test_bodies_are_transformed(self):
        self.require_shown_responses()
        with self.connect() as client:
            for path, body in (("/ok", b"ok"), ("/empty", b""), ("/stream?70000", alphabet(70000)),
                               ("/stream-declared?300", alphabet(300)), ("/nowhere", None)):
                response = client.ask("GET", path, fields=LOUD)
                self.assertEqual(response.status, 404 if body is None else 200)
                self.assertEqual(response.body, response.body.upper())
                if body is not None:
                    self.assertTrue(response.body == body.upper())
                self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_a_long_body_is_transformed(self):
        self.require_shown_responses()
        with self.connect() as client:
            body = alphabet(BODY_LIMIT)
            response = client.ask("POST", "/echo", body=body, fields=LOUD)
            self.assertTrue(response.body == body.upper())
            self.assert_goes_on(client)

    def test_no_body_no_transform(self):
        self.require_shown_responses()
        with self.connect() as client:
            for path, status in (("/no-content", 204), ("/not-modified", 304)):
                client.send(request("GET", path, fields=LOUD))
                self.assertEqual(client.read(has_body=False).status, status)
            client.send(request("HEAD", "/ok", fields=LOUD))
            self.assert_head_ends(client)

    def test_a_transform_that_fails_before_the_head_is_sent(self):
        self.require_shown_responses()
        with self.connect() as client:
            if self.has_trait("sends_heads_first"):  # its handlers' bodies come behind the head
                with self.assertRaises((EOFError, OSError)):
                    client.ask("GET", "/ok", fields=[("X-Loud", "fails")])
                return
            response = client.ask("GET", "/ok", fields=[("X-Loud", "fails")])
            self.assertEqual(response.status, 500)
            self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_a_stream_that_fails_is_not_taken_for_whole(self):
        with self.connect() as client:
            client.send(request("GET", "/stream-failing?1000000"))
            if not self.can("stream_response_body") and self.shows_responses():
                self.assertEqual(client.read().status, 500)  # it was made whole
                return
            with self.assertRaises((EOFError, OSError)):
                client.read()
        self.settled_counts()

    def test_a_stream_that_waits(self):
        self.require("stream_response_body", "suspend")
        with self.connect() as client:
            client.send(request("GET", "/stream-waiting?100000"))
            self.poll(lambda: int(self.ask("GET", "/_release").body), "nobody waits")
            self.assertTrue(client.read().body == alphabet(100000))
            self.assert_goes_on(client)
        self.settled_counts()

    def test_a_client_that_leaves_its_stream(self):
        with self.connect() as client:
            client.send(request("GET", "/stream?1000000000" if self.can("stream_response_body")
                                else "/stream?1000000"))
            client.read_head()
        self.settled_counts()


class ResponseTrailers(AdapterTest):
    ASKS = [("TE", "trailers")]  # without "Connection: TE", which some servers take for "close"

    def setUp(self):
        if not self.can("response_trailers"):
            self.assert_refused("response_trailers")

    def assert_none(self, response, body):
        self.assertEqual((response.status, response.trailers or []), (200, []))
        self.assertEqual(response.get("Trailer"), [])
        self.assertTrue(response.body == body, len(response.body))
        self.assert_decorated(response)

    def promises(self):
        """1 if a handler may promise any: one of the server's own knows nothing of them."""
        return self.can("response_trailers") and not self.has_trait("has_no_promises_of_handlers")

    def test_they_follow_the_body(self):
        with self.connect() as client:
            for size in (1, 5000, 5001, 100000, 1 << 20):
                response = client.ask("GET", f"/trailing?{size}", fields=self.ASKS)
                if not self.promises():
                    self.assert_none(response, alphabet(size))
                    continue
                self.assertEqual(response.status, 200)
                self.assertEqual(response.get("Trailer"), ["X-When, X-Empty, X-Kept-By-None"])
                self.assertEqual(response.get("Content-Length"), [])
                self.assertTrue(response.body == alphabet(size), len(response.body))
                words = ["first"] if size <= 5000 else ["first", "last"]
                self.assertEqual([v for n, v in response.trailers if n == "X-When"], words)
                self.assertEqual(("X-Empty", "") in response.trailers, size > 5000)
                self.assertEqual(len(response.trailers), 1 if size <= 5000 else 3)
                self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_behind_a_body_that_is_all_there(self):
        with self.connect() as client:
            for fields, body in ((self.ASKS, b"ok"), (self.ASKS + LOUD, b"OK")):
                if fields != self.ASKS and self.can("passes_bodies"):
                    continue  # nobody there makes it loud
                response = client.ask("GET", "/counted", fields=fields)
                if not self.can("response_trailers"):
                    self.assert_none(response, body)
                    continue
                self.assertEqual(response.body, body)
                self.assertEqual(response.get("Trailer"), ["X-Count"])
                self.assertEqual(response.trailers, [("X-Count", "2")])
            self.assert_goes_on(client)

    def test_who_does_not_ask_gets_none(self):
        with self.connect() as client:
            for said in ((), ("gzip;q=0.5",), ("trailer",), ("deflate, trailers-x",), ("",)):
                fields = [("TE", value) for value in said]
                self.assert_none(client.ask("GET", "/trailing?7000", fields=fields),
                                 alphabet(7000))
                self.assert_none(client.ask("GET", "/counted", fields=fields), b"ok")
            self.assertEqual(client.ask("GET", "/trailing?7000").get("Content-Length"), ["7000"])
            self.assert_goes_on(client)

    def test_who_asks_in_another_way_gets_them(self):
        if not self.can("response_trailers"):
            self.skipTest("the server has no place for them")
        with self.connect() as client:
            for said in (["gzip, Trailers"], ["gzip;q=0.5 ,  trailers , x"], ["gzip", "trailers"]):
                response = client.ask("GET", "/counted", fields=[("TE", value) for value in said])
                self.assertEqual(response.trailers, [("X-Count", "2")], said)
            response = client.ask("GET", "/counted", fields=self.ASKS + [("Connection", "TE")])
            self.assertEqual(response.trailers, [("X-Count", "2")])

    def test_some_go_unasked(self):
        if not self.promises():
            self.skipTest("the server has no place for them, or its handlers know nothing of them")
        with self.connect() as client:
            response = client.ask("GET", "/trailing-unasked?7000")
            self.assertEqual(response.get("Trailer"), ["X-When"])
            self.assertEqual(response.trailers, [("X-When", "first"), ("X-When", "last")])
            response = client.ask("GET", "/trailing-unasked?7000", fields=self.ASKS)
            self.assertEqual(response.get("Trailer"), ["X-Empty, X-When"])
            self.assertEqual(len(response.trailers), 3)
            self.assert_goes_on(client)

    def test_http_1_0_has_no_place_for_them(self):
        for target, body in (("/trailing-unasked?7000", alphabet(7000)), ("/counted", b"ok")):
            with self.connect() as client:
                client.send(b"GET %s HTTP/1.0\r\nTE: trailers\r\n\r\n" % target.encode())
                response = client.read_head()
                self.assertEqual(response.get("Trailer"), [])
                self.assertEqual(response.get("Transfer-Encoding"), [])
                self.assertTrue(client._read_to_end() == body)

    def test_head_has_none(self):
        with self.connect() as client:
            response = client.ask("HEAD", "/trailing?7000", fields=self.ASKS)
            self.assertEqual(response.get("Trailer"), [])
            self.assertEqual(response.get("Content-Length"), ["7000"])
            self.assert_goes_on(client)

    def test_pipelined(self):
        with self.connect() as client:
            client.send(request("GET", "/trailing?7000", fields=self.ASKS) * 3 +
                        request("GET", "/counted", fields=self.ASKS) + request("GET", "/ok"))
            for _ in range(3):
                self.assertTrue(client.read().body == alphabet(7000))
            self.assertEqual(client.read().body, b"ok")
            self.assertEqual(client.read().body, b"ok")
