#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes src/catzilla-mw.map anew from the public headers.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/symbols.bash
source scripts/symbols.bash

mapfile -t headers < <(core_headers)
{
    echo "/* Written by scripts/update_symbols.sh from include/catzilla. */"
    echo "CMW_0.1 {"
    echo "global:"
    declared "${headers[@]}" | sed 's/.*/    &;/'
    echo "local:"
    echo "    *;"
    echo "};"
} >"$map.new"
mv "$map.new" "$map"
