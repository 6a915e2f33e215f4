/* SPDX-License-Identifier: MIT */
#ifndef CMW_BUILTIN_RATE_WAIT_H
#define CMW_BUILTIN_RATE_WAIT_H

#include <stddef.h>

/* Let another thread run that may hold what this one waits for. */
void cmw__rate_let_others_run(void);

/* Ask for large pages behind a large piece of memory, for what lies wholly in it. A hint. */
void cmw__rate_use_large_pages(void *memory, size_t bytes);

#endif /* CMW_BUILTIN_RATE_WAIT_H */
