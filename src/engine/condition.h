/* SPDX-License-Identifier: MIT */
/*
 * Conditions as the chain keeps them: checked, copied, hashed.
 */
#ifndef CMW_ENGINE_CONDITION_H
#define CMW_ENGINE_CONDITION_H

#include <catzilla/arena.h>
#include <catzilla/middleware.h>

/* Immutable once made. Lives in the chain's storage. */
struct cmw__condition {
    uint32_t method_bits;  /* 1 << cmw_method of each known method */
    uint32_t method_count; /* 0: every method */
    cmw_str *methods;      /* those without an id are compared by name */
    cmw_str *hosts;        /* in lower case; one that begins with "*." is a suffix */
    uint32_t host_count;
    cmw_str *paths; /* positive patterns, then negated ones without their "!" */
    uint32_t path_count;
    uint32_t negated_count;
    cmw_predicate_fn *predicate;
    void *predicate_self;
    cmw_slot *reads;
    uint32_t read_count;
    uint64_t hash;
};

/* Check and copy. 0 and `*out`; CMW_ERR_INVALID, CMW_ERR_ARG, CMW_ERR_VERSION or CMW_ERR_NOMEM with
 * a sentence that begins with `subject`. */
int cmw__condition_copy(struct cmw__condition **out, cmw_arena *arena,
                        const cmw_condition *condition, const char *subject, cmw_diag *diag);

int cmw__condition_equals(const struct cmw__condition *a, const struct cmw__condition *b);

/* 1 if the condition reads this fact or slot. */
int cmw__condition_reads(const struct cmw__condition *condition, cmw_slot slot);

/* Each part by itself, without the plan's matcher. */
int cmw__condition_allows_method(const struct cmw__condition *condition, cmw_request *request);
int cmw__condition_allows_host(const struct cmw__condition *condition, cmw_request *request);
int cmw__condition_allows_path(const struct cmw__condition *condition, cmw_request *request);

/* 1 if a canonical path matches a pattern. The one definition of what patterns mean: the matcher is
 * held against it by a test. */
int cmw__pattern_matches(cmw_str pattern, cmw_str path);

#endif /* CMW_ENGINE_CONDITION_H */
