/* SPDX-License-Identifier: MIT */
/*
 * What most requests need of the cache: one look, and the answer. Nothing is copied but the number
 * of seconds: fields are the entry's block, the body is the entry's.
 */
#include "cache_state.h"

static inline void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Serving ---------------------------------------------------------------------------- */

/* Age, and Cache-Status with what is left of its freshness: `; hit; ttl=-5`. */
static int add_age(const struct cmw__cache *cache, cmw_response *response, uint64_t age_s,
                   uint64_t fresh_s, int has_waited)
{
    const int is_stale = age_s >= fresh_s;
    const uint64_t numbers[] = {age_s, is_stale ? age_s - fresh_s : fresh_s - age_s};

    if (!has_waited)
        return cmw_response_append_pattern(response, is_stale ? cache->stale : cache->hit, numbers);
    const int rc = cmw_response_append_pattern(response, cache->age, &age_s);
    return rc == 0 && cache->collapsed
               ? cmw_response_append_pattern(response, cache->collapsed, NULL)
               : rc;
}

int cmw__cache_serve(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry *entry,
                     uint64_t now_ns, int has_waited)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const uint64_t age_s = cmw__cache_age(entry, now_ns);
    int rc = cmw_response_kept_ref(response, entry->status, entry->block, entry->body);

    if (rc == 0)
        rc = add_age(cache, response, age_s, entry->fresh_s, has_waited);
    count(has_waited ? &cache->shared->collapsed : &cache->shared->hits);
    if (age_s >= entry->fresh_s)
        count(&cache->shared->stale);
    return rc;
}

/* The same of one that is fresh and was not waited for: a verdict. */
static inline int serve_fresh(const struct cmw__cache *cache, cmw_ctx *ctx,
                              const struct cmw__cache_entry *entry, uint64_t age_s)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const uint64_t numbers[] = {age_s, entry->fresh_s - age_s};

    count(&cache->shared->hits);
    if (cmw_response_kept_ref(response, entry->status, entry->block, entry->body) != 0 ||
        cmw_response_append_pattern(response, cache->hit, numbers) != 0)
        return CMW_ERROR;
    return CMW_STOP;
}

/* ---- Looking for it --------------------------------------------------------------------- */

/* What is not what browsers say of a reload. */
static void read_control(cmw_request *request, struct cmw__cache_control *control)
{
    const cmw_header *at = cmw_request_header(request, CMW_HDR_CACHE_CONTROL);
    const cmw_header *pragma = cmw_request_header(request, CMW_HDR_PRAGMA);

    if (!at && pragma && cmw_str_equals_fold(pragma->value, CMW_STR("no-cache")))
        control->flags |= CMW__CACHE_NO_CACHE;
    for (; at; at = cmw_request_next_header(request, CMW_HDR_CACHE_CONTROL, at))
        cmw__cache_control_read(control, at->value);
}

/* 1 if a stored response may answer the request; `control` is what it says. 0: it is for one
 * alone. */
static inline int may_look(const struct cmw__cache *cache, cmw_ctx *ctx,
                           struct cmw__cache_control *control)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *sole = cmw_request_sole_header(request, CMW_HDR_CACHE_CONTROL);

    cmw__cache_control_init(control);
    if (sole && sole->value.len == 9 && memcmp(sole->value.data, "max-age=0", 9) == 0)
        control->max_age = 0;
    else if (cmw_request_has_either(request, CMW_HDR_CACHE_CONTROL, CMW_HDR_PRAGMA))
        read_control(request, control);
    return !(control->flags & CMW__CACHE_NO_STORE) &&
           !cmw_request_has_either(request, CMW_HDR_AUTHORIZATION, CMW_HDR_RANGE) &&
           cmw_request_content_length(request) == 0 && !cmw_ctx_slot(ctx, cache->principal);
}

static void release(void *entry)
{
    cmw__cache_release(entry);
}

int cmw__cache_hold(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry **entry,
                    const struct cmw__cache_key *key)
{
    *entry = cmw__cache_find(cache->shared->store, key, cmw_ctx_request(ctx));
    if (!*entry || cmw_arena_defer(cmw_ctx_arena(ctx), release, *entry) == 0)
        return 0;
    cmw__cache_release(*entry);
    return CMW_ERR_NOMEM;
}

/* What is to be remembered of a request that is not served at once. NULL without memory. */
static struct cmw__cache_visit *begin_visit(const struct cmw__cache *cache, cmw_ctx *ctx,
                                            const struct cmw__cache_key *key)
{
    struct cmw__cache_visit *visit = cmw_ctx_set_slot(ctx, cache->slot);

    if (visit) {
        visit->key = *key;
        visit->now_ns = cmw_ctx_begin_ns(ctx);
    }
    return visit;
}

/* 1 if it is as young as it is to be, whatever else is said. */
static inline int is_fresh(const struct cmw__cache_entry *entry, uint64_t age_s,
                           const struct cmw__cache_control *control)
{
    return age_s < entry->fresh_s && !(control->flags & CMW__CACHE_NO_CACHE) &&
           (control->max_age < 0 || age_s <= (uint64_t)control->max_age);
}

/* 1 if what a request is for came as its checked key has it. */
static int came_so(const struct cmw__cache_key *came, const struct cmw__cache_key *checked)
{
    return !came->uri.is_checked && came->hash == checked->hash &&
           cmw_str_equals(came->uri.host, checked->uri.host) &&
           cmw_str_equals(came->uri.target, checked->uri.target);
}

/* Nothing was found that is fresh: the key may be another one when it is checked, and others may
 * have to be asked. `entry` was found, or is NULL. */
static int look_again(const struct cmw__cache *cache, cmw_ctx *ctx,
                      const struct cmw__cache_key *came, struct cmw__cache_entry *entry,
                      const struct cmw__cache_control *control)
{
    struct cmw__cache_key key = *came;

    if (!came->uri.is_checked) {
        if (cmw_request_uri(cmw_ctx_request(ctx), &key.uri, 0) != 0)
            return CMW_CONTINUE;
        cmw__cache_set_hash(cache->hash_key, &key);
    }
    struct cmw__cache_visit *visit = begin_visit(cache, ctx, &key);
    if (!visit)
        return CMW_ERROR;
    visit->is_plain = came_so(came, &key);
    visit->purges = cmw__cache_purges(cache->shared->store, key.hash);
    if (!entry && cmw__cache_hold(cache, ctx, &entry, &key) != 0)
        return CMW_ERROR;
    if (entry && visit->is_plain)
        atomic_store_explicit(&entry->is_plain, 1, memory_order_relaxed);
    return cmw__cache_look_closely(cache, ctx, visit, entry, control, 1);
}

static int look_up(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    struct cmw__cache_control control;
    struct cmw__cache_key key;
    struct cmw__cache_entry *entry;

    if (!may_look(cache, ctx, &control) ||
        cmw_request_uri(cmw_ctx_request(ctx), &key.uri, CMW_URI_UNCHECKED) != 0)
        return CMW_CONTINUE;
    cmw__cache_set_hash(cache->hash_key, &key);
    if (cmw__cache_hold(cache, ctx, &entry, &key) != 0)
        return CMW_ERROR;
    const uint64_t age_s = entry ? cmw__cache_age(entry, cmw_ctx_begin_ns(ctx)) : 0;
    if (!entry || !is_fresh(entry, age_s, &control))
        return look_again(cache, ctx, &key, entry, &control);
    return serve_fresh(cache, ctx, entry, age_s);
}

/* Its success drops what is stored. */
static int note_unsafe(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    struct cmw__cache_key key;

    if (cmw_request_uri(cmw_ctx_request(ctx), &key.uri, 0) != 0)
        return CMW_CONTINUE;
    cmw__cache_set_hash(cache->hash_key, &key);
    struct cmw__cache_visit *visit = begin_visit(cache, ctx, &key);
    if (!visit)
        return CMW_ERROR;
    visit->stage = CMW__CACHE_UNSAFE;
    return CMW_CONTINUE;
}

static int note_other(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));

    return method == CMW_METHOD_OPTIONS || method == CMW_METHOD_TRACE ? CMW_CONTINUE
                                                                      : note_unsafe(cache, ctx);
}

static inline int is_method(const cmw_request *request, cmw_str name)
{
    const cmw_str method = cmw_request_method(request);
    return method.len == name.len && memcmp(method.data, name.data, name.len) == 0;
}

int cmw__cache_on_pre_route(void *self, cmw_ctx *ctx)
{
    const cmw_request *request = cmw_ctx_request(ctx);

    if (is_method(request, CMW_STR("GET")) || is_method(request, CMW_STR("HEAD")))
        return look_up(self, ctx);
    return note_other(self, ctx);
}

int cmw__cache_on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);

    if (!visit || visit->stage == CMW__CACHE_HIT || visit->stage == CMW__CACHE_BYPASS)
        return CMW_CONTINUE;
    return cmw__cache_take_answer(cache, ctx, visit);
}
