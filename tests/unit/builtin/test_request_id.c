/* SPDX-License-Identifier: MIT */
/* request_id: what is made, what is kept, what is refused. */
#include "builtin_fixture.h"

#include <catzilla/builtin/request_id.h>

static int is_generated(const char *id)
{
    return id && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
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
    {"every allowed character is kept", "AZaz09._-", 1, 1},
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

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void ten_thousand_ids_differ(void **state)
{
    enum { COUNT = 10000 };
    char(*ids)[32] = malloc(COUNT * sizeof *ids);
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    assert_non_null(ids);
    for (size_t i = 0; i < COUNT; i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_send(test);
        memcpy(ids[i], cmw_test_response_field(test, "X-Request-ID"), 32);
    }
    qsort(ids, COUNT, sizeof *ids, compare_ids);
    for (size_t i = 1; i < COUNT; i++)
        assert_memory_not_equal(ids[i - 1], ids[i], 32);
    free(ids);
    close_bench(test);
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

static void a_config_of_another_size_is_refused(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_request_id_config config;
    cmw_diag diag = {0};

    (void)state;
    cmw_request_id_config_init(&config);
    config.size = 3;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", &config, &diag), CMW_ERR_VERSION);
    assert_non_null(strstr(diag.message, "cmw_request_id_config_init"));
    cmw_chain_destroy(chain);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(two_incoming_ids_are_replaced),
        cmocka_unit_test(ten_thousand_ids_differ),
        cmocka_unit_test(two_engines_make_different_ids),
        cmocka_unit_test(a_failed_request_keeps_its_id),
        cmocka_unit_test(a_request_over_its_limits_has_an_id),
        cmocka_unit_test(the_slot_holds_what_is_sent),
        cmocka_unit_test(a_config_of_another_size_is_refused),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("request_id, incoming", tests, NULL, NULL) +
           cmocka_run_group_tests_name("request_id", others, NULL, NULL);
}
