/* SPDX-License-Identifier: MIT */
/*
 * Lines of `common` and `combined` in one go: what nearly every line of nearly every log is.
 *
 * It writes what the pieces of these formats write, and gives up where anything is out of the
 * ordinary: a byte to be escaped, a text to be cut, a secret in the query, another version. Then
 * the line is written by its pieces from its beginning. Compiled a second time by log_plain_avx2.c.
 */
#include "log_format.h"
#include "log_number.h"
#include "log_scan.h"

#if !defined(CMW__LOG_PLAIN_WRITE)
#define CMW__LOG_PLAIN_WRITE cmw__log_plain_write
#endif

/* Writes a text that may stand as it is; NULL: it may not. */
static CMW__BUILTIN_INLINE char *put_plain(char *to, cmw_str text, size_t cap, char floor)
{
    if (text.len > cap || cmw__log_copy(to, text.data, text.len, floor))
        return NULL;
    return to + text.len;
}

/* The same as a call, for what is mostly absent or short. */
static CMW__BUILTIN_NOINLINE char *put_rare(char *to, cmw_str text, size_t cap, char floor)
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

/* 1 if a parameter of this name may be a secret, as far as its length says. */
static inline int may_hide(const struct cmw__log_keys *keys, size_t name_len)
{
    return name_len - 1 < CMW__LOG_KEY_CAP && (keys->lengths >> (name_len - 1) & 1);
}

/* 1 if a URL may be written as it is: no parameter's value is a secret. It is looked through where
 * it was copied to, since there a little more than its bytes may be read. */
static CMW__BUILTIN_INLINE int is_shown(const char *begin, size_t len,
                                        const struct cmw__log_keys *keys)
{
    const cmw_str url = cmw_str_make(begin, len);
    size_t name = 0; /* where one begins; of a path and of a value: 0 */
    int is_path = 1;

    for (size_t block = 0; block < len; block += CMW__LOG_BLOCK) {
        unsigned marks = cmw__log_before(cmw__log_url_marks(begin + block), len - block);
        for (; marks != 0; marks &= marks - 1) {
            const size_t mark = block + cmw__log_lowest(marks);
            const char c = begin[mark];
            if (c == '=') {
                if (name && may_hide(keys, mark - name))
                    return !cmw__log_url_hides(url, keys);
                name = 0;
            } else if (c == '%') {
                if (name)
                    return !cmw__log_url_hides(url, keys);
            } else if (c == '?' || !is_path) {
                name = mark + 1;
                is_path = 0;
            } else if (c == '#') {
                return !cmw__log_url_hides(url, keys);
            }
        }
    }
    return 1;
}

static CMW__BUILTIN_INLINE char *put_url(char *to, cmw_str url, const struct cmw__log_line *line)
{
    char *const end = put_plain(to, url, line->format->max_text, 0x20);

    return end && is_shown(to, url.len, &line->format->keys) ? end : NULL;
}

/* The same as a call. */
static CMW__BUILTIN_NOINLINE char *put_referer(char *to, cmw_str url,
                                               const struct cmw__log_line *line)
{
    return put_url(to, url, line);
}

/* ` "referer" "user agent"` */
static inline char *put_fields(char *to, const struct cmw__log_line *line, size_t cap)
{
    const cmw_header *const referer = cmw_request_header(line->request, CMW_HDR_REFERER);
    const cmw_header *const agent = cmw_request_header(line->request, CMW_HDR_USER_AGENT);

    memcpy(to, " \"-\" \"", 6);
    to += 6;
    if (referer) {
        to = put_referer(to - 4, referer->value, line);
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

char *CMW__LOG_PLAIN_WRITE(char *to, const struct cmw__log_line *line)
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
    memcpy(to, " HTTP/1.1\" 200", 14); /* nearly all are */
    if (line->status != 200)
        (void)cmw__put_digits3(to + 11, (unsigned)line->status);
    to += 14;
    const uint64_t bytes = cmw_ctx_body_sent(line->ctx);
    memcpy(to, " -", 2);
    to += 2;
    if (bytes != 0 && bytes != CMW_LENGTH_UNKNOWN)
        to = cmw__put_number(to - 1, bytes);
    if (line->format->has_fields)
        to = put_fields(to, line, cap);
    if (to)
        *to++ = '\n';
    return to;
}
