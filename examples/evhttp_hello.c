/* SPDX-License-Identifier: MIT */
/*
 * A plan in front of libevent's evhttp: its loop and its sockets stay the program's.
 *
 *     ./evhttp_hello 8080
 *     curl -i http://127.0.0.1:8080/     200, with a request id and the security fields
 */
#include <catzilla/adapter/evhttp.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int say_hello(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("hello\n"));
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

static void on_signal(evutil_socket_t signal, short what, void *base)
{
    (void)signal;
    (void)what;
    (void)event_base_loopexit(base, NULL);
}

static int listen_on(struct evhttp *http, int port)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)port);

    if (!bound ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len) != 0)
        return -1;
    printf("listening on http://127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    return fflush(stdout);
}

static int serve(cmw_engine *engine, struct event_base *base, int port)
{
    struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
    struct event *terminate = evsignal_new(base, SIGTERM, on_signal, base);
    struct evhttp *http = evhttp_new(base);
    cmw_evhttp *adapter = NULL;

    signal(SIGPIPE, SIG_IGN); /* libevent writes to clients that have left */
    event_add(interrupt, NULL);
    event_add(terminate, NULL);
    int rc = cmw_evhttp_create(&adapter, engine, base, say_hello, NULL);
    if (rc == 0)
        rc = cmw_evhttp_attach(adapter, http, NULL);
    if (rc == 0 && (rc = listen_on(http, port)) == 0)
        rc = event_base_dispatch(base);
    cmw_evhttp_destroy(adapter); /* before the evhttp that it serves */
    evhttp_free(http);
    event_free(terminate);
    event_free(interrupt);
    return rc;
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    cmw_engine *engine = NULL;
    cmw_diag diag = {0};

    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = install(engine, &diag)) == 0)
        rc = serve(engine, base, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080);
    if (rc != 0)
        fprintf(stderr, "evhttp_hello: %s\n", diag.code ? diag.message : "cannot serve");
    cmw_engine_destroy(engine);
    event_base_free(base);
    return rc != 0;
}
