/* SPDX-License-Identifier: MIT */
/*
 * The testing kit: one engine, one worker, one request at a time.
 *
 * The bench itself lives in the C library's memory, so that the engine's allocator sees the
 * engine's calls and no others.
 */
#include <catzilla/testing.h>

#include "answer.h"
#include "probe_allocator.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER_CAP 1000
#define FIRST_NS 1000000000u
#define FIRST_WALL_NS UINT64_C(1767225600000000000) /* 2026-01-01T00:00:00Z */

struct cmw_test {
    struct probe_allocator probe;
    uint64_t now_ns;
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_test_handler_fn *handler;
    void *handler_self;
    cmw_end_reason end_reason;
    uint32_t route_id;
    cmw_str body;
    size_t chunk_bytes; /* 0: all at once */
    cmw_request_view view;
    struct answer answer;
    cmw_header headers[HEADER_CAP];
};

static _Noreturn void give_up(const char *what, const char *which)
{
    fprintf(stderr, "cmw_test: %s '%s'\n", what, which);
    abort();
}

/* ---- The bench --------------------------------------------------------------------------- */

static uint64_t read_clock(void *self)
{
    const cmw_test *test = self;

    return test->now_ns;
}

/* The wall clock goes with the monotonic one. */
static uint64_t read_wall_clock(void *self)
{
    const cmw_test *test = self;

    return FIRST_WALL_NS + (test->now_ns - FIRST_NS);
}

static int answer_ok(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

/* The caller's config, of whichever size, with the bench's clock and allocator in it. */
static int make_config(cmw_test *test, cmw_engine_config *out, const cmw_engine_config *config)
{
    cmw_engine_config_init(out);
    out->sample_every = 1;
    if (config) {
        if (config->size > sizeof *out)
            return CMW_ERR_VERSION;
        memcpy(out, config, config->size);
        out->size = sizeof *out;
    }
    cmw__probe_init(&test->probe, out->allocator);
    out->allocator = &test->probe.allocator;
    out->clock_ns = read_clock;
    out->wall_clock_ns = read_wall_clock;
    out->clock_self = test;
    return 0;
}

int cmw_test_create(cmw_test **out, const cmw_engine_config *config)
{
    cmw_engine_config own;

    if (!out)
        return CMW_ERR_ARG;
    cmw_test *test = calloc(1, sizeof *test);
    if (!test)
        return CMW_ERR_NOMEM;
    test->now_ns = FIRST_NS;
    test->handler = answer_ok;
    test->route_id = CMW_NONE;

    int rc = make_config(test, &own, config);
    if (rc != 0)
        goto fail;
    rc = cmw_engine_create(&test->engine, &own);
    if (rc != 0)
        goto fail;
    rc = cmw_engine_take_worker(test->engine, &test->worker, NULL, NULL);
    if (rc != 0) {
        cmw_engine_destroy(test->engine);
        goto fail;
    }
    cmw_test_request(test, "GET", "/");
    *out = test;
    return 0;

fail:
    free(test);
    return rc;
}

int cmw_test_destroy(cmw_test *test)
{
    if (!test)
        return 0;
    cmw_test_fail_after(test, CMW_NONE);
    cmw_engine_put_worker(test->engine, test->worker);
    const int rc = cmw_engine_destroy(test->engine);
    if (rc != 0) {
        if (cmw_engine_take_worker(test->engine, &test->worker, NULL, NULL) != 0)
            give_up("the engine does not give back", "the bench's worker");
        return rc;
    }
    cmw__answer_clear(&test->answer);
    free(test);
    return 0;
}

cmw_engine *cmw_test_engine(cmw_test *test)
{
    return test->engine;
}

cmw_worker *cmw_test_worker(cmw_test *test)
{
    return test->worker;
}

int cmw_test_install(cmw_test *test, cmw_plan *plan)
{
    const int rc = cmw_engine_install(test->engine, plan, NULL);

    cmw_plan_release(plan);
    return rc;
}

void cmw_test_set_handler(cmw_test *test, cmw_test_handler_fn *handler, void *self)
{
    test->handler = handler ? handler : answer_ok;
    test->handler_self = self;
}

void cmw_test_set_end_reason(cmw_test *test, cmw_end_reason reason)
{
    test->end_reason = reason;
}

void cmw_test_route(cmw_test *test, uint32_t route_id)
{
    test->route_id = route_id;
}

/* ---- Requests ---------------------------------------------------------------------------- */

void cmw_test_request(cmw_test *test, const char *method, const char *target)
{
    cmw__answer_clear(&test->answer);
    cmw_request_view_init(&test->view);
    test->view.method = cmw_str_cstr(method);
    test->view.target = cmw_str_cstr(target);
    test->view.headers = test->headers;
    test->view.http_version = 0x0101;
    test->body = cmw_str_make(NULL, 0);
    cmw_test_peer(test, "192.0.2.1");
}

void cmw_test_header(cmw_test *test, const char *name, const char *value)
{
    if (test->view.header_count >= HEADER_CAP)
        give_up("no room for the field", name);
    cmw_header *header = &test->headers[test->view.header_count++];
    header->name = cmw_str_cstr(name);
    header->value = cmw_str_cstr(value);
}

void cmw_test_body(cmw_test *test, cmw_str body)
{
    test->body = body;
    test->view.content_length = body.len;
}

void cmw_test_set_chunk_bytes(cmw_test *test, size_t bytes)
{
    test->chunk_bytes = bytes;
}

void cmw_test_peer(cmw_test *test, const char *address)
{
    if (cmw_address_parse(&test->view.peer, cmw_str_cstr(address)) != 0)
        give_up("not an address:", address);
}

void cmw_test_scheme(cmw_test *test, cmw_scheme scheme)
{
    test->view.scheme = (uint8_t)scheme;
}

cmw_request_view *cmw_test_view(cmw_test *test)
{
    return &test->view;
}

/* ---- Sending: as an adapter does --------------------------------------------------------- */

/* The body in its pieces, of which an empty one has one. */
static cmw_next feed(const cmw_test *test, cmw_ctx *ctx)
{
    cmw_str rest = test->body.data ? test->body : CMW_STR("");
    cmw_next next;
    cmw_chunk chunk;

    if (rest.len == 0 && cmw_request_content_length(cmw_ctx_request(ctx)) == 0)
        return CMW_TO_HANDLER;
    do {
        const size_t len =
            test->chunk_bytes && test->chunk_bytes < rest.len ? test->chunk_bytes : rest.len;
        chunk = (cmw_chunk){cmw_str_make(rest.data, len), len == rest.len, 0};
        rest = cmw_str_make(rest.data + len, rest.len - len);
        next = cmw_ctx_feed_body(ctx, &chunk);
    } while (next == CMW_TO_HANDLER && !chunk.is_last);
    return next;
}

static cmw_next run_to_response(cmw_test *test, cmw_ctx *ctx)
{
    cmw_next next = cmw_ctx_run(ctx);

    if (next == CMW_TO_HANDLER && test->route_id != CMW_NONE)
        next = cmw_ctx_enter_route(ctx, test->route_id);
    if (next != CMW_TO_HANDLER)
        return next;
    next = feed(test, ctx);
    if (next != CMW_TO_HANDLER)
        return next;
    if (test->handler(test->handler_self, ctx) != 0)
        cmw_ctx_fail(ctx, 500);
    return cmw_ctx_commit(ctx);
}

/* The status; 0 if the plan made no context. */
static int send_request(cmw_test *test, struct answer *answer)
{
    cmw_ctx *ctx;

    if (cmw_ctx_begin(test->worker, &ctx, &test->view) != 0) {
        const cmw_response *overload = cmw_worker_overload_response(test->worker);
        if (answer && overload)
            cmw__answer_keep(answer, overload);
        return 0;
    }
    const cmw_next next = run_to_response(test, ctx);
    const cmw_response *response = cmw_ctx_response(ctx);
    const int status = cmw_response_status(response);
    if (answer)
        cmw__answer_keep(answer, response);
    cmw_ctx_end(ctx, next == CMW_TO_RESPOND ? test->end_reason : CMW_END_ERROR);
    return status;
}

int cmw_test_send(cmw_test *test)
{
    cmw__answer_clear(&test->answer);
    return send_request(test, &test->answer);
}

int cmw_test_send_quick(cmw_test *test)
{
    cmw__answer_clear(&test->answer);
    test->answer.status = send_request(test, NULL);
    return test->answer.status;
}

/* ---- Answers ----------------------------------------------------------------------------- */

int cmw_test_status(const cmw_test *test)
{
    return test->answer.status;
}

const char *cmw_test_response_field(const cmw_test *test, const char *name)
{
    const cmw_str wanted = cmw_str_cstr(name);

    for (size_t i = 0; i < test->answer.field_count; i++)
        if (cmw_str_equals_fold(test->answer.fields[i].name, wanted))
            return test->answer.fields[i].value.data;
    return NULL;
}

size_t cmw_test_response_count(const cmw_test *test, const char *name)
{
    const cmw_str wanted = cmw_str_cstr(name);
    size_t count = 0;

    for (size_t i = 0; i < test->answer.field_count; i++)
        count += (size_t)cmw_str_equals_fold(test->answer.fields[i].name, wanted);
    return count;
}

cmw_str cmw_test_response_body(const cmw_test *test)
{
    return test->answer.body.data ? test->answer.body : CMW_STR("");
}

cmw_str cmw_test_response_head(const cmw_test *test)
{
    return test->answer.head.data ? test->answer.head : CMW_STR("");
}

/* ---- Clock and memory -------------------------------------------------------------------- */

void cmw_test_advance_ns(cmw_test *test, uint64_t ns)
{
    test->now_ns += ns;
}

uint64_t cmw_test_alloc_calls(const cmw_test *test)
{
    return atomic_load(&test->probe.alloc_calls);
}

void cmw_test_fail_after(cmw_test *test, uint32_t count)
{
    cmw__probe_fail_after(&test->probe, count);
}

int cmw_test_has_failed(const cmw_test *test)
{
    return atomic_load(&test->probe.has_failed);
}
