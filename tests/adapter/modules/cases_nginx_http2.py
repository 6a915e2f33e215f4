# SPDX-License-Identifier: MIT
"""nginx over HTTP/2 and TLS, by curl; certificates by openssl."""
import json
import shutil
import subprocess
import unittest

import http2
from cases import ModuleTest
from cases_module_bodies import BODIES, order, STREAM
from client import Response
from servers import LARGE, LONG_S, Nginx, free_port


class Secured(ModuleTest):
    """The server of the others, on two more ports: HTTP/2 in the clear, and TLS with both."""

    chain = {"middleware": BODIES["middleware"] + [
        {"use": "timeout", "when": {"paths": ["/tried"]}, "options": {"body_idle_ms": 150}}]}

    @classmethod
    def setUpClass(cls):
        if not shutil.which("curl") or not shutil.which("openssl"):
            raise unittest.SkipTest("curl or openssl is not installed")
        cls.clear, cls.secure = free_port(), free_port()
        cls.server = Nginx(cls.chain, server=f"""
            listen 127.0.0.1:{cls.clear} http2;
            listen 127.0.0.1:{cls.secure} ssl http2;
            ssl_certificate cert.pem; ssl_certificate_key key.pem;""")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", cls.server.folder / "key.pem",
                        "-out", cls.server.folder / "cert.pem"], check=True, capture_output=True)
        cls.server.start()

    def curl(self, base, target, method="GET", body=None, fields=(), arguments=()):
        command = ["curl", "-sS", "-D", "-", "-o", self.server.folder / "body", *arguments]
        command += ["-I"] if method == "HEAD" else ["-X", method]
        for name, value in fields:
            command += ["-H", f"{name}: {value}"]
        if body is not None:
            command += ["--data-binary", "@-"]
        done = subprocess.run([*command, base + target], input=body, capture_output=True,
                              timeout=LONG_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.decode().strip().split("\r\n")
        pairs = [line.split(":", 1) for line in lines[1:]]
        response = Response(int(lines[0].split()[1]),
                            [(name.lower(), value.strip()) for name, value in pairs],
                            (self.server.folder / "body").read_bytes() if method != "HEAD" else b"")
        response.protocol = lines[0].split()[0]
        return response

    def ask_2(self, target, **named):
        response = self.curl(f"http://127.0.0.1:{self.clear}", target,
                             arguments=["--http2-prior-knowledge"], **named)
        self.assertEqual(response.protocol, "HTTP/2")
        return response

    def ask_tls(self, target, version="--http2", **named):
        return self.curl(f"https://127.0.0.1:{self.secure}", target,
                         arguments=[version, "--insecure"], **named)

    def test_answers(self):
        for ask in (self.ask_2, self.ask_tls):
            for target, status, body in (("/text", 200, b"text\n"), ("/file.txt", 200, b"a file\n"),
                                         ("/large", 200, b"l" * LARGE), ("/none", 404, None),
                                         ("/moved", 301, None), ("/proxy/x", 200, None),
                                         ("/nothing", 204, None), ("/secret/x", 401, None)):
                with self.subTest(target):
                    response = ask(target)
                    self.assertEqual(response.status, status)
                    self.assert_decorated(response)
                    if body is not None:
                        self.assertTrue(response.body == body)
            response = ask("/large", method="HEAD")
            self.assertEqual(response.get("Content-Length"), [str(LARGE)])
            self.assert_decorated(response)

    def test_verdicts(self):
        for ask in (self.ask_2, self.ask_tls):
            for act, status, body in (("stop:403", 403, b"stopped\n"), ("error", 500, None),
                                      ("post-text", 200, b"another body\n"), ("wait", 200, None),
                                      ("post-error", 500, None)):
                response = ask("/file.txt", fields=[("X-Act", act)])
                self.assertEqual(response.status, status)
                self.assert_decorated(response)
                if body:
                    self.assertEqual(response.body, body)

    def test_bodies_of_requests(self):
        for ask in (self.ask_2, self.ask_tls):
            for size in (1, 5000, 200000):
                response = ask("/text", method="POST", body=b"x" * size, fields=order("count"))
                self.assertEqual(response.body, b"%d" % size)
                got = json.loads(ask("/proxy/x", method="POST", body=b"x" * size,
                                     fields=order("wait")).body)
                self.assertEqual(got["body"], size)
            response = ask("/text", method="POST", body=b"x" * 1000, fields=order("refuse"))
            self.assertEqual((response.status, response.body), (403, b"refused\n"))

    def test_bodies_over_the_limit(self):
        """Over HTTP/1.1: an early end of a stream curl takes for an error, also from nginx alone."""
        response = self.ask_tls("/text", "--http1.1", method="POST", body=b"x" * ((1 << 20) + 1))
        self.assertEqual(response.status, 413)
        self.assert_decorated(response)

    def test_bodies_of_responses(self):
        for ask in (self.ask_2, self.ask_tls):
            for target, body in (("/text", b"TEXT\n"), ("/large", b"L" * LARGE), ("/proxy/x", None)):
                response = ask(target, fields=order("loud"))
                self.assertTrue(response.body == (body or response.body.upper()))
                self.assert_decorated(response)
            for name in ("stream", "replace"):
                self.assertTrue(ask("/file.txt", fields=order(name)).body == STREAM)
            for name in ("slow", "slow-post"):
                self.assertEqual(len(ask("/file.txt", fields=order(name)).body), 25000)

    def test_trailers_of_responses(self):
        """curl writes them behind the head's fields."""
        for target, size in (("/text", 5), ("/large", LARGE)):
            command = ["curl", "-sS", "-D", "-", "-o", "/dev/null", "--http2-prior-knowledge",
                       "-H", "X-Body: trails", "-H", "TE: trailers",
                       f"http://127.0.0.1:{self.clear}{target}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S,
                                  check=True)
            self.assertIn("\ntrailer: X-Sum", done.stdout)
            self.assertIn(f"\nx-sum: {size}\n", done.stdout.replace("\r", ""))
        response = self.ask_2("/text", fields=order("trails"))
        self.assertEqual((response.get("Trailer"), response.get("X-Sum")), ([], []))

    def test_the_view(self):
        self.assertEqual(self.ask_2("/known").body, b"127.0.0.1 http 127.0.0.1 /known")
        for version, protocol in (("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")):
            response = self.ask_tls("/known", version)
            self.assertEqual(response.protocol, protocol)
            self.assertEqual(response.body, b"127.0.0.1 https 127.0.0.1 /known")

    def test_silence_is_a_408(self):
        """The body of a stream begins, and nothing more comes."""
        before = self.server.settled()
        answer = http2.ask(self.clear, "/tried", b"x" * 1000, ends=False)
        self.assertIn(b"408", answer)
        self.assertIn(b"did not come whole in time", answer)
        self.assert_late(before)
