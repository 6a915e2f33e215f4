/* SPDX-License-Identifier: MIT */
/*
 * The request: its line and whom it is for, each part computed when it is first asked for.
 */
#include "request_state.h"

#include "platform.h"
#include "str.h"

static const struct {
    cmw_str name;
    cmw_method id;
} methods[] = {
    {CMW_STR_INIT("GET"), CMW_METHOD_GET},         {CMW_STR_INIT("POST"), CMW_METHOD_POST},
    {CMW_STR_INIT("HEAD"), CMW_METHOD_HEAD},       {CMW_STR_INIT("PUT"), CMW_METHOD_PUT},
    {CMW_STR_INIT("DELETE"), CMW_METHOD_DELETE},   {CMW_STR_INIT("PATCH"), CMW_METHOD_PATCH},
    {CMW_STR_INIT("OPTIONS"), CMW_METHOD_OPTIONS}, {CMW_STR_INIT("CONNECT"), CMW_METHOD_CONNECT},
    {CMW_STR_INIT("TRACE"), CMW_METHOD_TRACE},
};

/* ---- What is as it came ----------------------------------------------------------------- */

/* In parentheses: a function, not the macro for the form in line. */
cmw_str(cmw_request_method)(const cmw_request *request)
{
    return request->view.method;
}

cmw_str cmw_request_raw_target(const cmw_request *request)
{
    return request->known & CMW__KNOWN_RAW_TARGET ? request->raw_target : request->view.target;
}

cmw_scheme(cmw_request_scheme)(const cmw_request *request)
{
    return (cmw_scheme)request->view.scheme;
}

uint16_t(cmw_request_http_version)(const cmw_request *request)
{
    return request->view.http_version;
}

const cmw_address *cmw_request_peer(const cmw_request *request)
{
    return &request->view.peer;
}

_Static_assert(offsetof(struct cmw_request, client) == offsetof(struct cmw__request_front, client),
               "what is in line in the public header sees it");

const cmw_address *(cmw_request_client_address)(const cmw_request *request)
{
    return request->client;
}

uint64_t cmw_request_content_length(const cmw_request *request)
{
    return request->view.content_length;
}

cmw_str cmw_request_body(const cmw_request *request)
{
    return request->body;
}

static cmw_method find_method(cmw_str name)
{
    if (CMW_LIKELY(name.len == 3 && memcmp(name.data, "GET", 3) == 0))
        return CMW_METHOD_GET;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (cmw_str_equals(name, methods[i].name))
            return methods[i].id;
    }
    return CMW_METHOD_OTHER;
}

static CMW__NOINLINE cmw_method know_method(cmw_request *request)
{
    request->method_id = (uint8_t)find_method(request->view.method);
    request->known |= CMW__KNOWN_METHOD;
    return (cmw_method)request->method_id;
}

cmw_method cmw_request_method_id(cmw_request *request)
{
    const cmw_str name = request->view.method;

    if (name.len == 3 && memcmp(name.data, "GET", 3) == 0)
        return CMW_METHOD_GET;
    return request->known & CMW__KNOWN_METHOD ? (cmw_method)request->method_id
                                              : know_method(request);
}

/* ---- The target ------------------------------------------------------------------------- */

/* Path and query of what follows an authority, or of origin-form. */
static void split_query(struct cmw__target *out, cmw_str text)
{
    const char *mark = text.len > 0 ? memchr(text.data, '?', text.len) : NULL;

    out->path = text;
    if (!mark)
        return;
    out->path.len = (size_t)(mark - text.data);
    out->query = cmw_str_make(mark + 1, text.len - out->path.len - 1);
}

/* Length of "scheme://" at the front, or 0. */
static size_t scheme_len(cmw_str target)
{
    size_t len = 0;

    for (; len < target.len && target.data[len] != ':'; len++) {
        const char c = target.data[len];
        const char folded = (char)(c | 0x20);
        const int is_letter = folded >= 'a' && folded <= 'z';
        const int may_follow = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (len == 0 || !may_follow))
            return 0;
    }
    if (len == 0 || target.len - len < 3 || memcmp(target.data + len, "://", 3) != 0)
        return 0;
    return len + 3;
}

static void split_absolute(struct cmw__target *out, cmw_str rest)
{
    size_t len = 0;

    while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?')
        len++;
    out->authority = cmw_str_make(rest.data, len);
    split_query(out, cmw_str_make(rest.data + len, rest.len - len));
    if (out->path.len == 0)
        out->path = CMW_STR("/"); /* RFC 9110, 4.2.3 */
}

void cmw__target_split(struct cmw__target *out, cmw_str target, cmw_method method)
{
    out->authority = out->path = out->query = CMW_STR("");
    if (CMW_LIKELY(target.len > 0 && target.data[0] == '/')) {
        split_query(out, target);
        return;
    }
    if (method == CMW_METHOD_CONNECT) {
        out->authority = target;
        return;
    }
    if (method == CMW_METHOD_OPTIONS && cmw_str_equals(target, CMW_STR("*"))) {
        out->path = target;
        return;
    }
    const size_t len = scheme_len(target);
    if (len > 0)
        split_absolute(out, cmw_str_make(target.data + len, target.len - len));
    else
        split_query(out, target); /* no form of a target: raw_path shows it, path is empty */
}

static CMW__NOINLINE void know_split(cmw_request *request)
{
    const cmw_str target = request->view.target;
    cmw_method method = CMW_METHOD_OTHER;
    struct cmw__target parts;

    if (CMW_UNLIKELY(target.len == 0 || target.data[0] != '/'))
        method = cmw_request_method_id(request); /* only then does the form depend on it */
    cmw__target_split(&parts, target, method);
    request->raw_path = parts.path;
    request->query = parts.query;
    request->known |= CMW__KNOWN_SPLIT;
}

cmw_str cmw_request_raw_path(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_SPLIT))
        know_split(request);
    return request->raw_path;
}

cmw_str cmw_request_query(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_SPLIT))
        know_split(request);
    return request->query;
}

int cmw__request_make_path(cmw_request *request, cmw_str *out, cmw_str raw)
{
    const int has_rules = (request->known & CMW__HAS_PATH_RULES) != 0;
    size_t len;

    if (raw.len == 0 || raw.data[0] != '/')
        return CMW_ERR_INVALID;
    if (CMW_LIKELY(!has_rules && cmw__path_canonical_prefix(raw) == raw.len)) {
        *out = raw;
        return 0;
    }
    char *path = cmw_arena_alloc_text(request->arena, raw.len + 1);
    if (!path)
        return CMW_ERR_NOMEM;
    if (cmw__path_canonical(path, &len, raw,
                            has_rules ? request->path_rules : &cmw__path_no_rules) != 0)
        return CMW_ERR_INVALID;
    *out = cmw_str_make(path, len);
    return 0;
}

/* The canonical form of the raw path; empty where there is none, or no memory for it. */
static cmw_str canonical_path(cmw_request *request)
{
    const cmw_str raw = cmw_request_raw_path(request);
    cmw_str path;

    if (raw.len == 1 && raw.data[0] == '*' && cmw_request_method_id(request) == CMW_METHOD_OPTIONS)
        return raw;
    return cmw__request_make_path(request, &path, raw) == 0 ? path : CMW_STR("");
}

/* What most targets are: a plain path, and maybe a query. Path and query are known at once: 1; or
 * 0, and nothing was done. */
static inline int know_plain_target(cmw_request *request)
{
    const cmw_str target = request->view.target;

    if ((request->known & (CMW__KNOWN_SPLIT | CMW__HAS_PATH_RULES)) || target.len == 0 ||
        target.data[0] != '/')
        return 0;
    const size_t len = cmw__path_plain_len(target);
    if (len == 0)
        return 0;
    request->path = request->raw_path = cmw_str_make(target.data, len);
    request->query =
        len < target.len ? cmw_str_make(target.data + len + 1, target.len - len - 1) : CMW_STR("");
    request->known |= CMW__KNOWN_SPLIT | CMW__KNOWN_PATH;
    return 1;
}

static CMW__NOINLINE void know_any_path(cmw_request *request)
{
    request->path = canonical_path(request);
    request->known |= CMW__KNOWN_PATH;
}

static void know_path(cmw_request *request)
{
    if (!know_plain_target(request))
        know_any_path(request);
}

cmw_str cmw_request_path(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_PATH))
        know_path(request);
    return request->path;
}

int cmw__request_path_is_canonical(cmw_request *request)
{
    const cmw_str path = cmw_request_path(request);
    return path.len > 0 && cmw_str_equals(path, cmw_request_raw_path(request));
}

/* ---- The host --------------------------------------------------------------------------- */

int cmw__request_adopt_host(cmw_request *request, const struct cmw__host *host)
{
    cmw_str name = host->name;

    if (host->has_upper) {
        char *lower = cmw_arena_alloc_text(request->arena, name.len);
        if (!lower)
            return CMW_ERR_NOMEM;
        cmw__lower_copy(lower, name);
        name.data = lower;
    }
    request->host = name;
    request->port = host->port;
    request->host_is_valid = 1;
    request->known |= CMW__KNOWN_HOST;
    return 0;
}

/* What names the host: `authority`, else the target, else the field. */
static cmw_str host_text(cmw_request *request, cmw_str field)
{
    struct cmw__target parts;

    if (request->view.authority.len > 0)
        return request->view.authority;
    const cmw_str target = cmw_request_raw_target(request);
    if (target.len > 0 && target.data[0] == '/')
        return field;
    cmw__target_split(&parts, target, cmw_request_method_id(request));
    return parts.authority.len > 0 ? parts.authority : field;
}

/* 1 if there is at most one Host field, and it is empty or a host (RFC 9112, 3.2: else 400,
 * whatever else names a host). */
static int take_host_field(cmw_request *request, cmw_str *field, struct cmw__host *host)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_HOST);

    *field = CMW_STR("");
    if (!header)
        return 1;
    *field = header->value;
    if (cmw_request_is_repeated(request, CMW_HDR_HOST))
        return 0;
    return field->len == 0 || cmw__host_parse(host, *field) == 0;
}

/* What most requests say: one Host field and nothing beside it, a name in lower case without a
 * port. 1; or 0, and nothing was done. */
static inline int know_plain_host(cmw_request *request)
{
    const cmw_str target = cmw_request_raw_target(request);

    if (request->view.authority.len > 0 || target.len == 0 || target.data[0] != '/')
        return 0;
    const cmw_header *header = cmw_request_sole_header(request, CMW_HDR_HOST);
    const cmw_str name = header ? cmw__host_plain(header->value) : cmw_str_make(NULL, 0);
    if (!name.data)
        return 0;
    request->host = name;
    request->port = 0;
    request->host_is_valid = 1;
    request->known |= CMW__KNOWN_HOST;
    return 1;
}

static CMW__NOINLINE void know_any_host(cmw_request *request)
{
    struct cmw__host host;
    cmw_str field;

    request->known |= CMW__KNOWN_HOST;
    request->host = CMW_STR("");
    request->port = 0;
    request->host_is_valid = 0;
    if (!take_host_field(request, &field, &host))
        return;

    const cmw_str text = host_text(request, field);
    if (text.len == 0) {
        request->host_is_valid = 1;
        return;
    }
    const int is_field = text.data == field.data && text.len == field.len;
    if (!is_field && cmw__host_parse(&host, text) != 0)
        return;
    if (cmw__request_adopt_host(request, &host) != 0)
        request->host_is_valid = 0; /* no memory: unknown is not valid */
}

static void know_host(cmw_request *request)
{
    if (!know_plain_host(request))
        know_any_host(request);
}

cmw_str cmw_request_host(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_HOST))
        know_host(request);
    return request->host;
}

int cmw_request_host_is_valid(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_HOST))
        know_host(request);
    return request->host_is_valid;
}

uint16_t cmw_request_port(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_HOST))
        know_host(request);
    return request->port;
}

/* ---- All at once ------------------------------------------------------------------------ */

/* Path and query, which stand one behind the other in most targets; else a copy. 0 or
 * CMW_ERR_NOMEM. */
static int join_target(cmw_request *request, cmw_str *target)
{
    const cmw_str path = request->path, query = request->query;

    *target = path;
    if (query.len == 0)
        return 0;
    target->len = path.len + 1 + query.len;
    if ((uintptr_t)path.data + path.len + 1 == (uintptr_t)query.data)
        return 0;
    char *text = cmw_arena_alloc_text(request->arena, target->len);
    if (!text)
        return CMW_ERR_NOMEM;
    memcpy(text, path.data, path.len);
    text[path.len] = '?';
    memcpy(text + path.len + 1, query.data, query.len);
    target->data = text;
    return 0;
}

static CMW__NOINLINE int check_uri(cmw_request *request, cmw_uri *uri)
{
    const cmw_str path = cmw_request_path(request);
    cmw_str target;

    (void)cmw_request_query(request);
    if (path.len == 0 || path.data[0] != '/' || !cmw_request_host_is_valid(request))
        return CMW_ERR_INVALID;
    const int rc = join_target(request, &target);
    if (rc != 0)
        return rc;
    *uri = (cmw_uri){request->host, target, request->port, request->view.scheme, 1};
    return 0;
}

enum {
    HOST_WAS_SEEN = CMW__KNOWN_HOST,
    TARGET_WAS_SEEN =
        CMW__KNOWN_SPLIT | CMW__KNOWN_PATH | CMW__KNOWN_RAW_TARGET | CMW__HAS_PATH_RULES
};

/* Nobody has asked for host or path, nor replaced them: a Host field and a target, as usual. */
static inline int take_unchecked(cmw_request *request, cmw_uri *uri)
{
    const cmw_str target = request->view.target;

    if ((request->known & (HOST_WAS_SEEN | TARGET_WAS_SEEN)) || request->view.authority.len > 0 ||
        target.len == 0 || target.data[0] != '/')
        return 0;
    const cmw_header *host = cmw_request_sole_header(request, CMW_HDR_HOST);
    if (!host || host->value.len == 0)
        return 0;
    uri->host = host->value;
    uri->target = target;
    uri->port = 0;
    uri->scheme = request->view.scheme;
    uri->is_checked = 0;
    return 1;
}

int cmw_request_uri(cmw_request *request, cmw_uri *uri, unsigned flags)
{
    if ((flags & CMW_URI_UNCHECKED) && take_unchecked(request, uri))
        return 0;
    return check_uri(request, uri);
}

/* ---- Whether the host is named twice ---------------------------------------------------- */

/* 1 if two texts are hosts of one name. */
static int same_host(cmw_str a, cmw_str b)
{
    struct cmw__host first, second;

    return cmw__host_parse(&first, a) == 0 && cmw__host_parse(&second, b) == 0 &&
           cmw_str_equals_fold(first.name, second.name);
}

/* 1 if neither absolute-form nor `:authority` can name a host beside the field. */
static int has_plain_line(const cmw_request *request)
{
    const cmw_str target = cmw_request_raw_target(request);
    return request->view.authority.len == 0 && target.len > 0 && target.data[0] == '/';
}

static int field_agrees(cmw_request *request)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_HOST);
    const cmw_str field = header ? header->value : CMW_STR("");
    const cmw_str line = host_text(request, CMW_STR(""));

    return field.len == 0 || line.len == 0 || same_host(field, line);
}

int cmw_request_host_agrees(cmw_request *request)
{
    if (!(request->known & CMW__KNOWN_AGREES)) {
        request->known |= CMW__KNOWN_AGREES;
        if (has_plain_line(request) || field_agrees(request))
            request->known |= CMW__HOST_AGREES;
    }
    return (request->known & CMW__HOST_AGREES) != 0;
}
