# SPDX-License-Identifier: MIT
# Sourced by check_symbols.sh and update_symbols.sh, from the top of the tree.

map=src/catzilla-mw.map

# The headers of the core: components, adapters and the testing kit are libraries of their own.
core_headers() {
    find include/catzilla -name '*.h' -not -path '*/component/*' -not -path '*/adapter/*' \
        -not -name testing.h
}

declared() { python3 scripts/api_symbols.py "$@"; }
