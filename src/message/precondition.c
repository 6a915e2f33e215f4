/* SPDX-License-Identifier: MIT */
/* Preconditions, in the order of RFC 9110, 13.2.2. */
#include <catzilla/precondition.h>

#include <catzilla/http_date.h>

#include "block16.h"

/* ---- Entity tags ------------------------------------------------------------------------ */

/* etagc */
static int is_tag_byte(char c)
{
    const unsigned char byte = (unsigned char)c;
    return byte >= 0x21 && byte != '"' && byte != 0x7f;
}

static inline int are_tag_bytes(const char *at, size_t len)
{
    if (len >= 8)
        return !cmw__has_not_tag(at, len);
    for (size_t i = 0; i < len; i++)
        if (!is_tag_byte(at[i]))
            return 0;
    return 1;
}

static int is_weak(cmw_str tag)
{
    return tag.len >= 2 && tag.data[0] == 'W' && tag.data[1] == '/';
}

static cmw_str cut(cmw_str text, size_t len)
{
    return cmw_str_make(text.data + len, text.len - len);
}

/* The quoted part. */
static cmw_str opaque_of(cmw_str tag)
{
    return is_weak(tag) ? cut(tag, 2) : tag;
}

/* The tag at the front, as far as its quotes say; empty: there is none. */
static cmw_str read_tag(cmw_str text)
{
    const cmw_str opaque = opaque_of(text);

    if (opaque.len < 2 || opaque.data[0] != '"')
        return cmw_str_make(text.data, 0);
    const char *const end = memchr(opaque.data + 1, '"', opaque.len - 1);
    return cmw_str_make(text.data, end ? (size_t)(end + 1 - text.data) : 0);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static cmw_str skip_blanks(cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = cut(text, 1);
    return text;
}

/* Behind the next comma; what is before it is no tag. */
static cmw_str skip_member(cmw_str text)
{
    while (text.len > 0 && text.data[0] != ',')
        text = cut(text, 1);
    return text;
}

int cmw_etag_is_valid(cmw_str etag)
{
    const cmw_str opaque = opaque_of(etag);

    if (opaque.len < 2 || opaque.data[0] != '"' || opaque.data[opaque.len - 1] != '"')
        return 0;
    return are_tag_bytes(opaque.data + 1, opaque.len - 2);
}

static int is_star(cmw_str list)
{
    list = skip_blanks(list);
    return list.len > 0 && list.data[0] == '*' && skip_blanks(cut(list, 1)).len == 0;
}

/* A tag ends at a comma or with the list. */
static int is_whole(cmw_str rest)
{
    rest = skip_blanks(rest);
    return rest.len == 0 || rest.data[0] == ',';
}

/* What is the same as a tag is one: the bytes inside are looked at only there. */
int cmw_etag_is_listed(cmw_str list, cmw_str etag, cmw_etag_comparison comparison)
{
    const cmw_str wanted = opaque_of(etag);
    const int is_out = comparison == CMW_ETAG_STRONG && is_weak(etag);

    if (is_star(list))
        return 1;
    while (list.len > 0) {
        list = skip_blanks(list);
        const cmw_str tag = read_tag(list);
        if (tag.len > 0 && is_whole(cut(list, tag.len))) {
            if (cmw_str_equals(opaque_of(tag), wanted) && !is_out &&
                (comparison == CMW_ETAG_WEAK || !is_weak(tag)))
                return cmw_etag_is_valid(etag);
            list = cut(list, tag.len);
        }
        list = skip_member(list);
        if (list.len > 0)
            list = cut(list, 1);
    }
    return 0;
}

/* ---- Requests --------------------------------------------------------------------------- */

/* A list over all fields of a name. */
static int is_listed(cmw_request *request, cmw_header_id id, const cmw_header *field, cmw_str etag,
                     cmw_etag_comparison comparison)
{
    for (; field; field = cmw_request_next_header(request, id, field))
        if (cmw_etag_is_listed(field->value, etag, comparison))
            return 1;
    return 0;
}

/* The date of a field that came once, and is one. */
static int read_date(cmw_request *request, cmw_header_id id, const cmw_header *field,
                     int64_t *date_s, int64_t now_s)
{
    return !cmw_request_next_header(request, id, field) &&
           cmw_http_date_parse(date_s, field->value, now_s) == 0;
}

/* Steps 1 and 2: is it still what the client means? */
static int is_as_expected(cmw_request *request, const cmw_validators *validators, int64_t now_s)
{
    const cmw_header *const match = cmw_request_header(request, CMW_HDR_IF_MATCH);
    int64_t date_s;

    if (match)
        return !validators->is_missing &&
               is_listed(request, CMW_HDR_IF_MATCH, match, validators->etag, CMW_ETAG_STRONG);
    const cmw_header *const since = cmw_request_header(request, CMW_HDR_IF_UNMODIFIED_SINCE);
    if (!since || validators->last_modified_s == CMW_NEVER_MODIFIED ||
        !read_date(request, CMW_HDR_IF_UNMODIFIED_SINCE, since, &date_s, now_s))
        return 1;
    return validators->last_modified_s <= date_s;
}

int cmw_request_check_preconditions(cmw_request *request, const cmw_validators *validators,
                                    int64_t now_s)
{
    const cmw_header *const none_match = cmw_request_header(request, CMW_HDR_IF_NONE_MATCH);
    const cmw_str method = cmw_request_method(request);
    const int is_read =
        cmw_str_equals(method, CMW_STR("GET")) || cmw_str_equals(method, CMW_STR("HEAD"));
    int64_t date_s;

    if (validators->size != sizeof *validators)
        return 0;
    if (!is_as_expected(request, validators, now_s))
        return 412;
    if (none_match) {
        const int has_it =
            !validators->is_missing &&
            is_listed(request, CMW_HDR_IF_NONE_MATCH, none_match, validators->etag, CMW_ETAG_WEAK);
        return !has_it ? 0 : is_read ? 304 : 412;
    }
    const cmw_header *const since = cmw_request_header(request, CMW_HDR_IF_MODIFIED_SINCE);
    if (!since || !is_read || validators->last_modified_s == CMW_NEVER_MODIFIED ||
        !read_date(request, CMW_HDR_IF_MODIFIED_SINCE, since, &date_s, now_s))
        return 0;
    return validators->last_modified_s <= date_s ? 304 : 0;
}
