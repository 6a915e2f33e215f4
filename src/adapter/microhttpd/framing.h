/* SPDX-License-Identifier: MIT */
/*
 * How long a request's body is, by its header fields. Pure.
 */
#ifndef CMW_MICROHTTPD_FRAMING_H
#define CMW_MICROHTTPD_FRAMING_H

#include <catzilla/request.h>

/*
 * The declared length: 0 without a body, CMW_LENGTH_UNKNOWN for a transfer coding.
 *
 * CMW_ERR_INVALID where two readers could disagree about the end of the body: more than one of
 * Content-Length and Transfer-Encoding, a length that is not digits alone, a coding other than
 * "chunked". libmicrohttpd 0.9.75 takes the first length and goes on, which lets a request hide in
 * another's body behind a proxy that takes the last.
 *
 * Source: RFC 9112, 6.1 and 6.3; RFC 9110, 8.6
 */
int cmw__framing_body_length(uint64_t *length, const cmw_header *headers, size_t count);

#endif /* CMW_MICROHTTPD_FRAMING_H */
