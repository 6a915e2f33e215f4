#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure our module of nginx beside nginx's own directives: nginx.py [--build FOLDER] [--seconds N]

Four configurations answer the same request with the same body:

  bare    `return 200` alone, no log
  native  CORS by `map`, 12 security headers by `add_header`, an id by `$request_id`, `limit_req`, and
          a buffered access log in the combined format, as one writes them for nginx
  empty   the module and a plan without middleware
  plan    the same work as native by a plan: cors, security_headers, request_id, rate_limit, access_log

How they are measured: modules.py, here with `master_process off`.

--smoke: a few requests to each, which have the fields that they should have.
"""
import os
import shutil

from modules import ORIGIN, OTHER_ORIGIN, SECURITY, Server, measure

HTTP_OF = {
    "bare": "access_log off;",
    "native": f"""
    access_log access.log combined buffer=64k flush=5s;
    limit_req_zone $binary_remote_addr zone=all:1m rate=1000000r/s;
    map $http_origin $allowed {{ default ""; "{ORIGIN}" $http_origin; "{OTHER_ORIGIN}" $http_origin; }}
    map $allowed $exposed {{ default ""; "{ORIGIN}" "X-Request-ID"; "{OTHER_ORIGIN}" "X-Request-ID"; }}""",
    "empty": "access_log off; catzilla_mw empty.json;",
    "plan": "access_log off; catzilla_mw plan.json;",
}
SERVER_OF = {
    "native": """
        limit_req zone=all burst=1000000 nodelay;
        add_header Access-Control-Allow-Origin $allowed always;
        add_header Access-Control-Expose-Headers $exposed always;
        add_header Vary Origin always;
        add_header X-Request-ID $request_id always;
        """ + "\n".join(f'add_header {name} "{value}" always;' for name, value in SECURITY.items()),
}


class Nginx(Server):
    name = "nginx"
    program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") or "/usr/sbin/nginx"
    module = "lib/nginx/ngx_http_catzilla_mw_module.so"
    file = "nginx.conf"

    def command(self, is_single):
        return [self.program, "-p", str(self.folder), "-c", str(self.folder / self.file)]

    def configuration(self, kind, module, is_single):
        load = f"load_module {module};" if kind in ("empty", "plan") else ""
        return f"""{load}
daemon off;
master_process {"off" if is_single else "on"};
worker_processes 1;
user root;
error_log error.log error;
pid nginx.pid;
events {{ }}
http {{
    keepalive_requests 1000000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    {HTTP_OF[kind]}
    server {{
        listen 127.0.0.1:{self.port};
        {SERVER_OF.get(kind, "")}
        location / {{ default_type text/plain; return 200 "hello\\n"; }}
    }}
}}
"""


if __name__ == "__main__":
    measure(Nginx, __doc__)
