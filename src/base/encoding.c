/* SPDX-License-Identifier: MIT */
/*
 * Base64 (RFC 4648), hexadecimal, percent-encoding, quoted strings.
 *
 * The length of the result is known before the first byte is written, so that a short buffer is
 * refused at once; only percent-encoding and quoting have to read the text for it.
 */
#include <catzilla/encoding.h>

/* ---- Base64 ----------------------------------------------------------------------------- */

enum { NO_DIGIT = 64 };

static const char digits_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *digits_of(unsigned flags)
{
    return flags & CMW_BASE64_URL ? digits_url : digits_standard;
}

/* One to three bytes as two to four digits. */
static char *put_group(char *to, const unsigned char *from, size_t count, const char *digits)
{
    const uint32_t group = (uint32_t)from[0] << 16 | (count > 1 ? (uint32_t)from[1] << 8 : 0) |
                           (count > 2 ? from[2] : 0);

    for (size_t i = 0; i <= count; i++)
        *to++ = digits[group >> (18 - 6 * i) & 63];
    return to;
}

int cmw_base64_encode(size_t *len, char *to, size_t cap, cmw_str bytes, unsigned flags)
{
    const unsigned char *from = (const unsigned char *)bytes.data;
    const char *digits = digits_of(flags);
    const int is_padded = !(flags & CMW_BASE64_UNPADDED);
    const size_t rest = bytes.len % 3;

    if (bytes.len / 3 > (SIZE_MAX - 4) / 4)
        return CMW_ERR_LIMIT;
    const size_t tail = rest == 0 ? 0 : is_padded ? 4 : rest + 1;
    const size_t needed = bytes.len / 3 * 4 + tail;
    *len = needed;
    if (needed > cap)
        return CMW_ERR_LIMIT;
    for (size_t left = bytes.len; left >= 3; left -= 3, from += 3)
        to = put_group(to, from, 3, digits);
    if (rest > 0) {
        to = put_group(to, from, rest, digits);
        for (size_t i = rest + 1; i < tail; i++)
            *to++ = '=';
    }
    return 0;
}

/* 0..63, or NO_DIGIT. */
static unsigned value_of(unsigned char byte, const char *digits)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - (unsigned)'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - (unsigned)'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - (unsigned)'0' + 52;
    if (byte == (unsigned char)digits[62])
        return 62;
    return byte == (unsigned char)digits[63] ? 63 : NO_DIGIT;
}

/* `count` digits, the first one highest, as one number; UINT32_MAX for another byte. */
static uint32_t read_group(const char *from, size_t count, const char *digits)
{
    uint32_t group = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned value = value_of((unsigned char)from[i], digits);
        if (value == NO_DIGIT)
            return UINT32_MAX;
        group = group << 6 | value;
    }
    return group;
}

/* Two or three digits: the bits below the last byte must be 0. */
static int read_tail(char *to, const char *from, size_t count, const char *digits)
{
    const uint32_t group = read_group(from, count, digits);
    const unsigned spare = count == 2 ? 4 : 2;

    if (group == UINT32_MAX || group & ((1u << spare) - 1))
        return CMW_ERR_INVALID;
    if (count == 3)
        *to++ = (char)(group >> 10 & 0xff);
    *to = (char)(group >> spare & 0xff);
    return 0;
}

/* How many digits stand before the padding; SIZE_MAX if their number cannot be. */
static size_t count_digits(cmw_str text, unsigned flags)
{
    size_t count = text.len;

    if (!(flags & CMW_BASE64_UNPADDED)) {
        if (text.len % 4 != 0)
            return SIZE_MAX;
        for (int i = 0; i < 2 && count > 0 && text.data[count - 1] == '='; i++)
            count--;
    }
    return count % 4 == 1 ? SIZE_MAX : count;
}

int cmw_base64_decode(size_t *len, char *to, size_t cap, cmw_str text, unsigned flags)
{
    const char *digits = digits_of(flags);
    const char *from = text.data;
    const size_t count = count_digits(text, flags);

    if (count == SIZE_MAX)
        return CMW_ERR_INVALID;
    const size_t rest = count % 4;
    const size_t needed = count / 4 * 3 + (rest > 0 ? rest - 1 : 0);
    if (needed > cap) {
        *len = needed;
        return CMW_ERR_LIMIT;
    }
    for (size_t left = count; left >= 4; left -= 4, from += 4) {
        const uint32_t group = read_group(from, 4, digits);
        if (group == UINT32_MAX)
            return CMW_ERR_INVALID;
        *to++ = (char)(group >> 16 & 0xff);
        *to++ = (char)(group >> 8 & 0xff);
        *to++ = (char)(group & 0xff);
    }
    if (rest > 0 && read_tail(to, from, rest, digits) != 0)
        return CMW_ERR_INVALID;
    *len = needed;
    return 0;
}

/* ---- Hexadecimal ------------------------------------------------------------------------ */

/* 0..15, or -1. */
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Two digits as a byte, or -1. */
static int hex_byte(const char *at)
{
    const int high = hex_value(at[0]);
    const int low = hex_value(at[1]);

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int cmw_hex_encode(size_t *len, char *to, size_t cap, cmw_str bytes)
{
    static const char digits[] = "0123456789abcdef";

    if (bytes.len > SIZE_MAX / 2)
        return CMW_ERR_LIMIT;
    *len = bytes.len * 2;
    if (*len > cap)
        return CMW_ERR_LIMIT;
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = (unsigned char)bytes.data[i];
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return 0;
}

int cmw_hex_decode(size_t *len, char *to, size_t cap, cmw_str text)
{
    if (text.len % 2 != 0)
        return CMW_ERR_INVALID;
    if (text.len / 2 > cap) {
        *len = text.len / 2;
        return CMW_ERR_LIMIT;
    }
    for (size_t i = 0; i < text.len; i += 2) {
        const int byte = hex_byte(text.data + i);
        if (byte < 0)
            return CMW_ERR_INVALID;
        *to++ = (char)byte;
    }
    *len = text.len / 2;
    return 0;
}

/* ---- Percent-encoding ------------------------------------------------------------------- */

/* The length of the result; SIZE_MAX for a broken escape. */
static size_t percent_len(cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++, len++) {
        if (text.data[i] != '%')
            continue;
        if (text.len - i < 3 || hex_byte(text.data + i + 1) < 0)
            return SIZE_MAX;
        i += 2;
    }
    return len;
}

int cmw_percent_decode(size_t *len, char *to, size_t cap, cmw_str text, unsigned flags)
{
    const size_t needed = percent_len(text);

    if (needed == SIZE_MAX)
        return CMW_ERR_INVALID;
    *len = needed;
    if (needed > cap)
        return CMW_ERR_LIMIT;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        if (byte == '%') {
            byte = (char)hex_byte(text.data + i + 1);
            i += 2;
        } else if (byte == '+' && flags & CMW_PERCENT_FORM) {
            byte = ' ';
        }
        *to++ = byte;
    }
    return 0;
}

/* "name=value" in two; without "=" the value is empty. */
static cmw_str split_pair(cmw_str *value, cmw_str pair)
{
    const char *equals = pair.len > 0 ? memchr(pair.data, '=', pair.len) : NULL;
    const size_t len = equals ? (size_t)(equals - pair.data) : pair.len;
    const size_t start = equals ? len + 1 : len;

    *value = cmw_str_make(pair.data + start, pair.len - start);
    return cmw_str_make(pair.data, len);
}

size_t cmw_query_find(cmw_str *value, cmw_str query, cmw_str name)
{
    const char *at = query.data;
    size_t left = query.len;
    size_t found = 0;

    while (left > 0) {
        const char *end = memchr(at, '&', left);
        const size_t len = end ? (size_t)(end - at) : left;
        cmw_str its_value;
        if (cmw_str_equals(split_pair(&its_value, cmw_str_make(at, len)), name)) {
            if (found++ == 0)
                *value = its_value;
        }
        at += len + (end != NULL);
        left -= len + (end != NULL);
    }
    return found;
}

/* ---- Quoted strings --------------------------------------------------------------------- */

/* The length of the result; SIZE_MAX for a byte that cannot stand in one. */
static size_t quoted_len(cmw_str text)
{
    size_t len = 2;

    for (size_t i = 0; i < text.len; i++, len++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return SIZE_MAX;
        if (byte == '"' || byte == '\\')
            len++;
    }
    return len;
}

int cmw_quoted_encode(size_t *len, char *to, size_t cap, cmw_str text)
{
    const size_t needed = quoted_len(text);

    if (needed == SIZE_MAX)
        return CMW_ERR_INVALID;
    *len = needed;
    if (needed > cap)
        return CMW_ERR_LIMIT;
    *to++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            *to++ = '\\';
        *to++ = text.data[i];
    }
    *to = '"';
    return 0;
}
