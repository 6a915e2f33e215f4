/* SPDX-License-Identifier: MIT */
/*
 * Escaping and redaction. Nearly all text is printable ASCII and is copied whole; what is not is
 * gone through byte by byte.
 */
#include "log_text.h"

#include "log_scan.h"

static const char digits[] = "0123456789abcdef";

/* ---- Escaping --------------------------------------------------------------------------- */

static char *put_x(char *to, unsigned char byte)
{
    to[0] = '\\';
    to[1] = 'x';
    to[2] = digits[byte >> 4];
    to[3] = digits[byte & 15];
    return to + 4;
}

static char *put_u(char *to, unsigned code)
{
    to[0] = '\\';
    to[1] = 'u';
    to[2] = digits[code >> 12 & 15];
    to[3] = digits[code >> 8 & 15];
    to[4] = digits[code >> 4 & 15];
    to[5] = digits[code & 15];
    return to + 6;
}

static char *escape_ascii(char *to, cmw_str text, char floor)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if (!cmw__log_is_odd(c, floor)) {
            *to++ = c;
        } else if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = c;
        } else {
            to = put_x(to, (unsigned char)c);
        }
    }
    return to;
}

/* The bytes of the UTF-8 sequence at the beginning of `at`, 2 to 4; 0: there is none. Not the
 * short forms of lower codes, surrogates, or codes above U+10FFFF (RFC 3629, 4). */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    const unsigned char first = at[0];
    const size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    static const struct {
        unsigned char first, low, high;
    } bounds[] = {{0xe0, 0xa0, 0xbf}, {0xed, 0x80, 0x9f}, {0xf0, 0x90, 0xbf}, {0xf4, 0x80, 0x8f}};

    if (first < 0xc2 || first > 0xf4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (first == bounds[i].first && (at[1] < bounds[i].low || at[1] > bounds[i].high))
            return 0;
    return len;
}

/* Codes that are text to JSON and the end of a line or a command to others: U+0080 to U+009F,
 * U+2028, U+2029. 0: none of them. */
static unsigned unwanted_code(const unsigned char *at, size_t len)
{
    if (len == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return at[1];
    if (len == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
        return 0x2000u + (at[2] & 0x3fu);
    return 0;
}

/* Write what is above 0x7F; `*used` bytes of it. */
static char *escape_high(char *to, const unsigned char *at, size_t left, size_t *used)
{
    const size_t len = utf8_len(at, left);

    *used = len > 0 ? len : 1;
    if (len == 0)
        return put_u(to, 0xfffd);
    const unsigned code = unwanted_code(at, len);
    if (code != 0)
        return put_u(to, code);
    memcpy(to, at, len);
    return to + len;
}

static char *escape_json(char *to, cmw_str text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t used;

    for (size_t i = 0; i < text.len; i += used) {
        const unsigned char c = bytes[i];
        used = 1;
        if (c >= 0x80) {
            to = escape_high(to, bytes + i, text.len - i, &used);
        } else if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            to = put_u(to, c);
        } else {
            *to++ = (char)c;
        }
    }
    return to;
}

char *cmw__log_text(char *to, cmw_str text, enum cmw__log_escape escape)
{
    const char floor = escape == CMW__LOG_BARE ? 0x21 : 0x20;

    if (!cmw__log_copy(to, text.data, text.len, floor))
        return to + text.len;
    return escape == CMW__LOG_JSON ? escape_json(to, text) : escape_ascii(to, text, floor);
}

/* ---- Redaction -------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Decode the name of a parameter, in lower case, into `name`; its length, or more than
 * CMW__LOG_KEY_CAP for one that is longer. */
static size_t decode_name(char *name, cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (len == CMW__LOG_KEY_CAP)
            return CMW__LOG_KEY_CAP + 1;
        if (c == '%' && text.len - i > 2) {
            const int high = hex_value(text.data[i + 1]);
            const int low = hex_value(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        }
        name[len++] = lower(c);
    }
    return len;
}

/* Read the name from `text`, decoded if it has a '%', and compare it with those of its length. */
static int is_secret(const struct cmw__log_keys *keys, cmw_str text, int has_percent)
{
    char name[CMW__LOG_KEY_CAP];

    if (!has_percent && (text.len > CMW__LOG_KEY_CAP || !(keys->lengths >> (text.len - 1) & 1)))
        return 0;
    const size_t len = decode_name(name, text);
    for (size_t i = 0; len <= CMW__LOG_KEY_CAP && i < keys->count; i++)
        if (keys->names[i].len == len && memcmp(keys->names[i].data, name, len) == 0)
            return 1;
    return 0;
}

/* What a byte means between parameters. */
enum { MEANS_NOTHING, MEANS_EQUALS, MEANS_PERCENT, MEANS_END };

static const unsigned char meanings[256] = {
    ['='] = MEANS_EQUALS, ['%'] = MEANS_PERCENT, ['&'] = MEANS_END,
    [';'] = MEANS_END,    ['#'] = MEANS_END,     ['?'] = MEANS_END,
};

/* A parameter as far as it is read: where it and its value begin. */
struct parameter {
    size_t begin;
    size_t value;     /* 0: it has none yet */
    unsigned escaped; /* there is a '%' in its name */
};

/* 1 if it ends at `end` and its value is one to leave out. */
static int hides(const struct parameter *found, cmw_str url, size_t end,
                 const struct cmw__log_keys *keys)
{
    if (found->value == 0 || found->value == end || found->value - 1 == found->begin)
        return 0;
    return is_secret(keys, cmw_str_make(url.data + found->begin, found->value - 1 - found->begin),
                     found->escaped != 0);
}

/* What goes through a URL whose parameters begin at `from` learns where secrets are, in order, and
 * returns 1 to go no further. */
typedef int found_fn(void *self, size_t value, size_t end);

static int find_secrets(cmw_str url, size_t from, const struct cmw__log_keys *keys,
                        found_fn *found_secret, void *self)
{
    struct parameter found = {from, 0, 0};

    for (size_t at = from; at < url.len; at++) {
        const unsigned means = meanings[(unsigned char)url.data[at]];
        if (means == MEANS_NOTHING)
            continue;
        if (means == MEANS_END) {
            if (hides(&found, url, at, keys) && found_secret(self, found.value, at))
                return 1;
            found = (struct parameter){at + 1, 0, 0};
        } else if (found.value == 0) {
            found.escaped |= means == MEANS_PERCENT;
            found.value = means == MEANS_EQUALS ? at + 1 : 0;
        }
    }
    return hides(&found, url, url.len, keys) && found_secret(self, found.value, url.len);
}

/* Where a URL is written to, and how. */
struct writing {
    char *to;
    cmw_str url;
    size_t done; /* bytes of it */
    enum cmw__log_escape escape;
};

static void write_until(struct writing *writing, size_t end)
{
    writing->to = cmw__log_text(
        writing->to, cmw_str_make(writing->url.data + writing->done, end - writing->done),
        writing->escape);
    writing->done = end;
}

static int leave_out(void *self, size_t value, size_t end)
{
    struct writing *writing = self;

    write_until(writing, value);
    memcpy(writing->to, CMW__LOG_REDACTED, sizeof CMW__LOG_REDACTED - 1);
    writing->to += sizeof CMW__LOG_REDACTED - 1;
    writing->done = end;
    return 0;
}

/* Write all of a URL whose parameters begin at `from`. */
static char *put_url(char *to, cmw_str url, size_t from, enum cmw__log_escape escape,
                     const struct cmw__log_keys *keys)
{
    struct writing writing = {to, url, 0, escape};

    (void)find_secrets(url, from, keys, leave_out, &writing);
    write_until(&writing, url.len);
    return writing.to;
}

char *cmw__log_query(char *to, cmw_str query, enum cmw__log_escape escape,
                     const struct cmw__log_keys *keys)
{
    return put_url(to, query, 0, escape, keys);
}

/* Where the parameters of a URL begin. */
static size_t find_query(cmw_str url)
{
    const char *mark = url.len > 0 ? memchr(url.data, '?', url.len) : NULL;

    if (!mark && url.len > 0)
        mark = memchr(url.data, '#', url.len);
    return mark ? (size_t)(mark - url.data) + 1 : url.len;
}

char *cmw__log_url(char *to, cmw_str url, enum cmw__log_escape escape,
                   const struct cmw__log_keys *keys)
{
    return put_url(to, url, find_query(url), escape, keys);
}

static int stop(void *self, size_t value, size_t end)
{
    (void)self;
    (void)value;
    (void)end;
    return 1;
}

int cmw__log_url_hides(cmw_str url, const struct cmw__log_keys *keys)
{
    return find_secrets(url, find_query(url), keys, stop, NULL);
}
