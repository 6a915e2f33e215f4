/* SPDX-License-Identifier: MIT */
/* The way through the cache of a request that is not served at once: it asks, waits, and stores. */
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

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
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

/* ---- Looking for it --------------------------------------------------------------------- */

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
    const uint64_t age_s = cmw__cache_age(entry, visit->now_ns);

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
    cmw__flight_leave(flights, &visit->asking->waiter, visit->key.hash);
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

    visit->asking->flight.key = visit->key;
    if (may_wait)
        may_wait = visit->waits < WAITS_MOST && cmw__flight_is_open(flights, &visit->key) &&
                   cmw_ctx_suspend(ctx, &visit->asking->waiter.token) == 0;
    if (!may_wait && is_conditional(cmw_ctx_request(ctx)))
        return CMW__FLIGHT_PASSES_ON;
    return (int)cmw__flight_join(flights, &visit->asking->flight, &visit->asking->waiter,
                                 visit->now_ns, cache->max_waiting, may_wait);
}

/* Answer with an entry that was looked for: 0 or an error. */
static int serve(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry *entry)
{
    const struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);
    return cmw__cache_serve(cache, ctx, entry, visit->now_ns, visit->waits > 0);
}

/* Who leads looks again: another one may have led, and been answered, after the first look. */
static int ask_or_serve(const struct cmw__cache *cache, cmw_ctx *ctx,
                        struct cmw__cache_visit *visit, const struct cmw__cache_control *control)
{
    struct cmw__cache_entry *entry;

    visit->purges = cmw__cache_purges(cache->shared->store, visit->key.hash);
    if (cmw__cache_hold(cache, ctx, &entry, &visit->key) != 0)
        return CMW_ERROR;
    if (!entry || entry == visit->stale || !is_good(entry, ctx, visit, control)) {
        visit->stale = entry;
        count(&cache->shared->misses);
        return CMW_CONTINUE;
    }
    close_flight(cache, visit);
    visit->stage = CMW__CACHE_HIT;
    return serve(cache, ctx, entry) == 0 ? CMW_STOP : CMW_ERROR;
}

/* The handler is asked, unless somebody asks it already. */
static int ask_or_wait(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                       const struct cmw__cache_control *control, int may_wait)
{
    const int wants_new = (control->flags & CMW__CACHE_NO_CACHE) != 0 || visit->renews;

    if (join(cache, ctx, visit, may_wait && !wants_new) == CMW__FLIGHT_WAITS) {
        visit->waits++;
        visit->stage = CMW__CACHE_WAITS;
        visit->asking->control = *control;
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

int cmw__cache_look_closely(const struct cmw__cache *cache, cmw_ctx *ctx,
                            struct cmw__cache_visit *visit, struct cmw__cache_entry *entry,
                            const struct cmw__cache_control *control, int may_wait)
{
    if (!entry || !is_good(entry, ctx, visit, control)) {
        visit->stale = entry;
        return miss(cache, ctx, visit, control, may_wait);
    }
    visit->stage = CMW__CACHE_HIT;
    return serve(cache, ctx, entry) == 0 ? CMW_STOP : CMW_ERROR;
}

/* Whoever led was answered: that is here now, or is for nobody else. Or it has gone. */
int cmw__cache_on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);
    struct cmw__cache_entry *entry;

    (void)verdict;
    if (!visit || !visit->asking || cmw_ctx_set_deadline(ctx, visit->asking->deadline_ns) != 0)
        return CMW_ERROR;
    visit->now_ns = cmw_ctx_now_ns(ctx);
    visit->purges = cmw__cache_purges(cache->shared->store, visit->key.hash);
    if (cmw__cache_hold(cache, ctx, &entry, &visit->key) != 0)
        return CMW_ERROR;
    return cmw__cache_look_closely(cache, ctx, visit, entry, &visit->asking->control,
                                   data == &died);
}

void cmw__cache_on_dropped(void *self, void *data)
{
    (void)self;
    (void)data; /* an address that says something, and holds nothing */
}

/* ---- What the handler made -------------------------------------------------------------- */

/* The stale response in place of an error, while it may be: 1 if so. */
static int saves(const struct cmw__cache_visit *visit)
{
    if ((visit->stage != CMW__CACHE_MISS && visit->stage != CMW__CACHE_WAITS) || !visit->stale)
        return 0;
    const uint64_t age_s = cmw__cache_age(visit->stale, visit->now_ns);
    return age_s < visit->stale->fresh_s + visit->stale->stale_if_error_s;
}

/* The target's answer is nobody else's: what was stored before it has had its day, and for a while
 * nobody waits. */
static void pass_on(const struct cmw__cache *cache, const struct cmw__cache_visit *visit)
{
    if (visit->stale && cmw__cache_age(visit->stale, visit->now_ns) >= visit->stale->fresh_s)
        cmw__cache_drop(cache->shared->store, visit->stale);
    if (visit->asking->flight.is_open)
        cmw__flight_pass(&cache->shared->flights, visit->key.hash, visit->now_ns + PASSED_NS);
}

static cmw_str why_asked(const struct cmw__cache_visit *visit)
{
    if (!visit->stale)
        return CMW_STR("; fwd=uri-miss");
    return cmw__cache_age(visit->stale, visit->now_ns) >= visit->stale->fresh_s
               ? CMW_STR("; fwd=stale")
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

int cmw__cache_take_answer(const struct cmw__cache *cache, cmw_ctx *ctx,
                           struct cmw__cache_visit *visit)
{
    const int status = cmw_response_status(cmw_ctx_response(ctx));

    if (!cmw_ctx_is_cancelled(ctx))
        visit->renews = 0; /* an answer, if a bad one: others ask in their turn */
    if (cmw_ctx_fault(ctx)) {
        close_flight(cache, visit);
        return CMW_CONTINUE;
    }
    if (visit->stage == CMW__CACHE_UNSAFE && status >= 200 && status < 400)
        (void)cmw__cache_purge_key(cache->shared->store, &visit->key);
    if (visit->stage != CMW__CACHE_MISS)
        return CMW_CONTINUE;
    if (status < 500 || !saves(visit))
        return store_it(cache, ctx, visit);
    visit->stage = CMW__CACHE_HIT;
    close_flight(cache, visit);
    return cmw__cache_serve(cache, ctx, visit->stale, visit->now_ns, 0) == 0 ? CMW_CONTINUE
                                                                             : CMW_ERROR;
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
    return cmw__cache_serve(cache, ctx, visit->stale, visit->now_ns, 0) == 0 ? CMW_STOP : CMW_ERROR;
}
