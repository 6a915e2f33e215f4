/* SPDX-License-Identifier: MIT */
/* What middleware declares about bodies: what contradicts itself, or another, is refused. */
#include "engine_fixture.h"

static int on_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_CONTINUE;
}

/* Two middleware, 'first' at 10 and 'second' at 20. */
struct declared {
    int32_t demand;
    size_t bytes;
    int has_request_body;
    uint32_t flags;
    int has_response_body;
    int32_t failure;
};

struct row {
    const char *name;
    struct declared first, second;
    int error;
    const char *sentence;
    int in_route;
};

#define ASKS(demand, bytes)                                                                        \
    {                                                                                              \
        (demand), (bytes), 1, 0, 0, 0                                                              \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        0, 0, 0, 0, 0, 0                                                                           \
    }

static const struct row rows[] = {
    {"a callback needs a demand", ASKS(CMW_BODY_NONE, 0), NOTHING, CMW_ERR_CONFLICT,
     "'first' has a callback for request_body, and declares no body demand", 0},
    {"a demand needs a callback",
     {CMW_BODY_FULL, 0, 0, 0, 0, 0},
     NOTHING,
     CMW_ERR_CONFLICT,
     "'first' declares a body demand, and has no callback for request_body",
     0},
    {"an unknown demand is refused", ASKS(5, 0), NOTHING, CMW_ERR_ARG,
     "'first' declares an unknown body demand, 5", 0},
    {"a negative demand is refused", ASKS(-1, 0), NOTHING, CMW_ERR_ARG,
     "'first' declares an unknown body demand, -1", 0},
    {"who peeks says how far", ASKS(CMW_BODY_PEEK, 0), NOTHING, CMW_ERR_CONFLICT,
     "'first' peeks at the body, and declares 0 bytes of it", 0},
    {"nobody peeks beyond the limit", ASKS(CMW_BODY_PEEK, (1 << 20) + 1), NOTHING, CMW_ERR_CONFLICT,
     "'first' asks for 1048577 bytes of the body, and the engine's limits.body_bytes lets through "
     "1048576",
     0},
    {"nobody wants more than the limit", ASKS(CMW_BODY_FULL, (1 << 20) + 1), NOTHING,
     CMW_ERR_CONFLICT,
     "'first' asks for 1048577 bytes of the body, and the engine's limits.body_bytes lets through "
     "1048576",
     0},
    {"the limit itself may be wanted", ASKS(CMW_BODY_FULL, 1 << 20), NOTHING, 0, NULL, 0},
    {"who waits for all stands behind who takes chunks", ASKS(CMW_BODY_FULL, 0),
     ASKS(CMW_BODY_CHUNKS, 0), CMW_ERR_ORDER,
     "'first' (priority 10) waits for the body, which 'second' (priority 20) takes and may change "
     "before it is all there: give 'first' a priority above 20",
     0},
    {"who peeks stands behind who takes chunks", ASKS(CMW_BODY_PEEK, 8), ASKS(CMW_BODY_CHUNKS, 0),
     CMW_ERR_ORDER,
     "'first' (priority 10) waits for the body, which 'second' (priority 20) takes and may change "
     "before it is all there: give 'first' a priority above 20",
     0},
    {"behind it everything goes", ASKS(CMW_BODY_CHUNKS, 0), ASKS(CMW_BODY_FULL, 0), 0, NULL, 0},
    {"who only reads chunks stands anywhere", ASKS(CMW_BODY_FULL, 0), ASKS(CMW_BODY_DIGEST, 0), 0,
     NULL, 0},
    {"a transform needs response_body",
     {0, 0, 0, CMW_TRANSFORMS_BODY, 0, 0},
     NOTHING,
     CMW_ERR_CONFLICT,
     "'first' declares to transform bodies, and has no callback for response_body",
     0},
    {"a transform cannot fail open",
     {0, 0, 0, CMW_TRANSFORMS_BODY, 1, CMW_FAIL_OPEN},
     NOTHING,
     CMW_ERR_CONFLICT,
     "'first' transforms bodies and fails open: what it began to change cannot be undone",
     0},
    {"a route's middleware has no request_body", NOTHING, ASKS(CMW_BODY_FULL, 0),
     CMW_ERR_UNSUPPORTED,
     "'second' belongs to route 7 and has a callback for request_body: the body is read before a "
     "route is entered. Limit it by path instead",
     1},
};

static void add(struct fixture *fixture, const char *name, int32_t priority,
                const struct declared *declared, int in_route)
{
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = name;
    mw.priority = priority;
    mw.body_demand = declared->demand;
    mw.body_demand_bytes = declared->bytes;
    mw.request_body = declared->has_request_body ? on_body : NULL;
    mw.flags = declared->flags;
    mw.response_body = declared->has_response_body ? on_body : NULL;
    mw.post_route = fixture_pass;
    mw.failure = declared->failure;
    if (in_route)
        assert_int_equal(cmw_group_add(fixture->groups[IN_ROUTE], &mw, &fixture->diag), 0);
    else
        assert_int_equal(cmw_chain_add(fixture->chain, &mw, &fixture->diag), 0);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, NULL);
    add(&fixture, "first", 10, &row->first, 0);
    add(&fixture, "second", 20, &row->second, row->in_route);
    if (row->error)
        fixture_expect(&fixture, fixture_compile(&fixture), row->error, row->sentence);
    else
        assert_int_equal(fixture_compile(&fixture), 0);
    fixture_close(&fixture);
}

static void a_transform_needs_post_route(void **state)
{
    struct fixture fixture;
    cmw_middleware mw;

    (void)state;
    fixture_open(&fixture, NULL);
    cmw_middleware_init(&mw);
    mw.name = "gzip";
    mw.flags = CMW_TRANSFORMS_BODY;
    mw.response_body = on_body;
    assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_CONFLICT,
                   "'gzip' declares to transform bodies, and has no callback for post_route");
    fixture_close(&fixture);
}

static void a_host_that_does_not_hand_bodies_over_is_refused(void **state)
{
    static const struct declared full = ASKS(CMW_BODY_FULL, 0);
    static const cmw_host poor = {.size = sizeof poor, .name = "poor"};
    static const cmw_host rich = {
        .size = sizeof rich, .name = "rich", .capabilities = CMW_CAP_STREAM_REQUEST_BODY};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    add(&fixture, "sign", 10, &full, 0);
    assert_int_equal(cmw_chain_install(fixture.chain, &fixture.diag), 0);
    assert_int_equal(cmw_engine_attach_host(fixture.engine, &rich, &fixture.diag), 0);
    fixture_expect(&fixture, cmw_engine_attach_host(fixture.engine, &poor, &fixture.diag),
                   CMW_ERR_UNSUPPORTED,
                   "'sign' runs in request_body, and poor does not hand bodies to it");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_transform_needs_post_route),
        cmocka_unit_test(a_host_that_does_not_hand_bodies_over_is_refused),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("bodies declared", tests, NULL, NULL);
}
