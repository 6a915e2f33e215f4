#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, by apt-get.  install_deps.sh [build|demo|all]
#   build  what scripts/build.sh needs
#   demo   and what scripts/run_demo.sh needs
#   all    and what scripts/run_tests.sh needs (default)
set -euo pipefail

packages=(gcc g++ libc6-dev cmake ninja-build pkg-config ccache
    libcmocka-dev libjansson-dev libjemalloc-dev libssl-dev libmicrohttpd-dev libevent-dev libcivetweb-dev
    libh2o-evloop-dev zlib1g-dev libbrotli-dev libzstd-dev nginx-dev apache2-dev)
case "${1:-all}" in
build) ;;
demo) packages+=(curl) ;;
all) packages+=(clang-14 clang libclang-rt-14-dev llvm-14 clang-format-14 clang-tidy-14 valgrind wrk
    binutils curl python3 nodejs git nghttp2-client nginx apache2) ;;
*)
    echo "usage: ${0##*/} [build|demo|all]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This system has no apt-get. Please install what these Debian packages hold:" >&2
    echo "  ${packages[*]}" >&2
    command -v cc >/dev/null && command -v cmake >/dev/null && command -v ninja >/dev/null && exit 0
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [[ $status == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

run=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "Missing packages; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    run=(sudo)
fi
echo "installing: ${missing[*]}"
"${run[@]}" apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
