/* SPDX-License-Identifier: MIT */
/*
 * Reading a host with its port, as in Host and in a target's authority. Pure.
 *
 * Stricter than RFC 3986, which lets sub-delims and escapes stand in a name: two spellings of one
 * host would pass for two, and no host that is reached by DNS has them.
 */
#include "block16.h"
#include "request_state.h"

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_name_byte(char c)
{
    const char folded = (char)(c | 0x20);
    return (folded >= 'a' && folded <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* 1 for what most hosts are: lower-case letters, digits, hyphens and dots, without a port. 0 says
 * nothing. */
static inline int is_plain(cmw_str text)
{
    return text.len >= 8 && text.data[0] != '.' && cmw__is_plain_host(text.data, text.len);
}

/* ":" and a port, or nothing. */
static int read_port(uint16_t *port, cmw_str text)
{
    unsigned value = 0;

    *port = 0;
    if (text.len == 0)
        return 0;
    if (text.data[0] != ':')
        return CMW_ERR_INVALID;
    for (size_t i = 1; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return CMW_ERR_INVALID;
        value = value * 10 + (unsigned)(text.data[i] - '0');
        if (value > UINT16_MAX)
            return CMW_ERR_INVALID;
    }
    *port = (uint16_t)value;
    return 0;
}

/* Length of the name at the front; 0 where it has an empty label. A dot at the end counts. */
static size_t name_len(cmw_str text, uint8_t *has_upper)
{
    size_t len = 0;

    *has_upper = 0;
    for (; len < text.len && is_name_byte(text.data[len]); len++) {
        const char c = text.data[len];
        if (c == '.' && (len == 0 || text.data[len - 1] == '.'))
            return 0;
        *has_upper |= (uint8_t)(c >= 'A' && c <= 'Z');
    }
    return len;
}

/* Length of "[...]" at the front; 0 if it holds no IPv6 address. */
static size_t literal_len(cmw_str text, uint8_t *has_upper)
{
    const char *close = memchr(text.data, ']', text.len);
    cmw_address address;

    if (!close)
        return 0;
    const cmw_str inner = cmw_str_make(text.data + 1, (size_t)(close - text.data) - 1);
    if (inner.len == 0 || !memchr(inner.data, ':', inner.len))
        return 0;
    *has_upper = 1; /* hex digits: rare enough not to look */
    return cmw_address_parse(&address, inner) == 0 ? inner.len + 2 : 0;
}

cmw_str cmw__host_plain(cmw_str text)
{
    return is_plain(text) ? cmw_str_make(text.data, text.len - (text.data[text.len - 1] == '.'))
                          : cmw_str_make(NULL, 0);
}

int cmw__host_parse(struct cmw__host *out, cmw_str text)
{
    if (text.len == 0)
        return CMW_ERR_INVALID;
    if (is_plain(text)) {
        out->name = cmw_str_make(text.data, text.len - (text.data[text.len - 1] == '.'));
        out->port = 0;
        out->has_upper = 0;
        return 0;
    }

    const int is_literal = text.data[0] == '[';
    const size_t len =
        is_literal ? literal_len(text, &out->has_upper) : name_len(text, &out->has_upper);
    if (len == 0)
        return CMW_ERR_INVALID;
    const int has_dot = text.data[len - 1] == '.';
    out->name = cmw_str_make(text.data, len - (size_t)has_dot);
    return read_port(&out->port, cmw_str_make(text.data + len, text.len - len));
}
