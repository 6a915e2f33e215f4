/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait under libmicrohttpd, in each way in which it can serve: they go on when
 * another request says so, when their deadline passes, and when the server stops.
 *
 *     /wait, /wait-post   suspend in pre_route, in post_route
 *     /wait-piece         suspends with the first piece of its body
 *     /wait-body          suspends when the body is there, behind idempotency_key
 *     /release            resumes all that wait; says how many
 */
#include <catzilla/adapter/microhttpd.h>

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

struct server {
    cmw_engine *engine;
    cmw_mhd *mhd;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* of what follows */
    cmw_token tokens[TOKEN_CAP];
    unsigned token_count;
    atomic_uint begun;
    atomic_uint handled;
    int has_keys;
    atomic_int has_waited; /* with a piece of a body */
};

/* ---- Middleware and handler -------------------------------------------------------------- */

static int wait_if(struct server *server, cmw_ctx *ctx, const char *path)
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

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct server *server = self;

    atomic_fetch_add(&server->begun, 1);
    return wait_if(server, ctx, "/wait");
}

static int on_request_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)chunk;
    return wait_if(self, ctx, "/wait-body");
}

static int on_piece(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct server *server = self;

    if (chunk->is_last || atomic_exchange(&server->has_waited, 1))
        return CMW_CONTINUE;
    return wait_if(server, ctx, "/wait-piece");
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    return wait_if(self, ctx, "/wait-post");
}

/* Others run meanwhile, as they would beside callbacks that take their time. */
static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    (void)self;
    (void)ctx;
    (void)data;
    (void)sched_yield();
    return verdict;
}

static unsigned release(struct server *server)
{
    unsigned count = 0;

    pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->token_count; i++)
        count += cmw_resume(server->engine, server->tokens[i], CMW_CONTINUE, NULL) == 0;
    server->token_count = 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static int handle(void *self, cmw_ctx *ctx)
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

static void open_chain(struct server *server)
{
    cmw_chain *chain = NULL;
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
    if (server->has_keys) {
        mw.priority = 800; /* so that the key is claimed by then */
        mw.request_body = on_request_body;
        mw.body_demand = CMW_BODY_FULL;
        mw.suspend_phases |= 1u << CMW_PHASE_REQUEST_BODY;
        assert_int_equal(cmw_chain_use(chain, "idempotency_key", NULL, &diag), 0);
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

static void open_server_with(struct server *server, const struct mode *mode, uint64_t request_ms,
                             int has_keys)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cmw_engine_config config;

    memset(server, 0, sizeof *server);
    server->has_keys = has_keys;
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

static void open_server(struct server *server, const struct mode *mode, uint64_t request_ms)
{
    open_server_with(server, mode, request_ms, 0);
}

static void close_server(struct server *server)
{
    cmw_mhd_give_up_waiting(server->mhd);
    MHD_stop_daemon(server->daemon);
    cmw_mhd_destroy(server->mhd);
    assert_int_equal(cmw_engine_destroy(server->engine), 0);
    pthread_mutex_destroy(&server->lock);
}

/* ---- The client ------------------------------------------------------------------------- */

static int connect_to(const struct server *server)
{
    const uint16_t port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int client = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static void say(int client, const char *text)
{
    assert_int_equal(write(client, text, strlen(text)), strlen(text));
}

static void ask(int client, const char *path)
{
    char text[256];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    say(client, text);
}

/* One answer with a Content-Length: its status; the body, NUL-terminated. */
static int answer(int client, char *body, size_t cap)
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
static void release_by_request(const struct server *server, int client, unsigned count)
{
    char body[512];

    (void)server;
    for (unsigned released = 0; released < count;) {
        ask(client, "/release");
        assert_int_equal(answer(client, body, sizeof body), 200);
        released += (unsigned)strtoul(body, NULL, 10);
    }
}

/* ---- Tests ------------------------------------------------------------------------------ */

static void check_release(void **state)
{
    enum { CLIENTS = 8 };
    static const char *const paths[] = {"/wait", "/wait-post"};
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 0);
    const int other = connect_to(&server);
    for (size_t p = 0; p < LEN(paths); p++) {
        int clients[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = connect_to(&server);
            ask(clients[i], paths[p]);
        }
        release_by_request(&server, other, CLIENTS);
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal(answer(clients[i], body, sizeof body), 200);
            ask(clients[i], "/"); /* the connection goes on */
            assert_int_equal(answer(clients[i], body, sizeof body), 200);
            close(clients[i]);
        }
    }
    close(other);
    close_server(&server);
}

/* The body that came meanwhile is whole. */
static void check_body(void **state)
{
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 0);
    const int client = connect_to(&server);
    const int other = connect_to(&server);
    say(client, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    release_by_request(&server, other, 1);
    say(client, "67890");
    assert_int_equal(answer(client, body, sizeof body), 200);
    assert_string_equal(body, "10");
    close(client);
    close(other);
    close_server(&server);
}

static void check_deadline(void **state)
{
    static const char *const paths[] = {"/wait", "/wait-post"};
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 30);
    for (size_t p = 0; p < LEN(paths); p++) {
        const int client = connect_to(&server);
        ask(client, paths[p]);
        assert_int_equal(answer(client, body, sizeof body), 503);
        close(client);
    }
    close_server(&server);
}

/* A request is given up on time while nothing of it waits but its body. */
static void check_slow_body(void **state)
{
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 30);
    const int client = connect_to(&server);
    say(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    while (atomic_load(&server.begun) == 0)
        (void)sched_yield();
    const int later = connect_to(&server);
    ask(later, "/wait");
    assert_int_equal(answer(later, body, sizeof body), 503); /* so the first is past its time */
    say(client, "67890");
    assert_int_equal(answer(client, body, sizeof body), 503);
    assert_int_equal(atomic_load(&server.handled), 0);
    close(client);
    close(later);
    close_server(&server);
}

static void check_stop(void **state)
{
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 0);
    const int client = connect_to(&server);
    ask(client, "/wait");
    cmw_mhd_give_up_waiting(server.mhd);
    assert_int_equal(answer(client, body, sizeof body), 503);
    close(client);
    close_server(&server);
}

/* A client that leaves while it waits is found out when the request goes on, and nothing leaks. */
static void check_gone(void **state)
{
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 0);
    const int client = connect_to(&server);
    const int other = connect_to(&server);
    ask(client, "/wait");
    close(client);
    release_by_request(&server, other, 1);
    ask(other, "/");
    assert_int_equal(answer(other, body, sizeof body), 200);
    close(other);
    close_server(&server);
}

/* Until so many have suspended, and the thread that did it has gone on: an answer on `other`. */
static void await_waiting(struct server *server, int other, unsigned count)
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

/* The connection that a wake chose may be found broken before it is asked: then others are. */
static void check_reset(void **state)
{
    enum { CLIENTS = 8 };
    const struct linger at_once = {1, 0};
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server(&server, mode, 0);
    const int other = connect_to(&server);
    for (int broken = 0; broken < CLIENTS; broken++) {
        int clients[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = connect_to(&server);
            ask(clients[i], "/wait");
            await_waiting(&server, other, (unsigned)i + 1);
        }
        assert_int_equal(
            setsockopt(clients[broken], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(clients[broken]);
        assert_true(release(&server) >= CLIENTS - 1); /* it may have been noticed already */
        for (int i = 0; i < CLIENTS; i++) {
            if (i == broken)
                continue;
            assert_int_equal(answer(clients[i], body, sizeof body), 200);
            close(clients[i]);
        }
    }
    close(other);
    close_server(&server);
}

static void pay(int client, const char *path, unsigned key, const char *body)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \"%u\"\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   path, key, strlen(body), body);
    say(client, text);
}

/* While a request with a key is being handled its repeats are told so; then they get its answer. */
static void check_repeats(void **state)
{
    enum { CLIENTS = 8 };
    const struct mode *mode = *state;
    struct server server;
    int clients[CLIENTS];
    char body[512];

    open_server_with(&server, mode, 0, 1);
    const int first = connect_to(&server);
    const int other = connect_to(&server);
    pay(first, "/wait-body", 1, "12345");
    await_waiting(&server, other, 1);
    const unsigned handled = atomic_load(&server.handled);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&server);
        pay(clients[i], "/wait-body", 1, "12345");
        assert_int_equal(answer(clients[i], body, sizeof body), 409);
    }
    pay(other, "/wait-body", 1, "another");
    assert_int_equal(answer(other, body, sizeof body), 422);
    assert_int_equal(atomic_load(&server.handled), handled);
    release_by_request(&server, other, 1);
    assert_int_equal(answer(first, body, sizeof body), 200);
    assert_string_equal(body, "5");
    const unsigned after = atomic_load(&server.handled);
    for (int i = 0; i < CLIENTS; i++) {
        pay(clients[i], "/wait-body", 1, "12345");
        assert_int_equal(answer(clients[i], body, sizeof body), 200);
        assert_string_equal(body, "5");
        close(clients[i]);
    }
    assert_int_equal(atomic_load(&server.handled), after);
    close(first);
    close(other);
    close_server(&server);
}

/* Of many that come at once, whatever the server does with them, one is handled. */
static void check_repeats_at_once(void **state)
{
    enum { CLIENTS = 8, ROUNDS = 50 };
    const struct mode *mode = *state;
    struct server server;
    int clients[CLIENTS];
    char body[512];

    open_server_with(&server, mode, 0, 1);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(&server);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned answered = 0;
        for (int i = 0; i < CLIENTS; i++)
            pay(clients[i], "/", round, "123");
        for (int i = 0; i < CLIENTS; i++) {
            const int status = answer(clients[i], body, sizeof body);
            assert_true(status == 200 || status == 409);
            answered += status == 200;
        }
        assert_true(answered > 0);
        assert_int_equal(atomic_load(&server.handled), round + 1);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close_server(&server);
}

/* Whose request is given up frees its key: the next one is handled. */
static void check_given_up(void **state)
{
    const struct mode *mode = *state;
    struct server server;
    char body[512];

    open_server_with(&server, mode, 30, 1);
    const int client = connect_to(&server);
    pay(client, "/wait-body", 1, "12345");
    assert_int_equal(answer(client, body, sizeof body), 503);
    pay(client, "/wait-body", 1, "12345");
    assert_int_equal(answer(client, body, sizeof body), 503); /* not 409 */
    close(client);
    close_server(&server);
}

static void await_tokens(struct server *server, unsigned count)
{
    unsigned found = 0;

    while (found < count) {
        pthread_mutex_lock(&server->lock);
        found = server->token_count;
        pthread_mutex_unlock(&server->lock);
        (void)sched_yield();
    }
}

/* The wake goes to the upload that waited last. Its client sends nothing more, so libmicrohttpd has
 * no reason of its own to call the handler: the others must go on all the same. */
static void check_silent_upload(void **state)
{
    enum { OTHERS = 3 };
    const struct mode *mode = *state;
    struct server server;
    int others[OTHERS];
    char body[512];

    open_server(&server, mode, 0);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = connect_to(&server);
        ask(others[i], "/wait");
    }
    await_tokens(&server, OTHERS);
    const int client = connect_to(&server);
    say(client, "POST /wait-piece HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    await_tokens(&server, OTHERS + 1);
    assert_int_equal(release(&server), OTHERS + 1); /* from this thread, not from a handler */
    for (int i = 0; i < OTHERS; i++) {
        assert_int_equal(answer(others[i], body, sizeof body), 200);
        close(others[i]);
    }
    say(client, "67890");
    assert_int_equal(answer(client, body, sizeof body), 200);
    assert_string_equal(body, "10");
    close(client);
    close_server(&server);
}

struct releaser {
    struct server *server;
    atomic_int is_ending;
};

static void *release_always(void *argument)
{
    struct releaser *releaser = argument;

    while (!atomic_load(&releaser->is_ending))
        if (release(releaser->server) == 0)
            (void)sched_yield();
    return NULL;
}

/* Resumes that come while others are handed over: none is left lying. */
static void check_churn(void **state)
{
    enum { CLIENTS = 16, ROUNDS = 100 };
    static const char *const paths[] = {"/wait", "/wait-post"};
    const struct mode *mode = *state;
    struct server server;
    struct releaser releaser = {&server, 0};
    pthread_t thread;
    int clients[CLIENTS];
    char body[512];

    open_server(&server, mode, 0);
    assert_int_equal(pthread_create(&thread, NULL, release_always, &releaser), 0);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(&server);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++)
            ask(clients[i], paths[(i + round) % 2]);
        for (int i = 0; i < CLIENTS; i++)
            assert_int_equal(answer(clients[i], body, sizeof body), 200);
    }
    atomic_store(&releaser.is_ending, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close_server(&server);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*check)(void **state);
    } checks[] = {{"released", check_release},
                  {"with a body", check_body},
                  {"past its deadline", check_deadline},
                  {"past its deadline before its body is there", check_slow_body},
                  {"when the server stops", check_stop},
                  {"left by its client", check_gone},
                  {"beside one that breaks", check_reset},
                  {"beside repeats with its key", check_repeats},
                  {"repeats at once", check_repeats_at_once},
                  {"given up with its key", check_given_up},
                  {"beside an upload that goes silent", check_silent_upload},
                  {"resumed by a thread without rest", check_churn}};
    struct CMUnitTest tests[LEN(modes) * LEN(checks)];
    static char names[LEN(modes) * LEN(checks)][80];

    for (size_t i = 0; i < LEN(tests); i++) {
        const struct mode *mode = &modes[i / LEN(checks)];
        (void)snprintf(names[i], sizeof names[i], "%s: %s", mode->name,
                       checks[i % LEN(checks)].name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = checks[i % LEN(checks)].check,
                                       .initial_state = (void *)(uintptr_t)mode};
    }
    return cmocka_run_group_tests_name("libmicrohttpd: waiting", tests, NULL, NULL);
}
