/* SPDX-License-Identifier: MIT */
/*
 * What differs between compilers, chosen once so that function bodies need no #ifdef: branch hints,
 * inlining, prefetch, and telling AddressSanitizer which bytes nobody may touch.
 */
#ifndef CMW_BASE_PLATFORM_H
#define CMW_BASE_PLATFORM_H

#include <stddef.h>

#if defined(__GNUC__)
#define CMW_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CMW_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define CMW__ALWAYS_INLINE inline __attribute__((always_inline))
#define CMW__NOINLINE __attribute__((noinline))
#define CMW__COLD __attribute__((noinline, cold))
#define CMW__PREFETCH(address) __builtin_prefetch(address)
#define CMW__FALLTHROUGH __attribute__((fallthrough))
#define CMW__HIDE(number) __asm__("" : "+r"(number)) /* what it holds is nothing known */
#elif defined(_MSC_VER)
#define CMW_LIKELY(condition) (condition)
#define CMW_UNLIKELY(condition) (condition)
#define CMW__ALWAYS_INLINE __forceinline
#define CMW__NOINLINE __declspec(noinline)
#define CMW__COLD __declspec(noinline)
#define CMW__PREFETCH(address) ((void)(address))
#define CMW__FALLTHROUGH ((void)0)
#define CMW__HIDE(number) ((void)(number))
#else
#define CMW_LIKELY(condition) (condition)
#define CMW_UNLIKELY(condition) (condition)
#define CMW__ALWAYS_INLINE inline
#define CMW__NOINLINE
#define CMW__COLD
#define CMW__PREFETCH(address) ((void)(address))
#define CMW__FALLTHROUGH ((void)0)
#define CMW__HIDE(number) ((void)(number))
#endif

/* Let another thread run. */
#if defined(_WIN32)
#include <windows.h>
#define cmw__yield() ((void)SwitchToThread())
#else
#include <sched.h>
#define cmw__yield() ((void)sched_yield())
#endif

/* gcc and MSVC define a macro, clang has a feature test. */
#if defined(__SANITIZE_ADDRESS__)
#define CMW__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CMW__ASAN 1
#endif
#endif

#if defined(CMW__ASAN)
#include <sanitizer/asan_interface.h>
#define cmw__poison(ptr, len) __asan_poison_memory_region((ptr), (len))
#define cmw__unpoison(ptr, len) __asan_unpoison_memory_region((ptr), (len))
#else
#define cmw__poison(ptr, len) ((void)(ptr), (void)(len))
#define cmw__unpoison(ptr, len) ((void)(ptr), (void)(len))
#endif

/* Index of the lowest and of the highest bit that is set; `bits` is not 0. */
#if defined(__GNUC__)
static inline unsigned cmw__lowest_bit(unsigned bits)
{
    return (unsigned)__builtin_ctz(bits);
}
static inline unsigned cmw__lowest_bit64(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}
static inline unsigned cmw__highest_bit(unsigned bits)
{
    return 31u - (unsigned)__builtin_clz(bits);
}
#else
static inline unsigned cmw__lowest_bit(unsigned bits)
{
    unsigned index = 0;
    for (; (bits & 1u) == 0; bits >>= 1)
        index++;
    return index;
}
static inline unsigned cmw__lowest_bit64(uint64_t bits)
{
    const unsigned low = (unsigned)(bits & UINT32_MAX);
    return low ? cmw__lowest_bit(low) : 32 + cmw__lowest_bit((unsigned)(bits >> 32));
}
static inline unsigned cmw__highest_bit(unsigned bits)
{
    unsigned index = 0;
    while (bits >>= 1)
        index++;
    return index;
}
#endif

#endif /* CMW_BASE_PLATFORM_H */
