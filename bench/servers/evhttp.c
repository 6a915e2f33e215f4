/* SPDX-License-Identifier: MIT */
/* libevent's evhttp: one loop. */
#include "servers.h"

#include <catzilla/adapter/evhttp.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/http.h>

static void on_signal(evutil_socket_t number, short what, void *base)
{
    (void)number;
    (void)what;
    (void)event_base_loopbreak(base);
}

static int run(struct event_base *base, struct evhttp *http, const sigset_t *ending)
{
    struct event *signal_event = evsignal_new(base, SIGTERM, on_signal, base);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in address;
    socklen_t len = sizeof address;

    if (!signal_event || !bound || event_add(signal_event, NULL) != 0 ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len) != 0)
        return CMW_ERR_IO;
    bench_say_port(ntohs(address.sin_port));
    pthread_sigmask(SIG_UNBLOCK, ending, NULL);
    event_base_dispatch(base);
    event_free(signal_event);
    return 0;
}

static void hello(struct evhttp_request *request, void *self)
{
    (void)self;
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", HELLO_TYPE);
    evbuffer_add_reference(evhttp_request_get_output_buffer(request), HELLO, sizeof HELLO - 1, NULL,
                           NULL);
    evhttp_send_reply(request, 200, "OK", NULL);
}

static int serve_bare(const sigset_t *ending)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);

    evhttp_set_gencb(http, hello, NULL);
    const int rc = run(base, http, ending);
    evhttp_free(http);
    event_base_free(base);
    return rc;
}

static int serve_plan(cmw_engine *engine, const sigset_t *ending)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    cmw_evhttp *adapter;

    int rc = cmw_evhttp_create(&adapter, engine, base, bench_hello, NULL);
    if (rc != 0)
        return rc;
    rc = cmw_evhttp_attach(adapter, http, NULL);
    if (rc == 0)
        rc = run(base, http, ending);
    cmw_evhttp_destroy(adapter);
    evhttp_free(http);
    event_base_free(base);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct bench_server server = {serve_bare, serve_plan};

    return bench_server_main(argc, argv, &server);
}
