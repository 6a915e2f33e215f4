/* SPDX-License-Identifier: MIT */
#include "message_fixture.h"

#include <stdio.h>

#include <catzilla/middleware.h>

static const cmw_header fields[] = {
    {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")},
    {CMW_STR_INIT("Cookie"), CMW_STR_INIT("a=1")},
    {CMW_STR_INIT("X-One"), CMW_STR_INIT("1")},
    {CMW_STR_INIT("cookie"), CMW_STR_INIT("b=2")},
};
static const uint8_t field_ids[16] = {CMW_HDR_HOST, CMW_HDR_COOKIE, 0, CMW_HDR_COOKIE, 1, 2, 3};

static cmw_request *open_request(struct fixture *fixture, const uint8_t *ids)
{
    fixture_open(fixture, 4096);
    fixture->view.headers = fields;
    fixture->view.header_ids = ids;
    fixture->view.header_count = LEN(fields);
    cmw_request *request = fixture_request(fixture);
    request->writable = CMW__WRITE_HEADERS | 0xf;
    return request;
}

static void a_property_needs_its_bit(void **state)
{
    const cmw_address address = {.family = CMW_ADDRESS_UNIX};
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, NULL);
    request->writable = CMW__WRITE_HEADERS;
    assert_int_equal(cmw_request_set_target(request, CMW_STR("/x")), CMW_ERR_STATE);
    assert_int_equal(cmw_request_set_host(request, CMW_STR("x.example")), CMW_ERR_STATE);
    assert_int_equal(cmw_request_set_scheme(request, CMW_SCHEME_HTTPS), CMW_ERR_STATE);
    assert_int_equal(cmw_request_set_client_address(request, &address), CMW_ERR_STATE);
    assert_int_equal(cmw_request_set_header(request, CMW_STR("host"), CMW_STR("x.example")),
                     CMW_ERR_STATE);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("HOST")), CMW_ERR_STATE);
    request->writable = 1u << CMW_FACT_SCHEME;
    assert_int_equal(cmw_request_set_scheme(request, CMW_SCHEME_HTTPS), 0);
    assert_int_equal(cmw_request_set_header(request, CMW_STR("x"), CMW_STR("y")), CMW_ERR_STATE);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("x")), CMW_ERR_STATE);
    assert_cstr(cmw_request_host(request), "a.example");
    assert_cstr(cmw_request_path(request), "/");
    fixture_close(&fixture);
}

struct target_row {
    const char *name;
    const char *method;
    const char *target;
    const char *path; /* NULL: refused */
    const char *query;
};

static const struct target_row target_rows[] = {
    {"path and query", "GET", "/b?c", "/b", "c"},
    {"path that is made canonical", "GET", "/b/../%61?c", "/a", "c"},
    {"asterisk of OPTIONS", "OPTIONS", "*", "*", ""},
    {"asterisk of GET is refused", "GET", "*", NULL, NULL},
    {"empty target is refused", "GET", "", NULL, NULL},
    {"relative target is refused", "GET", "b", NULL, NULL},
    {"another host is refused", "GET", "http://b.example/", NULL, NULL},
    {"space is refused", "GET", "/a b", NULL, NULL},
    {"line end is refused", "GET", "/a\r\n", NULL, NULL},
    {"control in the query is refused", "GET", "/a?\x01", NULL, NULL},
    {"DEL in the query is refused", "GET", "/a?\x7f", NULL, NULL},
    {"path that cannot be canonical is refused", "GET", "/%zz", NULL, NULL},
};

static void check_target(void **state)
{
    const struct target_row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    fixture.view.method = cmw_str_cstr(row->method);
    fixture.view.target = CMW_STR("/old?q");
    cmw_request *request = fixture_request(&fixture);
    request->writable = 0xf;
    char *given = strdup(row->target);
    const int rc = cmw_request_set_target(request, cmw_str_cstr(given));
    free(given); /* it was copied */
    assert_int_equal(rc, row->path ? 0 : CMW_ERR_INVALID);
    assert_cstr(cmw_request_path(request), row->path ? row->path : "/old");
    assert_cstr(cmw_request_query(request), row->path ? row->query : "q");
    assert_cstr(cmw_request_raw_target(request), "/old?q");
    fixture_close(&fixture);
}

RUN_ROWS("rewriting targets", target_rows, check_target)

static void a_new_target_keeps_the_host_of_the_old_one(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    fixture.view.target = CMW_STR("http://target.example/a");
    cmw_request *request = fixture_request(&fixture);
    request->writable = 0xf;
    assert_int_equal(cmw_request_set_target(request, CMW_STR("/b")), 0);
    assert_cstr(cmw_request_host(request), "target.example");
    fixture_close(&fixture);
}

static void the_host_is_replaced_with_its_port(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    assert_cstr(cmw_request_host(request), "a.example");
    assert_int_equal(cmw_request_set_host(request, CMW_STR("b bad")), CMW_ERR_INVALID);
    assert_int_equal(cmw_request_set_host(request, CMW_STR("")), CMW_ERR_INVALID);
    assert_cstr(cmw_request_host(request), "a.example");
    assert_int_equal(cmw_request_set_host(request, CMW_STR("B.Example:99")), 0);
    assert_cstr(cmw_request_host(request), "b.example");
    assert_int_equal(cmw_request_port(request), 99);
    assert_true(cmw_request_host_is_valid(request));
    fixture_close(&fixture);
}

static void setting_the_host_field_is_seen_by_the_host(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    assert_cstr(cmw_request_host(request), "a.example");
    assert_int_equal(cmw_request_set_header(request, CMW_STR("HOST"), CMW_STR("no host")),
                     CMW_ERR_INVALID);
    assert_int_equal(cmw_request_set_header(request, CMW_STR("HOST"), CMW_STR("C.example:1")), 0);
    assert_cstr(cmw_request_host(request), "c.example");
    assert_int_equal(cmw_request_port(request), 1);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("Host")), 0);
    assert_cstr(cmw_request_host(request), "");
    fixture_close(&fixture);
}

static void scheme_and_client_address_are_replaced(void **state)
{
    struct fixture fixture;
    cmw_address address = {.family = CMW_ADDRESS_V4, .bytes = {192, 0, 2, 1}};
    (void)state;

    cmw_request *request = open_request(&fixture, NULL);
    assert_int_equal(cmw_request_set_scheme(request, CMW_SCHEME_HTTPS), 0);
    assert_int_equal(cmw_request_set_scheme(request, (cmw_scheme)7), CMW_ERR_INVALID);
    assert_int_equal(cmw_request_scheme(request), CMW_SCHEME_HTTPS);
    assert_int_equal(cmw_request_set_client_address(request, &address), 0);
    address.bytes[3] = 9; /* it was copied */
    assert_int_equal(cmw_request_client_address(request)->bytes[3], 1);
    assert_int_equal(cmw_request_peer(request)->family, CMW_ADDRESS_NONE);
    assert_int_equal(cmw_request_set_client_address(request, NULL), CMW_ERR_INVALID);
    fixture_close(&fixture);
}

/* What one rewriting notes down is not what another one reads. */
static void a_new_client_leaves_the_path_alone(void **state)
{
    const cmw_address address = {.family = CMW_ADDRESS_V4, .bytes = {192, 0, 2, 1}};
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    fixture.view.target = CMW_STR("/a/../b/");
    cmw_request *request = fixture_request(&fixture);
    request->writable = CMW__WRITE_HEADERS | 0xf;
    request->path_rules = NULL;
    assert_int_equal(cmw_request_set_client_address(request, &address), 0);
    assert_cstr(cmw_request_path(request), "/b/");
    assert_int_equal(cmw_request_set_host(request, CMW_STR("c.example")), 0);
    assert_cstr(cmw_request_raw_target(request), "/a/../b/");
    assert_true(cmw_address_equals(cmw_request_client_address(request), &address));
    fixture_close(&fixture);
}

static void check_fields(cmw_request *request, const char *expected)
{
    size_t count;
    char text[512] = "";
    const cmw_header *headers = cmw_request_headers(request, &count);

    for (size_t i = 0; i < count; i++) {
        strncat(text, headers[i].name.data, headers[i].name.len);
        strcat(text, "=");
        strncat(text, headers[i].value.data, headers[i].value.len);
        strcat(text, ";");
    }
    assert_string_equal(text, expected);
    for (size_t i = 0; request->view.header_ids && i < count; i++)
        assert_int_equal(request->view.header_ids[i], cmw_header_id_find(headers[i].name));
}

static void rewrite_some(const uint8_t *ids)
{
    struct fixture fixture;
    cmw_request *request = open_request(&fixture, ids);

    assert_non_null(cmw_request_header(request, CMW_HDR_COOKIE));
    assert_int_equal(cmw_request_set_header(request, CMW_STR("COOKIE"), CMW_STR("c=3")), 0);
    check_fields(request, "Host=a.example;COOKIE=c=3;X-One=1;");
    assert_int_equal(cmw_request_set_header(request, CMW_STR("Origin"), CMW_STR("o")), 0);
    check_fields(request, "Host=a.example;COOKIE=c=3;X-One=1;Origin=o;");
    assert_cstr(cmw_request_header(request, CMW_HDR_ORIGIN)->value, "o");
    assert_cstr(cmw_request_header(request, CMW_HDR_COOKIE)->value, "c=3");
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("x-one")), 0);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("absent")), 0);
    check_fields(request, "Host=a.example;COOKIE=c=3;Origin=o;");
    assert_null(cmw_request_header_named(request, CMW_STR("X-One")));
    assert_int_equal(cmw_request_set_header(request, CMW_STR("X-Empty"), CMW_STR("")), 0);
    check_fields(request, "Host=a.example;COOKIE=c=3;Origin=o;X-Empty=;");
    assert_cstr(fields[1].name, "Cookie"); /* the server's array is as it was */
    fixture_close(&fixture);
}

static void fields_are_replaced_added_and_removed(void **state)
{
    (void)state;

    rewrite_some(NULL);
    rewrite_some(field_ids);
}

static void all_fields_of_a_name_are_removed(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("Cookie")), 0);
    check_fields(request, "Host=a.example;X-One=1;");
    fixture_close(&fixture);
}

static void a_thousand_fields_are_added(void **state)
{
    struct fixture fixture;
    char name[32];
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "X-Field-%d", i);
        assert_int_equal(cmw_request_set_header(request, cmw_str_cstr(name), CMW_STR("v")), 0);
        assert_non_null(cmw_request_header_named(request, cmw_str_cstr(name)));
    }
    assert_int_equal(request->view.header_count, 1004);
    assert_int_equal(cmw_request_set_header(request, CMW_STR("Via"), CMW_STR("v")), 0);
    assert_non_null(cmw_request_header(request, CMW_HDR_VIA));
    fixture_close(&fixture);
}

struct field_row {
    const char *name;
    cmw_str field;
    cmw_str value;
};

static const struct field_row field_rows[] = {
    {"empty name", CMW_STR_INIT(""), CMW_STR_INIT("v")},
    {"space in a name", CMW_STR_INIT("a b"), CMW_STR_INIT("v")},
    {"colon in a name", CMW_STR_INIT("a:"), CMW_STR_INIT("v")},
    {"line end in a name", CMW_STR_INIT("a\r\n"), CMW_STR_INIT("v")},
    {"carriage return in a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\r")},
    {"line feed in a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\nx: y")},
    {"NUL in a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\0w")},
    {"blank before a value", CMW_STR_INIT("a"), CMW_STR_INIT(" v")},
    {"blank behind a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\t")},
};

static void check_refused(void **state)
{
    const struct field_row *row = *state;
    struct fixture fixture;

    cmw_request *request = open_request(&fixture, NULL);
    assert_int_equal(cmw_request_set_header(request, row->field, row->value), CMW_ERR_INVALID);
    check_fields(request, "Host=a.example;Cookie=a=1;X-One=1;cookie=b=2;");
    assert_ptr_equal(request->view.headers, fields);
    fixture_close(&fixture);
}

RUN_ROWS("fields that are refused", field_rows, check_refused)

/* Chunks of every size, so that every allocation fails once. */
static void without_memory_nothing_is_changed(void **state)
{
    const cmw_address address = {.family = CMW_ADDRESS_UNIX};
    int succeeded = 0;
    (void)state;

    for (size_t chunk = 0; chunk < 1200; chunk += 4) {
        struct fixture fixture;
        fixture_open(&fixture, chunk);
        fixture.refuses = 1;
        fixture.view.headers = fields;
        fixture.view.header_ids = field_ids;
        fixture.view.header_count = LEN(fields);
        cmw_request *request = fixture_request(&fixture);
        request->writable = CMW__WRITE_HEADERS | 0xf;

        if (cmw_request_set_header(request, CMW_STR("Origin"), CMW_STR("o")) != 0)
            check_fields(request, "Host=a.example;Cookie=a=1;X-One=1;cookie=b=2;");
        else
            succeeded |= 1;
        if (cmw_request_set_target(request, CMW_STR("/a/../b")) != 0)
            assert_cstr(cmw_request_path(request), "/");
        else
            succeeded |= 2;
        if (cmw_request_set_host(request, CMW_STR("B.example")) != 0)
            assert_cstr(cmw_request_host(request), "a.example");
        else
            succeeded |= 4;
        if (cmw_request_set_client_address(request, &address) != 0)
            assert_ptr_equal(cmw_request_client_address(request), cmw_request_peer(request));
        else
            succeeded |= 8;
        fixture_close(&fixture);
    }
    assert_int_equal(succeeded, 15);
}

static void path_rules_hold_for_who_read_the_path_before(void **state)
{
    static const cmw_path_rules add = {.trailing_slash = CMW_TRAILING_SLASH_ADD};
    static const cmw_path_rules strict = {.reject_dot_segments = 1};
    static const cmw_path_rules wrong = {.trailing_slash = 3};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.target = CMW_STR("/a/../b");
    cmw_request *request = fixture_request(&fixture);
    assert_cstr(cmw_request_path(request), "/b");
    assert_int_equal(cmw_request_set_path_rules(request, &add), CMW_ERR_STATE);
    request->writable = 1u << CMW_FACT_CANONICAL_PATH;
    assert_int_equal(cmw_request_set_path_rules(request, &wrong), CMW_ERR_INVALID);
    assert_int_equal(cmw_request_set_path_rules(request, NULL), CMW_ERR_INVALID);
    assert_cstr(cmw_request_path(request), "/b");
    assert_int_equal(cmw_request_set_path_rules(request, &add), 0);
    assert_ptr_equal(cmw_request_client_address(request), cmw_request_peer(request));
    assert_cstr(cmw_request_path(request), "/b/");
    assert_int_equal(cmw_request_set_target(request, CMW_STR("/c")), 0);
    assert_cstr(cmw_request_path(request), "/c/");
    assert_int_equal(cmw_request_set_target(request, CMW_STR("/a/../b")), 0);
    assert_int_equal(cmw_request_set_path_rules(request, &strict), CMW_ERR_INVALID);
    assert_cstr(cmw_request_path(request), "");
    fixture_close(&fixture);
}

/* ---- Filtering -------------------------------------------------------------------------- */

/* Takes cookies away, all but the last byte of X-One's value, and names away that it may not. */
static int keep_some(void *self, cmw_header *header)
{
    int *shown = self;

    (*shown)++;
    if (cmw_str_equals_fold(header->name, CMW_STR("cookie")))
        return 0;
    if (cmw_str_equals_fold(header->name, CMW_STR("X-One"))) {
        header->value = cmw_str_make(header->value.data + header->value.len - 2, 2);
        header->name = CMW_STR("Other");
    }
    return 1;
}

static int keep_all(void *self, cmw_header *header)
{
    (void)self;
    header->name = CMW_STR("Other");
    return 1;
}

static int keep_none(void *self, cmw_header *header)
{
    (void)self;
    (void)header;
    return 0;
}

static int replace_value(void *self, cmw_header *header)
{
    (void)self;
    header->value = CMW_STR("not a part of it");
    return 1;
}

static void filter_some(const uint8_t *ids)
{
    static const cmw_header four[] = {
        {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")},
        {CMW_STR_INIT("Cookie"), CMW_STR_INIT("a=1")},
        {CMW_STR_INIT("X-One"), CMW_STR_INIT("0, 1")},
        {CMW_STR_INIT("cookie"), CMW_STR_INIT("b=2")},
    };
    struct fixture fixture;
    int shown = 0;

    cmw_request *request = open_request(&fixture, ids);
    fixture.view.headers = four;
    request = fixture_request(&fixture);
    request->writable = CMW__WRITE_HEADERS;
    assert_non_null(cmw_request_header(request, CMW_HDR_COOKIE));
    assert_int_equal(cmw_request_filter_headers(request, keep_some, &shown), 0);
    assert_int_equal(shown, 3); /* Host is not ours */
    check_fields(request, "Host=a.example;X-One=1;");
    assert_null(cmw_request_header(request, CMW_HDR_COOKIE));
    assert_int_equal(cmw_request_set_header(request, CMW_STR("cookie"), CMW_STR("c")), 0);
    check_fields(request, "Host=a.example;X-One=1;cookie=c;");
    assert_int_equal(cmw_request_filter_headers(request, keep_none, NULL), 0);
    check_fields(request, "Host=a.example;");
    assert_cstr(four[2].value, "0, 1"); /* the server's array is as it was */
    fixture_close(&fixture);
}

static void fields_are_removed_and_shortened_in_one_walk(void **state)
{
    (void)state;
    filter_some(NULL);
    filter_some(field_ids);
}

static void a_filter_that_keeps_all_copies_nothing(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    assert_int_equal(cmw_request_filter_headers(request, keep_all, NULL), 0);
    assert_ptr_equal(request->view.headers, fields);
    fixture_close(&fixture);
}

static void a_value_that_is_no_part_of_the_old_one_is_removed(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    request->writable = CMW__WRITE_HEADERS;
    assert_int_equal(cmw_request_filter_headers(request, replace_value, NULL), 0);
    check_fields(request, "Host=a.example;");
    fixture_close(&fixture);
}

static void who_refines_the_host_may_filter_its_field(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, field_ids);
    assert_cstr(cmw_request_host(request), "a.example");
    assert_int_equal(cmw_request_filter_headers(request, keep_none, NULL), 0);
    check_fields(request, "");
    assert_cstr(cmw_request_host(request), "");
    fixture_close(&fixture);
}

static void a_filter_is_refused_where_fields_are(void **state)
{
    struct fixture fixture;
    (void)state;

    cmw_request *request = open_request(&fixture, NULL);
    assert_int_equal(cmw_request_filter_headers(request, NULL, NULL), CMW_ERR_ARG);
    request->writable = 0xf;
    assert_int_equal(cmw_request_filter_headers(request, keep_none, NULL), CMW_ERR_STATE);
    fixture_close(&fixture);
    request = open_request(&fixture, NULL);
    fixture.refuses = 1;
    while (cmw_arena_alloc(&fixture.arena, 16))
        continue;
    assert_int_equal(cmw_request_filter_headers(request, keep_none, NULL), CMW_ERR_NOMEM);
    check_fields(request, "Host=a.example;Cookie=a=1;X-One=1;cookie=b=2;");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_removed_and_shortened_in_one_walk),
        cmocka_unit_test(a_filter_that_keeps_all_copies_nothing),
        cmocka_unit_test(a_value_that_is_no_part_of_the_old_one_is_removed),
        cmocka_unit_test(who_refines_the_host_may_filter_its_field),
        cmocka_unit_test(a_filter_is_refused_where_fields_are),
        cmocka_unit_test(a_property_needs_its_bit),
        cmocka_unit_test(a_new_target_keeps_the_host_of_the_old_one),
        cmocka_unit_test(the_host_is_replaced_with_its_port),
        cmocka_unit_test(setting_the_host_field_is_seen_by_the_host),
        cmocka_unit_test(scheme_and_client_address_are_replaced),
        cmocka_unit_test(a_new_client_leaves_the_path_alone),
        cmocka_unit_test(fields_are_replaced_added_and_removed),
        cmocka_unit_test(all_fields_of_a_name_are_removed),
        cmocka_unit_test(path_rules_hold_for_who_read_the_path_before),
        cmocka_unit_test(a_thousand_fields_are_added),
        cmocka_unit_test(without_memory_nothing_is_changed),
    };
    return run_check_target() + run_check_refused() +
           cmocka_run_group_tests_name("rewriting", tests, NULL, NULL);
}
