/* SPDX-License-Identifier: MIT */
/* What a client has already, and which coding it takes: the request's side of static_files. */
#include <catzilla/http_date.h>
#include <catzilla/negotiate.h>

#include "static_state.h"

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Take what stands before the next mark. */
static cmw_str take(cmw_str *rest, char mark)
{
    const char *at = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    const size_t len = at ? (size_t)(at - rest->data) : rest->len;
    const cmw_str taken = cmw_str_make(rest->data, len);
    const size_t gone = at ? len + 1 : len;

    *rest = cmw_str_make(rest->data + gone, rest->len - gone);
    return trim(taken);
}

/* ---- Entity tags ------------------------------------------------------------------------ */

/* Ours have no comma in them, so that a list may be cut at every comma. `weak`: "W/" counts not. */
static int is_tag(cmw_str text, const struct cmw__static_found *found, int weak)
{
    if (weak && text.len > 2 && memcmp(text.data, "W/", 2) == 0)
        text = cmw_str_make(text.data + 2, text.len - 2);
    return cmw_str_equals(text, cmw_str_make(found->etag, found->etag_len));
}

/* 1 if any field of the name lists the tag, or "*". */
static int lists_tag(cmw_request *request, cmw_header_id id, const struct cmw__static_found *found,
                     int weak)
{
    for (const cmw_header *at = cmw_request_header(request, id); at;
         at = cmw_request_next_header(request, id, at)) {
        cmw_str rest = at->value;
        if (cmw_str_equals(trim(rest), CMW_STR("*")))
            return 1;
        while (rest.len > 0)
            if (is_tag(take(&rest, ','), found, weak))
                return 1;
    }
    return 0;
}

/* ---- Conditions ------------------------------------------------------------------------- */

/* The date of a field: 0, or -1 without it, with several, or with one that is no date. */
static int read_date(cmw_request *request, cmw_header_id id, int64_t now_s, int64_t *date)
{
    const cmw_header *header = cmw_request_header(request, id);

    if (!header || cmw_request_is_repeated(request, id))
        return -1;
    return cmw_http_date_parse(date, header->value, now_s) == 0 ? 0 : -1;
}

/* RFC 9110, 13.2.2. */
int cmw__static_conditions(cmw_request *request, const struct cmw__static_found *found,
                           int64_t now_s)
{
    const int64_t modified_s = found->file.modified_s;
    int64_t date;

    if (cmw_request_header(request, CMW_HDR_IF_MATCH)) {
        if (!lists_tag(request, CMW_HDR_IF_MATCH, found, 0))
            return 412;
    } else if (read_date(request, CMW_HDR_IF_UNMODIFIED_SINCE, now_s, &date) == 0 &&
               modified_s > date) {
        return 412;
    }
    if (cmw_request_header(request, CMW_HDR_IF_NONE_MATCH))
        return lists_tag(request, CMW_HDR_IF_NONE_MATCH, found, 1) ? 304 : 0;
    if (read_date(request, CMW_HDR_IF_MODIFIED_SINCE, now_s, &date) == 0 && modified_s <= date)
        return 304;
    return 0;
}

/* A date counts only where it is that of the last change, and is old enough to be a strong one. */
int cmw__static_range_holds(cmw_request *request, const struct cmw__static_found *found,
                            int64_t now_s)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_IF_RANGE);
    int64_t date;

    if (!header)
        return 1;
    if (cmw_request_is_repeated(request, CMW_HDR_IF_RANGE))
        return 0;
    if (is_tag(header->value, found, 0))
        return 1;
    return cmw_http_date_parse(&date, header->value, now_s) == 0 &&
           date == found->file.modified_s && now_s - date >= 60;
}

/* ---- Codings ---------------------------------------------------------------------------- */

int cmw__static_wants(cmw_request *request, cmw_str coding)
{
    if (!cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING))
        return 0;
    const int weight = cmw_request_accepts_encoding(request, coding);
    return weight >= cmw_request_accepts_encoding(request, CMW_STR("identity")) ? weight : 0;
}
