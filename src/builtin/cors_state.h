/* SPDX-License-Identifier: MIT */
/* What an instance of `cors` keeps, and how it comes about. */
#ifndef CMW_BUILTIN_CORS_STATE_H
#define CMW_BUILTIN_CORS_STATE_H

#include <catzilla/builtin/cors.h>

#include <catzilla/mw.h>

#include "origin_set.h"

/* What an answer depends on: as a block, and as members for a Vary that is there already. */
struct vary {
    cmw_header_block *block;
    cmw_str members[4];
    size_t count;
    cmw_str value; /* all members */
};

struct names {
    cmw_str *items;
    size_t count;
    int has_any; /* "*" is among them */
};

struct cors {
    cmw_arena *arena; /* holds this and all but the blocks */
    cmw_pool *pool;   /* holds the blocks */
    struct cmw__origin_set origins;
    struct names methods;
    struct names headers; /* in lower case, sorted */
    cmw_cors_origin_fn *ask;
    void *ask_self;

    cmw_header_block **listed;        /* for each exact origin: itself, `plain` and Vary */
    cmw_header_block *any;            /* "*" and `plain` */
    cmw_header_block *plain;          /* beside the origin, on an answer */
    cmw_header_block *preflight;      /* beside the origin, on the answer to a preflight */
    cmw_header_block *bare_preflight; /* the same with Vary */
    struct vary vary;
    struct vary preflight_vary;
    int status;
    int allows_any;
    int allows_private_network;
    int passes_on;
};

/* memcmp(a, b, len) == 0 in line, for the short texts that preflights are made of: eight bytes at a
 * time, the last eight again. */
static inline int cmw__same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t left, right;

    if (len < 8) {
        for (size_t i = 0; i < len; i++)
            if (a[i] != b[i])
                return 0;
        return 1;
    }
    for (size_t i = 0; i < len - 8; i += 8) {
        memcpy(&left, a + i, 8);
        memcpy(&right, b + i, 8);
        if (left != right)
            return 0;
    }
    memcpy(&left, a + len - 8, 8);
    memcpy(&right, b + len - 8, 8);
    return left == right;
}

/* Refuse what is wrong or unsafe: 0, or an error with its sentence. */
int cmw__cors_check(const cmw_cors_config *config, cmw_diag *diag);

/* Make all of `cors` but `arena` and `pool`, which are there, from a config that was checked. 0, or
 * CMW_ERR_NOMEM: then cmw__cors_destroy takes what was made. */
int cmw__cors_fill(struct cors *cors, const cmw_cors_config *config);

void cmw__cors_destroy(struct cors *cors);

#endif /* CMW_BUILTIN_CORS_STATE_H */
