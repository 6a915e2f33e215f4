/* SPDX-License-Identifier: MIT */
/*
 * Lines of `common` and `combined` in one go: what nearly every line of nearly every log is.
 *
 * It writes what the pieces of these formats write, and gives up where anything is out of the
 * ordinary: a byte to be escaped, a text to be cut, a secret in the query, another version. Then
 * the line is written by its pieces from its beginning.
 */
#include "log_format.h"
#include "log_number.h"
#include "log_scan.h"

/* Writes a text that may stand as it is; NULL: it may not. */
static inline char *put_plain(char *to, cmw_str text, size_t cap, char floor)
{
    if (text.len > cap || cmw__log_copy(to, text.data, text.len, floor))
        return NULL;
    return to + text.len;
}

/* The same as a call, for what is mostly absent or short. */
static CMW__LOG_NOINLINE char *put_rare(char *to, cmw_str text, size_t cap, char floor)
{
    return put_plain(to, text, cap, floor);
}

static inline char *put_client(char *to, const cmw_request *request)
{
    const cmw_address *client = cmw_request_client_address(request);

    if (client->family == CMW_ADDRESS_V4)
        return cmw__put_ipv4(to, client->bytes);
    return client->family == CMW_ADDRESS_NONE ? NULL : to + cmw_address_format(client, to);
}

/* " - user " */
static inline char *put_user(char *to, const struct cmw__log_line *line, size_t cap)
{
    const cmw_principal *principal = cmw_ctx_slot(line->ctx, line->format->principal);

    memcpy(to, " - - ", 5);
    if (!principal || principal->id.len == 0)
        return to + 5;
    to = put_rare(to + 3, principal->id, cap, 0x21);
    if (to)
        *to++ = ' ';
    return to;
}

/* "GET " */
static inline char *put_method(char *to, cmw_str method, size_t cap)
{
    if (method.len == 3 && memcmp(method.data, "GET", 3) == 0) {
        memcpy(to, "GET ", 4);
        return to + 4;
    }
    to = put_rare(to, method, cap, 0x20);
    if (to)
        *to++ = ' ';
    return to;
}

/* 1 if no parameter's name is a secret's. An escape in a name is for others to read. */
static inline int query_is_plain(const char *at, const char *end, const struct cmw__log_keys *keys)
{
    const char *name = at;

    for (; at < end; at += 16) {
        unsigned marks = cmw__log_query_marks(at);
        if (end - at < 16)
            marks &= (1u << (end - at)) - 1;
        for (; marks != 0; marks &= marks - 1) {
            const char *const mark = at + cmw__log_lowest(marks);
            if (*mark != '=' && *mark != '%') {
                name = mark + 1;
            } else if (name) {
                if (*mark == '%' ||
                    cmw__log_is_secret(keys, cmw_str_make(name, (size_t)(mark - name))))
                    return 0;
                name = NULL; /* what follows is a value */
            }
        }
    }
    return 1;
}

/* A URL. It is looked through where it was copied to: there is room to read a little more of it. */
static char *put_url(char *to, cmw_str url, const struct cmw__log_line *line)
{
    const char *at = to;

    to = put_plain(to, url, line->format->max_text, 0x20);
    for (; at < to; at += 16) {
        unsigned marks = cmw__log_url_marks(at);
        if (to - at < 16)
            marks &= (1u << (to - at)) - 1;
        if (marks == 0)
            continue;
        at += cmw__log_lowest(marks);
        return *at == '?' && query_is_plain(at + 1, to, &line->format->keys) ? to : NULL;
    }
    return to;
}

/* ` "referer" "user agent"` */
static inline char *put_fields(char *to, const struct cmw__log_line *line, size_t cap)
{
    const cmw_header *const referer = cmw_request_header(line->request, CMW_HDR_REFERER);
    const cmw_header *const agent = cmw_request_header(line->request, CMW_HDR_USER_AGENT);

    memcpy(to, " \"-\" \"", 6);
    to += 6;
    if (referer) {
        to = put_url(to - 4, referer->value, line);
        if (!to)
            return NULL;
        memcpy(to, "\" \"", 3);
        to += 3;
    }
    if (agent)
        to = put_plain(to, agent->value, cap, 0x20);
    else
        *to++ = '-';
    if (to)
        *to++ = '"';
    return to;
}

char *cmw__log_plain_write(char *to, const struct cmw__log_line *line)
{
    cmw_request *const request = line->request;
    const size_t cap = line->format->max_text;
    unsigned ns;

    if (cmw_request_http_version(request) != 0x0101 || line->status < 100)
        return NULL;
    to = put_client(to, request);
    if (to)
        to = put_user(to, line, cap);
    if (!to)
        return NULL;
    const struct cmw__log_clock *const clock = cmw__log_clock_of(line, &ns);
    memcpy(to, clock->common, sizeof clock->common);
    memcpy(to + sizeof clock->common, " \"", 2);
    to = put_method(to + sizeof clock->common + 2, cmw_request_method(request), cap);
    if (to)
        to = put_url(to, cmw_request_raw_target(request), line);
    if (!to)
        return NULL;
    memcpy(to, " HTTP/1.1\" ", 11);
    to = cmw__put_digits3(to + 11, (unsigned)line->status);
    const uint64_t bytes = cmw_ctx_body_sent(line->ctx);
    memcpy(to, " -", 2);
    to += 2;
    if (bytes != 0 && bytes != CMW_LENGTH_UNKNOWN)
        to = cmw__put_number(to - 1, bytes);
    if (line->format->plain == CMW__LOG_COMBINED)
        to = put_fields(to, line, cap);
    if (to)
        *to++ = '\n';
    return to;
}
