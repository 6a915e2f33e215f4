# SPDX-License-Identifier: MIT
"""Apache httpd alone: its directives, containers, redirects, subrequests."""
import json
import subprocess

from cases import CHAIN, ModuleTest, PROBE
from cases_configuration import marked
from cases_module_bodies import BODIES, STREAM
from client import Response, chunked, request
from places import PLACES, PlaceTests, chain_of
from servers import Apache, LARGE, LONG_S


class Places(PlaceTests, ModuleTest):
    """Server, virtual host, containers."""

    mark, target, bodies = "server", "/file.txt", (b"a file\n", b"a file\n")
    chain, locations = chain_of(mark), PLACES

    @classmethod
    def setUpClass(cls):
        cls.take_ports()
        more = f"""
RewriteRule ^/inner-place$ /place/x [PT]
RewriteRule ^/nested/ FOLDER/html/file.txt
RewriteRule ^/from/(.*) FOLDER/html/file.txt
<Location /nested/>
    CatzillaMw place.json
</Location>
<Location /nested/off/>
    CatzillaMw off
</Location>
<Location /from/>
    CatzillaMw place.json
    ErrorDocument 404 /text
</Location>
<Directory FOLDER/html/folder>
    CatzillaMw other.json
</Directory>
Listen 127.0.0.1:{cls.second}
Listen 127.0.0.1:{cls.third}
<VirtualHost 127.0.0.1:{cls.second}>
    CatzillaMw second.json
    DocumentRoot FOLDER/html
</VirtualHost>
<VirtualHost 127.0.0.1:{cls.third}>
    CatzillaMw off
    DocumentRoot FOLDER/html
</VirtualHost>
"""
        server = Apache(cls.chain, cls.locations)
        server.options = {"more": more.replace("FOLDER", str(server.folder))}
        server.write("second.json", marked("second"))
        (server.folder / "html" / "folder" / "index.html").write_text("folder\n")
        cls.server = server.start()

    def test_a_directory_whose_index_is_found_later(self):
        response = self.ask("GET", "/folder/")
        self.assertEqual((response.body, response.get("X-Place")), (b"folder\n", ["other"]))

    def test_a_container_in_a_virtual_host_of_another_file(self):
        response = self.ask_port(self.second, "/folder/")
        self.assertEqual((response.get("X-Mark"), response.get("X-Place")), (["second"], ["other"]))

    def test_a_container_alone(self):
        response = self.ask_port(self.third, "/folder/")
        self.assertEqual((response.get("X-Mark"), response.get("X-Place")), ([], ["other"]))


class Inside(ModuleTest):
    options = {"more": """
<Location /guarded>
    Require all denied
    ErrorDocument 403 /file.txt
</Location>
"""}

    def test_subrequests_are_part_of_the_request(self):
        before = self.server.settled()
        response = self.ask("GET", "/ssi")
        self.assert_decorated(response)
        self.assertIn(b"text\n", response.body)
        after = self.server.settled()
        self.assertEqual(after["entered"] - before["entered"], 1)
        with self.connect() as client:
            response = client.ask("GET", "/ssi", fields=[("X-Act", "post-text")])
            self.assertEqual(response.body, b"another body\n")
            self.assert_goes_on(client)

    def test_internal_redirects_are_part_of_the_request(self):
        before = self.server.settled()
        response = self.ask("GET", "/guarded")
        self.assertEqual((response.status, response.body), (403, b"a file\n"))
        self.assert_decorated(response)
        self.assert_decorated(self.ask("GET", "/inner"))
        after = self.server.settled()
        self.assertEqual(after["entered"] - before["entered"], 2)

    def test_an_answer_comes_before_access_checks(self):
        self.assertEqual(self.act("stop:418", target="/guarded").status, 418)

    def test_compressed_bodies(self):
        accept = ("Accept-Encoding", "gzip")
        response = self.ask("GET", "/zipped", fields=[accept])
        self.assertEqual(response.get("Content-Encoding"), ["gzip"])
        self.assert_decorated(response)
        with self.connect() as client:
            response = client.ask("GET", "/zipped", fields=[accept, ("X-Act", "post-text")])
            self.assertEqual((response.body, response.get("Content-Encoding")),
                             (b"another body\n", []))
            self.assert_goes_on(client)

    def test_mod_headers_is_seen(self):
        self.assertEqual(self.ask("GET", "/added").get("X-Added"), ["here"])

    def test_a_replaced_body_is_not_cut(self):
        response = self.ask("GET", "/file.txt", fields=[("Range", "bytes=0-1"),
                                                        ("X-Act", "post-text")])
        self.assertEqual((response.status, response.body), (200, b"another body\n"))

    def test_a_range_that_cannot_be_is_decorated(self):
        response = self.ask("GET", "/file.txt", fields=[("Range", "bytes=100-200")])
        self.assertEqual(response.status, 416)
        self.assert_decorated(response)

    def test_a_length_beside_a_coding_hides_nothing(self):
        with self.connect() as client:
            client.send(request("POST", "/proxy/x", fields=[("Content-Length", "3"),
                                                            ("Transfer-Encoding", "chunked")]) +
                        chunked(b"abc") + request("GET", "/text"))
            response = client.read()
            self.assertIn(response.status, (200, 400))
            self.assert_decorated(response)
            self.assertTrue(client.is_closed())

    def test_workers_have_ids_of_their_own(self):
        ids = {self.ask("GET", "/text").get("X-Request-ID")[0] for _ in range(200)}
        self.assertEqual(len(ids), 200)


class Clients(ModuleTest):
    """Address and scheme that middleware found."""

    chain = {"middleware": [PROBE, {"use": "security_headers"}, {"use": "request_id"},
                            {"use": "trusted_proxy", "options": {"trust": ["127.0.0.1"], "forwarded_proto": True}}]}
    options = {"more": """
Header always set X-Who "expr=%{REMOTE_ADDR} %{REQUEST_SCHEME}"
<Location /inside>
    Require ip 192.0.2.7
</Location>
"""}

    def test_httpd_knows_the_client(self):
        fields = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")]
        response = self.ask("GET", "/text", fields=fields)
        self.assertEqual(response.get("X-Who"), ["192.0.2.7 https"])
        self.assertEqual(self.ask("GET", "/inside", fields=fields).status, 404)
        self.assertEqual(self.ask("GET", "/inside").status, 403)
        self.assertEqual(self.ask("GET", "/text").get("X-Who"), ["127.0.0.1 http"])


class Reload(ModuleTest):
    def test_httpd_ends_where_it_is_told_to_read_what_is_wrong(self):
        """As with any directive; its message names the mistake."""
        server = Apache(CHAIN).start()
        self.addCleanup(server.stop)
        self.assertEqual(server.check()[0], 0)
        server.write("chain.json", '{"middleware": [{"use": "corse"}]}')
        self.assertIn("corse", server.check()[1])
        server.process.send_signal(server.reload_signal)
        self.assertNotEqual(server.process.wait(LONG_S), 0)
        self.assertIn("corse", server.log())


class Overload(ModuleTest):
    """One worker for requests, one for those that get none."""

    chain = {"engine": {"worker_limit": 2, "request_ms": 20000}, "middleware": CHAIN["middleware"]}
    options = {"workers": 1}

    def test_the_ready_made_answer(self):
        with self.connect() as first:
            before = self.server.settled()
            first.send(request("GET", "/text", fields=[("X-Act", "wait-long")]))
            self.server.wait(lambda: self.server.counts()["entered"] > before["entered"],
                             "the first does not wait")
            for _ in range(3):
                response = self.ask("GET", "/text")
                self.assertEqual((response.status, response.get("X-Const")), (503, ["yes"]))
                self.assertEqual(response.get("Connection"), ["close"])
        self.server.wait(lambda: self.ask("GET", "/text").status == 200, "nobody notices the first")
        self.assertEqual(self.server.settled()["client_gone"] - before["client_gone"], 1)


class OverHttp2(ModuleTest):
    options = {"more": "Protocols h2c http/1.1\n"}

    @classmethod
    def setUpClass(cls):
        class WithHttp2(Apache):
            loaded = (*Apache.loaded, "http2")
        cls.server = WithHttp2(cls.chain, **cls.options).start()

    def ask_2(self, target, order="", body=None, name=""):
        """Status, fields, body."""
        more = ["--data-binary", "@-"] if body is not None else []
        done = subprocess.run(["curl", "-sS", "-i", "--http2-prior-knowledge", "-H",
                               f"X-Act: {order}", "-H", f"X-Body: {name}", *more,
                               f"http://127.0.0.1:{self.server.port}{target}"],
                              input=body, capture_output=True, timeout=LONG_S)
        head, _, text = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
        return Response(int(lines[0].split()[1]), fields, text)

    def test_answers(self):
        for target, order, status, body in (
                ("/file.txt", "", 200, b"a file\n"), ("/none", "", 404, None),
                ("/file.txt", "stop:418", 418, b"stopped\n"), ("/text", "wait", 200, b"text\n"),
                ("/proxy/x", "post-text", 200, b"another body\n"), ("/text", "error", 500, None),
                ("/large", "", 200, b"l" * LARGE)):
            with self.subTest(target + order):
                response = self.ask_2(target, order)
                self.assertEqual(response.status, status)
                self.assert_decorated(response)
                if body is not None:
                    self.assertTrue(response.body == body, response.body[:100])

    def test_a_client_that_leaves_while_it_waits(self):
        before = self.server.settled()
        curl = subprocess.Popen(["curl", "-sS", "--http2-prior-knowledge", "-H", "X-Act: wait-long",
                                 f"http://127.0.0.1:{self.server.port}/text"],
                                stderr=subprocess.DEVNULL)
        self.server.wait(lambda: self.server.counts()["entered"] > before["entered"],
                         "it does not wait")
        curl.kill()
        curl.wait()
        self.assertEqual(self.server.settled()["client_gone"] - before["client_gone"], 1)

    def test_uploads(self):
        self.assertEqual(json.loads(self.ask_2("/proxy/x", body=b"x" * 5000).body)["body"], 5000)


class BodiesOverHttp2(OverHttp2):
    chain = BODIES

    def test_bodies_go_through_the_plan(self):
        for target, name, body in (("/file.txt", "loud", b"A FILE\n"), ("/large", "loud", b"L" * LARGE),
                                   ("/text", "stream", STREAM), ("/text", "replace", STREAM)):
            with self.subTest(target + name):
                self.assertTrue(self.ask_2(target, name=name).body == body)

    def test_one_that_fails_is_not_taken_for_whole(self):
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "X-Body: fails",
                               f"http://127.0.0.1:{self.server.port}/large"],
                              capture_output=True, timeout=LONG_S)
        self.assertNotEqual(done.returncode, 0)


class Single(ModuleTest):
    """One process that reads and serves: httpd -X. Its connection stays open until it has ended:
    httpd looks at connections that its threads are closing meanwhile, and crashes then (it does
    without the module, too)."""

    @classmethod
    def setUpClass(cls):
        class One(Apache):
            def command(self, *arguments):
                return super().command(*(arguments or ("-X",)))
        cls.server = One(cls.chain).start()
        cls.client = cls.server.Client(cls.server.port)
        cls.addClassCleanup(cls.client.socket.close)

    def test_it_serves(self):
        for _ in range(10):
            self.assert_goes_on(self.client)
        self.assert_decorated(self.client.ask("GET", "/file.txt", fields=[("X-Act", "wait")]))
