#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the layout of every C and C++ file with clang-format 14; --fix writes it instead.
set -euo pipefail
cd "$(dirname "$0")/.."

format=$(command -v clang-format-14 || command -v clang-format)
mode=(--dry-run -Werror)
[[ ${1:-} == --fix ]] && mode=(-i)
git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' '*.cc' |
    while IFS= read -r -d '' file; do [[ -e $file ]] && printf '%s\0' "$file"; done |
    xargs -0 -r "$format" --style=file "${mode[@]}"
