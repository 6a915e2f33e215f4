/* SPDX-License-Identifier: MIT */
/*
 * H2O with more and more of a plan in front of one answer, for h2o.py: server_h2o MODE
 *
 *     bare    no adapter: an H2O handler answers
 *     empty   the adapter and a plan without middleware: a handler of the adapter's answers
 *     pass    the same, but the H2O handler answers, behind the adapter
 *     three   cors, security_headers, rate_limit
 *     five    those, request_id, access_log
 *
 * Prints its port; ends on SIGTERM, and says how many allocator calls the engine's pools have made.
 */
#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/rate_limit.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <catzilla/adapter/h2o.h>

#define BODY "hello, world\n"

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;
static h2o_socket_t *listener;
static volatile sig_atomic_t is_ending;

static void on_signal(int signal)
{
    (void)signal;
    is_ending = 1;
}

/* ---- Answers ------------------------------------------------------------------------------ */

static int answer(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR(BODY));
}

static int answer_bare(h2o_handler_t *self, h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t body = h2o_iovec_init(H2O_STRLIT(BODY));

    (void)self;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/plain; charset=utf-8"));
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

/* ---- Plans -------------------------------------------------------------------------------- */

static int use_three(cmw_chain *chain, cmw_diag *diag)
{
    static const char *const origins[] = {"https://www.example.com", "https://admin.example.com"};
    cmw_rate_limit_config limit;
    cmw_cors_config cors;

    cmw_cors_config_init(&cors);
    cors.allow_origins = origins;
    cors.allow_origin_count = 2;
    cmw_rate_limit_config_init(&limit);
    limit.limit = 900000;
    int rc = cmw_chain_use(chain, "cors", &cors, diag);
    if (rc == 0)
        rc = cmw_chain_use(chain, "security_headers", NULL, diag);
    return rc == 0 ? cmw_chain_use(chain, "rate_limit", &limit, diag) : rc;
}

static int use_two(cmw_chain *chain, cmw_diag *diag)
{
    cmw_access_log_config log;

    cmw_access_log_config_init(&log);
    log.fd = open("/dev/null", O_WRONLY);
    const int rc = cmw_chain_use(chain, "request_id", NULL, diag);
    return rc == 0 ? cmw_chain_use(chain, "access_log", &log, diag) : rc;
}

static int install(cmw_engine *engine, const char *mode)
{
    cmw_diag diag = {0};
    cmw_chain *chain;

    int rc = cmw_chain_create(engine, &chain, 0);
    if (rc != 0)
        return rc;
    if (strcmp(mode, "three") == 0 || strcmp(mode, "five") == 0)
        rc = use_three(chain, &diag);
    if (rc == 0 && strcmp(mode, "five") == 0)
        rc = use_two(chain, &diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, &diag);
    if (rc != 0)
        fprintf(stderr, "%s\n", diag.message);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- Serving ------------------------------------------------------------------------------ */

static void on_accept(h2o_socket_t *from, const char *error)
{
    h2o_socket_t *socket = error ? NULL : h2o_evloop_socket_accept(from);

    if (socket)
        h2o_accept(&accept_ctx, socket);
}

static int open_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    return fflush(stdout);
}

static uint64_t count_calls(cmw_engine *engine)
{
    uint64_t calls = 0;

    for (int purpose = 0; purpose < CMW_POOL_COUNT; purpose++) {
        cmw_pool_stats stats = {.size = sizeof stats};
        if (cmw_pool_get_stats(cmw_engine_pool(engine, (cmw_pool_purpose)purpose), &stats) == 0)
            calls += stats.alloc_calls;
    }
    return calls;
}

static int serve(void)
{
    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_ctx.ctx = &context;
    accept_ctx.hosts = config.hosts;
    if (open_listener() != 0)
        return 1;
    while (!is_ending && (h2o_evloop_run(context.loop, INT32_MAX) == 0 || errno == EINTR))
        ;
    h2o_socket_close(listener);
    return 0;
}

static int serve_plan(const char *mode)
{
    cmw_engine *engine;
    cmw_h2o *adapter;

    if (cmw_engine_create(&engine, NULL) != 0 || install(engine, mode) != 0 ||
        cmw_h2o_create(&adapter, engine, strcmp(mode, "pass") == 0 ? NULL : answer, NULL) != 0 ||
        cmw_h2o_attach(adapter, &config) != 0)
        return 1;
    const int rc = serve();
    printf("calls %llu\n", (unsigned long long)count_calls(engine));
    cmw_h2o_detach(adapter, &context);
    return cmw_h2o_destroy(adapter) != 0 || cmw_engine_destroy(engine) != 0 ? 1 : rc;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "bare";
    h2o_hostconf_t *host;

    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req =
        answer_bare;
    return strcmp(mode, "bare") == 0 ? serve() : serve_plan(mode);
}
