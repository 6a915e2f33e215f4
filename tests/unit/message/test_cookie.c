/* SPDX-License-Identifier: MIT */
/* Cookies: what a field holds, and what may be set. */
#include "message_fixture.h"

#include <catzilla/cookie.h>

#include "cookie_split.h"
#include "guard_page.h"

/* ---- Reading ---------------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *field;
    const char *cookies[8]; /* name, value, name, value ... */
};

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row rows[] = {
    {"one", "a=1", {"a", "1"}},
    {"two", "a=1; b=2", {"a", "1", "b", "2"}},
    {"without a blank", "a=1;b=2", {"a", "1", "b", "2"}},
    {"an empty value", "a=; b=", {"a", "", "b", ""}},
    {"an equals sign in a value", "a==; b=c=d", {"a", "=", "b", "c=d"}},
    {"quotes stay", "a=\"b c\"", {"a", "\"b c\""}},
    {"a semicolon ends a quoted value, too", "a=\"b;c=d\"", {"a", "\"b", "c", "d\""}},
    {"nothing is decoded", "a=%41+%", {"a", "%41+%"}},
    {"blanks around both", " \ta \t= \tb \t", {"a", "b"}},
    {"blanks inside", "a b=c d", {"a b", "c d"}},
    {"of one name both", "a=1; a=2", {"a", "1", "a", "2"}},
    {"case counts", "a=1; A=2", {"a", "1", "A", "2"}},
    {"a comma is no separator", "a=1, b=2", {"a", "1, b=2"}},
    {"no name", "=1; a=2; \t=3", {"a", "2"}},
    {"no equals sign", "a; b=2; c", {"b", "2"}},
    {"semicolons alone", ";;; ;", {NULL}},
    {"empty pieces", "; a=1;;b=2;", {"a", "1", "b", "2"}},
    {"equals signs alone", "===", {NULL}},
    {"nothing", "", {NULL}},
    {"bytes above ASCII", "\xc3\xbc=\xff", {"\xc3\xbc", "\xff"}},
    {"15 bytes and one more", "aaaaaaa=bbbbbbb;c=d", {"aaaaaaa", "bbbbbbb", "c", "d"}},
    {"16 bytes", "aaaaaaa=bbbbbbbb", {"aaaaaaa", "bbbbbbbb"}},
    {"a mark at the 16th byte", "aaaaaaaaaaaaaaa=b;c=d", {"aaaaaaaaaaaaaaa", "b", "c", "d"}},
    {"a cookie over 64 bytes", A40 "; b=" A40 "; c=d", {"b", A40, "c", "d"}},
    {"a semicolon as the 64th byte",
     A40 "=bbbbbbbbbbbbbbbbbbbbbb; c=d; e = f ",
     {A40, "bbbbbbbbbbbbbbbbbbbbbb", "c", "d", "e", "f"}},
    {"an equals sign as the 64th byte, and one before the 65th",
     A40 ";aaaaaaaaaaaaaaaaaaaaaa==b",
     {"aaaaaaaaaaaaaaaaaaaaaa", "=b"}},
    {"blanks at each end of an inner one", "a=1; \tb\t=\t2\t; c=3", {"a", "1", "b", "2", "c", "3"}},
    {"a control byte is no blank", "a=1; \x01=\x02; c=3", {"a", "1", "\x01", "\x02", "c", "3"}},
    {"long ones", A40 "=" A40 "; b=" A40, {A40, A40, "b", A40}},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page;

    guard_page_open(&page, 256);
    /* However many are asked for at a time, from either end of a page. */
    for (size_t cap = 1; cap <= 4; cap++) {
        for (int is_last = 0; is_last < 2; is_last++) {
            const cmw_str field = cmw_str_cstr(row->field);
            cmw_str rest =
                is_last ? guard_page_put(&page, field) : guard_page_put_first(&page, field);
            cmw_cookie cookies[8];
            size_t count = 0, taken;
            do {
                taken = cmw_cookie_split(&rest, cookies + count, cap);
                assert_true(taken == cap || rest.len == 0);
                count += taken;
                assert_true(count <= 4);
            } while (rest.len > 0);
            for (size_t i = 0; i < count; i++) {
                assert_non_null(row->cookies[2 * i]);
                assert_true(cmw_str_equals(cookies[i].name, cmw_str_cstr(row->cookies[2 * i])));
                assert_true(
                    cmw_str_equals(cookies[i].value, cmw_str_cstr(row->cookies[2 * i + 1])));
            }
            assert_null(row->cookies[2 * count]);
        }
    }
    guard_page_close(&page);
}

/* ---- Both ways of splitting ------------------------------------------------------------- */

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* What a field holds, read byte by byte. */
static size_t split_plainly(cmw_str field, cmw_cookie *cookies)
{
    size_t count = 0, start = 0;

    for (size_t at = 0; at <= field.len; at++) {
        if (at < field.len && field.data[at] != ';')
            continue;
        const cmw_str piece = cmw_str_make(field.data + start, at - start);
        const char *const equals = piece.len > 0 ? memchr(piece.data, '=', piece.len) : NULL;
        start = at + 1;
        if (!equals)
            continue;
        const size_t name_len = (size_t)(equals - piece.data);
        cookies[count].name = trim(cmw_str_make(piece.data, name_len));
        cookies[count].value = trim(cmw_str_make(equals + 1, piece.len - name_len - 1));
        count += cookies[count].name.len > 0;
    }
    return count;
}

enum { FIELD_CAP = 260 };

typedef size_t split_fn(cmw_str *rest, cmw_cookie *cookies, size_t cap);

static void check_split(split_fn *split, cmw_str field, size_t cap)
{
    cmw_cookie expected[FIELD_CAP + 1], cookies[FIELD_CAP + 1];
    const size_t count = split_plainly(field, expected);
    cmw_str rest = field;
    size_t taken, sum = 0;

    do {
        taken = split(&rest, cookies + sum, cap);
        sum += taken;
        assert_true(sum <= count);
        assert_true(taken == cap || rest.len == 0);
    } while (rest.len > 0);
    assert_int_equal(sum, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(cmw_str_equals(cookies[i].name, expected[i].name));
        assert_true(cmw_str_equals(cookies[i].value, expected[i].value));
    }
}

/* Cookies as browsers send them, with a few bytes replaced by others: 0 of them, then more. */
static void both_ways_read_what_one_byte_at_a_time_does(void **state)
{
    static const char odd[] = "=; \t;=a\x01\xff ";
    struct guard_page page;
    char text[FIELD_CAP];
    uint32_t seed = 1;

    (void)state;
    guard_page_open(&page, FIELD_CAP);
    for (unsigned round = 0; round < 40000; round++) {
        const size_t len = (seed = seed * 1664525u + 1013904223u) >> 8 & 255;
        const unsigned longest = 1 + (round / 4 & 31);
        for (size_t i = 0, part = 0, left = 0; i < len; i++, left--) {
            if (left == 0) {
                seed = seed * 1664525u + 1013904223u;
                left = part % 4 == 0 || part % 4 == 2 ? 1 + (seed >> 16) % longest : 1;
                left += part % 4 == 3; /* "; " */
                part++;
            }
            const size_t kind = (part + 3) % 4;
            text[i] = kind == 1 ? '=' : kind == 3 ? (left == 2 ? ';' : ' ') : 'x';
        }
        for (unsigned k = 0; len > 0 && k < round % 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % len] = odd[(seed >> 20) % (sizeof odd - 1)];
        }
        const cmw_str field = guard_page_put(&page, cmw_str_make(text, len));
        const size_t cap = round % 3 == 0 ? 1 + round % 5 : FIELD_CAP;
        check_split(cmw__cookie_split, field, cap);
        if (cmw__cookie_has_avx2())
            check_split(cmw__cookie_split_avx2, field, cap);
    }
    guard_page_close(&page);
}

static void a_cookie_is_found_in_whichever_field(void **state)
{
    cmw_header headers[] = {
        {CMW_STR("Cookie"), CMW_STR("a=1; b=2; c=3; d=4; e=5; f=6; g=7; h=8; i=9")},
        {CMW_STR("cookie"), CMW_STR("")},
        {CMW_STR("COOKIE"), CMW_STR("a=10; j=11")}};
    struct fixture fixture;
    cmw_str value = CMW_STR("as it was");

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.headers = headers;
    fixture.view.header_count = LEN(headers);
    cmw_request *const request = fixture_request(&fixture);
    assert_int_equal(cmw_request_cookie(request, &value, CMW_STR("x")), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_request_cookie(request, &value, CMW_STR("A")), CMW_ERR_NOT_FOUND);
    assert_true(cmw_str_equals(value, CMW_STR("as it was")));
    assert_int_equal(cmw_request_cookie(request, &value, CMW_STR("a")), 0);
    assert_true(cmw_str_equals(value, CMW_STR("1")));
    assert_int_equal(cmw_request_cookie(request, &value, CMW_STR("i")), 0);
    assert_true(cmw_str_equals(value, CMW_STR("9")));
    assert_int_equal(cmw_request_cookie(request, &value, CMW_STR("j")), 0);
    assert_true(cmw_str_equals(value, CMW_STR("11")));
    fixture_close(&fixture);
}

/* ---- Writing ---------------------------------------------------------------------------- */

struct set_row {
    const char *name;
    cmw_set_cookie cookie; /* what is 0 stays at its default, but for `plain` */
    int plain;             /* 1: without attributes but those that are given */
    int rc;
    const char *line;
};

#define NAME(text) .name = CMW_STR_INIT(text)
#define VALUE(text) .value = CMW_STR_INIT(text)

static const struct set_row set_rows[] = {
    {"the defaults", {NAME("a"), VALUE("b")}, 0, 0, "a=b; Path=/; Secure; HttpOnly; SameSite=Lax"},
    {"nothing but the pair", {NAME("a"), VALUE("b"), .same_site = 3}, 1, 0, "a=b"},
    {"an empty value", {NAME("a"), .same_site = 3}, 1, 0, "a="},
    {"all of it",
     {NAME("__Secure-a"), VALUE("b"), .path = CMW_STR_INIT("/x"),
      .domain = CMW_STR_INIT("a.example"), .max_age_s = 60, .expires_s = 1893456000,
      .same_site = CMW_SAME_SITE_NONE, .secure = 1, .http_only = 1, .partitioned = 1},
     1,
     0,
     "__Secure-a=b; Domain=a.example; Path=/x; Max-Age=60; Expires=Tue, 01 Jan 2030 00:00:00 GMT; "
     "Secure; HttpOnly; SameSite=None; Partitioned"},
    {"deleted", {NAME("a"), .max_age_s = -1, .same_site = 3}, 1, 0, "a=; Max-Age=-1"},
    {"strict", {NAME("a"), .same_site = CMW_SAME_SITE_STRICT}, 1, 0, "a=; SameSite=Strict"},
    {"a host cookie",
     {NAME("__Host-a")},
     0,
     0,
     "__Host-a=; Path=/; Secure; HttpOnly; SameSite=Lax"},
    {"a host cookie without secure",
     {NAME("__Host-a"), .path = CMW_STR_INIT("/")},
     1,
     CMW_ERR_CONFLICT,
     NULL},
    {"a host cookie with a path",
     {NAME("__Host-a"), .path = CMW_STR_INIT("/x")},
     0,
     CMW_ERR_CONFLICT,
     NULL},
    {"a host cookie without a path", {NAME("__Host-a"), .secure = 1}, 1, CMW_ERR_CONFLICT, NULL},
    {"a host cookie with a domain",
     {NAME("__Host-a"), .domain = CMW_STR_INIT("a.example")},
     0,
     CMW_ERR_CONFLICT,
     NULL},
    {"a host cookie in another case", {NAME("__hOST-a"), .secure = 1}, 1, CMW_ERR_CONFLICT, NULL},
    {"a secure cookie without secure", {NAME("__Secure-a")}, 1, CMW_ERR_CONFLICT, NULL},
    {"a name that only begins so", {NAME("__Host"), .same_site = 3}, 1, 0, "__Host="},
    {"SameSite=None without secure",
     {NAME("a"), .same_site = CMW_SAME_SITE_NONE},
     1,
     CMW_ERR_CONFLICT,
     NULL},
    {"partitioned without secure", {NAME("a"), .partitioned = 1}, 1, CMW_ERR_CONFLICT, NULL},
    {"no name", {VALUE("b")}, 0, CMW_ERR_INVALID, NULL},
    {"a blank in the name", {NAME("a b")}, 0, CMW_ERR_INVALID, NULL},
    {"an equals sign in the name", {NAME("a=b")}, 0, CMW_ERR_INVALID, NULL},
    {"a semicolon in the value", {NAME("a"), VALUE("b; Domain=x")}, 0, CMW_ERR_INVALID, NULL},
    {"a line end in the value", {NAME("a"), VALUE("b\r\nX: y")}, 0, CMW_ERR_INVALID, NULL},
    {"a NUL in the value", {NAME("a"), VALUE("b\0c")}, 0, CMW_ERR_INVALID, NULL},
    {"a blank in the value", {NAME("a"), VALUE("b c")}, 0, CMW_ERR_INVALID, NULL},
    {"a comma in the value", {NAME("a"), VALUE("b,c")}, 0, CMW_ERR_INVALID, NULL},
    {"a backslash in the value", {NAME("a"), VALUE("b\\c")}, 0, CMW_ERR_INVALID, NULL},
    {"UTF-8 in the value", {NAME("a"), VALUE("\xc3\xbc")}, 0, CMW_ERR_INVALID, NULL},
    {"a quoted value", {NAME("a"), VALUE("\"b\""), .same_site = 3}, 1, 0, "a=\"b\""},
    {"one quote", {NAME("a"), VALUE("\"")}, 0, CMW_ERR_INVALID, NULL},
    {"a quote inside quotes", {NAME("a"), VALUE("\"b\"c\"")}, 0, CMW_ERR_INVALID, NULL},
    {"a semicolon in the path",
     {NAME("a"), .path = CMW_STR_INIT("/;HttpOnly")},
     0,
     CMW_ERR_INVALID,
     NULL},
    {"a line end in the path", {NAME("a"), .path = CMW_STR_INIT("/\n")}, 0, CMW_ERR_INVALID, NULL},
    {"a path without a slash", {NAME("a"), .path = CMW_STR_INIT("x")}, 0, CMW_ERR_INVALID, NULL},
    {"a semicolon in the domain",
     {NAME("a"), .domain = CMW_STR_INIT("e.com; Secure")},
     0,
     CMW_ERR_INVALID,
     NULL},
    {"a line end in the domain",
     {NAME("a"), .domain = CMW_STR_INIT("a\nb")},
     0,
     CMW_ERR_INVALID,
     NULL},
    {"no SameSite of that number", {NAME("a"), .same_site = 4}, 1, CMW_ERR_ARG, NULL},
    {"a negative one", {NAME("a"), .same_site = -1}, 1, CMW_ERR_ARG, NULL},
};

static cmw_set_cookie cookie_of(const struct set_row *row)
{
    cmw_set_cookie cookie;

    cmw_set_cookie_init(&cookie);
    if (row->plain) {
        cookie = row->cookie;
        cookie.size = sizeof cookie;
        if (cookie.max_age_s == 0)
            cookie.max_age_s = CMW_COOKIE_SESSION;
        if (cookie.expires_s == 0)
            cookie.expires_s = CMW_COOKIE_SESSION;
        return cookie;
    }
    cookie.name = row->cookie.name;
    cookie.value = row->cookie.value;
    cookie.domain = row->cookie.domain;
    if (row->cookie.path.len > 0)
        cookie.path = row->cookie.path;
    return cookie;
}

static void check_set_row(void **state)
{
    const struct set_row *row = *state;
    const cmw_set_cookie cookie = cookie_of(row);
    char room[256];
    size_t len = 7;

    memset(room, '~', sizeof room);
    const int rc = cmw_set_cookie_write(&len, room, sizeof room, &cookie);
    assert_int_equal(rc, row->rc);
    if (rc != 0) {
        assert_int_equal(len, 7);
        assert_int_equal(room[0], '~');
        return;
    }
    assert_int_equal(len, strlen(row->line));
    assert_memory_equal(room, row->line, len);
    for (size_t cap = 0; cap < strlen(row->line); cap++) {
        memset(room, '~', sizeof room);
        assert_int_equal(cmw_set_cookie_write(&len, room, cap, &cookie), CMW_ERR_LIMIT);
        assert_int_equal(len, strlen(row->line));
        assert_int_equal(room[cap], '~');
    }
}

static void what_browsers_drop_is_refused(void **state)
{
    static char text[CMW_COOKIE_MAX + 1];
    cmw_set_cookie cookie;
    size_t len;

    (void)state;
    memset(text, '/', sizeof text);
    cmw_set_cookie_init(&cookie);
    cookie.name = CMW_STR("a");
    cookie.value = cmw_str_make(text, CMW_COOKIE_MAX - 1);
    assert_int_equal(cmw_set_cookie_write(&len, NULL, 0, &cookie), CMW_ERR_LIMIT);
    cookie.value.len++;
    assert_int_equal(cmw_set_cookie_write(&len, NULL, 0, &cookie), CMW_ERR_ARG);
    cookie.value.len = 0;
    cookie.path = cmw_str_make(text, CMW_COOKIE_ATTRIBUTE_MAX);
    assert_int_equal(cmw_set_cookie_write(&len, NULL, 0, &cookie), CMW_ERR_LIMIT);
    cookie.path.len++;
    assert_int_equal(cmw_set_cookie_write(&len, NULL, 0, &cookie), CMW_ERR_ARG);
    cookie.path = CMW_STR("/");
    cookie.size--;
    assert_int_equal(cmw_set_cookie_write(&len, NULL, 0, &cookie), CMW_ERR_VERSION);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + LEN(set_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(both_ways_read_what_one_byte_at_a_time_does),
        cmocka_unit_test(a_cookie_is_found_in_whichever_field),
        cmocka_unit_test(what_browsers_drop_is_refused),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(set_rows); i++)
        tests[LEN(rows) + i] = ROW_TEST(&set_rows[i], check_set_row);
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL) |
           cmocka_run_group_tests_name("cookie: the rest", others, NULL, NULL);
}
