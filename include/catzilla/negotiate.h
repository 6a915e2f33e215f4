/* SPDX-License-Identifier: MIT */
/*
 * Proactive negotiation: how much a client wants a media type.
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
 * "*". A member that is malformed is passed over. Without Accept, or with one that names nothing,
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

CMW_END_DECLS

#endif /* CATZILLA_NEGOTIATE_H */
