# SPDX-License-Identifier: MIT
"""nginx alone: its directives, phases, subrequests."""
import pathlib
import shutil
import time
import unittest

from cases import CHAIN, ModuleTest, PROBE
from cases_configuration import ConfigurationTest, marked
from client import request
from places import PLACES, PlaceTests, chain_of
from servers import LARGE, Nginx


class OwnDirectives(ConfigurationTest):
    def test_a_plan_that_waits_in_post_route(self):
        text = self.refuse({"middleware": [{"use": "post_waiter"}]})
        self.assertIn("suspends in post_route, and nginx cannot wait", text)


class Places(PlaceTests, ModuleTest):
    """http, server, location."""

    mark, bodies = "http", (b"second", b"third")
    chain, locations = chain_of(mark), PLACES
    options = {"more": """
        location = /inner-place { rewrite ^ /place/x last; }
        location /from/ { catzilla_mw place.json; rewrite ^/from/(.*) /other/$1 last; }
        location /nested/ { catzilla_mw place.json;
            location /nested/deeper/ { return 200 deeper; }
            location /nested/off/ { catzilla_mw off; return 200 off; } }
        }
        server { listen 127.0.0.1:SECOND; catzilla_mw second.json; return 200 second; }
        server { listen 127.0.0.1:THIRD; catzilla_mw off; return 200 third;
    """}

    @classmethod
    def setUpClass(cls):
        cls.take_ports()
        options = {"more": cls.options["more"].replace("SECOND", str(cls.second)).replace(
            "THIRD", str(cls.third))}
        cls.server = Nginx(cls.chain, cls.locations, **options)
        cls.server.write("second.json", marked("second"))
        cls.server.start()

    def test_from_one_file_to_another_is_refused(self):
        response = self.ask("GET", "/from/x")
        self.assertEqual(response.status, 500)
        self.assert_decorated(response)


class ErrorPages(ModuleTest):
    """What a location's file guards is not reached by way of error_page either."""

    chain = {"middleware": [PROBE, {"use": "security_headers"}, {"use": "request_id"}]}
    locations = {"kept": {"middleware": [
        {"use": "basic_auth", "options": {"realm": "r", "users": {"u": "p"}}}]},
                 "marked": {"middleware": [
                     {"use": "set_headers", "options": {"append": {"X-Place": "marked"}}}]}}
    options = {"more": """
        location = /to-kept { error_page 404 /kept/page; return 404; }
        location = /to-marked { error_page 404 /marked/page; return 404; }
        location = /marked-to-kept { catzilla_mw marked.json; error_page 404 /kept/page; return 404; }
        location = /as-200 { error_page 404 =200 /kept/page; return 404; }
    """}

    def test_a_guarded_page(self):
        for target in ("/to-kept", "/as-200"):
            response = self.ask("GET", target)
            self.assertEqual(response.status, 401)
            self.assertNotIn(b"kept", response.body)
            self.assert_decorated(response)

    def test_a_page_with_a_file(self):
        response = self.ask("GET", "/to-marked")
        self.assertEqual((response.status, response.body, response.get("X-Place")),
                         (404, b"marked\n", ["marked"]))

    def test_a_page_behind_a_second_file_is_left_out(self):
        response = self.ask("GET", "/marked-to-kept")
        self.assertEqual(response.status, 404)
        self.assertNotIn(b"kept", response.body)
        self.assert_decorated(response)


class Overload(ModuleTest):
    """More requests than may be in flight."""

    chain = {"engine": {"context_limit": 2},
             "middleware": [PROBE, {"use": "security_headers"},
                            {"use": "set_headers", "options": {"set": {"X-Long": "l" * 3000}}}]}
    options = {"workers": 1}

    def test_overload_is_answered_with_the_plans_fields(self):
        waiting = [self.connect() for _ in range(2)]
        for client in waiting:
            client.send(request("GET", "/text", fields=[("X-Act", "wait-long")]))
        self.server.wait(lambda: self.server.counts()["entered"] -
                         self.server.counts()["left"] == 2, "they do not wait")
        for _ in range(5):
            response = self.ask("GET", "/text")
            self.assertEqual(response.status, 503)
            self.assertEqual(response.get("X-Const"), ["yes"])
            self.assertEqual(response.get("X-Content-Type-Options"), ["nosniff"])
            self.assertEqual(response.get("Connection"), ["close"])
        for client in waiting:
            client.socket.close()
        self.server.settled()
        self.assertEqual(self.ask("GET", "/text").status, 200)


class LocationOnly(ModuleTest):
    chain = {"middleware": []}
    locations = {"place": {"middleware": [PROBE, {"use": "security_headers"}, {"use": "request_id"}]}}
    options = {"http": ""}

    def test_only_there(self):
        self.assert_decorated(self.ask("GET", "/place/x"))
        self.assertEqual(self.ask("GET", "/text").get("X-Const"), [])

    def test_waiting_in_a_location(self):
        response = self.act("wait", target="/place/x")
        self.assertEqual(response.body, b"place\n")
        self.assert_decorated(response)


class Inside(ModuleTest):
    def test_rewrites_and_named_locations(self):
        for target, body in (("/inner", b"text\n"), ("/tried", b"named\n")):
            response = self.ask("GET", target)
            self.assertEqual(response.body, body)
            self.assert_decorated(response)

    def test_subrequests_are_part_of_the_request(self):
        before = self.server.settled()
        with self.connect() as client:
            client.send(request("GET", "/ssi"))
            response = client.read_head()
            self.assert_decorated(response)
            while not client.rest.endswith(b"0\r\n\r\n"):
                client._more()
            self.assertIn(b"text\n", client.rest)
        after = self.server.settled()
        self.assertEqual(after["entered"] - before["entered"], 1)
        with self.connect() as client:
            response = client.ask("GET", "/ssi", fields=[("X-Act", "post-text")])
            self.assertEqual(response.body, b"another body\n")
            self.assert_goes_on(client)

    def test_compressed_bodies(self):
        with self.connect() as client:
            client.send(request("GET", "/zipped", fields=[("Accept-Encoding", "gzip")]))
            response = client.read_head()
            self.assertEqual(response.get("Content-Encoding"), ["gzip"])
            self.assert_decorated(response)
        with self.connect() as client:
            response = client.ask("GET", "/zipped", fields=[("Accept-Encoding", "gzip"),
                                                            ("X-Act", "post-text")])
            self.assertEqual((response.body, response.get("Content-Encoding")),
                             (b"another body\n", []))
            self.assert_goes_on(client)

    def test_add_header_is_seen(self):
        self.assertEqual(self.ask("GET", "/added").get("X-Added"), ["here"])

    def test_variables(self):
        self.assertEqual(self.ask("GET", "/known").body,
                         b"127.0.0.1 http test.example /known")

    def test_workers_have_ids_of_their_own(self):
        ids = {self.ask("GET", "/text").get("X-Request-ID")[0] for _ in range(200)}
        self.assertEqual(len(ids), 200)


class OneProcess(Nginx):
    """It reads the configuration and serves."""

    def configure(self):
        super().configure()
        path = self.folder / "nginx.conf"
        path.write_text(path.read_text().replace("daemon off;", "daemon off; master_process off;"))


class Variables(ModuleTest):
    """A variable of a response's field, for which fields stand one by one."""

    options = {"http": """
        log_format seen "$sent_http_x_frame_options|$sent_http_content_type|$sent_http_x_request_id";
        catzilla_mw chain.json;""", "server": "access_log seen.log seen;"}

    def test_a_log_has_what_was_sent(self):
        response = self.ask("GET", "/text")
        self.assert_decorated(response)
        log = self.server.folder / "seen.log"
        line = f"SAMEORIGIN|text/plain|{response.get('X-Request-ID')[0]}"
        self.server.wait(lambda: line in log.read_text(), f"{line} is not logged")


class Single(ModuleTest):
    """One process that reads and serves. nginx cannot reload then."""

    Server = OneProcess

    @classmethod
    def setUpClass(cls):
        cls.server = OneProcess(cls.chain).start()

    def test_it_serves(self):
        with self.connect() as client:
            for _ in range(10):
                self.assert_goes_on(client)
            self.assert_decorated(client.ask("GET", "/file.txt", fields=[("X-Act", "wait")]))


class UnderValgrind(ModuleTest):
    """One process, whose every access of memory is looked at. What nginx itself leaves allocated at
    its end is not."""

    chain = {"engine": {"context_limit": 2}, "middleware": CHAIN["middleware"] + [{"use": "bodies"}]}

    @classmethod
    def setUpClass(cls):
        if not shutil.which("valgrind") or Nginx.settings.get("preload"):
            raise unittest.SkipTest("no valgrind, or a sanitizer")
        if b"clang version" in pathlib.Path(Nginx.settings["module"]).read_bytes():
            raise unittest.SkipTest("valgrind may not read what clang says for debuggers")

        class Watched(OneProcess):
            patience_s = 120

            def command(self, *arguments):
                return ["valgrind", "-q", "--error-exitcode=99",
                        f"--log-file={self.folder}/valgrind", *super().command(*arguments)]
        cls.server = Watched(cls.chain).start()

    def test_no_error(self):
        with self.connect() as client:
            self.assert_goes_on(client)
            for target in ("/file.txt", "/large", "/proxy/x", "/ssi", "/none", "/secret/x"):
                for name in ("loud", "replace", "slow-post", "stream", "slow"):
                    client.ask("GET", target, fields=[("X-Body", name)])
            for name in ("count", "half", "wait", "refuse"):
                client.ask("POST", "/proxy/x", body=b"x" * 50000, fields=[("X-Body", name)])
            for act in ("wait", "post-text", "post-error", "stop:403", "rewrite"):
                client.ask("GET", "/proxy/x", fields=[("X-Act", act)])
        waiting = [self.connect() for _ in range(2)]
        for client in waiting:
            client.send(request("GET", "/text", fields=[("X-Act", "wait-long")]))
        self.server.wait(lambda: self.server.counts()["entered"] -
                         self.server.counts()["left"] == 2, "they do not wait")
        self.assertEqual(self.ask("GET", "/text").status, 503)
        for client in waiting:
            client.socket.close()
        self.server.settled()
        self.assertEqual((self.server.folder / "valgrind").read_text(), "")


class BrokenBodies(ModuleTest):
    """nginx refuses them while the plan waits for them."""

    chain = {"middleware": CHAIN["middleware"] + [
        {"use": "bodies"}, {"use": "timeout", "options": {"body_idle_ms": 150}}]}
    page = b"400 Bad Request"

    def refused(self):
        """A client whose body broke off in its second chunk, and the head of what it is answered."""
        client = self.connect()
        client.send(request("POST", "/text", fields=[("Transfer-Encoding", "chunked")]) +
                    b"5\r\nabcde")
        time.sleep(0.05)  # it is being read
        client.send(b"no chunk\r\n")
        return client, client.read_head()

    def test_they_are_answered_as_such(self):
        client, response = self.refused()
        with client:
            self.assertEqual((response.status, response.get("Connection")), (400, ["close"]))
            self.assert_decorated(response)
            time.sleep(0.4)  # more than a body may take
            self.assertIn(self.page, client._read_to_end())
        self.server.settled()
        self.assertNotIn("header already sent", self.server.log())


class BrokenBodiesWithAPage(BrokenBodies):
    """One that is longer than what fits in sockets, so that it is on its way for a while."""

    options = {"server": "error_page 400 /large;"}
    page = b"l" * LARGE
