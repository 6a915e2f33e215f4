# SPDX-License-Identifier: MIT
"""What the groups of cases share: one server for each of them, and questions to it."""
import json
import threading
import time
import unittest

from client import Client, LONG_S, NewClient

BODY_LIMIT = 1 << 20   # the engine's, as conformance.h has it
DRAIN_BYTES = 2 << 20  # of a refused body
HEAD_BYTES = 64 << 10  # of a head, where the server has a limit of its own


class AdapterTest(unittest.TestCase):
    # Set by run.py: a server for arguments KEY=NUMBER, as conformance.h has them
    launch = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.launch()

    @classmethod
    def tearDownClass(cls):
        code, counts = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")
        if counts["entered"] != counts["left"] or counts["twice"]:
            raise AssertionError(f"complete did not run once a request: {counts}")

    # ---- What the server says of itself

    def can(self, capability):
        return capability in self.server.about["capabilities"]

    def has_trait(self, trait):
        return trait in self.server.about["traits"]

    def assert_refused(self, capability):
        """The server lacks it, and says so to a plan that needs it."""
        sentence = self.server.about["needs"][capability]
        self.assertIn(self.server.about["name"], sentence)

    def shows_responses(self):
        """Without streaming, bodies are made whole for the plan; but not those that go past it."""
        return self.can("stream_response_body") or not self.can("passes_bodies")

    def refuses(self, capability):
        """Whether a plan that needs it is refused."""
        if capability == "stream_response_body":
            return not self.shows_responses()
        return capability in self.server.about["needs"] and not self.can(capability)

    def require(self, *capabilities):
        """Skip the case by the name of what is lacking; where a plan can need it, it is refused."""
        for capability in capabilities:
            if self.refuses(capability):
                self.assert_refused(capability)
            if not self.can(capability):
                self.skipTest(f"no CMW_CAP_{capability.upper()}")

    def require_shown_responses(self):
        if not self.shows_responses():
            self.assert_refused("stream_response_body")
            self.skipTest("CMW_CAP_PASSES_BODIES, and no CMW_CAP_STREAM_RESPONSE_BODY")

    # ---- Questions

    def connect(self):
        kind = NewClient if self.has_trait("closes_after_errors") else Client
        return kind(self.server.port)

    def ask(self, *arguments, **named):
        with self.connect() as client:
            return client.ask(*arguments, **named)

    def view(self, *arguments, **named):
        return json.loads(self.ask(*arguments, **named).body)

    def counts(self):
        """Asked again where a thread without a worker answers."""
        response = self.ask("GET", "/_counts")
        while response.status == 503:
            response = self.ask("GET", "/_counts")
        return json.loads(response.body)

    def poll(self, question, what):
        """Ask until it is true: how long that takes is not judged."""
        end = time.monotonic() + LONG_S
        while True:
            answer = question()
            if answer:
                return answer
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def settled_counts(self):
        """When only the request that asks is open."""
        def question():
            counts = self.counts()
            return counts if counts["entered"] == counts["left"] + 1 else None
        return self.poll(question, "requests stay open")

    def wait_for_open(self, count):
        """Until so many requests are open besides the one that asks."""
        def question():
            counts = self.counts()
            return counts["entered"] - counts["left"] == count + 1
        self.poll(question, "requests do not begin")

    def assert_decorated(self, response):
        self.assertEqual(response.get("X-Const"), ["yes"])
        self.assertEqual(response.get("X-Post"), ["ran"])

    def assert_goes_on_after_413(self, client, response):
        """What is too long was counted as it came: some servers close then."""
        if self.has_trait("closes_after_long_chunks"):
            self.assertEqual(response.get("Connection"), ["close"])
            self.assertTrue(client.is_closed())
        else:
            self.assert_goes_on(client)

    def assert_none_fails(self, count, talk):
        """So many talk at once, each in a thread with its number."""
        failures = []

        def run(number):
            try:
                talk(number)
            except Exception as error:
                failures.append((number, repr(error)))

        threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def assert_own_answers(self, client, body):
        """Of two requests, one with a body and one that is denied."""
        self.assertEqual(client.ask("POST", "/echo", body=body).body, body)
        self.assertEqual(client.ask("GET", "/denied").status, 403)

    def assert_goes_on(self, client):
        self.assertEqual(client.ask("GET", "/ok").body, b"ok", "the connection goes on")
