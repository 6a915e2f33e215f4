/* SPDX-License-Identifier: MIT */
/* log_plain.c for CPUs that look at 32 bytes at a time and clear bits in one go (AVX2, BMI). This
 * file alone is compiled for them. */
#define CMW__LOG_PLAIN_WRITE cmw__log_plain_write_avx2
#include "log_plain.c" /* NOLINT(bugprone-suspicious-include): the same, compiled otherwise */

int cmw__log_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
