/* SPDX-License-Identifier: MIT */
/* A server with a clock of its own, in which several requests are in flight at once. */
#ifndef CMW_TRAFFIC_FIXTURE_H
#define CMW_TRAFFIC_FIXTURE_H

#include "suspend_server.h"

enum { FLIGHT_CAP = 32 };

struct flight {
    struct server server;
    uint64_t now_ns;
    struct flying {
        cmw_ctx *ctx;
        int next; /* cmw_next, as told last */
    } requests[FLIGHT_CAP];
};

static inline uint64_t flight_clock(void *self)
{
    return ((struct flight *)self)->now_ns;
}

static inline void flight_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct flight *flight = self; /* the server comes first */

    for (size_t i = 0; i < FLIGHT_CAP; i++)
        if (flight->requests[i].ctx == ctx) {
            flight->requests[i].next = next;
            return;
        }
    fail_msg("nobody knows the request");
}

static inline void flight_open(struct flight *flight)
{
    cmw_engine_config config;

    memset(flight, 0, sizeof *flight);
    flight->now_ns = 1000000000;
    cmw_engine_config_init(&config);
    config.clock_ns = flight_clock;
    config.clock_self = flight;
    server_open(&flight->server, &config);
    flight->server.host.proceed = flight_proceed;
}

static inline int depart_as(struct flight *flight, unsigned index, cmw_request_view *view)
{
    struct flying *request = &flight->requests[index];

    assert_true(index < FLIGHT_CAP && !request->ctx);
    view->now_ns = flight->now_ns;
    assert_int_equal(cmw_ctx_begin(flight->server.worker, &request->ctx, view), 0);
    request->next = (int)cmw_ctx_run(request->ctx);
    return request->next;
}

/* Begin one from an address, and say what is next. */
static inline int depart_to(struct flight *flight, unsigned index, const char *peer,
                            const char *method, const char *target)
{
    cmw_request_view view;

    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = cmw_str_cstr(target);
    assert_int_equal(cmw_address_parse(&view.peer, cmw_str_cstr(peer)), 0);
    return depart_as(flight, index, &view);
}

/* One whose body is of a length, or CMW_LENGTH_UNKNOWN, and has not come yet. */
static inline int depart_with_body(struct flight *flight, unsigned index, uint64_t length)
{
    cmw_request_view view;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = length;
    return depart_as(flight, index, &view);
}

static inline int depart(struct flight *flight, unsigned index)
{
    return depart_to(flight, index, "192.0.2.1", "GET", "/");
}

static inline int next_of(struct flight *flight, unsigned index)
{
    (void)cmw_worker_run(flight->server.worker, flight->now_ns);
    return flight->requests[index].next;
}

static inline int status_of(const struct flight *flight, unsigned index)
{
    return cmw_response_status(cmw_ctx_response(flight->requests[index].ctx));
}

/* End one, whatever it does: its handler answers if it is its turn. */
static inline void arrive(struct flight *flight, unsigned index, cmw_end_reason reason)
{
    struct flying *request = &flight->requests[index];

    if (request->next == CMW_TO_HANDLER && reason == CMW_END_SENT) {
        assert_int_equal(cmw_response_text(cmw_ctx_response(request->ctx), 200, CMW_STR("ok")), 0);
        (void)cmw_ctx_commit(request->ctx);
    }
    cmw_ctx_end(request->ctx, reason);
    request->ctx = NULL;
}

#endif /* CMW_TRAFFIC_FIXTURE_H */
