/* SPDX-License-Identifier: MIT */
/* The core, from outside: statistics, what explain says, and misuse. */
#include "actor.h"

/* ---- Statistics ----------------------------------------------------------------------------- */

static const char *const api[] = {"/api/*"};
static const cmw_condition under_api = {
    .size = sizeof(cmw_condition), .paths = api, .path_count = 1};

static cmw_middleware_stats find_row(const cmw_stats *stats, const char *name, cmw_phase phase)
{
    const cmw_middleware_stats *row;
    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++)
        if (strcmp(row->name, name) == 0 && row->phase == (int)phase)
            return *row;
    fail_msg("no row of %s", name);
    return (cmw_middleware_stats){.name = NULL};
}

static struct bench *clock_bench;

static void take_time(struct actor *actor, cmw_ctx *ctx)
{
    (void)actor;
    cmw_test_advance_ns(clock_bench->test, 1000);
    assert_non_null(cmw_arena_alloc(cmw_ctx_arena(ctx), 64));
}

static void send_to(struct bench *bench, const char *target, int times, int status)
{
    cmw_test_request(bench->test, "GET", target);
    for (int i = 0; i < times; i++)
        assert_int_equal(cmw_test_send(bench->test), status);
}

static void counts_are_exact(void **state)
{
    struct actor open = {.name = "open", .on = ON_PRE, .pre = 9, .failure = CMW_FAIL_OPEN};
    struct actor slow = {.name = "slow", .on = ON_ALL, .inside = take_time};
    struct actor stop = {
        .name = "stop", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 401, .condition = &under_api};
    struct actor skip = {.name = "skip", .on = ON_PRE, .pre = CMW_SKIP_ROUTE, .pre_status = 203};
    struct actor last = {.name = "last", .on = ON_PRE | ON_POST | ON_ERROR, .post = CMW_ERROR};
    struct bench bench;
    cmw_stats *stats = NULL;
    cmw_request_stats requests = {.size = sizeof requests};
    (void)state;
    bench_open(&bench, NULL);
    clock_bench = &bench;
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), CMW_ERR_STATE);
    assert_int_equal(cmw_stats_reset(bench.engine), CMW_ERR_STATE);
    bench_add(&bench, &open);
    bench_add(&bench, &slow);
    bench_add(&bench, &stop);
    bench_add(&bench, &skip);
    bench_add(&bench, &last);
    bench_install(&bench);
    send_to(&bench, "/", 3, 500);
    send_to(&bench, "/api/x", 2, 500);
    send_to(&bench, "/%zz", 4, 500); /* 400 first, then the second fault */

    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.begun, 9);
    assert_int_equal(requests.ended, 9);
    assert_int_equal(requests.faults, 9);
    assert_int_equal(requests.by_class[5], 9);
    assert_int_equal(requests.by_reason[CMW_END_SENT], 9);
    assert_int_equal(requests.durations.samples, 9);

    cmw_middleware_stats row = find_row(stats, "open", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 5); /* what fails at the match calls nobody */
    assert_int_equal(row.forgiven, 5);
    assert_int_equal(row.errors, 5);
    row = find_row(stats, "slow", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 5);
    assert_int_equal(row.durations.samples, 5);
    assert_int_equal(row.durations.mean_ns, 1000);
    assert_true(row.durations.p50_ns >= 1000 && row.durations.p50_ns <= 1000 + 1000 / 16 + 1);
    assert_int_equal(row.durations.max_ns, row.durations.p99_ns);
    assert_true(row.sampled_bytes >= 5 * 64);
    row = find_row(stats, "stop", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 2);
    assert_int_equal(row.stops, 2);
    row = find_row(stats, "skip", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 3);
    assert_int_equal(row.skips, 3);
    row = find_row(stats, "last", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 3);
    row = find_row(stats, "last", CMW_PHASE_POST_ROUTE);
    assert_int_equal(row.calls, 9);
    assert_int_equal(row.errors, 9);
    row = find_row(stats, "slow", CMW_PHASE_COMPLETE);
    assert_int_equal(row.calls, 9);
    row = find_row(stats, "slow", CMW_PHASE_ERROR);
    assert_int_equal(row.calls, 9);
    cmw_stats_destroy(stats);

    assert_int_equal(cmw_stats_reset(bench.engine), 0);
    send_to(&bench, "/", 1, 500);
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.begun, 1);
    row = find_row(stats, "slow", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row.calls, 1);
    assert_int_equal(row.durations.samples, 1);
    cmw_stats_destroy(stats);
    bench_close(&bench);
}

static void overloads_are_counted(void **state)
{
    struct bench bench;
    cmw_engine_config config;
    cmw_ctx *ctx = NULL;
    cmw_stats *stats = NULL;
    cmw_request_stats requests = {.size = sizeof requests};
    (void)state;
    cmw_engine_config_init(&config);
    config.context_limit = 1;
    config.sample_every = 0;
    bench_open(&bench, &config);
    bench_install(&bench);
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench.test), &ctx, cmw_test_view(bench.test)),
                     0);
    assert_int_equal(cmw_test_send(bench.test), 0);
    cmw_worker_count_overload(cmw_test_worker(bench.test)); /* by the host */
    cmw_worker_count_late_head(cmw_test_worker(bench.test));
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.overloads, 2);
    assert_int_equal(requests.late_heads, 1);
    assert_int_equal(requests.begun, 1);
    assert_int_equal(requests.ended, 0);
    cmw_stats_destroy(stats);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.by_class[0], 1);
    assert_int_equal(requests.by_reason[CMW_END_ERROR], 1);
    assert_int_equal(requests.durations.samples, 0);
    cmw_stats_destroy(stats);
    bench_close(&bench);
}

/* ---- Texts ---------------------------------------------------------------------------------- */

struct text {
    char bytes[16384];
    size_t len;
};

static int keep(void *self, const char *bytes, size_t len)
{
    struct text *text = self;
    assert_true(len < sizeof text->bytes - text->len);
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
    return 0;
}

static int refuse(void *self, const char *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    ++*(int *)self;
    return CMW_ERR_IO;
}

static void must_say(const struct text *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strstr(text->bytes, words[i]))
            fail_msg("no \"%s\" in:\n%s", words[i], text->bytes);
}

/* Braces, brackets and quotes pair up, and nothing follows the end. */
static void must_be_balanced(const struct text *text)
{
    int depth = 0, quoted = 0;
    for (const char *at = text->bytes; *at; at++) {
        if (quoted && *at == '\\')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (!quoted && (*at == '{' || *at == '['))
            depth++;
        else if (!quoted && (*at == '}' || *at == ']'))
            assert_true(--depth >= 0);
    }
    assert_int_equal(depth, 0);
    assert_int_equal(quoted, 0);
}

static void explain_and_statistics_say_what_they_must(void **state)
{
    static const char *const words[] = {"auth",   "fields", "pre_route", "post_route",
                                        "/api/*", "user",   "1000",      "open"};
    static const char *const json_words[] = {"\"name\":\"auth\"", "\"priority\":30", "\"/api/*\"",
                                             "\"waived\"",        "\"slots\"",       "\"phases\""};
    static const char *const stats_words[] = {"auth", "p99"};
    static const cmw_header secure[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    struct actor auth = {.name = "auth", .on = ON_PRE, .priority = 30};
    struct actor fields = {
        .name = "fields", .fields = secure, .field_count = 1, .failure = CMW_FAIL_OPEN};
    struct actor reader = {.name = "reader", .on = ON_ALL, .priority = 20, .condition = &under_api};
    struct bench bench;
    struct text text = {"", 0};
    cmw_slot user = 0;
    cmw_plan *plan = NULL;
    cmw_stats *stats = NULL;
    int writes = 0;
    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_slot_declare(bench.engine, &user, "user", 8, NULL), 0);
    cmw_middleware mw = actor_middleware(&bench, &auth);
    cmw_middleware_provides(&mw, user);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    mw = actor_middleware(&bench, &reader);
    cmw_middleware_requires(&mw, user);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    bench_add(&bench, &fields);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), CMW_ERR_ORDER);
    assert_int_equal(cmw_chain_waive(bench.chain, "reader", "user"), 0);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), 0);

    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_TEXT, keep, &text), 0);
    must_say(&text, words, LEN(words));
    assert_non_null(strstr(text.bytes, "WAIVED user"));
    text.len = 0;
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_JSON, keep, &text), 0);
    must_say(&text, json_words, LEN(json_words));
    must_be_balanced(&text);
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_TEXT, refuse, &writes), CMW_ERR_IO);
    assert_int_equal(writes, 1); /* the first refusal ends it */

    assert_int_equal(cmw_test_install(bench.test, plan), 0);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    text.len = 0;
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_TEXT, keep, &text), 0);
    must_say(&text, stats_words, LEN(stats_words));
    text.len = 0;
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_JSON, keep, &text), 0);
    must_say(&text, stats_words, LEN(stats_words));
    must_be_balanced(&text);
    writes = 0;
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_JSON, refuse, &writes), CMW_ERR_IO);
    assert_int_equal(writes, 1);
    cmw_stats_destroy(stats);
    bench_close(&bench);
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static int make_nothing(void *self, void **object, cmw_resolver *resolver)
{
    (void)self;
    (void)object;
    (void)resolver;
    return CMW_ERR_STATE;
}

static void misuse_of_engines_is_refused(void **state)
{
    cmw_engine_config config;
    cmw_engine *engine = NULL;
    cmw_diag diag = {0, 0, ""};
    struct bench bench;
    cmw_worker *worker = NULL;
    (void)state;
    assert_int_equal(cmw_engine_create(NULL, NULL), CMW_ERR_ARG);
    const size_t bad_bytes[] = {0, 1024, 3000, 65536};
    for (size_t i = 0; i < LEN(bad_bytes); i++) {
        cmw_engine_config_init(&config);
        config.context_bytes = bad_bytes[i];
        assert_int_equal(cmw_engine_create(&engine, &config), CMW_ERR_ARG);
    }
    cmw_engine_config_init(&config);
    config.worker_limit = 0;
    assert_int_equal(cmw_engine_create(&engine, &config), CMW_ERR_ARG);
    cmw_engine_config_init(&config);
    config.context_limit = 0;
    assert_int_equal(cmw_engine_create(&engine, &config), CMW_ERR_ARG);
    cmw_engine_config_init(&config);
    config.target_policy = 2;
    assert_int_equal(cmw_engine_create(&engine, &config), CMW_ERR_ARG);
    assert_null(engine);
    assert_int_equal(cmw_engine_destroy(NULL), 0);
    assert_null(cmw_engine_pool(NULL, CMW_POOL_PLAN));

    cmw_engine_config_init(&config);
    config.worker_limit = 1;
    bench_open(&bench, &config);
    assert_int_equal(cmw_engine_take_worker(bench.engine, &worker, NULL, NULL), CMW_ERR_LIMIT);
    assert_int_equal(cmw_engine_take_worker(NULL, &worker, NULL, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_engine_take_worker(bench.engine, NULL, NULL, NULL), CMW_ERR_ARG);
    assert_null(worker);
    cmw_engine_put_worker(bench.engine, NULL);
    cmw_engine_put_worker(NULL, NULL);
    assert_int_equal(cmw_engine_install(bench.engine, NULL, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_engine_install(NULL, NULL, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_engine_attach_host(bench.engine, NULL, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_engine_attach_host(NULL, NULL, &diag), CMW_ERR_ARG);
    const cmw_host host = {.size = 3};
    assert_int_equal(cmw_engine_attach_host(bench.engine, &host, &diag), CMW_ERR_VERSION);
    bench_close(&bench);
}

static void a_plan_of_another_engine_is_refused(void **state)
{
    struct bench one, other;
    cmw_plan *plan = NULL;
    (void)state;
    bench_open(&one, NULL);
    bench_open(&other, NULL);
    assert_int_equal(cmw_chain_compile(one.chain, &plan, NULL), 0);
    assert_int_equal(cmw_engine_install(other.engine, plan, NULL), CMW_ERR_ARG);
    cmw_plan_release(plan);
    bench_close(&other);
    bench_close(&one);
}

static void misuse_of_chains_is_refused(void **state)
{
    struct bench bench;
    struct actor a = {.name = "a", .on = ON_PRE};
    cmw_chain *chain = NULL;
    cmw_group *group = NULL;
    cmw_plan *plan = NULL;
    cmw_group_config config;
    cmw_diag diag = {0, 0, ""};
    (void)state;
    bench_open(&bench, NULL);
    const cmw_middleware mw = actor_middleware(&bench, &a);
    cmw_group_config_init(&config);
    config.name = "g";
    assert_int_equal(cmw_chain_create(NULL, &chain, 0), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_create(bench.engine, NULL, 0), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_create(bench.engine, &chain, 8), CMW_ERR_ARG);
    assert_null(chain);
    cmw_chain_destroy(NULL);
    assert_int_equal(cmw_chain_add(NULL, &mw, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_add(bench.chain, NULL, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_group_add(NULL, &mw, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_add_group(NULL, &group, NULL, &config, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_add_group(bench.chain, NULL, NULL, &config, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_add_group(bench.chain, &group, NULL, NULL, NULL), CMW_ERR_ARG);
    config.name = NULL;
    assert_int_equal(cmw_chain_add_group(bench.chain, &group, NULL, &config, NULL), CMW_ERR_ARG);
    config.size = 1;
    assert_int_equal(cmw_chain_add_group(bench.chain, &group, NULL, &config, NULL),
                     CMW_ERR_VERSION);
    assert_null(group);
    assert_int_equal(cmw_chain_use(NULL, "cors", NULL, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_use(bench.chain, NULL, NULL, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_use(bench.chain, "no-such-kind", NULL, &diag), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_use_builtins(bench.chain, NULL, 1, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_enable(bench.chain, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_disable(NULL, "a"), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_set_priority(bench.chain, "a", 65536), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_set_priority(bench.chain, "a", -1), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_set_priority(bench.chain, "a", 1), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_waive(bench.chain, NULL, "host"), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_waive(bench.chain, "a", "host"), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_compile(NULL, &plan, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_compile(bench.chain, NULL, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_plan_explain(NULL, CMW_FORMAT_TEXT, keep, NULL), CMW_ERR_ARG);
    assert_null(cmw_plan_retain(NULL));
    cmw_plan_release(NULL);
    assert_int_equal(a.destroyed, 0); /* nothing was taken */
    bench_close(&bench);
    assert_int_equal(a.destroyed, 0);
}

struct descriptor_row {
    const char *name;
    void (*spoil)(cmw_middleware *mw);
    int expected;
};

#define SPOIL(function, statement)                                                                 \
    static void function(cmw_middleware *mw)                                                       \
    {                                                                                              \
        statement;                                                                                 \
    }

static const cmw_header bad_field[] = {{CMW_STR_INIT("X-A"), CMW_STR_INIT("a\r\nX-B: 1")}};
static const cmw_header our_field[] = {{CMW_STR_INIT("Content-Length"), CMW_STR_INIT("1")}};
static const char *const bad_path[] = {"no-slash"};
static const cmw_condition bad_condition = {
    .size = sizeof(cmw_condition), .paths = bad_path, .path_count = 1};

SPOIL(no_name, mw->name = NULL)
SPOIL(empty_name, mw->name = "")
SPOIL(taken_name, mw->name = "taken")
SPOIL(small_size, mw->size = 8)
SPOIL(high_priority, mw->priority = CMW_PRIORITY_MAX + 1)
SPOIL(low_priority, mw->priority = -1)
SPOIL(bad_flag, mw->flags = 1u << 30)
SPOIL(bad_failure, mw->failure = 3)
SPOIL(no_status, mw->failure = CMW_FAIL_STATUS)
SPOIL(status_200, (mw->failure = CMW_FAIL_STATUS, mw->failure_status = 200))
SPOIL(open_guard, (mw->failure = CMW_FAIL_OPEN, mw->flags = CMW_GUARDS_ACCESS))
SPOIL(crlf, (mw->fields = bad_field, mw->field_count = 1))
SPOIL(length, (mw->fields = our_field, mw->field_count = 1))
SPOIL(null_fields, mw->field_count = 1)
SPOIL(unknown_slot, cmw_middleware_uses(mw, 12345))
SPOIL(provides_host, cmw_middleware_provides(mw, CMW_FACT_HOST))
SPOIL(bad_pattern, mw->condition = &bad_condition)

static void too_many_relations(cmw_middleware *mw)
{
    for (int i = 0; i <= CMW_RELATION_CAP; i++)
        cmw_middleware_uses(mw, CMW_FACT_HOST);
}

static const struct descriptor_row descriptor_rows[] = {
    {"a descriptor without a name is refused", no_name, CMW_ERR_ARG},
    {"an empty name is refused", empty_name, CMW_ERR_ARG},
    {"a name that is taken is refused", taken_name, CMW_ERR_EXISTS},
    {"a descriptor of another size is refused", small_size, CMW_ERR_VERSION},
    {"a priority above the range is refused", high_priority, CMW_ERR_ARG},
    {"a negative priority is refused", low_priority, CMW_ERR_ARG},
    {"an unknown flag is refused", bad_flag, CMW_ERR_ARG},
    {"an unknown failure policy is refused", bad_failure, CMW_ERR_ARG},
    {"fail_status without a status is refused", no_status, CMW_ERR_ARG},
    {"fail_status with a good status is refused", status_200, CMW_ERR_ARG},
    {"a guard that fails open is refused", open_guard, CMW_ERR_CONFLICT},
    {"a constant field with a line break is refused", crlf, CMW_ERR_INVALID},
    {"a constant Content-Length is refused", length, 0 /* any error */},
    {"fields without an array are refused", null_fields, CMW_ERR_ARG},
    {"a slot that was never declared is refused", unknown_slot, 0 /* any error */},
    {"providing what the engine provides is refused", provides_host, CMW_ERR_CONFLICT},
    {"a bad path pattern is refused", bad_pattern, CMW_ERR_INVALID},
    {"too many relations are refused", too_many_relations, 0 /* any error */},
};

static void check_descriptor(void **state)
{
    const struct descriptor_row *row = *state;
    struct bench bench;
    struct actor taken = {.name = "taken", .on = ON_PRE};
    struct actor a = {.name = "a", .on = ON_PRE};
    cmw_diag diag = {0, 0, ""};

    bench_open(&bench, NULL);
    bench_add(&bench, &taken);
    cmw_middleware mw = actor_middleware(&bench, &a);
    row->spoil(&mw);
    const int rc = cmw_chain_add(bench.chain, &mw, &diag);
    assert_true(rc < 0);
    if (row->expected)
        assert_int_equal(rc, row->expected);
    assert_int_equal(diag.code, rc);
    assert_true(diag.message[0] != '\0');
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:taken "); /* the chain is as it was */
    bench_close(&bench);
    assert_int_equal(a.destroyed, 0);
}

static void misuse_of_slots_services_and_statistics_is_refused(void **state)
{
    struct bench bench;
    cmw_slot slot = 77;
    cmw_service service = 77;
    cmw_service_config config;
    cmw_stats *stats = NULL;
    cmw_request_stats requests = {.size = 1};
    cmw_pool_stats pool = {.size = sizeof pool};
    int object = 0;
    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_slot_declare(NULL, &slot, "s", 8, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_slot_declare(bench.engine, NULL, "s", 8, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_slot_declare(bench.engine, &slot, NULL, 8, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_slot_declare(bench.engine, &slot, "", 8, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_slot_declare(bench.engine, &slot, "host", 8, NULL), CMW_ERR_CONFLICT);
    assert_int_equal(slot, 77);
    assert_int_equal(cmw_slot_find(bench.engine, "s"), CMW_NONE);
    assert_int_equal(cmw_slot_find(NULL, "s"), CMW_NONE);

    cmw_service_config_init(&config);
    assert_int_equal(cmw_service_define(bench.engine, "s", &config), CMW_ERR_ARG);
    config.create = make_nothing;
    config.scope = 3;
    assert_int_equal(cmw_service_define(bench.engine, "s", &config), CMW_ERR_ARG);
    config.scope = 0;
    config.depend_count = 1;
    assert_int_equal(cmw_service_define(bench.engine, "s", &config), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define(NULL, "s", &config), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define(bench.engine, NULL, &config), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define(bench.engine, "s", NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define_object(bench.engine, "s", NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define_object(NULL, "s", &object), CMW_ERR_ARG);
    assert_int_equal(cmw_service_declare(bench.engine, &service, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_service_declare(bench.engine, NULL, "s"), CMW_ERR_ARG);
    assert_int_equal(cmw_service_declare(NULL, &service, "s"), CMW_ERR_ARG);
    assert_int_equal(service, 77);
    assert_int_equal(cmw_chain_needs_service(bench.chain, "nobody", 0), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_needs_service(NULL, "nobody", 0), CMW_ERR_ARG);

    assert_int_equal(cmw_stats_snapshot(NULL, &stats), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_snapshot(bench.engine, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_reset(NULL), CMW_ERR_ARG);
    assert_null(stats);
    bench_install(&bench);
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), CMW_ERR_VERSION);
    assert_int_equal(cmw_stats_requests(stats, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_requests(NULL, &requests), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_pool(stats, (cmw_pool_purpose)9, &pool), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_pool(NULL, CMW_POOL_PLAN, &pool), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_pool(stats, CMW_POOL_PLAN, &pool), 0);
    assert_true(pool.in_use_bytes > 0);
    assert_null(cmw_stats_middleware(stats, 1000));
    assert_null(cmw_stats_middleware(NULL, 0));
    assert_int_equal(cmw_stats_write(NULL, CMW_FORMAT_TEXT, keep, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_TEXT, NULL, NULL), CMW_ERR_ARG);
    cmw_stats_destroy(stats);
    cmw_stats_destroy(NULL);
    bench_close(&bench);
}

static void a_request_that_cannot_begin_changes_nothing(void **state)
{
    struct bench bench;
    cmw_ctx *ctx = NULL;
    (void)state;
    bench_open(&bench, NULL);
    cmw_worker *worker = cmw_test_worker(bench.test);
    cmw_request_view view = *cmw_test_view(bench.test);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), CMW_ERR_STATE); /* no plan */
    bench_install(&bench);
    assert_int_equal(cmw_ctx_begin(NULL, &ctx, &view), CMW_ERR_ARG);
    assert_int_equal(cmw_ctx_begin(worker, NULL, &view), CMW_ERR_ARG);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, NULL), CMW_ERR_ARG);
    view.size = 8;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), CMW_ERR_VERSION);
    view.size = sizeof view;
    view.scheme = 9;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), CMW_ERR_ARG);
    view.scheme = 0;
    view.headers = NULL;
    view.header_count = 1;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), CMW_ERR_ARG);
    assert_null(ctx);
    assert_int_equal(cmw_worker_in_flight(worker), 0);
    bench_close(&bench);
}

static int go_through(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_CONTINUE;
}

/* Who demands all of a body, and which server does not stream, has it collected first. */
static void explain_says_which_bodies_are_made_whole(void **state)
{
    static const cmw_host plain = {
        .size = sizeof plain, .name = "plain", .capabilities = CMW_CAP_STREAM_REQUEST_BODY};
    static const cmw_host streaming = {.size = sizeof streaming,
                                       .name = "streaming",
                                       .capabilities = CMW_CAP_STREAM_REQUEST_BODY |
                                                       CMW_CAP_STREAM_RESPONSE_BODY};
    struct bench bench;
    struct text text = {"", 0};
    cmw_middleware mw;
    cmw_plan *plan = NULL;

    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_engine_attach_host(bench.engine, &plain, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(bench.engine, &streaming, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = "signature";
    mw.request_body = go_through;
    mw.body_demand = CMW_BODY_FULL;
    mw.body_demand_bytes = 4096;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    mw.name = "counter";
    mw.priority = 5;
    mw.body_demand = CMW_BODY_DIGEST;
    mw.body_demand_bytes = 0;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), 0);
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_TEXT, keep, &text), 0);
    assert_non_null(strstr(text.bytes, "body   of a request is collected: signature wants all of "
                                       "it, up to 4096 bytes\n"));
    assert_non_null(strstr(text.bytes, "body   of a response is made whole at commit: plain does "
                                       "not stream\n"));
    assert_null(strstr(text.bytes, "counter wants all"));
    assert_null(strstr(text.bytes, "streaming does not"));
    text.len = 0;
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_JSON, keep, &text), 0);
    must_be_balanced(&text);
    assert_non_null(strstr(text.bytes, "\"whole_requests\":[\"signature\"]"));
    assert_non_null(strstr(text.bytes, "\"whole_responses\":[\"plain\"]"));
    cmw_plan_release(plan);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(counts_are_exact),
        cmocka_unit_test(overloads_are_counted),
        cmocka_unit_test(explain_and_statistics_say_what_they_must),
        cmocka_unit_test(explain_says_which_bodies_are_made_whole),
        cmocka_unit_test(misuse_of_engines_is_refused),
        cmocka_unit_test(a_plan_of_another_engine_is_refused),
        cmocka_unit_test(misuse_of_chains_is_refused),
        cmocka_unit_test(misuse_of_slots_services_and_statistics_is_refused),
        cmocka_unit_test(a_request_that_cannot_begin_changes_nothing),
    };
    struct CMUnitTest tests[LEN(plain) + LEN(descriptor_rows)];
    size_t count = LEN(plain);

    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < LEN(descriptor_rows); i++)
        tests[count++] = ROW_TEST(&descriptor_rows[i], check_descriptor);
    return cmocka_run_group_tests_name("middleware objects", tests, NULL, NULL);
}
