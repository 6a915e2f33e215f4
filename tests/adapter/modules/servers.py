# SPDX-License-Identifier: MIT
"""Stock servers on loopback with a module of ours, each in a temporary folder of its own."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from client import Client, NewClient

LONG_S = 30
LARGE = 3 << 20
NAMES = ("entered", "left", "twice", "body_sent")
REASONS = ("sent", "client_gone", "deadline", "error", "shutdown")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Upstream:
    """Says what it got; /abort breaks off in its answer, /slow answers in two parts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def handle_any(self):
            length = int(self.headers.get("Content-Length") or 0)
            got = len(self.rfile.read(length))
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline() or b"0", 16):  # one that breaks off is over
                    got += len(self.rfile.read(size + 2)) - 2
                self.rfile.readline()
            if self.path == "/abort":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                self.close_connection = True
                return
            body = json.dumps({"method": self.command, "path": self.path, "body": got,
                               "headers": [[n, v] for n, v in self.headers.items()]}).encode()
            self.send_response(404 if self.path == "/gone" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Set-Cookie", "a=1")
            self.send_header("Set-Cookie", "b=2")
            self.send_header("X-Frame-Options", "ALLOW-FROM upstream")
            if self.path == "/chunked":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
                return
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any

    def __init__(self):
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), self.Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Stock:
    """What both servers have in common. `settings` is set by run.py."""

    settings = {}
    has_forks = True
    patience_s = LONG_S
    sends_trailers = False
    survives_refused_reload = True
    drops_length_beside_coding = False
    answers_late_heads = False
    Client = Client

    def __init__(self, chain, locations=None, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="catzilla-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.closed_port = free_port()
        self.upstream = Upstream()
        self.options = options
        self.counts_file = self.folder / "counts"
        self.counts_file.write_bytes(bytes(4096))
        self.counts_file.chmod(0o666)
        root = self.folder / "html"
        root.mkdir()
        (root / "file.txt").write_text("a file\n")
        (root / "index.html").write_text("index\n")
        (root / "50x.html").write_text("our own page\n")
        (root / "large").write_bytes(b"l" * LARGE)
        (root / "large.txt").write_bytes(b"l" * LARGE)
        with (root / "huge").open("wb") as huge:  # more than lies in sockets
            huge.truncate(64 << 20)
        (root / "folder").mkdir()
        self.write("chain.json", chain)
        self.locations = locations or {}
        for name, location in self.locations.items():
            self.write(f"{name}.json", location)
        self.process = None

    def write(self, name, chain):
        text = chain if isinstance(chain, str) else json.dumps(chain)
        (self.folder / name).write_text(text.replace("COUNTS", str(self.counts_file)).replace(
            "FOLDER", str(self.folder)))

    def environment(self):
        environment = dict(os.environ)
        preload = self.settings.get("preload")
        if preload:  # the module is built with a sanitizer that the server is not built with
            environment["LD_PRELOAD"] = preload
            environment["ASAN_OPTIONS"] = "detect_leaks=0:handle_segv=1:log_path=" + str(
                self.folder / "asan")
        return environment

    def test(self):
        """The server's own check of the configuration: (exit code, what it says)."""
        self.configure()
        return self.check()

    def check(self):
        """The same of one that is there, also while it serves."""
        done = subprocess.run(self.command("-t"), env=self.environment(), capture_output=True,
                              text=True, timeout=LONG_S)
        return done.returncode, done.stderr + done.stdout

    def start(self):
        self.configure()
        for path in (self.folder / "html").iterdir():
            os.utime(path, (1e9, 1e9))  # httpd's tags are weak for what has just been written
        with (self.folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(self.command(), env=self.environment(),
                                            stdout=subprocess.DEVNULL, stderr=stderr,
                                            start_new_session=True)  # httpd ends its group
        self.wait(self.answers, "it does not listen")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def wait(self, question, what):
        end = time.monotonic() + self.patience_s
        while True:
            answer = question()
            if answer:
                return answer
            if time.monotonic() > end:
                raise AssertionError(what + ": " + self.log())
            time.sleep(0.02)

    def log(self):
        texts = [path.read_text(errors="replace") for path in (
            self.folder / "error.log", self.folder / "stderr", *self.folder.glob("asan*"))
            if path.exists()]
        return "".join(texts)[-6000:]

    def counts(self):
        numbers = struct.unpack("<12Q", self.counts_file.read_bytes()[:96])
        return dict(zip(NAMES + REASONS, numbers))

    def settled(self):
        """When nothing is open."""
        def question():
            counts = self.counts()
            return counts if counts["entered"] == counts["left"] else None
        return self.wait(question, f"requests stay open: {self.counts()}")

    def settled_after(self, before, requests):
        """When so many more have begun and nothing is open."""
        self.wait(lambda: self.counts()["entered"] - before["entered"] >= requests,
                  "requests do not begin")
        return self.settled()

    def workers(self):
        """Processes that serve."""
        children = pathlib.Path(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(child) for child in children}

    def on_end(self):
        """It has ended; its folder is still there."""

    def stop(self):
        """The exit code; sanitizers' reports are failures."""
        code = 0
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(LONG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.upstream.stop()
        self.on_end()
        reports = "".join(p.read_text(errors="replace") for p in self.folder.glob("asan*"))
        log = self.log()
        shutil.rmtree(self.folder)
        if reports:
            raise AssertionError(reports)
        if re.search(r"exited on signal|AddressSanitizer|runtime error|Segmentation", log):
            raise AssertionError(log)
        return code


class Nginx(Stock):
    name = "nginx"
    sends_trailers = True
    file = "nginx.conf"
    cuts_changed_bodies = True
    program = "/usr/sbin/nginx"
    waiters = 100
    reload_signal = signal.SIGHUP

    @staticmethod
    def chain_of(path):
        return f"catzilla_mw {path};"

    @staticmethod
    def plugin_of(path):
        return f"catzilla_mw_load {path};"

    def command(self, *arguments):
        return [self.program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"),
                *arguments]

    def configure(self):
        location = "".join(f"""
        location /{name}/ {{ catzilla_mw {name}.json; return 200 "{name}\\n"; }}"""
                           for name in self.locations)
        (self.folder / "nginx.conf").write_text(f"""
load_module {self.settings["module"]};
daemon off;
worker_processes {self.options.get("workers", 2)};
user root;
error_log {self.folder}/error.log {self.options.get("log", "notice")};
pid {self.folder}/pid;
events {{ worker_connections 512; }}
http {{
    types {{ text/plain txt; text/html html; }}
    access_log off;
    client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2;
    fastcgi_temp_path {self.folder}/t3; uwsgi_temp_path {self.folder}/t4;
    scgi_temp_path {self.folder}/t5;
    catzilla_mw_load {self.settings["plugin"]};
    client_max_body_size 8m;
    lingering_timeout 1s;
    {self.options.get("http", "catzilla_mw chain.json;")}
    server {{
        listen 127.0.0.1:{self.port};
        root {self.folder}/html;
        error_page 503 /50x.html;
        gzip_types text/plain; gzip_min_length 1;
        {self.options.get("server", "")}
        location = /text {{ default_type text/plain; return 200 "text\\n"; }}
        location = /moved {{ return 301 /elsewhere; }}
        location = /nothing {{ return 204; }}
        location = /forbidden {{ deny all; }}
        location = /unavailable {{ return 503; }}
        location = /inner {{ rewrite ^ /text last; }}
        location = /tried {{ try_files /none @named; }}
        location @named {{ return 200 "named\\n"; }}
        location = /zipped {{ gzip on; alias {self.folder}/html/file.txt; }}
        location = /added {{ add_header X-Added here always; return 200 "added\\n"; }}
        location = /known {{ return 200 "$catzilla_client $catzilla_scheme $catzilla_host $catzilla_path"; }}
        location /proxy/ {{ proxy_pass http://127.0.0.1:{self.upstream.port}/; }}
        location /raw/ {{ proxy_pass http://127.0.0.1:{self.upstream.port}; }}
        location = /broken {{ proxy_pass http://127.0.0.1:{self.closed_port}; }}
        location = /ssi {{ ssi on; ssi_types *; alias {self.folder}/html/ssi.html; }}
        {location}
        {self.options.get("more", "")}
    }}
}}
""")
        (self.folder / "html" / "ssi.html").write_text(
            '<!--#include virtual="/text" --><!--#include virtual="/proxy/x" -->')

    def reload(self):
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.workers() - before, "no new workers")

    def reload_ended(self):
        """Only new workers serve."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.workers() and not self.workers() & before, "old workers stay")


class Apache(Stock):
    name = "apache"
    file = "apache2.conf"
    cuts_changed_bodies = False
    program = "/usr/sbin/apache2"
    modules = pathlib.Path("/usr/lib/apache2/modules")
    mpm = "event"
    survives_refused_reload = False
    drops_length_beside_coding = True
    answers_late_heads = True  # once their first line is whole
    Client = NewClient  # 500 and some more end the connection
    waiters = 50
    reload_signal = signal.SIGUSR1
    loaded = ("authz_core", "authz_host", "mime", "dir", "alias", "rewrite", "headers", "proxy",
              "proxy_http", "include", "filter", "deflate", "remoteip", "setenvif")

    @staticmethod
    def chain_of(path):
        return f"CatzillaMw {path}"

    @staticmethod
    def plugin_of(path):
        return f"CatzillaMwLoad {path}"

    def command(self, *arguments):
        return [self.program, "-f", str(self.folder / "apache2.conf"),
                *(arguments or ("-DFOREGROUND",))]

    def stop(self):
        """httpd's main thread closes the sockets of its other threads when it is to end, also those
        that are just being freed: a process was seen to crash in that (apr_os_sock_get), 3 times of
        386, while no request was open. So connections that have ended get the time to be gone."""
        if self.process and self.process.poll() is None:
            time.sleep(0.2)
        return super().stop()

    def threads(self):
        workers = self.options.get("workers", 2)
        if self.mpm == "prefork":
            return f"StartServers {workers * 4}\nMaxRequestWorkers 64\nMinSpareServers 4\n"
        return (f"StartServers {workers}\nThreadsPerChild 25\nMaxRequestWorkers {workers * 25}\n"
                f"MaxSpareThreads {workers * 25}\nThreadLimit 64\n")

    def preamble(self):
        """Where it lies, and whose its processes are."""
        user = ""
        if os.geteuid() == 0:  # nobody's, who write reports of sanitizers here
            user = "User nobody\nGroup nogroup\n"
            self.folder.chmod(0o777)
        return f"""
ServerRoot {self.folder}
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/pid
Listen 127.0.0.1:{self.port}
ServerName test.example
{user}"""

    def configure(self):
        locations = "".join(f"""
    <Location /{name}/>
        CatzillaMw {name}.json
    </Location>
    RewriteRule ^/{name}/ {self.folder}/html/{name}.txt""" for name in self.locations)
        for name in self.locations:
            (self.folder / "html" / f"{name}.txt").write_text(f"{name}\n")
        html = self.folder / "html"
        (html / "text.txt").write_text("text\n")
        (html / "zipped.txt").write_text("much of the same\n" * 1000)
        (html / "ssi.html").write_text(
            '<!--#include virtual="/text" --><!--#include virtual="/proxy/x" -->')
        loads = "".join(f"LoadModule {name}_module {self.modules}/mod_{name}.so\n"
                        for name in ("mpm_" + self.mpm, *self.loaded))
        up = f"http://127.0.0.1:{self.upstream.port}"
        (self.folder / "apache2.conf").write_text(f"""{self.preamble()}
{loads}
LoadModule catzilla_mw_module {self.settings["module"]}
{self.threads()}
ErrorLog {self.folder}/error.log
LogLevel {self.options.get("log", "notice")}
GracefulShutdownTimeout 5
TypesConfig /dev/null
AddType text/plain .txt
AddType text/html .html
DirectoryIndex index.html
DocumentRoot {html}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 20
Timeout 20
AcceptPathInfo Off
<Directory {html}>
    Require all granted
    Options +Includes +FollowSymLinks
</Directory>
CatzillaMwLoad {self.settings["plugin"]}
{self.options.get("http", "CatzillaMw chain.json")}
ErrorDocument 503 /50x.html
RewriteEngine On
RewriteRule ^/text$ {html}/text.txt
RewriteRule ^/inner$ /text.txt [PT]
RewriteRule ^/nothing$ - [R=204]
RewriteRule ^/unavailable$ - [R=503]
{locations}
Redirect 301 /moved /elsewhere
Alias /zipped {html}/zipped.txt
<Location /zipped>
    SetOutputFilter DEFLATE
</Location>
<Location /forbidden>
    Require all denied
</Location>
Alias /ssi {html}/ssi.html
<Location /ssi>
    SetOutputFilter INCLUDES
</Location>
<Location /added>
    Header always set X-Added here
</Location>
Alias /added {html}/file.txt
ProxyPass /proxy/ {up}/
ProxyPass /raw/ {up}/raw/ nocanon
ProxyPass /broken http://127.0.0.1:{self.closed_port}/ retry=0
{self.options.get("more", "")}
""")

    def reload(self):
        before = self.workers()
        self.process.send_signal(self.reload_signal)
        self.wait(lambda: self.workers() - before, "no new workers")

    def reload_ended(self):
        """Only new workers serve."""
        before = self.workers()
        self.process.send_signal(self.reload_signal)
        self.wait(lambda: self.workers() and not self.workers() & before, "old workers stay")


class ApachePrefork(Apache):
    mpm = "prefork"
    waiters = 30
