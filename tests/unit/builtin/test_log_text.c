/* SPDX-License-Identifier: MIT */
/* Escaping and redaction of foreign text in log lines. */
#include "log_text.h"

#include "guard_page.h"
#include "test.h"

static const cmw_str names[] = {CMW_STR_INIT("token"), CMW_STR_INIT("api_key"), CMW_STR_INIT("k")};
static const struct cmw__log_keys keys = {names, LEN(names), 1u << 4 | 1u << 6 | 1u << 0};

enum how { TEXT, URL, QUERY };

struct row {
    const char *name;
    enum how how;
    enum cmw__log_escape escape;
    cmw_str text;
    const char *want;
};

static const struct row rows[] = {
    {"printable ASCII is copied", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("GET /a?b=c'<>&{}"),
     "GET /a?b=c'<>&{}"},
    {"nothing gives nothing", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT(""), ""},
    {"a quote cannot end the text", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("\" 200 1 \""),
     "\\\" 200 1 \\\""},
    {"a backslash is doubled", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("a\\"), "a\\\\"},
    {"a line end cannot begin a line", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("a\r\n127.0.0.1 - -"),
     "a\\x0d\\x0a127.0.0.1 - -"},
    {"NUL, ESC and DEL are escaped", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("\0\x1b[2J\x7f"),
     "\\x00\\x1b[2J\\x7f"},
    {"bytes above ASCII are escaped", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("\xc3\xa9\xff"),
     "\\xc3\\xa9\\xff"},
    {"a blank between quotes stays", TEXT, CMW__LOG_QUOTED, CMW_STR_INIT("a b"), "a b"},
    {"a bare blank is escaped", TEXT, CMW__LOG_BARE, CMW_STR_INIT("a b\tc"), "a\\x20b\\x09c"},
    {"what is odd at the end of a long text is seen", TEXT, CMW__LOG_QUOTED,
     CMW_STR_INIT("0123456789abcdef0123456789abcdef0\n"), "0123456789abcdef0123456789abcdef0\\x0a"},
    {"what is odd in the middle of a long text is seen", TEXT, CMW__LOG_QUOTED,
     CMW_STR_INIT("0123456789abcdef\"123456789abcdef0"), "0123456789abcdef\\\"123456789abcdef0"},

    {"JSON: UTF-8 is copied", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
     "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"JSON: quotes, backslashes, controls, DEL", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("\"\\\n\x1f\x7f"), "\\\"\\\\\\u000a\\u001f\\u007f"},
    {"JSON: a lone byte is replaced", TEXT, CMW__LOG_JSON, CMW_STR_INIT("a\x80z\xff"),
     "a\\ufffdz\\ufffd"},
    {"JSON: a short form is replaced", TEXT, CMW__LOG_JSON, CMW_STR_INIT("\xc0\xaf\xe0\x80\xaf"),
     "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"JSON: a surrogate is replaced", TEXT, CMW__LOG_JSON, CMW_STR_INIT("\xed\xa0\x80"),
     "\\ufffd\\ufffd\\ufffd"},
    {"JSON: a code above U+10FFFF is replaced", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"JSON: a sequence that ends too soon is replaced", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("a\xe2\x82"), "a\\ufffd\\ufffd"},
    {"JSON: a quote after a lead byte is not swallowed", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("\xc3\"}"), "\\ufffd\\\"}"},
    {"JSON: line ends of Unicode are escaped", TEXT, CMW__LOG_JSON,
     CMW_STR_INIT("\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xc2\x9b"), "\\u0085\\u2028\\u2029\\u009b"},

    {"a secret's value is left out", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/a?x=1&token=abc&y=2"),
     "/a?x=1&token=[redacted]&y=2"},
    {"every one of them", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?token=a&api_key=b&token=c"),
     "/?token=[redacted]&api_key=[redacted]&token=[redacted]"},
    {"in any case", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?ToKeN=a"), "/?ToKeN=[redacted]"},
    {"percent-encoded", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?%74ok%65n=a&api%5Fkey=b"),
     "/?%74ok%65n=[redacted]&api%5Fkey=[redacted]"},
    {"another name stays", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?tokens=a&toke=b&xtoken=c&=d"),
     "/?tokens=a&toke=b&xtoken=c&=d"},
    {"an empty value stays", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?token=&token"),
     "/?token=&token"},
    {"a value with '=' goes whole", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?token=a=b==&x"),
     "/?token=[redacted]&x"},
    {"a path is not a query", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/token=a"), "/token=a"},
    {"';' separates, too", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?a=1;token=b;c"),
     "/?a=1;token=[redacted];c"},
    {"a second '?' hides nothing", URL, CMW__LOG_QUOTED, CMW_STR_INIT("/?a?token=b"),
     "/?a?token=[redacted]"},
    {"a fragment hides nothing", URL, CMW__LOG_QUOTED, CMW_STR_INIT("https://a.example/#token=b"),
     "https://a.example/#token=[redacted]"},
    {"what is odd in a secret is left out", URL, CMW__LOG_JSON, CMW_STR_INIT("/?token=\"\n\xff"),
     "/?token=[redacted]"},
    {"what is odd beside it is escaped", URL, CMW__LOG_JSON, CMW_STR_INIT("/\"?k=v&\""),
     "/\\\"?k=[redacted]&\\\""},
    {"an escape that is cut is a name like others", URL, CMW__LOG_QUOTED,
     CMW_STR_INIT("/?%7=a&%=b&%zz=c&%74%"), "/?%7=a&%=b&%zz=c&%74%"},
    {"a query alone", QUERY, CMW__LOG_QUOTED, CMW_STR_INIT("token=a&b"), "token=[redacted]&b"},
    {"only separators", QUERY, CMW__LOG_QUOTED, CMW_STR_INIT("&&==;;&=&"), "&&==;;&=&"},
};

static size_t run(char *to, enum how how, enum cmw__log_escape escape, cmw_str text)
{
    const char *end = how == TEXT  ? cmw__log_text(to, text, escape)
                      : how == URL ? cmw__log_url(to, text, escape, &keys)
                                   : cmw__log_query(to, text, escape, &keys);
    return (size_t)(end - to);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    char to[512];
    struct guard_page page;

    guard_page_open(&page, row->text.len);
    const cmw_str text = guard_page_put(&page, row->text);
    const size_t len = run(to, row->how, row->escape, text);
    to[len] = '\0';
    assert_string_equal(to, row->want);
    guard_page_close(&page);
}

/* ---- Any bytes -------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Bytes that a reader would stumble over, more often than others. */
static void fill_hostile(char *text, size_t len, uint32_t *seed)
{
    static const char often[] = "\"\\\n\r\x7f\x80\xc3\xe2\xf0\xff%&=?;k token";

    for (size_t i = 0; i < len; i++) {
        const uint32_t number = next_random(seed);
        text[i] = number % 2 ? often[number / 2 % (sizeof often - 1)] : (char)(number / 2);
    }
}

/* No control byte, no DEL, and each quote behind a backslash of its own. */
static int is_tame(const char *text, size_t len, int allows_high)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f || c == '"' || (c >= 0x80 && !allows_high))
            return 0;
        if (c == '\\' && (++i == len || (unsigned char)text[i] < 0x20))
            return 0;
    }
    return 1;
}

static void any_bytes_are_tamed_within_their_room(void **state)
{
    enum { CAP = 80 };
    uint32_t seed = 7;
    char text[CAP];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        const size_t len = next_random(&seed) % CAP;
        const enum cmw__log_escape escape = (enum cmw__log_escape)(i % 3);
        char to[CMW__LOG_GROWTH * CAP + CMW__LOG_SLACK];
        fill_hostile(text, len, &seed);
        const size_t made = run(to, (enum how)(i / 3 % 3), escape, cmw_str_make(text, len));
        assert_true(made <= CMW__LOG_GROWTH * len);
        assert_true(escape == CMW__LOG_JSON || made <= 4 * len);
        assert_true(is_tame(to, made, escape == CMW__LOG_JSON));
    }
}

/* Every length around those of the blocks, with one odd byte in every place. */
static void an_odd_byte_is_found_in_every_place(void **state)
{
    char text[70];
    char to[CMW__LOG_GROWTH * sizeof text + CMW__LOG_SLACK];

    (void)state;
    for (size_t len = 1; len < sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(text, 'a', len);
            text[at] = '\n';
            const size_t made = run(to, TEXT, CMW__LOG_QUOTED, cmw_str_make(text, len));
            assert_int_equal(made, len + 3);
            assert_memory_equal(to + at, "\\x0a", 4);
        }
    }
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(any_bytes_are_tamed_within_their_room),
        cmocka_unit_test(an_odd_byte_is_found_in_every_place),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("log text", tests, NULL, NULL) +
           cmocka_run_group_tests_name("log text, any bytes", others, NULL, NULL);
}
