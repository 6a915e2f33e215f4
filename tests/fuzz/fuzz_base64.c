/* SPDX-License-Identifier: MIT */
/*
 * Base64, hexadecimal, percent-encoding, quoted strings. The first byte chooses the flags; what is
 * read must be written back as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/encoding.h>

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_base64(cmw_str text, unsigned flags, char *room, char *back)
{
    size_t len, back_len;

    if (cmw_base64_decode(&len, room, text.len, text, flags) != 0)
        return;
    check(cmw_base64_encode(&back_len, back, text.len, cmw_str_make(room, len), flags) == 0);
    check(cmw_str_equals(cmw_str_make(back, back_len), text));
}

static void check_others(cmw_str text, unsigned flags, char *room, char *back)
{
    cmw_str value = {"", 0};
    size_t len, back_len;

    if (cmw_hex_decode(&len, room, text.len, text) == 0) {
        check(cmw_hex_encode(&back_len, back, text.len, cmw_str_make(room, len)) == 0);
        check(cmw_str_equals_fold(cmw_str_make(back, back_len), text));
    }
    if (cmw_percent_decode(&len, room, text.len, text, flags & CMW_PERCENT_FORM) == 0)
        check(len <= text.len);
    if (cmw_quoted_encode(&len, back, 2 * text.len + 2, text) == 0)
        check(len >= text.len + 2);
    check(cmw_query_find(&value, text, CMW_STR("a")) <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const cmw_str text = cmw_str_make((const char *)data + 1, size - 1);
    char *room = malloc(text.len + 1);
    char *back = malloc(2 * text.len + 2);

    if (room && back) {
        check_base64(text, data[0] & 3u, room, back);
        check_others(text, data[0], room, back);
    }
    free(back);
    free(room);
    return 0;
}
