#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts the system's nginx on loopback with the module.  run.sh [PORT] [MODULE]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-8080}
module=${2:-$here/../../build/release/lib/nginx/ngx_http_catzilla_mw_module.so}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$here"/*.json "$folder"
sed "s|MODULE;|$(realpath "$module");|; s|PORT;|$port;|" "$here/nginx.conf" >"$folder/nginx.conf"
nginx=$(command -v nginx || echo /usr/sbin/nginx)
"$nginx" -p "$folder" -c "$folder/nginx.conf" -e stderr &
trap 'kill -TERM $! 2>/dev/null || true; wait $! || true; rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM
for _ in {1..100}; do
    [[ ! -s $folder/nginx.pid ]] || break
    sleep 0.05
done
echo "listening on http://127.0.0.1:$port"
wait $!
