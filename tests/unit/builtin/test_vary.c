/* SPDX-License-Identifier: MIT */
/* vary: which responses get which names. */
#include "builtin_fixture.h"

#include <catzilla/builtin/vary.h>

/* The handler's status, and its own Vary. */
struct answer {
    int status;
    const char *own;
};

static int answer(void *self, cmw_ctx *ctx)
{
    const struct answer *const made = self;
    cmw_response *const response = cmw_ctx_response(ctx);
    int rc = cmw_response_html(response, made->status, CMW_STR("x"));

    if (made->own)
        rc |= cmw_response_set(response, CMW_HDR_VARY, cmw_str_cstr(made->own));
    return rc;
}

struct row {
    const char *name;
    const char *fields[3];
    const char *status, *type; /* NULL: all */
    struct answer made;
    const char *vary; /* NULL: no field */
};

static const struct row rows[] = {
    {"two names", {"Cookie", "X-Tenant"}, NULL, NULL, {200, NULL}, "Cookie, X-Tenant"},
    {"beside the handler's", {"Cookie"}, NULL, NULL, {200, "Accept"}, "Accept, Cookie"},
    {"once, in any case", {"Cookie"}, NULL, NULL, {200, "cookie"}, "cookie"},
    {"a star swallows them", {"Cookie"}, NULL, NULL, {200, "*"}, "*"},
    {"a star", {"*"}, NULL, NULL, {200, "Accept"}, "*"},
    {"for a status", {"Cookie"}, "2xx", NULL, {200, NULL}, "Cookie"},
    {"not for another", {"Cookie"}, "2xx", NULL, {404, NULL}, NULL},
    {"for a type", {"Cookie"}, NULL, "text/*", {200, NULL}, "Cookie"},
    {"not for another type", {"Cookie"}, NULL, "image/*", {200, NULL}, NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct answer made = row->made;
    cmw_vary_config config;

    cmw_vary_config_init(&config);
    config.fields = row->fields;
    while (row->fields[config.field_count])
        config.field_count++;
    config.statuses = &row->status;
    config.status_count = row->status != NULL;
    config.types = &row->type;
    config.type_count = row->type != NULL;
    cmw_test *const test = open_bench("vary", &config);
    cmw_test_set_handler(test, answer, &made);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), made.status);
    if (row->vary)
        assert_string_equal(cmw_test_response_field(test, "Vary"), row->vary);
    else
        assert_null(cmw_test_response_field(test, "Vary"));
    assert_no_allocation(test);
    close_bench(test);
}

static void refuse(const char *const *fields, size_t count, int rc, const char *sentence)
{
    cmw_vary_config config;

    cmw_vary_config_init(&config);
    config.fields = fields;
    config.field_count = count;
    assert_refused("vary", &config, rc, sentence);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const star[] = {"Cookie", "*"};
    static const char *const blank[] = {"a b"};

    (void)state;
    refuse(NULL, 0, CMW_ERR_ARG, "vary: fields: the list names no field");
    refuse(star, 2, CMW_ERR_CONFLICT, "vary: fields: '*' stands for all others");
    refuse(blank, 1, CMW_ERR_INVALID, "vary: fields: 'a b' is not the name of a field");
}

static void failing_memory_is_survived(void **state)
{
    static const char *const fields[] = {"Cookie", "X-Tenant"};
    cmw_vary_config config;

    (void)state;
    cmw_vary_config_init(&config);
    config.fields = fields;
    config.field_count = 2;
    assert_survives_failing_memory("vary", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("vary", tests, NULL, NULL) |
           cmocka_run_group_tests_name("vary: the rest", others, NULL, NULL);
}
