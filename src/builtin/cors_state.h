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

/* What a listed origin is told, itself and Vary included. */
struct listed {
    cmw_header_block *plain;
    cmw_header_block *preflight;
};

struct cors {
    cmw_phase_fn *answer_preflight; /* the uncommon ways */
    cmw_phase_fn *decorate;
    cmw_arena *arena; /* holds this and all but the blocks */
    cmw_pool *pool;   /* holds the blocks */
    /* The value of an entry is a struct listed. Empty with allows_any. */
    struct cmw__origin_set origins;
    struct names methods;
    struct names headers; /* in lower case, sorted */
    cmw_cors_origin_fn *ask;
    void *ask_self;

    cmw_header_block **listed;        /* for each exact origin: itself, `plain` and Vary */
    cmw_header_block *any;            /* "*" and `plain` */
    cmw_header_block *plain;          /* beside the origin, on an answer */
    cmw_header_block *bare_plain;     /* the same with Vary */
    cmw_header_block *preflight;      /* beside the origin, on the answer to a preflight */
    cmw_header_block *bare_preflight; /* the same with Vary */
    struct vary vary;
    struct vary preflight_vary;
    int status;
    int allows_any;
    int allows_private_network;
    int passes_on;
};

/* Refuse what is wrong or unsafe: 0, or an error with its sentence. */
int cmw__cors_check(const cmw_cors_config *config, cmw_diag *diag);

/* Make all of `cors` but `arena` and `pool`, which are there, from a config that was checked. 0, or
 * CMW_ERR_NOMEM: then cmw__cors_destroy takes what was made. */
int cmw__cors_fill(struct cors *cors, const cmw_cors_config *config);

void cmw__cors_destroy(struct cors *cors);

/* ---- Answers ---------------------------------------------------------------------------- */

/* The fields that this answers with, and Vary. */
extern const cmw_header_set cmw__cors_touched;

/* Decorate a response, whatever the request: 0, or the error of the response. */
int cmw__cors_decorate(const struct cors *cors, cmw_ctx *ctx);

static inline int is_options(cmw_request *request)
{
    return cmw_str_equals(cmw_request_method(request), CMW_STR("OPTIONS"));
}

/* By its length alone: most methods are shorter. */
static inline int may_be_options(const cmw_request *request)
{
    return cmw_request_method(request).len == sizeof "OPTIONS" - 1;
}

/* Fetch, 3.3.2: OPTIONS with Origin and Access-Control-Request-Method. */
static inline int is_preflight(cmw_request *request)
{
    return is_options(request) && cmw_request_header(request, CMW_HDR_ORIGIN) &&
           cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD);
}

#endif /* CMW_BUILTIN_CORS_STATE_H */
