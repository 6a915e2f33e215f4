/* SPDX-License-Identifier: MIT */
/* Tags of the usual length: what is said to be the same is, and is a tag. */
#include "short_tag.h"

#include <catzilla/precondition.h>

#include "test.h"

enum { LONGEST = 24 };

/* The tag of so many bytes. */
static cmw_str make_tag(char *text, size_t len)
{
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    return cmw_str_make(text, len);
}

static void the_same_is_the_same(void **state)
{
    char a[LONGEST], b[LONGEST];

    (void)state;
    for (size_t len = 2; len <= LONGEST; len++)
        assert_int_equal(cmw__is_same_short_tag(make_tag(a, len), make_tag(b, len)),
                         len >= CMW__SHORT_TAG_LEAST && len <= CMW__SHORT_TAG_MOST);
    assert_int_equal(cmw__is_same_short_tag(make_tag(a, 11), make_tag(b, 12)), 0);
    assert_int_equal(cmw__is_same_short_tag(cmw_str_make(NULL, 0), cmw_str_make(NULL, 0)), 0);
}

/* Every byte at every place, in one of them and in both. */
static void nothing_else_is_the_same(void **state)
{
    char a[LONGEST], b[LONGEST];

    (void)state;
    for (size_t len = CMW__SHORT_TAG_LEAST; len <= CMW__SHORT_TAG_MOST; len++) {
        const cmw_str one = make_tag(a, len), other = make_tag(b, len);
        for (size_t place = 0; place < len; place++) {
            const char before = a[place];
            for (int byte = 0; byte < 256; byte++) {
                a[place] = (char)byte;
                assert_int_equal(cmw__is_same_short_tag(one, other), a[place] == before);
                assert_int_equal(cmw__is_same_short_tag(other, one), a[place] == before);
                b[place] = (char)byte;
                if (cmw__is_same_short_tag(one, other))
                    assert_true(cmw_etag_is_valid(one));
                b[place] = before;
            }
            a[place] = before;
        }
    }
}

/* Letters and digits are usual, whatever their number. */
static void usual_bytes_are_usual(void **state)
{
    char a[LONGEST], b[LONGEST];
    const cmw_str one = make_tag(a, 12), other = make_tag(b, 12);

    (void)state;
    for (int byte = '#'; byte <= '~'; byte++) {
        a[5] = b[5] = (char)byte;
        assert_int_equal(cmw__is_same_short_tag(one, other), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_the_same),
        cmocka_unit_test(nothing_else_is_the_same),
        cmocka_unit_test(usual_bytes_are_usual),
    };

    return cmocka_run_group_tests_name("short tags", tests, NULL, NULL);
}
