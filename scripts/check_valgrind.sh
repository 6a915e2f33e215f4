#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the unit tests under memcheck, except those labelled no-valgrind.
# check_valgrind.sh [build folder]; prints "N tests passed, N tests failed".
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/nojemalloc}
logs=$build/valgrind
rm -rf "$logs" && mkdir -p "$logs"

# One test: its name, its folder, its command; each ends in NUL.
list() {
    ctest --test-dir "$build" -L '^unit$' -LE '^no-valgrind$' --show-only=json-v1 | python3 -c '
import json, sys
for test in json.load(sys.stdin)["tests"]:
    folder = [p["value"] for p in test["properties"] if p["name"] == "WORKING_DIRECTORY"]
    print(test["name"], folder[0] if folder else ".", *test["command"], sep="\t")'
}

# Leaves <name>.failed beside the log of a test that fails.
check_one() {
    local name folder command log
    IFS=$'\t' read -r name folder command <<<"$1"
    log=$PWD/$logs/$name
    # shellcheck disable=SC2086  # the command's words
    if ! (cd "$folder" && CMW_VALGRIND=1 timeout 600 valgrind --quiet --error-exitcode=99 \
        --leak-check=full --errors-for-leak-kinds=definite,possible --num-callers=20 \
        ${command//$'\t'/ }) >"$log.log" 2>&1; then
        mv "$log.log" "$log.failed"
    fi
}
export -f check_one
export logs

count=$(list | wc -l)
list | tr '\n' '\0' | xargs -0 -r -n 1 -P "${JOBS:-$(nproc)}" bash -c 'check_one "$1"' check
failed=$(find "$logs" -name '*.failed' | wc -l)
find "$logs" -name '*.failed' -exec sh -c 'echo "--- $1"; tail -n 60 "$1"' show {} \;
echo "$((count - failed)) tests passed, $failed tests failed"
((failed == 0))
