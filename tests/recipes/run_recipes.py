#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serve one recipe and ask it: run_recipes.py <recipe> <its program>, in docs/recipes"""
import base64
import http.client
import subprocess
import sys

LIMIT_S = 60


class Server:
    """The program with its file; stopped, and its exit code looked at, at the end of the block."""

    def __init__(self, name, program):
        self.process = subprocess.Popen([program, f"{name}.json", "127.0.0.1:0"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ready = self.process.stdout.readline()
        if not ready.startswith("listening on http://127.0.0.1:"):
            raise SystemExit(f"not ready: {ready!r} {self.process.communicate()[1]!r}")
        self.port = int(ready.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        _, log = self.process.communicate(timeout=LIMIT_S)
        if failure == (None, None, None) and self.process.returncode != 0:
            raise SystemExit(f"exit code {self.process.returncode}: {log}")

    def ask(self, wanted, method="GET", path="/", body=None, **fields):
        """The fields and the body of an answer that has the status `wanted`."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        expect(f"{method} {path}: {text}", response.status, wanted)
        return response.headers, text


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} where {wanted!r} was expected")


def public_api(server):
    headers, text = server.ask(200, path="/items/7", Origin="https://app.example")
    expect("body", text, '{"path":"/items/7"}')
    expect("origin", headers["Access-Control-Allow-Origin"], "https://app.example")
    expect("nosniff", headers["X-Content-Type-Options"], "nosniff")
    headers, _ = server.ask(405, "DELETE")
    expect("kind of error", headers["Content-Type"], "application/problem+json")
    server.ask(413, "POST", body="x" * 5000)
    server.ask(200, path="/livez")
    answers = [server.ask(200, path="/items")[0] for _ in range(2)]
    expect("quota", all("RateLimit" in answer for answer in answers), True)
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
        connection.request("GET", "/items")
        status = connection.getresponse().status
        connection.close()
    expect("after the quota", status, 429)


def browser_app(server):
    headers, _ = server.ask(200)
    expect("cookie", headers["Set-Cookie"],
           "__Host-theme=dark; Path=/; Secure; HttpOnly; SameSite=Lax")
    expect("frames", headers["X-Frame-Options"].lower(), "deny")
    expect("time", headers["Server-Timing"].startswith("total;dur="), True)
    server.ask(421, Host="evil.example")


def internal_service(server):
    server.ask(401, path="/bills")
    _, text = server.ask(200, path="/bills", Authorization="Bearer mF_9.B5f-4.1JqM")
    expect("who", text, "billing")
    server.ask(200, path="/livez")


def webhook_receiver(server):
    key = "k3y-of-the-sender"
    _, text = server.ask(202, "POST", body="hello", X_Hook_Key=key)
    expect("length", text, "5 bytes")
    server.ask(401, "POST", body="hello")
    server.ask(405, "GET", X_Hook_Key=key)
    server.ask(413, "POST", body="x" * 1025, X_Hook_Key=key)


def cdn_origin(server):
    headers, _ = server.ask(200, path="/catalogue")
    expect("first", headers["Cache-Status"], "catzilla; fwd=uri-miss; stored")
    headers, text = server.ask(200, path="/catalogue/")
    expect("second", headers["Cache-Status"].startswith("catzilla; hit; ttl="), True)
    expect("body", text, "catalogue")
    server.ask(405, "POST", path="/catalogue", body="x")


def static_site(server):
    headers, text = server.ask(200, path="/recipe.h")
    expect("type", headers["Content-Type"], "text/plain")
    expect("ranges", headers["Accept-Ranges"], "bytes")
    _, part = server.ask(206, path="/recipe.h", Range="bytes=0-9")
    expect("range", part, text[:10])
    server.ask(304, path="/recipe.h", If_None_Match=headers["ETag"])
    server.ask(404, path="/../recipes.h")
    headers, _ = server.ask(301, path="/home")
    expect("home", headers["Location"], "/")


def admin_console(server):
    def login(password):
        return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()

    headers, _ = server.ask(401)
    expect("realm", 'realm="console"' in headers["WWW-Authenticate"], True)
    server.ask(401, Authorization=login("wrong"))
    server.ask(200, Authorization=login("correct horse"))


def legacy_move(server):
    headers, _ = server.ask(301, path="/blog/2020/hello?a=b")
    expect("post", headers["Location"], "/posts/hello?a=b")
    headers, _ = server.ask(308, path="/docs/a/b")
    expect("docs", headers["Location"], "https://docs.example/a/b")
    server.ask(400, path="/go/%5Cevil.example")
    _, text = server.ask(200, path="/v1/items")
    expect("path", text, "/items")


def partner_api(server):
    server.ask(401)
    headers, text = server.ask(200, X_API_Key="s0uth-key")
    expect("version", headers["X-Api-Version"], "3")
    expect("body", text, '{"stock":7}')
    server.ask(403, "POST", body="x", X_API_Key="s0uth-key")
    server.ask(400, "POST", body="x", X_API_Key="n0rth-key")
    order = {"body": "x", "X_API_Key": "n0rth-key", "Idempotency_Key": '"order-1"'}
    headers, text = server.ask(201, "POST", **order)
    expect("an order", (headers["Idempotency-Replayed"], text), (None, '{"stock":6}'))
    headers, text = server.ask(201, "POST", **order)
    expect("its repeat", (headers["Idempotency-Replayed"], text), ("true", '{"stock":6}'))
    expect("fields of its own", headers["X-Api-Version"], "3")
    server.ask(422, "POST", **{**order, "body": "y"})
    _, text = server.ask(200, X_API_Key="n0rth-key")
    expect("ordered once", text, '{"stock":6}')


def busy_backend(server):
    server.ask(200, path="/batch/a")
    for _ in range(4):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
        connection.request("GET", "/fail")
        connection.getresponse().read()
        connection.close()
    headers, _ = server.ask(503)
    expect("pause", int(headers["Retry-After"]) > 50, True)


if __name__ == "__main__":
    with Server(sys.argv[1], sys.argv[2]) as running:
        globals()[sys.argv[1]](running)
