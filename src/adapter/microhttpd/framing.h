/* SPDX-License-Identifier: MIT */
/*
 * Whether a request's fields leave no doubt of where it ends, and how long its body is. Pure.
 */
#ifndef CMW_MICROHTTPD_FRAMING_H
#define CMW_MICROHTTPD_FRAMING_H

#include <catzilla/request.h>

/*
 * The declared length: 0 without a body, CMW_LENGTH_UNKNOWN for a transfer coding.
 *
 * CMW_ERR_INVALID where two readers could disagree about the end of the body: more than one of
 * Content-Length and Transfer-Encoding, a length that is not digits alone, a coding other than
 * "chunked", or any in HTTP/1.0. libmicrohttpd 0.9.75 takes the first length and goes on, which
 * lets a request hide in another's body behind a proxy that takes the last.
 *
 * So is a field of any name that is none ("Content-Length : 3", an empty one), or whose value has
 * a control byte: to the next reader it may be two, or another one. And a name that only begins
 * with one of the two: libmicrohttpd 0.9.75 puts the second line of a folded field behind the name,
 * "Content-Length3".
 *
 * @param headers  as libmicrohttpd keeps them: it reads "chunked " with a blank behind as a coding
 *                 that is unknown, and the body to the end of the connection
 *
 * Source: RFC 9112, 5.1, 6.1 and 6.3; RFC 9110, 5.5 and 8.6
 */
int cmw__framing_body_length(uint64_t *length, const cmw_header *headers, size_t count,
                             uint16_t http_version);

#endif /* CMW_MICROHTTPD_FRAMING_H */
