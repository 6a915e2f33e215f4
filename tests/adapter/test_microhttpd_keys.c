/* SPDX-License-Identifier: MIT */
/*
 * idempotency_key under libmicrohttpd, in each way in which it can serve: repeats of a request that
 * is being handled, told to come again or waiting for its answer.
 */
#include "microhttpd_waits.h"

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

    open_server_with(&server, mode, 0, KEYS);
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

    open_server_with(&server, mode, 0, KEYS);
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

    open_server_with(&server, mode, 30, KEYS);
    const int client = connect_to(&server);
    pay(client, "/wait-body", 1, "12345");
    assert_int_equal(answer(client, body, sizeof body), 503);
    pay(client, "/wait-body", 1, "12345");
    assert_int_equal(answer(client, body, sizeof body), 503); /* not 409 */
    close(client);
    close_server(&server);
}

/* The same where they may wait: nobody is told to come again, and all get the one answer. */
static void check_repeats_that_wait(void **state)
{
    enum { CLIENTS = 8, ROUNDS = 20 };
    const struct mode *mode = *state;
    struct server server;
    int clients[CLIENTS];
    char body[512];

    open_server_with(&server, mode, 0, KEYS_THAT_WAIT);
    const int other = connect_to(&server);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(&server);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const unsigned handled = atomic_load(&server.handled);
        for (int i = 0; i < CLIENTS; i++)
            pay(clients[i], "/wait-body", round, "12345");
        release_by_request(&server, other, 1);
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal(answer(clients[i], body, sizeof body), 200);
            assert_string_equal(body, "5");
        }
        assert_true(atomic_load(&server.handled) > handled);
        pay(other, "/wait-body", round, "another");
        assert_int_equal(answer(other, body, sizeof body), 422);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(other);
    close_server(&server);
}

int main(void)
{
    static const struct check checks[] = {
        {"beside repeats with its key", check_repeats},
        {"repeats at once", check_repeats_at_once},
        {"repeats that wait", check_repeats_that_wait},
        {"given up with its key", check_given_up},
    };
    return run_checks("libmicrohttpd: keys", checks, LEN(checks));
}
