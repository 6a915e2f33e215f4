/* SPDX-License-Identifier: MIT */
/*
 * A server to be driven by test_microhttpd.py: microhttpd_server <mode>
 *
 * Prints "port <n>" when it serves and, after SIGTERM, the counts of /_counts; exits with 0 if the
 * engine could be destroyed, which it cannot while a request or a worker is out.
 */
#include <catzilla/adapter/microhttpd.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { LARGE_BYTES = 16 << 20, BODY_LIMIT = 1 << 20, DRAIN_BYTES = 2 << 20, EXTERNAL_WAIT_MS = 20 };

struct app {
    cmw_engine *engine;
    char *large;
    atomic_uint_least64_t entered; /* pre_route ran */
    atomic_uint_least64_t left;    /* complete ran, and pre_route before it */
    atomic_uint_least64_t by_reason[CMW_END_REASON_COUNT];
};

/* ---- The chain --------------------------------------------------------------------------------
 */

static int count_entered(void *self, cmw_ctx *ctx)
{
    struct app *app = self;

    (void)ctx;
    atomic_fetch_add(&app->entered, 1);
    return CMW_CONTINUE;
}

static void count_end(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct app *app = self;

    if (cmw_ctx_was_entered(ctx))
        atomic_fetch_add(&app->left, 1);
    atomic_fetch_add(&app->by_reason[reason], 1);
}

static int sign(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Post"), CMW_STR("ran")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static int deny(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_text(ctx, 403, CMW_STR("denied\n"));
}

static int add_middleware(cmw_chain *chain, struct app *app, cmw_diag *diag)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Const"), CMW_STR_INIT("yes")}};
    static const char *const paths[] = {"/denied"};
    cmw_middleware counter, guard;
    cmw_condition condition;

    cmw_middleware_init(&counter);
    counter.name = "counter";
    counter.priority = 1;
    counter.self = app;
    counter.pre_route = count_entered;
    counter.post_route = sign;
    counter.complete = count_end;
    counter.fields = fields;
    counter.field_count = LEN(fields);

    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    cmw_middleware_init(&guard);
    guard.name = "guard";
    guard.priority = 2;
    guard.flags = CMW_GUARDS_ACCESS;
    guard.pre_route = deny;
    guard.condition = &condition;

    const int rc = cmw_chain_add(chain, &counter, diag);
    return rc ? rc : cmw_chain_add(chain, &guard, diag);
}

static int install_chain(struct app *app, cmw_diag *diag)
{
    cmw_chain *chain;
    cmw_plan *plan = NULL;

    int rc = cmw_chain_create(app->engine, &chain, 0);
    if (rc != 0)
        return rc;
    rc = add_middleware(chain, app, diag);
    if (rc == 0)
        rc = cmw_chain_compile(chain, &plan, diag);
    if (rc == 0)
        rc = cmw_engine_install(app->engine, plan, diag);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- The handler ------------------------------------------------------------------------------
 */

static size_t format_counts(const struct app *app, char *text, size_t cap)
{
    int len = snprintf(text, cap, "{\"entered\": %llu, \"left\": %llu",
                       (unsigned long long)atomic_load(&app->entered),
                       (unsigned long long)atomic_load(&app->left));

    for (int i = 0; i < CMW_END_REASON_COUNT; i++)
        len += snprintf(text + len, cap - (size_t)len, ", \"%s\": %llu",
                        cmw_end_reason_name((cmw_end_reason)i),
                        (unsigned long long)atomic_load(&app->by_reason[i]));
    len += snprintf(text + len, cap - (size_t)len, "}");
    return (size_t)len;
}

static int show_counts(struct app *app, cmw_ctx *ctx)
{
    char text[256];
    const size_t len = format_counts(app, text, sizeof text);

    return cmw_response_json_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, len));
}

/* Allocator calls of the pool that requests live in. */
static int show_allocations(struct app *app, cmw_ctx *ctx)
{
    cmw_pool_stats stats = {.size = sizeof stats};
    char text[32];

    const int rc = cmw_pool_get_stats(cmw_engine_pool(app->engine, CMW_POOL_CONTEXT), &stats);
    if (rc != 0)
        return rc;
    const int len = snprintf(text, sizeof text, "%llu", (unsigned long long)stats.alloc_calls);
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, (size_t)len));
}

/* What the adapter told the engine of the request. */
static int show_view(struct app *app, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    char peer[CMW_ADDRESS_TEXT_CAP];
    size_t count;

    (void)app;
    cmw_address_format(cmw_request_peer(request), peer);
    cmw_request_headers(request, &count);
    const cmw_header *big = cmw_request_header_named(request, CMW_STR("X-Big"));
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), 200);
    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("method"));
    cmw_json_string(json, cmw_request_method(request));
    cmw_json_key(json, CMW_STR("target"));
    cmw_json_string(json, cmw_request_raw_target(request));
    cmw_json_key(json, CMW_STR("peer"));
    cmw_json_string(json, cmw_str_cstr(peer));
    cmw_json_key(json, CMW_STR("https"));
    cmw_json_bool(json, cmw_request_scheme(request) == CMW_SCHEME_HTTPS);
    cmw_json_key(json, CMW_STR("version"));
    cmw_json_uint(json, cmw_request_http_version(request));
    cmw_json_key(json, CMW_STR("fields"));
    cmw_json_uint(json, count);
    cmw_json_key(json, CMW_STR("big"));
    cmw_json_uint(json, big ? big->value.len : 0);
    cmw_json_key(json, CMW_STR("has_connection"));
    cmw_json_bool(json, cmw_mhd_connection(ctx) != NULL);
    cmw_json_object_end(json);
    return 0;
}

static int say_ok(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static int echo(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200,
                                  cmw_request_body(cmw_ctx_request(ctx)));
}

static int send_large(struct app *app, cmw_ctx *ctx)
{
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200,
                                  cmw_str_make(app->large, LARGE_BYTES));
}

static int send_empty_field(struct app *app, cmw_ctx *ctx)
{
    const int rc = cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Empty"), CMW_STR(""));

    return rc ? rc : say_ok(app, ctx);
}

static int send_refused_status(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 101);
}

static int send_no_content(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 204);
}

static int fail(struct app *app, cmw_ctx *ctx)
{
    const int rc =
        cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Handler"), CMW_STR("left over"));

    (void)app;
    return rc ? rc : CMW_ERR_IO;
}

struct route {
    cmw_str path;
    int (*handle)(struct app *app, cmw_ctx *ctx);
};

static const struct route routes[] = {
    {CMW_STR_INIT("/ok"), say_ok},
    {CMW_STR_INIT("/echo"), echo},
    {CMW_STR_INIT("/view"), show_view},
    {CMW_STR_INIT("/large"), send_large},
    {CMW_STR_INIT("/empty-field"), send_empty_field},
    {CMW_STR_INIT("/refused-status"), send_refused_status},
    {CMW_STR_INIT("/no-content"), send_no_content},
    {CMW_STR_INIT("/fail"), fail},
    {CMW_STR_INIT("/_counts"), show_counts},
    {CMW_STR_INIT("/_allocations"), show_allocations},
};

static int handle(void *self, cmw_ctx *ctx)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));

    for (size_t i = 0; i < LEN(routes); i++)
        if (cmw_str_equals(path, routes[i].path))
            return routes[i].handle(self, ctx);
    return cmw_response_problem(cmw_ctx_response(ctx), 404, CMW_STR("there is nothing here"));
}

/* ---- Serving ----------------------------------------------------------------------------------
 */

struct mode {
    const char *name;
    unsigned flags;
    unsigned pool_size;
    int is_external;
};

static const struct mode modes[] = {
    {"epoll", MHD_USE_EPOLL_INTERNAL_THREAD, 0, 0},
    {"select", MHD_USE_INTERNAL_POLLING_THREAD, 0, 0},
    {"poll", MHD_USE_POLL_INTERNAL_THREAD, 0, 0},
    {"pool", MHD_USE_EPOLL_INTERNAL_THREAD, 2, 0},
    {"thread", MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, 0},
    {"external", 0, 0, 1},
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < LEN(modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

static struct MHD_Daemon *start_daemon(const struct mode *mode, cmw_mhd *mhd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)mode->pool_size, NULL},
                                    {MHD_OPTION_END, 0, NULL}};

    if (mode->pool_size == 0)
        pool[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        mode->flags, 0, NULL, NULL, cmw_mhd_on_request, mhd, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 << 10), MHD_OPTION_CONNECTION_TIMEOUT, 10u,
        MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
}

static void run_until_signal(struct MHD_Daemon *daemon, const struct mode *mode,
                             const sigset_t *ending)
{
    static const struct timespec at_once = {0, 0};
    int received;

    if (!mode->is_external) {
        sigwait(ending, &received);
        return;
    }
    while (sigtimedwait(ending, NULL, &at_once) < 0)
        MHD_run_wait(daemon, EXTERNAL_WAIT_MS);
}

static int serve(struct app *app, const struct mode *mode)
{
    cmw_mhd_config config;
    sigset_t ending;
    cmw_mhd *mhd;

    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);

    cmw_mhd_config_init(&config);
    config.drain_bytes = DRAIN_BYTES;
    if (cmw_mhd_create(&mhd, app->engine, handle, app, &config) != 0)
        return 1;
    struct MHD_Daemon *daemon = start_daemon(mode, mhd);
    if (daemon) {
        printf("port %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
        fflush(stdout);
        run_until_signal(daemon, mode, &ending);
        MHD_stop_daemon(daemon);
    }
    cmw_mhd_destroy(mhd);
    return daemon ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct app app;
    cmw_engine_config config;
    cmw_diag diag = {0};
    char counts[256];

    const struct mode *mode = find_mode(argc > 1 ? argv[1] : "epoll");
    app.large = calloc(1, LARGE_BYTES);
    if (!mode || !app.large)
        return 1;
    cmw_engine_config_init(&config);
    config.limits.body_bytes = BODY_LIMIT;
    config.limits.memory_bytes = 4 * BODY_LIMIT;
    config.worker_limit = 32;
    if (cmw_engine_create(&app.engine, &config) != 0)
        return 1;
    int rc = install_chain(&app, &diag);
    if (rc != 0)
        fprintf(stderr, "%s\n", diag.message);
    else
        rc = serve(&app, mode);
    format_counts(&app, counts, sizeof counts);
    puts(counts);
    free(app.large);
    return cmw_engine_destroy(app.engine) != 0 || rc != 0;
}
