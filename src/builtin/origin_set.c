/* SPDX-License-Identifier: MIT */
/*
 * Origins: what is one, which are in a set.
 *
 * Browsers send origins in one form (scheme and host in lower case, no default port, no path), so
 * that they are compared byte by byte (Fetch, 3.2.1). What could never be sent is a mistake of the
 * configuration and refused there.
 */
#include "origin_set.h"

/* ---- Parts of an origin ----------------------------------------------------------------- */

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What a "*" may stand for, dots aside: a bit for each of A-Z a-z 0-9 - _. */
static int is_label_char(char c)
{
    static const uint32_t bits[8] = {0, 0x03ff2000, 0x87fffffe, 0x07fffffe};
    return bits[(unsigned char)c / 32] >> (unsigned char)c % 32 & 1;
}

/* Length of the scheme with "://", or 0. */
static size_t scheme_len(cmw_str text)
{
    size_t len = 0;

    if (text.len == 0 || !is_lower(text.data[0]))
        return 0;
    while (len < text.len && (is_lower(text.data[len]) || is_digit(text.data[len]) ||
                              (text.data[len] && strchr("+-.", text.data[len]))))
        len++;
    return text.len - len >= 3 && memcmp(text.data + len, "://", 3) == 0 ? len + 3 : 0;
}

/* The port of a text that begins with ":", or -1. */
static int port_of(cmw_str text)
{
    int port = 0;

    if (text.len < 2 || text.len > 6 || text.data[1] == '0')
        return -1;
    for (size_t i = 1; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return -1;
        port = port * 10 + (text.data[i] - '0');
    }
    return port <= 65535 ? port : -1;
}

static int is_default_port(cmw_str scheme, int port)
{
    return (port == 443 && cmw_str_equals(scheme, CMW_STR("https://"))) ||
           (port == 80 && cmw_str_equals(scheme, CMW_STR("http://")));
}

static int is_ipv6_literal(cmw_str host)
{
    size_t i = 1;

    if (host.len < 4 || host.data[0] != '[' || host.data[host.len - 1] != ']')
        return 0;
    while (i < host.len - 1 &&
           (is_digit(host.data[i]) || (host.data[i] >= 'a' && host.data[i] <= 'f') ||
            host.data[i] == ':' || host.data[i] == '.'))
        i++;
    return i == host.len - 1;
}

/* Labels joined by dots, none empty; a "*" counts as a character of one. */
static const char *labels_fault(cmw_str host)
{
    char last = '.';

    for (size_t i = 0; i < host.len; i++) {
        const char c = host.data[i];
        if (c >= 'A' && c <= 'Z')
            return "has upper-case letters, which no browser sends";
        if (c == '.' ? last == '.' : c != '*' && !is_label_char(c))
            return "is not scheme://host or scheme://host:port";
        last = c;
    }
    return last == '.' ? "is not scheme://host or scheme://host:port" : NULL;
}

/*
 * Whether a "*" leaves the end of the host fixed. As whole labels ("*.a.example") it does, whatever
 * follows. Inside a label ("app-*.a.example") two labels more must follow, since that label could
 * belong to anyone: "app*.example" would let in "apple.example", "*a.example" "evil-a.example".
 */
static const char *pattern_fault(cmw_str host, size_t star)
{
    const cmw_str after = cmw_str_make(host.data + star + 1, host.len - star - 1);
    const int is_whole =
        (star == 0 || host.data[star - 1] == '.') && after.len > 0 && after.data[0] == '.';
    size_t dots = 0;

    for (size_t i = 0; i < after.len; i++)
        dots += after.data[i] == '.';
    if (memchr(after.data, '*', after.len))
        return "has more than one '*'";
    if (dots < (is_whole ? 1 : 2))
        return "would let in hosts of others: the '*' must stand before a fixed domain";
    return NULL;
}

static const char *host_fault(cmw_str host)
{
    const char *star = host.len > 0 ? memchr(host.data, '*', host.len) : NULL;

    if (host.len > 0 && host.data[0] == '[')
        return is_ipv6_literal(host) ? NULL : "is not scheme://host or scheme://host:port";
    const char *fault = labels_fault(host);
    if (fault || !star)
        return fault;
    return pattern_fault(host, (size_t)(star - host.data));
}

/* Length of the host in front of a port. */
static size_t host_len(cmw_str rest)
{
    const char *bracket = rest.len > 0 ? memchr(rest.data, ']', rest.len) : NULL;
    const size_t from = bracket ? (size_t)(bracket - rest.data) : 0;
    const char *colon = rest.len > 0 ? memchr(rest.data + from, ':', rest.len - from) : NULL;

    return colon ? (size_t)(colon - rest.data) : rest.len;
}

/* Bytes that end an origin, by what they begin. */
static const char *excess_fault(cmw_str rest)
{
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] == '/')
            return i + 1 == rest.len ? "ends in '/', which no origin does" : "has a path";
        if (rest.data[i] == '?' || rest.data[i] == '#')
            return "has a query or fragment";
        if (rest.data[i] == '@')
            return "has user information";
    }
    return NULL;
}

const char *cmw__origin_fault(cmw_str text)
{
    if (cmw_str_equals(text, CMW_STR("null")))
        return NULL;
    const size_t scheme = scheme_len(text);
    if (scheme == 0)
        return "has no scheme in lower case, such as https://";
    const cmw_str rest = cmw_str_make(text.data + scheme, text.len - scheme);
    const char *fault = excess_fault(rest);
    if (fault)
        return fault;
    const cmw_str host = cmw_str_make(rest.data, host_len(rest));
    const cmw_str port = cmw_str_make(rest.data + host.len, rest.len - host.len);
    if (port.len > 0 && port_of(port) < 0)
        return "has no valid port";
    if (port.len > 0 && is_default_port(cmw_str_make(text.data, scheme), port_of(port)))
        return "names the default port, which no browser sends";
    return host_fault(host);
}

/* ---- The set ---------------------------------------------------------------------------- */

size_t cmw__origin_table_size(size_t count)
{
    size_t size = 4;

    while (size < 2 * count)
        size *= 2;
    return size;
}

static uint64_t hash_of(const struct cmw__origin_set *set, cmw_str text)
{
    uint64_t hash = text.len;

    if (text.len >= 16)
        return cmw__origin_hash(text, set->words);
    for (size_t i = 0; i < text.len; i++)
        hash = cmw__origin_mix(hash, (unsigned char)text.data[i]);
    return hash;
}

/* Where the text is in the table, or the free place where it would be. Half of them are free. */
static struct cmw__origin_entry *find_place(const struct cmw__origin_set *set, cmw_str text)
{
    for (uint64_t at = hash_of(set, text);; at++) {
        struct cmw__origin_entry *entry = &set->table[at & set->mask];
        if (entry->text.len == 0 || cmw_str_equals(entry->text, text))
            return entry;
    }
}

/* Put the exact ones into an empty table. The longest way to one, in steps. */
static size_t fill_table(struct cmw__origin_set *set, const cmw_str *texts, size_t count)
{
    size_t longest = 0;

    memset(set->table, 0, ((size_t)set->mask + 1) * sizeof *set->table);
    for (size_t i = 0; i < count; i++) {
        if (memchr(texts[i].data, '*', texts[i].len))
            continue;
        struct cmw__origin_entry *entry = find_place(set, texts[i]);
        const size_t place = (size_t)(entry - set->table);
        const size_t steps = (place - (size_t)hash_of(set, texts[i])) & set->mask;
        entry->text = texts[i];
        if (steps > longest)
            longest = steps;
    }
    return longest;
}

static void add_pattern(struct cmw__origin_set *set, cmw_str text, const char *star)
{
    struct cmw__origin_pattern *pattern = &set->patterns[set->pattern_count++];

    pattern->before = cmw_str_make(text.data, (size_t)(star - text.data));
    pattern->after = cmw_str_make(star + 1, text.len - pattern->before.len - 1);
}

void cmw__origin_set_fill(struct cmw__origin_set *set, const cmw_str *texts, size_t count)
{
    enum { STEPS_MAX = 4, WORDS_TRIED = 8 };

    for (size_t i = 0; i < count; i++) {
        const char *star = memchr(texts[i].data, '*', texts[i].len);
        if (star)
            add_pattern(set, texts[i], star);
    }
    for (set->words = 1; set->words <= WORDS_TRIED; set->words++)
        if (fill_table(set, texts, count) <= STEPS_MAX)
            return;
    set->words = UINT32_MAX; /* all of them */
    (void)fill_table(set, texts, count);
}

/* One or more labels, or parts of labels: dots only between other characters. */
static int is_labels(cmw_str text)
{
    char last = '.';

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.' ? last == '.' : !is_label_char(text.data[i]))
            return 0;
        last = text.data[i];
    }
    return last != '.';
}

static int matches(const struct cmw__origin_pattern *pattern, cmw_str origin)
{
    const size_t fixed = pattern->before.len + pattern->after.len;

    if (origin.len <= fixed ||
        memcmp(origin.data, pattern->before.data, pattern->before.len) != 0 ||
        memcmp(origin.data + origin.len - pattern->after.len, pattern->after.data,
               pattern->after.len) != 0)
        return 0;
    return is_labels(cmw_str_make(origin.data + pattern->before.len, origin.len - fixed));
}

int cmw__origin_matches(const struct cmw__origin_set *set, cmw_str origin)
{
    for (uint32_t i = 0; i < set->pattern_count; i++) {
        if (matches(&set->patterns[i], origin))
            return 1;
    }
    return 0;
}

const struct cmw__origin_entry *cmw__origin_find_slowly(const struct cmw__origin_set *set,
                                                        cmw_str origin)
{
    const struct cmw__origin_entry *entry = find_place(set, origin);

    return entry->text.len > 0 ? entry : NULL;
}
