/* SPDX-License-Identifier: MIT */
/*
 * A libmicrohttpd whose requests wait, in each way in which it can serve, and its clients.
 *
 *     /wait, /wait-post   suspend in pre_route, in post_route
 *     /wait-piece         suspends with the first piece of its body
 *     /wait-body          suspends when the body is there, behind idempotency_key
 *     /release            resumes all that wait; says how many
 */
#ifndef CMW_TESTS_MICROHTTPD_WAITS_H
#define CMW_TESTS_MICROHTTPD_WAITS_H

#include <catzilla/adapter/microhttpd.h>
#include <catzilla/builtin/idempotency_key.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

enum { TOKEN_CAP = 64 };

/* Whether idempotency_key stands before what waits, and lets repeats wait. */
enum keys { NO_KEYS, KEYS, KEYS_THAT_WAIT };

struct server {
    cmw_engine *engine;
    cmw_mhd *mhd;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* of what follows */
    cmw_token tokens[TOKEN_CAP];
    unsigned token_count;
    atomic_uint begun;
    atomic_uint handled;
    enum keys keys;
    atomic_int has_waited; /* with a piece of a body */
};

/* ---- Middleware and handler -------------------------------------------------------------- */

static inline int wait_if(struct server *server, cmw_ctx *ctx, const char *path)
{
    cmw_token token;

    if (!cmw_str_equals(cmw_request_path(cmw_ctx_request(ctx)), cmw_str_cstr(path)))
        return CMW_CONTINUE;
    if (cmw_ctx_suspend(ctx, &token) != 0)
        return CMW_ERROR;
    pthread_mutex_lock(&server->lock);
    if (server->token_count == TOKEN_CAP)
        abort();
    server->tokens[server->token_count++] = token;
    pthread_mutex_unlock(&server->lock);
    return CMW_SUSPEND;
}

static inline int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct server *server = self;

    atomic_fetch_add(&server->begun, 1);
    return wait_if(server, ctx, "/wait");
}

static inline int on_request_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)chunk;
    return wait_if(self, ctx, "/wait-body");
}

static inline int on_piece(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct server *server = self;

    if (chunk->is_last || atomic_exchange(&server->has_waited, 1))
        return CMW_CONTINUE;
    return wait_if(server, ctx, "/wait-piece");
}

static inline int on_post_route(void *self, cmw_ctx *ctx)
{
    return wait_if(self, ctx, "/wait-post");
}

/* Others run meanwhile, as they would beside callbacks that take their time. */
static inline int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    (void)self;
    (void)ctx;
    (void)data;
    (void)sched_yield();
    return verdict;
}

static inline unsigned release(struct server *server)
{
    unsigned count = 0;

    pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->token_count; i++)
        count += cmw_resume(server->engine, server->tokens[i], CMW_CONTINUE, NULL) == 0;
    server->token_count = 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline int handle(void *self, cmw_ctx *ctx)
{
    struct server *server = self;
    cmw_request *request = cmw_ctx_request(ctx);
    char text[64];

    atomic_fetch_add(&server->handled, 1);
    if (cmw_str_equals(cmw_request_path(request), CMW_STR("/release")))
        (void)snprintf(text, sizeof text, "%u", release(server));
    else
        (void)snprintf(text, sizeof text, "%zu", cmw_request_body(request).len);
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_cstr(text));
}

/* ---- The server ------------------------------------------------------------------------- */

struct mode {
    const char *name;
    unsigned flags;
    unsigned pool; /* threads; 0: as the flags say */
};

static const struct mode modes[] = {
    {"epoll", MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0},
    {"poll", MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0},
    {"a pool of four", MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 4},
    {"a thread for each connection",
     MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0},
};

static inline void open_chain(struct server *server)
{
    cmw_chain *chain = NULL;
    cmw_idempotency_key_config config;
    cmw_middleware mw;
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_create(server->engine, &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "waits";
    mw.self = server;
    mw.pre_route = on_pre_route;
    mw.post_route = on_post_route;
    mw.resumed = on_resumed;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE | 1u << CMW_PHASE_POST_ROUTE;
    if (server->keys != NO_KEYS) {
        mw.priority = 800; /* so that the key is claimed by then */
        mw.request_body = on_request_body;
        mw.body_demand = CMW_BODY_FULL;
        mw.suspend_phases |= 1u << CMW_PHASE_REQUEST_BODY;
        cmw_idempotency_key_config_init(&config);
        config.max_wait_ms = server->keys == KEYS_THAT_WAIT ? 60000 : 0;
        assert_int_equal(cmw_chain_use(chain, "idempotency_key", &config, &diag), 0);
    } else {
        mw.request_body = on_piece;
        mw.body_demand = CMW_BODY_CHUNKS;
        mw.suspend_phases |= 1u << CMW_PHASE_REQUEST_BODY;
    }
    assert_int_equal(cmw_chain_add(chain, &mw, &diag), 0);
    if (cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
}

static inline void open_server_with(struct server *server, const struct mode *mode,
                                    uint64_t request_ms, enum keys keys)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cmw_engine_config config;

    memset(server, 0, sizeof *server);
    server->keys = keys;
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    cmw_engine_config_init(&config);
    config.limits.request_ms = request_ms;
    assert_int_equal(cmw_engine_create(&server->engine, &config), 0);
    assert_int_equal(cmw_mhd_create(&server->mhd, server->engine, handle, server, NULL), 0);
    open_chain(server);
    server->daemon =
        MHD_start_daemon(mode->flags, 0, NULL, NULL, cmw_mhd_on_request, server->mhd,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, mode->pool,
                         MHD_OPTION_ARRAY, cmw_mhd_options(server->mhd), MHD_OPTION_END);
    assert_non_null(server->daemon);
}

static inline void open_server(struct server *server, const struct mode *mode, uint64_t request_ms)
{
    open_server_with(server, mode, request_ms, NO_KEYS);
}

static inline void close_server(struct server *server)
{
    cmw_mhd_give_up_waiting(server->mhd);
    MHD_stop_daemon(server->daemon);
    cmw_mhd_destroy(server->mhd);
    assert_int_equal(cmw_engine_destroy(server->engine), 0);
    pthread_mutex_destroy(&server->lock);
}

/* ---- The client ------------------------------------------------------------------------- */

static inline int connect_to(const struct server *server)
{
    const uint16_t port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int client = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static inline void say(int client, const char *text)
{
    assert_int_equal(write(client, text, strlen(text)), strlen(text));
}

static inline void ask(int client, const char *path)
{
    char text[256];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    say(client, text);
}

/* One answer with a Content-Length: its status; the body, NUL-terminated. */
static inline int answer(int client, char *body, size_t cap)
{
    char text[2048];
    size_t len = 0;
    const char *head_end = NULL, *field = NULL;
    int status = 0;

    for (;;) {
        const ssize_t got = read(client, text + len, sizeof text - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
        head_end = strstr(text, "\r\n\r\n");
        field = strstr(text, "Content-Length: ");
        if (head_end && field && strlen(head_end + 4) >= strtoul(field + 16, NULL, 10))
            break;
    }
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    (void)snprintf(body, cap, "%s", head_end + 4);
    return status;
}

/* Ask for the release until as many wait as are to. */
static inline void release_by_request(const struct server *server, int client, unsigned count)
{
    char body[512];

    (void)server;
    for (unsigned released = 0; released < count;) {
        ask(client, "/release");
        assert_int_equal(answer(client, body, sizeof body), 200);
        released += (unsigned)strtoul(body, NULL, 10);
    }
}

/* Until so many have suspended, and the thread that did it has gone on: an answer on `other`. */
static inline void await_waiting(struct server *server, int other, unsigned count)
{
    char body[512];

    for (unsigned have = 0; have < count;) {
        ask(other, "/");
        assert_int_equal(answer(other, body, sizeof body), 200);
        pthread_mutex_lock(&server->lock);
        have = server->token_count;
        pthread_mutex_unlock(&server->lock);
    }
}

/* ---- The tests' main function ------------------------------------------------------------ */

struct check {
    const char *name;
    void (*check)(void **state); /* its state: a struct mode */
};

enum { CHECKS_MOST = 16 };

/* Each of them in each mode. */
static inline int run_checks(const char *group, const struct check *checks, size_t count)
{
    static struct CMUnitTest tests[LEN(modes) * CHECKS_MOST];
    static char names[LEN(modes) * CHECKS_MOST][80];

    assert_true(count <= CHECKS_MOST);
    for (size_t i = 0; i < LEN(modes) * count; i++) {
        const struct mode *mode = &modes[i / count];
        (void)snprintf(names[i], sizeof names[i], "%s: %s", mode->name, checks[i % count].name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = checks[i % count].check,
                                       .initial_state = (void *)(uintptr_t)mode};
    }
    return _cmocka_run_group_tests(group, tests, LEN(modes) * count, NULL, NULL);
}

#endif /* CMW_TESTS_MICROHTTPD_WAITS_H */
