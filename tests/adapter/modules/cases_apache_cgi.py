# SPDX-License-Identifier: MIT
"""Apache httpd alone: CGI scripts that read bodies, and requests that are led to another handler."""
import json

from cases import ModuleTest
from cases_module_bodies import BODIES, CHUNKED, order
from client import chunked, request

# httpd reads nothing of a script before it has written all of the body to it.
SCRIPTS = {
    "echo": """
cat >FOLDER/got.$$
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s %s\\n' "$REQUEST_METHOD" "${CONTENT_LENGTH-none}" \\
    "${HTTP_X_SUM-none}"
cat FOLDER/got.$$
rm FOLDER/got.$$""",
    "deaf": """
printf 'Content-Type: text/plain\\r\\n\\r\\nheard nothing\\n'""",
    "elsewhere": """
cat >/dev/null
printf 'Location: /cgi/echo\\r\\n\\r\\n'""",
    "marks": """
cat >/dev/null
: >FOLDER/marked
printf 'Content-Type: text/plain\\r\\n\\r\\nmarked\\n'""",
}


class CgiTest(ModuleTest):
    """Scripts, run by the module that suits the server's threads; and roads that lead to them."""

    MORE = """
ScriptAlias /cgi/ FOLDER/cgi/
<Directory FOLDER/cgi>
    Require all granted
    AcceptPathInfo On
</Directory>
<Directory FOLDER/html/ruled>
    RewriteEngine On
    RewriteRule ^script$ /cgi/echo
    RewriteRule ^upstream$ /proxy/x
    RewriteRule ^guarded$ /cgi/guarded
</Directory>
<Directory FOLDER/html/indexed>
    DirectoryIndex /cgi/echo
</Directory>
<Directory FOLDER/html/fallen>
    FallbackResource /cgi/echo
</Directory>
<Directory FOLDER/html/acted>
    ForceType application/x-acted
    Action application/x-acted /cgi/echo
</Directory>
<Location /refused>
    Require all denied
    ErrorDocument 403 /cgi/echo
</Location>
"""

    @classmethod
    def setUpClass(cls):
        kind = "cgi" if cls.Server.mpm == "prefork" else "cgid"

        class With(cls.Server):
            loaded = (*cls.Server.loaded, kind, "actions")
        server = With(cls.chain, cls.locations)
        scripts = server.folder / "cgi"
        scripts.mkdir()
        for name, text in (*SCRIPTS.items(), ("guarded", SCRIPTS["marks"])):
            (scripts / name).write_text("#!/bin/sh" + text.replace("FOLDER", str(server.folder)))
            (scripts / name).chmod(0o755)
        for name in ("ruled", "indexed", "fallen", "acted"):
            (server.folder / "html" / name).mkdir()
        (server.folder / "html" / "acted" / "file").write_text("a file\n")
        sock = f"ScriptSock {server.folder}/sock\n" if kind == "cgid" else ""
        server.options = {"more": sock + (cls.MORE + cls.options.get("more", "")).replace(
            "FOLDER", str(server.folder))}
        cls.server = server.start()

    def send(self, client, target, body, fields=(), chunks=None):
        if chunks:
            client.send(request("POST", target, fields=CHUNKED + list(fields)) + chunked(*chunks))
            return client.read()
        return client.ask("POST", target, body=body, fields=fields)

    def assert_half(self, response, size):
        """Pieces of an odd length are cut down."""
        line, body = response.body.split(b"\n", 1)
        self.assertTrue(size // 2 - 20 <= len(body) <= size // 2, len(body))
        self.assertTrue(response.body == b"POST %d none\n" % len(body) + b"b" * len(body), line)


class Cgi(CgiTest):
    """A plan that looks at bodies: a script reads what it made of them, and their length."""

    chain = BODIES

    def test_scripts_get_all_of_it(self):
        with self.connect() as client:
            for size in (0, 1, 5000, 100000, 1 << 20):
                response = self.send(client, "/cgi/echo", b"b" * size)
                self.assertEqual(response.status, 200)
                self.assertTrue(response.body == b"POST %d none\n" % size + b"b" * size)
                self.assert_decorated(response)
            self.assert_goes_on(client)

    def test_chunks_have_a_length_then(self):
        with self.connect() as client:
            for chunks in ((b"one", b"two" * 9000), (b"x",)):
                response = self.send(client, "/cgi/echo", None, chunks=chunks)
                body = b"".join(chunks)
                self.assertTrue(response.body == b"POST %d none\n" % len(body) + body)
            self.assert_goes_on(client)

    def test_scripts_get_what_the_plan_made_of_it(self):
        with self.connect() as client:
            for size in (2, 5000, 200000):
                self.assert_half(self.send(client, "/cgi/echo", b"b" * size, order("half")), size)
            self.assert_goes_on(client)

    def test_one_that_reads_nothing(self):
        if self.server.mpm != "prefork":
            self.skipTest("mod_cgid loses its answer now and then, without the module, too")
        with self.connect() as client:
            for size in (1, 100000):
                response = self.send(client, "/cgi/deaf", b"b" * size)
                self.assertEqual(response.body, b"heard nothing\n")
                self.assert_goes_on(client)

    def test_one_is_not_run_for_a_body_that_is_refused(self):
        with self.connect() as client:
            self.assertEqual(self.send(client, "/cgi/marks", b"body").body, b"marked\n")
            (self.server.folder / "marked").unlink()
            response = self.send(client, "/cgi/marks", b"b" * 50000, order("refuse"))
            self.assertEqual(response.status, 403)
            self.assert_goes_on(client)
        self.assertFalse((self.server.folder / "marked").exists())

    def test_trailers_are_none_of_its_variables(self):
        with self.connect() as client:
            client.send(request("POST", "/cgi/echo", fields=CHUNKED) + chunked(b"body")[:-2] +
                        b"X-Sum: abc\r\nContent-Length: 1\r\n\r\n")
            self.assertEqual(client.read().body, b"POST 4 none\nbody")


class CgiWithoutLooks(CgiTest):
    """httpd gives a script as much as was declared; of chunks it declares nothing."""

    def test_scripts_get_all_of_it(self):
        with self.connect() as client:
            for size in (0, 1, 100000):
                response = self.send(client, "/cgi/echo", b"b" * size)
                self.assertTrue(response.body == b"POST %d none\n" % size + b"b" * size)
            response = self.send(client, "/cgi/echo", None, chunks=(b"one", b"two"))
            self.assertEqual(response.body, b"POST none none\nonetwo")
            self.assert_goes_on(client)

    def test_too_long_ones_are_a_413(self):
        with self.connect() as client:
            client.send(request("POST", "/cgi/echo", fields=CHUNKED) +
                        chunked(*[b"x" * 65536] * 17))
            response = client.read()
            self.assertEqual(response.status, 413)
            self.assert_decorated(response)


class MergedTrailers(CgiTest):
    """What an administrator asks for: trailers become fields of the head, for httpd's handlers."""

    chain = BODIES
    options = {"more": "MergeTrailers On\n"}

    def test_they_do_not_change_the_framing(self):
        with self.connect() as client:
            client.send(request("POST", "/cgi/echo", fields=CHUNKED) + chunked(b"body")[:-2] +
                        b"X-Sum: abc\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n")
            self.assertEqual(client.read().body, b"POST 4 abc\nbody")
            self.assert_goes_on(client)


class Led(CgiTest):
    """Requests that httpd leads to another handler: the plan sees a body once, and whoever answers
    in the end reads what it made of it."""

    chain = BODIES
    locations = {"place": {"middleware": [
        {"use": "basic_auth", "options": {"realm": "r", "users": {"u": "p"}}}]}}
    options = {"more": "<Location /cgi/guarded>\n    CatzillaMw place.json\n</Location>\n"}

    def test_the_body_goes_along(self):
        with self.connect() as client:
            for target in ("/ruled/script", "/indexed/", "/fallen/none", "/acted/file"):
                for size in (4, 100000):
                    with self.subTest(target, size=size):
                        before = self.server.settled()
                        response = self.send(client, target, b"b" * size, order("half"))
                        self.assert_half(response, size)
                        self.assert_decorated(response)
                        after = self.server.settled()
                        self.assertEqual(after["entered"] - before["entered"], 1)
                response = self.send(client, target, b"body", order("refuse"))
                self.assertEqual((response.status, response.body), (403, b"refused\n"))
            got = json.loads(self.send(client, "/ruled/upstream", b"b" * 6000, order("half")).body)
            self.assertTrue(2980 <= got["body"] <= 3000, got["body"])
            self.assert_goes_on(client)

    def test_a_container_that_it_is_led_to_guards(self):
        """Also behind the body."""
        with self.connect() as client:
            for size in (4, 100000):
                response = self.send(client, "/ruled/guarded", b"b" * size)
                self.assertEqual(response.status, 401)
                self.assert_decorated(response)
                self.assert_goes_on(client)
                self.assertFalse((self.server.folder / "marked").exists())
            response = self.send(client, "/ruled/guarded", b"body",
                                 [("Authorization", "Basic dTpw")])
            self.assertEqual(response.body, b"marked\n")

    def test_a_script_that_leads_to_another_has_read_it(self):
        """httpd asks the second one by GET."""
        with self.connect() as client:
            for size in (4, 100000):
                response = self.send(client, "/cgi/elsewhere", b"b" * size)
                self.assertEqual(response.body, b"GET none none\n")
                self.assert_goes_on(client)

    def test_a_page_of_an_error_is_for_nobodys_body(self):
        """What httpd refuses is not fed; its page is asked for by GET."""
        with self.connect() as client:
            for chunks in (None, (b"one", b"two")):
                response = self.send(client, "/refused", b"b" * 1000, order("refuse"), chunks)
                self.assertEqual(response.status, 403)
                self.assertIn(b"GET ", response.body)
                self.assert_decorated(response)
                self.assert_goes_on(client)


class LedWithoutLooks(CgiTest):
    def test_the_body_goes_along(self):
        with self.connect() as client:
            for target in ("/ruled/script", "/indexed/", "/fallen/none", "/acted/file"):
                with self.subTest(target):
                    response = self.send(client, target, b"b" * 5000)
                    self.assertTrue(response.body == b"POST 5000 none\n" + b"b" * 5000)
            self.assertEqual(json.loads(self.send(client, "/ruled/upstream", b"b" * 6000).body)["body"],
                             6000)
            self.assert_goes_on(client)
