#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes the API reference to build/docs/html; fails when Doxygen warns. Needs doxygen.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v doxygen >/dev/null; then
    echo "doxygen is not installed (Debian: apt-get install doxygen)" >&2
    exit 1
fi
mkdir -p build/docs
doxygen docs/Doxyfile
echo "the API reference is in build/docs/html/index.html"
