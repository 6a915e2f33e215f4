/* SPDX-License-Identifier: MIT */
/* libevent's evhttp for the conformance suite: one loop. */
#include <catzilla/adapter/evhttp.h>

#include <arpa/inet.h>
#include <pthread.h>

#include "conformance.h"

static void on_signal(evutil_socket_t signal, short what, void *base)
{
    (void)signal;
    (void)what;
    (void)event_base_loopbreak(base);
}

static int listen_on(struct evhttp *http, ev_uint16_t *port)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);

    if (!bound ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len) != 0)
        return 1;
    *port = ntohs(address.sin_port);
    return 0;
}

static int run_loop(struct event_base *base, struct evhttp *http, cmw_evhttp *adapter,
                    unsigned idle_s)
{
    struct event *ending = evsignal_new(base, SIGTERM, on_signal, base);
    cmw_evhttp_config config;
    ev_uint16_t port;
    sigset_t none;

    evhttp_set_timeout(http, (int)idle_s);
    cmw_evhttp_config_init(&config);
    config.body_bytes = CONFORMANCE_DRAIN_BYTES;
    config.head_bytes = CONFORMANCE_HEAD_BYTES;
    if (!ending || event_add(ending, NULL) != 0 || listen_on(http, &port) != 0 ||
        cmw_evhttp_attach(adapter, http, &config) != 0)
        return 1;
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail; libevent writes to clients that have left */
    conformance_say_port(port);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    const int rc = event_base_dispatch(base);
    event_free(ending);
    return rc < 0;
}

static int serve(struct conformance_run *run)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = base ? evhttp_new(base) : NULL;
    cmw_evhttp *adapter;

    if (!http || cmw_evhttp_create(&adapter, run->engine, base, run->handler, run->self) != 0)
        return 1;
    const int rc = run_loop(base, http, adapter, run->idle_s);
    cmw_evhttp_destroy(adapter);
    evhttp_free(http);
    event_base_free(base);
    return rc;
}

static int owns_context(cmw_ctx *ctx)
{
    return cmw_evhttp_request(ctx) != NULL;
}

int main(int argc, char **argv)
{
    static const char *const traits[] = {"decorates_unknown_methods",   "refuses_codings_itself",
                                         "reads_blanks_around_lengths", "reads_tabs_around_lengths",
                                         "reads_folded_lengths",        NULL};
    const struct conformance_server server = {.name = "evhttp",
                                              .host = cmw_evhttp_host(),
                                              .traits = traits,
                                              .owns_context = owns_context,
                                              .serve = serve};

    return conformance_main(argc, argv, &server);
}
