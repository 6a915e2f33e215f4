/* SPDX-License-Identifier: MIT */
/* A request's way through the cache: looked for, served, stored, dropped. */
#include "cache_state.h"

/* For how long one who asks for a new response keeps others from asking, too. */
#define ASKING_NS (UINT64_C(30) * 1000000000)

/* For how long nobody waits for a key whose response was not stored. */
#define PASSED_NS (UINT64_C(10) * 1000000000)

/* How often a request waits: who led may have gone without an answer. */
enum { WAITS_MOST = 2 };

/* What became of a flight, as its address. */
static char answered, died;

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Serving ---------------------------------------------------------------------------- */

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (len > 0)
        *to++ = digits[--len];
    return to;
}

static int add_status(const struct cmw__cache *cache, cmw_ctx *ctx, cmw_str what)
{
    char text[CMW__CACHE_NAME_CAP + 96];

    if (cache->name.len == 0)
        return 0;
    const char *end = put(put(text, cache->name), what);
    return cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_CACHE_STATUS,
                               cmw_str_make(text, (size_t)(end - text)));
}

static uint64_t age_of(const struct cmw__cache_entry *entry, uint64_t now_ns)
{
    const uint64_t since = now_ns > entry->stored_ns ? now_ns - entry->stored_ns : 0;
    return entry->age_s + since / 1000000000;
}

/* `; hit; ttl=-5`: what is left of its freshness. */
static int set_age(const struct cmw__cache *cache, cmw_ctx *ctx,
                   const struct cmw__cache_entry *entry, uint64_t age_s, int has_waited)
{
    const int is_stale = age_s >= entry->fresh_s;
    const uint64_t left_s = is_stale ? age_s - entry->fresh_s : entry->fresh_s - age_s;
    cmw_response *response = cmw_ctx_response(ctx);

    const int rc = cmw_response_append_pattern(response, cache->age, &age_s);
    if (rc != 0 || cache->name.len == 0)
        return rc;
    if (has_waited)
        return cmw_response_append_pattern(response, cache->collapsed, NULL);
    return cmw_response_append_pattern(response, is_stale ? cache->stale : cache->hit, &left_s);
}

static void release(void *entry)
{
    cmw__cache_release(entry);
}

/* Answer with an entry, which the request holds till its end: 0 or an error. */
static int serve(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry *entry,
                 int has_waited)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);
    const uint64_t age_s = age_of(entry, visit->now_ns);
    int rc = cmw_response_add_block(response, entry->block);

    if (rc == 0)
        rc = set_age(cache, ctx, entry, age_s, has_waited);
    if (rc == 0)
        rc = entry->body.len > 0 ? cmw_response_bytes_ref(response, entry->status, entry->body)
                                 : cmw_response_empty(response, entry->status);
    count(has_waited ? &cache->shared->collapsed : &cache->shared->hits);
    if (age_s >= entry->fresh_s)
        count(&cache->shared->stale);
    return rc;
}

/* ---- Looking for it --------------------------------------------------------------------- */

/* `https host /path?query`. 0, or -1: it has no key. */
static int make_key(cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str host = cmw_request_host(request), path = cmw_request_path(request);
    const cmw_str query = cmw_request_query(request);

    if (path.len == 0 || path.data[0] != '/' || !cmw_request_host_is_valid(request))
        return -1;
    char *key = cmw_arena_alloc_text(cmw_ctx_arena(ctx), 32 + host.len + path.len + query.len);
    if (!key)
        return -1;
    char *at = put(key, cmw_request_scheme(request) == CMW_SCHEME_HTTPS ? CMW_STR("https ")
                                                                        : CMW_STR("http "));
    at = put(at, host);
    const uint16_t port = cmw_request_port(request);
    if (port != 0) {
        *at++ = ':';
        at = put_number(at, port);
    }
    *at++ = ' ';
    at = put(at, path);
    if (query.len > 0)
        *at++ = '?';
    at = put(at, query);
    visit->key = cmw_str_make(key, (size_t)(at - key));
    return 0;
}

/* Requests that no shared answer is for. */
static int is_private(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    return cmw_request_header(request, CMW_HDR_AUTHORIZATION) != NULL ||
           cmw_request_header(request, CMW_HDR_RANGE) != NULL ||
           cmw_request_content_length(request) != 0 || cmw_ctx_slot(ctx, cache->principal) != NULL;
}

static void read_request(cmw_request *request, struct cmw__cache_control *control)
{
    const cmw_header *at = cmw_request_header(request, CMW_HDR_CACHE_CONTROL);
    const cmw_header *pragma = cmw_request_header(request, CMW_HDR_PRAGMA);

    cmw__cache_control_init(control);
    if (!at && pragma && cmw_str_equals_fold(pragma->value, CMW_STR("no-cache")))
        control->flags |= CMW__CACHE_NO_CACHE;
    if (!at)
        return;
    /* What browsers say of a reload is most of what comes. */
    if (!cmw_request_is_repeated(request, CMW_HDR_CACHE_CONTROL)) {
        if (at->value.len == 9 && memcmp(at->value.data, "max-age=0", 9) == 0)
            control->max_age = 0;
        else
            cmw__cache_control_read(control, at->value);
        return;
    }
    for (; at; at = cmw_request_next_header(request, CMW_HDR_CACHE_CONTROL, at))
        cmw__cache_control_read(control, at->value);
}

/* The fields of other middleware, which are not the response's. */
static int note_fields(cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t fields = 0;

    while (cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        fields++;
    visit->asking->before =
        cmw_arena_alloc(cmw_ctx_arena(ctx), fields * sizeof *visit->asking->before);
    if (!visit->asking->before)
        return CMW_ERR_NOMEM;
    cursor = (cmw_header_cursor){0, 0};
    while (visit->asking->before_count < fields &&
           cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        visit->asking->before[visit->asking->before_count++] = field;
    return 0;
}

/* 1 if nobody else asks for a new response already. */
static int may_ask(struct cmw__cache_entry *entry, uint64_t now_ns)
{
    uint64_t until = atomic_load_explicit(&entry->asked_until_ns, memory_order_relaxed);

    return until <= now_ns && atomic_compare_exchange_strong_explicit(
                                  &entry->asked_until_ns, &until, now_ns + ASKING_NS,
                                  memory_order_relaxed, memory_order_relaxed);
}

/* Only what a new response would be stored for asks on behalf of others. */
static int asks_for_others(cmw_ctx *ctx, const struct cmw__cache_control *control)
{
    return cmw_request_method_id(cmw_ctx_request(ctx)) == CMW_METHOD_GET &&
           !(control->flags & CMW__CACHE_ONLY_IF_CACHED);
}

/* It was not answered: somebody else may ask. */
static void stop_renewing(void *object)
{
    const struct cmw__cache_visit *visit = object;

    if (visit->renews)
        atomic_store_explicit(&visit->stale->asked_until_ns, 0, memory_order_relaxed);
}

/* Cleaned up before the entry is released, which was deferred earlier. */
static void renew(cmw_ctx *ctx, struct cmw__cache_visit *visit, struct cmw__cache_entry *entry)
{
    visit->stale = entry;
    visit->renews = 1;
    if (cmw_arena_defer(cmw_ctx_arena(ctx), stop_renewing, visit) != 0)
        visit->renews = 0; /* others ask after a while */
}

/* 1 if an entry answers this request as it is. */
static int is_good(struct cmw__cache_entry *entry, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                   const struct cmw__cache_control *control)
{
    const uint64_t age_s = age_of(entry, visit->now_ns);

    if ((control->flags & CMW__CACHE_NO_CACHE) ||
        (control->max_age >= 0 && age_s > (uint64_t)control->max_age &&
         (visit->waits == 0 ||
          entry == visit->stale))) /* unless it was made while this one waited */
        return 0;
    if (age_s < entry->fresh_s)
        return 1;
    if (age_s - entry->fresh_s >= entry->stale_while_s)
        return 0;
    if (!asks_for_others(ctx, control) || !may_ask(entry, visit->now_ns))
        return 1;
    renew(ctx, visit, entry);
    return 0;
}

/* ---- Together with others --------------------------------------------------------------- */

/* Those who wait for it look for themselves. */
static void close_flight(const struct cmw__cache *cache, struct cmw__cache_visit *visit)
{
    if (visit->asking)
        cmw__flight_close(&cache->shared->flights, cache->engine, &visit->asking->flight,
                          &answered);
}

/* At the request's end, whatever has happened. */
static void leave(void *object)
{
    const struct cmw__cache_asking *asking = object;
    struct cmw__cache_visit *visit = asking->visit;
    struct cmw__cache_flights *flights = &asking->cache->shared->flights;

    cmw__flight_close(flights, asking->cache->engine, &visit->asking->flight, &died);
    cmw__flight_leave(flights, &visit->asking->waiter, visit->hash);
}

/* A request whose answer may be for itself alone (304, 412) is nobody's to wait for. */
static int is_conditional(cmw_request *request)
{
    return cmw_request_header(request, CMW_HDR_IF_NONE_MATCH) != NULL ||
           cmw_request_header(request, CMW_HDR_IF_MODIFIED_SINCE) != NULL ||
           cmw_request_header(request, CMW_HDR_IF_MATCH) != NULL ||
           cmw_request_header(request, CMW_HDR_IF_UNMODIFIED_SINCE) != NULL;
}

/* The earlier of the request's own deadline and the end of its patience. */
static int set_patience(const struct cmw__cache *cache, cmw_ctx *ctx,
                        struct cmw__cache_visit *visit)
{
    const uint64_t at_ns = cmw_ctx_now_ns(ctx) + cache->max_wait_ns;

    visit->asking->deadline_ns = cmw_ctx_deadline(ctx);
    if (visit->asking->deadline_ns != 0 && visit->asking->deadline_ns <= at_ns)
        return 0;
    return cmw_ctx_set_deadline(ctx, at_ns);
}

static int join(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                int may_wait)
{
    struct cmw__cache_flights *flights = &cache->shared->flights;

    visit->asking->flight.hash = visit->hash;
    visit->asking->flight.key = visit->key;
    if (may_wait)
        may_wait = visit->waits < WAITS_MOST &&
                   cmw__flight_is_open(flights, visit->hash, visit->key) &&
                   cmw_ctx_suspend(ctx, &visit->asking->waiter.token) == 0;
    if (!may_wait && is_conditional(cmw_ctx_request(ctx)))
        return CMW__FLIGHT_PASSES_ON;
    return (int)cmw__flight_join(flights, &visit->asking->flight, &visit->asking->waiter,
                                 visit->now_ns, cache->max_waiting, may_wait);
}

/* The entry for a request, which holds it till its end: 0 or an error. */
static int find(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                struct cmw__cache_entry **entry)
{
    visit->purges = cmw__cache_purges(cache->shared->store, visit->hash);
    *entry = cmw__cache_find(cache->shared->store, visit->hash, visit->key, cmw_ctx_request(ctx));
    if (*entry && cmw_arena_defer(cmw_ctx_arena(ctx), release, *entry) != 0) {
        cmw__cache_release(*entry);
        return CMW_ERR_NOMEM;
    }
    return 0;
}

/* Who leads looks again: another one may have led, and been answered, after the first look. */
static int ask_or_serve(const struct cmw__cache *cache, cmw_ctx *ctx,
                        struct cmw__cache_visit *visit, const struct cmw__cache_control *control)
{
    struct cmw__cache_entry *entry;

    if (find(cache, ctx, visit, &entry) != 0)
        return CMW_ERROR;
    if (!entry || entry == visit->stale || !is_good(entry, ctx, visit, control)) {
        visit->stale = entry;
        count(&cache->shared->misses);
        return CMW_CONTINUE;
    }
    close_flight(cache, visit);
    visit->stage = CMW__CACHE_HIT;
    return serve(cache, ctx, entry, visit->waits > 0) == 0 ? CMW_STOP : CMW_ERROR;
}

/* The handler is asked, unless somebody asks it already. */
static int ask_or_wait(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                       const struct cmw__cache_control *control, int may_wait)
{
    const int wants_new = (control->flags & CMW__CACHE_NO_CACHE) != 0 || visit->renews;

    if (join(cache, ctx, visit, may_wait && !wants_new) == CMW__FLIGHT_WAITS) {
        visit->waits++;
        visit->stage = CMW__CACHE_WAITS;
        return set_patience(cache, ctx, visit) == 0 ? CMW_SUSPEND : CMW_ERROR;
    }
    if (visit->asking->flight.is_open && !wants_new)
        return ask_or_serve(cache, ctx, visit, control);
    count(&cache->shared->misses);
    return CMW_CONTINUE;
}

static int begin_asking(const struct cmw__cache *cache, cmw_ctx *ctx,
                        struct cmw__cache_visit *visit)
{
    struct cmw__cache_asking *asking = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *asking);

    if (!asking)
        return CMW_ERR_NOMEM;
    memset(asking, 0, sizeof *asking);
    asking->cache = cache;
    asking->visit = visit;
    visit->asking = asking;
    const int rc = cmw_arena_defer(cmw_ctx_arena(ctx), leave, asking);
    return rc == 0 ? note_fields(ctx, visit) : rc;
}

static int miss(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                const struct cmw__cache_control *control, int may_wait)
{
    if (control->flags & CMW__CACHE_ONLY_IF_CACHED) {
        count(&cache->shared->misses);
        return cmw_respond_problem(ctx, 504, "the response is not cached");
    }
    if (cmw_request_method_id(cmw_ctx_request(ctx)) != CMW_METHOD_GET) {
        count(&cache->shared->misses);
        return CMW_CONTINUE; /* HEAD: its answer is none to GET */
    }
    visit->stage = CMW__CACHE_MISS;
    if (!visit->asking && begin_asking(cache, ctx, visit) != 0)
        return CMW_ERROR;
    if (cache->max_waiting > 0)
        return ask_or_wait(cache, ctx, visit, control, may_wait);
    count(&cache->shared->misses);
    return CMW_CONTINUE;
}

static int look_up(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                   int may_wait)
{
    struct cmw__cache_control control;
    struct cmw__cache_entry *entry;

    read_request(cmw_ctx_request(ctx), &control);
    if (is_private(cache, ctx) || (control.flags & CMW__CACHE_NO_STORE))
        return CMW_CONTINUE;
    if (find(cache, ctx, visit, &entry) != 0)
        return CMW_ERROR;
    if (!entry || !is_good(entry, ctx, visit, &control)) {
        visit->stale = entry;
        return miss(cache, ctx, visit, &control, may_wait);
    }
    visit->stage = CMW__CACHE_HIT;
    return serve(cache, ctx, entry, visit->waits > 0) == 0 ? CMW_STOP : CMW_ERROR;
}

/* Whoever led was answered: that is here now, or is for nobody else. Or it has gone. */
int cmw__cache_on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);

    (void)verdict;
    if (!visit || !visit->asking || cmw_ctx_set_deadline(ctx, visit->asking->deadline_ns) != 0)
        return CMW_ERROR;
    visit->now_ns = cmw_ctx_now_ns(ctx);
    return look_up(cache, ctx, visit, data == &died);
}

void cmw__cache_on_dropped(void *self, void *data)
{
    (void)self;
    (void)data; /* an address that says something, and holds nothing */
}

int cmw__cache_on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));
    struct cmw__cache_visit *visit = cmw_ctx_set_slot(ctx, cache->slot);

    if (!visit)
        return CMW_ERROR;
    if (method == CMW_METHOD_OPTIONS || method == CMW_METHOD_TRACE || make_key(ctx, visit) != 0)
        return CMW_CONTINUE;
    visit->now_ns = cmw_ctx_begin_ns(ctx);
    visit->hash = cmw__cache_hash(cache->shared->store, visit->key);
    if (method == CMW_METHOD_GET || method == CMW_METHOD_HEAD)
        return look_up(cache, ctx, visit, 1);
    visit->stage = CMW__CACHE_UNSAFE;
    return CMW_CONTINUE;
}

/* ---- What the handler made -------------------------------------------------------------- */

/* The stale response in place of an error, while it may be: 1 if so. */
static int saves(const struct cmw__cache_visit *visit)
{
    if ((visit->stage != CMW__CACHE_MISS && visit->stage != CMW__CACHE_WAITS) || !visit->stale)
        return 0;
    const uint64_t age_s = age_of(visit->stale, visit->now_ns);
    return age_s < visit->stale->fresh_s + visit->stale->stale_if_error_s;
}

/* The target's answer is nobody else's: what was stored before it has had its day, and for a while
 * nobody waits. */
static void pass_on(const struct cmw__cache *cache, const struct cmw__cache_visit *visit)
{
    if (visit->stale && age_of(visit->stale, visit->now_ns) >= visit->stale->fresh_s)
        cmw__cache_drop(cache->shared->store, visit->stale);
    if (visit->asking->flight.is_open)
        cmw__flight_pass(&cache->shared->flights, visit->hash, visit->now_ns + PASSED_NS);
}

static cmw_str why_asked(const struct cmw__cache_visit *visit)
{
    if (!visit->stale)
        return CMW_STR("; fwd=uri-miss");
    return age_of(visit->stale, visit->now_ns) >= visit->stale->fresh_s ? CMW_STR("; fwd=stale")
                                                                        : CMW_STR("; fwd=request");
}

static int store_it(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    const enum cmw__cache_kept kept = cmw__cache_keep(cache, ctx, visit);
    const int status = cmw_response_status(cmw_ctx_response(ctx));

    if (kept == CMW__CACHE_KEPT)
        count(&cache->shared->stored);
    else if (kept != CMW__CACHE_OUTDATED && status >= 200 && status < 300)
        pass_on(cache, visit);
    cmw__flight_close(&cache->shared->flights, cache->engine, &visit->asking->flight,
                      kept == CMW__CACHE_OUTDATED ? &died : &answered);
    char text[64];
    char *end = put(put(text, why_asked(visit)),
                    visit->waits > 0 ? CMW_STR("; collapsed=?0") : CMW_STR(""));
    end = put(end, kept == CMW__CACHE_KEPT ? CMW_STR("; stored") : CMW_STR(""));
    return add_status(cache, ctx, cmw_str_make(text, (size_t)(end - text))) == 0 ? CMW_CONTINUE
                                                                                 : CMW_ERROR;
}

int cmw__cache_on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);
    const int status = cmw_response_status(cmw_ctx_response(ctx));

    if (!visit || visit->stage == CMW__CACHE_HIT || visit->stage == CMW__CACHE_BYPASS)
        return CMW_CONTINUE;
    if (!cmw_ctx_is_cancelled(ctx))
        visit->renews = 0; /* an answer, if a bad one: others ask in their turn */
    if (cmw_ctx_fault(ctx)) {
        close_flight(cache, visit);
        return CMW_CONTINUE;
    }
    if (visit->stage == CMW__CACHE_UNSAFE && status >= 200 && status < 400)
        (void)cmw__cache_purge_key(cache->shared->store, visit->hash, visit->key);
    if (visit->stage != CMW__CACHE_MISS)
        return CMW_CONTINUE;
    if (status < 500 || !saves(visit))
        return store_it(cache, ctx, visit);
    visit->stage = CMW__CACHE_HIT;
    close_flight(cache, visit);
    return serve(cache, ctx, visit->stale, 0) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* Its patience is over, or the request's. */
static int give_up(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    count(&cache->shared->expired);
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, CMW_STR("1")) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 503, "another request for the same did not end in time");
}

int cmw__cache_on_error(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);

    if (!visit || cmw_ctx_fault(ctx)->status < 500)
        return CMW_CONTINUE;
    if (!saves(visit))
        return visit->stage == CMW__CACHE_WAITS ? give_up(cache, ctx) : CMW_CONTINUE;
    visit->stage = CMW__CACHE_HIT;
    close_flight(cache, visit);
    return serve(cache, ctx, visit->stale, 0) == 0 ? CMW_STOP : CMW_ERROR;
}
