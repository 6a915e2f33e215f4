#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes one target with libFuzzer, from its corpus on.  run_fuzz.sh NAME [seconds]
# What it finds goes to build/fuzz/found/NAME; a file that crashes belongs into tests/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# < 1 || $# > 2)); then
    echo "usage: ${0##*/} NAME [seconds], where NAME is one of:" >&2
    sed -nE 's/^cmw_add_fuzz_target\((\w+).*/  \1/p' tests/fuzz/CMakeLists.txt >&2
    exit 2
fi
name=$1
seconds=${2:-60}
found=$PWD/build/fuzz/found/$name

scripts/install_deps.sh all
options=()
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
fi
cmake --preset fuzz "${options[@]}" >/dev/null
cmake --build --preset fuzz --target "fuzz_$name"
mkdir -p "$found/corpus"
build/fuzz/bin/fuzz/fuzz_"$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
    -artifact_prefix="$found/" "$found/corpus" "tests/fuzz/corpus/$name"
