/* SPDX-License-Identifier: MIT */
/* Looking for odd bytes sixteen at a time: the same as byte after byte, for every byte and place.
 */
#include "test.h"

#include "log_scan.h"

enum { CAP = 80 };

static int is_odd_text(const char *text, size_t len, char floor)
{
    char scratch[CAP];
    return cmw__log_copy_bytes(scratch, text, len, floor);
}

static void check_copy(const char *text, size_t len, char floor)
{
    char to[CAP + 32];

    memset(to, '~', sizeof to);
    const int is_odd = cmw__log_copy(to, text, len, floor);
    assert_int_equal(is_odd, is_odd_text(text, len, floor));
    if (!is_odd)
        assert_memory_equal(to, text, len);
    assert_int_equal(to[len], '~'); /* nothing is written behind it */
}

static void every_byte_in_every_place(void **state)
{
    char text[CAP];

    (void)state;
    for (size_t len = 1; len < CAP; len++) {
        for (size_t at = 0; at < len; at += len < 20 ? 1 : 5) {
            memset(text, 'a', sizeof text);
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char)byte;
                check_copy(text, len, 0x20);
                check_copy(text, len, 0x21);
            }
        }
    }
}

static void no_byte_is_copied_as_such(void **state)
{
    char to = '~';

    (void)state;
    assert_int_equal(cmw__log_copy(&to, "", 0, 0x20), 0);
    assert_int_equal(to, '~');
}

static void marks_are_those_of_urls(void **state)
{
    char block[32];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < CMW__LOG_BLOCK; at++) {
            memset(block, 'a', sizeof block);
            block[at] = (char)byte;
            const int means = byte != 0 && strchr("?#&;=%", byte) != NULL;
            assert_int_equal(cmw__log_url_marks(block), means ? 1u << at : 0);
        }
    }
}

static void bits_end_with_the_text(void **state)
{
    (void)state;
    assert_int_equal(cmw__log_before(0xffff, 1), 1);
    assert_int_equal(cmw__log_before(0xffff, 15), 0x7fff);
    assert_int_equal(cmw__log_before(0xffff, 16), 0xffff);
    assert_int_equal(cmw__log_lowest(0x8000), 15);
    assert_int_equal(cmw__log_lowest(0x8001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(no_byte_is_copied_as_such),
        cmocka_unit_test(marks_are_those_of_urls),
        cmocka_unit_test(bits_end_with_the_text),
    };
    return cmocka_run_group_tests_name("log_scan", tests, NULL, NULL);
}
