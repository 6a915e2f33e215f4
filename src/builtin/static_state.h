/* SPDX-License-Identifier: MIT */
/* What the files of static_files share. */
#ifndef CMW_BUILTIN_STATIC_STATE_H
#define CMW_BUILTIN_STATIC_STATE_H

#include <catzilla/mw.h>

#include "byte_ranges.h"
#include "static_system.h"

enum { CMW__STATIC_CODINGS_MAX = 3, CMW__STATIC_ETAG_CAP = 64 };

struct cmw__static_coding {
    cmw_str name, suffix; /* "gzip", ".gz" */
};

struct cmw__static_kind {
    cmw_str extension, type;
};

struct cmw__static_files {
    cmw_arena *arena;
    int root;       /* -1: not open yet */
    cmw_str prefix; /* without a slash at its end */
    cmw_str index, cache_control;
    struct cmw__static_coding codings[CMW__STATIC_CODINGS_MAX];
    size_t coding_count;
    struct cmw__static_kind *types;
    size_t type_count;
    int go_on;
    int by_steps; /* each component is opened by itself */
};

/* A file that is to be sent. */
struct cmw__static_found {
    struct cmw__static_file file;
    cmw_str type;
    cmw_str coding; /* empty: as it is */
    char etag[CMW__STATIC_ETAG_CAP];
    size_t etag_len;
};

/* What is sent of it: 0 for all that matches, or 304, 412. */
int cmw__static_conditions(cmw_request *request, const struct cmw__static_found *found,
                           int64_t now_s);
/* 1 if If-Range lets Range count. */
int cmw__static_range_holds(cmw_request *request, const struct cmw__static_found *found,
                            int64_t now_s);

/* Answer with the file or its ranges; takes the descriptor. A verdict. */
int cmw__static_send(cmw_ctx *ctx, const struct cmw__static_found *found, int64_t now_s);

/* How much a client wants a coding, 0 to 1000, by Accept-Encoding. Without the field, or if
 * it wants more what is not coded: 0. */
int cmw__static_wants(cmw_request *request, cmw_str coding);

#endif /* CMW_BUILTIN_STATIC_STATE_H */
