/* SPDX-License-Identifier: MIT */
/*
 * What differs between compilers: visibility and the attributes that let a compiler check a call.
 */
#ifndef CATZILLA_EXPORT_H
#define CATZILLA_EXPORT_H

#if defined(_WIN32) && defined(CMW_BUILDING)
#define CMW_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(CMW_STATIC)
#define CMW_API __declspec(dllimport)
#elif defined(__GNUC__)
#define CMW_API __attribute__((visibility("default")))
#else
#define CMW_API
#endif

#if defined(__GNUC__)
#define CMW_NODISCARD __attribute__((warn_unused_result))
#define CMW_CONST __attribute__((const)) /* the same result for the same arguments, always */
#define CMW_EXPECT(condition, value) __builtin_expect(!!(condition), value)
#define CMW_ASSUME(condition) ((condition) ? (void)0 : __builtin_unreachable())
#define CMW_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define CMW_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#else
#define CMW_NODISCARD
#define CMW_CONST
#define CMW_EXPECT(condition, value) (condition)
#define CMW_ASSUME(condition) ((void)0)
#define CMW_NONNULL(...)
#define CMW_PRINTF(format_index, first_arg)
#endif

/*
 * A few functions on the hot path have a form in line as well, to which a macro of their own name
 * leads; the function is there for bindings, function pointers and debuggers. With CMW_NO_INLINE
 * all are calls. So they are under AddressSanitizer: the library marks the bytes that nobody may
 * touch, and what uses a library built with it is built with it, too.
 */
#if defined(CMW_NO_INLINE)
/* as asked */
#elif defined(__SANITIZE_ADDRESS__)
#define CMW_NO_INLINE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CMW_NO_INLINE 1
#endif
#endif

#ifdef __cplusplus
#define CMW_BEGIN_DECLS extern "C" {
#define CMW_END_DECLS }
#else
#define CMW_BEGIN_DECLS
#define CMW_END_DECLS
#endif

#endif /* CATZILLA_EXPORT_H */
