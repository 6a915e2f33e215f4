/* SPDX-License-Identifier: MIT */
/* Requests that are open at once, on a server that waits, behind one middleware. */
#ifndef CMW_CROWD_FIXTURE_H
#define CMW_CROWD_FIXTURE_H

#include "origin_fixture.h"

enum { CROWD = 5, CROWD_FIELDS = 4 };

struct crowd {
    cmw_test *test;
    cmw_worker *worker;
    cmw_middleware mw;
    cmw_ctx *ctx[CROWD];
    cmw_header headers[CROWD][CROWD_FIELDS]; /* of a request for as long as it lives */
    int next[CROWD];
};

static inline void crowd_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct crowd *crowd = self;

    for (size_t i = 0; i < CROWD; i++)
        if (crowd->ctx[i] == ctx)
            crowd->next[i] = next;
}

static const cmw_host crowd_host = {.size = sizeof(cmw_host),
                                    .name = "waits",
                                    .capabilities = CMW_CAP_SUSPEND | CMW_CAP_HEAD_FIRST |
                                                    CMW_CAP_STREAM_REQUEST_BODY,
                                    .proceed = crowd_proceed};

/* First: the test then makes `mw`. */
static inline cmw_engine *crowd_init(struct crowd *crowd, const char *name)
{
    memset(crowd, 0, sizeof *crowd);
    assert_int_equal(cmw_test_create(&crowd->test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(crowd->test);
    assert_int_equal(cmw_engine_attach_host(engine, &crowd_host, NULL), 0);
    cmw_middleware_init(&crowd->mw);
    crowd->mw.name = name;
    return engine;
}

/* Then: a chain of `mw` alone. */
static inline void crowd_install(struct crowd *crowd)
{
    cmw_engine *engine = cmw_test_engine(crowd->test);
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_add(chain, &crowd->mw, &diag), 0);
    if (cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_take_worker(engine, &crowd->worker, &crowd_host, crowd), 0);
}

static inline void crowd_close(struct crowd *crowd)
{
    cmw_engine_put_worker(cmw_test_engine(crowd->test), crowd->worker);
    close_bench(crowd->test);
}

/* What a request says; what it borrows lives as long as it does. */
struct crowd_request {
    const char *method, *target;
    const cmw_header *fields; /* copied */
    uint32_t field_count;
    cmw_str body;
};

/* Begin a request and run it, with its body, to where it is handled, answered, or waits. */
static inline int crowd_start(struct crowd *crowd, size_t i, const struct crowd_request *request)
{
    cmw_chunk body = {request->body, 1, 0};

    assert_true(request->field_count <= CROWD_FIELDS);
    cmw_test_request(crowd->test, request->method, request->target);
    cmw_request_view *view = cmw_test_view(crowd->test);
    memcpy(crowd->headers[i], request->fields, request->field_count * sizeof *request->fields);
    view->headers = crowd->headers[i];
    view->header_count = request->field_count;
    view->content_length = request->body.len;
    assert_int_equal(cmw_ctx_begin(crowd->worker, &crowd->ctx[i], view), 0);
    crowd->next[i] = (int)cmw_ctx_run(crowd->ctx[i]);
    if (crowd->next[i] == CMW_TO_HANDLER && request->body.len > 0)
        crowd->next[i] = (int)cmw_ctx_feed_body(crowd->ctx[i], &body);
    return crowd->next[i];
}

static inline void crowd_finish(struct crowd *crowd, size_t i, struct origin *origin)
{
    assert_int_equal(crowd->next[i], CMW_TO_HANDLER);
    if (origin_answer(origin, crowd->ctx[i]) != 0)
        cmw_ctx_fail(crowd->ctx[i], 500);
    (void)cmw_ctx_commit(crowd->ctx[i]);
    cmw_ctx_end(crowd->ctx[i], CMW_END_SENT);
    crowd->ctx[i] = NULL;
}

static inline void crowd_leave(struct crowd *crowd, size_t i)
{
    cmw_ctx_end(crowd->ctx[i], CMW_END_CLIENT_GONE);
    crowd->ctx[i] = NULL;
}

static inline void crowd_leave_all(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD; i++)
        if (crowd->ctx[i])
            crowd_leave(crowd, i);
}

static inline size_t crowd_waiting(const struct crowd *crowd)
{
    size_t count = 0;

    for (size_t i = 0; i < CROWD; i++)
        count += crowd->ctx[i] && crowd->next[i] == CMW_TO_SUSPENDED;
    return count;
}

#endif /* CMW_CROWD_FIXTURE_H */
