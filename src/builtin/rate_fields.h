/* SPDX-License-Identifier: MIT */
/*
 * What a response says about limits, in the styles that clients know:
 *
 *   draft-8   RateLimit: "default";r=4;t=60           RateLimit-Policy: "default";q=5;w=60
 *   draft-7   RateLimit: limit=5, remaining=4, reset=60   RateLimit-Policy: 5;w=60
 *   draft-6   RateLimit-Limit: 5, RateLimit-Remaining: 4, RateLimit-Reset: 60; Policy as draft-7
 *   legacy    X-RateLimit-Limit: 5, X-RateLimit-Remaining: 4, X-RateLimit-Reset: seconds since 1970
 *
 * Draft 8 is the form of all drafts since: structured fields (RFC 9651), each a list of policies.
 */
#ifndef CMW_BUILTIN_RATE_FIELDS_H
#define CMW_BUILTIN_RATE_FIELDS_H

#include <catzilla/builtin/rate_limit.h>
#include <catzilla/mw.h>

#include "rate_step.h"

/* A longer name of a policy is refused. */
#define CMW__RATE_NAME_MAX 64

enum cmw__rate_style {
    CMW__RATE_STYLE_DRAFT_8 = 1,
    CMW__RATE_STYLE_DRAFT_7 = 2,
    CMW__RATE_STYLE_DRAFT_6 = 4,
    CMW__RATE_STYLE_LEGACY = 8,
    CMW__RATE_STYLE_DRAFTS = 7
};

/* One limit, as its fields show it. */
struct cmw__rate_policy {
    cmw_str name;
    uint64_t quota;
    uint64_t window_s;
    char item[2 * CMW__RATE_NAME_MAX + 8]; /* `"name";r=` */
    size_t item_len;
    cmw_field_pattern *pattern; /* RateLimit in draft 7 or 8, with RateLimit-Policy */
};

struct cmw__rate_fields {
    unsigned styles;             /* enum cmw__rate_style */
    cmw_field_pattern *policies; /* RateLimit-Policy; NULL: not sent */
    size_t policy_count;
    struct cmw__rate_policy policy[CMW_RATE_LIMITS_MAX];
};

/* Read the names of styles. 0 or an error. */
int cmw__rate_fields_set_styles(struct cmw__rate_fields *fields, const char *const *names,
                                size_t count, cmw_diag *diag);
/* Add a policy. `name` is the arena's. 0 or an error. */
int cmw__rate_fields_add(struct cmw__rate_fields *fields, cmw_str name, uint64_t quota,
                         uint64_t window_ns, cmw_diag *diag);
/* Make the patterns once all are added. 0 or CMW_ERR_NOMEM. */
int cmw__rate_fields_finish(struct cmw__rate_fields *fields, cmw_arena *arena);

/* Set the fields of a step of one policy, and RateLimit-Policy. 0 or an error. */
int cmw__rate_fields_set(const struct cmw__rate_fields *fields, cmw_ctx *ctx, size_t index,
                         const struct cmw__rate_step *step);
/* Set Retry-After. 0 or an error. */
int cmw__rate_fields_set_retry(cmw_response *response, uint64_t retry_ns);

/* ---- Writing ---------------------------------------------------------------------------- */

/* Whole seconds, rounded up: what is said to be over is over. */
static inline uint64_t cmw__rate_seconds(uint64_t ns)
{
    return (ns + 999999999) / 1000000000;
}

/* Draft 8, whose fields are lists: those of another middleware stay. 0 or an error. */
static inline int cmw__rate_fields_append(const struct cmw__rate_fields *fields, size_t policy,
                                          cmw_response *response, uint64_t remaining,
                                          uint64_t reset_ns)
{
    return cmw_response_append_pair(response, fields->policy[policy].pattern, remaining,
                                    cmw__rate_seconds(reset_ns));
}

#endif /* CMW_BUILTIN_RATE_FIELDS_H */
