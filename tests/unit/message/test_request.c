/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

/* ---- Targets ---------------------------------------------------------------------------- */

struct target_row {
    const char *name;
    const char *method;
    const char *target;
    const char *raw_path;
    const char *query;
    const char *path; /* "": not canonical */
};

static const struct target_row target_rows[] = {
    {"origin-form", "GET", "/a/b?c=d", "/a/b", "c=d", "/a/b"},
    {"origin-form without a query", "GET", "/a", "/a", "", "/a"},
    {"empty query", "GET", "/a?", "/a", "", "/a"},
    {"second question mark belongs to the query", "GET", "/a?b?c", "/a", "b?c", "/a"},
    {"escapes of the query stay", "GET", "/%61?%61", "/%61", "%61", "/a"},
    {"dot segments of the path go", "GET", "/a/../b?x", "/a/../b", "x", "/b"},
    {"two slashes at the front are path", "GET", "//host/a", "//host/a", "", "/host/a"},
    {"path that cannot be canonical", "GET", "/%zz", "/%zz", "", ""},
    {"absolute-form", "GET", "http://a.example/b?c", "/b", "c", "/b"},
    {"absolute-form without a path", "GET", "http://a.example", "/", "", "/"},
    {"absolute-form with a query and no path", "GET", "http://a.example?q", "/", "q", "/"},
    {"absolute-form in upper case", "GET", "HTTPS://A.EXAMPLE/b", "/b", "", "/b"},
    {"absolute-form with dot segments", "GET", "http://a.example/../b", "/../b", "", "/b"},
    {"asterisk-form", "OPTIONS", "*", "*", "", "*"},
    {"asterisk of another method is no path", "GET", "*", "*", "", ""},
    {"authority-form", "CONNECT", "a.example:443", "", "", ""},
    {"empty target", "GET", "", "", "", ""},
    {"relative target", "GET", "a/b?c", "a/b", "c", ""},
    {"scheme without slashes", "GET", "http:a", "http:a", "", ""},
};

static void check_target(void **state)
{
    const struct target_row *row = *state;
    struct guard_page page;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    guard_page_open(&page, 256);
    fixture.view.method = cmw_str_cstr(row->method);
    fixture.view.target = guard_page_put(&page, cmw_str_cstr(row->target));
    cmw_request *request = fixture_request(&fixture);
    assert_cstr(cmw_request_path(request), row->path);
    assert_cstr(cmw_request_path(request), row->path);
    assert_cstr(cmw_request_raw_path(request), row->raw_path);
    assert_cstr(cmw_request_query(request), row->query);
    assert_cstr(cmw_request_raw_target(request), row->target);
    assert_int_equal(cmw__request_path_is_canonical(request),
                     row->path[0] && strcmp(row->path, row->raw_path) == 0);
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("request targets", target_rows, check_target)

/* ---- Hosts ------------------------------------------------------------------------------ */

struct host_row {
    const char *name;
    const char *text;
    const char *host; /* NULL: refused */
    uint16_t port;
};

static const struct host_row host_rows[] = {
    {"name", "a.example", "a.example", 0},
    {"name with a port", "a.example:8080", "a.example", 8080},
    {"upper case is lowered", "A.Example:80", "a.example", 80},
    {"one trailing dot goes", "a.example.", "a.example", 0},
    {"trailing dot before a port goes", "a.example.:80", "a.example", 80},
    {"empty port is none", "a.example:", "a.example", 0},
    {"largest port", "a.example:65535", "a.example", 65535},
    {"IPv4", "192.0.2.1:1", "192.0.2.1", 1},
    {"IPv6 keeps its brackets", "[::1]", "[::1]", 0},
    {"IPv6 with a port in lower case", "[2001:DB8::1]:443", "[2001:db8::1]", 443},
    {"underscore and digits", "a_1-b.example", "a_1-b.example", 0},
    {"port too large", "a.example:65536", NULL, 0},
    {"port that overflows", "a.example:99999999999999999999", NULL, 0},
    {"port that is no number", "a.example:abc", NULL, 0},
    {"signed port", "a.example:+80", NULL, 0},
    {"two ports", "a.example:80:80", NULL, 0},
    {"port alone", ":80", NULL, 0},
    {"dot alone", ".", NULL, 0},
    {"two trailing dots", "a.example..", NULL, 0},
    {"leading dot", ".a.example", NULL, 0},
    {"empty label", "a..example", NULL, 0},
    {"path behind it", "a.example/evil", NULL, 0},
    {"backslash", "a.example\\.evil.example", NULL, 0},
    {"number sign", "a.example#.evil.example", NULL, 0},
    {"user name", "user@a.example", NULL, 0},
    {"two hosts", "a.example,b.example", NULL, 0},
    {"space", "a.example ", NULL, 0},
    {"line end", "a.example\r\n", NULL, 0},
    {"escape", "a%2eexample", NULL, 0},
    {"bytes above ASCII", "\xc3\xa9.example", NULL, 0},
    {"URL", "http://a.example", NULL, 0},
    {"open bracket", "[::1", NULL, 0},
    {"empty brackets", "[]", NULL, 0},
    {"IPv4 in brackets", "[192.0.2.1]", NULL, 0},
    {"zone in brackets", "[fe80::1%25eth0]", NULL, 0},
    {"text behind brackets", "[::1]a", NULL, 0},
    {"closed before it is opened", "]::1[", NULL, 0},
};

static void expect_host(cmw_request *request, const struct host_row *row)
{
    assert_cstr(cmw_request_host(request), row->host ? row->host : "");
    assert_int_equal(cmw_request_port(request), row->port);
    assert_int_equal(cmw_request_host_is_valid(request), row->host != NULL);
    assert_cstr(cmw_request_host(request), row->host ? row->host : "");
}

static void check_host(void **state)
{
    const struct host_row *row = *state;
    struct guard_page page;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    guard_page_open(&page, 256);
    const cmw_str text = guard_page_put(&page, cmw_str_cstr(row->text));
    const cmw_header header = {CMW_STR_INIT("hOST"), text};
    fixture.view.headers = &header;
    fixture.view.header_count = 1;
    expect_host(fixture_request(&fixture), row);
    fixture.view.header_count = 0;
    fixture.view.authority = text;
    expect_host(fixture_request(&fixture), row);
    fixture.view.authority = CMW_STR("");
    fixture.view.method = CMW_STR("CONNECT");
    fixture.view.target = text;
    expect_host(fixture_request(&fixture), row);
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("request hosts", host_rows, check_host)

static int may_stand(const char *text, size_t len, size_t at)
{
    const char c = text[at];

    if (c == '.')
        return at > 0 && text[at - 1] != '.' && (at + 1 == len || text[at + 1] != '.');
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '~' || (c == ':' && at + 1 == len);
}

/* Hosts of many lengths are read sixteen bytes at a time: no place is looked at less well. */
static void every_byte_in_every_place_of_a_host(void **state)
{
    static const size_t lengths[] = {7, 8, 9, 14, 15, 16, 17, 22, 23, 30, 31, 32};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (size_t at = 0; at < lengths[i]; at++)
            for (int byte = 0; byte < 256; byte++) {
                struct fixture fixture;
                char text[32];
                fixture_open(&fixture, 4096);
                memset(text, 'a', sizeof text);
                text[lengths[i] / 2] = '.';
                text[at] = (char)byte;
                fixture.view.authority = cmw_str_make(text, lengths[i]);
                assert_int_equal(cmw_request_host_is_valid(fixture_request(&fixture)),
                                 may_stand(text, lengths[i], at));
                fixture_close(&fixture);
            }
}

struct source_row {
    const char *name;
    const char *authority;
    const char *target;
    const char *field;  /* NULL: none */
    const char *second; /* NULL: none */
    const char *host;   /* NULL: invalid */
};

static const struct source_row source_rows[] = {
    {"no host at all", "", "/", NULL, NULL, ""},
    {"the field", "", "/", "field.example", NULL, "field.example"},
    {"the target comes before the field", "", "http://target.example/", "field.example", NULL,
     "target.example"},
    {"the authority comes before the target", "auth.example", "http://target.example/",
     "field.example", NULL, "auth.example"},
    {"empty field", "", "/", "", NULL, ""},
    {"two fields", "", "/", "a.example", "b.example", NULL},
    {"two equal fields", "", "/", "a.example", "a.example", NULL},
    {"two fields beside an authority", "auth.example", "/", "a.example", "a.example", NULL},
    {"bad field beside a good target", "", "http://target.example/", "a b", NULL, NULL},
    {"user name in the target", "", "http://u@target.example/", NULL, NULL, NULL},
};

static void check_source(void **state)
{
    const struct source_row *row = *state;
    struct fixture fixture;
    cmw_header headers[2] = {{CMW_STR_INIT("Host"), {NULL, 0}}, {CMW_STR_INIT("host"), {NULL, 0}}};

    fixture_open(&fixture, 4096);
    headers[0].value = cmw_str_cstr(row->field);
    headers[1].value = cmw_str_cstr(row->second);
    fixture.view.headers = headers;
    fixture.view.header_count = (row->field ? 1u : 0u) + (row->second ? 1u : 0u);
    fixture.view.authority = cmw_str_cstr(row->authority);
    fixture.view.target = cmw_str_cstr(row->target);
    cmw_request *request = fixture_request(&fixture);
    assert_cstr(cmw_request_host(request), row->host ? row->host : "");
    assert_int_equal(cmw_request_host_is_valid(request), row->host != NULL);
    fixture_close(&fixture);
}

RUN_ROWS("request host sources", source_rows, check_source)

struct agrees_row {
    const char *name;
    const char *authority;
    const char *target;
    const char *field; /* NULL: none */
    int agrees;
};

static const struct agrees_row agrees_rows[] = {
    {"only a field", "", "/", "a.example", 1},
    {"only a target", "", "http://a.example/", NULL, 1},
    {"neither", "", "/", NULL, 1},
    {"empty field beside a target", "", "http://a.example/", "", 1},
    {"the same in the target", "", "http://a.example/", "a.example", 1},
    {"the same in another case", "", "http://A.example/", "a.EXAMPLE", 1},
    {"the same with a final dot", "", "http://a.example/", "a.example.", 1},
    {"another port is no other name", "", "http://a.example:81/", "a.example", 1},
    {"another name in the target", "", "http://b.example/", "a.example", 0},
    {"a longer name in the target", "", "http://a.example.evil/", "a.example", 0},
    {"the same authority", "a.example", "/", "a.example", 1},
    {"another authority", "b.example", "/", "a.example", 0},
    {"field that is no host", "", "http://a.example/", "a b", 0},
};

static void check_agrees(void **state)
{
    const struct agrees_row *row = *state;
    struct fixture fixture;
    const cmw_header header = {CMW_STR_INIT("Host"), cmw_str_cstr(row->field)};

    fixture_open(&fixture, 4096);
    fixture.view.headers = &header;
    fixture.view.header_count = row->field ? 1 : 0;
    fixture.view.authority = cmw_str_cstr(row->authority);
    fixture.view.target = cmw_str_cstr(row->target);
    cmw_request *request = fixture_request(&fixture);
    assert_int_equal(cmw_request_host_agrees(request), row->agrees);
    assert_int_equal(cmw_request_host_agrees(request), row->agrees);

    /* What came does not change when the host is rewritten. */
    request = fixture_request(&fixture);
    request->writable = CMW__WRITE_HEADERS | 0xf;
    assert_int_equal(cmw_request_set_host(request, CMW_STR("c.example")), 0);
    assert_int_equal(cmw_request_host_agrees(request), row->agrees);
    request = fixture_request(&fixture);
    request->writable = CMW__WRITE_HEADERS | 0xf;
    assert_int_equal(cmw_request_set_header(request, CMW_STR("host"), CMW_STR("c.example")), 0);
    assert_int_equal(cmw_request_host_agrees(request), row->agrees);
    fixture_close(&fixture);
}

RUN_ROWS("the line and the field", agrees_rows, check_agrees)

/* ---- The rest --------------------------------------------------------------------------- */

static void methods_have_ids(void **state)
{
    static const struct {
        const char *name;
        cmw_method id;
    } methods[] = {
        {"GET", CMW_METHOD_GET},         {"HEAD", CMW_METHOD_HEAD},
        {"POST", CMW_METHOD_POST},       {"PUT", CMW_METHOD_PUT},
        {"DELETE", CMW_METHOD_DELETE},   {"CONNECT", CMW_METHOD_CONNECT},
        {"OPTIONS", CMW_METHOD_OPTIONS}, {"TRACE", CMW_METHOD_TRACE},
        {"PATCH", CMW_METHOD_PATCH},     {"get", CMW_METHOD_OTHER},
        {"GETS", CMW_METHOD_OTHER},      {"", CMW_METHOD_OTHER},
    };
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 256);
    for (size_t i = 0; i < LEN(methods); i++) {
        fixture.view.method = cmw_str_cstr(methods[i].name);
        cmw_request *request = fixture_request(&fixture);
        assert_int_equal(cmw_request_method_id(request), methods[i].id);
        assert_int_equal(cmw_request_method_id(request), methods[i].id);
        assert_cstr(cmw_request_method(request), methods[i].name);
    }
    fixture_close(&fixture);
}

static void what_the_view_says_is_what_is_read(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 256);
    fixture.view.http_version = 0x0200;
    fixture.view.scheme = CMW_SCHEME_HTTPS;
    fixture.view.content_length = 12;
    fixture.view.peer.family = CMW_ADDRESS_UNIX;
    cmw_request *request = fixture_request(&fixture);
    assert_int_equal(cmw_request_http_version(request), 0x0200);
    assert_int_equal(cmw_request_scheme(request), CMW_SCHEME_HTTPS);
    assert_int_equal(cmw_request_content_length(request), 12);
    assert_int_equal(cmw_request_peer(request)->family, CMW_ADDRESS_UNIX);
    assert_ptr_equal(cmw_request_client_address(request), cmw_request_peer(request));
    assert_cstr(cmw_request_body(request), "");
    fixture_close(&fixture);
}

static void canonical_paths_take_no_memory(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    fixture.refuses = 1;
    fixture.view.target = CMW_STR("/api/%C3%A9/.hidden/x?y");
    cmw_request *request = fixture_request(&fixture);
    assert_cstr(cmw_request_path(request), "/api/%C3%A9/.hidden/x");
    assert_true(cmw__request_path_is_canonical(request));
    fixture_close(&fixture);
}

static void without_memory_a_path_or_host_is_not_valid(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    fixture.refuses = 1;
    fixture.view.target = CMW_STR("/a/../b");
    fixture.view.authority = CMW_STR("A.EXAMPLE");
    cmw_request *request = fixture_request(&fixture);
    assert_cstr(cmw_request_path(request), "");
    assert_cstr(cmw_request_host(request), "");
    assert_int_equal(cmw_request_host_is_valid(request), 0);
    fixture_close(&fixture);
}

/* ---- All at once ------------------------------------------------------------------------ */

struct uri_row {
    const char *name;
    const char *target, *field;
    const char *as_it_came; /* the target unchecked, NULL: it is checked at once */
    const char *checked;    /* NULL: not valid */
    const char *host;
    uint16_t port;
};

static const struct uri_row uri_rows[] = {
    {"plain", "/a/b?c=d", "a.example", "/a/b?c=d", "/a/b?c=d", "a.example", 0},
    {"without a query", "/a/b/c/d/e/f/g/h/i", "a.example", "/a/b/c/d/e/f/g/h/i",
     "/a/b/c/d/e/f/g/h/i", "a.example", 0},
    {"an empty query is none", "/a?", "a.example", "/a?", "/a", "a.example", 0},
    {"dot segments go", "/x/../a?b", "a.example", "/x/../a?b", "/a?b", "a.example", 0},
    {"a port", "/a", "a.example:81", "/a", "/a", "a.example", 81},
    {"upper case", "/a", "A.example", "/a", "/a", "a.example", 0},
    {"absolute-form", "http://b.example/a?c", "a.example", NULL, "/a?c", "b.example", 0},
    {"no host", "/a", NULL, NULL, "/a", "", 0},
    {"an empty host", "/a", "", NULL, "/a", "", 0},
    {"a host that is none", "/a", "a b", "/a", NULL, NULL, 0},
    {"a path that is none", "/%zz", "a.example", "/%zz", NULL, NULL, 0},
    {"asterisk", "*", "a.example", NULL, NULL, NULL, 0},
};

static void expect_checked(cmw_request *request, const struct uri_row *row)
{
    cmw_uri uri = {.port = 7};

    if (!row->checked) {
        assert_int_equal(cmw_request_uri(request, &uri, 0), CMW_ERR_INVALID);
        assert_int_equal(uri.port, 7);
        return;
    }
    assert_int_equal(cmw_request_uri(request, &uri, 0), 0);
    assert_cstr(uri.host, row->host);
    assert_cstr(uri.target, row->checked);
    assert_int_equal(uri.port, row->port);
    assert_int_equal(uri.scheme, CMW_SCHEME_HTTPS);
    assert_int_equal(uri.is_checked, 1);
    /* What is known is checked, whatever is asked for. */
    assert_int_equal(cmw_request_uri(request, &uri, CMW_URI_UNCHECKED), 0);
    assert_int_equal(uri.is_checked, 1);
}

static void check_uri(void **state)
{
    const struct uri_row *row = *state;
    const cmw_header header = {CMW_STR_INIT("Host"), cmw_str_cstr(row->field)};
    struct guard_page page;
    struct fixture fixture;
    cmw_uri uri;

    fixture_open(&fixture, 4096);
    guard_page_open(&page, 256);
    fixture.view.headers = &header;
    fixture.view.header_count = row->field ? 1 : 0;
    fixture.view.scheme = CMW_SCHEME_HTTPS;
    fixture.view.target = guard_page_put(&page, cmw_str_cstr(row->target));
    cmw_request *request = fixture_request(&fixture);
    const int rc = cmw_request_uri(request, &uri, CMW_URI_UNCHECKED);
    if (row->as_it_came) {
        assert_int_equal(rc, 0);
        assert_int_equal(uri.is_checked, 0);
        assert_cstr(uri.target, row->as_it_came);
        assert_cstr(uri.host, row->field);
    } else if (rc == 0) {
        assert_int_equal(uri.is_checked, 1);
    }
    expect_checked(request, row);
    expect_checked(fixture_request(&fixture), row);
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("request URIs", uri_rows, check_uri)

/* A rewritten target, another host, rules: what came is not what is meant. */
static void what_was_replaced_is_not_given_as_it_came(void **state)
{
    static const cmw_path_rules rules = {.trailing_slash = CMW_TRAILING_SLASH_STRIP};
    const cmw_header header = {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")};

    (void)state;
    for (int what = 0; what < 3; what++) {
        struct fixture fixture;
        cmw_uri uri;
        fixture_open(&fixture, 4096);
        fixture.view.headers = &header;
        fixture.view.header_count = 1;
        fixture.view.target = CMW_STR("/a/?b");
        cmw_request *request = fixture_request(&fixture);
        request->writable = UINT32_MAX;
        if (what == 0)
            assert_int_equal(cmw_request_set_target(request, CMW_STR("/c?d")), 0);
        else if (what == 1)
            assert_int_equal(cmw_request_set_host(request, CMW_STR("b.example")), 0);
        else
            assert_int_equal(cmw_request_set_path_rules(request, &rules), 0);
        assert_int_equal(cmw_request_uri(request, &uri, CMW_URI_UNCHECKED), 0);
        assert_int_equal(uri.is_checked, 1);
        assert_cstr(uri.target, what == 0 ? "/c?d" : what == 1 ? "/a/?b" : "/a?b");
        assert_cstr(uri.host, what == 1 ? "b.example" : "a.example");
        fixture_close(&fixture);
    }
}

static void without_memory_there_is_no_joined_target(void **state)
{
    const cmw_header header = {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")};
    struct fixture fixture;
    cmw_uri uri;

    (void)state;
    fixture_open(&fixture, 16);
    fixture.refuses = 1;
    fixture.view.headers = &header;
    fixture.view.header_count = 1;
    fixture.view.target = CMW_STR("/x/../a?0123456789abcdef");
    assert_int_equal(cmw_request_uri(fixture_request(&fixture), &uri, 0), CMW_ERR_NOMEM);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_every_place_of_a_host),
        cmocka_unit_test(methods_have_ids),
        cmocka_unit_test(what_was_replaced_is_not_given_as_it_came),
        cmocka_unit_test(without_memory_there_is_no_joined_target),
        cmocka_unit_test(what_the_view_says_is_what_is_read),
        cmocka_unit_test(canonical_paths_take_no_memory),
        cmocka_unit_test(without_memory_a_path_or_host_is_not_valid),
    };
    return run_check_target() + run_check_host() + run_check_source() + run_check_agrees() +
           run_check_uri() + cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
