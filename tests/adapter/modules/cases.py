# SPDX-License-Identifier: MIT
"""What holds for every stock server."""
import contextlib
import json
import select
import time
import unittest

from client import chunked, request
from servers import LARGE, Nginx

PROBE = {"use": "probe", "options": {"counts": "COUNTS"}}
CHAIN = {"engine": {"request_ms": 20000},
         "middleware": [PROBE, {"use": "security_headers"},
                        {"use": "request_id"},
                        {"use": "basic_auth", "when": {"paths": ["/secret/*", "/proxy/secret"]},
                         "options": {"realm": "r", "users": {"u": "p"}}}]}


class ModuleTest(unittest.TestCase):
    Server = Nginx  # set by run.py
    chain, locations, options = CHAIN, None, {}

    @classmethod
    def setUpClass(cls):
        cls.server = cls.Server(cls.chain, cls.locations, **cls.options).start()

    @classmethod
    def tearDownClass(cls):
        try:
            counts = cls.server.settled()
            assert counts["twice"] == 0, counts
        finally:
            code = cls.server.stop()
        assert code == 0, f"the server ended with {code}"

    def connect(self):
        return self.server.Client(self.server.port)

    def ask(self, *arguments, **named):
        with self.connect() as client:
            return client.ask(*arguments, **named)

    def act(self, order, target="/text", **named):
        return self.ask("GET", target, fields=[("X-Act", order)], **named)

    def echo(self, target, **named):
        return json.loads(self.ask("GET", target, **named).body)

    def assert_decorated(self, response):
        self.assertEqual(response.get("X-Const"), ["yes"])
        self.assertEqual(response.get("X-Post"), ["ran"])
        self.assertEqual(response.get("X-Content-Type-Options"), ["nosniff"])
        self.assertEqual(len(response.get("X-Request-ID")), 1)
        self.assertEqual(len(response.get("X-Frame-Options")), 1)

    def assert_late(self, before, requests=1):
        """So many ended since by a deadline."""
        self.server.wait(lambda: self.server.counts()["deadline"] - before["deadline"] >= requests,
                         "nothing ended by a deadline")
        self.assertEqual(self.server.settled()["deadline"] - before["deadline"], requests)

    def assert_goes_on(self, client):
        self.assertEqual(client.ask("GET", "/text").body, b"text\n", "the connection goes on")


class Answers(ModuleTest):
    """Whatever makes them."""

    def test_answers_of_all_origins_are_decorated(self):
        with self.connect() as client:
            for target, status, body in (
                    ("/text", 200, b"text\n"), ("/file.txt", 200, b"a file\n"),
                    ("/", 200, b"index\n"), ("/none", 404, None), ("/moved", 301, None),
                    ("/folder", 301, None), ("/forbidden", 403, None), ("/broken", (502, 503), None),
                    ("/proxy/x", 200, None), ("/proxy/gone", 404, None),
                    ("/unavailable", 503, b"our own page\n")):
                with self.subTest(target):
                    response = client.ask("GET", target)
                    self.assertIn(response.status, status if isinstance(status, tuple) else (status,))
                    self.assert_decorated(response)
                    if body is not None:
                        self.assertEqual(response.body, body)

    def test_an_answer_without_a_body(self):
        with self.connect() as client:
            client.send(request("GET", "/nothing"))
            response = client.read(has_body=False)
            self.assertEqual((response.status, response.get("Content-Length")), (204, []))
            self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_head(self):
        with self.connect() as client:
            for target in ("/text", "/file.txt", "/none", "/proxy/x"):
                response = client.ask("HEAD", target)
                self.assert_decorated(response)
                self.assert_goes_on(client)
            client.send(request("HEAD", "/text", fields=[("X-Act", "stop:418")]))
            response = client.read(has_body=False)
            self.assertEqual(response.get("Content-Length"), ["8"])
            self.assert_goes_on(client)

    def test_conditional_and_partial(self):
        with self.connect() as client:
            first = client.ask("GET", "/file.txt")
            self.assertEqual(len(first.get("ETag")), 1)
            self.assertEqual(len(first.get("Last-Modified")), 1)
            client.send(request("GET", "/file.txt",
                                fields=[("If-None-Match", first.get("ETag")[0])]))
            second = client.read(has_body=False)
            self.assertEqual(second.status, 304)
            self.assert_decorated(second)
            third = client.ask("GET", "/file.txt", fields=[("Range", "bytes=2-5")])
            self.assertEqual((third.status, third.body), (206, b"file"))
            self.assertEqual(third.get("Content-Range"), ["bytes 2-5/7"])
            self.assert_decorated(third)
            self.assert_goes_on(client)

    def test_large_file(self):
        with self.connect() as client:
            self.assertTrue(client.ask("GET", "/large").body == b"l" * LARGE)
            self.assert_goes_on(client)

    def test_fields_of_an_upstream_stay(self):
        response = self.ask("GET", "/proxy/x")
        self.assertEqual(response.get("Set-Cookie"), ["a=1", "b=2"])
        self.assertEqual(response.get("X-Frame-Options"), ["ALLOW-FROM upstream"])  # it yields
        self.assertEqual(response.get("Content-Type"), ["application/json"])

    def test_chunked_answer(self):
        with self.connect() as client:
            client.send(request("GET", "/proxy/chunked"))
            response = client.read_head()
            self.assert_decorated(response)
            self.assertEqual(response.get("Transfer-Encoding"), ["chunked"])
            while not client.rest.endswith(b"0\r\n\r\n"):
                client._more()

    def test_short_circuits(self):
        with self.connect() as client:
            for order, status, body in (("stop:418", 418, b"stopped\n"), ("error", 500, None),
                                        ("unknown", 500, None), ("skip:202", 202, b"skipped\n")):
                for target in ("/text", "/file.txt", "/proxy/x", "/none"):
                    with self.subTest(order + " " + target):
                        response = client.ask("GET", target, fields=[("X-Act", order)])
                        self.assertEqual(response.status, status)
                        self.assert_decorated(response)
                        if body:
                            self.assertEqual(response.body, body)
            self.assert_goes_on(client)

    def test_post_route_changes_the_servers_answer(self):
        with self.connect() as client:
            for target in ("/text", "/file.txt", "/proxy/x", "/none", "/large", "/moved"):
                with self.subTest(target):
                    response = client.ask("GET", target, fields=[("X-Act", "post-status:203")])
                    self.assertEqual(response.status, 203)
                    response = client.ask("GET", target, fields=[("X-Act", "post-text")])
                    self.assertEqual((response.status, response.body), (200, b"another body\n"))
                    self.assertEqual(response.get("Content-Type"), ["text/plain; charset=utf-8"])
                    self.assertEqual(response.get("ETag"), [])
                    response = client.ask("GET", target, fields=[("X-Act", "post-error")])
                    self.assertEqual(response.status, 500)
                    self.assertEqual(response.get("Set-Cookie"), [])
                    self.assert_decorated(response)
                    self.assert_goes_on(client)
            client.send(request("HEAD", "/file.txt", fields=[("X-Act", "post-text")]))
            self.assertEqual(client.read(has_body=False).get("Content-Length"), ["13"])
            self.assert_goes_on(client)

    def test_guarded_paths_in_every_spelling(self):
        for target in ("/secret/x", "/x/../secret/x", "//secret/x", "/%73ecret/x", "/./secret/x",
                       "/x/%2e%2e/secret/x", "/proxy/secret", "/proxy/x/../secret"):
            with self.subTest(target):
                response = self.ask("GET", target)
                self.assertEqual(response.status, 401)
                self.assert_decorated(response)

    def test_an_escaped_slash_leads_nowhere_else(self):
        """What the plan takes for one segment, the server must not take for two."""
        for target in ("/x%2f..%2fsecret/x", "/secret%2fx", "/proxy%2fsecret"):
            with self.subTest(target):
                self.assertIn(self.ask("GET", target).status, (400, 404))

    def test_post_route_sees_errors_of_the_server(self):
        for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                     b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
                     b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n"):
            with self.subTest(data[:30]), self.connect() as client:
                try:
                    client.send(data)
                    response = client.read(has_body=False)
                except (OSError, EOFError):
                    continue
                self.assertIn(response.status, (400, 414, 431))
                self.assert_decorated(response)


class Requests(ModuleTest):
    def test_upstreams_get_what_middleware_rewrote(self):
        fields = [("X-Act", "rewrite"), ("User-Agent", "mine"), ("Cookie", "a=b"), ("X-Other", "o")]
        got = self.echo("/proxy/x", fields=fields)["headers"]
        lower = {name.lower(): value for name, value in got}
        self.assertEqual(lower["x-added"], "by the plan")
        self.assertEqual(lower["user-agent"], "probe")
        self.assertEqual(lower["x-other"], "o")
        self.assertNotIn("cookie", lower)

    def test_upstreams_get_the_canonical_target(self):
        self.assertEqual(self.echo("/raw/a/../%62//c?q=%20")["path"], "/raw/b/c?q=%20")
        self.assertEqual(self.echo("/raw/a?b=c")["path"], "/raw/a?b=c")

    def test_bodies_reach_the_upstream(self):
        with self.connect() as client:
            for size in (0, 1, 5000, 1 << 20):
                got = json.loads(client.ask("POST", "/proxy/x", body=b"b" * size).body)
                self.assertEqual(got["body"], size)
            client.send(request("POST", "/proxy/x", fields=[("Transfer-Encoding", "chunked")]) +
                        chunked(b"one", b"two" * 1000))
            self.assertEqual(json.loads(client.read().body)["body"], 3003)
            self.assert_goes_on(client)

    def test_bodies_over_the_limit(self):
        with self.connect() as client:
            response = client.ask("POST", "/proxy/x", body=b"x" * ((1 << 20) + 1))
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
        with self.connect() as client:
            client.send(request("POST", "/proxy/x", fields=[("Transfer-Encoding", "chunked")]) +
                        chunked(*[b"x" * 4096] * 300))
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)

    def test_refused_uploads(self):
        with self.connect() as client:
            response = client.ask("POST", "/text", body=b"x" * 50000,
                                  fields=[("X-Act", "stop:403")])
            self.assertEqual((response.status, response.body), (403, b"stopped\n"))
            self.assert_goes_on(client)
        with self.connect() as client:
            client.send(b"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nX-Act: stop:403\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(client.read().status, 403)
            self.assertTrue(client.is_closed())

    def test_body_is_never_read_as_a_request(self):
        for method in ("POST", "DELETE", "FOO"):
            with self.subTest(method), self.connect() as client:
                client.send(request(method, "/text", body=request("GET", "/none"),
                                    fields=[("X-Act", "stop:403")]))
                self.assertEqual(client.read().status, 403)
                self.assert_goes_on(client)

    def test_ambiguous_lengths(self):
        for fields in ("Content-Length: 3\r\nContent-Length: 4",
                       "Content-Length: 3\r\nTransfer-Encoding: chunked",
                       "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                       "Transfer-Encoding: gzip", "Content-Length: +3"):
            if self.server.drops_length_beside_coding and "3\r\nT" in fields:
                continue
            with self.subTest(fields), self.connect() as client:
                client.send(f"POST /proxy/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
                response = client.read(has_body=False)
                self.assertIn(response.status, (400, 501))
                self.assert_decorated(response)

    def test_many_headers_are_a_decorated_431(self):
        response = self.ask("GET", "/text", fields=[(f"X-{i}", "v") for i in range(101)])
        self.assertIn(response.status, (400, 431))
        self.assert_decorated(response)


class Connections(ModuleTest):
    def test_keep_alive_and_pipelining(self):
        with self.connect() as client:
            for _ in range(100):
                self.assert_goes_on(client)
            client.send(b"".join(request("GET", "/file.txt") +
                                 request("GET", "/x", fields=[("X-Act", "stop:403")])
                                 for _ in range(20)))
            for _ in range(20):
                self.assertEqual(client.read().body, b"a file\n")
                self.assertEqual(client.read().status, 403)

    def test_http_1_0(self):
        with self.connect() as client:
            client.send(b"GET /file.txt HTTP/1.0\r\n\r\n")
            response = client.read()
            self.assertEqual(response.body, b"a file\n")
            self.assert_decorated(response)
            self.assertTrue(client.is_closed())

    def test_complete_knows_what_was_sent(self):
        before = self.server.settled()
        self.assertEqual(self.ask("GET", "/large").status, 200)
        self.ask("HEAD", "/large")
        self.ask("GET", "/file.txt")
        self.act("stop:403")
        after = self.server.settled()
        self.assertEqual(after["sent"] - before["sent"], 4)
        self.assertEqual(after["body_sent"] - before["body_sent"], LARGE + 7 + 8)

    def test_client_that_leaves_in_its_answer(self):
        before = self.server.settled()
        for _ in range(3):
            with self.connect() as client:
                client.send(request("GET", "/huge"))
                client.socket.recv(100)
        after = self.server.settled_after(before, 3)
        self.assertEqual(after["entered"] - before["entered"], 3)
        self.assertEqual(after["client_gone"] - before["client_gone"], 3, after)

    def test_client_that_leaves_in_its_upload(self):
        before = self.server.settled()
        for _ in range(3):
            with self.connect() as client:
                client.send(request("POST", "/proxy/x", body=b"x" * 1000)[:-500])
                time.sleep(0.05)
        after = self.server.settled_after(before, 3)
        self.assertEqual(after["entered"] - before["entered"], 3)
        self.assertEqual(after["sent"] - before["sent"], 0)

    def test_broken_chunks_are_no_client_that_left(self):
        before = self.server.settled()
        for chunks in (b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n", b"fffffffffffffffff\r\n"):
            with self.subTest(chunks), self.connect() as client:
                client.send(b"POST /proxy/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                            chunks)
                response = client.read()
                self.assertIn(response.status, (400, 413))
                self.assert_decorated(response)
        after = self.server.settled_after(before, 3)
        self.assertEqual(after["client_gone"] - before["client_gone"], 0)
        self.assertEqual(after["sent"] - before["sent"], 3)

    def test_upstream_that_breaks_off(self):
        before = self.server.settled()
        with self.connect() as client:
            client.send(request("GET", "/proxy/abort"))
            client.read_head()
            self.assertTrue(client.socket.recv(100).startswith(b"half") or client.rest == b"half")
        after = self.server.settled()
        self.assertEqual(after["entered"] - before["entered"], 1)


class Deadlines(ModuleTest):
    chain = {"engine": {"request_ms": 300}, "middleware": CHAIN["middleware"]}

    def test_deadline(self):
        for _ in range(5):
            response = self.act("wait-long")
            self.assertEqual(response.status, 503)
            self.assert_decorated(response)
        self.assertEqual(self.server.settled()["deadline"], 5)


class SlowUploads(ModuleTest):
    """A time for each piece on /text, one for the whole behind /proxy/, none elsewhere."""

    chain = {"middleware": CHAIN["middleware"] + [
        {"use": "timeout", "name": "idle", "when": {"paths": ["/text"]},
         "options": {"body_idle_ms": 150}},
        {"use": "timeout", "name": "patient", "when": {"paths": ["/zipped"]},
         "options": {"body_idle_ms": 1500}},
        {"use": "timeout", "name": "whole", "when": {"paths": ["/proxy/*"]},
         "options": {"body_ms": 300}}]}

    def upload(self, target, fields=()):
        """Sends a byte now and then until there is an answer."""
        client = self.connect()
        head = request("POST", target, body=b"x" * 100000, fields=list(fields))
        client.send(head[:-100000])
        while not select.select([client.socket], [], [], 0.02)[0]:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send(b"x")
        return client

    def assert_refused(self, client, before):
        response = client.read()
        self.assertEqual(response.status, 408)
        self.assert_decorated(response)
        self.assertEqual(response.get("Connection"), ["close"])
        self.assertEqual(client.socket.recv(1), b"", "the connection ends")
        self.assert_late(before)

    def test_silence(self):
        for fields, body in (((), b"x" * 500), ((("Transfer-Encoding", "chunked"),), b"5\r\nab")):
            with self.subTest(fields), self.connect() as client:
                before = self.server.settled()
                head = request("POST", "/text", body=None if fields else b"x" * 1000,
                               fields=list(fields))
                client.send(head[:len(head) - (0 if fields else 1000)] + body)
                self.assert_refused(client, before)

    def test_pieces_that_never_end(self):
        before = self.server.settled()
        with self.upload("/proxy/x") as client:
            self.assert_refused(client, before)

    def test_a_piece_in_time_gives_the_next_one_its_own(self):
        """More pieces than fit in the time of one."""
        before = self.server.settled()
        with self.connect() as client:
            client.send(request("POST", "/zipped", body=b"x" * 5)[:-5])
            for _ in range(5):
                time.sleep(0.4)
                client.send(b"x")
            self.assertNotEqual(client.read().status, 408)
        self.assertEqual(self.server.settled()["deadline"], before["deadline"])

    def test_quick_uploads_and_those_without_a_limit(self):
        before = self.server.settled()
        with self.connect() as client:
            for target in ("/text", "/proxy/x", "/text", "/proxy/x"):
                client.ask("POST", target, body=b"x" * 100000)
            whole = request("POST", "/raw/x", body=b"x" * 1000)
            client.send(whole[:-1])
            time.sleep(0.4)
            client.send(whole[-1:])
            self.assertEqual(client.read().status, 200)
            self.assert_goes_on(client)
        self.assertEqual(self.server.settled()["deadline"], before["deadline"])


class SlowHeads(ModuleTest):
    """The servers measure them, as the plan says."""

    chain = {"middleware": CHAIN["middleware"] + [{"use": "timeout", "options": {"head_ms": 300}}]}

    def send_for_ever(self, client, begin):
        client.send(begin)
        while not select.select([client.socket], [], [], 0.02)[0]:
            client.send(b"x")

    def assert_closed(self, client):
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.socket.recv(1), b"")

    def test_a_first_line_that_never_ends(self):
        before = self.server.settled()
        with self.connect() as client:
            self.send_for_ever(client, b"GET /")
            self.assert_closed(client)
        self.assertEqual(self.server.settled()["entered"], before["entered"])

    def test_a_head_that_never_ends(self):
        before = self.server.settled()
        for begin in (b"GET /text HTTP/1.1\r\nHost: a\r\nX-Slow: ",
                      b"GET /text HTTP/1.1\r\nHost: a\r\n" + b"X-Slow: 1\r\n" * 20):
            with self.connect() as client:
                self.assert_goes_on(client)
                self.send_for_ever(client, begin)
                if self.server.answers_late_heads:
                    response = client.read()
                    self.assertEqual((response.status, response.get("Connection")), (408, ["close"]))
                    self.assert_decorated(response)
                self.assert_closed(client)
        self.assert_late(before, 2 if self.server.answers_late_heads else 0)
        self.assertEqual(self.server.settled()["entered"] - before["entered"], 2)  # those that ask

    def test_silence_between_heads_is_none_in_them(self):
        with self.connect() as client:
            for _ in range(2):
                self.assert_goes_on(client)
                time.sleep(0.4)
            self.assert_goes_on(client)

    def test_requests_in_time(self):
        with self.connect() as client:
            for _ in range(3):
                self.assert_goes_on(client)


class Waiting(ModuleTest):

    def test_requests_that_wait_go_on(self):
        for order in ("wait", "wait-twice"):
            for target, body in (("/text", b"text\n"), ("/file.txt", b"a file\n"), ("/proxy/x", None)):
                with self.subTest(order + target), self.connect() as client:
                    response = client.ask("GET", target, fields=[("X-Act", order)])
                    self.assertEqual(response.status, 200)
                    if body:
                        self.assertEqual(response.body, body)
                    self.assert_decorated(response)
                    self.assert_goes_on(client)

    def test_many_wait_at_once(self):
        clients = [self.connect() for _ in range(self.server.waiters)]
        for client in clients:
            client.send(request("POST", "/proxy/x", body=b"x" * 3000, fields=[("X-Act", "wait")]))
        for client in clients:
            self.assertEqual(json.loads(client.read().body)["body"], 3000)
        for client in clients:
            client.socket.close()

    def test_pipelined_behind_one_that_waits(self):
        with self.connect() as client:
            client.send(request("GET", "/text", fields=[("X-Act", "wait")]) +
                        request("GET", "/file.txt"))
            self.assertEqual(client.read().body, b"text\n")
            self.assertEqual(client.read().body, b"a file\n")

    def test_client_that_leaves_while_it_waits(self):
        before = self.server.settled()
        for order in ("wait", "wait-long"):
            for _ in range(3):
                with self.connect() as client:
                    client.send(request("GET", "/file.txt", fields=[("X-Act", order)]))
                    time.sleep(0.01)
        after = self.server.settled_after(before, 6)
        self.assertEqual(after["entered"] - before["entered"], 6)


LIMITED = {"middleware": [PROBE, {"use": "rate_limit", "options": {
    "limit": 10, "window_ms": 600000, "key": "header:X-Key"}}]}


class Processes(ModuleTest):
    """Several of them, and one configuration after another."""

    chain = LIMITED
    options = {"workers": 3}

    def tries(self, key, count):
        """How many of so many requests pass, each on a connection of its own."""
        return [self.ask("GET", "/text", fields=[("X-Key", key)]).status
                for _ in range(count)].count(200)

    def test_limits_are_shared(self):
        self.assertEqual(self.tries("shared", 30), 10)

    def test_a_reload_forgives_nobody_and_takes_the_new_plan(self):
        self.assertEqual(self.tries("a", 30), 10)
        chain = {"middleware": LIMITED["middleware"] + [
            {"use": "set_headers", "options": {"set": {"X-New": "yes"}}}]}
        self.server.write("chain.json", chain)
        self.server.reload_ended()
        self.assertEqual(self.tries("a", 5), 0)
        self.assertEqual(self.ask("GET", "/text").get("X-New"), ["yes"])
        self.server.write("chain.json", LIMITED)
        self.server.reload_ended()
        self.assertEqual(self.ask("GET", "/text").get("X-New"), [])
        self.assertEqual(self.tries("a", 5), 0)

    def test_a_refused_reload_leaves_all_as_it_was(self):
        if not self.server.survives_refused_reload:
            self.skipTest("the server ends by itself")
        self.assertEqual(self.tries("b", 30), 10)
        before = self.server.workers()
        self.server.write("chain.json", '{"middleware": [{"use": "corse"}]}')
        self.server.process.send_signal(self.server.reload_signal)
        self.server.wait(lambda: "corse" in self.server.log(), "it is not told")
        self.assertEqual(self.tries("b", 5), 0)
        self.assertTrue(self.server.workers() & before)
        self.server.write("chain.json", LIMITED)
        self.server.reload_ended()
        self.assertEqual(self.tries("b", 5), 0)

    def test_a_reload_that_is_tested_first(self):
        """As `apachectl graceful` and `nginx -t && nginx -s reload` do."""
        self.assertEqual(self.tries("c", 30), 10)
        before = self.server.workers()
        for chain in ('{"middleware": [{"use": "corse"}]}', "{", '{"middleware": [{"use": "cors", '
                      '"options": {"max_ages": 1}}]}'):
            self.server.write("chain.json", chain)
            self.assertNotEqual(self.server.check()[0], 0)
        self.server.write("chain.json", LIMITED)
        self.assertEqual(self.server.check()[0], 0)
        self.assertEqual(self.server.workers(), before)
        self.assertEqual(self.tries("c", 5), 0)

    def test_reloads_under_traffic(self):
        failed = []
        for i in range(8):
            self.server.reload()
            for _ in range(20):
                try:
                    if self.ask("GET", "/file.txt", fields=[("X-Key", f"{i}")]).status not in (200, 429):
                        failed.append(i)
                except (OSError, EOFError) as error:
                    failed.append(repr(error))
        self.assertEqual(failed, [])
