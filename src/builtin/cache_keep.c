/* SPDX-License-Identifier: MIT */
/* Which responses response_cache stores (RFC 9111, 3), and for how long (4.2). */
#include <catzilla/http_date.h>

#include "cache_state.h"

enum { FIELDS_MAX = 64 };

/* What is known of a response that may be stored. */
struct keeping {
    struct cmw__cache_control control;
    cmw_header fields[FIELDS_MAX];
    size_t field_count, field_bytes;
    struct cmw__cache_vary vary[CMW__CACHE_VARY_MAX];
    size_t vary_count, vary_bytes;
    int64_t age_s, fresh_s;
};

/* ---- Fields ----------------------------------------------------------------------------- */

/* Other middleware set it before the handler, and sets it anew for each request. */
static int was_before(const struct cmw__cache_visit *visit, const cmw_header *field)
{
    for (size_t i = 0; i < visit->asking->before_count; i++)
        if (cmw_str_equals_fold(visit->asking->before[i].name, field->name) &&
            cmw_str_equals(visit->asking->before[i].value, field->value))
            return 1;
    return 0;
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* A member of Vary: 0; -1: the response is not stored. */
static int add_vary(struct keeping *keeping, cmw_request *request, cmw_str name)
{
    struct cmw__cache_vary *vary = &keeping->vary[keeping->vary_count];
    const cmw_header *header;

    if (name.len == 0)
        return 0;
    if (cmw_str_equals(name, CMW_STR("*")) || keeping->vary_count == CMW__CACHE_VARY_MAX)
        return -1;
    size_t count, seen = 0;
    header = cmw_request_headers(request, &count);
    *vary = (struct cmw__cache_vary){name, CMW_STR(""), 0};
    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(header[i].name, name)) {
            vary->value = header[i].value;
            vary->is_there = 1;
            seen++;
        }
    keeping->vary_count++;
    keeping->vary_bytes += name.len + vary->value.len;
    return seen > 1 ? -1 : 0;
}

static int read_vary(struct keeping *keeping, cmw_request *request, cmw_str value)
{
    while (value.len > 0) {
        const char *comma = memchr(value.data, ',', value.len);
        const size_t len = comma ? (size_t)(comma - value.data) : value.len;
        const size_t gone = comma ? len + 1 : len;
        if (add_vary(keeping, request, trim(cmw_str_make(value.data, len))) != 0)
            return -1;
        value = cmw_str_make(value.data + gone, value.len - gone);
    }
    return 0;
}

/* What is for one client, or for one connection (RFC 9111, 3.1). */
static int is_for_one(cmw_str name)
{
    static const cmw_str names[] = {CMW_STR_INIT("Set-Cookie"), CMW_STR_INIT("Proxy-Authenticate"),
                                    CMW_STR_INIT("Proxy-Authentication-Info"),
                                    CMW_STR_INIT("Authentication-Info")};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cmw_str_equals_fold(name, names[i]))
            return 1;
    return 0;
}

/* All fields of the response: 0; -1: it is not stored. */
static int read_fields(struct keeping *keeping, cmw_ctx *ctx, const struct cmw__cache_visit *visit)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    while (cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0)) {
        if (is_for_one(field.name))
            return -1;
        if (cmw_str_equals_fold(field.name, CMW_STR("Vary")) &&
            read_vary(keeping, cmw_ctx_request(ctx), field.value) != 0)
            return -1;
        if (cmw_str_equals_fold(field.name, CMW_STR("Cache-Control")))
            cmw__cache_control_read(&keeping->control, field.value);
        if (cmw_str_equals_fold(field.name, CMW_STR("Age")) || was_before(visit, &field))
            continue;
        if (keeping->field_count == FIELDS_MAX)
            return -1;
        keeping->fields[keeping->field_count++] = field;
        keeping->field_bytes += field.name.len + field.value.len;
    }
    return 0;
}

/* ---- Times ------------------------------------------------------------------------------ */

static int64_t read_expires(cmw_ctx *ctx)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    const int64_t now_s = (int64_t)(cmw_ctx_wall_ns(ctx) / 1000000000);
    int64_t expires, date = now_s;

    if (!cmw_response_has(response, CMW_HDR_EXPIRES))
        return -1;
    if (cmw_response_has(response, CMW_HDR_DATE) &&
        cmw_http_date_parse(&date, cmw_response_get(response, CMW_HDR_DATE), now_s) != 0)
        return 0;
    if (cmw_http_date_parse(&expires, cmw_response_get(response, CMW_HDR_EXPIRES), now_s) != 0)
        return 0; /* "0", and whatever is no date: expired */
    return expires > date ? expires - date : 0;
}

static int64_t fresh_for(const struct cmw__cache *cache, cmw_ctx *ctx,
                         const struct keeping *keeping)
{
    const int64_t expires = read_expires(ctx);

    if (keeping->control.s_maxage >= 0)
        return keeping->control.s_maxage;
    if (keeping->control.max_age >= 0)
        return keeping->control.max_age;
    if (expires >= 0)
        return expires;
    return cmw_response_status(cmw_ctx_response(ctx)) == 200 ? (int64_t)cache->default_ttl_s : 0;
}

/* What its own Age says, or the time since its Date if that is more (RFC 9111, 4.2.3). */
static int64_t age_for(cmw_ctx *ctx)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    const int64_t now_s = (int64_t)(cmw_ctx_wall_ns(ctx) / 1000000000);
    int64_t age_s = 0, date;

    if (cmw_response_has(response, CMW_HDR_AGE))
        age_s = cmw__cache_seconds(cmw_response_get(response, CMW_HDR_AGE));
    if (age_s < 0)
        return INT64_C(2147483648);
    if (cmw_response_has(response, CMW_HDR_DATE) &&
        cmw_http_date_parse(&date, cmw_response_get(response, CMW_HDR_DATE), now_s) == 0 &&
        now_s - date > age_s)
        age_s = now_s - date;
    return age_s;
}

/* A status that is the target's own. An error that a client brings about with a field which is not
 * of the key (400, 412, 415, 429) would be everybody's. */
static int is_of_target(int status)
{
    return (status >= 200 && status < 400 && status != 206 && status != 304) || status == 404 ||
           status == 410 || status == 451;
}

/* Whether others would be answered so, too: it is nobody's own, who may have become known only
 * after it was looked for, and no field says that another method is meant. */
static int is_for_all(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    static const cmw_str overrides[] = {CMW_STR_INIT("X-HTTP-Method-Override"),
                                        CMW_STR_INIT("X-HTTP-Method"),
                                        CMW_STR_INIT("X-Method-Override")};
    size_t count;
    const cmw_header *headers = cmw_request_headers(cmw_ctx_request(ctx), &count);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof overrides / sizeof *overrides; k++)
            if (cmw_str_equals_fold(headers[i].name, overrides[k]))
                return 0;
    return cmw_ctx_slot(ctx, cache->principal) == NULL;
}

static int may_keep(const struct cmw__cache *cache, cmw_ctx *ctx,
                    const struct cmw__cache_visit *visit, struct keeping *keeping)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    const int status = cmw_response_status(response);
    const size_t len = cmw_response_body(response).len;

    memset(keeping, 0, sizeof *keeping);
    cmw__cache_control_init(&keeping->control);
    if (!is_of_target(status) || !is_for_all(cache, ctx) || len > cache->max_entry_bytes)
        return 0;
    if (status != 204 && cmw_response_content_length(response) != len) /* it is streamed */
        return 0;
    if (read_fields(keeping, ctx, visit) != 0 ||
        (keeping->control.flags & (CMW__CACHE_NO_STORE | CMW__CACHE_NO_CACHE | CMW__CACHE_PRIVATE)))
        return 0;
    keeping->age_s = age_for(ctx);
    keeping->fresh_s = fresh_for(cache, ctx, keeping);
    return keeping->fresh_s > keeping->age_s;
}

/* ---- Storing ---------------------------------------------------------------------------- */

static cmw_str put(char **at, cmw_str text)
{
    char *const to = *at;

    if (text.len > 0)
        memcpy(to, text.data, text.len);
    *at += text.len;
    return cmw_str_make(to, text.len);
}

static uint64_t stale_for(const struct keeping *keeping, int64_t said, uint64_t otherwise)
{
    if (keeping->control.flags & CMW__CACHE_MUST_REVALIDATE)
        return 0;
    return said >= 0 ? (uint64_t)said : otherwise;
}

static void fill(const struct cmw__cache *cache, cmw_ctx *ctx, const struct cmw__cache_visit *visit,
                 const struct keeping *keeping, struct cmw__cache_entry *entry)
{
    char *at = (char *)(entry + 1);

    entry->key = visit->key;
    atomic_init(&entry->is_plain, visit->is_plain);
    entry->key.uri.host = put(&at, visit->key.uri.host);
    entry->key.uri.target = put(&at, visit->key.uri.target);
    for (size_t i = 0; i < keeping->vary_count; i++) {
        entry->vary[i].name = put(&at, keeping->vary[i].name);
        entry->vary[i].value = put(&at, keeping->vary[i].value);
        entry->vary[i].is_there = keeping->vary[i].is_there;
    }
    entry->vary_count = keeping->vary_count;
    entry->body =
        put(&at, cmw_response_body(cmw_ctx_response(ctx))); /* the last: it ends the piece */
    entry->status = cmw_response_status(cmw_ctx_response(ctx));
    entry->stored_ns = visit->now_ns;
    entry->age_s = (uint64_t)keeping->age_s;
    entry->fresh_s = (uint64_t)keeping->fresh_s;
    entry->stale_while_s =
        stale_for(keeping, keeping->control.stale_while_revalidate, cache->stale_while_s);
    entry->stale_if_error_s =
        stale_for(keeping, keeping->control.stale_if_error, cache->stale_if_error_s);
}

enum cmw__cache_kept cmw__cache_keep(const struct cmw__cache *cache, cmw_ctx *ctx,
                                     const struct cmw__cache_visit *visit)
{
    struct cmw__cache_store *store = cache->shared->store;
    struct keeping keeping;

    enum cmw__cache_kept kept = CMW__CACHE_NO_ROOM;

    if (!may_keep(cache, ctx, visit, &keeping))
        return CMW__CACHE_REFUSED;
    const size_t texts = visit->key.uri.host.len + visit->key.uri.target.len + keeping.vary_bytes +
                         cmw_response_body(cmw_ctx_response(ctx)).len;
    const size_t block = 2 * (keeping.field_bytes + 64 * keeping.field_count) + 256;
    struct cmw__cache_entry *entry = cmw__cache_make(store, visit->key.hash, texts, block);
    if (!entry)
        return kept;
    fill(cache, ctx, visit, &keeping, entry);
    if (cmw_header_block_create(&entry->block, cmw__cache_pool(store), keeping.fields,
                                keeping.field_count, 0) == 0)
        kept = cmw__cache_put(store, entry, visit->purges) ? CMW__CACHE_KEPT : CMW__CACHE_OUTDATED;
    cmw__cache_release(entry);
    return kept;
}
