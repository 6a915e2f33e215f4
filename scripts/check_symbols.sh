#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares headers, linker map and libraries, in both directions.  check_symbols.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/symbols.bash
source scripts/symbols.bash

lib=${1:-build/release}/lib
failed=0

# compare <what the first has> <first list> <what the second has> <second list>
compare() {
    local line
    while read -r line; do
        echo "$line: in $1, not in $3" >&2
        failed=1
    done < <(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$4") | grep . || true)
    while read -r line; do
        echo "$line: in $3, not in $1" >&2
        failed=1
    done < <(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$4") | grep . || true)
}

# Dynamic symbols without the version's own absolute symbol.
exported() { nm -D --defined-only "$1" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}'; }

mapfile -t headers < <(core_headers)
in_headers=$(declared "${headers[@]}")
in_map=$(sed -n '/^global:/,/^local:/s/^ *\(cmw_[a-z0-9_]*\);$/\1/p' "$map")
compare "the headers" "$in_headers" "$map" "$in_map"
compare "the headers" "$in_headers" "libcatzilla-mw.so" "$(exported "$lib/libcatzilla-mw.so")"

if nm -D --defined-only "$lib/libcatzilla-mw.so" | awk '$2 != "A"' | grep -v '@@CMW_0\.' >&2; then
    echo "the symbols above carry no version" >&2
    failed=1
fi

for header in include/catzilla/component/*.h include/catzilla/adapter/*.h; do
    [[ -e $header ]] || continue
    library=libcatzilla-mw-$(basename "$header" .h).so
    if [[ -e $lib/$library ]]; then
        compare "$header" "$(declared "$header")" "$library" "$(exported "$lib/$library")"
    else
        echo "$library: missing, $header declares it" >&2
        failed=1
    fi
done

header=include/catzilla/testing.h
archive=$lib/libcatzilla-mw-testing.a
in_archive=$(nm --defined-only -g "$archive" 2>/dev/null | awk 'NF == 3 {print $3}' |
    grep -v '^cmw__' || true)
compare "$header" "$(declared "$header")" "${archive##*/}" "$in_archive"

((failed)) || echo "symbols agree: $(wc -l <<<"$in_headers") in the core"
exit "$failed"
