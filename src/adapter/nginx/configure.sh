#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs nginx's configure as Debian ran it.  configure.sh COPY-OF-NGINX-SOURCE MODULE-FOLDER
set -euo pipefail
cd "$1"
# shellcheck source=/dev/null
. ./conf_flags
./configure "${NGX_CONF_FLAGS[@]}" --builddir=objs --add-dynamic-module="$2" >configure.log 2>&1 || {
    cat configure.log >&2
    exit 1
}
