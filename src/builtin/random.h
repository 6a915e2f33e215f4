/* SPDX-License-Identifier: MIT */
/* Random bytes of the system, for keys: not for the request path. */
#ifndef CMW_BUILTIN_RANDOM_H
#define CMW_BUILTIN_RANDOM_H

#include <stddef.h>

/* 0, or CMW_ERR_IO. At most 256 bytes. */
int cmw__random_bytes(void *to, size_t len);

#endif /* CMW_BUILTIN_RANDOM_H */
