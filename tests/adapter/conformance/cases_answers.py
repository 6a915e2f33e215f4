# SPDX-License-Identifier: MIT
"""What is answered: phases, verdicts, fields."""
import http.client

from base import AdapterTest
from client import LONG_S, request

# X-Act, status, the way that the request took, body or None
VERDICTS = [
    ("", 200, "pre,later,handler,post", b"ok"),
    ("pre=continue", 200, "pre,later,handler,post", b"ok"),
    ("pre=stop:418", 418, "pre,post", b"acted\n"),
    ("pre=stop", 500, "pre,error,post", None),
    ("pre=skip:202", 202, "pre,later,post", b"acted\n"),
    ("pre=skip", 500, "pre,later,error,post", None),
    ("pre=error", 500, "pre,error,post", None),
    ("pre=error:418", 500, "pre,error,post", None),
    ("pre=unknown", 500, "pre,error,post", None),
    ("pre=suspend", 500, "pre,error,post", None),  # it did not declare that it may
    ("pre=error,error=stop:502", 502, "pre,error,post", b"acted\n"),
    ("pre=error,error=continue:502", 500, "pre,error,post", None),
    ("pre=error,error=error", 500, "pre,error,post", None),
    ("pre=error,error=unknown", 500, "pre,error,post", None),
    ("post=continue:201", 201, "pre,later,handler,post", b"acted\n"),
    ("post=error", 500, "pre,later,handler,post,error", None),
    ("post=stop", 500, "pre,later,handler,post,error", None),
    ("post=skip", 500, "pre,later,handler,post,error", None),
    ("post=unknown", 500, "pre,later,handler,post,error", None),
    ("post=error,error=stop:503", 503, "pre,later,handler,post,error", b"acted\n"),
    ("pre=stop:418,post=error", 500, "pre,post,error", None),
]


class Answers(AdapterTest):
    def test_get(self):
        response = self.ask("GET", "/ok")
        self.assertEqual((response.status, response.body), (200, b"ok"))
        self.assertEqual(response.get("Content-Type"), ["text/plain; charset=utf-8"])
        self.assertEqual(response.get("Content-Length"), ["2"])
        self.assertEqual(len(response.get("Date")), 1)
        self.assert_decorated(response)

    def test_verdicts(self):
        with self.connect() as client:
            for act, status, way, body in VERDICTS:
                with self.subTest(act):
                    response = client.ask("GET", "/ok", fields=[("X-Act", act)])
                    self.assertEqual(response.status, status)
                    self.assertEqual(response.get("X-Trace"), [way])
                    self.assert_decorated(response)
                    if body is not None:
                        self.assertEqual(response.body, body)
                    self.assert_goes_on(client)

    def test_verdicts_of_an_upload(self):
        with self.connect() as client:
            for act, status, way, _ in VERDICTS:
                with self.subTest(act):
                    response = client.ask("POST", "/echo", body=b"b" * 5000,
                                          fields=[("X-Act", act)])
                    self.assertEqual(response.status, status)
                    self.assertEqual(response.get("X-Trace"), [way])
                    self.assert_goes_on(client)

    def test_head_has_the_length_and_no_body(self):
        with self.connect() as client:
            for target in ("/ok", "/nowhere", "/denied", "/large"):
                get = self.ask("GET", target)
                head = client.ask("HEAD", target)
                self.assertEqual(head.status, get.status)
                self.assertEqual(head.get("Content-Length"), get.get("Content-Length"))
                self.assert_decorated(head)
            self.assert_goes_on(client)

    def test_unknown_path_is_404(self):
        response = self.ask("GET", "/nowhere")
        self.assertEqual(response.status, 404)
        self.assertEqual(response.get("Content-Type"), ["application/problem+json"])
        self.assert_decorated(response)

    def test_answers_without_a_body(self):
        with self.connect() as client:
            for target, status, length in (("/no-content", 204, None), ("/not-modified", 304, None),
                                           ("/empty", 200, "0")):
                with self.subTest(target):
                    client.send(request("GET", target))
                    response = client.read(has_body=status == 200)
                    self.assertEqual(response.status, status)
                    self.assert_decorated(response)
                    if length:
                        self.assertEqual(response.get("Content-Length"), [length])
                    self.assertEqual(response.get("Content-Type"), [])
                    self.assert_goes_on(client)

    def test_short_circuit_carries_all_fields_and_keeps_the_connection(self):
        with self.connect() as client:
            response = client.ask("GET", "/denied")
            self.assertEqual((response.status, response.body), (403, b"denied\n"))
            self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_condition_sees_the_canonical_path(self):
        for target in ("/x/../%64enied", "//denied", "/./denied?a"):
            self.assertEqual(self.ask("GET", target).status, 403, target)

    def test_escapes_are_decoded_once(self):
        self.assertEqual(self.ask("GET", "/%2564enied").status, 404)
        self.assertEqual(self.ask("GET", "/x%2f..%2fdenied").status, 404)

    def test_handler_failure_is_a_decorated_500(self):
        is_own = self.has_trait("answers_failures_itself")  # an answer like others, to the chain
        for target in ("/fail", "/nothing"):
            with self.subTest(target), self.connect() as client:
                response = client.ask("GET", target)
                self.assertEqual(response.status, 500)
                self.assertEqual(response.get("X-Handler"), [])
                self.assertEqual(response.get("X-Trace"), [
                    "pre,later,handler,post" if is_own else "pre,later,handler,error,post"])
                self.assert_decorated(response)
                if is_own and response.get("Connection") == ["close"]:
                    self.assertTrue(client.is_closed())
                else:
                    self.assert_goes_on(client)

    def test_empty_field_value_is_sent(self):
        response = self.ask("GET", "/empty-field")
        self.assertEqual((response.status, response.get("X-Empty")), (200, [""]))

    def test_many_fields_are_sent_in_order(self):
        response = self.ask("GET", "/many-fields")
        self.assertEqual(response.get("Set-Cookie"), ["a=1", "b=2"])
        numbered = [n for n, _ in response.fields if n.startswith("x-field-")]
        self.assertEqual(numbered, [f"x-field-{i}" for i in range(100)])
        self.assertEqual(response.get("X-Field-99"), ["l" * 100])

    def test_response_that_cannot_be_sent_closes_the_connection(self):
        with self.connect() as client:
            client.send(request("GET", "/refused-status"))
            if self.has_trait("switches_protocols"):  # a handler of the server may answer 101
                response = client.read(has_body=False)
                self.assertEqual((response.status, response.get("X-Const")), (101, []))
            else:
                self.assertTrue(client.is_closed())
        self.settled_counts()

    def test_a_client_of_the_standard_library(self):
        client = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LONG_S)
        for body in (b"whole", iter([b"in ", b"chunks"])):
            client.request("POST", "/echo", body=body)
            response = client.getresponse()
            self.assertEqual(response.status, 200)
            self.assertIn(response.read(), (b"whole", b"in chunks"))
        client.request("HEAD", "/ok")
        self.assertEqual(client.getresponse().read(), b"")
        client.request("GET", "/denied")
        self.assertEqual(client.getresponse().read(), b"denied\n")
        client.close()
