#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the release preset, starts the example service on loopback, sends it real requests, and shows
# the answers, the explained plan and the statistics. Then it serves until Ctrl-C.
#   run_demo.sh [--once] [--port N]
#     --once    stop after the requests
#     --port N  default: any free port
set -euo pipefail
cd "$(dirname "$0")/.."

once=
port=0
while (($#)); do
    case $1 in
    --once) once=1 ;;
    --port)
        [[ ${2:-} =~ ^[0-9]+$ ]] || { echo "--port needs a number" >&2; exit 2; }
        port=$2
        shift
        ;;
    *)
        echo "usage: ${0##*/} [--once] [--port N]" >&2
        exit 2
        ;;
    esac
    shift
done

scripts/install_deps.sh demo
echo "building ..."
log=$(mktemp)
body=$(mktemp)
if ! scripts/build.sh release >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log" "$body"
    exit 1
fi

build/release/bin/production_api "127.0.0.1:$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -f "$log" "$body"' EXIT
trap 'exit 0' INT TERM
for _ in $(seq 100); do
    url=$(sed -nE 's#^listening on (http://[^ ]+)$#\1#p' "$log")
    [[ -n $url ]] && break
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
[[ -n $url ]] || { echo "the server did not say where it listens" >&2; exit 1; }
echo "serving on $url"

# show <what it shows> <curl arguments...>
show() {
    printf '\n--- %s\n$ curl -i' "$1"
    shift
    printf ' %q' "$@"
    printf '\n'
    curl -sS -i --max-time 10 "$@" | tr -d '\r'
    printf '\n'
}

editor='Authorization: Bearer editor'
viewer='Authorization: Bearer viewer'
origin='Origin: https://app.example'
show 'a health check needs no token' "$url/livez"
show 'no token: 401, with security headers, CORS and an id all the same' -H "$origin" "$url/todos"
show 'a preflight is answered before anybody is asked for a token' -X OPTIONS -H "$origin" \
    -H 'Access-Control-Request-Method: PUT' "$url/todos"
show 'an editor adds a todo' -H "$editor" --data 'feed the cat' "$url/todos"
show 'a viewer reads it' -H "$viewer" "$url/todos"
show 'a viewer may not delete it: 403' -X DELETE -H "$viewer" "$url/todos/1"
head -c 5000 /dev/zero | tr '\0' x >"$body"
show 'a body of 5,000 bytes is too long: 413' -H "$editor" --data-binary "@$body" "$url/todos"
show 'a handler that fails: 500, as problem+json' -H "$editor" "$url/_fail"

printf '\n--- sixty requests at once: the limiter lets some through\n'
for _ in $(seq 60); do
    curl -sS -o /dev/null -w '%{http_code}\n' -H "$viewer" "$url/todos"
done | sort | uniq -c
show 'what a limited client is told' -H "$viewer" "$url/todos"
sleep 2 # until the limiter lets this client through again

show 'the plan, explained' -H "$editor" "$url/_plan"
show 'the statistics' -H "$editor" "$url/_stats"

printf '\n--- the log\n'
grep -v '^listening' "$log" | tail -n 12

if [[ -n $once ]]; then
    exit 0
fi
printf '\nserving on %s until Ctrl-C\n' "$url"
wait "$server"
