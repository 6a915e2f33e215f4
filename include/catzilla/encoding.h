/* SPDX-License-Identifier: MIT */
/*
 * Bytes as text and back: base64, hexadecimal, percent-encoding, quoted strings.
 *
 * All functions write into the caller's buffer and are strict: what the standard calls an error is
 * one, so that no two texts mean the same bytes where the standard has only one.
 */
#ifndef CATZILLA_ENCODING_H
#define CATZILLA_ENCODING_H

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/*
 * Each function has these arguments in common:
 *
 *   len   bytes written; with CMW_ERR_LIMIT the room that is needed; unchanged otherwise
 *   to    room for `cap` bytes, apart from the input; may be NULL when `cap` is 0. No NUL is added.
 *         Undefined content after an error
 *
 * and returns 0, CMW_ERR_LIMIT when `cap` is too small, or what its own text names.
 *
 *   Threads: any
 *   Cost:    O(length of the input), no allocation
 *   Since:   0.1
 */

/* ---- Base64 ----------------------------------------------------------------------------- */

/** Which base64. */
enum cmw_base64_flags {
    CMW_BASE64_STANDARD = 0, /**< "+" and "/", padded with "=" (RFC 4648, 4) */
    CMW_BASE64_URL = 1,      /**< "-" and "_" (RFC 4648, 5) */
    CMW_BASE64_UNPADDED = 2  /**< no "=" at the end; reading refuses one */
};

/** Write bytes as base64. CMW_ERR_LIMIT also when the text would be too long for a size_t. */
CMW_API CMW_NODISCARD int cmw_base64_encode(size_t *len, char *to, size_t cap, cmw_str bytes,
                                            unsigned flags);

/**
 * Read base64.
 *
 * Exactly the padding that the flags ask for, no blanks, no line ends, no byte of the other
 * alphabet, and bits that encode nothing are 0: there is one text for any bytes.
 *
 * @return  also CMW_ERR_INVALID
 * Source:  RFC 4648, 3.2, 3.3, 3.5
 */
CMW_API CMW_NODISCARD int cmw_base64_decode(size_t *len, char *to, size_t cap, cmw_str text,
                                            unsigned flags);

/* ---- Hexadecimal ------------------------------------------------------------------------ */

/** Write bytes as hexadecimal digits, in lower case. */
CMW_API CMW_NODISCARD int cmw_hex_encode(size_t *len, char *to, size_t cap, cmw_str bytes);

/** Read hexadecimal digits of any case. @return also CMW_ERR_INVALID */
CMW_API CMW_NODISCARD int cmw_hex_decode(size_t *len, char *to, size_t cap, cmw_str text);

/* ---- Percent-encoding ------------------------------------------------------------------- */

/** How a text is percent-encoded. */
enum cmw_percent_flags {
    CMW_PERCENT_URI = 0, /**< "+" is itself (RFC 3986, 2.1) */
    CMW_PERCENT_FORM = 1 /**< "+" is a blank (application/x-www-form-urlencoded) */
};

/**
 * Undo percent-encoding. Every other byte is itself.
 *
 * The result may hold any byte, 0 as well: whoever asks for it judges it.
 *
 * @return  also CMW_ERR_INVALID for a "%" without two hexadecimal digits
 */
CMW_API CMW_NODISCARD int cmw_percent_decode(size_t *len, char *to, size_t cap, cmw_str text,
                                             unsigned flags);

/**
 * The value of a name in a query ("a=1&name=value"), as it stands there.
 *
 * Names are compared byte by byte, without decoding; a name without "=" has an empty value.
 *
 * @param[out] value  of the first one; unchanged unless the result is positive
 * @return            how many there are
 * Threads:           any
 * Cost:              O(query.len), no allocation
 * Since:             0.1
 */
CMW_API size_t cmw_query_find(cmw_str *value, cmw_str query, cmw_str name);

/* ---- Quoted strings --------------------------------------------------------------------- */

/**
 * Write a text as a quoted-string of HTTP: between quotes, with a backslash before each quote and
 * backslash. For parameters such as `realm`.
 *
 * @return  also CMW_ERR_INVALID for a control byte other than a tab
 * Source:  RFC 9110, 5.6.4
 */
CMW_API CMW_NODISCARD int cmw_quoted_encode(size_t *len, char *to, size_t cap, cmw_str text);

CMW_END_DECLS

#endif /* CATZILLA_ENCODING_H */
