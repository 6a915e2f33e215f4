#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts the system's Apache httpd on loopback with the module.  run.sh [PORT] [MODULE]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-8080}
module=$(realpath "${2:-$here/../../build/release/lib/apache2/mod_catzilla_mw.so}")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir "$folder/html"
echo "hello" >"$folder/html/hello.txt"
echo "for the administrator" >"$folder/html/admin.txt"
cp "$here"/*.json "$folder"
sed "s|MODULE|$module|; s|FOLDER|$folder|g; s|PORT$|$port|" "$here/apache2.conf" \
    >"$folder/apache2.conf"
if [[ $EUID == 0 ]]; then # its processes are nobody's
    printf 'User nobody\nGroup nogroup\n' >>"$folder/apache2.conf"
fi
httpd=$(command -v apache2 || echo /usr/sbin/apache2)
setsid "$httpd" -f "$folder/apache2.conf" -DFOREGROUND & # it ends its whole group
trap 'kill -TERM $! 2>/dev/null || true; wait $! || true; rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM
for _ in {1..100}; do
    [[ ! -s $folder/httpd.pid ]] || break
    sleep 0.05
done
echo "listening on http://127.0.0.1:$port"
wait $!
