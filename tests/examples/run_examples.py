#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run one example and look at what it says: run_examples.py <example> <its program or library>"""
import http.client
import pathlib
import socket
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
LIMIT_S = 60


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} where {wanted!r} was expected")


def expect_in(what, part, whole):
    if part not in whole:
        raise SystemExit(f"{what}: {part!r} is not in {whole!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    expect(f"exit code ({done.stderr})", done.returncode, 0)
    return done.stdout


class Server:
    """An example that serves; stopped, and its exit code checked, at the end of the block."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("listening on http://127.0.0.1:"):
            raise SystemExit(f"not ready: {ready!r} {self.process.communicate()[1]!r}")
        self.port = int(ready.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        _, self.log = self.process.communicate(timeout=LIMIT_S)
        if failure == (None, None, None):
            expect(f"exit code ({self.log})", self.process.returncode, 0)

    def ask(self, method, path, body=None, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text


def check_bare_hello(program):
    with Server(program, "0") as server:
        for _ in range(2):
            status, fields, text = server.ask("GET", "/")
            expect("GET /", (status, text), (200, "hello\n"))
            expect("its security field", fields["X-Content-Type-Options"], "nosniff")
            expect("its id", len(fields["X-Request-Id"]) > 0, True)


check_evhttp_hello = check_civetweb_hello = check_own_hello = check_bare_hello


def check_nginx(module):
    with Server(EXAMPLES / "nginx" / "run.sh", str(free_port()), module) as server:
        status, fields, text = server.ask("GET", "/")
        expect("the answer", (status, text), (200, "hello, 127.0.0.1\n"))
        expect("a field", fields["X-Content-Type-Options"], "nosniff")
        status, fields, _ = server.ask("GET", "/admin/")
        expect("the admin's page", (status, fields["X-Content-Type-Options"]), (401, "nosniff"))


def check_apache(module):
    with Server(EXAMPLES / "apache" / "run.sh", str(free_port()), module) as server:
        status, fields, text = server.ask("GET", "/hello.txt")
        expect("the answer", (status, text), (200, "hello\n"))
        expect("a field", fields["X-Content-Type-Options"], "nosniff")
        status, fields, _ = server.ask("GET", "/admin.txt")
        expect("a page beside the admin's", status, 200)
        status, fields, _ = server.ask("GET", "/admin")
        expect("the admin's page", (status, fields["X-Content-Type-Options"]), (401, "nosniff"))


def check_h2o_hello(program):
    check_bare_hello(program)
    with Server(program, "0") as server:
        status, fields, text = server.ask("GET", "/h2o")
        expect("GET /h2o", (status, text), (200, "hello from H2O\n"))
        expect("its security field", fields["X-Content-Type-Options"], "nosniff")


def check_hello(program):
    with Server(program, "127.0.0.1:0") as server:
        status, headers, text = server.ask("GET", "/")
        expect("without a token", status, 401)
        expect("type of a problem", headers["Content-Type"], "application/problem+json")
        expect("fields of a 401", headers["X-Content-Type-Options"], "nosniff")
        expect("id of a 401", bool(headers["X-Request-ID"]), True)
        status, headers, text = server.ask("GET", "/", Authorization="Bearer meow")
        expect("with a token", (status, text), (200, "Mia"))
        expect("without permission", server.ask("GET", "/", Authorization="Bearer purr")[0], 403)


def check_basic_middleware(program):
    origin = "https://app.example"
    with Server(program, "127.0.0.1:0") as server:
        status, headers, _ = server.ask("GET", "/", Origin=origin)
        expect("without a key", status, 401)
        expect("CORS of a 401", headers["Access-Control-Allow-Origin"], origin)
        expect("Vary of a 401", headers["Vary"], "Origin")
        status, headers, text = server.ask("GET", "/", X_API_Key="open-sesame",
                                           Origin="https://evil.example")
        expect("with a key", (status, text), (200, "you are in\n"))
        expect("another origin", headers["Access-Control-Allow-Origin"], None)
        status, headers, _ = server.ask("OPTIONS", "/", Origin=origin,
                                        Access_Control_Request_Method="PUT")
        expect("preflight", status, 204)
        expect("methods", headers["Access-Control-Allow-Methods"], "GET, PUT, DELETE")
    expect_in("log", "GET / 401 sent", server.log)
    expect_in("log", "OPTIONS / 204 sent", server.log)


def check_production_api(program):
    editor, viewer = "Bearer editor", "Bearer viewer"
    with Server(program, "127.0.0.1:0") as server:
        expect("health", server.ask("GET", "/livez")[::2], (200, '{"status":"pass"}'))
        status, headers, text = server.ask("GET", "/todos", Origin="https://app.example")
        expect("without a token", status, 401)
        expect("its type", headers["Content-Type"], "application/problem+json")
        expect("its security", headers["X-Frame-Options"], "SAMEORIGIN")
        expect("its challenge", headers["WWW-Authenticate"], 'Bearer realm="todos"')
        expect("its CORS", headers["Access-Control-Allow-Origin"], "https://app.example")
        expect("its id", bool(headers["X-Request-ID"]), True)
        status, headers, _ = server.ask("OPTIONS", "/todos", Origin="https://app.example",
                                        Access_Control_Request_Method="PUT")
        expect("preflight", (status, headers["Access-Control-Allow-Origin"]),
               (204, "https://app.example"))

        todo = '{"id":1,"title":"feed \\"the\\" cat","done":false}'
        answer = server.ask("POST", "/todos", 'feed "the" cat', Authorization=editor)
        expect("create", answer[::2], (201, todo))
        expect("list", server.ask("GET", "/todos", Authorization=viewer)[::2], (200, f"[{todo}]"))
        expect("no permission", server.ask("DELETE", "/todos/1", Authorization=viewer)[0], 403)
        answer = server.ask("PUT", "/todos/1", Authorization=editor)
        expect("done", answer[::2], (200, todo.replace("false", "true")))
        expect("delete", server.ask("DELETE", "/todos/1", Authorization=editor)[0], 204)
        expect("gone", server.ask("GET", "/todos/1", Authorization=editor)[0], 404)
        status, headers, _ = server.ask("PATCH", "/todos", Authorization=editor)
        expect("not allowed", (status, headers["Allow"]), (405, "GET, HEAD, POST"))

        for name, answer in {
            "too long": (413, server.ask("POST", "/todos", "x" * 5000, Authorization=editor)),
            "handler fails": (500, server.ask("GET", "/_fail", Authorization=editor)),
            "not found": (404, server.ask("GET", "/nothing", Authorization=editor)),
        }.items():
            wanted, (status, headers, text) = answer
            expect(name, (status, headers["Content-Type"]), (wanted, "application/problem+json"))
            expect(f"{name}: security", headers["X-Frame-Options"], "SAMEORIGIN")
            expect(f"{name}: id", bool(headers["X-Request-ID"]), True)

        expect_in("plan", "permissions", server.ask("GET", "/_plan", Authorization=editor)[2])
        expect_in("statistics", "rate_limit",
                  server.ask("GET", "/_stats", Authorization=editor)[2])

        # However slow the machine is, some of so many come too soon after each other.
        answers = [server.ask("GET", "/todos", Authorization=viewer) for _ in range(400)]
        refused = [headers for status, headers, _ in answers if status == 429]
        expect("rate limit", len(refused) > 0, True)
        expect("when to come back", refused[0]["Retry-After"], "1")
        expect("security of a 429", refused[0]["X-Frame-Options"], "SAMEORIGIN")
    expect_in("log", 'user="Edda" method="POST" host="127.0.0.1" target="/todos" protocol=HTTP/1.1 '
              "status=201 reason=sent", server.log)
    expect_in("log", 'user=- method="GET" host="127.0.0.1" target="/todos" protocol=HTTP/1.1 '
              "status=401", server.log)


def check_di_integration(program):
    out = run(program)
    lines = out.splitlines()
    expect("the singleton is made first", lines[0], "store: made")
    expect("one session a request", [l for l in lines if "opened" in l],
           ["  session 1: opened", "  session 2: opened"])
    expect("each is closed", [l for l in lines if "closed" in l],
           ["  session 1: closed", "  session 2: closed"])
    expect("scopes", lines.count("  asked twice: the same session, another stopwatch"), 2)
    expect_in("refusal", "refused: ", out)
    expect_in("refusal", "mailer", out)
    expect("the singleton goes last", lines[-1], "store: destroyed after 2 sessions")


def check_performance_optimization(program):
    out = run(program)
    expect("warm requests allocate nothing", out.count(" ns a request, 0 allocator calls"), 6)
    expect_in("statistics", "fields_by_hand", out)


class Listener:
    """A client of an event stream: its lines."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        self.connection.request("GET", "/events", headers={"Accept": "text/event-stream"})
        self.response = self.connection.getresponse()

    def lines_until(self, wanted):
        lines = []
        while not lines or lines[-1] != wanted:
            line = self.response.readline()
            if not line:
                raise SystemExit(f"the stream ended after {lines!r}")
            lines.append(line.decode().rstrip("\n"))
        return lines

    def close(self):
        self.response.close()
        self.connection.close()


def check_trailers(program):
    def talk(port, request):
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()

    head = b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    with Server(program, "127.0.0.1:0") as server:
        answer = talk(server.port, b"GET" + head + b"TE: trailers\r\n\r\n")
        expect_in("announced", "\r\nTrailer: X-Rows, Server-Timing\r\n", answer)
        behind = answer.split("\r\n0\r\n")[1]
        expect_in("behind the body", "X-Rows: 1000\r\n", behind)
        expect_in("behind the body", "Server-Timing: body;dur=", behind)
        answer = talk(server.port, b"GET" + head + b"\r\n")
        expect_in("the rows", "row 1000\n", answer)
        expect("unasked", ("Trailer" in answer, "X-Rows" in answer), (False, False))
        for count, status in ((b"2", "204"), (b"3", "400")):
            answer = talk(server.port, b"POST" + head + b"Transfer-Encoding: chunked\r\n\r\n"
                          b"4\r\na\nb\n\r\n0\r\nX-Rows: " + count + b"\r\n\r\n")
            expect("rows of a request", answer.split()[1], status)


def check_sse_news(program):
    with Server(program) as server:
        def count():
            return int(server.ask("GET", "/listeners")[2])

        first, second = Listener(server.port), Listener(server.port)
        expect("the answer", (first.response.status, first.response.getheader("Content-Type"),
                              first.response.getheader("Cache-Control")),
               (200, "text/event-stream", "no-store"))
        expect("decorated", first.response.getheader("X-Content-Type-Options"), "nosniff")
        expect("listeners", count(), 2)
        expect("told", server.ask("POST", "/news", "the cat\nis fed")[0], 202)
        event = ["event: news", "id: 1", "data: the cat", "data: is fed", ""]
        for listener in (first, second):
            lines = listener.lines_until("data: is fed") + listener.lines_until("")
            expect("the event", sorted(lines[-5:]), sorted(event))
        first.lines_until(":")  # a heartbeat, where nothing is told

        second.close()  # one that leaves is found by the next things that are sent
        while count() == 2:
            server.ask("POST", "/news", "anyone?")
        first.lines_until("data: anyone?")

        slow = Listener(server.port)  # takes nothing, and is cut off; the other one goes on
        told = 0
        while count() == 2:
            told += 1
            expect("told", server.ask("POST", "/news", f"{told}" + "x" * 3000)[0], 202)
            first.lines_until(f"data: {told}" + "x" * 3000)
        slow.close()
        expect("listeners", count(), 1)
        first.close()


def check_binding_ctypes(library):
    out = run(sys.executable, str(EXAMPLES / "binding_ctypes.py"), library)
    expect("last line", out.splitlines()[-1], "ok")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    globals()[f"check_{sys.argv[1]}"](sys.argv[2])
    print("ok")
