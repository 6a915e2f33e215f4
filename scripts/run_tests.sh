#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs every check and ends with "N passed, N failed": each test, and each stage that is not made of
# tests, counts once. A stage that fails does not stop the next.  run_tests.sh [--quick]
#   --quick  the release build and its tests only
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
logs=build/logs
mkdir -p "$logs"

# stage <name> <command...>: its output goes to build/logs/<name>.log, shown when it fails. Lines
# "N tests passed, N tests failed" or ctest's summary in it are counted; else the stage counts.
stage() {
    local name=$1 log=$logs/$1.log start=$SECONDS rc=0 counts good bad
    shift
    "$@" >"$log" 2>&1 || rc=$?
    counts=$(sed -nE \
        -e 's/^([0-9]+) tests passed, ([0-9]+) tests failed$/\1 \2/p' \
        -e 's/^[0-9]+% tests passed, ([0-9]+) tests failed out of ([0-9]+)$/- \1 \2/p' "$log" |
        awk '$1 == "-" {good += $3 - $2; bad += $2; next} {good += $1; bad += $2}
             END {print good + 0, bad + 0}')
    read -r good bad <<<"$counts"
    if ((good + bad == 0)); then
        if ((rc == 0)); then good=1; else bad=1; fi
    elif ((rc != 0 && bad == 0)); then
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-12s %5d passed %3d failed %5d s\n' "$name" "$good" "$bad" $((SECONDS - start))
    if ((bad)); then
        grep -E '\[  FAILED  \]|\*\*\*|warning:|error:|ERROR|FAILED|not in ' "$log" | head -n 40 || true
        echo "--- the end of $log"
        tail -n 40 "$log"
    fi
}

# build_and_test <preset> [option for cmake...]: one test more than processors, as servers' tests sleep
build_and_test() {
    scripts/build.sh "$@" && ctest --preset "$1" --parallel "$(($(nproc) + 1))" --no-tests=error
}

finish() {
    echo "$passed passed, $failed failed"
    ((failed == 0))
    exit
}

case "${1:-}" in
--quick)
    scripts/install_deps.sh build
    stage release build_and_test release
    finish
    ;;
"") ;;
*)
    echo "usage: ${0##*/} [--quick]" >&2
    exit 2
    ;;
esac

scripts/install_deps.sh all
stage format scripts/check_format.sh
stage release build_and_test release
stage clang build_and_test clang
stage asan build_and_test asan
stage tsan build_and_test tsan
stage nojemalloc build_and_test nojemalloc
stage valgrind scripts/check_valgrind.sh build/nojemalloc
stage symbols scripts/check_symbols.sh build/release
stage consume scripts/test_consume.sh build/release
stage tidy scripts/check_tidy.sh build/clang
finish
