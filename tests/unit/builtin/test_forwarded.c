/* SPDX-License-Identifier: MIT */
/* The pure core: a list written element by element is read back from the right, whatever stands
 * left of it. Inputs end at a guard page. */
#include "test.h"

#include "forwarded.h"
#include "guard_page.h"

#include <stdio.h>

static uint64_t seed = 5;

static unsigned draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

/* Append `text` as a token or a quoted-string, as it must be or as it comes. */
static size_t write_value(char *out, const char *text, int must_quote)
{
    size_t len = 0;

    if (!must_quote && draw(2)) {
        memcpy(out, text, strlen(text));
        return strlen(text);
    }
    out[len++] = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || draw(6) == 0)
            out[len++] = '\\';
        out[len++] = *text;
    }
    out[len++] = '"';
    return len;
}

struct values {
    const char *node, *proto, *host;
};

static const struct values values[] = {
    {"192.0.2.1", "https", "a.example"},
    {"[2001:db8::1]:80", "http", "a,b;c=\"d\"\\"},
    {"_hidden", "HTTPS", "\\\\\\\""},
    {"unknown", "x-y.z", ",;,;"},
};

static int needs_quotes(const char *text)
{
    return strpbrk(text, "[]:,;=\"\\") != NULL;
}

static size_t write_element(char *out, const struct values *element)
{
    const struct {
        const char *name, *value;
    } pairs[] = {{"for=", element->node}, {"Proto=", element->proto}, {"HOST=", element->host}};
    const unsigned first = draw(3);
    size_t len = 0;

    for (unsigned i = 0; i < 3; i++) {
        const unsigned at = (first + i) % 3;
        memcpy(out + len, pairs[at].name, strlen(pairs[at].name));
        len += strlen(pairs[at].name);
        len += write_value(out + len, pairs[at].value, needs_quotes(pairs[at].value));
        if (i < 2 || draw(4) == 0)
            out[len++] = ';';
    }
    return len;
}

static void assert_means(const struct cmw__forwarded_value *value, const char *expected)
{
    char text[64];

    assert_true(value->text.len <= sizeof text);
    const size_t len = cmw__forwarded_unescape(text, value->text);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
    if (!value->has_escapes)
        assert_memory_equal(value->text.data, expected, len);
}

static void what_is_written_is_read_from_the_right(void **state)
{
    static const char *const junk[] = {"",          "for=\"",  "\"",          "for=\"\\",
                                       "a=b\\\\\"", "=;=,\"x", "for=\"a\\\"b"};
    struct guard_page page;
    (void)state;

    guard_page_open(&page, 4096);
    for (int round = 0; round < 20000; round++) {
        char text[2048];
        unsigned chosen[6];
        struct cmw__forwarded_element element;
        const unsigned count = 1 + draw(6);
        const char *front = junk[draw(LEN(junk))];
        size_t len = strlen(front);
        memcpy(text, front, len);
        for (unsigned i = 0; i < count; i++) {
            if (len > 0)
                text[len++] = ',';
            if (draw(2))
                text[len++] = ' ';
            chosen[i] = draw(LEN(values));
            len += write_element(text + len, &values[chosen[i]]);
        }
        cmw_str list = guard_page_put(&page, cmw_str_make(text, len));
        for (unsigned i = count; i-- > 0;) {
            assert_int_equal(cmw__forwarded_take_last(&list, &element), 1);
            assert_means(&element.node, values[chosen[i]].node);
            assert_means(&element.proto, values[chosen[i]].proto);
            assert_means(&element.host, values[chosen[i]].host);
            assert_null(element.by.text.data);
        }
        if (front[0] == '\0')
            assert_int_equal(cmw__forwarded_take_last(&list, &element), 0);
    }
    guard_page_close(&page);
}

struct name_row {
    const char *name;
    enum cmw__forwarding field;
};

static void names_are_told_in_any_case(void **state)
{
    static const struct name_row rows[] = {
        {"Forwarded", CMW__FORWARDED},
        {"fORWARDED", CMW__FORWARDED},
        {"X-Forwarded-For", CMW__FORWARDED_FOR},
        {"x-forwarded-PROTO", CMW__FORWARDED_PROTO},
        {"X-Forwarded-Host", CMW__FORWARDED_HOST},
        {"X-Forwarded-Port", CMW__FORWARDED_PORT},
        {"X-Forwarded-Prefix", CMW__FORWARDED_PREFIX},
        {"X-Forwarded-Prefixes", CMW__FORWARDED_OTHER},
        {"X-Forwarded-S", CMW__FORWARDED_OTHER},
        {"X-Real-IP", CMW__FORWARDED_REAL_IP},
        {"X_Forwarded_For", CMW__FORWARDED_ALIAS},
        {"X.Forwarded.For", CMW__FORWARDED_ALIAS},
        {"X-Forwarded_For", CMW__FORWARDED_ALIAS},
        {"X-Forwarded-Client_Cert", CMW__FORWARDED_ALIAS},
        {"x_real_ip", CMW__FORWARDED_ALIAS},
        {"X-Forwarded-", CMW__NOT_FORWARDING},
        {"X-Forwarded", CMW__NOT_FORWARDING},
        {"XForwardedFor", CMW__NOT_FORWARDING},
        {"X-Real-I", CMW__NOT_FORWARDING},
        {"X-Real-IPx", CMW__NOT_FORWARDING},
        {"Forwarded-For", CMW__NOT_FORWARDING},
        {"Host", CMW__NOT_FORWARDING},
        {"", CMW__NOT_FORWARDING},
        {"X", CMW__NOT_FORWARDING},
    };
    struct guard_page page;
    (void)state;

    guard_page_open(&page, 4096);
    for (size_t i = 0; i < LEN(rows); i++) {
        const cmw_str name = guard_page_put(&page, cmw_str_cstr(rows[i].name));
        assert_int_equal(cmw__forwarding_of(name), rows[i].field);
        assert_int_equal(cmw__forwarding_of(guard_page_put_first(&page, name)), rows[i].field);
    }
    guard_page_close(&page);
}

/* Every text of a small alphabet, at both ends of a page: the core may say what it likes, but reads
 * nothing outside and comes to an end. */
static void no_byte_outside_is_read(void **state)
{
    static const char alphabet[] = "f=\"\\;, [1";
    struct guard_page page;
    (void)state;

    guard_page_open(&page, 4096);
    for (unsigned number = 0; number < 9 * 9 * 9 * 9 * 9 * 9; number++) {
        char text[6];
        unsigned rest = number;
        for (size_t i = 0; i < sizeof text; i++, rest /= 9)
            text[i] = alphabet[rest % 9];
        for (int at_front = 0; at_front < 2; at_front++) {
            const cmw_str whole = cmw_str_make(text, sizeof text);
            const cmw_str copy =
                at_front ? guard_page_put_first(&page, whole) : guard_page_put(&page, whole);
            struct cmw__forwarded_element element;
            cmw_address address;
            cmw_str list = copy, part;
            while (cmw__forwarded_take_last(&list, &element) > 0)
                assert_true(list.len < copy.len);
            list = copy;
            while (cmw__list_take_last(&list, &part))
                assert_true(part.len > 0);
            (void)cmw__node_read(&address, &part, copy);
        }
    }
    guard_page_close(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_from_the_right),
        cmocka_unit_test(names_are_told_in_any_case),
        cmocka_unit_test(no_byte_outside_is_read),
    };

    return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
