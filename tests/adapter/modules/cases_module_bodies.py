# SPDX-License-Identifier: MIT
"""Bodies that go through the plan: the server reads and makes them, middleware looks at them."""
import gzip
import json
import os
import time
import unittest

from cases import CHAIN, ModuleTest
from client import chunked, request
from servers import LARGE

BODIES = {"middleware": CHAIN["middleware"] + [{"use": "bodies"}]}
STREAM = b"".join(bytes([97 + i % 26]) * 5000 for i in range(200))
CHUNKED = [("Transfer-Encoding", "chunked")]


def order(name):
    return [("X-Body", name)]


class RequestBodies(ModuleTest):
    chain = BODIES
    options = {"server": "client_body_buffer_size 8k;"}  # longer ones go to a file

    def test_the_plan_sees_all_of_it(self):
        with self.connect() as client:
            for size in (1, 8000, 8192, 8193, 100000, 1 << 20):
                for target in ("/text", "/proxy/x"):
                    response = client.ask("POST", target, body=b"x" * size, fields=order("count"))
                    self.assertEqual(response.body, b"%d" % size)
                    self.assert_decorated(response)
            for chunks in ((b"one", b"two"), (b"x" * 30000,) * 10, ()):
                client.send(request("POST", "/text", fields=CHUNKED + order("count")) +
                            chunked(*chunks))
                self.assertEqual(client.read().body, b"%d" % len(b"".join(chunks)))
            self.assert_goes_on(client)

    def test_upstreams_get_it(self):
        with self.connect() as client:
            for size in (0, 1, 5000, 100000, 1 << 20):
                got = json.loads(client.ask("POST", "/proxy/x", body=b"b" * size).body)
                self.assertEqual(got["body"], size)
            client.send(request("POST", "/proxy/x", fields=CHUNKED) + chunked(b"one", b"two" * 9000))
            self.assertEqual(json.loads(client.read().body)["body"], 27003)
            self.assert_goes_on(client)

    def test_upstreams_get_what_the_plan_made_of_it(self):
        with self.connect() as client:
            for size in (2, 5000, 200000):
                got = json.loads(client.ask("POST", "/proxy/x", body=b"b" * size,
                                            fields=order("half")).body)
                self.assertEqual(got["body"], size // 2)
                self.assertEqual([v for n, v in got["headers"] if n.lower() == "content-length"],
                                 [str(size // 2)])
            client.send(request("POST", "/proxy/x", fields=CHUNKED + order("half")) +
                        chunked(b"b" * 4000))
            got = json.loads(client.read().body)["body"]
            self.assertTrue(1990 <= got <= 2000, got)  # pieces of an odd length are cut down

    def test_refused(self):
        with self.connect() as client:
            for size in (5, 100000):
                response = client.ask("POST", "/proxy/x", body=b"b" * size, fields=order("refuse"))
                self.assertEqual((response.status, response.body), (403, b"refused\n"))
                self.assert_decorated(response)
                self.assert_goes_on(client)

    def test_waits_in_its_body(self):
        with self.connect() as client:
            for size in (5, 100000):
                got = json.loads(client.ask("POST", "/proxy/x", body=b"b" * size,
                                            fields=order("wait")).body)
                self.assertEqual(got["body"], size)
            self.assert_goes_on(client)

    def test_answers_without_a_look_at_the_body(self):
        """The server's own refusals need no body."""
        with self.connect() as client:
            response = client.ask("POST", "/forbidden", body=b"x" * 100)
            self.assertEqual(response.status, 403)
            self.assert_decorated(response)


class ResponseBodies(ModuleTest):
    chain = BODIES

    def test_bodies_of_all_origins(self):
        with self.connect() as client:
            for target, body in (("/text", b"text\n"), ("/file.txt", b"a file\n"),
                                 ("/large", b"l" * LARGE), ("/unavailable", b"our own page\n"),
                                 ("/named", None), ("/proxy/x", None), ("/proxy/chunked", None)):
                with self.subTest(target):
                    response = client.ask("GET", target, fields=order("loud"))
                    if body is not None:
                        self.assertTrue(response.body == body.upper(), "it differs")
                    self.assertEqual(response.body, response.body.upper())
                    self.assertEqual(response.get("Content-Length"), [])
                    self.assertEqual(response.get("Accept-Ranges"), [])
                    self.assert_decorated(response)
                    self.assert_goes_on(client)

    def test_head_and_answers_without_a_body(self):
        with self.connect() as client:
            for method, target, status in (("HEAD", "/large", 200), ("HEAD", "/proxy/x", 200),
                                           ("GET", "/nothing", 204)):
                client.send(request(method, target, fields=order("loud")))
                response = client.read(has_body=False)
                self.assertEqual(response.status, status)
                self.assertEqual(response.get("Content-Length"), [])
                self.assert_goes_on(client)
            tag = client.ask("GET", "/file.txt").get("ETag")[0]
            head = client.ask("HEAD", "/file.txt")  # nobody changes it
            self.assertEqual((head.get("ETag"), head.get("Content-Length")), ([tag], ["7"]))
            head = client.ask("HEAD", "/file.txt", fields=[("X-Act", "post-text")])
            self.assertEqual((head.get("ETag"), head.get("Content-Length")), ([], ["13"]))
            client.send(request("GET", "/file.txt", fields=order("loud") + [("If-None-Match", tag)]))
            self.assertEqual(client.read(has_body=False).status, 304)
            self.assert_goes_on(client)

    def test_http_1_0(self):
        with self.connect() as client:
            client.send(b"GET /file.txt HTTP/1.0\r\nX-Body: loud\r\n\r\n")
            self.assertEqual(client.read().body, b"A FILE\n")

    def test_ranges(self):
        response = self.ask("GET", "/large", fields=order("loud") + [("Range", "bytes=0-9999")])
        if self.server.cuts_changed_bodies:
            self.assertEqual((response.status, response.body), (206, b"L" * 10000))
        else:
            self.assertEqual((response.status, len(response.body)), (200, LARGE))
        response = self.ask("GET", "/large", fields=[("Range", "bytes=5-9")])  # as it is
        self.assertEqual((response.status, response.body), (206, b"lllll"))

    def test_subrequests(self):
        with self.connect() as client:
            response = client.ask("GET", "/ssi", fields=order("loud"))
            self.assertTrue(response.body.startswith(b"TEXT\n"), response.body)
            self.assertEqual(response.body, response.body.upper())
            self.assert_goes_on(client)

    def test_a_client_that_reads_slowly(self):
        with self.connect() as client:
            client.send(request("GET", "/huge", fields=order("loud")))
            time.sleep(0.2)  # it is all stopped by now
            response = client.read()
            self.assertEqual(len(response.body), 64 << 20)
            self.assert_goes_on(client)

    def test_clients_that_leave(self):
        before = self.server.settled()
        for target, name in (("/huge", "loud"), ("/text", "slow"), ("/text", "slow-post"),
                             ("/text", "stream")):
            with self.connect() as client:
                client.send(request("GET", target, fields=order(name)))
                client.socket.recv(100)
        after = self.server.settled()
        self.assertEqual(after["entered"] - before["entered"], 4)

    def test_one_that_fails_is_not_taken_for_whole(self):
        with self.connect() as client, self.assertRaises((EOFError, ConnectionResetError)):
            client.ask("GET", "/large", fields=order("fails"))

    def test_upstream_that_breaks_off(self):
        with self.connect() as client, self.assertRaises((EOFError, ConnectionResetError)):
            client.ask("GET", "/proxy/abort", fields=order("loud"))

    def test_streams_of_middleware(self):
        with self.connect() as client:
            for name, target in (("stream", "/text"), ("replace", "/text"), ("replace", "/file.txt"),
                                 ("replace", "/large"), ("replace", "/proxy/x")):
                with self.subTest(name + target):
                    response = client.ask("GET", target, fields=order(name))
                    self.assertTrue(response.body.upper() == STREAM.upper(), len(response.body))
                    self.assertEqual(response.get("ETag"), [])
                    self.assert_decorated(response)
                    self.assert_goes_on(client)

    def test_streams_that_wait(self):
        with self.connect() as client:
            for name, target in (("slow", "/text"), ("slow-post", "/text"), ("slow-post", "/large"),
                                 ("slow-post", "/proxy/x")):
                with self.subTest(name + target):
                    response = client.ask("GET", target, fields=order(name))
                    self.assertEqual(len(response.body), 25000)
                    self.assert_goes_on(client)

    def test_complete_knows_what_was_sent(self):
        before = self.server.settled()
        self.ask("GET", "/large", fields=order("loud"))
        self.ask("GET", "/text", fields=order("stream"))
        self.ask("GET", "/file.txt")
        after = self.server.settled()
        self.assertEqual(after["sent"] - before["sent"], 3)
        self.assertEqual(after["body_sent"] - before["body_sent"], LARGE + len(STREAM) + 7)


class ResponseTrailers(ModuleTest):
    chain = BODIES
    ASKS = order("trails") + [("TE", "trailers")]

    def test_they_follow_bodies_of_all_origins(self):
        with self.connect() as client:
            for target, size in (("/text", 5), ("/file.txt", 7), ("/large", LARGE),
                                 ("/unavailable", 13), ("/named", None), ("/proxy/x", None),
                                 ("/proxy/chunked", None), ("/ssi", None)):
                with self.subTest(target):
                    response = client.ask("GET", target, fields=self.ASKS)
                    if not self.server.sends_trailers:
                        self.assertEqual((response.get("Trailer"), response.trailers or []), ([], []))
                        continue
                    self.assertEqual(response.get("Trailer"), ["X-Sum"])
                    self.assertEqual(response.trailers, [("X-Sum", str(size or len(response.body)))])
                    self.assertEqual(response.body, response.body.upper())
                    self.assertEqual(response.get("Content-Length"), [])
                    self.assert_decorated(response)
                    self.assert_goes_on(client)

    def test_who_does_not_ask_gets_none(self):
        with self.connect() as client:
            for target in ("/text", "/large"):
                response = client.ask("GET", target, fields=order("trails"))
                self.assertEqual((response.get("Trailer"), response.trailers), ([], []))
                self.assert_goes_on(client)
            client.send(b"GET /file.txt HTTP/1.0\r\nX-Body: trails\r\nTE: trailers\r\n\r\n")
            response = client.read()
            self.assertEqual((response.get("Trailer"), response.body), ([], b"A FILE\n"))

    def test_head_and_answers_without_a_body(self):
        with self.connect() as client:
            for method, target, status in (("HEAD", "/large", 200), ("GET", "/nothing", 204)):
                client.send(request(method, target, fields=self.ASKS))
                response = client.read(has_body=False)
                self.assertEqual((response.status, response.get("Trailer")), (status, []))
                self.assert_goes_on(client)

    def test_of_requests_they_reach_no_upstream(self):
        """Nor are they fields of the head."""
        with self.connect() as client:
            client.send(request("POST", "/proxy/x", fields=CHUNKED) +
                        b"4\r\nbody\r\n0\r\nX-Added: 1\r\nHost: evil\r\n\r\n")
            got = json.loads(client.read().body)
            self.assertEqual(got["body"], 4)
            self.assertNotIn("x-added", [name.lower() for name, _ in got["headers"]])
            self.assertNotIn("evil", [value for _, value in got["headers"]])
            self.assert_goes_on(client)


class Compression(ModuleTest):
    """The component's plugin."""

    chain = {"middleware": CHAIN["middleware"] + [
        {"use": "decompression", "options": {"encodings": ["gzip"]}},
        {"use": "compression", "options": {"encodings": ["gzip"], "min_size": 5}}]}

    @classmethod
    def setUpClass(cls):
        plugin = cls.Server.settings["compression"]
        if not plugin:
            raise unittest.SkipTest("built without the component")
        cls.server = cls.Server(cls.chain, http=cls.Server.plugin_of(plugin) + "\n" +
                                cls.Server.chain_of("chain.json"))
        cls.server.start()

    def test_bodies_are_compressed(self):
        with self.connect() as client:
            for target, body in (("/file.txt", b"a file\n"), ("/text", b"text\n"),
                                 ("/large.txt", b"l" * LARGE), ("/proxy/chunked", None),
                                 ("/unavailable", b"our own page\n")):
                with self.subTest(target):
                    plain = client.ask("GET", target)
                    packed = client.ask("GET", target, fields=[("Accept-Encoding", "gzip")])
                    self.assertEqual(packed.get("Content-Encoding"), ["gzip"])
                    self.assertIn("Accept-Encoding", "".join(packed.get("Vary")))
                    if body:
                        self.assertTrue(gzip.decompress(packed.body) == body == plain.body)
                    for tag in packed.get("ETag"):
                        self.assertNotEqual([tag], plain.get("ETag"))
                    self.assertEqual(packed.get("Accept-Ranges"), [])
                    self.assert_decorated(packed)

    def test_what_is_compressed_is_not_packed_again(self):
        response = self.ask("GET", "/zipped", fields=[("Accept-Encoding", "gzip")])
        self.assertEqual(response.get("Content-Encoding"), ["gzip"])
        self.assertEqual(gzip.decompress(response.body), self.ask("GET", "/zipped").body)

    def test_bodies_are_decompressed_for_upstreams(self):
        with self.connect() as client:
            for size in (1, 5000, 500000):
                text = os.urandom(size).hex().encode()[:size]  # shrinks by no more than a half
                got = json.loads(client.ask(
                    "POST", "/proxy/x", body=gzip.compress(text, mtime=0),
                    fields=[("Content-Encoding", "gzip")]).body)
                self.assertEqual(got["body"], size)
                self.assertNotIn("content-encoding", [name.lower() for name, _ in got["headers"]])
            response = client.ask("POST", "/proxy/x", body=b"no gzip",
                                  fields=[("Content-Encoding", "gzip")])
            self.assertEqual(response.status, 400)
            self.assert_decorated(response)
