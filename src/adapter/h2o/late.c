/* SPDX-License-Identifier: MIT */
/*
 * Heads that come too slowly, over HTTP/1.
 *
 * H2O lets one walk over the requests of its connections, also over those whose head is not whole.
 * It writes down when the first byte of a head came, and the version once it has parsed it: what
 * has the one and lacks the other is still coming. There is nothing of ours to keep for each
 * connection, and nothing that could be left behind.
 */
#include "state.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

/* The loop, and not the client, is slow: it has not read what is there. */
static int has_unread(int socket)
{
    int bytes = 0;

    return ioctl(socket, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* H2O's next read says that the connection is closed; who goes on sending is told so. */
static void end_connection(h2o_socket_t *socket, cmw_worker *worker)
{
    const int fd = h2o_socket_get_fd(socket);

    if (!has_unread(fd) && shutdown(fd, SHUT_RDWR) == 0) /* else it has ended by itself */
        cmw_worker_count_late_head(worker);
}

struct look {
    cmw_worker *worker;
    struct timeval now;
    int64_t limit_us;
};

static int look_at(h2o_req_t *req, void *data)
{
    const struct look *look = data;
    struct timeval *const begin = &req->timestamps.request_begin_at;
    struct timeval now = look->now;

    if (begin->tv_sec != 0 && req->version == 0 &&
        h2o_timeval_subtract(begin, &now) >= look->limit_us)
        end_connection(req->conn->callbacks->get_socket(req->conn), look->worker);
    return 0;
}

void cmw__h2o_end_late_heads(struct loop *loop)
{
    const uint64_t ms = cmw_worker_head_ms(loop->worker);
    h2o_context_t *const context = loop->context;
    struct look look;

    if (ms == 0)
        return;
    look.worker = loop->worker;
    look.now = *h2o_get_timestamp(context, NULL, NULL);
    look.limit_us = (int64_t)(ms * 1000);
    (void)context->globalconf->http1.callbacks.foreach_request(context, look_at, &look);
}
