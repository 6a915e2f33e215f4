#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure our module of Apache httpd beside httpd's own: apache.py [--build FOLDER] [--seconds N]

Four configurations answer the same request with the same file:

  bare    the file alone, no log
  native  CORS by `SetEnvIf` and `Header`, 12 security headers by `Header`, an id by mod_unique_id, and
          a buffered log in the combined format, as one writes them for httpd, which has no rate limit
  empty   the module and a plan without middleware
  plan    the same work by a plan, and a rate limit: cors, security_headers, request_id, rate_limit,
          access_log

How they are measured: modules.py. CPU time with the event MPM; instructions and allocations in the one
process of `httpd -X` with prefork, since event's crashes now and then when it is stopped.

--smoke: a few requests to each, which have the fields that they should have.
"""
import os
import pathlib
import re
import shutil

from modules import ORIGIN, OTHER_ORIGIN, SECURITY, Server, measure

MODULES = pathlib.Path("/usr/lib/apache2/modules")
NATIVE = ("headers", "setenvif", "unique_id")
ALLOWED = "|".join(re.escape(origin) for origin in (ORIGIN, OTHER_ORIGIN))
THREADS = "ServerLimit 1\nThreadsPerChild 25\nMaxRequestWorkers 25\nMaxSpareThreads 25\nMinSpareThreads 1"
DIRECTIVES_OF = {
    "bare": "",
    "native": f"""
SetEnvIf Origin "^({ALLOWED})$" ALLOWED=$1
Header always set Access-Control-Allow-Origin "%{{ALLOWED}}e" env=ALLOWED
Header always set Access-Control-Expose-Headers "X-Request-ID" env=ALLOWED
Header always merge Vary Origin
Header always set X-Request-ID "%{{UNIQUE_ID}}e"
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
BufferedLogs On
CustomLog access.log combined
""" + "\n".join(f'Header always set {name} "{value}"' for name, value in SECURITY.items()),
    "empty": "CatzillaMw empty.json",
    "plan": "CatzillaMw plan.json",
}


class Apache(Server):
    name = "Apache httpd"
    program = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin") or \
        "/usr/sbin/apache2"
    module = "lib/apache2/mod_catzilla_mw.so"
    file = "apache2.conf"

    def command(self, is_single):
        return [self.program, "-f", str(self.folder / self.file), "-X" if is_single else "-DFOREGROUND"]

    def configuration(self, kind, module, is_single):
        root = self.folder / "html"
        root.mkdir()
        (root / "hello").write_text("hello\n")
        mpm = "mpm_prefork" if is_single else "mpm_event"
        loaded = (mpm, "authz_core", *(NATIVE if kind == "native" else ()))
        loads = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in loaded)
        if kind in ("empty", "plan"):
            loads += f"LoadModule catzilla_mw_module {module}\n"
        user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
        self.folder.chmod(0o777 if user else 0o755)
        return f"""{loads}{user}
ServerRoot {self.folder}
DefaultRuntimeDir {self.folder}
PidFile pid
ErrorLog error.log
Listen 127.0.0.1:{self.port}
ServerName www.example.com
StartServers 1
{"" if is_single else THREADS}
MaxKeepAliveRequests 0
KeepAliveTimeout 60
DocumentRoot {root}
<Directory {root}>
    Require all granted
    ForceType text/plain
</Directory>
{DIRECTIVES_OF[kind]}
"""


if __name__ == "__main__":
    measure(Apache, __doc__)
