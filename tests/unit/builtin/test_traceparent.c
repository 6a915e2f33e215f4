/* SPDX-License-Identifier: MIT */
/* The form of a traceparent: every byte at every place. */
#include "traceparent.h"

#include "test.h"

static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

_Static_assert(sizeof good - 1 == CMW__TRACEPARENT_LEN, "the bytes that are read");

static int is_dash(size_t place)
{
    return place == CMW__TRACE_AT - 1 || place == CMW__SPAN_AT - 1 || place == CMW__FLAGS_AT - 1;
}

static void each_place_takes_what_belongs_there(void **state)
{
    char text[CMW__TRACEPARENT_LEN];

    (void)state;
    for (size_t place = 0; place < sizeof text; place++) {
        for (int byte = 0; byte < 256; byte++) {
            const char c = (char)byte;
            const int is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            memcpy(text, good, sizeof text);
            text[place] = c;
            assert_int_equal(cmw__traceparent_has_form(text), is_dash(place) ? c == '-' : is_digit);
        }
    }
}

/* One digit that is not zero makes an id. */
static void ids_of_zeros_alone_are_none(void **state)
{
    char text[CMW__TRACEPARENT_LEN];

    (void)state;
    for (size_t trace = 0; trace <= 32; trace++) {
        for (size_t span = 0; span <= 16; span++) {
            memcpy(text, good, sizeof text);
            memset(text + CMW__TRACE_AT, '0', 32);
            memset(text + CMW__SPAN_AT, '0', 16);
            if (trace < 32)
                text[CMW__TRACE_AT + trace] = 'a';
            if (span < 16)
                text[CMW__SPAN_AT + span] = '1';
            assert_int_equal(cmw__traceparent_has_ids(text), trace < 32 && span < 16);
        }
    }
}

static void eight_bytes_are_sixteen_digits(void **state)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[8] = {0};
    char text[16];

    (void)state;
    for (size_t place = 0; place < sizeof bytes; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            bytes[place] = (uint8_t)byte;
            cmw__hex8(text, bytes);
            for (size_t i = 0; i < sizeof bytes; i++) {
                assert_int_equal(text[2 * i], digits[bytes[i] >> 4]);
                assert_int_equal(text[2 * i + 1], digits[bytes[i] & 15]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_takes_what_belongs_there),
        cmocka_unit_test(ids_of_zeros_alone_are_none),
        cmocka_unit_test(eight_bytes_are_sixteen_digits),
    };

    return cmocka_run_group_tests_name("traceparent", tests, NULL, NULL);
}
