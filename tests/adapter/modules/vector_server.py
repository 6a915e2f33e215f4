#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stock server with the chain of a vector, in front of an echo: vector_server.py MODULE TOOL CONFIG

The echo is `catzilla-mw serve` with an empty chain, so it says nothing of what middleware learned
(`ctx`): cases that look there do not apply.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile


NGINX = """
load_module {module};
daemon off; master_process off;
error_log stderr; pid pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    underscores_in_headers on; ignore_invalid_headers off;
    catzilla_mw {config};
    server {{
        listen {listen};
        location / {{ proxy_pass {upstream}; proxy_set_header Host $http_host; }}
    }}
}}
"""

APACHE = """
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule catzilla_mw_module {module}
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile pid
ErrorLog error.log
ServerName localhost
Listen {listen}
KeepAlive On
AllowEncodedSlashes NoDecode
ProxyPreserveHost On
ProxyAddHeaders Off
CatzillaMw {config}
ProxyPass / {upstream}/ nocanon
"""


def find(name):
    return shutil.which(name) or "/usr/sbin/" + name


def main(module, tool, config):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="catzilla-"))
    (folder / "echo.json").write_text('{"listen": "127.0.0.1:0", "backend": "echo", "middleware": []}')
    listen = json.loads(pathlib.Path(config).read_text())["listen"]
    echo = subprocess.Popen([tool, "serve", str(folder / "echo.json")], stdout=subprocess.PIPE,
                            text=True)
    upstream = echo.stdout.readline().split()[-1].rstrip("/")
    is_apache = "mod_" in module
    path = folder / "server.conf"
    path.write_text((APACHE if is_apache else NGINX).format(
        module=module, config=config, listen=listen, upstream=upstream, folder=folder))
    command = [find("apache2"), "-f", str(path), "-X"] if is_apache else [
        find("nginx"), "-p", str(folder), "-c", str(path), "-e", "stderr"]
    server = subprocess.Popen(command, start_new_session=is_apache)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    code = server.wait()
    echo.terminate()
    echo.wait()
    shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
