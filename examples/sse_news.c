/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events: who listens gets what anyone posts.
 *
 *     ./sse_news 127.0.0.1:8080
 *     curl -N http://127.0.0.1:8080/events                        listens
 *     curl -d 'the cat is fed' http://127.0.0.1:8080/news         tells all who do
 *     curl http://127.0.0.1:8080/listeners                        how many there are
 *
 * In a browser: new EventSource("/events"). One that comes back tells the last event that it saw by
 * Last-Event-ID.
 */
#include <catzilla/adapter/microhttpd.h>
#include <catzilla/component/sse.h>
#include <catzilla/mw.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LISTENERS = 64 };

struct room {
    pthread_mutex_t lock;
    cmw_sse *listeners[LISTENERS];
    size_t count;
    unsigned long last_id;
};

/* GET /events: the stream outlives this call; it is kept until its client has left. */
static int listen_to(struct room *room, cmw_ctx *ctx)
{
    cmw_sse_config config;
    cmw_sse *stream;

    cmw_sse_config_init(&config);
    config.buffer_bytes = 4096; /* who is further behind is cut off, and may come back */
    config.heartbeat_ms = 1000; /* finds clients that have left, and keeps proxies from ending it */
    config.retry_ms = 2000;
    if (room->count == LISTENERS)
        return cmw_response_text(cmw_ctx_response(ctx), 503, CMW_STR("too many listen"));
    const int rc = cmw_sse_open(ctx, &stream, &config);
    if (rc == 0)
        room->listeners[room->count++] = stream;
    return rc;
}

/* Those whose clients have left, or were cut off. */
static void forget_the_gone(struct room *room)
{
    size_t kept = 0;

    for (size_t i = 0; i < room->count; i++)
        if (cmw_sse_has_ended(room->listeners[i]))
            cmw_sse_release(room->listeners[i]);
        else
            room->listeners[kept++] = room->listeners[i];
    room->count = kept;
}

/* POST /news. */
static int tell_all(struct room *room, cmw_ctx *ctx)
{
    char id[24];
    cmw_sse_event event = {CMW_STR(""), CMW_STR("news"), CMW_STR("")};

    (void)snprintf(id, sizeof id, "%lu", ++room->last_id);
    event.id = cmw_str_cstr(id);
    event.data = cmw_request_body(cmw_ctx_request(ctx));
    for (size_t i = 0; i < room->count; i++)
        (void)!cmw_sse_send(room->listeners[i], &event); /* who cannot take it is seen as gone */
    return cmw_response_text(cmw_ctx_response(ctx), 202, CMW_STR("told\n"));
}

static int count_listeners(const struct room *room, cmw_ctx *ctx)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu\n", room->count);
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_cstr(text));
}

static int handle(void *self, cmw_ctx *ctx)
{
    struct room *room = self;
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    int rc;

    pthread_mutex_lock(&room->lock); /* the server may have several threads */
    forget_the_gone(room);
    if (cmw_str_equals(path, CMW_STR("/events")))
        rc = listen_to(room, ctx);
    else if (cmw_str_equals(path, CMW_STR("/news")))
        rc = tell_all(room, ctx);
    else
        rc = count_listeners(room, ctx);
    pthread_mutex_unlock(&room->lock);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const ready[] = {"request_id", "security_headers"};
    struct room room = {.lock = PTHREAD_MUTEX_INITIALIZER};
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = cmw_chain_create(engine, &chain, 0)) == 0 &&
        (rc = cmw_chain_use_builtins(chain, ready, 2, &diag)) == 0 &&
        (rc = cmw_chain_install(chain, &diag)) == 0)
        rc = cmw_mhd_serve(engine, argc > 1 ? argv[1] : "127.0.0.1:0", handle, &room, &diag);
    if (rc != 0)
        fprintf(stderr, "sse_news: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    for (size_t i = 0; i < room.count; i++)
        cmw_sse_release(room.listeners[i]);
    cmw_chain_destroy(chain);
    cmw_engine_destroy(engine);
    return rc != 0;
}
