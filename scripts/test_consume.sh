#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the release build to a temporary prefix and uses it as a stranger would: by find_package
# and by pkg-config, shared and static, from C99, C11 and C++11.  test_consume.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
project=tests/consume/project
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

cmake --install "$build" --prefix "$prefix" >/dev/null
if grep -rIlF "$PWD" "$prefix"; then
    echo "the installed files above name the source tree" >&2
    exit 1
fi

echo "find_package"
cmake -S "$project" -B "$scratch/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$scratch/cmake" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
ctest --test-dir "$scratch/cmake" --output-on-failure

libdir=$(dirname "$(find "$prefix" -name catzilla-mw.pc)")/..
export PKG_CONFIG_PATH=$libdir/pkgconfig
flags=(-Wall -Wextra -Wpedantic -Werror)

# use <module> <source> <the system's module or ""> <compiler and standard...>
use() {
    local module=$1 source=$2 system=$3 kind words
    shift 3
    for kind in shared static; do
        # shellcheck disable=SC2086  # may be empty
        words=$(pkg-config --cflags --libs "$module" $system)
        # Our own archives; the system's libraries as they come.
        [[ $kind == shared ]] ||
            words="-DCMW_STATIC -pthread $(sed -E 's/-l(catzilla-mw[a-z0-9-]*)/-l:lib\1.a/g' <<<"$words")"
        # shellcheck disable=SC2086  # words of pkg-config
        "$@" "${flags[@]}" "$project/$source" -o "$scratch/program" $words -Wl,-rpath,"$libdir"
        echo "pkg-config $module $kind ${*: -1}: $("$scratch/program")"
    done
}

echo "pkg-config"
use catzilla-mw use_c99.c "" cc -std=c99
use catzilla-mw use_c11.c "" cc -std=c11
use catzilla-mw use_cxx11.cc "" c++ -std=c++11
use catzilla-mw-config use_config.c jansson cc -std=c99
use catzilla-mw-crypto use_crypto.c libcrypto cc -std=c99
use catzilla-mw-jemalloc use_jemalloc.c jemalloc cc -std=c99
use catzilla-mw-microhttpd use_microhttpd.c libmicrohttpd cc -std=c99
use catzilla-mw-evhttp use_evhttp.c libevent cc -std=c99
use catzilla-mw-civetweb use_civetweb.c "" cc -std=c99
use catzilla-mw-h2o use_h2o.c "" cc -std=c99
use catzilla-mw-testing use_testing.c "" cc -std=c99
