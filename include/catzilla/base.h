/* SPDX-License-Identifier: MIT */
/*
 * The words that every other header uses: strings, error codes, diagnostics, the version.
 */
#ifndef CATZILLA_BASE_H
#define CATZILLA_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <catzilla/export.h>

CMW_BEGIN_DECLS

/* ---- Version ---------------------------------------------------------------------------- */

#define CMW_VERSION_MAJOR 0
#define CMW_VERSION_MINOR 1
#define CMW_VERSION_PATCH 0
#define CMW_VERSION_STRING "0.1.0"

/**
 * The version of the library that runs, as `major * 1000000 + minor * 1000 + patch`.
 *
 * Threads: any
 * Cost:    O(1), no allocation
 * Since:   0.1
 */
CMW_API uint32_t cmw_version(void);

/* ---- Strings ---------------------------------------------------------------------------- */

/**
 * Bytes and their number. Not NUL-terminated unless a text says so; may hold any byte.
 *
 * It borrows: whoever hands one over says how long the bytes live. `data` may be NULL only where
 * `len` is 0. The layout is that of a POSIX `struct iovec` (pointer, then length).
 */
typedef struct cmw_str {
    const char *data;
    size_t len;
} cmw_str;

/** A slice of `len` bytes at `data`. Cost: O(1). */
static inline cmw_str cmw_str_make(const char *data, size_t len)
{
    cmw_str text;
    text.data = data;
    text.len = len;
    return text;
}

/** A slice of a NUL-terminated string, without its NUL; NULL gives an empty one. Cost: O(n). */
static inline cmw_str cmw_str_cstr(const char *cstr)
{
    return cmw_str_make(cstr, cstr ? strlen(cstr) : 0);
}

/** A slice of a string literal, as an expression. */
#define CMW_STR(literal) cmw_str_make("" literal, sizeof(literal) - 1)

/** The same as an initialiser, for static tables. */
#define CMW_STR_INIT(literal)                                                                      \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/** 1 if both hold the same bytes, else 0. Not constant-time: see cmw_str_equals_secret. */
static inline int cmw_str_equals(cmw_str a, cmw_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/**
 * Compare ASCII letters without their case.
 *
 * @return  1 if equal, else 0. Only A–Z and a–z fold; every other byte must be the same
 * Threads: any
 * Cost:    O(len), no allocation
 * Since:   0.1
 */
CMW_API int cmw_str_equals_fold(cmw_str a, cmw_str b);

/**
 * Compare a secret in a time that depends on the lengths only, never on the bytes.
 *
 * @return  1 if equal, else 0
 * Threads: any
 * Cost:    O(a.len), no allocation
 * Since:   0.1
 */
CMW_API int cmw_str_equals_secret(cmw_str a, cmw_str b);

/* ---- Errors ----------------------------------------------------------------------------- */

/**
 * Every code, its number and its sentence, in one list. Numbers are never reused.
 *
 * Functions return 0 or one of these. A verdict (middleware.h) is never an error code.
 */
#define CMW_ERROR_LIST(X)                                                                          \
    X(ARG, -1, "an argument is missing or out of range")                                           \
    X(STATE, -2, "the object is not in a state that allows the call")                              \
    X(NOMEM, -3, "the allocator has no memory left")                                               \
    X(LIMIT, -4, "a configured limit is reached")                                                  \
    X(EXISTS, -5, "the name is taken")                                                             \
    X(NOT_FOUND, -6, "nothing has that name")                                                      \
    X(INVALID, -7, "the bytes are not what the field allows")                                      \
    X(ORDER, -8, "the order of the chain breaks a rule")                                           \
    X(CYCLE, -9, "the references form a cycle")                                                    \
    X(CONFLICT, -10, "two declarations contradict each other")                                     \
    X(VERSION, -11, "the caller's struct has fields that this library lacks")                      \
    X(UNSUPPORTED, -12, "this build, host or platform cannot do it")                               \
    X(STALE, -13, "the request that the token meant is over")                                      \
    X(IO, -14, "the system refused to read or write")                                              \
    X(CANCELLED, -15, "the request was given up")                                                  \
    X(AGAIN, -16, "nothing is there yet")

enum cmw_error {
    CMW_OK = 0,
#define CMW_ERROR_ENUM(name, number, sentence) CMW_ERR_##name = (number),
    CMW_ERROR_LIST(CMW_ERROR_ENUM)
#undef CMW_ERROR_ENUM
};

/**
 * A code's name, such as "CMW_ERR_NOMEM", and its sentence.
 *
 * @return  a static string, never NULL; "CMW_ERR_UNKNOWN" and its like for a number not in the list
 * Threads: any
 * Cost:    O(number of codes), no allocation
 * Since:   0.1
 */
CMW_API const char *cmw_error_name(int code);
CMW_API const char *cmw_error_text(int code);

/* ---- Diagnostics ------------------------------------------------------------------------ */

/** Room for a diagnostic's sentence. A longer one ends in "..." and `full_len` tells its length. */
#define CMW_DIAG_CAP 1024

/**
 * Why something was refused when it was configured: one sentence naming the culprit, and where two
 * things collide, both. The caller's storage; only written by a call that fails. Every function
 * that takes one accepts NULL.
 */
typedef struct cmw_diag {
    int code;                   /**< the CMW_ERR_* that the call returned */
    size_t full_len;            /**< bytes of the whole sentence; >= CMW_DIAG_CAP: it was cut */
    char message[CMW_DIAG_CAP]; /**< the sentence, NUL-terminated */
} cmw_diag;

/**
 * Write a sentence into a diagnostic, for functions of one's own that take one.
 *
 * @param diag    NULL: nothing is written
 * @param code    a CMW_ERR_*
 * @param format  of printf, for one sentence without a final full stop or line end
 * @return        `code`, so that it can be returned
 * Threads:       the diagnostic's owner
 * Cost:          for configuration time
 * Since:         0.1
 */
CMW_API int cmw_diag_set(cmw_diag *diag, int code, const char *format, ...) CMW_PRINTF(3, 4);

/* ---- Configs that can grow -------------------------------------------------------------- */

/**
 * Take over a caller's config struct, which may be of an older or newer version than ours.
 *
 * Both begin with `size_t size`. A smaller one leaves the rest of `to` as it was; a larger one is
 * accepted if what we do not know of it is zero.
 *
 * @param to    ours, filled with the defaults and its size; unchanged on failure
 * @param from  the caller's; NULL leaves `to` as it is
 * @return      0, or CMW_ERR_VERSION
 * Cost:        O(size), no allocation
 * Since:       0.1
 */
CMW_API CMW_NODISCARD int cmw_config_adopt(void *to, const void *from);

/* ---- Limits that "none" means ----------------------------------------------------------- */

/** "No index", "no such thing", wherever an index of 32 bits is returned or given. */
#define CMW_NONE UINT32_MAX

CMW_END_DECLS

#endif /* CATZILLA_BASE_H */
