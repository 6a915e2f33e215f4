/* SPDX-License-Identifier: MIT */
/* What is in line, whatever the compiler thinks of it, and what never is. */
#ifndef CMW_BUILTIN_INLINE_H
#define CMW_BUILTIN_INLINE_H

/* NOINLINE: what is not usual, kept out of a callback that then needs no registers of its own. */
#if defined(__GNUC__)
#define CMW__BUILTIN_INLINE inline __attribute__((always_inline))
#define CMW__BUILTIN_NOINLINE __attribute__((noinline))
#else
#define CMW__BUILTIN_INLINE inline
#define CMW__BUILTIN_NOINLINE
#endif

#endif /* CMW_BUILTIN_INLINE_H */
