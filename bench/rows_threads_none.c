/* SPDX-License-Identifier: MIT */
/* Built for ThreadSanitizer, which cannot follow threads of a forked process. */
#include "bench.h"

const struct row bench_thread_rows[] = {{.name = NULL}};
