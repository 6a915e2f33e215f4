#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds into build/<preset>/.  build.sh [preset] [option for cmake...]
# Presets: release (default), debug, asan, tsan, clang, nojemalloc, fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
shift || true
if [[ $preset == clang || $preset == fuzz ]]; then
    scripts/install_deps.sh all
else
    scripts/install_deps.sh build
fi

options=("$@")
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake --preset "$preset" "${options[@]}"
cmake --build --preset "$preset"
