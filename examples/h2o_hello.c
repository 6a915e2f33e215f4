/* SPDX-License-Identifier: MIT */
/*
 * A plan in front of H2O: its loop, its sockets and its handlers stay the program's.
 *
 *     ./h2o_hello 8080
 *     curl -i http://127.0.0.1:8080/        200, with a request id and the security fields
 *     curl -i http://127.0.0.1:8080/h2o     one of H2O's own handlers answers, with the same fields
 *     curl -i --http2-prior-knowledge http://127.0.0.1:8080/
 */
#include <errno.h>
#include <h2o.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/adapter/h2o.h>

struct server {
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept_ctx;
    h2o_socket_t *listener;
};

static volatile sig_atomic_t is_ending;

static void on_signal(int signal)
{
    (void)signal;
    is_ending = 1;
}

/* ---- Who answers -------------------------------------------------------------------------- */

static int say_hello(void *self, cmw_ctx *ctx)
{
    (void)self;
    if (cmw_str_equals(cmw_request_path(cmw_ctx_request(ctx)), CMW_STR("/h2o")))
        return CMW_H2O_PASS;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("hello\n"));
}

static int say_h2o(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.content_length = strlen("hello from H2O\n");
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/plain"));
    h2o_send_inline(req, H2O_STRLIT("hello from H2O\n"));
    return 0;
}

static int install(cmw_engine *engine, cmw_diag *diag)
{
    static const char *const names[] = {"request_id", "security_headers"};
    cmw_chain *chain;
    int rc = cmw_chain_create(engine, &chain, 0);

    if (rc != 0)
        return rc;
    rc = cmw_chain_use_builtins(chain, names, 2, diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- H2O ---------------------------------------------------------------------------------- */

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct server *server = listener->data;
    h2o_socket_t *socket = error ? NULL : h2o_evloop_socket_accept(listener);

    if (socket)
        h2o_accept(&server->accept_ctx, socket);
}

static int listen_on(struct server *server, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    server->listener =
        h2o_evloop_socket_create(server->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    server->listener->data = server;
    h2o_socket_read_start(server->listener, on_accept);
    printf("listening on http://127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    return fflush(stdout);
}

/* A graceful end: no new connections, and what has begun is answered. */
static void run(struct server *server, cmw_h2o *adapter)
{
    h2o_evloop_t *loop = server->context.loop;

    while (!is_ending && (h2o_evloop_run(loop, INT32_MAX) == 0 || errno == EINTR))
        ;
    h2o_socket_close(server->listener);
    h2o_context_request_shutdown(&server->context);
    while (cmw_h2o_open_requests(adapter, &server->context) > 0 &&
           (h2o_evloop_run(loop, INT32_MAX) == 0 || errno == EINTR))
        ;
}

static int serve(struct server *server, cmw_engine *engine, int port)
{
    h2o_hostconf_t *host;
    cmw_h2o *adapter;

    h2o_config_init(&server->config);
    host = h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = say_h2o;

    int rc = cmw_h2o_create(&adapter, engine, say_hello, NULL);
    if (rc != 0)
        return rc;
    rc = cmw_h2o_attach(adapter, &server->config);
    if (rc == 0) {
        h2o_context_init(&server->context, h2o_evloop_create(), &server->config);
        server->accept_ctx.ctx = &server->context;
        server->accept_ctx.hosts = server->config.hosts;
        rc = listen_on(server, port);
        if (rc == 0)
            run(server, adapter);
        cmw_h2o_detach(adapter, &server->context);
    }
    cmw_h2o_destroy(adapter); /* H2O's own objects may have connections still: they stay */
    return rc;
}

int main(int argc, char **argv)
{
    static struct server server;
    cmw_engine *engine = NULL;
    cmw_diag diag = {0};

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = install(engine, &diag)) == 0)
        rc = serve(&server, engine, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080);
    if (rc != 0)
        fprintf(stderr, "h2o_hello: %s\n", diag.code ? diag.message : "cannot serve");
    cmw_engine_destroy(engine);
    return rc != 0;
}
