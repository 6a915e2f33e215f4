# SPDX-License-Identifier: MIT
"""What comes in: the view of a request, its head, its body."""
import json

from base import AdapterTest, BODY_LIMIT, DRAIN_BYTES, HEAD_BYTES
from client import chunked, request

CHUNKED = [("Transfer-Encoding", "chunked")]


class Heads(AdapterTest):
    def test_view(self):
        view = self.view("GET", "/view?a=%20b", fields=[("X-Big", "abc")])
        self.assertEqual(view, {"method": "GET", "target": "/view?a=%20b", "path": "/view",
                                "host": "test.example", "peer": "127.0.0.1", "has_port": 1,
                                "https": 0, "version": 0x0101, "fields": 2, "big": 3, "length": 0,
                                "owned": 1})

    def test_target_is_as_it_came(self):
        for target in ("/view", "/%76iew", "/x/../view?", "/view?a=1?b=2", "/view?%00%zz"):
            self.assertEqual(self.view("GET", target)["target"], target)

    def test_methods(self):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            self.assertEqual(self.view(method, "/view")["method"], method)

    def test_unknown_method(self):
        with self.connect() as client:
            response = client.ask("PURGE", "/view")
            if self.can("any_method"):
                self.assertEqual(json.loads(response.body)["method"], "PURGE")
                self.assert_goes_on(client)
                return
            self.assertIn(response.status, (400, 405, 501))
            if self.can("decorate_own_errors") or self.has_trait("decorates_unknown_methods"):
                self.assert_decorated(response)
        self.settled_counts()

    def test_two_host_fields_are_both_seen(self):
        response = self.ask("GET", "/view", fields=[("Host", "other.example")])
        if self.has_trait("refuses_two_hosts_itself"):
            self.assertEqual(response.status, 400)
            self.assert_decorated(response)
            return
        view = json.loads(response.body)
        self.assertEqual((view["host"], view["fields"]), ("", 2))

    def test_blanks_around_a_value_are_not_part_of_it(self):
        for value, length in {" \t abc \t ": 3, "abc": 3, " a b ": 3, " \t ": 0, "": 0}.items():
            response = self.ask("GET", "/view", fields=[("X-Big", value)])
            if "\t" in value and self.has_trait("refuses_tabs"):
                self.assertEqual(response.status, 400)
                continue
            self.assertEqual(json.loads(response.body)["big"], length)

    def test_big_headers(self):
        self.assertEqual(self.view("GET", "/view", fields=[("X-Big", "b" * 20000)])["big"], 20000)
        limit = self.server.about["header_limit"] or 100
        count = min(90, limit - 1)
        many = self.view("GET", "/view", fields=[(f"X-{i}", "v") for i in range(count)])
        self.assertEqual(many["fields"], count + 1)

    def test_too_many_or_too_big_headers_are_a_decorated_431(self):
        limit = self.server.about["header_limit"] or 100
        for fields in ([(f"X-{i}", "v") for i in range(150)],
                       [(f"X-{i}", "v") for i in range(limit)],
                       [("X-Big", "b" * 40000)]):
            response = self.ask("GET", "/view", fields=fields)
            if len(fields) >= limit and self.has_trait("refuses_many_fields_itself"):
                self.assertEqual(response.status, 400)
                continue
            self.assertEqual(response.status, 431)
            self.assert_decorated(response)

    def test_long_target(self):
        target = "/view?" + "q" * 8000
        self.assertEqual(self.view("GET", target)["target"], target)

    def test_http_1_0_closes(self):
        with self.connect() as client:
            client.send(b"GET /view HTTP/1.0\r\n\r\n")
            view = json.loads(client.read().body)
            self.assertEqual((view["version"], view["host"]), (0x0100, ""))
            self.assertTrue(client.is_closed())

    def test_what_the_server_answers_by_itself(self):
        """Nothing leaks; the fields are there where the server lets us add them."""
        for data in (b"nonsense\r\n\r\n", b"PUT / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
                     b"GET /ok HTTP/1.1\r\nno colon\r\n\r\n",
                     b"GET /ok HTTP/1.1\r\nX: " + b"x" * (2 * HEAD_BYTES) + b"\r\n\r\n",
                     b"GET /" + b"x" * (2 * HEAD_BYTES) + b" HTTP/1.1\r\n\r\n"):
            with self.subTest(data[:20]), self.connect() as client:
                try:
                    client.send(data)
                    response = client.read(has_body=False)
                except (OSError, EOFError):
                    continue
                self.assertIn(response.status, (400, 413, 414, 431))
                if self.can("decorate_own_errors"):
                    self.assert_decorated(response)
        self.settled_counts()


class Bodies(AdapterTest):
    def test_bodies_are_echoed(self):
        with self.connect() as client:
            for size in (0, 1, 5000, BODY_LIMIT):
                body = bytes(i * 7 % 251 for i in range(1024)) * (size // 1024 + 1)
                response = client.ask("POST", "/echo", body=body[:size])
                self.assertEqual(response.status, 200)
                self.assertTrue(response.body == body[:size], f"{size} bytes differ")

    def test_chunked_body_is_echoed(self):
        head = request("POST", "/echo", fields=CHUNKED)
        with self.connect() as client:
            for chunks in ((b"one", b"two" * 1000, b"!"), (b"x",), (b"c" * 60000,) * 10, ()):
                client.send(head + chunked(*chunks))
                self.assertTrue(client.read().body == b"".join(chunks), len(chunks))

    def test_a_get_may_have_a_body(self):
        with self.connect() as client:
            self.assertEqual(client.ask("GET", "/echo", body=b"body").body, b"body")
            self.assertEqual(client.ask("DELETE", "/echo", body=b"body").body, b"body")

    def test_declared_body_over_the_limit_is_a_decorated_413(self):
        with self.connect() as client:
            response = client.ask("POST", "/echo", body=b"x" * (BODY_LIMIT + 1))
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_chunked_body_over_the_limit_is_a_decorated_413(self):
        with self.connect() as client:
            client.send(request("POST", "/echo", fields=CHUNKED) + chunked(*[b"x" * 4096] * 300))
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)
            self.assert_goes_on_after_413(client, response)

    def test_body_that_is_too_long_to_drain_is_answered_at_once(self):
        with self.connect() as client:
            client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
            response = client.read()
            self.assertEqual(response.status, 413)
            if self.has_trait("drains_all") and not self.has_trait("closes_after_errors"):
                self.assert_decorated(response)
                return
            self.assertEqual(response.get("Connection"), ["close"])
            if self.can("head_first") or self.can("decorate_own_errors"):
                self.assert_decorated(response)
            self.assertTrue(client.is_closed())

    def test_endless_refused_body_is_cut_off(self):
        def send(client):
            client.send(request("POST", "/denied", fields=CHUNKED))
            for _ in range(8 * DRAIN_BYTES // 4096):
                client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

        with self.connect() as client:
            if self.has_trait("drains_all"):
                send(client)
                client.send(b"0\r\n\r\n")
                self.assertEqual(client.read().status, 403)
                self.assert_goes_on(client)
            else:
                with self.assertRaises(OSError):
                    send(client)
        self.settled_counts()

    def test_refused_upload_is_drained(self):
        with self.connect() as client:
            response = client.ask("POST", "/denied", body=b"x" * 100000)
            self.assertEqual((response.status, response.body), (403, b"denied\n"))
            self.assert_goes_on(client)

    def test_refused_upload_that_asks_first(self):
        """It is not awaited where the head is seen first."""
        with self.connect() as client:
            client.send(b"POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            response = client.read()
            if not self.can("head_first"):
                self.assertEqual(response.status, 100)
                client.send(b"nine byte")
                self.assertEqual(client.read().status, 403)
                return
            self.assertEqual(response.status, 403)
            self.assertTrue(client.is_closed())

    def test_allowed_upload_that_asks_first_is_told_to_go_on(self):
        with self.connect() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(client.read().status, 100)
            client.send(b"body")
            self.assertEqual(client.read().body, b"body")
            self.assert_goes_on(client)

    def test_body_is_never_read_as_a_request(self):
        """Whatever the method: it is read, or the connection ends."""
        inner = request("GET", "/view")
        methods = ("POST", "PATCH", "DELETE", "HEAD", "TRACE", "FOO")
        requests = [request(method, "/denied", body=inner) for method in methods]
        requests += [request(method, "/denied", fields=CHUNKED) + chunked(inner)
                     for method in methods]
        for whole, method in zip(requests, 2 * methods):
            with self.subTest(whole), self.connect() as client:
                client.send(whole)
                response = client.read(has_body=method != "HEAD")
                self.assertIn(response.status, (400, 403, 405, 501))
                if response.get("Connection") == ["close"]:
                    self.assertTrue(client.is_closed())
                else:
                    self.assert_goes_on(client)

    def refusal_of(self, name):
        """RFC 9112, 6.1: 501 for a coding that the server does not know, which this one may be."""
        is_unknown = name in ("unknown coding", "a tab behind the coding")
        return 501 if is_unknown and self.has_trait("answers_501_to_codings") else 400

    def test_ambiguous_length_is_400_and_closes(self):
        for name, fields in {
            "two lengths": "Content-Length: 3\r\nContent-Length: 4",
            "one length twice": "Content-Length: 3\r\nContent-Length: 3",
            "length and coding": "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "coding twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "unknown coding": "Transfer-Encoding: gzip",
            "a blank before the colon of a coding": "Transfer-Encoding : chunked",
            "a blank before the colon of a length": "Content-Length : 3",
            "a control byte in a value": "X: a\vb",
        }.items():
            with self.subTest(name), self.connect() as client:
                client.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
                if name == "length and coding" and self.has_trait("drops_length_beside_coding"):
                    client.send(chunked(b"abc") + request("GET", "/ok"))
                    response = client.read()
                    self.assertEqual((response.status, response.body), (200, b"abc"))
                    self.assert_decorated(response)
                    self.assertTrue(client.is_closed())
                    continue
                if not self.can("head_first"):
                    client.send(b"0\r\n\r\n")
                response = client.read()
                self.assertEqual(response.status, self.refusal_of(name))
                is_own = ("coding" in name and self.has_trait("refuses_codings_itself") or
                          ("colon" in name or "byte" in name) and
                          self.has_trait("refuses_malformed_itself"))
                if not is_own or self.can("decorate_own_errors"):
                    self.assert_decorated(response)
                self.assertTrue(client.is_closed())
        self.settled_counts()

    def test_bytes_that_end_no_line_are_refused(self):
        """Servers of their own read heads and the lines between chunks as they do; ours is strict."""
        if not self.has_trait("reads_lines_strictly"):
            self.skipTest("the server reads them")
        chunked_head = request("POST", "/echo", fields=CHUNKED)
        for data in (chunked_head + b"3\0\r\nabc\r\n0\r\n\r\n",
                     chunked_head + b"3\0ff\r\nabc\r\n0\r\n\r\n",
                     chunked_head + b"3;a\rb\r\nabc\r\n0\r\n\r\n",
                     chunked_head + b"3\nabc\r\n0\r\n\r\n",
                     b"GE\tT /view HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET /view\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET /view\x7f HTTP/1.1\r\nHost: a\r\n\r\n"):
            with self.subTest(data), self.connect() as client:
                client.send(data + request("GET", "/view"))
                response = client.read()
                self.assertEqual(response.status, 400)
                self.assert_decorated(response)
                self.assertTrue(client.is_closed())
        self.settled_counts()

    def test_who_does_not_ask_first_is_not_told_to_go_on(self):
        """RFC 9110, 10.1.1: HTTP/1.0 knows no 100, and other expectations are not it."""
        if not self.has_trait("reads_lines_strictly"):
            self.skipTest("that is the server's own")
        for version, expectation in (("1.0", "100-continue"), ("1.1", "x-other")):
            with self.subTest(version), self.connect() as client:
                client.send(f"POST /echo HTTP/{version}\r\nHost: a\r\nContent-Length: 4\r\n"
                            f"Expect: {expectation}\r\n\r\nbody".encode())
                response = client.read()
                self.assertEqual((response.status, response.body), (200, b"body"))

    def test_loosely_written_length_is_read_right_or_refused(self):
        """Blanks and folds that RFC 9112 lets a server read: it does, or it is a 400 that closes."""
        coded = chunked(b"abc")
        blanks, tabs = "reads_blanks_around_lengths", "reads_tabs_around_lengths"
        folded = "reads_folded_lengths"
        for name, field, body, trait in (
                ("a blank behind the coding", "Transfer-Encoding: chunked ", coded, blanks),
                ("a tab behind the coding", "Transfer-Encoding: chunked\t", coded, tabs),
                ("a folded coding", "Transfer-Encoding:\r\n chunked", coded, folded),
                ("a folded length", "Content-Length:\r\n\t3", b"abc", folded)):
            with self.subTest(name), self.connect() as client:
                client.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode())
                if self.has_trait(trait):
                    client.send(body + request("GET", "/denied"))
                    response = client.read()
                    self.assertEqual((response.status, response.body), (200, b"abc"))
                    self.assertEqual(client.read().status, 403)
                    self.assert_goes_on(client)
                    continue
                response = client.read()
                self.assertEqual(response.status, self.refusal_of(name))
                self.assert_decorated(response)
                self.assertTrue(client.is_closed())
        self.settled_counts()
