/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

struct row {
    const char *name;
    const char *path;
    const char *canonical; /* NULL: refused */
};

static const struct row rows[] = {
    {"root stays", "/", "/"},
    {"empty path is the root", "", "/"},
    {"plain path stays", "/a/b", "/a/b"},
    {"trailing slash stays", "/a/b/", "/a/b/"},
    {"case stays", "/A/b", "/A/b"},
    {"parent takes its segment away", "/a/../b", "/b"},
    {"parent at the end leaves a slash", "/a/b/..", "/a/"},
    {"dot at the end leaves a slash", "/a/b/.", "/a/b/"},
    {"dot at the front goes", "/./a", "/a"},
    {"parent of the root is the root", "/..", "/"},
    {"parent of the root before a name", "/../a", "/a"},
    {"parents of the root before a name", "/../../a", "/a"},
    {"more parents than segments", "/a/../../b", "/b"},
    {"dot alone", "/.", "/"},
    {"the RFC's example", "/a/b/c/./../../g", "/a/g"},
    {"the RFC's other example", "/mid/content=5/../6", "/mid/6"},
    {"dots in a name stay", "/a/b..", "/a/b.."},
    {"three dots are a name", "/.../a", "/.../a"},
    {"hidden file is a name", "/.git/config", "/.git/config"},
    {"name that begins with two dots", "/..a/b", "/..a/b"},
    {"many parents", "/a/b/c/../../../d", "/d"},
    {"many dots", "/a/./././b", "/a/b"},
    {"mixed dots", "/foo/bar/.././baz", "/foo/baz"},
    {"upper-case escape of an unreserved character", "/%7Euser", "/~user"},
    {"lower-case escape of an unreserved character", "/%7euser", "/~user"},
    {"escaped letter", "/%61dmin", "/admin"},
    {"escaped slash stays escaped, in upper case", "/a%2fb", "/a%2Fb"},
    {"escaped slash hides no parent", "/a%2f..%2fb", "/a%2F..%2Fb"},
    {"escaped backslash stays escaped", "/a%5cb", "/a%5Cb"},
    {"escaped parent", "/a/%2E%2E/b", "/b"},
    {"escaped parent in lower case", "/a/%2e%2e/b", "/b"},
    {"half escaped parent", "/a/.%2e/b", "/b"},
    {"escaped dot", "/a/%2e/b", "/a/b"},
    {"escaped parent at the end", "/a/b/%2e.", "/a/"},
    {"escaped UTF-8 in upper case", "/%c3%a9", "/%C3%A9"},
    {"double escape is decoded once", "/%252e%252e/a", "/%252e%252e/a"},
    {"reserved characters stay", "/a:b@c!$&'()*+,;=", "/a:b@c!$&'()*+,;="},
    {"escaped number sign stays", "/a%23b", "/a%23b"},
    {"escaped control stays escaped", "/a%0ab", "/a%0Ab"},
    {"unreserved marks stay", "/-._~", "/-._~"},
    {"bytes above ASCII stay", "/\xc3\xa9", "/\xc3\xa9"},
    {"two slashes are merged", "/a//b", "/a/b"},
    {"slashes at the front are merged", "//a", "/a"},
    {"slashes alone are merged", "////", "/"},
    {"slashes everywhere are merged", "/a///b//", "/a/b/"},
    {"slashes are merged before dot segments go", "/a//../b", "/b"},
    {"dot between slashes", "/a/.//b", "/a/b"},
    {"long canonical path", "/api/v1/users/0123456789/profile", "/api/v1/users/0123456789/profile"},
    {"dot segment across sixteen bytes", "/0123456789abcd/../x", "/x"},
    {"slashes across sixteen bytes", "/0123456789abcd//x", "/0123456789abcd/x"},
    {"lonely percent sign is refused", "/a%", NULL},
    {"cut escape is refused", "/a%2", NULL},
    {"escape that is not hex is refused", "/a%zz", NULL},
    {"escape whose second digit is not hex is refused", "/a%2g", NULL},
    {"escape in an escape is refused", "/a%2%65", NULL},
    {"escaped NUL is refused", "/a%00b", NULL},
    {"backslash is refused", "/a\\b", NULL},
    {"line feed is refused", "/a\nb", NULL},
    {"carriage return is refused", "/a\rb", NULL},
    {"tab is refused", "/a\tb", NULL},
    {"DEL is refused", "/a\x7f", NULL},
    {"unit separator is refused", "/a\x1f", NULL},
    {"path without a leading slash is refused", "a/b", NULL},
    {"escaped leading slash is refused", "%2Fa", NULL},
    {"control far behind is refused", "/0123456789abcdef0123456789abcdef\x01", NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page, out_page;
    size_t len = 0;

    guard_page_open(&page, 256);
    guard_page_open(&out_page, 256);
    const cmw_str text = guard_page_put(&page, cmw_str_cstr(row->path));
    char *out = out_page.end - (text.len > 0 ? text.len : 1);
    const int rc = cmw__path_canonical(out, &len, text, &cmw__path_no_rules);
    if (row->canonical) {
        assert_int_equal(rc, 0);
        assert_cstr(cmw_str_make(out, len), row->canonical);
        const int was = text.len > 0 && cmw__path_canonical_prefix(text) == text.len;
        assert_int_equal(was, strcmp(row->path, row->canonical) == 0);
    } else {
        assert_int_equal(rc, CMW_ERR_INVALID);
        if (row->path[0] == '/')
            assert_true(cmw__path_canonical_prefix(text) < text.len);
    }
    if (row->path[0] == '/' && cmw__path_plain_len(text) > 0)
        assert_str(cmw_str_make(text.data, cmw__path_plain_len(text)),
                   cmw_str_cstr(row->canonical ? row->canonical : ""));
    guard_page_close(&out_page);
    guard_page_close(&page);
}

RUN_ROWS("path", rows, check_row)

/* Every byte in every place of targets of many lengths: what is said to be plain is. */
static void plain_paths_are_canonical(void **state)
{
    struct guard_page page;

    (void)state;
    guard_page_open(&page, 256);
    for (size_t len = 1; len <= 48; len++)
        for (size_t at = 0; at < len; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[48];
                memset(text, 'a', sizeof text);
                for (size_t i = 0; i < len; i += 5)
                    text[i] = '/';
                if (at > 0)
                    text[at] = (char)byte;
                const cmw_str target = guard_page_put(&page, cmw_str_make(text, len));
                const char *mark = memchr(text, '?', len);
                const size_t path_len = mark ? (size_t)(mark - text) : len;
                const cmw_str path = cmw_str_make(target.data, path_len);
                const size_t plain = cmw__path_plain_len(target);
                if (plain > 0) {
                    assert_int_equal(plain, path_len);
                    assert_int_equal(cmw__path_canonical_prefix(path), path_len);
                } else if (byte != '%' && byte != '.') {
                    assert_true(cmw__path_canonical_prefix(path) < path_len);
                }
            }
    guard_page_close(&page);
}

/* ---- A naive implementation: one plain pass for each rule -------------------------------- */

static int naive_hex(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)((found - digits) % 16) : -1;
}

static int naive_unescape(char *out, size_t *out_len, cmw_str text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            return -1;
        if (byte != '%') {
            out[len++] = text.data[i];
            continue;
        }
        if (i + 2 >= text.len || naive_hex(text.data[i + 1]) < 0 || naive_hex(text.data[i + 2]) < 0)
            return -1;
        const int value = 16 * naive_hex(text.data[i + 1]) + naive_hex(text.data[i + 2]);
        i += 2;
        if (value == 0)
            return -1;
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", value)) {
            out[len++] = (char)value;
            continue;
        }
        out[len++] = '%';
        out[len++] = "0123456789ABCDEF"[value / 16];
        out[len++] = "0123456789ABCDEF"[value % 16];
    }
    *out_len = len;
    return 0;
}

static void naive_merge(char *text, size_t *len)
{
    size_t kept = 0;
    for (size_t i = 0; i < *len; i++) {
        if (text[i] == '/' && kept > 0 && text[kept - 1] == '/')
            continue;
        text[kept++] = text[i];
    }
    *len = kept;
}

static int begins(const char *text, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* RFC 3986, 5.2.4, to the letter, for a path that begins with "/". */
static size_t naive_remove_dots(char *out, const char *in, size_t len)
{
    size_t kept = 0;
    while (len > 0) {
        if (begins(in, len, "/./")) {
            in += 2, len -= 2;
        } else if (len == 2 && begins(in, len, "/.")) {
            in = "/", len = 1;
        } else if (begins(in, len, "/../") || (len == 3 && begins(in, len, "/.."))) {
            while (kept > 0 && out[--kept] != '/')
                continue;
            if (len == 3)
                in = "/", len = 1;
            else
                in += 3, len -= 3;
        } else {
            do {
                out[kept++] = *in++;
                len--;
            } while (len > 0 && *in != '/');
        }
    }
    return kept;
}

static int naive_canonical(char *out, size_t *len, cmw_str text)
{
    char plain[256];
    size_t plain_len;

    if (text.data[0] != '/' || naive_unescape(plain, &plain_len, text) != 0)
        return -1;
    naive_merge(plain, &plain_len);
    *len = naive_remove_dots(out, plain, plain_len);
    return 0;
}

static void random_paths_agree_with_a_naive_implementation(void **state)
{
    static const char *const pieces[] = {"/",   "/",    "//",   ".",   "..",  "/.",  "/..", "a",
                                         "bcd", "%2e",  "%2E",  "%2f", "%5c", "%41", "%",   "%c3",
                                         "~",   "\x80", "0123", "\\",  "%0",  "%00", "/./", "/../"};
    struct guard_page page;
    uint64_t seed = 7;
    (void)state;

    guard_page_open(&page, 256);
    for (int round = 0; round < 300000; round++) {
        char text[256] = "/", expected[256], got[256], again[256];
        size_t expected_len = 0, got_len = 0, again_len = 0;
        const unsigned count = next_random(&seed) % 12;
        const unsigned last = next_random(&seed) % 8 ? LEN(pieces) - 6 : LEN(pieces);
        for (unsigned i = 0; i < count; i++)
            strcat(text, pieces[next_random(&seed) % last]);
        const cmw_str path = guard_page_put(&page, cmw_str_cstr(text));
        const int valid = naive_canonical(expected, &expected_len, path) == 0;
        assert_int_equal(cmw__path_canonical(got, &got_len, path, &cmw__path_no_rules) == 0, valid);
        if (!valid)
            continue;
        assert_true(got_len <= path.len);
        assert_str(cmw_str_make(got, got_len), cmw_str_make(expected, expected_len));
        const cmw_str once = guard_page_put(&page, cmw_str_make(got, got_len));
        assert_int_equal(cmw__path_canonical_prefix(once), once.len);
        assert_int_equal(cmw__path_canonical(again, &again_len, once, &cmw__path_no_rules), 0);
        assert_str(cmw_str_make(again, again_len), cmw_str_make(got, got_len));
    }
    guard_page_close(&page);
}

static void ten_thousand_parents_end_at_the_root(void **state)
{
    static char text[30002], out[30002];
    size_t len;
    (void)state;

    for (size_t i = 0; i < 10000; i++)
        memcpy(text + 3 * i, "/..", 3);
    assert_int_equal(cmw__path_canonical(out, &len, cmw_str_make(text, 30000), &cmw__path_no_rules),
                     0);
    assert_cstr(cmw_str_make(out, len), "/");
}

static void ten_thousand_segments_are_left_one_by_one(void **state)
{
    static char text[60001], out[60001];
    size_t len;
    (void)state;

    for (size_t i = 0; i < 10000; i++) {
        memcpy(text + 2 * i, "/a", 2);
        memcpy(text + 20000 + 3 * i, "/..", 3);
    }
    assert_int_equal(cmw__path_canonical(out, &len, cmw_str_make(text, 50000), &cmw__path_no_rules),
                     0);
    assert_cstr(cmw_str_make(out, len), "/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_paths_are_canonical),
        cmocka_unit_test(random_paths_agree_with_a_naive_implementation),
        cmocka_unit_test(ten_thousand_parents_end_at_the_root),
        cmocka_unit_test(ten_thousand_segments_are_left_one_by_one),
    };
    return run_check_row() + cmocka_run_group_tests_name("path properties", tests, NULL, NULL);
}
