# SPDX-License-Identifier: MIT
"""Apache httpd alone: bodies of requests, what follows them, how long they take, who reads them."""
import contextlib
import fcntl
import json
import select
import shutil
import socket
import ssl
import struct
import subprocess
import termios
import time
import unittest

import http2
from cases import CHAIN, ModuleTest
from cases_module_bodies import BODIES, CHUNKED, order
from client import chunked, request
from servers import free_port

IDLE = {"middleware": CHAIN["middleware"] + [
    {"use": "timeout", "when": {"paths": ["/text"]}, "options": {"body_idle_ms": 150}},
    {"use": "timeout", "name": "whole", "when": {"paths": ["/proxy/*"]}, "options": {"body_ms": 300}}]}


class Trailers(ModuleTest):
    """For a plan that leaves bodies to others: as whoever reads the body gets to its end."""

    ASKS = CHUNKED + [("X-Act", "post-trailers")]

    def trailers_of(self, lines, target="/proxy/x", fields=ASKS):
        with self.connect() as client:
            client.send(request("POST", target, fields=fields) + b"4\r\nbody\r\n0\r\n" + lines +
                        b"\r\n")
            return client.read()

    def test_they_are_shown_once_the_body_is_read(self):
        for target in ("/text", "/proxy/x"):
            with self.subTest(target):
                response = self.trailers_of(b"X-Sum: abc\r\nX-Sum: again\r\nOther:\r\n", target)
                self.assertEqual((response.status, response.body),
                                 (200, b"X-Sum=abc, again\nOther=\n"))
                self.assert_decorated(response)

    def test_what_only_a_head_may_say_is_left_out(self):
        response = self.trailers_of(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"
                                    b"Host: evil\r\nCookie: a\r\nAuthorization: b\r\nX-Kept: 1\r\n")
        self.assertEqual((response.status, response.body), (200, b"X-Kept=1\n"))

    def test_what_is_wrong_with_them_fails_the_request(self):
        for lines in (b"X-A: a\x01b\r\n", b"X A: a\r\n", b"no field\r\n", b" folded\r\n",
                      b"X-Big: " + b"b" * 9000 + b"\r\n",
                      b"".join(b"X-%d: 1\r\n" % i for i in range(101)),
                      b"".join(b"X-%d: %s\r\n" % (i, b"b" * 4000) for i in range(50))):
            with self.subTest(lines[:20]):
                before = self.server.settled()
                response = self.trailers_of(lines, fields=CHUNKED)
                self.assertIn(response.status, (400, 431))
                self.assert_decorated(response)
                self.assertEqual(response.get("Connection"), ["close"])
                after = self.server.settled_after(before, 1)
                self.assertEqual(after["sent"] - before["sent"], 1)

    def test_a_pipelined_request_has_its_own(self):
        with self.connect() as client:
            for lines in (b"X-A: 1\r\n", b"", b"X-B: 2\r\n"):
                client.send(request("POST", "/proxy/x", fields=self.ASKS) + chunked(b"body")[:-2] +
                            lines + b"\r\n")
            self.assertEqual([client.read().body for _ in range(3)],
                             [b"X-A=1\n", b"", b"X-B=2\n"])


class ShownTrailers(Trailers):
    """For a plan that is fed the body."""

    chain = BODIES


class SlowBodies(ModuleTest):
    chain = IDLE

    def assert_refused(self, client, before):
        response = client.read()
        self.assertEqual((response.status, response.get("Connection")), (408, ["close"]))
        self.assert_decorated(response)
        self.assert_late(before)

    def drip(self, begin, byte):
        with self.connect() as client:
            before = self.server.settled()
            client.send(begin)
            while not select.select([client.socket], [], [], 0.02)[0]:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.send(byte)
            self.assert_refused(client, before)

    def test_bytes_that_are_no_piece(self):
        """Of a chunk's length, of its extension, of trailers: httpd waits for all of a line."""
        for target in ("/text", "/proxy/x"):
            head = request("POST", target, fields=CHUNKED)
            for begin, byte in ((b"", b"0"), (b"5;", b"x"), (b"1\r\na\r\n0\r\nX-A: ", b"x"),
                                (b"1\r\na\r\n0\r\n", b"A: 1\r\n")):
                with self.subTest(target + str(begin)):
                    self.drip(head + begin, byte)

    def test_one_who_waits_for_leave(self):
        before = self.server.settled()
        with self.connect() as client:
            client.send(request("POST", "/text", body=b"x" * 10,
                                fields=[("Expect", "100-continue")])[:-10])
            self.assertEqual(client.read(has_body=False).status, 100)
            self.assert_refused(client, before)

    def test_the_servers_own_time_is_kept(self):
        """Shorter than the plan's, or longer, its timers are as they were before the body."""
        with self.connect() as client:
            client.ask("POST", "/text", body=b"x" * 1000)
            time.sleep(0.3)  # longer than a piece may take
            self.assert_goes_on(client)


class ShownSlowBodies(SlowBodies):
    chain = {"middleware": IDLE["middleware"] + [{"use": "bodies"}]}


class Leaving(ModuleTest):
    """Clients that say that they send no more, where times run."""

    chain = {"middleware": CHAIN["middleware"] + [
        {"use": "timeout", "options": {"head_ms": 20000, "body_ms": 20000}}]}

    def test_they_are_not_waited_for(self):
        for data in (b"", b"GET /te", request("GET", "/text")[:-2],
                     request("POST", "/proxy/x", body=b"x" * 10)[:-5],
                     request("POST", "/proxy/x", fields=CHUNKED) + b"5",
                     request("POST", "/proxy/x", fields=CHUNKED) + b"5\r\nabcde\r\n0\r\nX-A: "):
            with self.subTest(data[-20:]), self.connect() as client:
                client.send(data)
                client.socket.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while client.socket.recv(1 << 16):
                        pass
        self.assertEqual(self.server.settled()["deadline"], 0)


class RequestTime(ModuleTest):
    """A request that may not take long does not wait for its body, either."""

    chain = {"engine": {"request_ms": 200}, "middleware": CHAIN["middleware"]}

    def test_silence(self):
        before = self.server.settled()
        with self.connect() as client:
            client.send(request("POST", "/proxy/x", body=b"x" * 1000)[:-500])
            response = client.read()
            self.assertEqual((response.status, response.get("Connection")), (503, ["close"]))
            self.assert_decorated(response)
        self.assert_late(before)


class BesideReqtimeout(SlowBodies):
    """httpd's own module measures beside us: whichever time is over first."""

    chain = {"middleware": IDLE["middleware"] + [
        {"use": "timeout", "name": "patient", "when": {"paths": ["/raw/*"]},
         "options": {"body_ms": 40000}},
        {"use": "timeout", "name": "head", "options": {"head_ms": 40000}}]}
    options = {"more": "AcceptFilter http none\nRequestReadTimeout header=1 body=1\n"}

    @classmethod
    def setUpClass(cls):
        class With(cls.Server):
            loaded = (*cls.Server.loaded, "reqtimeout")
        cls.server = With(cls.chain, **cls.options).start()

    def test_its_own_time_is_kept(self):
        for silent in (request("POST", "/raw/x", body=b"x" * 10)[:-5], request("GET", "/text")[:-2]):
            before = self.server.settled()
            with self.connect() as client:
                client.send(silent)
                self.assertEqual(client.read().status, 408)
            after = self.server.settled()
            self.assertEqual(after["deadline"], before["deadline"], "it was not ours")

    def test_its_own_time_is_kept_where_nothing_comes(self):
        with self.connect() as client:
            self.assertTrue(client.is_closed())


class SlowBodiesUnderTls(ModuleTest):
    chain = {"middleware": IDLE["middleware"] + [
        {"use": "timeout", "name": "head", "options": {"head_ms": 400}}]}

    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed")

        class With(cls.Server):
            loaded = (*cls.Server.loaded, "ssl")
        cls.secure = free_port()
        server = With(cls.chain)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", server.folder / "key.pem",
                        "-out", server.folder / "cert.pem"], check=True, capture_output=True)
        server.options = {"more": f"""
Listen 127.0.0.1:{cls.secure}
SSLCertificateFile cert.pem
SSLCertificateKeyFile key.pem
<VirtualHost 127.0.0.1:{cls.secure}>
    SSLEngine On
    CatzillaMw chain.json
    RewriteEngine On
    RewriteOptions Inherit
</VirtualHost>
"""}
        cls.server = server.start()

    @contextlib.contextmanager
    def connect_tls(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.server.Client(self.secure) as client:
            client.socket = context.wrap_socket(client.socket)
            yield client

    def assert_refused(self, client, before):
        response = client.read()
        self.assertEqual(response.status, 408)
        self.assert_decorated(response)
        self.assert_late(before)

    def test_they_end(self):
        for target, rest in (("/text", 500), ("/proxy/x", 1)):
            before = self.server.settled()
            with self.connect_tls() as client:
                self.assert_goes_on(client)
                client.send(request("POST", target, body=b"x" * 1000)[:-rest])
                self.assert_refused(client, before)

    def test_heads_end(self):
        before = self.server.settled()
        with self.connect_tls() as client:
            self.assert_goes_on(client)
            client.send(request("GET", "/text")[:-2])
            self.assert_refused(client, before)


class TimedOverHttp2(ModuleTest):
    chain = {"middleware": IDLE["middleware"] + [
        {"use": "timeout", "name": "head", "options": {"head_ms": 300}}]}
    options = {"more": "Protocols h2c http/1.1\n"}
    READERS = ("/proxy/x",)  # of a stream's body httpd throws away nothing: files do not wait for it

    @classmethod
    def setUpClass(cls):
        if cls.Server.mpm == "prefork":
            raise unittest.SkipTest("mod_http2 serves from threads")

        class With(cls.Server):
            loaded = (*cls.Server.loaded, "http2")
        cls.server = With(cls.chain, **cls.options).start()

    def test_silence_is_a_408(self):
        for target in self.READERS:
            with self.subTest(target):
                before = self.server.settled()
                answer = http2.ask(self.server.port, target, b"x" * 1000, ends=False)
                self.assertIn(b"408", answer)
                self.assertIn(b"did not come whole in time", answer)
                self.assert_late(before)

    def test_quick_ones_are_whole(self):
        for size in (1, 1000, 16000):
            got = json.loads(http2.ask(self.server.port, "/proxy/x", b"x" * size))
            self.assertEqual(got["body"], size)

    def test_trailers(self):
        for target in self.READERS:
            answer = http2.ask(self.server.port, target, b"body", [(b"x-act", b"post-trailers")],
                               [(b"x-sum", b"abc"), (b"cookie", b"a"), (b"x-other", b"1")])
            self.assertEqual(answer.lower(), b"x-sum=abc\nx-other=1\n")


class ShownTimedOverHttp2(TimedOverHttp2):
    chain = {"middleware": TimedOverHttp2.chain["middleware"] + [{"use": "bodies"}]}
    READERS = ("/proxy/x", "/text")


class Stopping(ModuleTest):
    """Requests that are open when httpd is stopped, and wait for someone: each is told its end."""

    chain = BODIES

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def stop_with(self, count, *data, reads=0):
        """Counts at the end."""
        server = self.Server(self.chain, workers=1, more="Timeout 1\n").start()
        final = {}
        server.on_end = lambda: final.update(server.counts())
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                client = stack.enter_context(server.Client(server.port))
                client.send(*data)
                if reads:
                    client.socket.recv(reads)
            server.wait(lambda: server.counts()["entered"] == count, "they do not begin")
            self.settle(client)
            self.assertEqual(server.stop(), 0)
        return final

    def settle(self, client):
        """Until nothing moves: all that it can send without us has been sent."""
        came, looks = -1, 0
        while looks < 20:
            time.sleep(0.01)
            before, came = came, struct.unpack("i", fcntl.ioctl(client.socket, termios.FIONREAD,
                                                                bytes(4)))[0]
            looks = looks + 1 if came == before else 0

    def assert_told(self, final, count):
        self.assertEqual((final["entered"], final["left"], final["twice"]), (count, count, 0), final)
        self.assertEqual(final["shutdown"], count, final)

    def test_those_that_wait(self):
        waits = request("GET", "/text", fields=[("X-Act", "wait-long")])
        self.assert_told(self.stop_with(3, waits), 3)

    def test_streams_that_wait(self):
        stuck = request("GET", "/text", fields=order("stuck"))
        self.assert_told(self.stop_with(3, stuck, reads=100), 3)

    def test_bodies_that_nobody_reads(self):
        for name in ("loud", "none"):
            with self.subTest(name):
                huge = request("GET", "/huge", fields=order(name))
                self.assert_told(self.stop_with(3, huge, reads=100), 3)

    def test_bodies_that_do_not_come(self):
        for target in ("/text", "/proxy/x"):
            with self.subTest(target):
                upload = request("POST", target, body=b"x" * 1000)[:-500]
                self.assert_told(self.stop_with(3, upload), 3)
