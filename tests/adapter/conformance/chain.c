/* SPDX-License-Identifier: MIT */
/*
 * The chain under test, and the plans that a server must refuse.
 *
 *     counter  1     counts what began and ended; a constant field
 *     guard    2     403 for /denied
 *     waits    3     suspends for /wait and /wait-post, if the server can
 *     pauses   4     suspends in request_body for /wait-body, if the server can
 *     shout    5     makes the bodies of requests to /shout loud, some bytes at a time
 *     wrap     6     makes the bodies of responses loud for whoever sends X-Loud
 *     counts   7     says behind the body how long it was, on /counted
 *     actor   10     does in each phase what the field X-Act says: "pre=stop:418,post=error"
 *     later   20     shows whether the rest of pre_route ran
 *     signer         last in post_route: X-Post, and X-Trace with the way that the request took
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

/* ---- Trace ------------------------------------------------------------------------------ */

static struct trace *find_trace(struct conformance_app *app, cmw_ctx *ctx)
{
    struct trace *trace = cmw_ctx_slot(ctx, app->trace);

    return trace ? trace : cmw_ctx_set_slot(ctx, app->trace);
}

void conformance_trace(struct conformance_app *app, cmw_ctx *ctx, cmw_str word)
{
    struct trace *trace = find_trace(app, ctx);

    if (!trace || word.len + 1 > sizeof trace->text - trace->len)
        abort();
    if (trace->len > 0)
        trace->text[trace->len++] = ',';
    memcpy(trace->text + trace->len, word.data, word.len);
    trace->len += word.len;
}

/* ---- Counter ---------------------------------------------------------------------------- */

static int count_entered(void *self, cmw_ctx *ctx)
{
    struct conformance_app *app = self;

    atomic_fetch_add(&app->counts.entered, 1);
    if ((app->body_ms || app->body_idle_ms) &&
        cmw_ctx_limit_body_time(ctx, app->body_ms, app->body_idle_ms) != 0)
        return CMW_ERROR;
    return find_trace(app, ctx) ? CMW_CONTINUE : CMW_ERROR;
}

static void count_end(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct conformance_app *app = self;
    struct trace *trace = find_trace(app, ctx);

    if (!trace)
        abort();
    if (trace->is_complete)
        atomic_fetch_add(&app->counts.twice, 1);
    trace->is_complete = 1;
    if (cmw_ctx_was_entered(ctx))
        atomic_fetch_add(&app->counts.left, 1);
    atomic_fetch_add(&app->counts.by_reason[reason], 1);
}

/* ---- Guard ------------------------------------------------------------------------------ */

static int deny(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_text(ctx, 403, CMW_STR("denied\n"));
}

/* ---- Waiting ---------------------------------------------------------------------------- */

static int note_token(struct conformance_app *app, cmw_ctx *ctx)
{
    struct waiter waiter = {.engine = cmw_worker_engine(cmw_ctx_worker(ctx)), .process = getpid()};

    if (cmw_ctx_suspend(ctx, &waiter.token) != 0)
        return CMW_ERR_STATE;
    pthread_mutex_lock(&app->lock);
    if (app->waiter_count == WAITER_CAP)
        abort();
    app->waiters[app->waiter_count++] = waiter;
    pthread_mutex_unlock(&app->lock);
    return 0;
}

static int wait_if(struct conformance_app *app, cmw_ctx *ctx, cmw_str path)
{
    if (!cmw_str_equals(cmw_request_path(cmw_ctx_request(ctx)), path))
        return CMW_CONTINUE;
    return note_token(app, ctx) == 0 ? CMW_SUSPEND : CMW_ERROR;
}

static int wait_in_pre_route(void *self, cmw_ctx *ctx)
{
    return wait_if(self, ctx, CMW_STR("/wait"));
}

static int wait_in_post_route(void *self, cmw_ctx *ctx)
{
    return wait_if(self, ctx, CMW_STR("/wait-post"));
}

static int wait_in_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)chunk;
    return wait_if(self, ctx, CMW_STR("/wait-body"));
}

int conformance_wait(struct conformance_app *app, cmw_ctx *ctx)
{
    return note_token(app, ctx) == 0 ? CMW_ERR_AGAIN : CMW_ERR_IO;
}

unsigned conformance_release(struct conformance_app *app)
{
    unsigned count = 0, kept = 0;

    pthread_mutex_lock(&app->lock);
    for (unsigned i = 0; i < app->waiter_count; i++) {
        const struct waiter *each = &app->waiters[i];
        if (each->process == getpid())
            count += cmw_resume(each->engine, each->token, CMW_CONTINUE, NULL) == 0;
        else
            app->waiters[kept++] = *each;
    }
    app->waiter_count = kept;
    pthread_mutex_unlock(&app->lock);
    return count;
}

/* ---- Actor ------------------------------------------------------------------------------ */

static const struct verdict {
    cmw_str name;
    int value;
} verdicts[] = {
    {CMW_STR_INIT("continue"), CMW_CONTINUE}, {CMW_STR_INIT("stop"), CMW_STOP},
    {CMW_STR_INIT("skip"), CMW_SKIP_ROUTE},   {CMW_STR_INIT("suspend"), CMW_SUSPEND},
    {CMW_STR_INIT("error"), CMW_ERROR},       {CMW_STR_INIT("unknown"), 77},
};

/* What `orders` says after "PHASE=", up to a comma; empty if nothing. */
static cmw_str find_order(cmw_str orders, cmw_str phase)
{
    while (orders.len > 0) {
        const char *comma = memchr(orders.data, ',', orders.len);
        const size_t len = comma ? (size_t)(comma - orders.data) : orders.len;
        if (len > phase.len && orders.data[phase.len] == '=' &&
            memcmp(orders.data, phase.data, phase.len) == 0)
            return cmw_str_make(orders.data + phase.len + 1, len - phase.len - 1);
        orders.data += comma ? len + 1 : len;
        orders.len -= comma ? len + 1 : len;
    }
    return orders;
}

/* "stop:418": answer 418, then stop. */
static int obey(cmw_ctx *ctx, cmw_str order)
{
    const char *colon = memchr(order.data, ':', order.len);
    const cmw_str name = colon ? cmw_str_make(order.data, (size_t)(colon - order.data)) : order;

    if (colon && cmw_response_text(cmw_ctx_response(ctx), (int)strtol(colon + 1, NULL, 10),
                                   CMW_STR("acted\n")) != 0)
        return CMW_ERROR;
    for (size_t i = 0; i < LEN(verdicts); i++)
        if (cmw_str_equals(name, verdicts[i].name))
            return verdicts[i].value;
    return CMW_ERROR;
}

static int act(struct conformance_app *app, cmw_ctx *ctx, cmw_str phase)
{
    const cmw_header *orders = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Act"));

    conformance_trace(app, ctx, phase);
    const cmw_str order = orders ? find_order(orders->value, phase) : cmw_str_make(NULL, 0);
    return order.len > 0 ? obey(ctx, order) : CMW_CONTINUE;
}

static int act_in_pre_route(void *self, cmw_ctx *ctx)
{
    return act(self, ctx, CMW_STR("pre"));
}

static int act_in_post_route(void *self, cmw_ctx *ctx)
{
    return act(self, ctx, CMW_STR("post"));
}

static int act_in_error(void *self, cmw_ctx *ctx)
{
    return act(self, ctx, CMW_STR("error"));
}

static int trace_later(void *self, cmw_ctx *ctx)
{
    conformance_trace(self, ctx, CMW_STR("later"));
    return CMW_CONTINUE;
}

/* ---- Loud bodies ------------------------------------------------------------------------ */

/* As much as fits in a little room, of which the request has one. */
static int make_loud(cmw_ctx *ctx, cmw_slot slot, cmw_chunk *chunk)
{
    struct loud *loud = cmw_ctx_slot(ctx, slot);

    if (!loud)
        loud = cmw_ctx_set_slot(ctx, slot);
    if (!loud)
        return CMW_ERROR;
    if (chunk->bytes.len > 0)
        loud->rest = chunk->bytes;
    const size_t len = loud->rest.len < LOUD_BYTES ? loud->rest.len : LOUD_BYTES;
    for (size_t i = 0; i < len; i++)
        loud->room[i] = loud->rest.data[i] >= 'a' && loud->rest.data[i] <= 'z'
                            ? (char)(loud->rest.data[i] - 'a' + 'A')
                            : loud->rest.data[i];
    if (len > 0)
        loud->rest = cmw_str_make(loud->rest.data + len, loud->rest.len - len);
    chunk->bytes = cmw_str_make(loud->room, len);
    chunk->has_more = loud->rest.len > 0;
    return CMW_CONTINUE;
}

static int shout(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct conformance_app *app = self;
    return make_loud(ctx, app->loud_in, chunk);
}

static int wrap(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct conformance_app *app = self;
    const cmw_header *loud = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Loud"));

    if (cmw_str_equals(loud->value, CMW_STR("fails")))
        return CMW_ERROR;
    return make_loud(ctx, app->loud_out, chunk);
}

static int announce_wrap(void *self, cmw_ctx *ctx)
{
    (void)self;
    if (!cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Loud")))
        return CMW_CONTINUE;
    return cmw_ctx_transform_body(ctx) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Counted bodies --------------------------------------------------------------------- */

static int promise_count(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_promise_trailer(ctx, CMW_STR("X-Count"), 0) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int count_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct conformance_app *app = self;
    uint64_t *bytes = cmw_ctx_slot(ctx, app->counted);
    char text[24];

    if (!bytes)
        bytes = cmw_ctx_set_slot(ctx, app->counted);
    if (!bytes)
        return CMW_ERROR;
    *bytes += chunk->bytes.len;
    if (!chunk->is_last)
        return CMW_CONTINUE;
    const int len = snprintf(text, sizeof text, "%llu", (unsigned long long)*bytes);
    return cmw_ctx_add_trailer(ctx, CMW_STR("X-Count"), cmw_str_make(text, (size_t)len)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Signer ----------------------------------------------------------------------------- */

static int sign(void *self, cmw_ctx *ctx)
{
    const struct trace *trace = find_trace(self, ctx);
    cmw_response *response = cmw_ctx_response(ctx);

    if (!trace || cmw_response_set_named(response, CMW_STR("X-Post"), CMW_STR("ran")) != 0 ||
        cmw_response_set_named(response, CMW_STR("X-Trace"),
                               cmw_str_make(trace->text, trace->len)) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

/* ---- The chain -------------------------------------------------------------------------- */

/* The middleware runs for one path alone. */
static void limit_to(cmw_middleware *mw, cmw_condition *condition, const char *const *path)
{
    cmw_condition_init(condition);
    condition->paths = path;
    condition->path_count = 1;
    mw->condition = condition;
}

static void describe_counter(struct conformance_app *app, cmw_middleware *mw)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Const"), CMW_STR_INIT("yes")}};

    mw->priority = 1;
    mw->self = app;
    mw->pre_route = count_entered;
    mw->complete = count_end;
    mw->fields = fields;
    mw->field_count = LEN(fields);
    if (app->body_ms || app->body_idle_ms)
        mw->flags = CMW_TIMES_BODY;
    mw->head_ms = (uint32_t)app->head_ms;
    cmw_middleware_provides(mw, app->trace);
}

static void describe_guard(struct conformance_app *app, cmw_middleware *mw)
{
    static const char *const path = "/denied";
    static cmw_condition condition;
    (void)app;

    limit_to(mw, &condition, &path);
    mw->priority = 2;
    mw->flags = CMW_GUARDS_ACCESS;
    mw->pre_route = deny;
}

static int can(const struct conformance_app *app, uint32_t capability)
{
    return (app->server->host->capabilities & capability) != 0;
}

static void describe_waits(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 3;
    mw->self = app;
    if (can(app, CMW_CAP_SUSPEND)) {
        mw->pre_route = wait_in_pre_route;
        mw->suspend_phases |= 1u << CMW_PHASE_PRE_ROUTE;
    }
    if (can(app, CMW_CAP_SUSPEND_POST_ROUTE)) {
        mw->post_route = wait_in_post_route;
        mw->suspend_phases |= 1u << CMW_PHASE_POST_ROUTE;
    }
}

static void describe_pauses(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 4;
    mw->self = app;
    if (!can(app, CMW_CAP_STREAM_REQUEST_BODY))
        return;
    mw->request_body = wait_in_body;
    mw->body_demand = CMW_BODY_DIGEST;
    if (can(app, CMW_CAP_SUSPEND))
        mw->suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
}

static void describe_shout(struct conformance_app *app, cmw_middleware *mw)
{
    static const char *const path = "/shout";
    static cmw_condition condition;

    mw->priority = 5;
    mw->self = app;
    if (!can(app, CMW_CAP_STREAM_REQUEST_BODY))
        return;
    limit_to(mw, &condition, &path);
    mw->request_body = shout;
    mw->body_demand = CMW_BODY_CHUNKS;
    cmw_middleware_uses(mw, app->loud_in);
}

static void describe_wrap(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 6;
    mw->self = app;
    if (conformance_passes_bodies(app->server->host))
        return;
    mw->flags = CMW_TRANSFORMS_BODY;
    mw->post_route = announce_wrap;
    mw->response_body = wrap;
    cmw_middleware_uses(mw, app->loud_out);
}

static void describe_counts(struct conformance_app *app, cmw_middleware *mw)
{
    static const char *const path = "/counted";
    static cmw_condition condition;

    mw->priority = 7;
    mw->self = app;
    if (conformance_passes_bodies(app->server->host))
        return;
    limit_to(mw, &condition, &path);
    mw->post_route = promise_count;
    mw->response_body = count_body;
    cmw_middleware_uses(mw, app->counted);
}

static void describe_actor(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 10;
    mw->self = app;
    mw->pre_route = act_in_pre_route;
    mw->post_route = act_in_post_route;
    mw->error = act_in_error;
}

static void describe_later(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 20;
    mw->self = app;
    mw->pre_route = trace_later;
}

static void describe_signer(struct conformance_app *app, cmw_middleware *mw)
{
    mw->priority = 30;
    mw->self = app;
    mw->post_route = sign;
    mw->post_priority = CMW_PRIORITY_MAX;
}

const struct conformance_piece conformance_pieces[CONFORMANCE_PIECES] = {
    {"counter", describe_counter}, {"guard", describe_guard}, {"waits", describe_waits},
    {"pauses", describe_pauses},   {"shout", describe_shout}, {"wrap", describe_wrap},
    {"counts", describe_counts},   {"actor", describe_actor}, {"later", describe_later},
    {"signer", describe_signer},
};

int conformance_declare(struct conformance_app *app, cmw_engine *engine)
{
    int rc = cmw_slot_declare(engine, &app->trace, "trace", sizeof(struct trace), NULL);

    app->engine = engine;
    if (rc == 0)
        rc = cmw_slot_declare(engine, &app->loud_in, "loud_in", sizeof(struct loud), NULL);
    if (rc == 0)
        rc = cmw_slot_declare(engine, &app->loud_out, "loud_out", sizeof(struct loud), NULL);
    if (rc == 0)
        rc = cmw_slot_declare(engine, &app->counted, "counted", sizeof(uint64_t), NULL);
    return rc;
}

int conformance_install(struct conformance_app *app, const struct conformance_server *server,
                        cmw_diag *diag)
{
    cmw_chain *chain = NULL;
    cmw_middleware mw;

    app->server = server;
    int rc = conformance_declare(app, app->engine);
    if (rc == 0)
        rc = cmw_chain_create(app->engine, &chain, 0);
    for (size_t i = 0; i < CONFORMANCE_PIECES && rc == 0; i++) {
        cmw_middleware_init(&mw);
        mw.name = conformance_pieces[i].name;
        conformance_pieces[i].describe(app, &mw);
        rc = cmw_chain_add(chain, &mw, diag);
    }
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- What a server lacks ---------------------------------------------------------------- */

static void need_pre_suspend(cmw_middleware *mw)
{
    mw->pre_route = act_in_pre_route;
    mw->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
}

static void need_post_suspend(cmw_middleware *mw)
{
    mw->post_route = act_in_post_route;
    mw->suspend_phases = 1u << CMW_PHASE_POST_ROUTE;
}

static int read_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_CONTINUE;
}

static void need_request_body(cmw_middleware *mw)
{
    mw->request_body = read_body;
    mw->body_demand = CMW_BODY_FULL;
}

static void need_timed_body(cmw_middleware *mw)
{
    mw->flags = CMW_TIMES_BODY;
}

static void need_response_body(cmw_middleware *mw)
{
    mw->response_body = read_body;
}

static void need_timed_head(cmw_middleware *mw)
{
    mw->head_ms = 1000;
}

static void need_guarded_path(cmw_middleware *mw)
{
    static const char *const path = "/inner/*";
    static cmw_condition condition;

    limit_to(mw, &condition, &path);
    mw->pre_route = deny;
    mw->flags = CMW_GUARDS_ACCESS;
}

static void need_trailers(cmw_middleware *mw)
{
    mw->post_route = act_in_post_route;
    mw->flags = CMW_READS_TRAILERS;
}

static void need_response_trailers(cmw_middleware *mw)
{
    mw->post_route = act_in_post_route;
    mw->flags = CMW_SENDS_TRAILERS;
}

static const struct need {
    const char *capability;
    uint32_t bit;
    void (*describe)(cmw_middleware *mw); /* NULL: no plan can need it */
} needs[] = {
    {"stream_request_body", CMW_CAP_STREAM_REQUEST_BODY, need_request_body},
    {"stream_response_body", CMW_CAP_STREAM_RESPONSE_BODY, need_response_body},
    {"suspend", CMW_CAP_SUSPEND, need_pre_suspend},
    {"suspend_post_route", CMW_CAP_SUSPEND_POST_ROUTE, need_post_suspend},
    {"resume_across_threads", CMW_CAP_RESUME_ACROSS_THREADS, NULL},
    {"notice_client_gone", CMW_CAP_NOTICE_CLIENT_GONE, NULL},
    {"decorate_own_errors", CMW_CAP_DECORATE_OWN_ERRORS, NULL},
    {"rewrite_target", CMW_CAP_REWRITE_TARGET, need_guarded_path},
    {"forks", CMW_CAP_FORKS, NULL},
    {"head_first", CMW_CAP_HEAD_FIRST, NULL},
    {"time_body", CMW_CAP_TIME_BODY, need_timed_body},
    {"time_head", CMW_CAP_TIME_HEAD, need_timed_head},
    {"any_method", CMW_CAP_ANY_METHOD, NULL},
    {"passes_bodies", CMW_CAP_PASSES_BODIES, NULL},
    {"request_trailers", CMW_CAP_REQUEST_TRAILERS, need_trailers},
    {"response_trailers", CMW_CAP_RESPONSE_TRAILERS, need_response_trailers},
};

int conformance_passes_bodies(const cmw_host *host)
{
    return (host->capabilities & CMW_CAP_PASSES_BODIES) &&
           !(host->capabilities & CMW_CAP_STREAM_RESPONSE_BODY);
}

/* What attaching the server and installing a plan with the need says; "" if it is accepted. */
static void try_need(const struct need *need, const cmw_host *host, cmw_diag *diag)
{
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "needy";
    mw.priority = 5;
    need->describe(&mw);
    if (cmw_engine_create(&engine, NULL) != 0 || cmw_chain_create(engine, &chain, 0) != 0)
        abort();
    int rc = cmw_engine_attach_host(engine, host, diag);
    if (rc == 0)
        rc = cmw_chain_add(chain, &mw, diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    if ((rc == 0) != (diag->code == 0))
        abort();
    cmw_chain_destroy(chain);
    if (cmw_engine_destroy(engine) != 0)
        abort();
}

static void print_needs(FILE *out, const struct conformance_server *server)
{
    const char *separator = "";

    for (size_t i = 0; i < LEN(needs); i++) {
        cmw_diag diag = {0};
        if (!needs[i].describe)
            continue;
        try_need(&needs[i], server->host, &diag);
        fprintf(out, "%s\"%s\": \"%s\"", separator, needs[i].capability, diag.message);
        separator = ", ";
    }
}

void conformance_print_server(FILE *out, const struct conformance_server *server)
{
    const char *separator = "";

    fprintf(out, "{\"name\": \"%s\", \"header_limit\": %u, \"capabilities\": [", server->host->name,
            (unsigned)server->host->header_limit);
    for (size_t i = 0; i < LEN(needs); i++) {
        if (!(server->host->capabilities & needs[i].bit))
            continue;
        fprintf(out, "%s\"%s\"", separator, needs[i].capability);
        separator = ", ";
    }
    fprintf(out, "], \"traits\": [");
    separator = "";
    for (const char *const *trait = server->traits; *trait; trait++) {
        fprintf(out, "%s\"%s\"", separator, *trait);
        separator = ", ";
    }
    fprintf(out, "], \"needs\": {");
    print_needs(out, server);
    fprintf(out, "}}\n");
}
