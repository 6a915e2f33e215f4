/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: the system's, and a page that a forked child finds empty, so that no two processes
 * draw from one batch.
 */
#ifndef CMW_BASE_RANDOM_H
#define CMW_BASE_RANDOM_H

#include <stddef.h>

/* The system's generator. 0, or CMW_ERR_IO; `to` may be half written then. */
int cmw__random_system(void *to, size_t len);

/*
 * Zeroed memory of CMW__RANDOM_PAGE bytes that is zero again in a child of fork. NULL: without
 * memory, or where the system has no such memory; then nothing may be kept between calls.
 */
#define CMW__RANDOM_PAGE 4096
void *cmw__random_page_create(void);
void cmw__random_page_destroy(void *page);

#endif /* CMW_BASE_RANDOM_H */
