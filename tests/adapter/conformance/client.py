# SPDX-License-Identifier: MIT
"""A client that writes bytes by hand, and the server under test as a process."""
import json
import socket
import subprocess

LONG_S = 30


class Response:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body
        self.trailers = None  # a list, behind chunks

    def get(self, name):
        return [v for n, v in self.fields if n == name.lower()]


class Client:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = bytearray()  # grows in place: an answer may have many MiB

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(bytes(self.rest))
        self.rest += data

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = [(n.lower(), v.strip()) for n, v in (line.split(":", 1) for line in lines[1:])]
        return Response(int(lines[0].split()[1]), fields, b"")

    def _read_line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return bytes(line)

    def _take(self, length):
        while len(self.rest) < length:
            self._more()
        data, self.rest = bytes(self.rest[:length]), self.rest[length:]
        return data

    def _read_chunks(self):
        """Until the last one, and the fields behind it; EOFError if it does not come."""
        body = bytearray()
        while True:
            length = int(self._read_line().split(b";")[0], 16)
            if length == 0:
                lines = iter(self._read_line, b"")
                pairs = (line.decode("latin-1").split(":", 1) for line in lines)
                return bytes(body), [(name, value.strip()) for name, value in pairs]
            body += self._take(length)
            if self._read_line():
                raise ValueError("a chunk is longer than it says")

    def _read_to_end(self):
        try:
            while True:
                self._more()
        except EOFError:
            return self._take(len(self.rest))

    def read(self, has_body=True):
        response = self.read_head()
        if has_body and "chunked" in response.get("Transfer-Encoding"):
            response.body, response.trailers = self._read_chunks()
            return response
        if has_body and not response.get("Content-Length") and \
                response.status not in (100, 204, 304) and response.get("Connection") == ["close"]:
            response.body = self._read_to_end()
            return response
        length = int(dict(response.fields).get("content-length", "0")) if has_body else 0
        while len(self.rest) < length:
            self._more()
        response.body, self.rest = bytes(self.rest[:length]), self.rest[length:]
        return response

    def ask(self, method, target, body=None, fields=()):
        self.send(request(method, target, body, fields))
        return self.read(has_body=method != "HEAD")

    def is_closed(self):
        try:
            return not self.rest and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class NewClient(Client):
    """Asks on a new connection where the server has said that it closes the old one, as Apache httpd
    does behind these."""

    DROPS = (400, 408, 411, 413, 414, 500, 501, 503)

    def __init__(self, port):
        super().__init__(port)
        self.port = port
        self.is_closing = False

    def read_head(self):
        response = super().read_head()
        self.is_closing = response.get("Connection") == ["close"] and response.status in self.DROPS
        return response

    def ask(self, *arguments, **named):
        if self.is_closing:
            self.socket.close()
            self.__init__(self.port)
        return super().ask(*arguments, **named)


def request(method, target, body=None, fields=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: test.example"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


class Server:
    """The process; `about` is what it says of itself."""

    def __init__(self, program, mode, *arguments, workers=1):
        """`arguments`: KEY=NUMBER, as conformance.h has them. `workers`: processes, for servers that
        fork; these do not."""
        self.process = subprocess.Popen([program, mode, *arguments], stdout=subprocess.PIPE,
                                        text=True)
        self.about = json.loads(self.process.stdout.readline())
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        """SIGTERM; (exit code, last counts)."""
        self.process.terminate()
        try:
            out, _ = self.process.communicate(timeout=LONG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, json.loads(out)
