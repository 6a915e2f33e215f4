/* SPDX-License-Identifier: MIT */
/*
 * The text of addresses: strict reading, canonical writing (RFC 4291, 2.2; RFC 5952).
 */
#include "address_bytes.h"

#include <string.h>

/* Where an IPv6 text is being read. */
struct v6_reader {
    uint16_t groups[8];
    size_t count;
    size_t gap; /* groups before "::"; NO_GAP: none yet */
};

enum { NO_GAP = 9 };

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void cmw__address_from_v4(cmw_address *out, const uint8_t bytes[4], uint16_t port)
{
    memset(out, 0, sizeof *out);
    memcpy(out->bytes, bytes, 4);
    out->port = port;
    out->family = CMW_ADDRESS_V4;
}

void cmw__address_from_v6(cmw_address *out, const uint8_t bytes[16], uint16_t port)
{
    if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        cmw__address_from_v4(out, bytes + sizeof mapped_prefix, port);
        return;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->bytes, bytes, 16);
    out->port = port;
    out->family = CMW_ADDRESS_V6;
}

/* ---- Reading ---------------------------------------------------------------------------- */

/* One dec-octet at the front of `text`: its length, or 0. */
static size_t read_octet(uint8_t *out, cmw_str text)
{
    unsigned value = 0;
    size_t len = 0;

    while (len < text.len && len < 3 && text.data[len] >= '0' && text.data[len] <= '9')
        value = value * 10 + (unsigned)(text.data[len++] - '0');
    if (len == 0 || value > 255 || (len > 1 && text.data[0] == '0'))
        return 0;
    *out = (uint8_t)value;
    return len;
}

/* All of `text` as four octets: 1 if it is that. */
static int read_v4(uint8_t out[4], cmw_str text)
{
    for (size_t i = 0; i < 4; i++) {
        const size_t len = read_octet(&out[i], text);
        if (len == 0)
            return 0;
        text = cmw_str_make(text.data + len, text.len - len);
        if (i == 3)
            break;
        if (text.len == 0 || text.data[0] != '.')
            return 0;
        text = cmw_str_make(text.data + 1, text.len - 1);
    }
    return text.len == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* One h16 at the front of `text`: its length, or 0. */
static size_t read_group(uint16_t *out, cmw_str text)
{
    unsigned value = 0;
    size_t len = 0;

    while (len < text.len && len < 4 && hex_value(text.data[len]) >= 0)
        value = value << 4 | (unsigned)hex_value(text.data[len++]);
    *out = (uint16_t)value;
    return len;
}

/* The last 32 bits as "192.0.2.1". */
static int read_v4_tail(struct v6_reader *reader, cmw_str text)
{
    uint8_t octets[4];

    if (reader->count > 6 || !read_v4(octets, text))
        return 0;
    reader->groups[reader->count++] = (uint16_t)(octets[0] << 8 | octets[1]);
    reader->groups[reader->count++] = (uint16_t)(octets[2] << 8 | octets[3]);
    return 1;
}

/* Groups with ":" between them, and at most one "::". */
static int read_groups(struct v6_reader *reader, cmw_str text)
{
    size_t at = 0;

    while (at < text.len) {
        if (text.len - at >= 2 && text.data[at] == ':' && text.data[at + 1] == ':') {
            if (reader->gap != NO_GAP)
                return 0;
            reader->gap = reader->count;
            at += 2;
            if (at == text.len)
                return 1;
        } else if (at > 0) {
            if (text.data[at++] != ':')
                return 0;
        }

        const cmw_str rest = cmw_str_make(text.data + at, text.len - at);
        uint16_t group;
        const size_t len = read_group(&group, rest);
        if (len > 0 && len < rest.len && rest.data[len] == '.')
            return read_v4_tail(reader, rest);
        if (len == 0 || reader->count == 8)
            return 0;
        reader->groups[reader->count++] = group;
        at += len;
    }
    return 1;
}

static int read_v6(uint8_t out[16], cmw_str text)
{
    struct v6_reader reader = {.gap = NO_GAP};

    if (!read_groups(&reader, text))
        return 0;
    /* "::" stands for one group or more. */
    if (reader.gap == NO_GAP ? reader.count != 8 : reader.count > 7)
        return 0;

    const size_t tail = reader.gap == NO_GAP ? 0 : reader.count - reader.gap;
    const size_t head = reader.count - tail;
    uint16_t groups[8] = {0};
    memcpy(groups, reader.groups, head * sizeof *groups);
    memcpy(groups + 8 - tail, reader.groups + head, tail * sizeof *groups);
    for (size_t i = 0; i < 8; i++) {
        out[2 * i] = (uint8_t)(groups[i] >> 8);
        out[2 * i + 1] = (uint8_t)groups[i];
    }
    return 1;
}

int cmw_address_parse(cmw_address *out, cmw_str text)
{
    uint8_t bytes[16];

    if (text.len == 0 || text.len >= CMW_ADDRESS_TEXT_CAP)
        return CMW_ERR_INVALID;
    if (!memchr(text.data, ':', text.len)) {
        if (!read_v4(bytes, text))
            return CMW_ERR_INVALID;
        cmw__address_from_v4(out, bytes, 0);
        return 0;
    }
    if (!read_v6(bytes, text))
        return CMW_ERR_INVALID;
    cmw__address_from_v6(out, bytes, 0);
    return 0;
}

/* ---- Writing ---------------------------------------------------------------------------- */

static char *write_decimal(char *out, unsigned octet)
{
    if (octet >= 100)
        *out++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *out++ = (char)('0' + octet / 10 % 10);
    *out++ = (char)('0' + octet % 10);
    return out;
}

static char *write_v4(char *out, const uint8_t bytes[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            *out++ = '.';
        out = write_decimal(out, bytes[i]);
    }
    return out;
}

static unsigned group_at(const uint8_t bytes[16], size_t index)
{
    return (unsigned)bytes[2 * index] << 8 | bytes[2 * index + 1];
}

/* Lower case, without leading zeros. */
static char *write_group(char *out, unsigned group)
{
    int shift = 12;

    while (shift > 0 && group >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[group >> shift & 15];
    return out;
}

/* The longest run of zero groups, the first of equals; 0 if none has two (RFC 5952, 4.2). */
static size_t longest_zeros(const uint8_t bytes[16], size_t *start)
{
    size_t best = 1;

    *start = 8;
    for (size_t i = 0; i < 8; i++) {
        size_t run = 0;
        while (i + run < 8 && group_at(bytes, i + run) == 0)
            run++;
        if (run > best) {
            best = run;
            *start = i;
        }
        i += run;
    }
    return *start < 8 ? best : 0;
}

static char *write_v6(char *out, const uint8_t bytes[16])
{
    size_t start;
    const size_t zeros = longest_zeros(bytes, &start);

    for (size_t i = 0; i < 8; i++) {
        if (zeros > 0 && i == start) {
            *out++ = ':';
            *out++ = ':';
            i += zeros - 1;
            continue;
        }
        if (i > 0 && i != start + zeros)
            *out++ = ':';
        out = write_group(out, group_at(bytes, i));
    }
    return out;
}

size_t cmw_address_format(const cmw_address *address, char *buffer)
{
    char *end = buffer;

    if (address->family == CMW_ADDRESS_V4) {
        end = write_v4(buffer, address->bytes);
    } else if (address->family == CMW_ADDRESS_V6) {
        end = write_v6(buffer, address->bytes);
    } else if (address->family == CMW_ADDRESS_UNIX) {
        memcpy(buffer, "unix", 4);
        end = buffer + 4;
    }
    *end = '\0';
    return (size_t)(end - buffer);
}

/* ---- Comparing -------------------------------------------------------------------------- */

int cmw_address_equals(const cmw_address *a, const cmw_address *b)
{
    if (a->family != b->family)
        return 0;
    if (a->family == CMW_ADDRESS_V4)
        return memcmp(a->bytes, b->bytes, 4) == 0;
    return a->family != CMW_ADDRESS_V6 || memcmp(a->bytes, b->bytes, 16) == 0;
}
