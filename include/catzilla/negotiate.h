/* SPDX-License-Identifier: MIT */
/*
 * Proactive negotiation: how much a client wants a media type, a language, a coding.
 */
#ifndef CATZILLA_NEGOTIATE_H
#define CATZILLA_NEGOTIATE_H

#include <catzilla/base.h>
#include <catzilla/request.h>

CMW_BEGIN_DECLS

/** The weight of "as much as can be", q=1. */
#define CMW_QUALITY_MAX 1000

/**
 * The weight that the request's Accept fields give a media type.
 *
 * The most specific range that matches counts: the type itself, then the type and "*", then both
 * "*"; then a range with parameters other than charset, which means another representation. A
 * member that is malformed is passed over. Without Accept, or with one that names nothing,
 * everything is wanted.
 *
 * @param type  "text/html", lower case, without parameters
 * @return      0 (not acceptable) to CMW_QUALITY_MAX
 * Threads:     the context's worker
 * Cost:        O(length of the fields), no allocation
 * Source:      RFC 9110, 12.4.2 and 12.5.1
 * Since:       0.1
 */
CMW_API int cmw_request_accepts(cmw_request *request, cmw_str type);

/**
 * The weight that the request's Accept-Language fields give a language.
 *
 * The longest range counts that is the language, or its beginning up to a "-"; then one that goes
 * on behind it ("de-AT" wants "de", too; with weight 0 it refuses only what it names); then "*".
 * Without the field, or with one that names nothing, everything is wanted.
 *
 * @param language  "de", "pt-BR"; compared in any case
 * @return          0 (not acceptable) to CMW_QUALITY_MAX
 * Threads:         the context's worker
 * Cost:            O(length of the fields), no allocation
 * Source:          RFC 9110, 12.5.4; RFC 4647, 3.3.1 and 3.4
 * Since:           0.1
 */
CMW_API int cmw_request_accepts_language(cmw_request *request, cmw_str language);

/**
 * The weight that the request's Accept-Encoding fields give a content coding.
 *
 * Without the field everything is wanted. "identity" is acceptable, with a weight of 1, unless it
 * is named or a "*" refuses it; "x-gzip" is "gzip".
 *
 * @param coding  "gzip", "identity", lower case
 * @return        0 (not acceptable) to CMW_QUALITY_MAX
 * Threads:       the context's worker
 * Cost:          O(length of the fields), no allocation
 * Source:        RFC 9110, 12.5.3 and 8.4.1.3
 * Since:         0.1
 */
CMW_API int cmw_request_accepts_encoding(cmw_request *request, cmw_str coding);

/**
 * The offer that the request's fields like best: each of them weighed as above, in one walk for
 * eight of them.
 *
 * @param weight  its weight; 0: none is acceptable
 * @param field   CMW_HDR_ACCEPT, CMW_HDR_ACCEPT_LANGUAGE or CMW_HDR_ACCEPT_ENCODING; with another
 *                nothing is acceptable
 * @param offers  `count` types, languages or codings, the one that is liked best here first
 * @return        the index of the first one that weighs most; 0 where none is acceptable
 * Threads:       the context's worker
 * Cost:          O(length of the fields, times offers), no allocation
 * Source:        RFC 9110, 12.5
 * Since:         0.1
 */
CMW_API size_t cmw_request_choose(cmw_request *request, int *weight, cmw_header_id field,
                                  const cmw_str *offers, size_t count);

CMW_END_DECLS

#endif /* CATZILLA_NEGOTIATE_H */
