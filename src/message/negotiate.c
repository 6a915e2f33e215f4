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
    cmw_str range;  /* without parameters */
    int quality;    /* -1: malformed */
    int is_special; /* it has parameters that narrow it */
};

/* How well a range fits: 0 not at all, then but for its parameters, "*" alone, the type, the
 * subtype. */
enum { FITS_NOT, FITS_LOOSELY, FITS_ANY, FITS_TYPE, FITS_EXACTLY };

/* Of a language: a range that goes on behind it is more than "*", less than its beginning. */
enum { FITS_LONGER = FITS_ANY + 1 };

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline cmw_str trim(cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* How far it is to the next `mark` outside of quoted strings, or to the end. */
static size_t quoted_len(const cmw_str *rest, char mark)
{
    size_t len = 0;
    int is_quoted = 0;

    for (; len < rest->len && (is_quoted || rest->data[len] != mark); len++) {
        if (rest->data[len] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[len] == '\\' && len + 1 < rest->len)
            len++;
    }
    return len;
}

static inline size_t plain_len(const cmw_str *rest, char mark)
{
    const char *const end = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    return end ? (size_t)(end - rest->data) : rest->len;
}

/* Cut `*rest` at the next `mark`; what is before it is returned. */
static inline cmw_str cut(cmw_str *rest, char mark, int has_quotes)
{
    const size_t len = has_quotes ? quoted_len(rest, mark) : plain_len(rest, mark);
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

/* Any but the charset: what is offered is in that of its client. */
static int narrows(cmw_str parameter)
{
    static const cmw_str charset = CMW_STR_INIT("charset=");

    return parameter.len > 0 &&
           (parameter.len < charset.len ||
            !cmw_str_equals_fold(cmw_str_make(parameter.data, charset.len), charset));
}

/* Parameters behind the weight are extensions, which nobody has made. */
static struct member read_member(cmw_str text, int has_quotes)
{
    struct member member = {trim(cut(&text, ';', has_quotes)), CMW_QUALITY_MAX, 0};
    int has_weight = 0;

    while (text.len > 0) {
        const cmw_str parameter = trim(cut(&text, ';', has_quotes));
        if (parameter.len >= 2 && (parameter.data[0] | 0x20) == 'q' && parameter.data[1] == '=') {
            member.quality = read_quality(cmw_str_make(parameter.data + 2, parameter.len - 2));
            has_weight = 1;
        } else if (!has_weight && narrows(parameter)) {
            member.is_special = 1;
        }
    }
    return member;
}

/* ---- How well a range fits -------------------------------------------------------------- */

/* What is offered, and the best that was said of it so far. */
struct offer {
    cmw_str text;
    size_t major; /* bytes of a type up to and with its slash */
    int best;     /* how well the range fits */
    int quality;
};

static inline int is_same(cmw_str a, cmw_str b)
{
    return a.len == b.len && cmw_str_equals_fold(a, b);
}

static int fit_range(cmw_str range, const struct offer *offer)
{
    const size_t major = offer->major;

    if (cmw_str_equals(range, CMW_STR("*/*")))
        return FITS_ANY;
    if (is_same(range, offer->text))
        return FITS_EXACTLY;
    if (range.len == major + 1 && range.data[major] == '*' &&
        cmw_str_equals_fold(cmw_str_make(range.data, major), cmw_str_make(offer->text.data, major)))
        return FITS_TYPE;
    return FITS_NOT;
}

/* Offers have no parameters: a range with some means another representation, and counts only where
 * nothing else is said of the type. */
static int fit_type(const struct member *member, const struct offer *offer)
{
    const int fits = fit_range(member->range, offer);

    if (!member->is_special || fits == FITS_NOT)
        return fits;
    return member->quality > 0 ? FITS_LOOSELY : FITS_NOT;
}

/*
 * A range that is the language, or its beginning: the longer one fits better. One that begins with
 * it wants it, too ("de" for "de-AT"), but does not refuse it.
 */
static int fit_language(const struct member *member, const struct offer *offer)
{
    const cmw_str range = member->range;
    const cmw_str language = offer->text;
    const int is_longer = range.len > language.len;
    const cmw_str whole = is_longer ? range : language;
    const size_t len = is_longer ? language.len : range.len;

    if (cmw_str_equals(range, CMW_STR("*")))
        return FITS_ANY;
    if (len == 0 ||
        !cmw_str_equals_fold(cmw_str_make(range.data, len), cmw_str_make(language.data, len)) ||
        (len < whole.len && whole.data[len] != '-'))
        return FITS_NOT;
    if (is_longer)
        return member->quality > 0 ? FITS_LONGER : FITS_NOT;
    return range.len < INT16_MAX ? FITS_LONGER + (int)range.len : INT16_MAX;
}

static int fit_coding(const struct member *member, const struct offer *offer)
{
    cmw_str range = member->range;

    if (cmw_str_equals(range, CMW_STR("*")))
        return FITS_ANY;
    if (is_same(range, CMW_STR("x-gzip")))
        range = CMW_STR("gzip");
    return is_same(range, offer->text) ? FITS_EXACTLY : FITS_NOT;
}

/* ---- Fields ----------------------------------------------------------------------------- */

/* More is better, FITS_NOT not at all. */
typedef int fit_fn(const struct member *member, const struct offer *offer);

/* Offers that are weighed in one walk over the fields. */
enum { TOGETHER = 8 };

struct search {
    fit_fn *fit;
    size_t count;
    int has_field;
    int has_member;
    struct offer offers[TOGETHER]; /* `count` of them are defined */
};

/* Better ranges replace what is known; of equal ones the larger weight counts. */
static inline void weigh(struct offer *offer, int fits, int quality)
{
    if (fits == FITS_NOT || fits < offer->best || (fits == offer->best && quality < offer->quality))
        return;
    offer->best = fits;
    offer->quality = quality;
}

static void read_field(struct search *search, cmw_str value)
{
    const int has_quotes = value.len > 0 && memchr(value.data, '"', value.len) != NULL;

    while (value.len > 0) {
        const struct member member = read_member(cut(&value, ',', has_quotes), has_quotes);
        if (member.range.len == 0 || member.quality < 0)
            continue;
        search->has_member = 1;
        for (size_t i = 0; i < search->count; i++)
            weigh(&search->offers[i], search->fit(&member, &search->offers[i]), member.quality);
    }
}

static void add_offer(struct search *search, cmw_str text)
{
    struct offer *const offer = &search->offers[search->count++];
    const char *const slash =
        search->fit == fit_type && text.len > 0 ? memchr(text.data, '/', text.len) : NULL;

    offer->text = text;
    offer->major = slash ? (size_t)(slash - text.data) + 1 : text.len;
    offer->best = FITS_NOT;
    offer->quality = 0;
}

static void read_fields(struct search *search, cmw_request *request, cmw_header_id id)
{
    const cmw_header *field = cmw_request_header(request, id);

    search->has_field = field != NULL;
    search->has_member = 0;
    for (; field; field = cmw_request_next_header(request, id, field))
        read_field(search, field->value);
}

/* Of an offer, once the fields are read. */
static int weight_of(const struct search *search, const struct offer *offer)
{
    if (search->fit != fit_coding)
        return search->has_member ? offer->quality : CMW_QUALITY_MAX;
    if (offer->best != FITS_NOT)
        return offer->quality;
    if (!search->has_field)
        return CMW_QUALITY_MAX;
    return cmw_str_equals(offer->text, CMW_STR("identity")) ? 1 : 0;
}

static fit_fn *fit_of(cmw_header_id id)
{
    return id == CMW_HDR_ACCEPT            ? fit_type
           : id == CMW_HDR_ACCEPT_LANGUAGE ? fit_language
           : id == CMW_HDR_ACCEPT_ENCODING ? fit_coding
                                           : NULL;
}

size_t cmw_request_choose(cmw_request *request, int *weight, cmw_header_id field,
                          const cmw_str *offers, size_t count)
{
    struct search search; /* of `offers` only what is added is read */
    size_t chosen = 0;

    *weight = 0;
    search.fit = fit_of(field);
    for (size_t at = 0; search.fit && at < count && *weight < CMW_QUALITY_MAX; at += TOGETHER) {
        search.count = 0;
        for (size_t i = at; i < count && search.count < TOGETHER; i++)
            add_offer(&search, offers[i]);
        read_fields(&search, request, field);
        for (size_t i = 0; i < search.count; i++) {
            const int its_weight = weight_of(&search, &search.offers[i]);
            if (its_weight > *weight) {
                *weight = its_weight;
                chosen = at + i;
            }
        }
    }
    return chosen;
}

static int weigh_one(cmw_request *request, cmw_header_id field, cmw_str offer)
{
    int weight;

    (void)cmw_request_choose(request, &weight, field, &offer, 1);
    return weight;
}

int cmw_request_accepts(cmw_request *request, cmw_str type)
{
    return weigh_one(request, CMW_HDR_ACCEPT, type);
}

int cmw_request_accepts_language(cmw_request *request, cmw_str language)
{
    return weigh_one(request, CMW_HDR_ACCEPT_LANGUAGE, language);
}

int cmw_request_accepts_encoding(cmw_request *request, cmw_str coding)
{
    return weigh_one(request, CMW_HDR_ACCEPT_ENCODING, coding);
}
