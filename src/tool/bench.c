/* SPDX-License-Identifier: MIT */
/*
 * catzilla-mw bench: what a file's chain costs a request.
 *
 * The chain is driven as an adapter drives it, without a server. A round sends the request so many
 * times through an empty plan, then through the chain's: both suffer from whatever else the machine
 * does. The median round counts.
 */
#include "bench.h"

#include "counting_allocator.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROW_EMPTY, ROW_CHAIN, ROW_COUNT };

struct bench {
    const char *file;
    struct bench_request request;
    long requests;
    long rounds;
    int is_json;
    struct counting_allocator counting;
    struct loaded loaded;
    cmw_engine *empty;
    struct bench_row rows[ROW_COUNT];
};

/* ---- Sending ---------------------------------------------------------------------------- */

static int send_request(cmw_worker *worker, const cmw_request_view *view)
{
    cmw_ctx *ctx;

    if (cmw_ctx_begin(worker, &ctx, view) != 0)
        return 0;
    cmw_next next = cmw_ctx_run(ctx);
    if (next == CMW_TO_HANDLER) {
        if (cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")) != 0)
            cmw_ctx_fail(ctx, 500);
        next = cmw_ctx_commit(ctx);
    }
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, next == CMW_TO_RESPOND ? CMW_END_SENT : CMW_END_ERROR);
    return next == CMW_TO_RESPOND && status > 0 && status < 600 ? status : 0;
}

static uint64_t read_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void send_round(struct bench *bench, struct bench_row *row, long round)
{
    const unsigned long long calls = atomic_load(&bench->counting.calls);
    const uint64_t begin = read_clock();

    for (long i = 0; i < bench->requests; i++)
        row->by_status[send_request(row->worker, &bench->request.view)]++;
    row->round_ns[round] = (double)(read_clock() - begin) / (double)bench->requests;
    row->alloc_calls += atomic_load(&bench->counting.calls) - calls;
    (void)cmw_engine_poll(row->engine);
}

/* A terminal sees each round, a log only that there will be some. */
static void show_progress(const struct bench *bench, long round)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rround %ld of %ld%s", round + 1, bench->rounds,
                round + 1 == bench->rounds ? "\n" : "");
    else if (round == 0)
        fprintf(stderr, "%ld rounds of %ld requests\n", bench->rounds, bench->requests);
}

static void forget_figures(struct bench_row *row)
{
    row->alloc_calls = 0;
    memset(row->by_status, 0, sizeof row->by_status);
}

static int measure(struct bench *bench)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        send_round(bench, &bench->rows[i], 0); /* warm up */
        forget_figures(&bench->rows[i]);
    }
    const int rc = cmw_stats_reset(bench->loaded.engine);
    for (long round = 0; rc == 0 && round < bench->rounds; round++) {
        show_progress(bench, round);
        for (int i = 0; i < ROW_COUNT; i++)
            send_round(bench, &bench->rows[i], round);
    }
    return rc;
}

/* ---- Setting up ------------------------------------------------------------------------- */

static int install_empty(struct bench *bench)
{
    cmw_engine_config config;
    cmw_chain *chain = NULL;

    cmw_engine_config_init(&config);
    config.allocator = &bench->counting.allocator;
    int rc = cmw_engine_create(&bench->empty, &config);
    if (rc == 0)
        rc = cmw_chain_create(bench->empty, &chain, 0);
    if (rc == 0)
        rc = cmw_chain_install(chain, NULL);
    cmw_chain_destroy(chain);
    return rc;
}

static int take_worker(struct bench_row *row, const char *name, cmw_engine *engine)
{
    row->name = name;
    row->engine = engine;
    return cmw_engine_take_worker(engine, &row->worker, NULL, NULL);
}

static int set_up(struct bench *bench)
{
    cmw_diag diag = {.code = 0};

    const int code = load_file(&bench->loaded, bench->file, &bench->counting.allocator);
    if (code != EXIT_GOOD)
        return code;
    int rc = cmw_engine_install(bench->loaded.engine, bench->loaded.plan, &diag);
    if (rc != 0 && diag.code)
        return load_report(&bench->loaded, cmw_document_refuse(bench->loaded.document, "middleware",
                                                               rc, "%s", diag.message));
    if (rc == 0)
        rc = install_empty(bench);
    if (rc == 0)
        rc = take_worker(&bench->rows[ROW_EMPTY], "empty plan", bench->empty);
    if (rc == 0)
        rc = take_worker(&bench->rows[ROW_CHAIN], "chain", bench->loaded.engine);
    return rc == 0 ? EXIT_GOOD : report_failure("preparing", rc);
}

static void tear_down(struct bench *bench)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (bench->rows[i].worker)
            cmw_engine_put_worker(bench->rows[i].engine, bench->rows[i].worker);
    (void)cmw_engine_destroy(bench->empty); /* nothing of it is held */
    load_free(&bench->loaded);
}

static int report(struct bench *bench)
{
    cmw_stats *stats = NULL;

    int rc = cmw_stats_snapshot(bench->loaded.engine, &stats);
    if (rc == 0)
        rc = (bench->is_json ? bench_write_json : bench_write_text)(
            &bench->request, bench->rows, ROW_COUNT, (unsigned)bench->rounds, stats);
    cmw_stats_destroy(stats);
    return end_output(rc);
}

/* ---- The command line ------------------------------------------------------------------- */

static int parse_number(long *number, const char *text, long most)
{
    char *end;

    *number = strtol(text, &end, 10);
    return *end == '\0' && *number >= 1 && *number <= most;
}

static int parse_request(struct bench_request *request, const char *text)
{
    const char *const space = strchr(text, ' ');

    if (!space || space == text || space[1] == '\0' || strchr(space + 1, ' '))
        return 0;
    request->text = text;
    request->view.method = cmw_str_make(text, (size_t)(space - text));
    request->view.target = cmw_str_cstr(space + 1);
    return 1;
}

static int parse_header(struct bench_request *request, const char *text)
{
    const char *const colon = strchr(text, ':');

    if (!colon || colon == text || request->view.header_count == BENCH_HEADERS_MOST)
        return 0;
    const char *value = colon + 1;
    while (*value == ' ')
        value++;
    request->headers[request->view.header_count++] =
        (cmw_header){cmw_str_make(text, (size_t)(colon - text)), cmw_str_cstr(value)};
    return 1;
}

/* An option with a value; -1: there is none of the name. */
static int parse_option(struct bench *bench, const char *name, const char *value)
{
    if (strcmp(name, "--request") == 0)
        return parse_request(&bench->request, value);
    if (strcmp(name, "--header") == 0)
        return parse_header(&bench->request, value);
    if (strcmp(name, "--peer") == 0)
        return cmw_address_parse(&bench->request.view.peer, cmw_str_cstr(value)) == 0;
    if (strcmp(name, "--requests") == 0)
        return parse_number(&bench->requests, value, 1000000000);
    if (strcmp(name, "--rounds") == 0)
        return parse_number(&bench->rounds, value, BENCH_ROUNDS_MOST);
    return -1;
}

static int parse_arguments(struct bench *bench, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            bench->is_json = 1;
        } else if (argv[i][0] != '-' && !bench->file) {
            bench->file = argv[i];
        } else {
            const int parsed = i + 1 < argc ? parse_option(bench, argv[i], argv[i + 1]) : -1;
            if (parsed < 0)
                return refuse_usage("bench: unexpected '%s'", argv[i]);
            if (parsed == 0)
                return refuse_usage("bench: %s cannot be '%s'", argv[i], argv[i + 1]);
            i++;
        }
    }
    return bench->file ? EXIT_GOOD : refuse_usage("bench: which file?");
}

/* HTTP/1.1 has one always. */
static void add_host(struct bench_request *request)
{
    for (uint32_t i = 0; i < request->view.header_count; i++)
        if (cmw_str_equals_fold(request->headers[i].name, CMW_STR("host")))
            return;
    (void)parse_header(request, "Host: bench.example"); /* unless there is no room */
}

static void set_defaults(struct bench *bench)
{
    cmw_request_view_init(&bench->request.view);
    bench->request.view.headers = bench->request.headers;
    bench->request.view.http_version = 0x0101;
    (void)parse_request(&bench->request, "GET /");
    (void)parse_option(bench, "--peer", "192.0.2.1");
    bench->requests = 100000;
    bench->rounds = 9;
    counting_allocator_init(&bench->counting, tool_allocator());
}

int command_bench(int argc, char **argv)
{
    static struct bench bench; /* zeroed; as long as the process */

    set_defaults(&bench);
    int code = parse_arguments(&bench, argc, argv);
    if (code != EXIT_GOOD)
        return code;
    add_host(&bench.request);
    code = set_up(&bench);
    if (code == EXIT_GOOD) {
        const int rc = measure(&bench);
        code = rc == 0 ? report(&bench) : report_failure("measuring", rc);
    }
    tear_down(&bench);
    return code;
}
