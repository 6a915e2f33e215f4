/* SPDX-License-Identifier: MIT */
/* Patterns of paths, and targets made of what they match. */
#include "path_rule.h"

/* ---- Bytes ------------------------------------------------------------------------------ */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static int is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* A byte that can stand in path or query (RFC 3986, 3.3 and 3.4), but for "%". */
static int is_uri_byte(unsigned char c)
{
    return c != 0 && (is_unreserved(c) || strchr("!$&'()*+,;=:@/?", c) != NULL);
}

/* The byte that an escape at `at` stands for, or -1. */
static int escape_at(cmw_str text, size_t at)
{
    if (text.len - at < 3)
        return -1;
    const int high = hex_value(text.data[at + 1]), low = hex_value(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The byte at a place, decoded, for those who decode once too often; -1: it cannot stand there. */
static int byte_at(cmw_str text, size_t at, size_t *len)
{
    *len = 1;
    if (text.data[at] != '%')
        return is_uri_byte((unsigned char)text.data[at]) ? (unsigned char)text.data[at] : -1;
    *len = 3;
    const int byte = escape_at(text, at);
    return byte >= 0x20 && byte != 0x7f ? byte : -1;
}

static int has_safe_bytes(cmw_str text)
{
    size_t len;

    for (size_t at = 0; at < text.len; at += len)
        if (byte_at(text, at, &len) < 0)
            return 0;
    return 1;
}

/* What stands before the query. */
static cmw_str path_of(cmw_str target)
{
    const char *const query = target.len > 0 ? memchr(target.data, '?', target.len) : NULL;
    return query ? cmw_str_make(target.data, (size_t)(query - target.data)) : target;
}

/* A query is data: a line end may stand in it, escaped. */
static int has_query_bytes(cmw_str query)
{
    for (size_t i = 0; i < query.len; i++)
        if ((unsigned char)query.data[i] <= ' ' || query.data[i] == 0x7f)
            return 0;
    return 1;
}

static int has_target_bytes(cmw_str target)
{
    const cmw_str path = path_of(target);
    return has_safe_bytes(path) &&
           has_query_bytes(cmw_str_make(target.data + path.len, target.len - path.len));
}

int cmw__path_target_is_safe(cmw_str target)
{
    size_t len;

    if (target.len == 0 || target.data[0] != '/' || !has_target_bytes(target))
        return 0;
    if (target.len == 1)
        return 1;
    const int second = byte_at(target, 1, &len);
    return second != '/' && second != '\\';
}

/* ---- Patterns --------------------------------------------------------------------------- */

/* Take the segment after the "/" at the front off a path; 0 at its end. */
static int take_segment(cmw_str *path, cmw_str *segment)
{
    if (path->len == 0)
        return 0;
    const char *const begin = path->data + 1;
    const char *const slash = path->len > 1 ? memchr(begin, '/', path->len - 1) : NULL;
    const size_t len = slash ? (size_t)(slash - begin) : path->len - 1;
    *segment = cmw_str_make(begin, len);
    *path = cmw_str_make(begin + len, path->len - 1 - len);
    return 1;
}

static int is_capture(cmw_str segment)
{
    return segment.len > 2 && segment.data[0] == '{' && segment.data[segment.len - 1] == '}';
}

/* Names are of letters, digits and "_". */
static int is_name(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '_' &&
            (!is_unreserved((unsigned char)text.data[i]) || strchr("-.~", text.data[i])))
            return 0;
    return text.len > 0;
}

/* Text that a segment of a canonical path can have. */
static int is_canonical(cmw_str segment)
{
    if (cmw_str_equals(segment, CMW_STR(".")) || cmw_str_equals(segment, CMW_STR("..")))
        return 0;
    for (size_t i = 0; i < segment.len; i++) {
        const unsigned char c = (unsigned char)segment.data[i];
        if (c == '%') {
            const int byte = escape_at(segment, i);
            if (byte <= 0 || is_unreserved((unsigned char)byte) || segment.data[i + 1] >= 'a' ||
                segment.data[i + 2] >= 'a')
                return 0;
        } else if (c <= ' ' || c == 0x7f || strchr("{}\\?#*", c)) {
            return 0;
        }
    }
    return 1;
}

static uint32_t find_capture(const struct cmw__path_rule *rule, cmw_str name)
{
    for (size_t i = 0; i < rule->segment_count; i++)
        if (rule->segments[i].capture != CMW_NONE && cmw_str_equals(rule->segments[i].text, name))
            return rule->segments[i].capture;
    return CMW_NONE;
}

static int refuse_pattern(const char *subject, const char *from, cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_INVALID,
                        "%s: '%s' is not a path pattern: segments are text in canonical form, "
                        "'{name}', or '*' as the last one",
                        subject, from ? from : "");
}

/* One more segment: 0 or an error. */
static int add_segment(struct cmw__path_rule *rule, cmw_arena *arena, cmw_str segment,
                       uint32_t *captures)
{
    struct cmw__path_piece *piece = &rule->segments[rule->segment_count];

    piece->capture = CMW_NONE;
    if (is_capture(segment)) {
        segment = cmw_str_make(segment.data + 1, segment.len - 2);
        if (!is_name(segment) || find_capture(rule, segment) != CMW_NONE ||
            *captures == CMW__PATH_CAPTURES_MAX)
            return CMW_ERR_INVALID;
        piece->capture = (*captures)++;
    } else if (!is_canonical(segment)) {
        return CMW_ERR_INVALID;
    }
    if (cmw_arena_dup(arena, &piece->text, segment) != 0)
        return CMW_ERR_NOMEM;
    rule->segment_count++;
    return 0;
}

static int read_pattern(struct cmw__path_rule *rule, cmw_arena *arena, cmw_str from)
{
    uint32_t captures = 0;
    size_t slashes = 0;
    cmw_str segment;

    if (from.len == 0 || from.data[0] != '/')
        return CMW_ERR_INVALID;
    for (size_t i = 0; i < from.len; i++)
        slashes += from.data[i] == '/';
    rule->segments = cmw_arena_alloc(arena, slashes * sizeof *rule->segments);
    if (!rule->segments)
        return CMW_ERR_NOMEM;
    memset(rule->segments, 0, slashes * sizeof *rule->segments);
    while (take_segment(&from, &segment)) {
        if (from.len == 0 && cmw_str_equals(segment, CMW_STR("*"))) {
            rule->takes_rest = 1;
            return 0;
        }
        if (segment.len == 0 && from.len > 0) /* "//" */
            return CMW_ERR_INVALID;
        const int rc = add_segment(rule, arena, segment, &captures);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- Targets ---------------------------------------------------------------------------- */

/* Bytes of "https://host" at the front of a target; 0: it has none, or what is no host. */
static size_t origin_len(cmw_str to)
{
    size_t at = 0;

    if (to.len > 8 && memcmp(to.data, "https://", 8) == 0)
        at = 8;
    else if (to.len > 7 && memcmp(to.data, "http://", 7) == 0)
        at = 7;
    const size_t begin = at;
    if (at == 0)
        return 0;
    while (at < to.len && to.data[at] != '/') {
        const unsigned char c = (unsigned char)to.data[at];
        if (c == '~' || (!is_unreserved(c) && !strchr(":[]", c)))
            return 0;
        at++;
    }
    return at > begin && at < to.len ? at : 0;
}

static int add_piece(struct cmw__path_rule *rule, cmw_arena *arena, cmw_str text, uint32_t capture)
{
    struct cmw__path_piece *piece = &rule->pieces[rule->piece_count];

    if (text.len == 0 && capture == CMW_NONE)
        return 0;
    piece->capture = capture;
    piece->in_query = rule->has_query;
    rule->has_query |= capture == CMW_NONE && memchr(text.data, '?', text.len) != NULL;
    rule->piece_count++;
    return cmw_arena_dup(arena, &piece->text, text);
}

/* What stands between the braces of a target. */
static int find_named(const struct cmw__path_rule *rule, cmw_str name, uint32_t *capture)
{
    if (cmw_str_equals(name, CMW_STR("*"))) {
        *capture = CMW__PATH_REST;
        return rule->takes_rest;
    }
    *capture = find_capture(rule, name);
    return *capture != CMW_NONE;
}

/* Cut a target into text and captures: 0 or an error. */
static int read_pieces(struct cmw__path_rule *rule, cmw_arena *arena, cmw_str to)
{
    while (to.len > 0) {
        const char *open = memchr(to.data, '{', to.len);
        const size_t before = open ? (size_t)(open - to.data) : to.len;
        const cmw_str text = cmw_str_make(to.data, before);
        uint32_t capture;
        if (text.len > 0 && (memchr(text.data, '}', text.len) || !has_safe_bytes(text)))
            return CMW_ERR_INVALID;
        if (add_piece(rule, arena, text, CMW_NONE) != 0)
            return CMW_ERR_NOMEM;
        if (!open)
            return 0;
        const char *close = memchr(open, '}', to.len - before);
        if (!close ||
            !find_named(rule, cmw_str_make(open + 1, (size_t)(close - open) - 1), &capture))
            return CMW_ERR_INVALID;
        if (add_piece(rule, arena, CMW_STR(""), capture) != 0)
            return CMW_ERR_NOMEM;
        to = cmw_str_make(close + 1, to.len - before - (size_t)(close - open) - 1);
    }
    return 0;
}

/* The constant beginning of a target must not lead elsewhere, whatever follows. */
static int begins_safely(cmw_str path)
{
    size_t len;

    if (path.len == 0 || path.data[0] != '/')
        return 0;
    if (path.len == 1 || path.data[1] == '{')
        return 1;
    const int second = byte_at(path, 1, &len);
    return second >= 0 && second != '/' && second != '\\';
}

static int read_target(struct cmw__path_rule *rule, cmw_arena *arena, cmw_str to, unsigned flags)
{
    const size_t origin = flags & CMW__PATH_RULE_ABSOLUTE ? origin_len(to) : 0;
    const cmw_str path = cmw_str_make(to.data + origin, to.len - origin);
    size_t braces = 0;

    if (!begins_safely(path))
        return CMW_ERR_INVALID;
    for (size_t i = 0; i < path.len; i++)
        braces += path.data[i] == '{';
    const size_t most = 2 * braces + 2;
    rule->pieces = cmw_arena_alloc(arena, most * sizeof *rule->pieces);
    if (!rule->pieces)
        return CMW_ERR_NOMEM;
    memset(rule->pieces, 0, most * sizeof *rule->pieces);
    rule->is_absolute = origin > 0;
    if (add_piece(rule, arena, cmw_str_make(to.data, origin), CMW_NONE) != 0)
        return CMW_ERR_NOMEM;
    return read_pieces(rule, arena, path);
}

int cmw__path_rule_init(struct cmw__path_rule *rule, cmw_arena *arena, const char *from,
                        const char *to, unsigned flags, const char *subject, cmw_diag *diag)
{
    memset(rule, 0, sizeof *rule);
    int rc = read_pattern(rule, arena, cmw_str_cstr(from));
    if (rc == CMW_ERR_INVALID)
        return refuse_pattern(subject, from, diag);
    if (rc == 0)
        rc = read_target(rule, arena, cmw_str_cstr(to), flags);
    if (rc == CMW_ERR_INVALID)
        return cmw_diag_set(diag, rc,
                            "%s: '%s' is not a target: one slash, URI bytes, and '{name}' or '{*}' "
                            "of '%s'%s",
                            subject, to ? to : "", from,
                            flags & CMW__PATH_RULE_ABSOLUTE ? ", behind 'https://host' or not"
                                                            : "");
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "%s: no memory", subject);
}

/* ---- Matching --------------------------------------------------------------------------- */

/* Take "/" and a segment of this text off a path; 0: it begins otherwise. */
static int take_text(cmw_str *path, cmw_str text)
{
    const size_t len = text.len + 1;

    if (path->len < len || (path->len > len && path->data[len] != '/') ||
        memcmp(path->data + 1, text.data, text.len) != 0)
        return 0;
    *path = cmw_str_make(path->data + len, path->len - len);
    return 1;
}

int cmw__path_rule_matches(const struct cmw__path_rule *rule, cmw_str path,
                           struct cmw__path_match *match)
{
    if (path.len == 0 || path.data[0] != '/')
        return 0;
    for (size_t i = 0; i < rule->segment_count; i++) {
        const struct cmw__path_piece *want = &rule->segments[i];
        if (want->capture == CMW_NONE) {
            if (!take_text(&path, want->text))
                return 0;
        } else if (!take_segment(&path, &match->captures[want->capture]) ||
                   match->captures[want->capture].len == 0) {
            return 0;
        }
    }
    if (path.len > 0 && !rule->takes_rest)
        return 0;
    match->rest = path.len > 0 ? cmw_str_make(path.data + 1, path.len - 1) : CMW_STR("");
    return 1;
}

/* ---- Putting together ------------------------------------------------------------------- */

/* Room enough for a capture, whatever is escaped. */
static size_t room_of(const struct cmw__path_piece *piece, cmw_str text)
{
    return piece->in_query && piece->capture != CMW_NONE ? 3 * text.len : text.len;
}

static cmw_str text_of(const struct cmw__path_piece *piece, const struct cmw__path_match *match)
{
    if (piece->capture == CMW_NONE)
        return piece->text;
    return piece->capture == CMW__PATH_REST ? match->rest : match->captures[piece->capture];
}

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

/* In a query "&", "=" and "+" would mean something that they do not mean in a path. */
static char *put_in_query(char *to, cmw_str text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved(c) || c == '%') {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    return to;
}

/* Behind "https://host": that is the rule's own, and no capture reaches it. */
static int leads_where_meant(const struct cmw__path_rule *rule, cmw_str target)
{
    if (!rule->is_absolute)
        return cmw__path_target_is_safe(target);
    const size_t origin = rule->pieces[0].text.len;
    return has_target_bytes(cmw_str_make(target.data + origin, target.len - origin));
}

int cmw__path_rule_expand(const struct cmw__path_rule *rule, cmw_arena *arena,
                          const struct cmw__path_match *match, cmw_str query, cmw_str *out)
{
    const int with_query = query.len > 0 && !rule->has_query;
    size_t room = with_query ? query.len + 1 : 0;

    for (size_t i = 0; i < rule->piece_count; i++)
        room += room_of(&rule->pieces[i], text_of(&rule->pieces[i], match));
    char *const begin = cmw_arena_alloc_text(arena, room);
    char *at = begin;
    if (!begin)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < rule->piece_count; i++) {
        const struct cmw__path_piece *piece = &rule->pieces[i];
        const cmw_str text = text_of(piece, match);
        at = piece->in_query && piece->capture != CMW_NONE ? put_in_query(at, text) : put(at, text);
    }
    if (with_query) {
        *at++ = '?';
        at = put(at, query);
    }
    *out = cmw_str_make(begin, (size_t)(at - begin));
    return leads_where_meant(rule, *out) ? 0 : CMW_ERR_INVALID;
}
