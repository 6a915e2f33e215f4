/* SPDX-License-Identifier: MIT */
/* Which responses a rule is for: by status and media type. */
#ifndef CMW_BUILTIN_RESPONSE_MATCH_H
#define CMW_BUILTIN_RESPONSE_MATCH_H

#include <catzilla/mw.h>

/* Statuses as texts, "404" or "2xx", and types, "text/html" or "text/" and "*". None of a kind: all
 * of it. */
struct cmw__response_match {
    uint64_t statuses[16]; /* a bit for each of 0..1023 */
    cmw_str *types;        /* a star at the end is cut off, with the slash before it left */
    size_t type_count;
    int has_statuses;
};

/* What the rule of a config has. */
struct cmw__response_lists {
    const char *const *statuses;
    size_t status_count;
    const char *const *types;
    size_t type_count;
};

/* Read the lists into a match; `option` begins the sentence: "cache_control: rules". 0,
 * CMW_ERR_INVALID or CMW_ERR_NOMEM. */
int cmw__response_match_fill(struct cmw__response_match *match, cmw_arena *arena,
                             const struct cmw__response_lists *lists, const char *option,
                             cmw_diag *diag);

/* 1 if a response is meant. O(types). */
int cmw__response_matches(const struct cmw__response_match *match, const cmw_response *response);

#endif /* CMW_BUILTIN_RESPONSE_MATCH_H */
