/* SPDX-License-Identifier: MIT */
/* set_headers: each kind of change, on every status, and what is refused. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/set_headers.h>

static int answer_404(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    return cmw_response_set_named(response, CMW_STR("X-Own"), CMW_STR("handler")) |
           cmw_response_set(response, CMW_HDR_VARY, CMW_STR("Origin")) |
           cmw_response_set(response, CMW_HDR_SERVER, CMW_STR("secret/1.0")) |
           cmw_response_text(response, 404, CMW_STR("no"));
}

static cmw_test *send_404(const cmw_set_headers_config *config)
{
    cmw_test *test = open_bench("set_headers", config);

    cmw_test_set_handler(test, answer_404, NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 404);
    return test;
}

static void set_replaces_what_is_there_on_every_status(void **state)
{
    static const cmw_option_text set[] = {{"X-Own", "plan"}, {"X-New", "1"}};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.set = set;
    config.set_count = LEN(set);
    cmw_test *test = send_404(&config);
    assert_string_equal(cmw_test_response_field(test, "X-Own"), "plan");
    assert_int_equal(cmw_test_response_count(test, "X-Own"), 1);
    assert_string_equal(cmw_test_response_field(test, "X-New"), "1");
    assert_no_allocation(test);
    close_bench(test);
}

static void set_if_absent_yields(void **state)
{
    static const cmw_option_text set[] = {{"X-Own", "plan"}, {"X-New", "1"}};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.set_if_absent = set;
    config.set_if_absent_count = LEN(set);
    cmw_test *test = send_404(&config);
    assert_string_equal(cmw_test_response_field(test, "X-Own"), "handler");
    assert_string_equal(cmw_test_response_field(test, "X-New"), "1");
    close_bench(test);
}

static void append_add_token_and_remove(void **state)
{
    static const char *const links[] = {"</a>; rel=x", "</b>; rel=y"};
    static const char *const tokens[] = {"Accept", "origin"};
    static const cmw_option_list append[] = {{"Link", links, 2}};
    static const cmw_option_list add[] = {{"Vary", tokens, 2}};
    static const char *const remove[] = {"server", "X-Not-There"};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.append = append;
    config.append_count = 1;
    config.add_token = add;
    config.add_token_count = 1;
    config.remove = remove;
    config.remove_count = 2;
    cmw_test *test = send_404(&config);
    assert_int_equal(cmw_test_response_count(test, "Link"), 2);
    assert_string_equal(cmw_test_response_field(test, "Vary"), "Origin, Accept");
    assert_null(cmw_test_response_field(test, "Server"));
    assert_no_allocation(test);
    close_bench(test);
}

static void set_comes_after_remove(void **state)
{
    static const cmw_option_text set[] = {{"Server", "cat"}};
    static const char *const remove[] = {"Server"};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.set = set;
    config.set_count = 1;
    config.remove = remove;
    config.remove_count = 1;
    cmw_test *test = send_404(&config);
    assert_string_equal(cmw_test_response_field(test, "Server"), "cat");
    close_bench(test);
}

struct status_row {
    const char *name;
    const char *status;
    int is_set;
};

static const struct status_row status_rows[] = {
    {"the status itself", "404", 1}, {"its class", "4xx", 1},         {"another status", "403", 0},
    {"another class", "5xx", 0},     {"the lowest status", "100", 0}, {"the highest", "599", 0},
};

static void check_status(void **state)
{
    static const cmw_option_text set[] = {{"X-New", "1"}};
    const struct status_row *row = *state;
    cmw_set_headers_config config;

    cmw_set_headers_config_init(&config);
    config.set = set;
    config.set_count = 1;
    config.status = &row->status;
    config.status_count = 1;
    cmw_test *test = send_404(&config);
    assert_int_equal(cmw_test_response_count(test, "X-New"), (size_t)row->is_set);
    close_bench(test);
}

static int say_fields(void *self, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *added = cmw_request_header_named(request, CMW_STR("X-Added"));

    (void)self;
    if (cmw_request_header_named(request, CMW_STR("X-Secret")))
        return -1;
    return cmw_response_text(cmw_ctx_response(ctx), 200, added ? added->value : CMW_STR("none"));
}

static void requests_are_changed_for_what_follows(void **state)
{
    static const cmw_option_text set[] = {{"X-Added", "yes"}};
    static const char *const remove[] = {"x-secret"};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.request_set = set;
    config.request_set_count = 1;
    config.request_remove = remove;
    config.request_remove_count = 1;
    cmw_test *test = open_bench("set_headers", &config);
    cmw_test_set_handler(test, say_fields, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Secret", "1");
    cmw_test_header(test, "X-Added", "by the client");
    cmw_test_header(test, "X-SECRET", "2");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "yes");
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- What is refused -------------------------------------------------------------------- */

struct refused_row {
    const char *name;
    cmw_option_text set;
    int code;
    const char *sentence;
};

static const struct refused_row refused_rows[] = {
    {"a line break",
     {"X-A", "1\r\nSet-Cookie: a=b"},
     CMW_ERR_INVALID,
     "set_headers: set: 'X-A: 1\r\nSet-Cookie: a=b' is not a field"},
    {"a name with a colon",
     {"X-A:", "1"},
     CMW_ERR_INVALID,
     "set_headers: set: 'X-A:: 1' is not a field"},
    {"no name", {"", "1"}, CMW_ERR_INVALID, "set_headers: set: ': 1' is not a field"},
    {"a NULL name", {NULL, "1"}, CMW_ERR_INVALID, "set_headers: set: ': 1' is not a field"},
    {"the library's field",
     {"content-length", "1"},
     CMW_ERR_ARG,
     "set_headers: set: 'content-length' is the library's own field"},
    {"a connection's field",
     {"Transfer-Encoding", "chunked"},
     CMW_ERR_ARG,
     "set_headers: set: 'Transfer-Encoding' is the library's own field"},
};

/* It would fail with each request. */
static void the_host_of_requests_stays(void **state)
{
    static const cmw_option_text set = {"host", "b.example"};
    static const char *const names[] = {"Host"};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.request_set = &set;
    config.request_set_count = 1;
    assert_refused("set_headers", &config, CMW_ERR_INVALID,
                   "set_headers: request_set: 'host' says whom a request is for, which cannot be "
                   "changed here");
    cmw_set_headers_config_init(&config);
    config.request_remove = names;
    config.request_remove_count = 1;
    assert_refused("set_headers", &config, CMW_ERR_INVALID,
                   "set_headers: request_remove: 'Host' says whom a request is for, which cannot "
                   "be changed here");
}

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    cmw_set_headers_config config;

    cmw_set_headers_config_init(&config);
    config.set = &row->set;
    config.set_count = 1;
    assert_refused("set_headers", &config, row->code, row->sentence);
}

static void other_options_are_checked_too(void **state)
{
    static const char *const statuses[] = {"600", "4x4", "xx", "", "4045", "099"};
    static const char *const token[] = {"a"};
    static const cmw_option_list add[] = {{"X-Own-List", token, 1}};
    cmw_set_headers_config config;

    (void)state;
    for (size_t i = 0; i < LEN(statuses); i++) {
        char sentence[128];
        cmw_set_headers_config_init(&config);
        config.status = &statuses[i];
        config.status_count = 1;
        (void)snprintf(sentence, sizeof sentence,
                       "set_headers: status: '%s' is neither a status nor '1xx' to '5xx'",
                       statuses[i]);
        assert_refused("set_headers", &config, CMW_ERR_INVALID, sentence);
    }
    cmw_set_headers_config_init(&config);
    config.add_token = add;
    config.add_token_count = 1;
    assert_refused("set_headers", &config, CMW_ERR_INVALID,
                   "set_headers: add_token: 'X-Own-List' is no list field that is known here");
}

static void failing_memory_is_survived(void **state)
{
    static const cmw_option_text set[] = {{"X-New", "1"}};
    cmw_set_headers_config config;

    (void)state;
    cmw_set_headers_config_init(&config);
    config.set = set;
    config.set_count = 1;
    assert_survives_failing_memory("set_headers", &config);
}

#define ROW_TESTS(tests, rows, check)                                                              \
    struct CMUnitTest tests[LEN(rows)];                                                            \
    for (size_t i = 0; i < LEN(rows); i++)                                                         \
        tests[i] = (struct CMUnitTest){.name = (rows)[i].name,                                     \
                                       .test_func = (check),                                       \
                                       .initial_state = (void *)(uintptr_t) & (rows)[i]};

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(set_replaces_what_is_there_on_every_status),
        cmocka_unit_test(set_if_absent_yields),
        cmocka_unit_test(append_add_token_and_remove),
        cmocka_unit_test(set_comes_after_remove),
        cmocka_unit_test(requests_are_changed_for_what_follows),
        cmocka_unit_test(other_options_are_checked_too),
        cmocka_unit_test(the_host_of_requests_stays),
        cmocka_unit_test(failing_memory_is_survived),
    };
    ROW_TESTS(on_status, status_rows, check_status)
    ROW_TESTS(refused, refused_rows, check_refused)

    return cmocka_run_group_tests_name("set_headers", others, NULL, NULL) |
           cmocka_run_group_tests_name("set_headers: status", on_status, NULL, NULL) |
           cmocka_run_group_tests_name("set_headers: refused", refused, NULL, NULL);
}
