/* SPDX-License-Identifier: MIT */
/*
 * Rewriting the request, in pre_route.
 *
 * All that is needed is allocated before anything is changed. The first change of the fields copies
 * the server's arrays, with some room to grow; later ones are made in place.
 */
#include "request_state.h"

#include <catzilla/middleware.h>

#include "arena_state.h"

/* What replaces the fields: arrays of the arena. */
struct fields {
    cmw_header *headers;
    uint8_t *ids; /* NULL where the host gives none */
    uint32_t cap;
};

static int may_write(const cmw_request *request, unsigned bit)
{
    return (request->writable & bit) != 0;
}

/* ---- The four properties ---------------------------------------------------------------- */

/* Bytes of which no target is made, whatever its form. */
static int has_target_bytes(cmw_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        const unsigned char byte = (unsigned char)target.data[i];
        if (byte <= ' ' || byte == 0x7f)
            return 0;
    }
    return 1;
}

int cmw_request_set_target(cmw_request *request, cmw_str target)
{
    const cmw_method method = cmw_request_method_id(request);
    struct cmw__target parts;
    cmw_str copy, path;

    if (!may_write(request, 1u << CMW_FACT_CANONICAL_PATH))
        return CMW_ERR_STATE;
    /* Only a path: another host would be a rewriting of the host as well. */
    const int is_star = method == CMW_METHOD_OPTIONS && cmw_str_equals(target, CMW_STR("*"));
    if (target.len == 0 || (target.data[0] != '/' && !is_star) || !has_target_bytes(target))
        return CMW_ERR_INVALID;

    if (cmw_arena_dup(request->arena, &copy, target) != 0)
        return CMW_ERR_NOMEM;
    cmw__target_split(&parts, copy, method);
    path = parts.path;
    const int rc = is_star ? 0 : cmw__request_make_path(request, &path, parts.path);
    if (rc != 0)
        return rc;
    request->raw_target = cmw_request_raw_target(request);
    request->view.target = copy;
    request->raw_path = parts.path;
    request->query = parts.query;
    request->path = path;
    request->known |= CMW__KNOWN_SPLIT | CMW__KNOWN_PATH | CMW__KNOWN_RAW_TARGET;
    return 0;
}

int cmw_request_set_path_rules(cmw_request *request, const cmw_path_rules *rules)
{
    if (!may_write(request, 1u << CMW_FACT_CANONICAL_PATH))
        return CMW_ERR_STATE;
    if (!rules || rules->trailing_slash > CMW_TRAILING_SLASH_ADD)
        return CMW_ERR_INVALID;
    request->path_rules = rules;
    request->known |= CMW__HAS_PATH_RULES;
    request->known &= ~(uint32_t)CMW__KNOWN_PATH;
    if (cmw_request_path(request).len > 0)
        return 0;
    return request->arena->exhausted ? CMW_ERR_NOMEM : CMW_ERR_INVALID;
}

int cmw_request_set_host(cmw_request *request, cmw_str host)
{
    struct cmw__host parsed;
    cmw_str copy;

    if (!may_write(request, 1u << CMW_FACT_HOST))
        return CMW_ERR_STATE;
    if (cmw__host_parse(&parsed, host) != 0)
        return CMW_ERR_INVALID;
    if (cmw_arena_dup(request->arena, &copy, host) != 0)
        return CMW_ERR_NOMEM;
    parsed.name.data = copy.data;           /* the name is at the front */
    (void)cmw_request_host_agrees(request); /* remembered as it came */
    if (cmw__request_adopt_host(request, &parsed) != 0)
        return CMW_ERR_NOMEM;
    request->view.authority = copy;
    return 0;
}

int cmw_request_set_scheme(cmw_request *request, cmw_scheme scheme)
{
    if (!may_write(request, 1u << CMW_FACT_SCHEME))
        return CMW_ERR_STATE;
    if (scheme != CMW_SCHEME_HTTP && scheme != CMW_SCHEME_HTTPS)
        return CMW_ERR_INVALID;
    request->view.scheme = (uint8_t)scheme;
    return 0;
}

int cmw_request_set_client_address(cmw_request *request, const cmw_address *address)
{
    if (!may_write(request, 1u << CMW_FACT_CLIENT_ADDRESS))
        return CMW_ERR_STATE;
    if (!address)
        return CMW_ERR_INVALID;

    cmw_address *copy = cmw__arena_alloc(request->arena, sizeof *copy);
    if (!copy)
        return CMW_ERR_NOMEM;
    *copy = *address;
    request->client = copy;
    return 0;
}

/* ---- Fields ----------------------------------------------------------------------------- */

/* Readers of ids take sixteen at a time. */
static size_t padded(size_t count)
{
    return (count + 15) & ~(size_t)15;
}

/* Arrays of ours with room for one field more. */
static int own_fields(cmw_request *request, struct fields *out)
{
    const cmw_request_view *view = &request->view;
    const size_t count = view->header_count;

    if ((request->known & CMW__OWNS_HEADERS) && count < request->header_cap) {
        /* They came out of this arena: the const is the adapter's. */
        out->headers = (cmw_header *)(uintptr_t)view->headers;
        out->ids = (uint8_t *)(uintptr_t)view->header_ids;
        out->cap = request->header_cap;
        return 0;
    }
    if (count > UINT32_MAX / sizeof *out->headers)
        return CMW_ERR_NOMEM;

    const size_t cap = padded(count + count / 2 + 1);
    out->cap = (uint32_t)cap;
    out->headers = cmw__arena_alloc(request->arena, cap * sizeof *out->headers);
    out->ids = view->header_ids ? cmw__arena_alloc(request->arena, cap) : NULL;
    if (!out->headers || (view->header_ids && !out->ids))
        return CMW_ERR_NOMEM;
    if (count > 0)
        memcpy(out->headers, view->headers, count * sizeof *out->headers);
    if (out->ids) {
        memset(out->ids, CMW_HDR_OTHER, cap);
        if (count > 0)
            memcpy(out->ids, view->header_ids, count);
    }
    return 0;
}

static void adopt_fields(cmw_request *request, const struct fields *fields)
{
    request->view.headers = fields->headers;
    request->view.header_ids = fields->ids;
    request->header_cap = fields->cap;
    request->known |= CMW__OWNS_HEADERS;
}

/* Remove all of a name but the first one; returns its index, or the number of fields. */
static size_t keep_first(struct fields *fields, uint32_t *count, cmw_str name)
{
    size_t first = *count;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < *count; i++) {
        if (cmw_str_equals_fold(fields->headers[i].name, name)) {
            if (first < kept)
                continue;
            first = kept;
        }
        fields->headers[kept] = fields->headers[i];
        if (fields->ids)
            fields->ids[kept] = fields->ids[i];
        kept++;
    }
    *count = kept;
    return first;
}

/* What was computed from the fields. */
static void forget(cmw_request *request, cmw_header_id id)
{
    unsigned stale = CMW__KNOWN_LENGTHS;

    if (id == CMW_HDR_HOST)
        stale |= CMW__KNOWN_HOST;
    request->known &= ~stale;
}

static int has_blank_ends(cmw_str value)
{
    if (value.len == 0)
        return 0;
    const char first = value.data[0];
    const char last = value.data[value.len - 1];
    return first == ' ' || first == '\t' || last == ' ' || last == '\t';
}

/* Host is a property and a field: who may not refine the one cannot change it by the other. */
static int may_write_field(const cmw_request *request, cmw_header_id id)
{
    if (!may_write(request, CMW__WRITE_HEADERS))
        return 0;
    return id != CMW_HDR_HOST || may_write(request, 1u << CMW_FACT_HOST);
}

/* Before a field is changed: what is asked later of the field as it came. */
static void remember(cmw_request *request, cmw_header_id id)
{
    if (id == CMW_HDR_HOST)
        (void)cmw_request_host_agrees(request);
}

static int can_be_field(cmw_header_id id, cmw_str name, cmw_str value)
{
    struct cmw__host host;

    if (!cmw_header_name_is_valid(name) || !cmw_header_value_is_valid(value) ||
        has_blank_ends(value))
        return 0;
    return id != CMW_HDR_HOST || value.len == 0 || cmw__host_parse(&host, value) == 0;
}

int cmw_request_set_header(cmw_request *request, cmw_str name, cmw_str value)
{
    const cmw_header_id id = cmw_header_id_find(name);
    struct fields fields;
    cmw_header header;

    if (!may_write_field(request, id))
        return CMW_ERR_STATE;
    if (!can_be_field(id, name, value))
        return CMW_ERR_INVALID;
    if (cmw_arena_dup(request->arena, &header.name, name) != 0 ||
        cmw_arena_dup(request->arena, &header.value, value) != 0 ||
        own_fields(request, &fields) != 0)
        return CMW_ERR_NOMEM;

    remember(request, id);
    uint32_t count = request->view.header_count;
    const size_t place = keep_first(&fields, &count, name);
    fields.headers[place] = header;
    if (fields.ids)
        fields.ids[place] = (uint8_t)id;
    adopt_fields(request, &fields);
    request->view.header_count = place < count ? count : count + 1;
    forget(request, id);
    return 0;
}

int cmw_request_remove_header(cmw_request *request, cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);
    struct fields fields;

    if (!may_write_field(request, id))
        return CMW_ERR_STATE;
    if (!cmw_header_name_is_valid(name))
        return CMW_ERR_INVALID;
    if (!cmw_request_header_named(request, name))
        return 0;
    if (own_fields(request, &fields) != 0)
        return CMW_ERR_NOMEM;

    remember(request, id);
    uint32_t count = request->view.header_count;
    const size_t first = keep_first(&fields, &count, name);
    if (first < count) {
        const size_t behind = count - first - 1;
        memmove(&fields.headers[first], &fields.headers[first + 1], behind * sizeof(cmw_header));
        if (fields.ids)
            memmove(&fields.ids[first], &fields.ids[first + 1], behind);
        count--;
    }
    adopt_fields(request, &fields);
    request->view.header_count = count;
    forget(request, id);
    return 0;
}

/* ---- Filtering -------------------------------------------------------------------------- */

struct filtering {
    cmw_header_filter_fn *filter;
    void *self;
    int shows_host;
};

static int is_part(cmw_str part, cmw_str whole)
{
    const size_t offset = (size_t)((uintptr_t)part.data - (uintptr_t)whole.data);

    return part.len == 0 || (offset <= whole.len && part.len <= whole.len - offset);
}

/* Leave out the blanks that a part may begin or end with. */
static cmw_str trim(cmw_str value)
{
    while (value.len > 0 && has_blank_ends(cmw_str_make(value.data + value.len - 1, 1)))
        value.len--;
    while (value.len > 0 && has_blank_ends(cmw_str_make(value.data, 1)))
        value = cmw_str_make(value.data + 1, value.len - 1);
    return value;
}

static int is_unchanged(const cmw_header *old, const cmw_header *now)
{
    return now->value.data == old->value.data && now->value.len == old->value.len;
}

/* What is to stand in place of a field: 0: nothing. */
static int ask(const struct filtering *filtering, const cmw_header *old, cmw_header *out)
{
    *out = *old;
    if (old->name.len == 4 && !filtering->shows_host &&
        cmw_str_equals_fold(old->name, CMW_STR("host")))
        return 1;
    if (!filtering->filter(filtering->self, out))
        return 0;
    out->name = old->name;
    if (is_unchanged(old, out))
        return 1;
    const int is_kept = is_part(out->value, old->value);
    if (is_kept)
        out->value = trim(out->value);
    return is_kept;
}

/* From the first change on, at `at`: `header` is to stand there if `is_kept`. */
static uint32_t filter_rest(const struct filtering *filtering, const struct fields *fields,
                            uint32_t at, uint32_t count, cmw_header header, int is_kept)
{
    uint32_t kept = at;

    for (;;) {
        if (is_kept) {
            fields->headers[kept] = header;
            if (fields->ids)
                fields->ids[kept] = fields->ids[at];
            kept++;
        }
        if (++at == count)
            return kept;
        is_kept = ask(filtering, &fields->headers[at], &header);
    }
}

int cmw_request_filter_headers(cmw_request *request, cmw_header_filter_fn *filter, void *self)
{
    const struct filtering filtering = {filter, self, may_write(request, 1u << CMW_FACT_HOST)};
    const uint32_t count = request->view.header_count;
    struct fields fields;
    cmw_header header;
    int is_kept = 1;
    uint32_t at = 0;

    if (!may_write(request, CMW__WRITE_HEADERS))
        return CMW_ERR_STATE;
    if (!filter)
        return CMW_ERR_ARG;
    for (; at < count; at++) {
        is_kept = ask(&filtering, &request->view.headers[at], &header);
        if (!is_kept || !is_unchanged(&request->view.headers[at], &header))
            break;
    }
    if (at == count)
        return 0;
    if (own_fields(request, &fields) != 0)
        return CMW_ERR_NOMEM;

    const cmw_header_id changed = filtering.shows_host ? CMW_HDR_HOST : CMW_HDR_OTHER;
    remember(request, changed);
    const uint32_t kept = filter_rest(&filtering, &fields, at, count, header, is_kept);
    adopt_fields(request, &fields);
    request->view.header_count = kept;
    forget(request, changed);
    return 0;
}
