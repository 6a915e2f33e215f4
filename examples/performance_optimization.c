/* SPDX-License-Identifier: MIT */
/*
 * What costs time in a chain, and what to do instead: the same work twice, measured.
 *
 *     ./performance_optimization          no server: the testing kit sends the requests
 *
 * 1. Constant fields: `fields` on the descriptor are checked and laid out when the chain compiles.
 *    Setting them in post_route checks and copies them for each request.
 * 2. A value between two middleware: a slot is an index. The map of values compares strings; it is
 *    for those who are bound late.
 * 3. `prepare` lets a middleware start loading the memory that its callback will read.
 * 4. Statistics name the middleware that takes the time, and count the allocator's calls, which a
 *    warm request has none of.
 */
#include <catzilla/testing.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WARM_UP = 1000, REQUESTS = 20000, ROUNDS = 7, FIELD_COUNT = 5, TABLE_ROWS = 1 << 16 };

static const cmw_header fields[FIELD_COUNT] = {
    {CMW_STR_INIT("X-Content-Type-Options"), CMW_STR_INIT("nosniff")},
    {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")},
    {CMW_STR_INIT("Referrer-Policy"), CMW_STR_INIT("no-referrer")},
    {CMW_STR_INIT("Content-Security-Policy"), CMW_STR_INIT("default-src 'none'")},
    {CMW_STR_INIT("Strict-Transport-Security"), CMW_STR_INIT("max-age=31536000")},
};

/* ---- 1. Constant fields ------------------------------------------------------------------ */

static int set_each_field(void *self, cmw_ctx *ctx)
{
    (void)self;
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (cmw_response_set_named(cmw_ctx_response(ctx), fields[i].name, fields[i].value) != 0)
            return CMW_ERROR;
    return CMW_CONTINUE;
}

static int add_fields_by_hand(cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware by_hand;

    cmw_middleware_init(&by_hand);
    by_hand.name = "fields_by_hand";
    by_hand.post_route = set_each_field;
    return cmw_chain_add(chain, &by_hand, diag);
}

static int add_fields_as_block(cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware as_block;

    cmw_middleware_init(&as_block);
    as_block.name = "fields_as_block";
    as_block.fields = fields;
    as_block.field_count = FIELD_COUNT;
    return cmw_chain_add(chain, &as_block, diag);
}

/* ---- 2. A value between two middleware --------------------------------------------------- */

static cmw_slot number_slot;

static int put_in_map(void *self, cmw_ctx *ctx)
{
    static int number = 7;

    (void)self;
    return cmw_ctx_set_value(ctx, CMW_STR("number"), &number, NULL) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int take_from_map(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_value(ctx, CMW_STR("number")) ? CMW_CONTINUE : CMW_ERROR;
}

static int put_in_slot(void *self, cmw_ctx *ctx)
{
    int *number = cmw_ctx_set_slot(ctx, number_slot);

    (void)self;
    if (!number)
        return CMW_ERROR;
    *number = 7;
    return CMW_CONTINUE;
}

static int take_from_slot(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_slot(ctx, number_slot) ? CMW_CONTINUE : CMW_ERROR;
}

static int add_pair(cmw_chain *chain, cmw_phase_fn *put, cmw_phase_fn *take, cmw_diag *diag)
{
    cmw_middleware writer, reader;

    cmw_middleware_init(&writer);
    writer.name = "writer";
    writer.priority = 10;
    writer.pre_route = put;
    cmw_middleware_provides(&writer, number_slot);

    cmw_middleware_init(&reader);
    reader.name = "reader";
    reader.priority = 20;
    reader.pre_route = take;
    cmw_middleware_requires(&reader, number_slot);

    const int rc = cmw_chain_add(chain, &writer, diag);
    return rc ? rc : cmw_chain_add(chain, &reader, diag);
}

static int add_map(cmw_chain *chain, cmw_diag *diag)
{
    return add_pair(chain, put_in_map, take_from_map, diag);
}

static int add_slot(cmw_chain *chain, cmw_diag *diag)
{
    return add_pair(chain, put_in_slot, take_from_slot, diag);
}

/* ---- 3. prepare -------------------------------------------------------------------------- */

/* One cache line a row, several MiB in all: like a table of clients. */
struct row {
    uint64_t seen;
    char rest[56];
};

static struct row table[TABLE_ROWS];

/* Another row for each request, the same one in prepare and in pre_route. */
static struct row *find_row(cmw_ctx *ctx)
{
    const uint64_t key = cmw_ctx_begin_ns(ctx) * 0x9e3779b97f4a7c15u;

    return &table[key % TABLE_ROWS];
}

static void start_loading(void *self, cmw_ctx *ctx)
{
    (void)self;
    __builtin_prefetch(find_row(ctx), 1);
}

static int count_row(void *self, cmw_ctx *ctx)
{
    (void)self;
    find_row(ctx)->seen++;
    return CMW_CONTINUE;
}

static int add_table(cmw_chain *chain, cmw_prepare_fn *prepare, cmw_diag *diag)
{
    cmw_middleware counter;

    cmw_middleware_init(&counter);
    counter.name = "counter";
    counter.prepare = prepare;
    counter.pre_route = count_row;
    return cmw_chain_add(chain, &counter, diag);
}

static int add_unprepared(cmw_chain *chain, cmw_diag *diag)
{
    return add_table(chain, NULL, diag);
}

static int add_prepared(cmw_chain *chain, cmw_diag *diag)
{
    return add_table(chain, start_loading, diag);
}

/* ---- Measuring --------------------------------------------------------------------------- */

typedef int add_fn(cmw_chain *chain, cmw_diag *diag);

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "performance_optimization: %s\n", what);
    exit(1);
}

static void install_chain(cmw_engine *engine, add_fn *add)
{
    cmw_chain *chain;
    cmw_plan *plan;
    cmw_diag diag = {0};

    if (cmw_slot_declare(engine, &number_slot, "number", sizeof(int), NULL) != 0 ||
        cmw_chain_create(engine, &chain, 0) != 0)
        give_up("no chain");
    if (add(chain, &diag) != 0 || cmw_chain_compile(chain, &plan, &diag) != 0 ||
        cmw_engine_install(engine, plan, &diag) != 0)
        give_up(diag.message);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
}

static void send_all(cmw_test *test, int count)
{
    for (int i = 0; i < count; i++) {
        cmw_test_advance_ns(test, 1);
        if (cmw_test_send_quick(test) != 200)
            give_up("a request failed");
    }
}

static double elapsed_ns(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e9 + (double)(to->tv_nsec - from->tv_nsec);
}

static double time_round(cmw_test *test)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    send_all(test, REQUESTS);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return elapsed_ns(&from, &to) / REQUESTS;
}

/*
 * The whole request, from begin to end, without sampling: that has a price of its own. The best of
 * several rounds, since whatever else the machine does only adds.
 */
static void measure(const char *what, add_fn *add)
{
    cmw_engine_config config;
    cmw_test *test;

    cmw_engine_config_init(&config);
    config.sample_every = 0;
    if (cmw_test_create(&test, &config) != 0)
        give_up("no bench");
    install_chain(cmw_test_engine(test), add);
    cmw_test_request(test, "GET", "/");
    send_all(test, WARM_UP);

    const uint64_t calls = cmw_test_alloc_calls(test);
    double best_ns = time_round(test);
    for (int i = 1; i < ROUNDS; i++) {
        const double ns = time_round(test);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%-42s %6.0f ns a request, %" PRIu64 " allocator calls\n", what, best_ns,
           cmw_test_alloc_calls(test) - calls);
    cmw_test_destroy(test);
}

/* ---- 4. Statistics ----------------------------------------------------------------------- */

/* As an adapter does it; the testing kit's clock would stand still. */
static void send_by_hand(cmw_worker *worker, const cmw_request_view *view)
{
    cmw_ctx *ctx;

    if (cmw_ctx_begin(worker, &ctx, view) != 0)
        give_up("no context");
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
        if (cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")) != 0)
            cmw_ctx_fail(ctx, 500);
        cmw_ctx_commit(ctx);
    }
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void run_requests(cmw_engine *engine)
{
    cmw_request_view view;
    cmw_worker *worker;

    if (cmw_engine_take_worker(engine, &worker, NULL, NULL) != 0)
        give_up("no worker");
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    for (int i = 0; i < REQUESTS; i++)
        send_by_hand(worker, &view);
    cmw_engine_put_worker(engine, worker);
}

static void write_statistics(cmw_engine *engine)
{
    cmw_stats *stats;

    if (cmw_stats_snapshot(engine, &stats) != 0)
        give_up("no statistics");
    if (cmw_stats_write(stats, CMW_FORMAT_TEXT, cmw_write_file, stdout) != 0)
        give_up("statistics cannot be written");
    cmw_stats_destroy(stats);
}

static void show_statistics(void)
{
    cmw_engine *engine;

    puts(
        "\nWhere to look: the calls and percentiles of each middleware, of one request in 64; the\n"
        "allocs of the context pool, which stand still once it is warm:\n");
    if (cmw_engine_create(&engine, NULL) != 0)
        give_up("no engine");
    install_chain(engine, add_fields_by_hand);
    run_requests(engine);
    write_statistics(engine);
    cmw_engine_destroy(engine);
}

int main(void)
{
    measure("five fields, set in post_route", add_fields_by_hand);
    measure("five fields, a block made by compiling", add_fields_as_block);
    measure("a value through the map", add_map);
    measure("a value through a slot", add_slot);
    measure("a row of a table, loaded when read", add_unprepared);
    measure("a row of a table, prefetched in prepare", add_prepared);
    show_statistics();
    return 0;
}
