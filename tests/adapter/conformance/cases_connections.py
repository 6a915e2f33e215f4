# SPDX-License-Identifier: MIT
"""Connections: many requests on one, many at once, slow ones, those that end early."""
import contextlib
import select
import time

from base import AdapterTest
from client import Client, request


class Connections(AdapterTest):
    def test_keep_alive(self):
        with self.connect() as client:
            for i in range(200):
                self.assertEqual(client.ask("POST", "/echo", body=b"%d" % i).body, b"%d" % i)

    def test_close_is_obeyed(self):
        with self.connect() as client:
            response = client.ask("GET", "/ok", fields=[("Connection", "close")])
            self.assertEqual(response.get("Connection"), ["close"])
            self.assertTrue(client.is_closed())

    def test_pipelining(self):
        with self.connect() as client:
            client.send(b"".join(request("POST", "/echo", body=b"%d" % i) +
                                 request("GET", "/denied") for i in range(20)))
            for i in range(20):
                self.assertEqual(client.read().body, b"%d" % i)
                self.assertEqual(client.read().status, 403)

    def test_slow_sender(self):
        with self.connect() as client, self.connect() as other:
            for byte in request("POST", "/echo", body=b"drop by drop"):
                client.send(bytes([byte]))
                if byte == ord("o"):
                    self.assert_goes_on(other)
            self.assertEqual(client.read().body, b"drop by drop")

    def test_slow_reader(self):
        with self.connect() as client, self.connect() as other:
            client.send(request("GET", "/large"))
            head = client.read_head()
            for _ in range(10):
                self.assert_goes_on(other)
                client.rest += client.socket.recv(1000)
            length = int(head.get("Content-Length")[0])
            while len(client.rest) < length:
                client._more()
            self.assertEqual(client.rest, b"l" * length)
            client.rest.clear()
            self.assert_goes_on(client)

    def test_concurrent_connections(self):
        def talk(number):
            with self.connect() as client:
                for i in range(30):
                    self.assert_own_answers(client, b"%d/%d" % (number, i) * 50)

        self.assert_none_fails(16, talk)

    # ---- Clients that leave

    def leave_after(self, data, read=0):
        with self.connect() as client:
            client.send(data)
            if read:
                client.socket.recv(read)

    def test_client_that_leaves_before_its_head_is_whole(self):
        before = self.settled_counts()
        for data in (b"", b"GE", b"GET /ok HTTP/1.1\r\n", b"GET /ok HTTP/1.1\r\nHost: a\r\n"):
            self.leave_after(data)
        after = self.settled_counts()
        self.assertLessEqual(after["entered"] - before["entered"], 20)  # none but those that ask
        self.assertEqual(after["client_gone"], before["client_gone"])

    def test_client_that_leaves_in_its_upload_is_counted_once(self):
        before = self.settled_counts()
        for _ in range(5):
            with self.connect() as client:
                client.send(request("POST", "/echo", body=b"x" * 1000)[:-500])
                time.sleep(0.02)
        after = self.settled_counts()
        late = after["deadline"] - before["deadline"] if self.has_trait("late_client_gone") else 0
        expected = 5 if self.can("head_first") else 0  # else nothing had begun
        self.assertEqual(after["client_gone"] - before["client_gone"] + late, expected)

    def test_client_that_leaves_in_its_answer_is_counted_once(self):
        self.assertTrue(self.can("notice_client_gone"))
        before = self.settled_counts()
        self.leave_after(request("GET", "/large"), read=100)
        after = self.settled_counts()
        self.assertEqual(after["client_gone"] - before["client_gone"], 1)

    def test_client_that_leaves_after_its_answer(self):
        before = self.settled_counts()
        self.assertEqual(self.ask("GET", "/ok").status, 200)
        after = self.settled_counts()
        self.assertEqual(after["client_gone"], before["client_gone"])

    # ---- Memory

    def test_warm_requests_allocate_nothing(self):
        def exercise(client):
            for _ in range(20):
                client.ask("POST", "/echo", body=b"x" * 3000)
                client.ask("GET", "/denied")
                client.ask("GET", "/ok", fields=[("X-Big", "b" * 2000)])
                client.ask("HEAD", "/many-fields")
            return int(client.ask("GET", "/_allocations").body)

        self.settled_counts()
        with self.connect() as client:  # one connection stays with one thread, hence one worker
            before = exercise(client)
            self.assertEqual(exercise(client) - before, 0)


class Waiting(AdapterTest):
    """Requests that wait, on servers that can; the others say so to a plan that needs it."""

    PATHS = {"suspend": "/wait", "suspend_post_route": "/wait-post"}

    def release(self, client, count):
        """Resume until so many have gone on."""
        done = 0

        def question():
            nonlocal done
            done += int(client.ask("GET", "/_release").body)
            return done >= count
        self.poll(question, "those that wait are not found")
        self.assertEqual(done, count)

    def places(self):
        """Paths of what can wait."""
        for capability in self.PATHS:
            if not self.can(capability):
                self.assert_refused(capability)
        return [path for capability, path in self.PATHS.items() if self.can(capability)]

    def test_released_requests_go_on(self):
        for path in self.places():
            with self.subTest(path), self.connect() as other:
                clients = [self.connect() for _ in range(8)]
                for client in clients:
                    client.send(request("GET", path))
                self.release(other, len(clients))
                for client in clients:
                    response = client.read()
                    self.assertEqual((response.status, response.body), (200, b"ok"))
                    self.assert_decorated(response)
                    self.assert_goes_on(client)
                    client.socket.close()

    def test_body_that_comes_meanwhile_is_whole(self):
        for path in self.places():
            with self.subTest(path), self.connect() as other, self.connect() as client:
                client.send(request("POST", path, body=b"x" * 100000))
                self.release(other, 1)
                self.assertEqual(client.read().status, 200)
                self.assert_goes_on(client)

    def test_pipelined_behind_one_that_waits(self):
        for path in self.places():
            with self.subTest(path), self.connect() as other, self.connect() as client:
                client.send(request("GET", path) + request("GET", "/denied"))
                self.release(other, 1)
                self.assertEqual([client.read().status for _ in range(2)], [200, 403])

    def test_client_that_leaves_while_it_waits(self):
        """Where that is noticed only later, it is when the request goes on."""
        for path in self.places():
            with self.subTest(path), self.connect() as other:
                for _ in range(3):
                    with self.connect() as client:
                        client.send(request("GET", path))
                        self.poll(lambda: other.ask("GET", "/_waiting").body == b"1", "it waits")
                    other.ask("GET", "/_release")
                self.settled_counts()
                self.assert_goes_on(other)


class Plans(AdapterTest):
    def test_plans_that_need_what_the_server_lacks_are_refused(self):
        for capability, sentence in self.server.about["needs"].items():
            with self.subTest(capability):
                if self.refuses(capability):
                    self.assert_refused(capability)
                else:
                    self.assertEqual(sentence, "")


class Ends(AdapterTest):
    """Each case has a server of its own."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def start(self, *arguments):
        self.server = self.launch(*arguments)

    def stop(self):
        code, counts = self.server.stop()
        self.assertEqual(code, 0, "the engine could not be destroyed")
        self.assertEqual((counts["entered"], counts["twice"]), (counts["left"], 0), counts)
        return counts

    def assert_shutdown(self, counts, expected):
        mistaken = counts["client_gone"] if self.has_trait("unsure_of_shutdown") else 0
        if self.has_trait("unsure_of_sent"):
            self.assertGreaterEqual(counts["shutdown"], expected, counts)
        else:
            self.assertEqual(counts["shutdown"] + mistaken, expected, counts)

    def test_idle_connections_do_not_keep_it_from_ending(self):
        self.start()
        with self.connect() as client, self.connect():
            self.assert_goes_on(client)
            counts = self.stop()
        self.assertEqual(counts["sent"] + counts["shutdown"], 1)

    def start_to_stop(self):
        """With requests open; a server that lets each of its threads read and write on would kill those
        that are at it for long: no request's end would be told."""
        self.start()
        if self.has_trait("awaits_clients_at_its_end"):
            self.stop()
            self.start("idle_s=1")

    def test_open_uploads_end_with_shutdown(self):
        self.start_to_stop()
        clients = [self.connect() for _ in range(3)]
        for client in clients:
            client.send(request("POST", "/echo", body=b"x" * 1000)[:-500])
        begun = len(clients) if self.can("head_first") else 0
        self.wait_for_open(begun)
        counts = self.stop()
        self.assert_shutdown(counts, begun)
        for client in clients:
            client.socket.close()

    def test_answers_that_are_not_read_end_with_shutdown(self):
        self.start_to_stop()
        with self.connect() as client:
            client.send(request("GET", "/large"))
            client.socket.recv(100)
            self.wait_for_open(1)
            self.assert_shutdown(self.stop(), 1)

    def test_requests_that_wait_are_given_up(self):
        self.start()
        if not self.can("suspend"):
            self.assert_refused("suspend")
            self.stop()
            return
        with self.connect() as client:
            client.send(request("GET", "/wait"))
            self.wait_for_open(1)
            counts = self.stop()
        self.assert_shutdown(counts, 1)

    # ---- Deadlines

    def test_request_that_waits_past_its_deadline_is_a_decorated_503(self):
        self.start("request_ms=50")
        waited = 0
        for capability, path in Waiting.PATHS.items():
            if not self.can(capability):
                self.assert_refused(capability)
                continue
            with self.subTest(path), self.connect() as client:
                response = client.ask("GET", path)
                self.assertEqual(response.status, 503)
                self.assert_decorated(response)
                self.assert_goes_on(client)
                waited += 1
        self.assertEqual(self.stop()["deadline"], waited)

    def test_deadline_that_passes_in_the_handler_is_a_decorated_503(self):
        self.start("request_ms=50")
        with self.connect() as client:
            response = client.ask("POST", "/overrun", body=b"x" * 1000)
            self.assertEqual(response.status, 503)
            self.assert_decorated(response)
            self.assert_goes_on(client)
        self.assertEqual(self.stop()["deadline"], 1)

    def test_deadline_that_passes_in_the_upload(self):
        """Where the request begins with its head; else with the last byte of its body."""
        self.start("request_ms=50")
        with self.connect() as client:
            whole = request("POST", "/ok", body=b"x" * 1000)
            client.send(whole[:-1])
            if self.can("head_first"):
                self.wait_for_open(1)
            time.sleep(0.1)  # at least
            client.send(whole[-1:])
            response = client.read()
            self.assertEqual(response.status, 503 if self.can("head_first") else 200)
            self.assert_decorated(response)
        self.assertEqual(self.stop()["deadline"], 1 if self.can("head_first") else 0)

    def test_slow_upload_is_a_decorated_408(self):
        """As soon as a piece comes that is late; a server that does not measure it waits."""
        for limit in ("body_ms=50", "body_idle_ms=50"):
            if not self.can_time_bodies(limit):
                continue
            with self.subTest(limit), self.connect() as client, self.connect() as other:
                client.send(request("POST", "/echo", body=b"x" * 900000)[:-880000])
                time.sleep(0.1)  # at least
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.send(b"x" * 20000)
                response = client.read()
                self.assertEqual(response.status, 408)
                self.assert_decorated(response)
                self.assertEqual(response.get("Connection"), ["close"])
                self.assert_goes_on(other)
            self.assertEqual(self.stop()["deadline"], 1)

    def test_silent_upload_ends(self):
        """With an answer or without, long before the server's own time is over."""
        if not self.can_time_bodies("body_idle_ms=50", "idle_s=2"):
            return
        with self.connect() as client, self.connect() as other:
            client.send(request("POST", "/echo", body=b"x" * 1000)[:-500])
            with contextlib.suppress(ConnectionResetError):
                while client.socket.recv(1 << 16):
                    pass
            self.assert_goes_on(other)
        self.assertEqual(self.stop()["deadline"], 1)

    def can_time(self, capability, *arguments):
        """A server that runs, or a check that it refuses to."""
        self.start(*arguments)
        if self.can(capability):
            return True
        self.assert_refused(capability)
        self.stop()
        return False

    def can_time_bodies(self, *arguments):
        return self.can_time("time_body", *arguments)

    def test_head_that_never_ends_is_a_decorated_408(self):
        """However steadily it comes; while nothing has come of it, its time has not begun. A server
        may end the connection instead."""
        if not self.can_time("time_head", "head_ms=50"):
            return
        answered = 0
        for begin in (b"GET /", b"GET /ok HTTP/1.1\r\nHost: a\r\nX-Slow: "):
            with self.subTest(begin), self.connect() as client:
                self.assert_goes_on(client)
                time.sleep(0.1)  # at least
                self.assert_goes_on(client)
                client.send(begin)
                while not select.select([client.socket], [], [], 0.005)[0]:
                    client.send(b"x")
                with contextlib.suppress(EOFError, ConnectionResetError):
                    response = client.read()
                    self.assertEqual(response.status, 408)
                    self.assert_decorated(response)
                    self.assertEqual(response.get("Connection"), ["close"])
                    answered += 1
        self.assert_late(answered, 2)

    def assert_late(self, answered, late):
        """Each is counted as a request that was answered, or as none; the stock servers do not tell."""
        counts = self.stop()
        self.assertEqual(counts["deadline"], answered)
        if "late_heads" in counts:
            self.assertEqual(counts["late_heads"], late - answered)

    def test_quick_head_is_none_of_a_deadline(self):
        if not self.can_time("time_head", "head_ms=20000"):
            return
        with self.connect() as client:
            for _ in range(3):
                client.send(request("GET", "/ok") * 2)
                self.assertEqual([client.read().status, client.read().status], [200, 200])
        self.assertEqual(self.stop()["deadline"], 0)

    def test_head_that_never_ends_on_a_new_connection_ends_it(self):
        """Also while others are served."""
        if not self.can_time("time_head", "head_ms=50"):
            return
        with self.connect() as slow, self.connect() as other:
            slow.send(b"GET /ok HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            while not select.select([slow.socket], [], [], 0.005)[0]:
                slow.send(b"x")
                self.assert_goes_on(other)
        self.stop()

    def test_head_that_waits_for_the_server_is_none_of_a_deadline(self):
        """It is there, and the server's thread is busy with another request."""
        if not self.can_time("time_head", "head_ms=50", "request_ms=400"):
            return
        with self.connect() as client:
            self.assert_goes_on(client)
            time.sleep(0.1)  # at least: it is known to wait
            with self.connect() as busy:
                busy.send(request("GET", "/overrun"))
                self.assert_goes_on(client)
                self.assertEqual(busy.read().status, 503)
        self.stop()

    def test_quick_upload_is_none_of_a_deadline(self):
        """Also several on one connection, whose time begins anew with each."""
        if not self.can_time_bodies("body_ms=30000", "body_idle_ms=20000"):
            return
        with self.connect() as client:
            for _ in range(3):
                self.assertEqual(client.ask("POST", "/echo", body=b"x" * 1000).status, 200)
        self.assertEqual(self.stop()["deadline"], 0)

    def test_clients_that_send_nothing_more_are_not_awaited_for_ever(self):
        """Idle, in a head, in an upload: the connection ends, with an answer or without."""
        self.start("idle_s=1")
        upload = request("POST", "/echo", body=b"x" * 1000)
        clients = [self.connect() for _ in range(4)]
        self.assert_goes_on(clients[0])
        for client, data in zip(clients, (b"", b"", b"GET /ok HTTP/1.1\r\nHos", upload[:-1])):
            client.send(data)
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                while client.socket.recv(1 << 16):
                    pass
            client.socket.close()
        self.settled_counts()
        self.stop()

    def test_overload_is_a_503_with_constant_fields(self):
        self.start("contexts=8")  # of a worker; there are 32 workers
        clients, refused = [], None
        while not refused:
            self.assertLess(len(clients), 300, "nothing is refused")
            clients.append(Client(self.server.port))
            clients[-1].send(request("GET", "/large"))
            response = clients[-1].read_head()
            refused = response if response.status != 200 else None
        self.assertEqual((refused.status, refused.get("X-Const")), (503, ["yes"]))
        for client in clients:
            client.socket.close()
        self.poll(lambda: self.ask("GET", "/ok").status == 200, "the contexts do not come back")
        self.settled_counts()
        self.stop()

    def test_full_pool_is_answered_with_constant_fields(self):
        """Whatever the memory of requests is missing for; what was let in comes to its end."""
        for limit in (300, 1000, 5000, 7000, 30000):
            self.start(f"pool_bytes={limit}")
            has_bodies = self.can("stream_request_body") or not self.can("passes_bodies")
            is_enough = limit > (10000 if has_bodies else 4200)  # a context has 4 KiB
            with self.subTest(limit), contextlib.ExitStack() as stack:
                statuses = []
                for _ in range(10):
                    client = stack.enter_context(self.connect())
                    client.send(request("POST", "/large", body=b"x" * 3000))
                    response = client.read_head()
                    self.assertEqual(response.get("X-Const"), ["yes"])
                    statuses.append(response.status)
                self.assertEqual(statuses[0], 200 if is_enough else 503)
                self.assertEqual(statuses[-1], 503)
                self.assertEqual(set(statuses), {200, 503} if is_enough else {503})
            self.stop()
