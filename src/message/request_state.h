/* SPDX-License-Identifier: MIT */
/*
 * The inside of a request. Part of the context; what is not needed is never computed.
 */
#ifndef CMW_MESSAGE_REQUEST_STATE_H
#define CMW_MESSAGE_REQUEST_STATE_H

#include <catzilla/arena.h>
#include <catzilla/request.h>

/* Bits of cmw_request.known: parts that have been computed. */
enum {
    CMW__KNOWN_METHOD = 1 << 0,
    CMW__KNOWN_SPLIT = 1 << 1, /* raw_path and query */
    CMW__KNOWN_PATH = 1 << 2,
    CMW__KNOWN_HOST = 1 << 3,
    CMW__KNOWN_LENGTHS = 1 << 4,
    CMW__OWNS_HEADERS = 1 << 5,     /* the arena's headers and ids, with room for header_cap */
    CMW__KNOWN_RAW_TARGET = 1 << 7, /* view.target was replaced; `raw_target` is the one before */
    CMW__HAS_PATH_RULES = 1 << 8,
    CMW__KNOWN_AGREES = 1 << 9, /* with the next: whether the Host field and the line agree */
    CMW__HOST_AGREES = 1 << 10
};

/* Bits of cmw_request.writable: what the callback that runs may rewrite. The four properties have
 * the bit of their fact. */
enum { CMW__WRITE_HEADERS = 1 << 8 };

struct cmw_request {
    /* These two are what is in line in the public header sees. */
    cmw_request_view view; /* the adapter's, copied; headers, target, scheme are those in force */
    const cmw_address *client; /* what a refiner set; else it is the peer */
    cmw_arena *arena;
    uint32_t known; /* 32 bits, like `writable`: storing 16 takes two instructions */
    uint8_t method_id;
    uint8_t host_is_valid;
    uint16_t port;
    uint32_t writable;
    cmw_str raw_target; /* as the server gave it, once it was replaced */
    cmw_str body;
    cmw_str raw_path;
    cmw_str query;
    cmw_str path; /* canonical; empty: it cannot be */
    cmw_str host;
    const uint8_t *lengths;           /* low bytes of those of the names, a multiple of 16 */
    uint8_t first_lengths[16];        /* the first of them, and all where there are no more */
    uint32_t header_cap;              /* defined with CMW__OWNS_HEADERS */
    const cmw_path_rules *path_rules; /* defined with CMW__HAS_PATH_RULES */
};

/* Begin the next request in the same arena, without a body: copies the view. Inline: it is on the
 * hot path. What `known` does not name stays undefined. */
static inline void cmw__request_restart(cmw_request *request, const cmw_request_view *view)
{
    request->view = *view;
    request->client = &request->view.peer;
    request->known = 0;
    request->writable = CMW__WRITE_HEADERS;
}

static inline void cmw__request_init(cmw_request *request, const cmw_request_view *view,
                                     cmw_arena *arena)
{
    request->arena = arena;
    request->body.data = NULL;
    request->body.len = 0;
    cmw__request_restart(request, view);
}

/* Sum of the lengths of names and values. */
size_t cmw__request_header_bytes(const cmw_request *request);
/* 1 if the target's path as it came is canonical already. */
int cmw__request_path_is_canonical(cmw_request *request);

/*
 * The canonical form of a path, which must begin with "/" (RFC 3986, 6.2.2): pure.
 *
 * Writes at most text.len bytes to `out`, one more where text is empty or the rules add a slash,
 * and their number to `*len`. Returns 0, or CMW_ERR_INVALID. `*len == text.len` and equal bytes: it
 * was canonical.
 */
int cmw__path_canonical(char *out, size_t *len, cmw_str text, const cmw_path_rules *rules);

/* The rules of a request for which none were set. */
extern const cmw_path_rules cmw__path_no_rules;

/* The canonical form of a raw path, in the arena if it differs. 0; CMW_ERR_NOMEM; CMW_ERR_INVALID,
 * also for an empty one. "*" is not looked at. */
int cmw__request_make_path(cmw_request *request, cmw_str *out, cmw_str raw);

/* How many bytes at the front are canonical where they stand; text.len: all. For a text that begins
 * with "/". One scan, 16 bytes at a time. */
size_t cmw__path_canonical_prefix(cmw_str text);

/* The length of the path at the front of a target that begins with "/", if it is plain: canonical,
 * and without an escape; 0 says nothing. One scan, which ends at the "?". */
size_t cmw__path_plain_len(cmw_str target);

/* What a target is made of. */
struct cmw__target {
    cmw_str authority; /* of absolute-form, and of CONNECT's authority-form; else empty */
    cmw_str path;      /* "*" for OPTIONS *; empty: no form of a target */
    cmw_str query;
};

/* Cut a target (RFC 9112, 3.2); `method` tells authority-form and "*". Pure. */
void cmw__target_split(struct cmw__target *out, cmw_str target, cmw_method method);

/* A host with or without a port. */
struct cmw__host {
    cmw_str name; /* without trailing dot, in the case in which it came */
    uint16_t port;
    uint8_t has_upper;
};

/* Read `host [":" port]` (RFC 3986, 3.2.2, without escapes and sub-delims): 0 or CMW_ERR_INVALID,
 * then `*out` is undefined. Pure. */
int cmw__host_parse(struct cmw__host *out, cmw_str text);
/* The name of what most hosts are, lower case without a port; NULL says nothing. Pure. */
cmw_str cmw__host_plain(cmw_str text);

/* Replace the host that is known. 0 or CMW_ERR_NOMEM. */
int cmw__request_adopt_host(cmw_request *request, const struct cmw__host *host);

#endif /* CMW_MESSAGE_REQUEST_STATE_H */
