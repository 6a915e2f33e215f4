/* SPDX-License-Identifier: MIT */
/*
 * The request: what an adapter hands over, and the one canonical view that everyone reads.
 *
 * An adapter fills a `cmw_request_view` with slices of the server's own buffers; nothing is copied
 * but the view. Middleware reads and rewrites it through `cmw_request`. Path, host, scheme and
 * client address are computed once, on first need, so that conditions, middleware and the handler
 * never disagree; the bytes as they came stay readable.
 */
#ifndef CATZILLA_REQUEST_H
#define CATZILLA_REQUEST_H

#include <catzilla/address.h>
#include <catzilla/base.h>
#include <catzilla/header_id.h>

CMW_BEGIN_DECLS

/** The methods of RFC 9110 and RFC 5789, as bits for conditions. Names are case-sensitive. */
typedef enum cmw_method {
    CMW_METHOD_OTHER = 0,
    CMW_METHOD_GET = 1,
    CMW_METHOD_HEAD = 2,
    CMW_METHOD_POST = 3,
    CMW_METHOD_PUT = 4,
    CMW_METHOD_DELETE = 5,
    CMW_METHOD_CONNECT = 6,
    CMW_METHOD_OPTIONS = 7,
    CMW_METHOD_TRACE = 8,
    CMW_METHOD_PATCH = 9
} cmw_method;

/** The scheme by which a request came. */
typedef enum cmw_scheme { CMW_SCHEME_HTTP = 0, CMW_SCHEME_HTTPS = 1 } cmw_scheme;

/** "The length of the body is not known yet" (chunked, HTTP/2 without a length). */
#define CMW_LENGTH_UNKNOWN UINT64_MAX

/**
 * One request as its server sees it. Filled by the adapter, copied by cmw_ctx_begin.
 *
 * Every slice and array stays the server's and must live, unchanged, until cmw_ctx_end. Use
 * cmw_request_view_init, then fill what the server knows.
 */
typedef struct cmw_request_view {
    size_t size;               /**< sizeof(cmw_request_view), set by _init */
    cmw_str method;            /**< as sent, "GET" */
    cmw_str target;            /**< request target as sent, "/a%20b?c=d"; path and query are cut
                                    from it. Absolute-form and "*" are understood */
    cmw_str authority;         /**< HTTP/2 `:authority`; empty: the Host field is used */
    const cmw_header *headers; /**< in the order in which they came; values without the blanks
                                    around them (RFC 9110, 5.5) */
    const uint8_t *header_ids; /**< cmw_header_id of each, or NULL. Readable up to a multiple of 16
                                    (what follows the last one is ignored) */
    uint32_t header_count;     /**< of both arrays */
    uint32_t header_bytes;     /**< of names and values together, or an upper bound such as the size
                                    of the head; 0: the engine adds them up */
    uint16_t http_version;     /**< 0x0100, 0x0101, 0x0200, 0x0300; 0: unknown */
    uint8_t scheme;            /**< cmw_scheme of the connection */
    uint8_t reserved;          /**< 0 */
    cmw_address peer;          /**< the other end of the connection */
    uint64_t content_length;   /**< declared length of the body, 0 if there is none, or
                                    CMW_LENGTH_UNKNOWN */
    uint64_t now_ns;           /**< the host's monotonic clock; 0: the engine reads its own if a
                                    clock is needed */
    void *host_data;           /**< for the adapter: cmw_ctx_host_data */
} cmw_request_view;

/** Clear a view and set its size, an unknown version and CMW_SCHEME_HTTP. Cost: O(1). */
static inline void cmw_request_view_init(cmw_request_view *view)
{
    memset(view, 0, sizeof *view);
    view->size = sizeof *view;
}

/**
 * Fill `content_length` from the header fields of an HTTP/1 request: 0 without a body,
 * CMW_LENGTH_UNKNOWN for chunks.
 *
 * Refuses what two readers could frame differently, so that a request hides in another's body:
 * more than one of Content-Length and Transfer-Encoding, even equal ones; a length that is not
 * digits alone; a coding other than "chunked", or any in a version other than 1.1. So is a field
 * whose name is no token ("Content-Length : 3") or whose value has a control byte, and
 * a name that only begins with one of the two: libmicrohttpd 0.9.75 puts the second
 * line of a folded field behind the name. The host answers 400 and closes the connection.
 *
 * @return 0, or CMW_ERR_INVALID: the view is unchanged
 * Threads: any
 * Cost:    O(fields), no allocation
 * Source:  RFC 9112, 5.1, 6.1 and 6.3; RFC 9110, 5.5 and 8.6
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_request_view_read_length(cmw_request_view *view);

/**
 * The request of a context. Used on the context's worker only; pointers and slices that it gives
 * are valid until the request ends, unless the text says otherwise.
 *
 * It begins with the `cmw_request_view` in force, so that a lookup by id needs no call. The rest is
 * opaque.
 */
typedef struct cmw_request cmw_request;

/* ---- Line ------------------------------------------------------------------------------- */

/** The method as sent, and as a constant (CMW_METHOD_OTHER if not in the list). Cost: O(1). */
CMW_API cmw_str cmw_request_method(const cmw_request *request);
CMW_API cmw_method cmw_request_method_id(cmw_request *request);

#if !defined(CMW_NO_INLINE)
static inline cmw_str cmw_request_method_inline(const cmw_request *request)
{
    return ((const cmw_request_view *)(const void *)request)->method;
}

#define cmw_request_method(request) cmw_request_method_inline(request)
#endif

/** The target as it came, before any rewriting. Cost: O(1). */
CMW_API cmw_str cmw_request_raw_target(const cmw_request *request);

/**
 * The canonical path: what conditions match and the handler should route by.
 *
 * Unreserved characters decoded, other escapes in upper case, "//" merged, then dot segments
 * removed; always begins with "/". An escaped "/" stays escaped: decoding it would change the
 * segments. "*" for `OPTIONS *`. Empty when the target cannot be canonical (bad escape, %00, a
 * backslash, a control byte, no leading "/"): a plan with path conditions answers such a request
 * 400 at its match point.
 *
 * Cost:   O(len) on the first call, then O(1); arena memory only if it differs from what came
 * Source: RFC 3986, 5.2.4 and 6.2.2
 * Since:  0.1
 */
CMW_API cmw_str cmw_request_path(cmw_request *request);

/** What to do with a trailing slash. "/" itself always stays. */
typedef enum cmw_trailing_slash {
    CMW_TRAILING_SLASH_KEEP = 0,
    CMW_TRAILING_SLASH_STRIP = 1, /**< every one of them */
    CMW_TRAILING_SLASH_ADD = 2    /**< one, where there is none */
} cmw_trailing_slash;

/** Where the canonical path may differ from what cmw_request_path does by itself. All zero: not. */
typedef struct cmw_path_rules {
    uint8_t keep_empty_segments;  /**< 1: "//" stays as it is */
    uint8_t trailing_slash;       /**< cmw_trailing_slash */
    uint8_t reject_encoded_slash; /**< 1: a path with %2F or %5C has no canonical form */
    uint8_t reject_dot_segments;  /**< 1: nor one with "." or "..", escaped ones too */
} cmw_path_rules;

/** The path as it came, without the query. Cost: O(len) on the first call. */
CMW_API cmw_str cmw_request_raw_path(cmw_request *request);

/** The query without its "?", as it came; empty if there is none. Cost: O(len) on first call. */
CMW_API cmw_str cmw_request_query(cmw_request *request);

/**
 * Whom the request is for: the host in lower case, without port or trailing dot.
 *
 * Taken from `authority`, else an absolute-form target, else the Host field; brackets of an IPv6
 * literal stay. Empty when there is none. Two Host fields, or one that is not a host, give an
 * empty host and cmw_request_host_is_valid 0.
 *
 * Cost:   O(len) on the first call, then O(1)
 * Source: RFC 9110, 7.2; RFC 9112, 3.2
 * Since:  0.1
 */
CMW_API cmw_str cmw_request_host(cmw_request *request);
CMW_API int cmw_request_host_is_valid(cmw_request *request);

/** What a request is for: the effective URI, as two texts and two numbers. */
typedef struct cmw_uri {
    cmw_str host;       /**< as cmw_request_host */
    cmw_str target;     /**< canonical path, then "?" and the query unless that is empty */
    uint16_t port;      /**< as cmw_request_port */
    uint8_t scheme;     /**< a cmw_scheme */
    uint8_t is_checked; /**< 0: host or target are as they came */
} cmw_uri;

/** Flags of cmw_request_uri. */
typedef enum cmw_uri_flags {
    CMW_URI_UNCHECKED = 1 /**< what nobody has looked at yet may be given as it came */
} cmw_uri_flags;

/**
 * Host, port, scheme and target at once, for a table by what requests are for.
 *
 * Unchecked, texts may be anything but empty; the target begins with "/". Whoever finds what was
 * put there under the same bytes, which were their own canonical form, need not look at them again;
 * who does not asks again without the flag.
 *
 * @param      request  of the context
 * @param[out] uri      unchanged on failure
 * @param      flags    enum cmw_uri_flags
 * @return              0; CMW_ERR_INVALID: the host or the path is not valid, or "*", or an
 *                      authority alone; CMW_ERR_NOMEM
 * Ownership:           texts are valid until the request ends
 * Threads:             the context's worker
 * Cost:                about 40 instructions unchecked, or where the parts are known; else O(len)
 * Source:              RFC 9110, 7.1
 * Since:               0.1
 */
CMW_API int cmw_request_uri(cmw_request *request, cmw_uri *uri, unsigned flags);

/**
 * Whether the Host field and the request's own line name one host.
 *
 * An absolute-form target or `:authority` replaces the Host field for cmw_request_host; a client
 * that sends two different names may want two readers to disagree. Both are taken as they came,
 * whatever has been rewritten since; names are compared without case and final dot, ports are not.
 *
 * @return  1; also where one of them or both are missing. 0: they differ, or the field is no host
 * Threads: the context's worker
 * Cost:    O(len) on the first call, then O(1); no allocation
 * Source:  RFC 9112, 3.2.2; RFC 9113, 8.3.1
 * Since:   0.1
 */
CMW_API int cmw_request_host_agrees(cmw_request *request);

/** The port named beside the host; 0: none was named. */
CMW_API uint16_t cmw_request_port(cmw_request *request);

/** The scheme: the connection's, or what a middleware that refines it has found. Cost: O(1). */
CMW_API cmw_scheme cmw_request_scheme(const cmw_request *request);

/** 0x0101 for HTTP/1.1 and so on; 0: unknown. Cost: O(1). */
CMW_API uint16_t cmw_request_http_version(const cmw_request *request);

#if !defined(CMW_NO_INLINE)
static inline cmw_scheme cmw_request_scheme_inline(const cmw_request *request)
{
    return (cmw_scheme)((const cmw_request_view *)(const void *)request)->scheme;
}

static inline uint16_t cmw_request_http_version_inline(const cmw_request *request)
{
    return ((const cmw_request_view *)(const void *)request)->http_version;
}

#define cmw_request_scheme(request) cmw_request_scheme_inline(request)
#define cmw_request_http_version(request) cmw_request_http_version_inline(request)
#endif

/** The other end of the connection. Cost: O(1). */
CMW_API const cmw_address *cmw_request_peer(const cmw_request *request);

/** Whom the request comes from: the peer, or what a middleware that refines it has found. */
CMW_API const cmw_address *cmw_request_client_address(const cmw_request *request);

/* What a request begins with. */
struct cmw__request_front {
    cmw_request_view view;
    const cmw_address *client;
};

#if !defined(CMW_NO_INLINE)
static inline const cmw_address *cmw_request_client_address_inline(const cmw_request *request)
{
    return ((const struct cmw__request_front *)(const void *)request)->client;
}

#define cmw_request_client_address(request) cmw_request_client_address_inline(request)
#endif

/* ---- Header fields ---------------------------------------------------------------------- */

/**
 * The first field with an id.
 *
 * @return  NULL if there is none; valid until the request's fields are rewritten
 * Cost:    about 15 instructions, in line, where the host gave ids; else about 40, plus some 70
 *          once
 * Since:   0.1
 */
CMW_API const cmw_header *cmw_request_header(cmw_request *request, cmw_header_id id);

#if defined(__GNUC__) && defined(__SSE2__) && !defined(CMW_NO_INLINE)
typedef char cmw_bytes16 __attribute__((vector_size(16)));

/* The same, in line, where `id` is a constant: sixteen ids are compared at once. */
static inline const cmw_header *cmw_request_header_inline(cmw_request *request, cmw_header_id id)
{
    const cmw_request_view *const view = (const cmw_request_view *)(const void *)request;
    const cmw_bytes16 *const place = (const cmw_bytes16 *)(const void *)view->header_ids;
    cmw_bytes16 ids;

    if (!__builtin_constant_p(id) || id == CMW_HDR_OTHER || !place)
        return cmw_request_header(request, id);
    memcpy(&ids, place, sizeof ids);
    const unsigned found = (unsigned)__builtin_ia32_pmovmskb128((cmw_bytes16)(ids == (char)id));
    if (CMW_EXPECT(found == 0, 0))
        return view->header_count > 16 ? cmw_request_header(request, id) : NULL;

    const unsigned index = (unsigned)__builtin_ctz(found);
    const cmw_header *const header = view->headers + index;
    if (CMW_EXPECT(index >= view->header_count, 0))
        return cmw_request_header(request, id);
    CMW_ASSUME(header != NULL);
    return header;
}

#define cmw_request_header(request, id) cmw_request_header_inline(request, id)
#endif

/**
 * 1 if there is a field with one of two ids.
 *
 * Cost:  about 10 instructions, in line, where the host gave ids and there is none; else as twice
 *        cmw_request_header
 * Since: 0.1
 */
CMW_API int cmw_request_has_either(cmw_request *request, cmw_header_id id, cmw_header_id other);

#if defined(__GNUC__) && defined(__SSE2__) && !defined(CMW_NO_INLINE)
static inline int cmw_request_has_either_inline(cmw_request *request, cmw_header_id id,
                                                cmw_header_id other)
{
    const cmw_request_view *const view = (const cmw_request_view *)(const void *)request;
    const cmw_bytes16 *const place = (const cmw_bytes16 *)(const void *)view->header_ids;
    cmw_bytes16 ids;

    if (!__builtin_constant_p(id) || !__builtin_constant_p(other) || !place ||
        view->header_count > 16)
        return cmw_request_has_either(request, id, other);
    memcpy(&ids, place, sizeof ids);
    const cmw_bytes16 both = (cmw_bytes16)(ids == (char)id) | (cmw_bytes16)(ids == (char)other);
    const unsigned found = (unsigned)__builtin_ia32_pmovmskb128(both);
    /* Bytes behind the last field may be anything: see cmw_request_is_repeated. */
    if (CMW_EXPECT((found << (16 - view->header_count) & 0xffffu) == 0, 1))
        return 0;
    return cmw_request_has_either(request, id, other);
}

#define cmw_request_has_either(request, id, other) cmw_request_has_either_inline(request, id, other)
#endif

/** The next field with the id, after one that these functions returned; NULL at the end. */
CMW_API const cmw_header *cmw_request_next_header(cmw_request *request, cmw_header_id id,
                                                  const cmw_header *after);

/**
 * 1 if a field with the id comes more than once: then it is nobody's word, where one is wanted.
 *
 * Cost:  some instructions, in line, behind cmw_request_header where the host gave ids; else as the
 *        two functions above
 * Since: 0.1
 */
CMW_API int cmw_request_is_repeated(cmw_request *request, cmw_header_id id);

#if defined(__GNUC__) && defined(__SSE2__) && !defined(CMW_NO_INLINE)
static inline int cmw_request_is_repeated_inline(cmw_request *request, cmw_header_id id)
{
    const cmw_request_view *const view = (const cmw_request_view *)(const void *)request;
    const cmw_bytes16 *const place = (const cmw_bytes16 *)(const void *)view->header_ids;
    cmw_bytes16 ids;

    if (!__builtin_constant_p(id) || id == CMW_HDR_OTHER || !place || view->header_count > 16)
        return cmw_request_is_repeated(request, id);
    memcpy(&ids, place, sizeof ids);
    /* Bytes behind the last field may be anything: bits of 16 places, shifted out at their end. */
    const unsigned found = (unsigned)__builtin_ia32_pmovmskb128((cmw_bytes16)(ids == (char)id));
    const unsigned used = found << (16 - view->header_count) & 0xffffu;
    return (used & (used - 1)) != 0;
}

#define cmw_request_is_repeated(request, id) cmw_request_is_repeated_inline(request, id)
#endif

/**
 * The field with an id, if it came exactly once: what cmw_request_header and
 * cmw_request_is_repeated say together.
 *
 * @return  NULL if there is none, or more than one; valid until the request's fields are rewritten
 * Cost:    about 20 instructions, in line, where the host gave ids; else as the two functions above
 * Since:   0.1
 */
CMW_API const cmw_header *cmw_request_sole_header(cmw_request *request, cmw_header_id id);

#if defined(__GNUC__) && defined(__SSE2__) && !defined(CMW_NO_INLINE)
static inline const cmw_header *cmw_request_sole_header_inline(cmw_request *request,
                                                               cmw_header_id id)
{
    const cmw_request_view *const view = (const cmw_request_view *)(const void *)request;
    const cmw_bytes16 *const place = (const cmw_bytes16 *)(const void *)view->header_ids;
    cmw_bytes16 ids;

    if (!__builtin_constant_p(id) || id == CMW_HDR_OTHER || !place || view->header_count > 16)
        return cmw_request_sole_header(request, id);
    memcpy(&ids, place, sizeof ids);
    const unsigned found = (unsigned)__builtin_ia32_pmovmskb128((cmw_bytes16)(ids == (char)id));
    const unsigned used = found << (16 - view->header_count) & 0xffffu;
    if (CMW_EXPECT(used == 0 || (used & (used - 1)) != 0, 0))
        return NULL;
    const cmw_header *const header = view->headers + __builtin_ctz(found);
    CMW_ASSUME(header != NULL);
    return header;
}

#define cmw_request_sole_header(request, id) cmw_request_sole_header_inline(request, id)
#endif

/**
 * The value of all fields with an id, joined by ", ", as if they were one.
 *
 * @param[out] value  `data` is NULL where there is none; unchanged on failure. Valid until the
 *                    request ends, or its fields are rewritten
 * @return            0, CMW_ERR_NOMEM
 * Threads:           the context's worker
 * Cost:              a look-up where there is one field; else O(len) and a copy in the arena
 * Source:            RFC 9110, 5.2 and 5.3; not for Set-Cookie
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_request_joined(cmw_request *request, cmw_str *value,
                                             cmw_header_id id);

/** The first field with a name, in any case; NULL if there is none. Cost: O(fields). */
CMW_API const cmw_header *cmw_request_header_named(cmw_request *request, cmw_str name);

/** All fields, as an array of `*count`. Valid until the fields are rewritten. Cost: O(1). */
CMW_API const cmw_header *cmw_request_headers(const cmw_request *request, size_t *count);

/**
 * What follows the scheme in `Authorization: <scheme> <credentials>`.
 *
 * @param[out] credentials  the rest of the value, without the blanks before it; may be empty, any
 *                          bytes; unchanged unless 0 is returned
 * @param      scheme       letters in lower case, digits and "-": "basic". Compared in any case
 * @return                  0; CMW_ERR_NOT_FOUND without the field or with another scheme;
 *                          CMW_ERR_INVALID for several fields
 * Cost:                    O(scheme.len), no allocation
 * Source:                  RFC 9110, 11.4 and 11.6.2
 * Since:                   0.1
 */
CMW_API CMW_NODISCARD int cmw_request_credentials(cmw_request *request, cmw_str *credentials,
                                                  cmw_str scheme);

/**
 * 1 if a text is a `token68`, as many schemes' credentials are: letters, digits and "-._~+/", at
 * least one, then any number of "=".
 *
 * Threads: any
 * Cost:    O(len), no allocation
 * Source:  RFC 9110, 11.2
 * Since:   0.1
 */
CMW_API int cmw_token68_is_valid(cmw_str text);

/**
 * The token of `Authorization: Bearer <token>`.
 *
 * @param[out] token  the bytes, never empty; unchanged unless 0 is returned
 * @return            0; CMW_ERR_NOT_FOUND without the field or with another scheme;
 *                    CMW_ERR_INVALID for several fields, or a token that is not `token68`
 * Cost:              O(len), no allocation
 * Source:            RFC 6750, 2.1; RFC 9110, 11.4
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_request_bearer(cmw_request *request, cmw_str *token);

/* ---- Body ------------------------------------------------------------------------------- */

/** The declared length: 0 for no body, CMW_LENGTH_UNKNOWN if the client did not say. */
CMW_API uint64_t cmw_request_content_length(const cmw_request *request);

/**
 * The body, as far as it has come: whole when the handler runs on a server that buffers bodies
 * (cmw_ctx_receive_body). Valid until the request ends or more of the body comes. Cost: O(1).
 */
CMW_API cmw_str cmw_request_body(const cmw_request *request);

/* ---- Rewriting: in pre_route only ------------------------------------------------------- */

/*
 * Each returns 0, CMW_ERR_STATE outside pre_route or, for the four properties, from a middleware
 * that does not declare to refine it (CMW_FACT_*), CMW_ERR_INVALID for bytes that cannot stand
 * there, or CMW_ERR_NOMEM. Nothing is changed on failure. Bytes are copied into the arena.
 */

/** Replace the target; the canonical path follows it. Needs `refines CMW_FACT_CANONICAL_PATH`. */
CMW_API CMW_NODISCARD int cmw_request_set_target(cmw_request *request, cmw_str target);

/**
 * Make the canonical path anew by these rules, for all who read it from now on, path conditions
 * too. Needs `refines CMW_FACT_CANONICAL_PATH`.
 *
 * @param rules  borrowed until the request ends
 * @return       also CMW_ERR_INVALID when the target has no canonical form: cmw_request_path is
 *               empty then
 */
CMW_API CMW_NODISCARD int cmw_request_set_path_rules(cmw_request *request,
                                                     const cmw_path_rules *rules);

/** Replace the host, with or without a port. Needs `refines CMW_FACT_HOST`. */
CMW_API CMW_NODISCARD int cmw_request_set_host(cmw_request *request, cmw_str host);

/** Replace the scheme. Needs `refines CMW_FACT_SCHEME`. */
CMW_API CMW_NODISCARD int cmw_request_set_scheme(cmw_request *request, cmw_scheme scheme);

/** Replace the client address. Needs `refines CMW_FACT_CLIENT_ADDRESS`. */
CMW_API CMW_NODISCARD int cmw_request_set_client_address(cmw_request *request,
                                                         const cmw_address *address);

/**
 * Replace all fields of a name by one, or add it.
 *
 * Cost: O(fields): the first rewriting copies the array (not the bytes) into the arena
 */
CMW_API CMW_NODISCARD int cmw_request_set_header(cmw_request *request, cmw_str name, cmw_str value);

/** Remove all fields of a name, in any case; 0 also if there is none. Cost: as above. */
CMW_API CMW_NODISCARD int cmw_request_remove_header(cmw_request *request, cmw_str name);

/**
 * Looks at one field of many: asked once for each, in order.
 *
 * @param header  a copy; `value` may be made a part of itself, other changes are not looked at
 * @return        1 to keep it, 0 to remove it
 */
typedef int cmw_header_filter_fn(void *self, cmw_header *header);

/**
 * Remove and shorten fields in one walk.
 *
 * Host is not shown to a middleware that does not refine CMW_FACT_HOST. A value that is made
 * anything but a part of the old one removes the field.
 *
 * @return  0, CMW_ERR_STATE, CMW_ERR_ARG without a filter, or CMW_ERR_NOMEM: nothing is changed
 *          then, though some fields have been shown
 * Threads: the context's worker
 * Cost:    O(fields); the first change copies the array (not the bytes) into the arena
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_request_filter_headers(cmw_request *request,
                                                     cmw_header_filter_fn *filter, void *self);

CMW_END_DECLS

#endif /* CATZILLA_REQUEST_H */
