/* SPDX-License-Identifier: MIT */
/* problem_details: faults and empty errors become documents; what has a body stays. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/problem_details.h>

struct answer {
    int status; /* 0: the handler fails */
    const char *body;
};

static int answer(void *self, cmw_ctx *ctx)
{
    const struct answer *wanted = self;

    if (wanted->status == 0)
        return -1;
    if (!wanted->body)
        return cmw_response_empty(cmw_ctx_response(ctx), wanted->status);
    return cmw_response_text(cmw_ctx_response(ctx), wanted->status, cmw_str_cstr(wanted->body));
}

#define BROWSER "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
#define NOT_FOUND "{\"title\":\"Not Found\",\"status\":404}"
#define PAGE(status, reason)                                                                       \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" status " " reason     \
    "</title>\n<h1>" status " " reason "</h1>\n"

struct row {
    const char *name;
    struct answer answer;
    const char *accept; /* NULL: no field */
    int status;
    const char *type; /* NULL: none */
    const char *body;
};

static const struct row rows[] = {
    {"an empty 404", {404, NULL}, NULL, 404, "application/problem+json", NOT_FOUND},
    {"a handler that fails",
     {0, NULL},
     NULL,
     500,
     "application/problem+json",
     "{\"title\":\"Internal Server Error\",\"status\":500}"},
    {"a status without a reason",
     {499, NULL},
     NULL,
     499,
     "application/problem+json",
     "{\"status\":499}"},
    {"a browser gets a page",
     {404, NULL},
     BROWSER,
     404,
     "text/html; charset=utf-8",
     PAGE("404", "Not Found")},
    {"a browser gets a page of a fault",
     {0, NULL},
     BROWSER,
     500,
     "text/html; charset=utf-8",
     PAGE("500", "Internal Server Error")},
    {"who takes anything gets JSON",
     {404, NULL},
     "*/*",
     404,
     "application/problem+json",
     NOT_FOUND},
    {"who prefers JSON gets it",
     {404, NULL},
     "text/html;q=0.5, application/json",
     404,
     "application/problem+json",
     NOT_FOUND},
    {"who takes neither gets JSON",
     {404, NULL},
     "image/png",
     404,
     "application/problem+json",
     NOT_FOUND},
    {"an error with a body stays",
     {404, "gone fishing"},
     NULL,
     404,
     "text/plain; charset=utf-8",
     "gone fishing"},
    {"an empty success stays empty", {204, NULL}, BROWSER, 204, NULL, ""},
    {"an empty redirect stays empty", {302, NULL}, NULL, 302, NULL, ""},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct answer wanted = row->answer;
    cmw_test *test = open_bench("problem_details", NULL);

    cmw_test_set_handler(test, answer, &wanted);
    cmw_test_request(test, "GET", "/");
    if (row->accept)
        cmw_test_header(test, "Accept", row->accept);
    assert_int_equal(cmw_test_send(test), row->status);
    assert_string_equal(cmw_test_response_body(test).data, row->body);
    if (row->type)
        assert_string_equal(cmw_test_response_field(test, "Content-Type"), row->type);
    else
        assert_null(cmw_test_response_field(test, "Content-Type"));
    assert_no_allocation(test);
    close_bench(test);
}

static void caches_are_told_that_the_kind_varies(void **state)
{
    struct answer wanted = {404, NULL};
    cmw_test *test = open_bench("problem_details", NULL);

    (void)state;
    cmw_test_set_handler(test, answer, &wanted);
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "Vary"), "Accept");
    close_bench(test);
}

static void limits_are_documents_too(void **state)
{
    cmw_test *test = open_bench("problem_details", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_string_equal(cmw_test_response_body(test).data,
                        "{\"title\":\"Request Header Fields Too Large\",\"status\":431}");
    close_bench(test);
}

static cmw_test *open_with_id(const cmw_problem_details_config *config)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "problem_details", config, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static void the_type_and_the_id_are_told(void **state)
{
    struct answer wanted = {404, NULL};
    cmw_problem_details_config config;
    char body[256];

    (void)state;
    cmw_problem_details_config_init(&config);
    config.type_base = "https://a.example/errors/";
    cmw_test *test = open_with_id(&config);
    cmw_test_set_handler(test, answer, &wanted);
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    (void)snprintf(body, sizeof body,
                   "{\"type\":\"https://a.example/errors/404\",\"title\":\"Not Found\","
                   "\"status\":404,\"request_id\":\"%s\"}",
                   cmw_test_response_field(test, "X-Request-ID"));
    assert_string_equal(cmw_test_response_body(test).data, body);

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Accept", "text/html");
    cmw_test_send(test);
    (void)snprintf(body, sizeof body, PAGE("404", "Not Found") "<p>Request %s</p>\n",
                   cmw_test_response_field(test, "X-Request-ID"));
    assert_string_equal(cmw_test_response_body(test).data, body);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_problem_details_config config;

    (void)state;
    cmw_problem_details_config_init(&config);
    config.type_base = "https://a.example/ x";
    assert_refused("problem_details", &config, CMW_ERR_INVALID,
                   "problem_details: type_base: 'https://a.example/ x' is not a URI");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("problem_details", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(caches_are_told_that_the_kind_varies),
        cmocka_unit_test(limits_are_documents_too),
        cmocka_unit_test(the_type_and_the_id_are_told),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("problem_details", tests, NULL, NULL) |
           cmocka_run_group_tests_name("problem_details: the rest", others, NULL, NULL);
}
