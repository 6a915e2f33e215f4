#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs clang-tidy over the library's sources.  check_tidy.sh [build folder] [file...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/clang}
shift || true
tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
if (($#)); then
    files=("$@")
else
    mapfile -t files < <(python3 - "$build/compile_commands.json" "$PWD/src/" <<'PY'
import json, sys
names = {entry["file"] for entry in json.load(open(sys.argv[1]))}
print("\n".join(sorted(name for name in names if name.startswith(sys.argv[2]))))
PY
    )
fi
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "${JOBS:-2}" "$tidy" -p "$build" --quiet 2>&1 |
    sed '/^[0-9]* warnings\? generated\.$/d; /^Suppressed [0-9]* warnings/d; /^Use -header-filter/d'
