/* SPDX-License-Identifier: MIT */
/*
 * The core, from outside: order, verdicts, faults, limits. Each row is a chain, a request and what
 * must come of them: the calls in their order, the status, a field.
 */
#include "actor.h"

enum { ACTORS = 4, NO_RESPONSE = -1, HANDLER_FAILS = -2 };

struct scenario {
    const char *name;
    unsigned chain_flags;
    struct actor actors[ACTORS];
    int handler;        /* the status that it answers (0: 200), NO_RESPONSE or HANDLER_FAILS */
    const char *target; /* NULL: "/" */
    uint64_t body_len;  /* declared */
    int many_fields;    /* more than the limit */
    int status;
    const char *log;
    const char *body;    /* NULL: not looked at */
    const char *has;     /* a field that must be there */
    const char *has_not; /* and one that must not */
};

static const cmw_header secure[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};

static const cmw_header like_the_handler[] = {{CMW_STR_INIT("X-Handler"), CMW_STR_INIT("2")}};

static int handle(void *self, cmw_ctx *ctx)
{
    void **pair = self;
    const struct scenario *scenario = pair[0];
    cmw_response *response = cmw_ctx_response(ctx);

    bench_log(pair[1], "handler", "");
    if (scenario->handler == NO_RESPONSE)
        return 0;
    const int status = scenario->handler > 0 ? scenario->handler : 200;
    assert_int_equal(cmw_response_set_named(response, CMW_STR("X-Handler"), CMW_STR("1")), 0);
    assert_int_equal(cmw_response_text(response, status, CMW_STR("from handler")), 0);
    return scenario->handler == HANDLER_FAILS ? -1 : 0;
}

static void send_scenario(struct bench *bench, const struct scenario *scenario)
{
    const void *pair[2] = {scenario, bench};

    cmw_test_set_handler(bench->test, handle, pair);
    cmw_test_request(bench->test, "GET", scenario->target ? scenario->target : "/");
    for (int i = 0; i < scenario->many_fields; i++)
        cmw_test_header(bench->test, "X-Many", "1");
    cmw_test_view(bench->test)->content_length = scenario->body_len;
    assert_int_equal(cmw_test_send(bench->test), scenario->status);
}

static void check_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct bench bench;
    struct actor actors[ACTORS];

    memcpy(actors, scenario->actors, sizeof actors);
    bench_open_flags(&bench, NULL, scenario->chain_flags);
    for (size_t i = 0; i < ACTORS && actors[i].name; i++)
        bench_add(&bench, &actors[i]);
    bench_install(&bench);
    for (int round = 0; round < 2; round++) { /* the second time on a context that was used */
        bench_forget(&bench);
        send_scenario(&bench, scenario);
        if (scenario->log)
            assert_string_equal(bench.log, scenario->log);
        if (scenario->body)
            assert_string_equal(cmw_test_response_body(bench.test).data, scenario->body);
        if (scenario->has)
            assert_int_equal(cmw_test_response_count(bench.test, scenario->has), 1);
        if (scenario->has_not)
            assert_null(cmw_test_response_field(bench.test, scenario->has_not));
    }
    bench_close(&bench);
    for (size_t i = 0; i < ACTORS && actors[i].name; i++)
        assert_int_equal(actors[i].destroyed, 1);
}

/* ---- Order ------------------------------------------------------------------------------ */

static const struct scenario order_rows[] = {
    {.name = "lower priority runs first in every phase, complete in reverse",
     .actors = {{.name = "b", .on = ON_PRE | ON_POST | ON_COMPLETE, .priority = 20},
                {.name = "a", .on = ON_PRE | ON_POST | ON_COMPLETE, .priority = 10}},
     .status = 200,
     .log = "pre:a pre:b handler post:a post:b complete/sent:b complete/sent:a "},
    {.name = "equal priorities run in order of registration",
     .actors = {{.name = "x", .on = ON_PRE | ON_POST | ON_COMPLETE},
                {.name = "y", .on = ON_PRE | ON_POST | ON_COMPLETE},
                {.name = "a", .on = ON_PRE | ON_POST | ON_COMPLETE}},
     .status = 200,
     .log = "pre:x pre:y pre:a handler post:x post:y post:a "
            "complete/sent:a complete/sent:y complete/sent:x "},
    {.name = "post_priority moves post_route only",
     .actors =
         {{.name = "a", .on = ON_PRE | ON_POST | ON_COMPLETE, .priority = 10, .post_priority = 900},
          {.name = "b", .on = ON_PRE | ON_POST | ON_COMPLETE, .priority = 20}},
     .status = 200,
     .log = "pre:a pre:b handler post:b post:a complete/sent:b complete/sent:a "},
    {.name = "an onion chain reverses post_route and nothing else",
     .chain_flags = CMW_ORDER_ONION,
     .actors = {{.name = "a", .on = ON_ALL, .priority = 10},
                {.name = "b", .on = ON_ALL, .priority = 20},
                {.name = "c", .on = ON_ALL, .priority = 30}},
     .handler = HANDLER_FAILS,
     .status = 500,
     .log = "pre:a pre:b pre:c handler error:a error:b error:c post:c post:b post:a "
            "complete/sent:c complete/sent:b complete/sent:a "},
    {.name = "the highest and the lowest priority are allowed",
     .actors = {{.name = "last", .on = ON_PRE, .priority = CMW_PRIORITY_MAX},
                {.name = "first", .on = ON_PRE, .priority = 1}},
     .status = 200,
     .log = "pre:first pre:last handler "},
    {.name = "an empty chain passes everything", .status = 200, .log = "handler "},
};

/* ---- Verdicts --------------------------------------------------------------------------- */

#define WATCH                                                                                      \
    {                                                                                              \
        .name = "watch", .on = ON_ALL & ~ON_PRE, .priority = 2000                                  \
    }
#define CALLED_AFTER_FAULT "error:watch post:watch complete/sent:watch "

static const struct scenario verdict_rows[] = {
    {.name = "CONTINUE leads to the handler",
     .actors = {{.name = "a", .on = ON_PRE}},
     .status = 200,
     .log = "pre:a handler ",
     .body = "from handler"},
    {.name = "STOP skips the rest of pre_route and the handler, not post_route",
     .actors = {{.name = "a", .on = ON_ALL, .pre = CMW_STOP, .pre_status = 401},
                {.name = "b", .on = ON_ALL}},
     .status = 401,
     .body = "from pre",
     .log = "pre:a post:a post:b complete/sent:b complete/sent:a "},
    {.name = "STOP without a response is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_STOP}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "SKIP_ROUTE runs the rest of pre_route and not the handler",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_SKIP_ROUTE, .pre_status = 203},
                {.name = "b", .on = ON_PRE | ON_POST}},
     .status = 203,
     .log = "pre:a pre:b post:b "},
    {.name = "the response after SKIP_ROUTE may come from one that runs later",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_SKIP_ROUTE},
                {.name = "b", .on = ON_PRE, .pre_status = 203}},
     .status = 203,
     .log = "pre:a pre:b "},
    {.name = "SKIP_ROUTE that ends without a response is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_SKIP_ROUTE}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "STOP after SKIP_ROUTE stops",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_SKIP_ROUTE, .pre_status = 203},
                {.name = "b", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 403},
                {.name = "c", .on = ON_PRE}},
     .status = 403,
     .log = "pre:a pre:b "},
    {.name = "an answer without STOP stays until the handler replaces it",
     .actors = {{.name = "a", .on = ON_PRE, .pre_status = 203}},
     .status = 200,
     .log = "pre:a handler ",
     .body = "from handler"},
    {.name = "SUSPEND that was not declared is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_SUSPEND, .pre_status = 200}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "ERROR in pre_route is 500 and stops pre_route",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_ERROR, .pre_status = 200},
                {.name = "b", .on = ON_PRE},
                WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT,
     .body = "Internal Server Error"},
    {.name = "an unknown verdict in pre_route is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = 5, .pre_status = 200}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "a large verdict in pre_route is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = 200, .pre_status = 200}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "a negative verdict in pre_route is 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_ERR_STATE, .pre_status = 200}, WATCH},
     .status = 500,
     .log = "pre:a " CALLED_AFTER_FAULT},
    {.name = "ERROR in post_route is 500",
     .actors = {{.name = "a", .on = ON_POST, .post = CMW_ERROR}, WATCH},
     .status = 500,
     .log = "handler post:a " CALLED_AFTER_FAULT},
    {.name = "STOP in post_route is 500",
     .actors = {{.name = "a", .on = ON_POST, .post = CMW_STOP}, WATCH},
     .status = 500,
     .log = "handler post:a " CALLED_AFTER_FAULT},
    {.name = "SKIP_ROUTE in post_route is 500",
     .actors = {{.name = "a", .on = ON_POST, .post = CMW_SKIP_ROUTE}, WATCH},
     .status = 500,
     .log = "handler post:a " CALLED_AFTER_FAULT},
    {.name = "SUSPEND in post_route is 500",
     .actors = {{.name = "a", .on = ON_POST, .post = CMW_SUSPEND}, WATCH},
     .status = 500,
     .log = "handler post:a " CALLED_AFTER_FAULT},
    {.name = "an unknown verdict in post_route is 500",
     .actors = {{.name = "a", .on = ON_POST, .post = -77}, WATCH},
     .status = 500,
     .log = "handler post:a " CALLED_AFTER_FAULT},
};

/* ---- Faults ----------------------------------------------------------------------------- */

#define FAULTY                                                                                     \
    {                                                                                              \
        .name = "faulty", .on = ON_PRE, .pre = CMW_ERROR                                           \
    }

static const struct scenario fault_rows[] = {
    {.name = "an error callback answers and the next one is not asked",
     .actors = {FAULTY,
                {.name = "a", .on = ON_ERROR, .error = CMW_STOP, .error_status = 418},
                {.name = "b", .on = ON_ERROR}},
     .status = 418,
     .log = "pre:faulty error:a ",
     .body = "from error"},
    {.name = "an error callback that says CONTINUE passes the fault on",
     .actors = {FAULTY,
                {.name = "a", .on = ON_ERROR, .error_status = 418},
                {.name = "b", .on = ON_ERROR, .error = CMW_STOP, .error_status = 502}},
     .status = 502,
     .log = "pre:faulty error:a error:b "},
    {.name = "what an error callback made and disowned is not sent",
     .actors = {FAULTY, {.name = "a", .on = ON_ERROR, .error_status = 418}},
     .status = 500,
     .log = "pre:faulty error:a ",
     .body = "Internal Server Error"},
    {.name = "an error callback that fails gives a plain 500",
     .actors = {FAULTY,
                {.name = "a", .on = ON_ERROR, .error = CMW_ERROR, .error_status = 418},
                {.name = "b", .on = ON_ERROR, .error = CMW_STOP, .error_status = 502}},
     .status = 500,
     .log = "pre:faulty error:a ",
     .body = "Internal Server Error"},
    {.name = "STOP of an error callback without a response gives a plain 500",
     .actors = {FAULTY,
                {.name = "a", .on = ON_ERROR, .error = CMW_STOP},
                {.name = "b", .on = ON_ERROR, .error = CMW_STOP, .error_status = 502}},
     .status = 500,
     .log = "pre:faulty error:a ",
     .body = "Internal Server Error"},
    {.name = "SKIP_ROUTE of an error callback gives a plain 500",
     .actors = {FAULTY,
                {.name = "a", .on = ON_ERROR, .error = CMW_SKIP_ROUTE, .error_status = 502}},
     .status = 500,
     .log = "pre:faulty error:a "},
    {.name = "an unknown verdict of an error callback gives a plain 500",
     .actors = {FAULTY, {.name = "a", .on = ON_ERROR, .error = 99, .error_status = 502}},
     .status = 500,
     .log = "pre:faulty error:a "},
    {.name = "a failing error callback overrides the status of the fault with 500",
     .actors = {{.name = "faulty",
                 .on = ON_PRE,
                 .pre = CMW_ERROR,
                 .failure = CMW_FAIL_STATUS,
                 .failure_status = 503},
                {.name = "a", .on = ON_ERROR, .error = CMW_ERROR}},
     .status = 500},
    {.name = "a fault in post_route leaves those that ran alone and runs the rest",
     .actors = {{.name = "a", .on = ON_POST, .post_field = "X-A"},
                {.name = "b", .on = ON_POST, .post = CMW_ERROR},
                {.name = "c", .on = ON_POST | ON_ERROR, .post_field = "X-C"}},
     .status = 500,
     .log = "handler post:a post:b error:c post:c ",
     .has = "X-A",
     .has_not = "X-Handler"},
    {.name = "post_route after its fault still sets its fields",
     .actors = {{.name = "b", .on = ON_POST, .post = CMW_ERROR},
                {.name = "c", .on = ON_POST, .post_field = "X-C"}},
     .status = 500,
     .has = "X-C"},
    {.name = "a second fault asks no error callback and is a plain 500",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_ERROR},
                {.name = "b", .on = ON_ERROR, .error = CMW_STOP, .error_status = 418},
                {.name = "c", .on = ON_POST, .post = CMW_ERROR},
                {.name = "d", .on = ON_POST, .post_field = "X-D"}},
     .status = 500,
     .log = "pre:a error:b post:c post:d ",
     .has = "X-D",
     .body = "Internal Server Error"},
    {.name = "three faults in post_route run each callback once",
     .actors = {{.name = "a", .on = ON_ALL, .post = CMW_ERROR},
                {.name = "b", .on = ON_ALL, .post = CMW_ERROR},
                {.name = "c", .on = ON_ALL, .post = CMW_ERROR}},
     .status = 500,
     .log = "pre:a pre:b pre:c handler post:a error:a error:b error:c post:b post:c "
            "complete/sent:c complete/sent:b complete/sent:a "},
    {.name = "a handler without a response is 500",
     .actors = {WATCH},
     .handler = NO_RESPONSE,
     .status = 500,
     .log = "handler " CALLED_AFTER_FAULT},
    {.name = "a handler that fails is 500 and its fields are dropped",
     .actors = {WATCH},
     .handler = HANDLER_FAILS,
     .status = 500,
     .log = "handler " CALLED_AFTER_FAULT,
     .has_not = "X-Handler",
     .body = "Internal Server Error"},
    {.name = "a field of pre_route survives the handler's fault",
     .actors = {{.name = "a", .on = ON_PRE, .pre_field = "X-A"}},
     .handler = HANDLER_FAILS,
     .status = 500,
     .has = "X-A"},
    {.name = "a field set by the handler replaces that of pre_route",
     .actors = {{.name = "a", .on = ON_PRE, .pre_field = "X-Handler"}},
     .status = 200,
     .has = "X-Handler"},
    {.name = "a constant field takes the place of the handler's",
     .actors = {{.name = "s", .fields = like_the_handler, .field_count = 1}},
     .status = 200,
     .has = "X-Handler"},
    {.name = "a constant field stands beside the handler's",
     .actors = {{.name = "s", .fields = secure, .field_count = 1}},
     .status = 200,
     .has = "X-Frame-Options"},
    {.name = "constant fields alone are on a 500 without a response",
     .actors = {{.name = "s", .fields = secure, .field_count = 1}},
     .handler = NO_RESPONSE,
     .status = 500,
     .has = "X-Frame-Options"},
    {.name = "constant fields are on a 500",
     .actors = {{.name = "s", .fields = secure, .field_count = 1}, FAULTY},
     .status = 500,
     .has = "X-Frame-Options"},
    {.name = "fail_open goes on",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_ERROR, .failure = CMW_FAIL_OPEN}, WATCH},
     .status = 200,
     .log = "pre:a handler post:watch complete/sent:watch "},
    {.name = "fail_open undoes the fields and the answer of the call",
     .actors = {{.name = "a",
                 .on = ON_PRE,
                 .pre = CMW_ERROR,
                 .failure = CMW_FAIL_OPEN,
                 .pre_field = "X-A",
                 .pre_status = 418}},
     .handler = NO_RESPONSE,
     .status = 500,
     .has_not = "X-A"},
    {.name = "fail_open in post_route restores the response",
     .actors = {{.name = "a",
                 .on = ON_POST,
                 .post = CMW_ERROR,
                 .failure = CMW_FAIL_OPEN,
                 .post_field = "X-A",
                 .post_status = 418}},
     .status = 200,
     .has = "X-Handler",
     .has_not = "X-A",
     .body = "from handler"},
    {.name = "fail_open forgives an unknown verdict",
     .actors = {{.name = "a", .on = ON_PRE, .pre = 42, .failure = CMW_FAIL_OPEN}},
     .status = 200,
     .log = "pre:a handler "},
    {.name = "fail_open forgives a verdict that post_route does not allow",
     .actors = {{.name = "a",
                 .on = ON_POST,
                 .post = CMW_STOP,
                 .failure = CMW_FAIL_OPEN,
                 .post_status = 418}},
     .status = 200,
     .log = "handler post:a "},
    {.name = "fail_open forgives a verdict that error does not allow",
     .actors = {FAULTY,
                {.name = "a",
                 .on = ON_ERROR,
                 .error = CMW_SKIP_ROUTE,
                 .error_status = 418,
                 .failure = CMW_FAIL_OPEN},
                {.name = "b", .on = ON_ERROR, .error = CMW_STOP, .error_status = 502}},
     .status = 502,
     .log = "pre:faulty error:a error:b "},
    {.name = "fail_open keeps STOP and SKIP_ROUTE of pre_route",
     .actors = {{.name = "a",
                 .on = ON_PRE,
                 .pre = CMW_STOP,
                 .pre_status = 401,
                 .failure = CMW_FAIL_OPEN}},
     .status = 401,
     .log = "pre:a "},
    {.name = "fail_status answers with its status",
     .actors = {{.name = "a",
                 .on = ON_PRE,
                 .pre = CMW_ERROR,
                 .failure = CMW_FAIL_STATUS,
                 .failure_status = 502},
                WATCH},
     .status = 502,
     .log = "pre:a " CALLED_AFTER_FAULT,
     .body = "Bad Gateway"},
    {.name = "fail_status holds in post_route",
     .actors = {{.name = "a",
                 .on = ON_POST,
                 .post = CMW_ERROR,
                 .failure = CMW_FAIL_STATUS,
                 .failure_status = 504}},
     .status = 504},
};

/* ---- Limits and CMW_IF_ENTERED ------------------------------------------------------------- */

static const char *const api[] = {"/api/*"};
static const cmw_condition under_api = {
    .size = sizeof(cmw_condition), .paths = api, .path_count = 1};

#define LIMITED                                                                                    \
    {                                                                                              \
        .name = "a", .on = ON_ALL, .fields = secure, .field_count = 1                              \
    }
#define LIMITED_LOG "error:a post:a complete/sent:a "

static const struct scenario limit_rows[] = {
    {.name = "too many request fields are 431 with all of post_route",
     .actors = {LIMITED},
     .many_fields = 101,
     .status = 431,
     .log = LIMITED_LOG,
     .has = "X-Frame-Options"},
    {.name = "as many request fields as allowed pass",
     .actors = {LIMITED},
     .many_fields = 100,
     .status = 200},
    {.name = "a declared body over the limit is 413 after pre_route, with all of post_route",
     .actors = {LIMITED},
     .body_len = (1 << 20) + 1,
     .status = 413,
     .log = "pre:a " LIMITED_LOG,
     .has = "X-Frame-Options"},
    {.name = "an answer of pre_route goes before 413",
     .actors = {{.name = "a", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 401}},
     .body_len = (1 << 20) + 1,
     .status = 401},
    {.name = "a declared body of the limit passes",
     .actors = {LIMITED},
     .body_len = 1 << 20,
     .status = 200},
    {.name = "a body of unknown length passes",
     .actors = {LIMITED},
     .body_len = CMW_LENGTH_UNKNOWN,
     .status = 200},
    {.name = "conditions hold on a 431",
     .actors = {{.name = "api", .on = ON_ALL, .condition = &under_api}, LIMITED},
     .many_fields = 101,
     .target = "/api/x",
     .status = 431,
     .log = "error:api error:a post:api post:a complete/sent:a complete/sent:api "},
    {.name = "conditions that do not hold are not run on a 431",
     .actors = {{.name = "api", .on = ON_ALL, .condition = &under_api}, LIMITED},
     .many_fields = 101,
     .target = "/other",
     .status = 431,
     .log = LIMITED_LOG},
    {.name = "a target that cannot be canonical is 400 where there are path conditions",
     .actors = {{.name = "api", .on = ON_ALL, .condition = &under_api}, LIMITED},
     .target = "/%zz",
     .status = 400,
     .log = LIMITED_LOG,
     .has = "X-Frame-Options"},
    {.name = "if_entered is not run when pre_route stopped before it",
     .actors = {{.name = "stop", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 401},
                {.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED}},
     .status = 401,
     .log = "pre:stop complete/sent:a "},
    {.name = "if_entered is run for the one that stopped",
     .actors =
         {{.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED, .pre = CMW_STOP, .pre_status = 401}},
     .status = 401,
     .log = "pre:a post:a complete/sent:a "},
    {.name = "if_entered is run for the one that failed, in error too",
     .actors = {{.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED, .pre = CMW_ERROR}},
     .status = 500,
     .log = "pre:a error:a post:a complete/sent:a "},
    {.name = "if_entered is not run on a 431",
     .actors = {{.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED}},
     .many_fields = 101,
     .status = 431,
     .log = "complete/sent:a "},
    {.name = "if_entered with a condition that does not hold is not run",
     .actors = {{.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED, .condition = &under_api},
                {.name = "b", .on = ON_PRE}},
     .target = "/x",
     .status = 200,
     .log = "pre:b handler "},
    {.name = "if_entered with a condition that holds is run",
     .actors = {{.name = "a", .on = ON_ALL, .flags = CMW_IF_ENTERED, .condition = &under_api},
                {.name = "b", .on = ON_PRE}},
     .target = "/api/x",
     .status = 200,
     .log = "pre:a pre:b handler post:a complete/sent:a "},
};

int main(void)
{
    struct CMUnitTest
        tests[LEN(order_rows) + LEN(verdict_rows) + LEN(fault_rows) + LEN(limit_rows)];
    size_t count = 0;

    for (size_t i = 0; i < LEN(order_rows); i++)
        tests[count++] = ROW_TEST(&order_rows[i], check_scenario);
    for (size_t i = 0; i < LEN(verdict_rows); i++)
        tests[count++] = ROW_TEST(&verdict_rows[i], check_scenario);
    for (size_t i = 0; i < LEN(fault_rows); i++)
        tests[count++] = ROW_TEST(&fault_rows[i], check_scenario);
    for (size_t i = 0; i < LEN(limit_rows); i++)
        tests[count++] = ROW_TEST(&limit_rows[i], check_scenario);
    return cmocka_run_group_tests_name("middleware", tests, NULL, NULL);
}
