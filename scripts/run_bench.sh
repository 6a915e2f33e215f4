#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the release preset and runs the benchmarks.  run_bench.sh [option of cmw-bench...]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release >&2
exec build/release/bin/cmw-bench "$@"
