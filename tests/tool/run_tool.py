#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run catzilla-mw and look at what it says: run_tool.py <check> <program> [<server>]

Each step waits for a line, an answer or an end; none asserts how long it took.
"""
import concurrent.futures
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_S = 60

PROGRAM = ""
SERVER = "microhttpd"
TIMES_HEADS = ("microhttpd", "h2o")


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} where {wanted!r} was expected")


def expect_in(what, part, whole):
    if part not in whole:
        raise SystemExit(f"{what}: {part!r} is not in {whole!r}")


def run(*arguments, code=0, cwd=None):
    """(stdout, stderr) of a command that ends with `code`."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=LIMIT_S, cwd=cwd)
    expect(f"exit code of {arguments} ({done.stdout}{done.stderr})", done.returncode, code)
    return done.stdout, done.stderr


class Folder:
    """A temporary folder with a chain.json in it."""

    def __init__(self):
        self.holder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.holder.name) / "chain.json"

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.holder.cleanup()

    def write(self, *middleware, **members):
        document = {"listen": "127.0.0.1:0", "middleware": middleware, **members}
        self.file.write_text(json.dumps(document))
        return self.file


class Server:
    """`serve`, from its address to its end."""

    def __init__(self, file, *arguments):
        self.process = subprocess.Popen([PROGRAM, "serve", file, "--server", SERVER,
                                         *arguments], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ready = self.process.stdout.readline()
        if not ready.startswith("listening on http://127.0.0.1:"):
            raise SystemExit(f"not ready: {ready!r} {self.process.communicate()[1]!r}")
        self.port = int(ready.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.end()

    def ask_bytes(self, path="/", method="GET", body=None, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def ask(self, method="GET", path="/", body=None, **fields):
        status, headers, content = self.ask_bytes(path, method, body, **fields)
        return status, headers, content.decode()

    def send(self, number):
        self.process.send_signal(number)

    def lines_until(self, end):
        """Lines of stderr up to one that ends so."""
        lines = []
        while not lines or not lines[-1].endswith(end + "\n"):
            line = self.process.stderr.readline()
            if not line:
                raise SystemExit(f"ended after {lines!r} without {end!r}")
            lines.append(line)
        return lines

    def end(self, number=signal.SIGTERM):
        self.send(number)
        self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=LIMIT_S)
        expect(f"exit code ({err})", self.process.returncode, 0)
        return out, err


FIELDS = {"use": "set_headers", "options": {"set": {"X-Chain": "first"}}}
OTHER_FIELDS = {"use": "set_headers", "options": {"set": {"X-Chain": "second"}}}

# ---- Reloading and ending -------------------------------------------------------------------


def check_reload():
    """A good file gives new answers, a bad one is reported and changes nothing."""
    with Folder() as folder:
        folder.write(FIELDS, backend="static:one")
        with Server(folder.file) as server:
            status, headers, text = server.ask()
            expect("before", (status, headers["X-Chain"], text), (200, "first", "one"))

            folder.write(OTHER_FIELDS, backend="status:404")
            server.send(signal.SIGHUP)
            server.lines_until("chain.json: read again")
            status, headers, text = server.ask()
            expect("after", (status, headers["X-Chain"], text), (404, "second", ""))

            folder.write({"use": "set_headerz"}, {"use": "health", "options": {"cache_ms": -1}},
                         backend="nothing")
            server.send(signal.SIGHUP)
            lines = "".join(server.lines_until("chain.json: not taken; what was there goes on"))
            for part in (": middleware[0].use: ", ": middleware[1].options.cache_ms: ",
                         ": backend: ", "did you mean 'set_headers'?"):
                expect_in("the report", part, lines)
            status, headers, text = server.ask()
            expect("after a bad one", (status, headers["X-Chain"]), (404, "second"))

            folder.file.unlink()
            server.send(signal.SIGHUP)
            server.lines_until("not taken; what was there goes on")
            expect("after none", server.ask()[0], 404)

            folder.write(FIELDS, listen="127.0.0.1:1", backend="status:204")
            server.send(signal.SIGHUP)
            lines = server.lines_until("chain.json: read again")
            expect_in("the report", '"listen" changes with the next start', "".join(lines))
            expect("after another address", server.ask()[0], 204)


def check_rotate():
    """A log that was moved away is opened anew, by SIGUSR1 and with each reload."""
    with Folder() as folder:
        log = folder.file.with_name("access.log")
        folder.write({"use": "access_log", "options": {"file": str(log)}}, backend="static:ok")
        with Server(folder.file) as server:
            for number, path in ((signal.SIGUSR1, "/one"), (signal.SIGHUP, "/two"), (None, "/three")):
                server.ask("GET", path)
                if number is None:
                    server.end()
                else:
                    log.rename(log.with_name(f"old{path[1:]}.log"))
                    server.send(number)
                    server.lines_until("chain.json: access logs opened anew")
            old = [log.with_name(name).read_text() for name in ("oldone.log", "oldtwo.log")]
            new = log.read_text()
            expect_in("the new file", "GET /three ", new)
            found = re.findall(r"GET (/\S*) ", "".join(old) + new)
            expect("every line once", found, ["/one", "/two", "/three"])


class Slow:
    """A request whose head the server has, and whose body it waits for."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        self.socket.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                            b"Expect: 100-continue\r\n\r\n")
        self.begun = self.socket.recv(4096)

    def finish(self):
        self.socket.sendall(b"1234")
        answer = b""
        while True:
            piece = self.socket.recv(4096)
            answer += piece
            if not piece or answer.endswith((b"finished", b"Service Unavailable")):
                self.socket.close()
                return answer


def check_drain():
    """A request in flight finishes; new connections are refused meanwhile, or their connections end
    with their answers. evhttp's and H2O's requests are not in flight before their bodies are whole."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Folder() as folder:
            folder.write(FIELDS, backend="static:finished")
            server = Server(folder.file)
            slow = Slow(server.port)
            expect("going on", slow.begun.startswith(b"HTTP/1.1 100 "), True)
            if SERVER in ("evhttp", "h2o"):
                server.end(number)
                continue
            server.send(number)
            while SERVER == "civetweb" and server.ask()[1]["Connection"] != "close":
                pass
            while SERVER != "civetweb":  # until it listens no more
                try:
                    socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S).close()
                except ConnectionRefusedError:
                    break
                except ConnectionResetError:  # taken by the system while the socket was closed
                    continue
            expect("still there", server.process.poll(), None)
            answer = slow.finish()
            expect("the answer", answer.startswith(b"HTTP/1.1 200 "), True)
            expect_in("its fields", b"X-Chain: first", answer)
            server.wait()


def check_full_pool():
    """Whatever the memory of requests is missing for, the answer is a 503 with the plan's fields, and
    what was let in comes to its end."""
    refusals = 0
    with Folder() as folder:
        for limit in range(40000, 140000, 9000):
            folder.write(FIELDS, backend="static:finished", engine={"pool_limit_bytes": limit})
            with Server(folder.file) as server:
                waiting = []
                for _ in range(40):
                    slow = Slow(server.port)
                    if slow.begun.startswith(b"HTTP/1.1 100 "):
                        waiting.append(slow)
                        continue
                    refusals += 1
                    expect(f"with {limit}", slow.begun.startswith(b"HTTP/1.1 503 "), True)
                    expect_in(f"with {limit}", b"X-Chain: first\r\n", slow.begun)
                    slow.socket.close()
                for slow in waiting:  # there may be no room for its body
                    answer = slow.finish()
                    expect("let in", answer[:13] in (b"HTTP/1.1 200 ", b"HTTP/1.1 503 "), True)
                    expect_in("its fields", b"X-Chain: first\r\n", answer)
                if waiting:
                    expect("afterwards", server.ask()[0], 200)
    expect("some were refused", refusals > 0, True)


def expect_refusal(folder, sentence):
    """The server does not start with the chain, and the sentence names it."""
    done = subprocess.run([PROGRAM, "serve", folder.file, "--server", SERVER],
                          capture_output=True, text=True, timeout=LIMIT_S)
    expect("it starts", done.returncode == 0, False)
    name = {"h2o": "H2O", "microhttpd": "libmicrohttpd"}.get(SERVER, SERVER)
    expect_in("why not", sentence.format(name), done.stderr)


def send_until_ended(slow):
    """A byte now and then, until the server has had enough."""
    has_ended = False
    while not has_ended:
        time.sleep(0.01)
        try:
            slow.send(b"x")
            slow.setblocking(False)
            has_ended = not slow.recv(4096)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            has_ended = True


def check_slow_head():
    """Who sends a head for longer than `timeout` allows is cut off. A server that does not measure
    heads does not start with such a chain."""
    with Folder() as folder:
        folder.write(FIELDS, {"use": "timeout", "options": {"head_ms": 50}})
        if SERVER not in TIMES_HEADS:
            expect_refusal(folder, "'timeout' limits the time of heads, and {} does not")
            return
        with Server(folder.file) as server:
            for begin in (b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "):
                with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as slow:
                    slow.sendall(begin)
                    send_until_ended(slow)
            expect("others", server.ask()[0], 200)

        folder.write(FIELDS)
        with Server(folder.file) as server:  # which learns of it while it serves
            kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
            for _ in range(2):
                kept.request("GET", "/")
                expect("before", kept.getresponse().read() != b"", True)
                folder.write(FIELDS, {"use": "timeout", "options": {"head_ms": 50}})
                server.send(signal.SIGHUP)
                server.lines_until("chain.json: read again")
            kept.sock.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            send_until_ended(kept.sock)
            kept.close()
            expect("others", server.ask()[0], 200)


def check_slow_upload():
    """One whose body takes longer than `timeout` allows is answered 408, and its connection ends. A
    server that does not measure bodies does not start with such a chain."""
    with Folder() as folder:
        folder.write(FIELDS, {"use": "timeout", "options": {"body_ms": 50}})
        if SERVER != "microhttpd":
            expect_refusal(folder, "'timeout' limits the time of bodies, and {} does not")
            return
        with Server(folder.file) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as slow:
                slow.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
                slow.setblocking(False)
                answer, has_ended = b"", False
                while not has_ended:  # until it has had enough
                    time.sleep(0.01)
                    try:
                        slow.send(b"x" * 9000)
                    except OSError:
                        pass
                    try:
                        piece = slow.recv(4096)
                        answer += piece
                        has_ended = not piece
                    except BlockingIOError:
                        pass
                    except ConnectionResetError:
                        has_ended = True
            expect("the answer", answer[:13], b"HTTP/1.1 408 ")
            expect_in("its fields", b"X-Chain: first\r\n", answer)
            expect_in("its problem", b"did not come whole in time", answer)
            expect("others", server.ask("POST", "/", body="quick")[0], 200)


def check_serve():
    """Threads, keep-alive and back ends."""
    with Folder() as folder:
        folder.write({"use": "request_id", "options": {"trust_incoming": True}})
        with Server(folder.file, "--threads", "4") as server:
            status, headers, text = server.ask("GET", "/a?b=c", X_Request_ID="abc")
            document = json.loads(text)
            expect("the echo", (status, document["method"], document["path"], document["query"],
                                document["ctx"]["request_id"]),
                   (200, "GET", "/a", "b=c", "abc"))
            for sent, shown in (("caf\xe9", "caf\xe9"), ("\xe2\x9c\x93", "\u2713")):
                _, _, text = server.ask("GET", "/", X_Test=sent)  # sent as ISO 8859-1
                expect("bytes of a field", [value for name, value in json.loads(text)["headers"]
                                            if name.lower() == "x-test"], [shown])
            status, headers, text = server.ask("GET", "/", X_Echo_Status="404",
                                               X_Echo_Body_Size="3")
            expect("as asked", (status, text), (404, "xxx"))


def check_idempotency():
    """A request that is sent again is done once, and through a reload, too; so are those of many
    connections at once."""
    keys = {"use": "idempotency_key", "options": {"required": True, "max_key_length": 40}}
    with Folder() as folder:
        folder.write(FIELDS, keys, {"use": "request_id"})
        with Server(folder.file, "--threads", "4") as server:
            def pay(key, body="100", **fields):
                return server.ask("POST", "/pay", body, Idempotency_Key=key, **fields)

            expect("without a key", server.ask("POST", "/pay", "100")[0], 400)
            expect("a key too long", pay("x" * 41)[0], 400)
            status, headers, text = pay('"a"', X_Echo_Status="201", X_Echo_Header="Location: /1")
            expect("the first", (status, headers["Idempotency-Replayed"]), (201, None))
            folder.write(OTHER_FIELDS, keys, {"use": "request_id"})
            server.send(signal.SIGHUP)
            server.lines_until("chain.json: read again")
            status, again, body = pay('"a"')
            expect("a repeat", (status, again["Location"], again["Idempotency-Replayed"], body),
                   (201, "/1", "true", text))
            expect("fields of its own", (again["X-Chain"], again["X-Request-ID"] ==
                                         headers["X-Request-ID"]), ("second", False))
            status, headers, body = pay('"a"', "101")
            expect("another body", (status, headers["Content-Type"]),
                   (422, "application/problem+json"))
            expect("another status", [pay('"e"', X_Echo_Status="503")[1]["Idempotency-Replayed"]
                                      for _ in range(2)], [None, None])
            for count in range(20):
                with concurrent.futures.ThreadPoolExecutor(8) as threads:
                    answers = list(threads.map(lambda _, key=f'"k{count}"': pay(key), range(8)))
                first = [headers for status, headers, _ in answers
                         if status == 200 and headers["Idempotency-Replayed"] is None]
                expect("of eight at once", len(first), 1)
                expect("the others", {status for status, _, _ in answers} <= {200, 409}, True)


def check_cache():
    """Of many at once for one target one asks the back end; the others get what it was answered."""
    with Folder() as folder:
        folder.write({"use": "response_cache",
                      "options": {"default_ttl": 3600, "max_wait_ms": 600000}},
                     {"use": "concurrency_limit", "priority": 750,
                      "options": {"limit": 1, "queue": 100, "queue_ms": 600000}},
                     backend="static:finished")
        with Server(folder.file, "--threads", "8") as server:
            slow = Slow(server.port)  # has the only place, so that who leads has to wait
            with concurrent.futures.ThreadPoolExecutor(6) as crowd:
                asked = [crowd.submit(server.ask, "GET", "/a") for _ in range(6)]
                slow.finish()
                answers = [each.result() for each in asked]
            asked = 0
            for status, headers, text in answers:
                said = headers["Cache-Status"]
                expect("each", (status, text), (200, "finished"))
                asked += said == "catzilla; fwd=uri-miss; stored"
                expect(said, re.fullmatch(r"catzilla; (fwd=uri-miss; (stored|collapsed)|"
                                          r"hit; ttl=\d+)", said) is not None, True)
            expect("asked the back end", asked, 1)
            expect_in("later", "catzilla; hit; ttl=", server.ask("GET", "/a")[1]["Cache-Status"])
            expect("another one", server.ask("GET", "/b")[1]["Cache-Status"],
                   "catzilla; fwd=uri-miss; stored")


def expect_end_of_shrinking(server, file):
    """More than any buffer holds, so that some of it is still to be read when it is cut."""
    length = 64_000_000
    with open(file, "wb") as made:
        made.truncate(length)
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as client:
        client.sendall(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
        got = len(client.recv(1000))
        with open(file, "r+b") as cut:
            cut.truncate(1000)
        try:
            while part := client.recv(1 << 20):
                got += len(part)
        except ConnectionResetError:
            pass
        expect("less than was promised", got < length, True)


def check_files():
    """Long files come whole and in ranges, and the log has their bytes. One that becomes shorter
    while it is sent ends the connection."""
    content = bytes(i * 31 % 251 for i in range(300_000))
    with Folder() as folder:
        root = pathlib.Path(folder.holder.name)
        (root / "www").mkdir()
        (root / "www/big").write_bytes(content)
        folder.write({"use": "access_log",
                      "options": {"format": "%m %s %b %U", "file": str(root / "log")}},
                     {"use": "static_files", "options": {"root": str(root / "www")}},
                     backend="status:404")
        with Server(folder.file) as server:
            for fields, status, part in (({}, 200, content),
                                         ({"Range": "bytes=1000-200999"}, 206,
                                          content[1000:201000]),
                                         ({"Range": "bytes=-70000"}, 206, content[-70000:])):
                answer, headers, body = server.ask_bytes("/big", **fields)
                expect("status", answer, status)
                expect("length", headers["Content-Length"], str(len(part)))
                expect("the file's bytes", body == part, True)
            expect("HEAD", server.ask("HEAD", "/big")[1]["Content-Length"], str(len(content)))
            expect_end_of_shrinking(server, root / "www/huge")
            server.end()
        lines = (root / "log").read_text().splitlines()
        expect("not logged as sent", [line for line in lines if "200 64000000 /huge" in line], [])
        expect("the log, of threads", sorted(line for line in lines if "/big" in line),
               ["GET 200 300000 /big", "GET 206 200000 /big", "GET 206 70000 /big",
                "HEAD 200 - /big"])


# ---- Exit codes -----------------------------------------------------------------------------


def check_usage():
    """Exit code 2 for command lines, and help for every command."""
    out, _ = run("--help")
    commands = re.findall(r"^  ([a-z]+) ", out, re.MULTILINE)
    expect("commands", commands, ["serve", "check", "explain", "list", "schema", "bench"])
    for command in commands:
        out, _ = run(command, "--help")
        expect_in(f"{command} --help", f"usage: catzilla-mw {command} ", out)
        expect_in(f"{command} --help", "Exit codes: 0 good", out)
        _, err = run(command, "--no-such-option", "x", "y", code=2)
        expect_in(f"{command} with an unknown option", "catzilla-mw --help", err)
    expect_in("--version", "catzilla-mw 0.", run("--version")[0])
    for line in ([], ["serv"], ["serve"], ["check"], ["explain"], ["bench"], ["schema", "x"],
                 ["serve", "f", "--threads", "0"], ["serve", "f", "--server", "nginx"],
                 ["explain", "f", "--json", "--dot"], ["bench", "f", "--rounds", "0"],
                 ["bench", "f", "--request", "GET"], ["bench", "f", "--header", "none"],
                 ["bench", "f", "--peer", "nobody"]):
        run(*line, code=2)
    out, _ = run("serve", "--help")
    servers = re.search(r"of those that there are: (.*)$", out, re.MULTILINE).group(1)
    expect_in("the servers", SERVER, servers.split(", "))
    _, err = run("serve", "f", "--server", "nginx", code=2)
    expect_in("an unknown server", f"no server 'nginx' in this build; there is: {servers}\n", err)


def check_exit_codes():
    """1 for files, which never listen; 3 for what the system refuses."""
    with Folder() as folder:
        bad = folder.write({"use": "no_such"})
        for command in ("serve", "check", "explain", "bench"):
            out, err = run(command, bad, code=1)
            expect(f"{command}: nothing but the report", out, "")
            expect_in(command, "there is no kind of middleware named 'no_such'", err)
            _, err = run(command, folder.file.with_name("missing.json"), code=1)
            expect_in(command, "cannot be read", err)
        for text in ("", "[]", "{", '{"middleware": 1}', '{"middleware": [], "listen": "here"}',
                     '{"middleware": [], "backend": "status:99"}', '{"middleware": [], "x": 1}'):
            folder.file.write_text(text)
            out, err = run("serve", folder.file, code=1)
            expect(f"{text}: not listening", out, "")
            expect_in(text, "chain.json:", err)
        out, _ = run("check", folder.write(FIELDS), ROOT / "README.md", code=1)
        expect_in("the good one of two", "chain.json: good", out)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            folder.write(listen=f"127.0.0.1:{taken.getsockname()[1]}")
            expect("a taken port", run("serve", folder.file, code=3)[0], "")
        if pathlib.Path("/dev/full").exists():
            for command in (["list"], ["schema"], ["--help"]):
                with open("/dev/full", "w") as full:
                    done = subprocess.run([PROGRAM, *command], stdout=full, timeout=LIMIT_S,
                                          stderr=subprocess.PIPE)
                expect(f"{command} to a full disk", done.returncode, 3)


# ---- The other commands ---------------------------------------------------------------------


def check_explain():
    with Folder() as folder:
        folder.write({"use": "request_id"},
                     {"group": "api", "when": {"paths": "/api/*"}, "middleware": [
                         {"use": "maintenance", "name": "away"},
                         {"use": "maintenance", "name": "tried", "shadow": True}]},
                     {"group": "odd", "when": {"paths": "/a\"b"}, "middleware": [FIELDS]})
        out, _ = run("explain", folder.file)
        expect_in("text", "100  request_id", out)
        expect_in("text", "if path /api/*", out)
        plan = json.loads(run("explain", folder.file, "--json")[0])
        expect("json", [each["name"] for each in plan["middleware"]],
               ["request_id", "away", "tried", "set_headers"])
        expect("who is shadowed", [each["name"] for each in plan["middleware"] if each["shadowed"]],
               ["tried"])
        expect_in("text", "260  tried (maintenance)  fails closed  SHADOWED", out)
        dot, _ = run("explain", folder.file, "--dot")
        expect("a graph", (dot.startswith("digraph plan {"), dot.endswith("}\n")), (True, True))
        expect_in("a step", 'label="away\\n260\\nif /api/*"]', dot)
        expect_in("a shadowed one", 'label="tried\\n260\\nif /api/*\\nshadowed", style=dashed]', dot)
        expect_in("its text is escaped", 'if /a\\"b', dot)
        expect("each bracket is closed", dot.count("{"), dot.count("}"))


def check_list():
    kinds = json.loads(run("list", "--json")[0])
    text, _ = run("list")
    for kind in kinds:
        expect_in("the text", f"{kind['name']}: {kind['summary']}\n", text)
        for option in kind["options"]:
            expect(f"help of {kind['name']}.{option['name']}", bool(option.get("help")), True)
            expect_in("the text", f"\n    {option['name']}  (", text)
    expect_in("kinds", "request_id", [kind["name"] for kind in kinds])


def configurations_of_vectors():
    """(middleware items, whether serving may be refused) of every case."""
    for path in sorted((ROOT / "tests/vectors/cases").glob("*.json")):
        data = json.loads(path.read_text())
        for case in data["cases"] if isinstance(data, dict) else data:
            if case.get("kind") == "function":
                continue
            yield case.get("chain") or [{"use": path.stem, "options": case.get("options", {})}]


def check_schema():
    """The committed schema is the program's; it accepts what check accepts."""
    out, _ = run("schema")
    expect("docs/config.schema.json is what `catzilla-mw schema` prints (write it anew)",
           (ROOT / "docs/config.schema.json").read_text() == out, True)
    try:
        import jsonschema
    except ImportError:
        print("no jsonschema module: the schema is not tried on documents")
        return
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    known = {kind["name"] for kind in json.loads(run("list", "--json")[0])}
    with Folder() as folder:
        seen = set()
        for items in configurations_of_vectors():
            text = json.dumps(items, sort_keys=True)
            if text in seen or not all(item["use"] in known for item in items):
                continue
            seen.add(text)
            folder.write(*items)
            done = subprocess.run([PROGRAM, "check", folder.file], capture_output=True, text=True,
                                  timeout=LIMIT_S)
            errors = list(validator.iter_errors(json.loads(folder.file.read_text())))
            if done.returncode == 0 and errors:
                raise SystemExit(f"check accepts what the schema does not: {text}: {errors[0]}")
    for bad in ({}, {"middleware": {}}, {"middleware": [{"use": "request_idd"}]},
                {"middleware": [{"use": "request_id", "options": {"no": 1}}]},
                {"middleware": [{"group": "g"}]}, {"middleware": [], "engine": {"no": 1}}):
        expect(f"the schema refuses {bad}", validator.is_valid(bad), False)


def check_bench():
    with Folder() as folder:
        folder.write({"use": "request_id"}, {"use": "method_filter", "options": {"allow": "GET"}})
        arguments = ["bench", folder.file, "--rounds", 3, "--requests", 100]
        out, err = run(*arguments)
        expect_in("progress", "3 rounds of 100 requests", err)
        for part in ("empty plan", "chain", "request_id", "pre_route", "200 300 times"):
            expect_in("the table", part, out)
        out, _ = run(*arguments, "--json", "--request", "POST /a", "--header", "Accept: */*")
        empty, chain = json.loads(out)["rows"]
        expect("answers", (empty["answers"], chain["answers"]), ({"200": 300}, {"405": 300}))
        expect("allocations", (empty["allocator_calls"], chain["allocator_calls"]), (0, 0))


# What somebody must provide for an item that reads it.
BESIDE = '{"use": "bearer", "options": {"tokens": ["t-0"]}}, '


def check_docs():
    """Documents in the pages are as good, or as bad, as the pages say."""
    block = re.compile(r"^```json\n(.*?)^```\n(?:(?:[^\n`]*(?:`[^`\n]*`)?[^\n`]*\n){0,3}"
                       r"```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
    pages = [ROOT / "docs/config.md", *sorted((ROOT / "docs/builtins").glob("*.md"))]
    count = 0
    with Folder() as folder:
        for page in pages:
            for text, report in block.findall(page.read_text()):
                if text.lstrip().startswith('{"use"'):
                    beside = BESIDE if '"use": "require"' in text else ""
                    text = '{"middleware": [' + beside + text + "]}"
                if '"middleware"' not in text:
                    continue
                count += 1
                folder.file.write_text(text)
                _, err = run("check", "chain.json", code=1 if report else 0,
                             cwd=folder.file.parent)
                expect(f"{page.name}: the report", err, report)
    expect("documents were found", count > 5, True)


CHECKS = {name[len("check_"):]: function for name, function in list(globals().items())
          if name.startswith("check_")}

if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv[2]).resolve())
    SERVER = sys.argv[3] if len(sys.argv) > 3 else SERVER
    CHECKS[sys.argv[1]]()
