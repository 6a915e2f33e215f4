/* SPDX-License-Identifier: MIT */
/* Buckets of durations: pure. */
#ifndef CMW_ENGINE_HISTOGRAM_H
#define CMW_ENGINE_HISTOGRAM_H

#include <stdint.h>

#define CMW__HISTOGRAM_BUCKETS 608

/* The bucket of a duration, and the largest duration of a bucket. */
uint32_t cmw__histogram_bucket(uint64_t ns);
uint64_t cmw__histogram_upper(uint32_t bucket);

#endif /* CMW_ENGINE_HISTOGRAM_H */
