/* SPDX-License-Identifier: MIT */
/*
 * A mutex: for configuration, reload and taking workers. Never taken on the request path.
 */
#ifndef CMW_BASE_MUTEX_H
#define CMW_BASE_MUTEX_H

#if defined(_WIN32)
#include "mutex_windows.h"
#else
#include "mutex_posix.h"
#endif

#endif /* CMW_BASE_MUTEX_H */
