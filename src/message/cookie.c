/* SPDX-License-Identifier: MIT */
/* Cookies: what is asked of a Cookie field, and writing Set-Cookie. */
#include <catzilla/cookie.h>

#include <catzilla/http_date.h>

#include "cookie_split.h"
#include "decimal.h"
#include "response_state.h"

/* ---- Reading ---------------------------------------------------------------------------- */

size_t cmw_cookie_split(cmw_str *rest, cmw_cookie *cookies, size_t cap)
{
    return cmw__cookie_has_avx2() ? cmw__cookie_split_avx2(rest, cookies, cap)
                                  : cmw__cookie_split(rest, cookies, cap);
}

int cmw_request_cookie(cmw_request *request, cmw_str *value, cmw_str name)
{
    const cmw_header *field = cmw_request_header(request, CMW_HDR_COOKIE);
    cmw_cookie cookies[8];
    size_t count;

    for (; field; field = cmw_request_next_header(request, CMW_HDR_COOKIE, field)) {
        cmw_str rest = field->value;
        do {
            count = cmw_cookie_split(&rest, cookies, sizeof cookies / sizeof *cookies);
            for (size_t i = 0; i < count; i++)
                if (cmw_str_equals(cookies[i].name, name)) {
                    *value = cookies[i].value;
                    return 0;
                }
        } while (rest.len > 0);
    }
    return CMW_ERR_NOT_FOUND;
}

/* ---- Writing ---------------------------------------------------------------------------- */

/* What is written, or only counted where there is no room. */
struct sink {
    char *to;
    size_t cap;
    size_t len;
};

static void put(struct sink *sink, cmw_str text)
{
    if (sink->len < sink->cap && text.len > 0 && text.len <= sink->cap - sink->len)
        memcpy(sink->to + sink->len, text.data, text.len);
    sink->len += text.len;
}

static void put_number(struct sink *sink, int64_t number)
{
    char text[24];
    char *const digits = text + (number < 0);

    text[0] = '-';
    const char *end = cmw__put_large(digits, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    put(sink, cmw_str_make(text, (size_t)(end - text)));
}

/* cookie-octet */
static int is_octet(char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
}

/* Between quotes, or without; the quotes belong to the value. */
static int is_good_value(cmw_str value)
{
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = cmw_str_make(value.data + 1, value.len - 2);
    for (size_t i = 0; i < value.len; i++)
        if (!is_octet(value.data[i]))
            return 0;
    return 1;
}

/* path-value: anything printable but ";". */
static int is_good_path(cmw_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.data[i] < ' ' || path.data[i] > '~' || path.data[i] == ';')
            return 0;
    return path.len == 0 || path.data[0] == '/';
}

static int is_good_domain(cmw_str domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        const char c = domain.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '.' || c == '_'))
            return 0;
    }
    return 1;
}

static int has_prefix(cmw_str name, cmw_str prefix)
{
    return name.len >= prefix.len &&
           cmw_str_equals_fold(cmw_str_make(name.data, prefix.len), prefix);
}

/* Attributes without which browsers drop the cookie. */
static int check_together(const cmw_set_cookie *cookie)
{
    const int is_host = has_prefix(cookie->name, CMW_STR("__Host-"));

    if (cookie->secure == 0 && (is_host || has_prefix(cookie->name, CMW_STR("__Secure-")) ||
                                cookie->partitioned || cookie->same_site == CMW_SAME_SITE_NONE))
        return CMW_ERR_CONFLICT;
    if (is_host && (cookie->domain.len > 0 || !cmw_str_equals(cookie->path, CMW_STR("/"))))
        return CMW_ERR_CONFLICT;
    return 0;
}

static int check_cookie(const cmw_set_cookie *cookie)
{
    if (cookie->size != sizeof *cookie)
        return CMW_ERR_VERSION;
    if (cookie->same_site < CMW_SAME_SITE_LAX || cookie->same_site > CMW_SAME_SITE_UNSET)
        return CMW_ERR_ARG;
    if (!cmw_header_name_is_valid(cookie->name) || !is_good_value(cookie->value) ||
        !is_good_path(cookie->path) || !is_good_domain(cookie->domain))
        return CMW_ERR_INVALID;
    if (cookie->name.len > CMW_COOKIE_MAX ||
        cookie->value.len > CMW_COOKIE_MAX - cookie->name.len ||
        cookie->path.len > CMW_COOKIE_ATTRIBUTE_MAX ||
        cookie->domain.len > CMW_COOKIE_ATTRIBUTE_MAX)
        return CMW_ERR_ARG;
    return check_together(cookie);
}

static void put_lifetime(struct sink *sink, const cmw_set_cookie *cookie)
{
    char date[CMW_HTTP_DATE_LEN];

    if (cookie->max_age_s != CMW_COOKIE_SESSION) {
        put(sink, CMW_STR("; Max-Age="));
        put_number(sink, cookie->max_age_s);
    }
    if (cookie->expires_s != CMW_COOKIE_SESSION) {
        put(sink, CMW_STR("; Expires="));
        put(sink, cmw_http_date_format(date, cookie->expires_s));
    }
}

static void put_flags(struct sink *sink, const cmw_set_cookie *cookie)
{
    static const cmw_str same_site[] = {CMW_STR_INIT("; SameSite=Lax"),
                                        CMW_STR_INIT("; SameSite=Strict"),
                                        CMW_STR_INIT("; SameSite=None"), CMW_STR_INIT("")};

    if (cookie->secure)
        put(sink, CMW_STR("; Secure"));
    if (cookie->http_only)
        put(sink, CMW_STR("; HttpOnly"));
    put(sink, same_site[cookie->same_site]);
    if (cookie->partitioned)
        put(sink, CMW_STR("; Partitioned"));
}

int cmw_set_cookie_write(size_t *len, char *to, size_t cap, const cmw_set_cookie *cookie)
{
    struct sink sink = {to, cap, 0};
    const int rc = check_cookie(cookie);

    if (rc != 0)
        return rc;
    put(&sink, cookie->name);
    put(&sink, CMW_STR("="));
    put(&sink, cookie->value);
    if (cookie->domain.len > 0) {
        put(&sink, CMW_STR("; Domain="));
        put(&sink, cookie->domain);
    }
    if (cookie->path.len > 0) {
        put(&sink, CMW_STR("; Path="));
        put(&sink, cookie->path);
    }
    put_lifetime(&sink, cookie);
    put_flags(&sink, cookie);
    *len = sink.len;
    return sink.len <= cap ? 0 : CMW_ERR_LIMIT;
}

int cmw_response_set_cookie(cmw_response *response, const cmw_set_cookie *cookie)
{
    size_t len;
    int rc = cmw_set_cookie_write(&len, NULL, 0, cookie);

    if (rc != CMW_ERR_LIMIT)
        return rc;
    char *const text = cmw_arena_alloc_text(response->arena, len);
    if (!text)
        return CMW_ERR_NOMEM;
    rc = cmw_set_cookie_write(&len, text, len, cookie);
    return rc == 0 ? cmw_response_append(response, CMW_HDR_SET_COOKIE, cmw_str_make(text, len))
                   : rc;
}
