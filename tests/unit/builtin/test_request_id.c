/* SPDX-License-Identifier: MIT */
/* request_id: what is made, what is kept, what is refused. */
#include "builtin_fixture.h"

#include <catzilla/builtin/request_id.h>

#include <sys/wait.h>
#include <unistd.h>

#define HEX "0123456789abcdef"

static int is_hex(const char *id)
{
    return id && strlen(id) == 32 && strspn(id, HEX) == 32;
}

/* A UUID of version 7 with the variant of RFC 9562. */
static int is_generated(const char *id)
{
    return id && strlen(id) == 36 && strspn(id, HEX) == 8 && id[8] == '-' &&
           strspn(id + 9, HEX) == 4 && id[13] == '-' && id[14] == '7' &&
           strspn(id + 14, HEX) == 4 && id[18] == '-' && strchr("89ab", id[19]) &&
           strspn(id + 19, HEX) == 4 && id[23] == '-' && strspn(id + 24, HEX) == 12;
}

/* ---- What comes in ---------------------------------------------------------------------- */

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct row {
    const char *name;
    const char *incoming;
    int trust;
    int is_kept;
};

static const struct row rows[] = {
    {"an id is made when none comes", NULL, 1, 0},
    {"a stranger's id is replaced", "abc-123", 0, 0},
    {"a trusted id is kept", "abc-123", 1, 1},
    {"every allowed character is kept", "AZaz09._-=", 1, 1},
    {"a blank alone is replaced", " ", 1, 0},
    {"a path is replaced", "a/b", 1, 0},
    {"a lookup is replaced", "${jndi:x}", 1, 0},
    {"a list is replaced", "a,b", 1, 0},
    {"DEL is replaced", "a\x7f", 1, 0},
    {"64 characters are kept", A64, 1, 1},
    {"65 characters are replaced", A64 "a", 1, 0},
    {"an empty id is replaced", "", 1, 0},
    {"a blank inside is replaced", "a b", 1, 0},
    {"a line break is replaced", "a\r\nSet-Cookie: x=1", 1, 0},
    {"a quote is replaced", "a\"b", 1, 0},
    {"bytes above ASCII are replaced", "\xc3\xa9", 1, 0},
    {"a control byte is replaced", "a\x01", 1, 0},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_request_id_config config;

    cmw_request_id_config_init(&config);
    config.trust_incoming = row->trust;
    cmw_test *test = open_bench("request_id", &config);
    cmw_test_request(test, "GET", "/");
    if (row->incoming)
        cmw_test_header(test, "X-Request-ID", row->incoming);
    assert_int_equal(cmw_test_send(test), 200);
    const char *id = cmw_test_response_field(test, "X-Request-ID");
    assert_int_equal(cmw_test_response_count(test, "X-Request-ID"), 1);
    if (row->is_kept)
        assert_string_equal(id, row->incoming);
    else
        assert_true(is_generated(id));
    close_bench(test);
}

/* ---- What else it promises -------------------------------------------------------------- */

static void two_incoming_ids_are_replaced(void **state)
{
    cmw_request_id_config config;

    (void)state;
    cmw_request_id_config_init(&config);
    config.trust_incoming = 1;
    cmw_test *test = open_bench("request_id", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Request-ID", "one");
    cmw_test_header(test, "x-request-id", "two");
    cmw_test_send(test);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
}

enum { ID_CAP = 37 };

/* The id of one more request. */
static void next_id(cmw_test *test, char *id)
{
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    const char *field = cmw_test_response_field(test, "X-Request-ID");
    assert_true(field && strlen(field) < ID_CAP);
    memcpy(id, field, strlen(field) + 1);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ten_thousand_ids_of_hex_differ(void **state)
{
    enum { COUNT = 10000 };
    char(*ids)[ID_CAP] = malloc(COUNT * sizeof *ids);
    cmw_request_id_config config;

    (void)state;
    assert_non_null(ids);
    cmw_request_id_config_init(&config);
    config.format = CMW_REQUEST_ID_HEX;
    cmw_test *test = open_bench("request_id", &config);
    for (size_t i = 0; i < COUNT; i++) {
        next_id(test, ids[i]);
        assert_true(is_hex(ids[i]));
    }
    qsort(ids, COUNT, sizeof *ids, compare_ids);
    for (size_t i = 1; i < COUNT; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
    free(ids);
    close_bench(test);
}

/* The clock stands still and is moved by less than a ms: the counter runs over more than once. */
static void uuids_of_a_worker_ascend(void **state)
{
    char last[ID_CAP] = "";
    char id[ID_CAP];
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        next_id(test, id);
        assert_true(is_generated(id));
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
        if (i % 100 == 0)
            cmw_test_advance_ns(test, 100000);
    }
    close_bench(test);
}

static void a_uuid_begins_with_the_time(void **state)
{
    char id[ID_CAP];
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    next_id(test, id);
    assert_memory_equal(id, "019b76da-a800-7", 15); /* 2026-01-01T00:00:00Z */
    cmw_test_advance_ns(test, UINT64_C(1000000000));
    next_id(test, id);
    assert_memory_equal(id, "019b76da-abe8-7", 15); /* 1,000 ms later */
    close_bench(test);
}

static void install_again(cmw_test *test)
{
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", NULL, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
}

static void uuids_ascend_across_reloads(void **state)
{
    char last[ID_CAP] = "";
    char id[ID_CAP];
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        next_id(test, id);
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
        install_again(test);
    }
    close_bench(test);
}

/* The clock stands still, the worker and its counter are copied: only the random bits tell. */
static void a_forked_child_makes_other_ids(void **state)
{
    char ours[ID_CAP];
    char theirs[ID_CAP];
    int ends[2];
    int status = -1;
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    next_id(test, ours);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        next_id(test, theirs);
        const int is_sent = write(ends[1], theirs, sizeof theirs) == (ssize_t)sizeof theirs;
        close_bench(test);
        _exit(is_sent ? 0 : 1);
    }
    next_id(test, ours);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_not_equal(ours, theirs);
    close(ends[0]);
    close(ends[1]);
    close_bench(test);
}

/* ---- Whom it trusts --------------------------------------------------------------------- */

static const char *const proxies[] = {"10.0.0.0/8", "2001:db8::/32", "unix"};

struct peer_row {
    const char *name;
    const char *peer;
    int is_kept;
};

static const struct peer_row peer_rows[] = {
    {"a listed peer's id is kept", "10.1.2.3", 1},
    {"a listed IPv6 peer's id is kept", "2001:db8::7", 1},
    {"a mapped address of a listed peer is that peer", "::ffff:10.1.2.3", 1},
    {"another peer's id is replaced", "192.0.2.1", 0},
    {"another IPv6 peer's id is replaced", "2001:db9::1", 0},
};

static void check_peer(void **state)
{
    const struct peer_row *row = *state;
    cmw_request_id_config config;

    cmw_request_id_config_init(&config);
    config.trust_networks = proxies;
    config.trust_network_count = LEN(proxies);
    cmw_test *test = open_bench("request_id", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_peer(test, row->peer);
    cmw_test_header(test, "X-Request-ID", "abc");
    cmw_test_send(test);
    const char *id = cmw_test_response_field(test, "X-Request-ID");
    if (row->is_kept)
        assert_string_equal(id, "abc");
    else
        assert_true(is_generated(id));
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- Options ---------------------------------------------------------------------------- */

static void another_field_is_the_only_one_looked_at(void **state)
{
    static const char *const names[] = {"X-Correlation-Id", "Traceparent", "X-Trace"};

    (void)state;
    for (size_t i = 0; i < LEN(names); i++) {
        cmw_request_id_config config;
        cmw_request_id_config_init(&config);
        config.trust_incoming = 1;
        config.header = names[i];
        cmw_test *test = open_bench("request_id", &config);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "X-Request-ID", "abc");
        cmw_test_send(test);
        assert_true(is_generated(cmw_test_response_field(test, names[i])));
        assert_null(cmw_test_response_field(test, "X-Request-ID"));
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, names[i], "abc");
        cmw_test_send(test);
        assert_string_equal(cmw_test_response_field(test, names[i]), "abc");
        close_bench(test);
    }
}

static void max_length_bounds_what_is_kept(void **state)
{
    char long_id[301];
    cmw_request_id_config config;

    (void)state;
    memset(long_id, 'x', sizeof long_id);
    long_id[255] = '\0';
    cmw_request_id_config_init(&config);
    config.trust_incoming = 1;
    config.max_length = 255;
    cmw_test *test = open_bench("request_id", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Request-ID", long_id);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "X-Request-ID"), long_id);
    long_id[255] = 'x';
    long_id[256] = '\0';
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Request-ID", long_id);
    cmw_test_send(test);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
}

/* ---- What the handler sees -------------------------------------------------------------- */

static int echo_field(void *self, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *header = cmw_request_header(request, CMW_HDR_X_REQUEST_ID);

    (void)self;
    if (!header || cmw_request_next_header(request, CMW_HDR_X_REQUEST_ID, header))
        return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("not one"));
    return cmw_response_text(cmw_ctx_response(ctx), 200, header->value);
}

static void the_handler_sees_the_chosen_id(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    cmw_test_set_handler(test, echo_field, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Request-ID", "stranger");
    cmw_test_header(test, "x-request-id", "stranger2");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data,
                        cmw_test_response_field(test, "X-Request-ID"));
    assert_no_allocation(test);
    close_bench(test);
}

static int set_own_id(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;
    return cmw_response_set(response, CMW_HDR_X_REQUEST_ID, CMW_STR("of-the-handler")) != 0 ||
           cmw_response_set_status(response, 200) != 0;
}

static void the_handlers_own_id_is_replaced(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    cmw_test_set_handler(test, set_own_id, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    assert_int_equal(cmw_test_response_count(test, "X-Request-ID"), 1);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
}

static void ten_thousand_fields_get_an_answer_with_an_id(void **state)
{
    enum { COUNT = 10000 };
    cmw_header *headers = malloc(COUNT * sizeof *headers);
    cmw_request_id_config config;

    (void)state;
    assert_non_null(headers);
    for (size_t i = 0; i < COUNT; i++)
        headers[i] = (cmw_header){CMW_STR_INIT("X-Request-ID"), CMW_STR_INIT("abc")};
    cmw_request_id_config_init(&config);
    config.trust_incoming = 1;
    cmw_test *test = open_bench("request_id", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_view(test)->headers = headers;
    cmw_test_view(test)->header_count = COUNT;
    assert_int_equal(cmw_test_send(test), 431);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
    free(headers);
}

static void two_engines_make_different_ids(void **state)
{
    cmw_test *a = open_bench("request_id", NULL);
    cmw_test *b = open_bench("request_id", NULL);

    (void)state;
    cmw_test_request(a, "GET", "/");
    cmw_test_request(b, "GET", "/");
    cmw_test_send(a);
    cmw_test_send(b);
    assert_string_not_equal(cmw_test_response_field(a, "X-Request-ID"),
                            cmw_test_response_field(b, "X-Request-ID"));
    close_bench(a);
    close_bench(b);
}

static int break_down(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return -1;
}

static void a_failed_request_keeps_its_id(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    cmw_test_set_handler(test, break_down, NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 500);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
}

static void a_request_over_its_limits_has_an_id(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_true(is_generated(cmw_test_response_field(test, "X-Request-ID")));
    close_bench(test);
}

static int read_slot(void *self, cmw_ctx *ctx)
{
    cmw_engine *engine = self;
    const cmw_request_id *id = cmw_ctx_slot(ctx, cmw_slot_find(engine, "request_id"));
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(id->text, id->len));
}

static void the_slot_holds_what_is_sent(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    cmw_test_set_handler(test, read_slot, cmw_test_engine(test));
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_body(test).data,
                        cmw_test_response_field(test, "X-Request-ID"));
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"10.0.0.0/8", "proxy.example"};
    struct {
        cmw_request_id_config config;
        uint64_t later;
    } newer = {.later = 1};
    cmw_request_id_config config;

    (void)state;
    cmw_request_id_config_init(&newer.config);
    newer.config.size = sizeof newer;
    assert_refused("request_id", &newer, CMW_ERR_VERSION,
                   "request_id: the config is of a newer version");
    cmw_request_id_config_init(&config);
    config.max_length = 0;
    assert_refused("request_id", &config, CMW_ERR_ARG,
                   "request_id: max_length: 0 is not in 1 to 4096");
    cmw_request_id_config_init(&config);
    config.header = "Content-Length";
    assert_refused("request_id", &config, CMW_ERR_ARG,
                   "request_id: header: 'Content-Length' is the library's own field");
    cmw_request_id_config_init(&config);
    config.header = "X Y";
    assert_refused("request_id", &config, CMW_ERR_INVALID,
                   "request_id: header: 'X Y' is not the name of a field");
    cmw_request_id_config_init(&config);
    config.trust_networks = bad;
    config.trust_network_count = LEN(bad);
    assert_refused("request_id", &config, CMW_ERR_INVALID,
                   "request_id: trust_incoming: 'proxy.example' is not an address or a network");
    config.trust_incoming = 1;
    assert_refused("request_id", &config, CMW_ERR_ARG,
                   "request_id: trust_incoming: either everyone or a list of networks");
    cmw_request_id_config_init(&config);
    config.format = 7;
    assert_refused("request_id", &config, CMW_ERR_ARG,
                   "request_id: format: there is none with number 7");
}

static void failing_memory_is_survived(void **state)
{
    cmw_request_id_config config;

    (void)state;
    cmw_request_id_config_init(&config);
    config.trust_networks = proxies;
    config.trust_network_count = LEN(proxies);
    assert_survives_failing_memory("request_id", &config);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(two_incoming_ids_are_replaced),
        cmocka_unit_test(ten_thousand_ids_of_hex_differ),
        cmocka_unit_test(uuids_of_a_worker_ascend),
        cmocka_unit_test(a_uuid_begins_with_the_time),
        cmocka_unit_test(uuids_ascend_across_reloads),
        cmocka_unit_test(a_forked_child_makes_other_ids),
        cmocka_unit_test(another_field_is_the_only_one_looked_at),
        cmocka_unit_test(max_length_bounds_what_is_kept),
        cmocka_unit_test(the_handler_sees_the_chosen_id),
        cmocka_unit_test(the_handlers_own_id_is_replaced),
        cmocka_unit_test(ten_thousand_fields_get_an_answer_with_an_id),
        cmocka_unit_test(two_engines_make_different_ids),
        cmocka_unit_test(a_failed_request_keeps_its_id),
        cmocka_unit_test(a_request_over_its_limits_has_an_id),
        cmocka_unit_test(the_slot_holds_what_is_sent),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    struct CMUnitTest tests[LEN(rows)];
    struct CMUnitTest peers[LEN(peer_rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(peer_rows); i++)
        peers[i] = ROW_TEST(&peer_rows[i], check_peer);
    return cmocka_run_group_tests_name("request_id, incoming", tests, NULL, NULL) +
           cmocka_run_group_tests_name("request_id, peers", peers, NULL, NULL) +
           cmocka_run_group_tests_name("request_id", others, NULL, NULL);
}
