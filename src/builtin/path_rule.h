/* SPDX-License-Identifier: MIT */
/*
 * A path pattern and the target that is made of what it matched: "/old/{id}/" with a star at the
 * end, and "/new/{id}?rest={*}". Pure.
 *
 * A pattern is compared segment by segment, once, from left to right: there is nothing to go back
 * to. What a target may become is checked twice: its constant text when it is made, the whole of it
 * after it was put together.
 */
#ifndef CMW_BUILTIN_PATH_RULE_H
#define CMW_BUILTIN_PATH_RULE_H

#include <catzilla/mw.h>

/* The most `{name}` segments of a pattern. */
#define CMW__PATH_CAPTURES_MAX 16

/* A piece of a pattern or a target: text, or what a capture holds. */
struct cmw__path_piece {
    cmw_str text;     /* of a pattern's `{name}`: the name */
    uint32_t capture; /* index of a capture; CMW__PATH_REST; CMW_NONE: text */
    int in_query;     /* of a target: a capture is written for a query */
};

#define CMW__PATH_REST (CMW_NONE - 1)

struct cmw__path_rule {
    struct cmw__path_piece *segments; /* of the pattern */
    size_t segment_count;
    int takes_rest;                 /* it ends with a star: all below */
    struct cmw__path_piece *pieces; /* of the target */
    size_t piece_count;
    int has_query;   /* the target has one of its own */
    int is_absolute; /* the target begins with a scheme and a host */
};

/* What a pattern found in a path: slices of it. */
struct cmw__path_match {
    cmw_str captures[CMW__PATH_CAPTURES_MAX];
    cmw_str rest; /* without the slash before it */
};

enum cmw__path_rule_flags {
    CMW__PATH_RULE_ABSOLUTE = 1 /* a target may be "https://host/..." */
};

/* Make a rule. `subject` names it in a sentence, as "redirect: rules[0]". 0, CMW_ERR_INVALID,
 * CMW_ERR_NOMEM. */
int cmw__path_rule_init(struct cmw__path_rule *rule, cmw_arena *arena, const char *from,
                        const char *to, unsigned flags, const char *subject, cmw_diag *diag);

/* 1 if a canonical path is matched. No allocation. */
int cmw__path_rule_matches(const struct cmw__path_rule *rule, cmw_str path,
                           struct cmw__path_match *match);

/* Put the target together; `query` goes behind it unless it has one of its own or `query` is empty.
 * 0; CMW_ERR_INVALID if what came of it could lead elsewhere (cmw__path_target_is_safe);
 * CMW_ERR_NOMEM. */
int cmw__path_rule_expand(const struct cmw__path_rule *rule, cmw_arena *arena,
                          const struct cmw__path_match *match, cmw_str query, cmw_str *out);

/*
 * 1 if a target is a path of this site to every reader: it begins with one slash, and neither a
 * slash nor a backslash follows, not escaped either; no backslash, no control byte, escaped or not,
 * no bad escape, nothing that no URI has. A query may hold any visible byte.
 */
int cmw__path_target_is_safe(cmw_str target);

#endif /* CMW_BUILTIN_PATH_RULE_H */
