/* SPDX-License-Identifier: MIT */
/* Built without the compression component. */
#include "bench.h"

const struct row bench_compression_rows[] = {{.name = NULL}};
