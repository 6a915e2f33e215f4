/* SPDX-License-Identifier: MIT */
/*
 * The adapter for libmicrohttpd.
 *
 * A request's life, as libmicrohttpd tells it:
 *
 *     on_target       the request line is in: the only place that shows the target as it came
 *     on_head         first call of the access handler: pre_route; an upload can be refused
 *     on_body_part    for each part: request_body, or thrown away once the request is refused
 *     on_body_end     last call: handler, post_route, and the response is queued
 *     read_stream     for a body that is made while it is sent: when the client takes more
 *     on_completed    sent, or the connection is lost: complete
 *
 * head.c reads what libmicrohttpd has of a request, respond.c gives it our response, wait.c has
 * those that wait, watch.c the connections whose next head is awaited, seat.c what a thread holds,
 * serve.c whole daemons.
 *
 * libmicrohttpd closes a connection whose request is answered in the first call, and takes no
 * answer while a part of the body is unread. So an answer waits for the last call, unless the body
 * is too long to wait for.
 */
#include <catzilla/adapter/microhttpd.h>

#include "head.h"
#include "respond.h"
#include "wait.h"

#include <string.h>

struct cmw_mhd {
    cmw_mhd_config config;
    cmw_mhd_handler_fn *handler;
    void *handler_self;
    struct seats seats;
    struct MHD_OptionItem options[4];
};

static const cmw_host host = {
    .size = sizeof host,
    .name = "libmicrohttpd",
    .capabilities = CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_REWRITE_TARGET | CMW_CAP_SUSPEND |
                    CMW_CAP_SUSPEND_POST_ROUTE | CMW_CAP_RESUME_ACROSS_THREADS |
                    CMW_CAP_HEAD_FIRST | CMW_CAP_ANY_METHOD | CMW_CAP_STREAM_REQUEST_BODY |
                    CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_TIME_BODY | CMW_CAP_REQUEST_TRAILERS |
                    CMW_CAP_RESPONSE_TRAILERS | CMW__WATCH_CAPABILITIES,
    .wake = cmw__wait_wake,
    .arm_timer = cmw__wait_arm,
    .proceed = cmw__wait_proceed,
};

/* ---- Overload ---------------------------------------------------------------------------- */

/* The thread got no worker, or there was no memory for the request itself. */
static enum MHD_Result queue_overload_by_spare(cmw_mhd *mhd, struct MHD_Connection *connection)
{
    struct room scratch = {NULL, 0};

    pthread_mutex_lock(&mhd->seats.lock);
    cmw_worker_count_overload(mhd->seats.spare);
    const enum MHD_Result result =
        cmw__mhd_queue_overload(connection, &scratch, mhd->seats.scratch_pool, mhd->seats.spare);
    cmw_worker_idle(mhd->seats.spare);
    pthread_mutex_unlock(&mhd->seats.lock);
    cmw_pool_free(mhd->seats.scratch_pool, scratch.data, scratch.cap, 0);
    return result;
}

/* ---- The request line -------------------------------------------------------------------- */

static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
    cmw_mhd *mhd = self;
    const size_t len = strlen(target);

    struct request *req = cmw__seats_open_request(&mhd->seats);
    if (!req)
        return NULL;
    if (cmw__room_reserve(&req->target_room, mhd->seats.pool, len + 1) != 0) {
        cmw__seats_close_request(req);
        return NULL;
    }
    memcpy(req->target_room.data, target, len + 1);
    req->target = cmw_str_make(req->target_room.data, len);
    req->connection = connection;
    return req;
}

/* ---- The head ---------------------------------------------------------------------------- */

/* The body is not waited for: it is long, or its sender waits for our word before sending it. */
static int is_worth_draining(const cmw_mhd *mhd, cmw_ctx *ctx)
{
    cmw_request *const view = cmw_ctx_request(ctx);
    const uint64_t length = cmw_request_content_length(view);

    if (length == 0)
        return 1;
    if (length != CMW_LENGTH_UNKNOWN && length > mhd->config.drain_bytes)
        return 0;
    return cmw_request_header(view, CMW_HDR_EXPECT) == NULL;
}

/* A client that sends nothing more is not seen here: libmicrohttpd closes its connection. It counts
 * in seconds, from the last byte on. */
static void limit_silence(struct request *req)
{
    const uint64_t at_ns = cmw_ctx_deadline(req->ctx);

    if (at_ns == 0)
        return;
    if (!req->has_own_timeout) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_TIMEOUT);
        req->timeout_s = info ? info->connection_timeout : 0;
        req->has_own_timeout = 1;
    }
    const uint64_t now_ns = cmw_ctx_now_ns(req->ctx);
    uint64_t left_s = at_ns > now_ns ? (at_ns - now_ns) / UINT64_C(1000000000) + 1 : 1;
    if (req->timeout_s != 0 && req->timeout_s < left_s)
        left_s = req->timeout_s;
    (void)MHD_set_connection_option(req->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)left_s); /* else as long as it always waits */
}

static void end_silence(struct request *req)
{
    if (req->has_own_timeout)
        (void)MHD_set_connection_option(req->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                        req->timeout_s); /* as above */
    req->has_own_timeout = 0;
}

/* The body is awaited, or more of it: MHD_NO if its deadline cannot be kept. */
static enum MHD_Result await_body(struct request *req)
{
    if (cmw_request_content_length(cmw_ctx_request(req->ctx)) == 0)
        return MHD_YES;
    if (cmw_ctx_await_body(req->ctx, 0) != 0)
        return MHD_NO;
    req->is_awaiting = 1;
    limit_silence(req);
    return MHD_YES;
}

static void stop_awaiting(struct request *req)
{
    if (!req->is_awaiting)
        return;
    req->is_awaiting = 0;
    end_silence(req);
    cmw_ctx_body_arrived(req->ctx);
}

/* What pre_route came to. */
static enum MHD_Result leave_head(const cmw_mhd *mhd, struct request *req, int next)
{
    req->is_in_head = 0;
    if (next == CMW_TO_HANDLER)
        return await_body(req);
    if (next != CMW_TO_RESPOND)
        return MHD_NO;
    req->is_refused = 1;
    req->is_final = 1;
    return is_worth_draining(mhd, req->ctx) ? MHD_YES : cmw__mhd_answer(req, 1);
}

static enum MHD_Result on_head(cmw_mhd *mhd, struct request *req, const char *method,
                               const char *version)
{
    cmw_worker *const worker = req->seat->worker;
    cmw_request_view view;
    int framing;

    int rc = cmw__mhd_fill_view(req, &view, method, version, &framing);
    if (mhd->config.is_https)
        view.scheme = CMW_SCHEME_HTTPS;
    if (rc == 0)
        rc = cmw_ctx_begin(worker, &req->ctx, &view);
    if (rc != 0)
        return cmw__mhd_queue_overload(req->connection, &req->seat->field_room,
                                       mhd->seats.scratch_pool, worker);
    if (framing != 0) {
        cmw_ctx_fail(req->ctx, MHD_HTTP_BAD_REQUEST);
        /* In the first call, so that what follows is never read as a request. */
        return cmw__mhd_answer(req, 1);
    }
    int next = (int)cmw_ctx_run(req->ctx);
    if (next == CMW_TO_SUSPENDED) {
        req->is_in_head = 1;
        if (!cmw__wait_begin(req, 0))
            return MHD_YES;
        next = req->next_step;
    }
    return leave_head(mhd, req, next);
}

/* ---- The body ---------------------------------------------------------------------------- */

/* What request_body came to. 1: go on with the call; 0: it waits; -1: it cannot be sent. */
static int leave_body(struct request *req, int next)
{
    req->is_in_body = 0;
    if (next == CMW_TO_SUSPENDED) {
        req->is_in_body = 1;
        if (!cmw__wait_begin(req, 0))
            return 0;
        return leave_body(req, req->next_step);
    }
    if (next == CMW_TO_HANDLER)
        return 1;
    req->is_refused = 1;
    req->is_final = next == CMW_TO_RESPOND;
    return req->is_final ? 1 : -1;
}

static int feed(struct request *req, cmw_str part, int is_last)
{
    const cmw_chunk chunk = {part, is_last, 0};

    return leave_body(req, (int)cmw_ctx_feed_body(req->ctx, &chunk));
}

static enum MHD_Result on_body_part(const cmw_mhd *mhd, struct request *req, cmw_str part)
{
    if (!req->is_refused) {
        const int is_through = feed(req, part, 0);
        return is_through < 0                       ? MHD_NO
               : is_through == 0 || req->is_refused ? MHD_YES
                                                    : await_body(req);
    }
    req->drained_bytes += part.len;
    return req->drained_bytes <= mhd->config.drain_bytes ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_body_end(const cmw_mhd *mhd, struct request *req)
{
    stop_awaiting(req);
    if (!req->is_refused && !req->is_fed &&
        cmw_request_content_length(cmw_ctx_request(req->ctx)) != 0) {
        req->is_fed = 1;
        if (cmw_request_content_length(cmw_ctx_request(req->ctx)) == CMW_LENGTH_UNKNOWN)
            cmw__mhd_receive_trailers(req);
        const int is_through = feed(req, CMW_STR(""), 1);
        if (is_through <= 0)
            return is_through == 0 ? MHD_YES : MHD_NO;
    }
    if (!req->is_refused && !req->is_handled) {
        req->is_handled = 1;
        cmw__wait_catch_up(req->seat);
        if (!cmw_ctx_is_cancelled(req->ctx) && mhd->handler(mhd->handler_self, req->ctx) != 0)
            cmw_ctx_fail(req->ctx, MHD_HTTP_INTERNAL_SERVER_ERROR);
    }
    return cmw__mhd_answer(req, 0);
}

/* More of the body has come, or its end: 1 if that is too late. */
static int is_late(struct request *req)
{
    cmw__wait_catch_up(req->seat);
    return req->has_gone_on;
}

enum MHD_Result cmw_mhd_on_request(void *self, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload_data,
                                   size_t *upload_data_size, void **request_data)
{
    cmw_mhd *mhd = self;
    struct request *req = *request_data;

    (void)url;
    if (!req || !req->ctx) {
        if (cmw__watch_is_on(&mhd->seats.watch) && cmw__watch_head(connection) != MHD_YES)
            return MHD_NO;
        return req ? on_head(mhd, req, method, version) : queue_overload_by_spare(mhd, connection);
    }
    if (req->is_waiting) { /* the call in which it was suspended is made again */
        if (!cmw__wait_look(req))
            return MHD_YES;
        if (req->is_in_head)
            return leave_head(mhd, req, req->next_step);
        if (req->is_in_body) {
            const int is_through = leave_body(req, req->next_step);
            if (is_through <= 0)
                return is_through == 0 ? MHD_YES : MHD_NO;
            if (!req->is_refused && !req->is_fed && await_body(req) != MHD_YES)
                return MHD_NO;
        } else {
            if (req->next_step != CMW_TO_RESPOND)
                return MHD_NO;
            req->is_final = 1;
        }
    }
    if (req->is_awaiting && !req->is_refused && is_late(req))
        return cmw__mhd_send_late(req);
    if (*upload_data_size == 0)
        return on_body_end(mhd, req);
    const size_t len = *upload_data_size;
    const cmw_str part = cmw_str_make(upload_data + req->shown_bytes, len - req->shown_bytes);
    req->shown_bytes = 0;
    *upload_data_size = 0;
    if (part.len == 0)
        return MHD_YES;
    const enum MHD_Result result = on_body_part(mhd, req, part);
    /* A byte stays behind while it waits, or libmicrohttpd would not call again before the client
     * sends more: nobody would run what the worker was woken for. */
    if (result == MHD_YES && req->is_waiting && req->is_in_body)
        *upload_data_size = req->shown_bytes = 1;
    return result;
}

/* ---- The end ----------------------------------------------------------------------------- */

static cmw_end_reason end_reason(const struct request *req, enum MHD_RequestTerminationCode code)
{
    switch (code) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        return req->is_queued ? CMW_END_SENT : CMW_END_ERROR;
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return CMW_END_DEADLINE;
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return CMW_END_SHUTDOWN;
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        return CMW_END_CLIENT_GONE;
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
        /* Past our part, only the connection can have failed. */
        return req->is_queued ? CMW_END_CLIENT_GONE : CMW_END_ERROR;
    }
    return CMW_END_ERROR;
}

static void end_request(cmw_mhd *mhd, struct request *req, enum MHD_RequestTerminationCode code)
{
    cmw_worker *const worker = req->seat->worker;

    cmw__wait_leave(req);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        end_silence(req);
    if (req->ctx)
        cmw_ctx_end(req->ctx, end_reason(req, code));
    cmw_worker_idle(worker); /* what is still in flight keeps its plan */
    if (!cmw__watch_is_on(&mhd->seats.watch) && cmw_worker_head_ms(worker) != 0)
        cmw__watch_begin(&mhd->seats);
    cmw__seats_close_request(req);
}

/* Also called for a request that never got as far as the access handler: then there is no context.
 */
static void on_completed(void *self, struct MHD_Connection *connection, void **request_data,
                         enum MHD_RequestTerminationCode code)
{
    cmw_mhd *mhd = self;

    if (*request_data)
        end_request(mhd, *request_data, code);
    *request_data = NULL;
    if (cmw__watch_is_on(&mhd->seats.watch) && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        cmw__watch_next(connection);
}

struct MHD_Connection *cmw_mhd_connection(cmw_ctx *ctx)
{
    const struct request *req = cmw_ctx_host_data(ctx);

    return req ? req->connection : NULL;
}

/* ---- The adapter ------------------------------------------------------------------------- */

static int read_config(cmw_mhd_config *out, const cmw_mhd_config *config)
{
    cmw_mhd_config_init(out);
    if (!config)
        return 0;
    if (config->size > sizeof *out)
        return CMW_ERR_VERSION;
    memcpy(out, config, config->size);
    out->size = sizeof *out;
    return 0;
}

static void fill_options(cmw_mhd *mhd)
{
    mhd->options[0].option = MHD_OPTION_URI_LOG_CALLBACK;
    mhd->options[0].value = (intptr_t)on_target;
    mhd->options[0].ptr_value = mhd;
    mhd->options[1].option = MHD_OPTION_NOTIFY_COMPLETED;
    mhd->options[1].value = (intptr_t)on_completed;
    mhd->options[1].ptr_value = mhd;
    mhd->options[2].option = MHD_OPTION_NOTIFY_CONNECTION;
    mhd->options[2].value = (intptr_t)cmw__watch_notify;
    mhd->options[2].ptr_value = &mhd->seats;
    mhd->options[3].option = MHD_OPTION_END;
    mhd->options[3].value = 0;
    mhd->options[3].ptr_value = NULL;
}

int cmw_mhd_create(cmw_mhd **out, cmw_engine *engine, cmw_mhd_handler_fn *handler, void *self,
                   const cmw_mhd_config *config)
{
    if (!out || !engine || !handler)
        return CMW_ERR_ARG;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    cmw_mhd *mhd = cmw_pool_alloc(pool, sizeof *mhd, 0);
    if (!mhd)
        return CMW_ERR_NOMEM;
    mhd->handler = handler;
    mhd->handler_self = self;
    fill_options(mhd);

    int rc = read_config(&mhd->config, config);
    if (rc != 0)
        goto fail;
    rc = cmw_engine_attach_host(engine, &host, NULL);
    if (rc != 0)
        goto fail;
    rc = cmw__seats_init(&mhd->seats, engine, &host);
    if (rc != 0)
        goto fail;
    *out = mhd;
    return 0;

fail:
    cmw_pool_free(pool, mhd, sizeof *mhd, 0);
    return rc;
}

void cmw_mhd_destroy(cmw_mhd *mhd)
{
    if (!mhd)
        return;
    cmw_pool *pool = mhd->seats.scratch_pool;
    cmw__seats_deinit(&mhd->seats);
    cmw_pool_free(pool, mhd, sizeof *mhd, 0);
}

void cmw_mhd_give_up_waiting(cmw_mhd *mhd)
{
    cmw__wait_stop(&mhd->seats);
}

const cmw_host *cmw_mhd_host(void)
{
    return &host;
}

struct MHD_OptionItem *cmw_mhd_options(cmw_mhd *mhd)
{
    return mhd->options;
}
