/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histograms of durations: 16 buckets a power of two, so that a bucket is at most 1/16
 * of its value wide. Below 16 ns each nanosecond has its own; beyond 2^41 ns (37 minutes) all share
 * one.
 */
#include "ctx_state.h"

#include "histogram.h"

uint32_t cmw__histogram_bucket(uint64_t ns)
{
    if (ns < 16)
        return (uint32_t)ns;
    if (ns >> 41)
        return CMW__HISTOGRAM_BUCKETS - 1;
    const uint32_t exponent = 63u - (uint32_t)__builtin_clzll(ns);
    return (exponent - 3) * 16 + (uint32_t)(ns >> (exponent - 4) & 15);
}

uint64_t cmw__histogram_upper(uint32_t bucket)
{
    if (bucket < 16)
        return bucket;
    const uint32_t exponent = bucket / 16 + 3;
    const uint64_t width = UINT64_C(1) << (exponent - 4);
    return (16 + bucket % 16) * width + width - 1;
}

void cmw__use_record(struct cmw__plan_use *use, uint32_t histogram, uint64_t ns)
{
    _Atomic uint32_t *bucket =
        &use->histograms[histogram * CMW__HISTOGRAM_BUCKETS + cmw__histogram_bucket(ns)];
    const uint32_t count = atomic_load_explicit(bucket, memory_order_relaxed);
    atomic_store_explicit(bucket, count + 1, memory_order_relaxed);
}
