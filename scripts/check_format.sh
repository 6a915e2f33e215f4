#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the layout of every C and C++ file with clang-format 14; --fix writes it instead. Comments
# are laid out by hand: no line is longer than 100 characters.
set -euo pipefail
cd "$(dirname "$0")/.."

format=$(command -v clang-format-14 || command -v clang-format)
mode=(--dry-run -Werror)
[[ ${1:-} == --fix ]] && mode=(-i)
files() {
    git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' '*.cc' |
        while IFS= read -r -d '' file; do [[ -e $file ]] && printf '%s\0' "$file"; done
}
files | xargs -0 -r "$format" --style=file "${mode[@]}"
if files | LC_ALL=C.UTF-8 xargs -0 -r grep -nE '^.{101,}$'; then
    echo "these lines are longer than 100 characters" >&2
    exit 1
fi
