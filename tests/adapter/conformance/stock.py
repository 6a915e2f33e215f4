# SPDX-License-Identifier: MIT
"""Installed servers with our module, for the suite: the chain is kinds.c's, the handler a module's."""
import json
import os
import pathlib
import signal
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "modules"))

import servers

PIECES = ("guard", "waits", "pauses", "shout", "wrap", "counts", "actor", "later", "signer")
COUNTS = ("entered", "left", "twice", *servers.REASONS)
BODY_LIMIT = 1 << 20   # as base.py has them
HEAD_BYTES = 64 << 10


class Nginx(servers.Nginx):
    graceful_signal = signal.SIGQUIT

    def environment(self):
        """Two modules of nginx have variables of the same names, as nginx wants it."""
        environment = super().environment()
        if "ASAN_OPTIONS" in environment:
            environment["ASAN_OPTIONS"] += ":detect_odr_violation=0"
        return environment

    def configure(self):
        (self.folder / "nginx.conf").write_text(f"""
load_module {self.settings["module"]};
load_module {self.settings["plugin"]};
daemon off;
worker_processes {self.options["workers"]};
user root;
error_log {self.folder}/error.log notice;
pid {self.folder}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2;
    fastcgi_temp_path {self.folder}/t3; uwsgi_temp_path {self.folder}/t4;
    scgi_temp_path {self.folder}/t5;
    client_max_body_size 0;
    large_client_header_buffers 4 {HEAD_BYTES};
    keepalive_requests 1000000;
    keepalive_timeout {self.options["idle_s"]};
    client_header_timeout {self.options["idle_s"]};
    client_body_timeout {self.options["idle_s"]};
    catzilla_mw_load {self.settings["plugin"]};
    catzilla_mw chain.json;
    server {{
        listen 127.0.0.1:{self.port};
        location / {{ conformance; }}
    }}
}}
""")


class Apache(servers.Apache):
    """One process with many threads, or several: a request that waits has a thread."""

    THREADS = 64
    graceful_signal = signal.SIGWINCH

    def answers(self):
        """It listens before it knows what to do with signals."""
        return super().answers() and "resuming normal operations" in self.log()

    def configure(self):
        workers = self.options["workers"]
        (self.folder / "apache2.conf").write_text(f"""{self.preamble()}
LoadModule mpm_event_module {self.modules}/mod_mpm_event.so
LoadModule authz_core_module {self.modules}/mod_authz_core.so
LoadModule catzilla_mw_module {self.settings["module"]}
LoadModule conformance_module {self.settings["plugin"]}
StartServers {workers}
MinSpareThreads {workers}
MaxSpareThreads {workers * self.THREADS}
ServerLimit {workers}
ThreadLimit {self.THREADS}
ThreadsPerChild {self.THREADS}
MaxRequestWorkers {workers * self.THREADS}
AsyncRequestWorkerFactor 10
AcceptFilter http none
ErrorLog {self.folder}/error.log
LogLevel notice
GracefulShutdownTimeout 5
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout {self.options["idle_s"]}
Timeout {self.options["idle_s"]}
LimitRequestLine {HEAD_BYTES}
LimitRequestFieldSize {HEAD_BYTES}
LimitRequestFields 0
LimitRequestBody 0
CatzillaMwLoad {self.settings["plugin"]}
CatzillaMw chain.json
<Location />
    Require all granted
    SetHandler conformance
</Location>
""")


SERVERS = {"nginx": Nginx, "apache": Apache}


def chain_of(options):
    names = {"contexts": "context_limit", "pool_bytes": "pool_limit_bytes",
             "request_ms": "request_ms"}
    engine = {"body_bytes": BODY_LIMIT, "memory_bytes": 4 * BODY_LIMIT, "worker_limit": 32}
    counter = {"folder": "FOLDER"}
    for key, number in options.items():
        if key in names:
            engine[names[key]] = number
        else:
            counter[key] = number
    return {"engine": engine, "middleware": [{"use": "counter", "options": counter}] +
            [{"use": name} for name in PIECES]}


def use(module, plugin):
    servers.Stock.settings = {"module": module, "plugin": plugin,
                              "preload": os.environ.get("CMW_TEST_PRELOAD")}


class Server:
    """As client.Server. `workers`: processes that serve."""

    def __init__(self, kind, *arguments, workers=1):
        options = {key: int(number) for key, number in (each.split("=") for each in arguments)}
        idle_s = options.pop("idle_s", 10)
        self.stock = kind(chain_of(options), workers=workers, idle_s=idle_s)
        self.stock.on_end = self.read_counts
        self.stock.start()
        self.port = self.stock.port
        self.about = json.loads((self.stock.folder / "about").read_text())

    def begin_to_end(self):
        """Gracefully: what has begun is finished."""
        self.stock.process.send_signal(self.stock.graceful_signal)

    def await_end(self):
        """(Exit code, last counts)."""
        code = self.stock.process.wait(servers.LONG_S)
        self.stock.stop()
        return code, self.counts

    def read_counts(self):
        data = (self.stock.folder / "counts").read_bytes()[:8 * len(COUNTS)]
        self.counts = dict(zip(COUNTS, struct.unpack(f"<{len(COUNTS)}Q", data)))

    def stop(self):
        """SIGTERM; (exit code, last counts)."""
        return self.stock.stop(), self.counts
