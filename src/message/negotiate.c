/* SPDX-License-Identifier: MIT */
/*
 * Accept: one walk over its members, in which the most specific range that matches wins.
 *
 *   text/html;level=1;q=0.4 , text / * ; q=0.3 , ...
 *   `range'  `parameters'       one member; quoted strings may hold commas
 */
#include <catzilla/negotiate.h>

#include "str.h"

/* A member being read, and what it says. */
struct member {
    cmw_str range; /* without parameters */
    int quality;   /* -1: malformed */
};

/* How well a range fits: 0 not at all, then "*" alone, the type, the subtype. */
enum { FITS_NOT, FITS_ANY, FITS_TYPE, FITS_EXACTLY };

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Cut `*rest` at the next `mark` outside of quoted strings; what is before it is returned. */
static cmw_str cut(cmw_str *rest, char mark)
{
    size_t len = 0;
    int is_quoted = 0;

    for (; len < rest->len && (is_quoted || rest->data[len] != mark); len++) {
        if (rest->data[len] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[len] == '\\' && len + 1 < rest->len)
            len++;
    }
    const cmw_str piece = cmw_str_make(rest->data, len);
    const size_t taken = len < rest->len ? len + 1 : len;
    *rest = cmw_str_make(rest->data + taken, rest->len - taken);
    return piece;
}

/* qvalue (RFC 9110, 12.4.2): "0" or "1" with up to three digits; -1: it is none. */
static int read_quality(cmw_str text)
{
    int quality = 0;
    int unit = 100;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.'))
        return -1;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        quality += (text.data[i] - '0') * unit;
    }
    if (text.data[0] == '1')
        return quality == 0 ? CMW_QUALITY_MAX : -1;
    return quality;
}

static struct member read_member(cmw_str text)
{
    struct member member = {trim(cut(&text, ';')), CMW_QUALITY_MAX};

    while (text.len > 0) {
        const cmw_str parameter = trim(cut(&text, ';'));
        if (parameter.len >= 2 && (parameter.data[0] | 0x20) == 'q' && parameter.data[1] == '=')
            member.quality = read_quality(cmw_str_make(parameter.data + 2, parameter.len - 2));
    }
    return member;
}

static int fit(cmw_str range, cmw_str type)
{
    const char *slash = memchr(type.data, '/', type.len);
    const size_t major = slash ? (size_t)(slash - type.data) + 1 : type.len;

    if (cmw_str_equals(range, CMW_STR("*/*")))
        return FITS_ANY;
    if (cmw_str_equals_fold(range, type))
        return FITS_EXACTLY;
    if (range.len == major + 1 && range.data[major] == '*' &&
        cmw_str_equals_fold(cmw_str_make(range.data, major), cmw_str_make(type.data, major)))
        return FITS_TYPE;
    return FITS_NOT;
}

/* Better ranges replace what is known; equal ones add up to the larger weight. */
static void read_field(cmw_str value, cmw_str type, int *best, int *quality, int *has_member)
{
    while (value.len > 0) {
        const struct member member = read_member(cut(&value, ','));
        if (member.range.len == 0 || member.quality < 0)
            continue;
        *has_member = 1;
        const int fits = fit(member.range, type);
        if (fits == FITS_NOT || fits < *best || (fits == *best && member.quality < *quality))
            continue;
        *best = fits;
        *quality = member.quality;
    }
}

int cmw_request_accepts(cmw_request *request, cmw_str type)
{
    const cmw_header *field = cmw_request_header(request, CMW_HDR_ACCEPT);
    int best = FITS_NOT;
    int quality = 0;
    int has_member = 0;

    for (; field; field = cmw_request_next_header(request, CMW_HDR_ACCEPT, field))
        read_field(field->value, type, &best, &quality, &has_member);
    return has_member ? quality : CMW_QUALITY_MAX;
}
