/* SPDX-License-Identifier: MIT */
/*
 * Conditional requests: entity tags, and what a request's preconditions say of a representation.
 *
 * The built-in `conditional` asks for GET and HEAD, when the response is there. A handler that
 * changes something asks itself, before it does.
 */
#ifndef CATZILLA_PRECONDITION_H
#define CATZILLA_PRECONDITION_H

#include <catzilla/base.h>
#include <catzilla/request.h>

CMW_BEGIN_DECLS

/** No Last-Modified. */
#define CMW_NEVER_MODIFIED INT64_MIN

/** What is known of the representation that a request is about. Clear with cmw_validators_init. */
typedef struct cmw_validators {
    size_t size;             /**< set by cmw_validators_init */
    cmw_str etag;            /**< as the field has it, `"abc"` or `W/"abc"`; empty: none */
    int64_t last_modified_s; /**< since 1970-01-01 UTC; CMW_NEVER_MODIFIED: not known */
    int32_t is_missing;      /**< 1: there is no representation yet */
    int32_t reserved;        /**< 0 */
} cmw_validators;

/** A representation that is there, of which nothing is known. Cost: O(1). */
static inline void cmw_validators_init(cmw_validators *validators)
{
    memset(validators, 0, sizeof *validators);
    validators->size = sizeof *validators;
    validators->last_modified_s = CMW_NEVER_MODIFIED;
}

/**
 * What the preconditions of a request ask for: If-Match, else If-Unmodified-Since; then
 * If-None-Match, else, for GET and HEAD, If-Modified-Since.
 *
 * If-Match compares strongly, If-None-Match weakly. A date that is none, or a field of a date that
 * came twice, is passed over.
 *
 * @param validators  `size` must be that of this version, else 0 is returned
 * @param now_s       the present, for years of two digits
 * @return            0: do it; 304: the client has it (GET and HEAD); 412: not as the client has it
 * Threads:           the context's worker
 * Cost:              four look-ups; for what is there O(length of the fields); no allocation
 * Source:            RFC 9110, 13.1 and 13.2.2
 * Since:             0.1
 */
CMW_API int cmw_request_check_preconditions(cmw_request *request, const cmw_validators *validators,
                                            int64_t now_s);

/** How entity tags are compared. */
typedef enum cmw_etag_comparison {
    CMW_ETAG_STRONG = 0, /**< both are strong and the same */
    CMW_ETAG_WEAK = 1    /**< the same but for "W/" */
} cmw_etag_comparison;

/** 1 if a text is an entity tag. Threads: any. Cost: O(len). Source: RFC 9110, 8.8.3 */
CMW_API int cmw_etag_is_valid(cmw_str etag);

/**
 * 1 if a list of entity tags has one, or is "*". What is no entity tag in it matches nothing.
 *
 * @param etag  empty, or no entity tag: only "*" matches
 * Threads:     any
 * Cost:        O(list.len), no allocation
 * Source:      RFC 9110, 8.8.3.2
 * Since:       0.1
 */
CMW_API int cmw_etag_is_listed(cmw_str list, cmw_str etag, cmw_etag_comparison comparison);

CMW_END_DECLS

#endif /* CATZILLA_PRECONDITION_H */
