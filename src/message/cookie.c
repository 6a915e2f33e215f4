/* SPDX-License-Identifier: MIT */
/*
 * Cookies. The field is split 64 bytes at a time: a mask of its equals signs and one of its
 * semicolons, whose bits are then walked.
 *
 *     SID=31d4d96e; lang=en; theme=a=b
 *        ^        ^     ^  ^      ^ ^    the first "=" behind a ";" ends a name
 */
#include <catzilla/cookie.h>

#include <catzilla/http_date.h>

#include "block16.h"
#include "decimal.h"
#include "response_state.h"

/* ---- Reading ---------------------------------------------------------------------------- */

/* Where a walk over a field stands. */
struct walk {
    const char *start;  /* of the present piece */
    const char *equals; /* its first one; NULL: not met yet */
    cmw_cookie *to;
    const cmw_cookie *end;
};

static inline int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A piece that may have blanks at its ends: behind the cookie that it is, or `to`. */
static CMW__NOINLINE cmw_cookie *take_blank_piece(cmw_cookie *to, const char *name,
                                                  const char *name_end, const char *end)
{
    const char *value = name_end + 1;

    while (name < name_end && is_blank(*name))
        name++;
    while (name_end > name && is_blank(name_end[-1]))
        name_end--;
    if (name == name_end)
        return to;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    to->name = cmw_str_make(name, (size_t)(name_end - name));
    to->value = cmw_str_make(value, (size_t)(end - value));
    return to + 1;
}

/*
 * The piece from `start` to `end`, if it is a cookie. What is usual has one space before its name
 * and no other blank at an end; all four ends are marks or bytes between them, but behind the last
 * piece, which is looked at as if it had blanks.
 */
static CMW__ALWAYS_INLINE void take_piece(struct walk *walk, const char *end)
{
    const char *name = walk->start;
    const char *const name_end = walk->equals;

    walk->start = end + 1;
    walk->equals = NULL;
    if (!name_end)
        return;
    name += *name == ' ';
    if (name >= name_end || (unsigned char)*name <= ' ' || (unsigned char)name_end[-1] <= ' ' ||
        (unsigned char)name_end[1] <= ' ' || (unsigned char)end[-1] <= ' ') {
        walk->to = take_blank_piece(walk->to, name, name_end, end);
        return;
    }
    walk->to->name = cmw_str_make(name, (size_t)(name_end - name));
    walk->to->value = cmw_str_make(name_end + 1, (size_t)(end - name_end) - 1);
    walk->to++;
}

/* What is behind the last semicolon: nothing but it may be read. */
static CMW__ALWAYS_INLINE void take_last_piece(struct walk *walk, const char *end)
{
    const char *const name = walk->start;
    const char *const name_end = walk->equals;

    walk->start = end;
    if (name_end)
        walk->to = take_blank_piece(walk->to, name, name_end, end);
}

/* A bit for each of 64 bytes. */
struct marks {
    uint64_t equals, ends;
};

static inline void add_marks(struct marks *marks, const char *bytes, unsigned at)
{
    marks->equals |= (uint64_t)cmw__block16_is(bytes, '=') << at;
    marks->ends |= (uint64_t)cmw__block16_is(bytes, ';') << at;
}

static inline struct marks read_marks(const char *bytes)
{
    struct marks marks = {0, 0};

    add_marks(&marks, bytes, 0);
    add_marks(&marks, bytes + 16, 16);
    add_marks(&marks, bytes + 32, 32);
    add_marks(&marks, bytes + 48, 48);
    return marks;
}

/* The same where there are fewer. */
static inline struct marks read_last_marks(const char *bytes, size_t len)
{
    struct marks marks = {0, 0};
    char last[16];
    unsigned at = 0;

    for (; len - at >= 16; at += 16)
        add_marks(&marks, bytes + at, at);
    if (at < len) {
        memset(last, 0, sizeof last);
        memcpy(last, bytes + at, len - at);
        add_marks(&marks, last, at);
    }
    return marks;
}

/* Those of the bytes at `at`; 1: there is no more room. */
static CMW__ALWAYS_INLINE int walk_marks(struct walk *walk, const char *at, struct marks marks)
{
    for (; marks.ends; marks.ends &= marks.ends - 1) {
        const uint64_t before = marks.equals & ((marks.ends & (0 - marks.ends)) - 1);
        if (before && !walk->equals)
            walk->equals = at + cmw__lowest_bit64(before);
        marks.equals ^= before;
        take_piece(walk, at + cmw__lowest_bit64(marks.ends));
        if (walk->to == walk->end)
            return 1;
    }
    if (marks.equals && !walk->equals)
        walk->equals = at + cmw__lowest_bit64(marks.equals);
    return 0;
}

size_t cmw_cookie_split(cmw_str *rest, cmw_cookie *cookies, size_t cap)
{
    const char *at = rest->data;
    const char *const end = at + rest->len;
    struct walk walk = {at, NULL, cookies, cookies + cap};
    int is_full = cap == 0;

    if (rest->len == 0)
        return 0;
    for (; !is_full && end - at >= 64; at += 64)
        is_full = walk_marks(&walk, at, read_marks(at));
    if (!is_full && at < end)
        is_full = walk_marks(&walk, at, read_last_marks(at, (size_t)(end - at)));
    if (!is_full)
        take_last_piece(&walk, end);
    *rest = cmw_str_make(walk.start, (size_t)(end - walk.start));
    return (size_t)(walk.to - cookies);
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
