# SPDX-License-Identifier: MIT
"""Servers that fork: several processes serve, what they count adds up, and they can end gracefully."""
import unittest

from base import AdapterTest
from client import request

PROCESSES, THREADS, ROUNDS = 3, 12, 20


class Processes(AdapterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.launch(workers=PROCESSES)

    def setUp(self):
        self.require("forks")

    def test_each_request_is_counted_once(self):
        before = self.settled_counts()

        def talk(number):
            for i in range(ROUNDS):
                with self.connect() as client:  # of whichever process takes it
                    self.assert_own_answers(client, b"%d/%d" % (number, i))

        self.assert_none_fails(THREADS, talk)
        asked = self.counts()["entered"]
        after = self.settled_counts()
        self.assertGreaterEqual(asked - before["entered"], 2 * THREADS * ROUNDS)
        self.assertEqual(after["sent"] - before["sent"], after["left"] - before["left"])
        self.assertEqual(after["twice"], 0)
        self.assertGreater(len(self.processes()), 1)

    def processes(self):
        """Those that have answered one of many connections."""
        return {self.ask("GET", "/_process").body for _ in range(200)}

    def test_one_that_waits_goes_on_in_its_process(self):
        self.require("suspend")
        clients = [self.connect() for _ in range(2 * PROCESSES)]
        for client in clients:
            client.send(request("GET", "/wait"))
        self.wait_for_open(len(clients))
        released = 0

        def question():
            nonlocal released
            released += int(self.ask("GET", "/_release").body)  # of whichever process takes it
            return released == len(clients)
        self.poll(question, "some wait for ever")
        for client in clients:
            self.assertEqual(client.read().body, b"ok")
            client.socket.close()


class Graceful(AdapterTest):
    """A server of its own, which is asked to end when its requests have."""

    @classmethod
    def tearDownClass(cls):
        pass  # it has ended

    def setUp(self):
        try:
            self.require("forks")
        except unittest.SkipTest:
            self.server.stop()
            raise

    def test_what_has_begun_is_finished(self):
        whole = request("POST", "/echo", body=b"x" * 1000)
        uploads = [self.connect() for _ in range(3)]
        for client in uploads:
            client.send(whole[:-500])
        self.wait_for_open(len(uploads))
        with self.connect() as reader:
            reader.send(request("GET", "/large"))
            head = reader.read_head()
            self.wait_for_open(len(uploads) + 1)
            self.server.begin_to_end()
            for client in uploads:
                client.send(whole[-500:])
                self.assertEqual(client.read().body, b"x" * 1000)
                client.socket.close()
            length = int(head.get("Content-Length")[0])
            self.assertEqual(len(reader._take(length)), length)
        code, counts = self.server.await_end()
        self.assertEqual(code, 0)
        self.assertEqual((counts["sent"], counts["twice"]), (counts["entered"], 0), counts)
