#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the release preset and runs the example server.  run_demo.sh [option of production_api...]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release
exec build/release/bin/production_api "$@"
