/* SPDX-License-Identifier: MIT */
/*
 * Accept-Encoding (RFC 9110, 12.5.3). A coding is wanted as much as the member says that names it,
 * else as "*" says, else not at all; what comes without a coding is wanted unless it is refused. A
 * member that is malformed is passed over; of two that name the same, the larger weight counts.
 */
#include "codec.h"

enum { UNNAMED = -1, BEST = 1000 };

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

/* Cut `*rest` at the next `mark`; what is before it is returned. */
static cmw_str cut(cmw_str *rest, char mark)
{
    const char *at = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    const size_t len = at ? (size_t)(at - rest->data) : rest->len;
    const cmw_str piece = cmw_str_make(rest->data, len);
    const size_t taken = at ? len + 1 : len;

    *rest = cmw_str_make(rest->data + taken, rest->len - taken);
    return trim(piece);
}

/* qvalue (RFC 9110, 12.4.2); UNNAMED: it is none. */
static int read_quality(cmw_str text)
{
    int quality = 0;
    int unit = 100;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.'))
        return UNNAMED;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return UNNAMED;
        quality += (text.data[i] - '0') * unit;
    }
    if (text.data[0] == '1')
        return quality == 0 ? BEST : UNNAMED;
    return quality;
}

/* The weight of what follows the name: UNNAMED for a member that cannot be read. */
static int read_weight(cmw_str rest)
{
    int quality = BEST;

    while (rest.len > 0) {
        const cmw_str parameter = cut(&rest, ';');
        if (parameter.len < 2 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=')
            return UNNAMED;
        quality = read_quality(cmw_str_make(parameter.data + 2, parameter.len - 2));
        if (quality == UNNAMED)
            return UNNAMED;
    }
    return quality;
}

static void raise(int *to, int quality)
{
    if (quality > *to)
        *to = quality;
}

static void read_field(struct wishes *wishes, cmw_str value, int *any)
{
    while (value.len > 0) {
        cmw_str member = cut(&value, ',');
        const cmw_str name = cut(&member, ';');
        const int quality = read_weight(member);
        const enum coding coding = codec_find(name);
        if (name.len == 0 || quality == UNNAMED)
            continue;
        if (coding != CODING_COUNT)
            raise(&wishes->quality[coding], quality);
        else if (cmw_str_equals_fold(name, CMW_STR("identity")))
            raise(&wishes->identity, quality);
        else if (cmw_str_equals(name, CMW_STR("*")))
            raise(any, quality);
    }
}

void wishes_read(struct wishes *wishes, cmw_request *request)
{
    const cmw_header *field = cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING);
    int any = UNNAMED;

    for (int i = 0; i < CODING_COUNT; i++)
        wishes->quality[i] = UNNAMED;
    wishes->identity = UNNAMED;
    for (; field; field = cmw_request_next_header(request, CMW_HDR_ACCEPT_ENCODING, field))
        read_field(wishes, field->value, &any);
    for (int i = 0; i < CODING_COUNT; i++)
        if (wishes->quality[i] == UNNAMED)
            wishes->quality[i] = any == UNNAMED ? 0 : any;
    wishes->is_named = wishes->identity != UNNAMED;
    if (wishes->identity == UNNAMED) /* it may always be sent, unless "*;q=0" says otherwise */
        wishes->identity = any == 0 ? 0 : 1;
}

enum coding wishes_choose(const struct wishes *wishes, const uint8_t *offered, size_t count)
{
    enum coding best = CODING_COUNT;
    int quality = 0;

    for (size_t i = 0; i < count; i++)
        if (wishes->quality[offered[i]] > quality) {
            best = (enum coding)offered[i];
            quality = wishes->quality[offered[i]];
        }
    if (wishes->is_named && wishes->identity > quality)
        return CODING_COUNT;
    return best;
}
