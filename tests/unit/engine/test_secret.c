/* SPDX-License-Identifier: MIT */
/* Tables of secrets: who is found, what is refused, what is never told. */
#include <catzilla/secret.h>

#include "guard_page.h"
#include "test.h"

#include <catzilla/testing.h>

#include <stdio.h>

/* ---- A table for a test ----------------------------------------------------------------- */

struct bench {
    cmw_test *test;
    cmw_arena *arena;
    cmw_secret_table *table;
};

static int make(struct bench *bench, const cmw_secret_table_config *config, cmw_diag *diag)
{
    memset(bench, 0, sizeof *bench);
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    assert_int_equal(cmw_arena_create(&bench->arena,
                                      cmw_engine_pool(cmw_test_engine(bench->test), CMW_POOL_PLAN),
                                      0),
                     0);
    return cmw_secret_table_create(&bench->table, bench->arena, config, diag);
}

static void close_table(struct bench *bench)
{
    cmw_arena_destroy(bench->arena);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static cmw_secret_table_config config_of(int order, const cmw_secret_entry *entries, size_t count)
{
    cmw_secret_table_config config;

    cmw_secret_table_config_init(&config);
    config.owner = "door";
    config.scheme = "own";
    config.order = order;
    config.entries = entries;
    config.entry_count = count;
    return config;
}

/* ---- Asking ----------------------------------------------------------------------------- */

static const char *const roles[] = {"admin", "a b"};
static const char *const scopes[] = {"read", "write"};
static int datum;

static const cmw_secret_entry entries[] = {
    {.id = "alice", .secret = "open sesame", .roles = roles, .role_count = 2, .data = &datum},
    {.id = "bob", .secret = "12345678", .scopes = scopes, .scope_count = 2},
    {.id = "carol", .secret = "x"},
    {.id = "dave", .secret = "a secret that is longer than the others, by some words"},
};

struct ask_row {
    const char *name;
    cmw_str id;
    cmw_str secret;
    const char *found;
};

#define S(literal) CMW_STR_INIT(literal)

static const struct ask_row ask_rows[] = {
    {"a secret is its owner's", S("alice"), S("open sesame"), "alice"},
    {"a secret of one byte", S("carol"), S("x"), "carol"},
    {"a secret of one word", S("bob"), S("12345678"), "bob"},
    {"a long secret", S("dave"), S("a secret that is longer than the others, by some words"),
     "dave"},
    {"another last byte is nobody's", S("alice"), S("open sesamf"), NULL},
    {"another first byte is nobody's", S("alice"), S("Open sesame"), NULL},
    {"a beginning is nobody's", S("alice"), S("open sesam"), NULL},
    {"a longer secret is nobody's", S("alice"), S("open sesame "), NULL},
    {"a NUL at the end counts", S("carol"), S("x\0"), NULL},
    {"an empty secret is nobody's", S("alice"), S(""), NULL},
    {"a secret longer than all is nobody's", S("dave"),
     S("a secret that is longer than the others, by some words and more"), NULL},
};

static void check_find(void **state)
{
    const struct ask_row *row = *state;
    const cmw_secret_table_config config = config_of(CMW_SECRET_BY_SECRET, entries, LEN(entries));
    struct bench bench;
    struct guard_page page;

    assert_int_equal(make(&bench, &config, NULL), 0);
    guard_page_open(&page, row->secret.len);
    const cmw_principal *principal =
        cmw_secret_table_find(bench.table, guard_page_put(&page, row->secret));
    assert_int_equal(principal != NULL, row->found != NULL);
    if (principal)
        assert_true(cmw_str_equals(principal->id, cmw_str_cstr(row->found)));
    guard_page_close(&page);
    close_table(&bench);
}

static void check_by_id(void **state)
{
    const struct ask_row *row = *state;
    const cmw_secret_table_config config = config_of(CMW_SECRET_BY_ID, entries, LEN(entries));
    struct bench bench;
    struct guard_page page;

    assert_int_equal(make(&bench, &config, NULL), 0);
    guard_page_open(&page, row->secret.len);
    const cmw_str secret = guard_page_put(&page, row->secret);
    assert_int_equal(cmw_secret_table_check(bench.table, row->id, secret) != NULL,
                     row->found != NULL);
    assert_null(cmw_secret_table_check(bench.table, CMW_STR("mallory"), secret));
    assert_null(cmw_secret_table_check(bench.table, CMW_STR(""), secret));
    assert_null(cmw_secret_table_check(bench.table, CMW_STR("nobody"), secret));
    guard_page_close(&page);
    close_table(&bench);
}

static void a_principal_has_what_its_entry_says(void **state)
{
    const cmw_secret_table_config config = config_of(CMW_SECRET_BY_SECRET, entries, LEN(entries));
    struct bench bench;

    (void)state;
    assert_int_equal(make(&bench, &config, NULL), 0);
    const cmw_principal *alice = cmw_secret_table_find(bench.table, CMW_STR("open sesame"));
    const cmw_principal *bob = cmw_secret_table_find(bench.table, CMW_STR("12345678"));
    assert_true(cmw_str_equals(alice->scheme, CMW_STR("own")));
    assert_true(cmw_principal_has_role(alice, CMW_STR("a b")));
    assert_false(cmw_principal_has_scope(alice, CMW_STR("read")));
    assert_ptr_equal(alice->data, &datum);
    assert_true(cmw_principal_has_scope(bob, CMW_STR("write")));
    assert_null(bob->data);
    close_table(&bench);
}

static void one_secret_of_another_id_does_not_pass(void **state)
{
    static const cmw_secret_entry same[] = {{.id = "a", .secret = "s"},
                                            {.id = "b", .secret = "s"},
                                            {.id = "c", .secret = "t"},
                                            {.id = "d", .secret = ""}};
    const cmw_secret_table_config config = config_of(CMW_SECRET_BY_ID, same, LEN(same));
    struct bench bench;

    (void)state;
    assert_int_equal(make(&bench, &config, NULL), 0);
    assert_non_null(cmw_secret_table_check(bench.table, CMW_STR("a"), CMW_STR("s")));
    assert_non_null(cmw_secret_table_check(bench.table, CMW_STR("b"), CMW_STR("s")));
    assert_null(cmw_secret_table_check(bench.table, CMW_STR("c"), CMW_STR("s")));
    assert_non_null(cmw_secret_table_check(bench.table, CMW_STR("d"), CMW_STR("")));
    assert_null(cmw_secret_table_check(bench.table, CMW_STR("d"), CMW_STR("\0")));
    assert_null(cmw_secret_table_check(bench.table, CMW_STR("a"), CMW_STR("")));
    close_table(&bench);
}

static void two_keys_of_one_id_both_pass(void **state)
{
    static const cmw_secret_entry both[] = {{.id = "a", .secret = "old"},
                                            {.id = "a", .secret = "new"}};
    const cmw_secret_table_config config = config_of(CMW_SECRET_BY_SECRET, both, LEN(both));
    struct bench bench;

    (void)state;
    assert_int_equal(make(&bench, &config, NULL), 0);
    assert_non_null(cmw_secret_table_find(bench.table, CMW_STR("old")));
    assert_non_null(cmw_secret_table_find(bench.table, CMW_STR("new")));
    close_table(&bench);
}

static void an_empty_table_knows_nobody(void **state)
{
    struct bench bench;

    (void)state;
    for (int order = CMW_SECRET_BY_SECRET; order <= CMW_SECRET_BY_ID; order++) {
        const cmw_secret_table_config config = config_of(order, NULL, 0);
        assert_int_equal(make(&bench, &config, NULL), 0);
        assert_null(cmw_secret_table_find(bench.table, CMW_STR("")));
        assert_null(cmw_secret_table_check(bench.table, CMW_STR(""), CMW_STR("")));
        close_table(&bench);
    }
}

static void a_thousand_secrets_are_told_apart(void **state)
{
    enum { COUNT = 1000 };
    static char texts[COUNT][24];
    static cmw_secret_entry many[COUNT];
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "secret-%zu", i * 7919);
        many[i] = (cmw_secret_entry){.id = texts[i], .secret = texts[i]};
    }
    for (int order = CMW_SECRET_BY_SECRET; order <= CMW_SECRET_BY_ID; order++) {
        const cmw_secret_table_config config = config_of(order, many, COUNT);
        assert_int_equal(make(&bench, &config, NULL), 0);
        for (size_t i = 0; i < COUNT; i++) {
            const cmw_str text = cmw_str_cstr(texts[i]);
            const cmw_principal *principal = order == CMW_SECRET_BY_ID
                                                 ? cmw_secret_table_check(bench.table, text, text)
                                                 : cmw_secret_table_find(bench.table, text);
            assert_non_null(principal);
            assert_true(cmw_str_equals(principal->id, text));
        }
        close_table(&bench);
    }
}

/* ---- Digests ---------------------------------------------------------------------------- */

/* No digest that anybody should use: its length and its last bytes, turned round. */
static int turn_round(void *self, unsigned char *digest, size_t digest_len, cmw_str secret)
{
    const int *fails = self;

    memset(digest, (int)(secret.len & 0x7f), digest_len);
    for (size_t i = 0; i < digest_len && i < secret.len; i++)
        digest[i] = (unsigned char)secret.data[secret.len - 1 - i];
    return *fails ? CMW_ERR_IO : 0;
}

static void a_table_of_digests_holds_no_secret(void **state)
{
    static const unsigned char given[] = "654321"
                                         "\6\6\6\6\6\6\6\6\6\6";
    static const cmw_secret_entry mixed[] = {{.id = "a", .secret = "sesame"},
                                             {.id = "b", .digest = given}};
    int fails = 0;
    struct bench bench;

    (void)state;
    for (int order = CMW_SECRET_BY_SECRET; order <= CMW_SECRET_BY_ID; order++) {
        cmw_secret_table_config config = config_of(order, mixed, 2);
        config.digest = turn_round;
        config.digest_self = &fails;
        config.digest_len = 16;
        assert_int_equal(make(&bench, &config, NULL), 0);
        if (order == CMW_SECRET_BY_SECRET) {
            assert_non_null(cmw_secret_table_find(bench.table, CMW_STR("sesame")));
            assert_non_null(cmw_secret_table_find(bench.table, CMW_STR("123456")));
            assert_null(cmw_secret_table_find(bench.table, CMW_STR("654321")));
        } else {
            assert_non_null(cmw_secret_table_check(bench.table, CMW_STR("a"), CMW_STR("sesame")));
            assert_non_null(cmw_secret_table_check(bench.table, CMW_STR("b"), CMW_STR("123456")));
            assert_null(cmw_secret_table_check(bench.table, CMW_STR("a"), CMW_STR("123456")));
        }
        fails = 1; /* what cannot be digested passes nowhere */
        assert_null(cmw_secret_table_find(bench.table, CMW_STR("sesame")));
        assert_null(cmw_secret_table_check(bench.table, CMW_STR("a"), CMW_STR("sesame")));
        fails = 0;
        close_table(&bench);
    }
}

static void a_digest_that_fails_refuses_the_table(void **state)
{
    static const cmw_secret_entry one[] = {{.id = "a", .secret = "sesame"}};
    cmw_secret_table_config config = config_of(CMW_SECRET_BY_SECRET, one, 1);
    int fails = 1;
    cmw_diag diag = {0};
    struct bench bench;

    (void)state;
    config.digest = turn_round;
    config.digest_self = &fails;
    config.digest_len = 32;
    assert_int_equal(make(&bench, &config, &diag), CMW_ERR_IO);
    assert_string_equal(diag.message, "door: 'a' has a secret of which no digest can be made");
    close_table(&bench);
}

/* ---- What is refused -------------------------------------------------------------------- */

static const char *const no_role[] = {""};
static const char *const no_scope[] = {"read write"};
static const char *const null_scope[] = {NULL};
static const unsigned char digest[16] = "0123456789abcde";

struct refusal_row {
    const char *name;
    cmw_secret_entry entries[2];
    const char *sentence;
    int order;
    int code;
};

static const struct refusal_row refusal_rows[] = {
    {"an entry without an id", {{.secret = "s"}}, "door: '' is no id", 0, CMW_ERR_INVALID},
    {"an empty id", {{.id = "", .secret = "s"}}, "door: '' is no id", 0, CMW_ERR_INVALID},
    {"an id with a line end",
     {{.id = "a\n", .secret = "s"}},
     "door: 'a\n' has a control byte",
     1,
     CMW_ERR_INVALID},
    {"an entry without a secret", {{.id = "a"}}, "door: 'a' has no secret", 1, CMW_ERR_INVALID},
    {"an empty secret by secret",
     {{.id = "a", .secret = ""}},
     "door: 'a' has an empty secret",
     0,
     CMW_ERR_INVALID},
    {"an empty secret of an empty id",
     {{.id = "", .secret = ""}},
     "door: '' has an empty secret",
     1,
     CMW_ERR_INVALID},
    {"an empty role",
     {{.id = "a", .secret = "s", .roles = no_role, .role_count = 1}},
     "door: 'a' has a role that is no name",
     0,
     CMW_ERR_INVALID},
    {"a scope with a blank",
     {{.id = "a", .secret = "s", .scopes = no_scope, .scope_count = 1}},
     "door: 'a' has a scope that is none",
     0,
     CMW_ERR_INVALID},
    {"a scope that is NULL",
     {{.id = "a", .secret = "s", .scopes = null_scope, .scope_count = 1}},
     "door: 'a' has a scope that is none",
     0,
     CMW_ERR_INVALID},
    {"a digest without a function",
     {{.id = "a", .digest = digest}},
     "door: 'a' has a digest, and the table has no function to make one",
     0,
     CMW_ERR_CONFLICT},
    {"a secret twice",
     {{.id = "a", .secret = "s"}, {.id = "b", .secret = "s"}},
     "door: 'b' has the secret of 'a'",
     0,
     CMW_ERR_EXISTS},
    {"an id twice",
     {{.id = "a", .secret = "s"}, {.id = "a", .secret = "t"}},
     "door: 'a' stands twice",
     1,
     CMW_ERR_EXISTS},
};

static void check_refusal(void **state)
{
    const struct refusal_row *row = *state;
    const size_t count = row->entries[1].id ? 2 : 1;
    const cmw_secret_table_config config = config_of(row->order, row->entries, count);
    cmw_diag diag = {0};
    struct bench bench;

    assert_int_equal(make(&bench, &config, &diag), row->code);
    assert_int_equal(diag.code, row->code);
    assert_string_equal(diag.message, row->sentence);
    assert_null(bench.table);
    close_table(&bench);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_secret_table_config config = config_of(CMW_SECRET_BY_SECRET, NULL, 0);
    cmw_diag diag = {0};
    struct bench bench;

    (void)state;
    config.order = 2;
    assert_int_equal(make(&bench, &config, &diag), CMW_ERR_ARG);
    assert_string_equal(diag.message, "door: order: 2 is none");
    close_table(&bench);
    config.order = 0;
    config.digest_len = 32;
    assert_int_equal(make(&bench, &config, &diag), CMW_ERR_ARG);
    assert_string_equal(diag.message,
                        "door: digest_len: 16 to 64 with a digest, 0 without one, not 32");
    close_table(&bench);
    config.digest = turn_round;
    config.digest_len = 65;
    assert_int_equal(make(&bench, &config, &diag), CMW_ERR_ARG);
    close_table(&bench);
    config = config_of(CMW_SECRET_BY_SECRET, NULL, 0);
    config.owner = NULL;
    assert_int_equal(make(&bench, &config, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_secret_table_create(&bench.table, bench.arena, NULL, NULL), CMW_ERR_ARG);
    close_table(&bench);
}

#define FILL(tests, rows, check)                                                                   \
    for (size_t i = 0; i < LEN(rows); i++)                                                         \
        (tests)[i] = (struct CMUnitTest)                                                           \
        {                                                                                          \
            .name = (rows)[i].name, .test_func = (check),                                          \
            .initial_state = (void *)(uintptr_t) & (rows)[i]                                       \
        }

int main(void)
{
    struct CMUnitTest by_secret[LEN(ask_rows)], by_id[LEN(ask_rows)];
    struct CMUnitTest refusals[LEN(refusal_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_principal_has_what_its_entry_says),
        cmocka_unit_test(one_secret_of_another_id_does_not_pass),
        cmocka_unit_test(two_keys_of_one_id_both_pass),
        cmocka_unit_test(an_empty_table_knows_nobody),
        cmocka_unit_test(a_thousand_secrets_are_told_apart),
        cmocka_unit_test(a_table_of_digests_holds_no_secret),
        cmocka_unit_test(a_digest_that_fails_refuses_the_table),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
    };

    FILL(by_secret, ask_rows, check_find);
    FILL(by_id, ask_rows, check_by_id);
    FILL(refusals, refusal_rows, check_refusal);
    return cmocka_run_group_tests_name("secret: by secret", by_secret, NULL, NULL) |
           cmocka_run_group_tests_name("secret: by id", by_id, NULL, NULL) |
           cmocka_run_group_tests_name("secret: refused", refusals, NULL, NULL) |
           cmocka_run_group_tests_name("secret: the rest", others, NULL, NULL);
}
