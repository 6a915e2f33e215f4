/* SPDX-License-Identifier: MIT */
/* cookie_split.c for CPUs that look at 32 bytes at a time. This file alone is compiled for them. */
#define CMW__COOKIE_SPLIT cmw__cookie_split_avx2
#include "cookie_split.c" /* NOLINT(bugprone-suspicious-include): the same, compiled otherwise */

int cmw__cookie_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
