/* SPDX-License-Identifier: MIT */
/*
 * Accept and its like: one walk over the members, in which the most specific range that matches
 * wins.
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

static int fit_type(cmw_str range, cmw_str type)
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

/* A range that is the language, or its beginning: the longer one fits better. */
static int fit_language(cmw_str range, cmw_str language)
{
    if (cmw_str_equals(range, CMW_STR("*")))
        return FITS_ANY;
    if (range.len == 0 || range.len > language.len ||
        !cmw_str_equals_fold(range, cmw_str_make(language.data, range.len)) ||
        (range.len < language.len && language.data[range.len] != '-'))
        return FITS_NOT;
    return range.len < INT16_MAX ? FITS_ANY + (int)range.len : INT16_MAX;
}

static int fit_coding(cmw_str range, cmw_str coding)
{
    if (cmw_str_equals(range, CMW_STR("*")))
        return FITS_ANY;
    if (cmw_str_equals_fold(range, CMW_STR("x-gzip")))
        range = CMW_STR("gzip");
    return cmw_str_equals_fold(range, coding) ? FITS_EXACTLY : FITS_NOT;
}

/* How well a range fits what is offered: more is better, FITS_NOT not at all. */
typedef int fit_fn(cmw_str range, cmw_str offer);

struct search {
    fit_fn *fit;
    cmw_str offer;
    int best;
    int quality;
    int has_member;
};

/* Better ranges replace what is known; equal ones add up to the larger weight. */
static void read_field(struct search *search, cmw_str value)
{
    while (value.len > 0) {
        const struct member member = read_member(cut(&value, ','));
        if (member.range.len == 0 || member.quality < 0)
            continue;
        search->has_member = 1;
        const int fits = search->fit(member.range, search->offer);
        if (fits == FITS_NOT || fits < search->best ||
            (fits == search->best && member.quality < search->quality))
            continue;
        search->best = fits;
        search->quality = member.quality;
    }
}

static struct search read_fields(cmw_request *request, cmw_header_id id, fit_fn *fit, cmw_str offer)
{
    struct search search = {fit, offer, FITS_NOT, 0, 0};
    const cmw_header *field = cmw_request_header(request, id);

    for (; field; field = cmw_request_next_header(request, id, field))
        read_field(&search, field->value);
    return search;
}

int cmw_request_accepts(cmw_request *request, cmw_str type)
{
    const struct search search = read_fields(request, CMW_HDR_ACCEPT, fit_type, type);

    return search.has_member ? search.quality : CMW_QUALITY_MAX;
}

int cmw_request_accepts_language(cmw_request *request, cmw_str language)
{
    const struct search search =
        read_fields(request, CMW_HDR_ACCEPT_LANGUAGE, fit_language, language);

    return search.has_member ? search.quality : CMW_QUALITY_MAX;
}

int cmw_request_accepts_encoding(cmw_request *request, cmw_str coding)
{
    const struct search search = read_fields(request, CMW_HDR_ACCEPT_ENCODING, fit_coding, coding);

    if (search.best != FITS_NOT)
        return search.quality;
    if (!cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING))
        return CMW_QUALITY_MAX;
    return cmw_str_equals(coding, CMW_STR("identity")) ? 1 : 0;
}
