/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait under libmicrohttpd, in each way in which it can serve: they go on when
 * another request says so, when their deadline passes, and when the server stops.
 */
#include "microhttpd_waits.h"

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
    static const struct check checks[] = {
        {"released", check_release},
        {"with a body", check_body},
        {"past its deadline", check_deadline},
        {"past its deadline before its body is there", check_slow_body},
        {"when the server stops", check_stop},
        {"left by its client", check_gone},
        {"beside one that breaks", check_reset},
        {"beside an upload that goes silent", check_silent_upload},
        {"resumed by a thread without rest", check_churn},
    };
    return run_checks("libmicrohttpd: waiting", checks, LEN(checks));
}
