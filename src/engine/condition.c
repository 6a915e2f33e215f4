/* SPDX-License-Identifier: MIT */
/* Checking, copying and comparing conditions; what their parts mean. */
#include "condition.h"

#include "hash.h"
#include "request_state.h"
#include "text.h"

/* ---- What patterns mean ----------------------------------------------------------------- */

static int is_rest_pattern(cmw_str pattern)
{
    return pattern.len >= 2 && memcmp(pattern.data + pattern.len - 2, "/*", 2) == 0;
}

/* Take the segment after the "/" at the front off a path; 0 at its end. */
static int take_segment(cmw_str *path, cmw_str *segment)
{
    if (path->len == 0)
        return 0;
    const char *begin = path->data + 1;
    const size_t room = path->len - 1;
    const char *slash = memchr(begin, '/', room);
    const size_t len = slash ? (size_t)(slash - begin) : room;
    *segment = cmw_str_make(begin, len);
    *path = cmw_str_make(begin + len, room - len);
    return 1;
}

int cmw__pattern_matches(cmw_str pattern, cmw_str path)
{
    const int takes_rest = is_rest_pattern(pattern);
    cmw_str want;
    cmw_str have;

    if (path.len == 0 || path.data[0] != '/' || pattern.data[0] != '/')
        return cmw_str_equals(pattern, path); /* "*" of OPTIONS */
    if (takes_rest)
        pattern.len -= 2;
    while (take_segment(&pattern, &want)) {
        if (!take_segment(&path, &have))
            return 0;
        if (cmw__segment_is_parameter(want) ? have.len == 0 : !cmw_str_equals(want, have))
            return 0;
    }
    return takes_rest || path.len == 0;
}

/* ---- Checking --------------------------------------------------------------------------- */

static int check_segment(cmw_str segment, int is_last)
{
    if (memchr(segment.data, '*', segment.len))
        return is_last && segment.len == 1;
    if (cmw__segment_is_parameter(segment))
        return 1;
    for (size_t i = 0; i < segment.len; i++) {
        const unsigned char c = (unsigned char)segment.data[i];
        if (c <= 0x20 || c == 0x7f || c == '{' || c == '}' || c == '\\' || c == '?' || c == '#')
            return 0;
    }
    return 1;
}

/* Patterns are compared with canonical paths: one that is not canonical would never match. */
static int is_canonical(cmw_str pattern, cmw_arena *scratch)
{
    const cmw_arena_mark mark = cmw_arena_get_mark(scratch);
    size_t len = 0;
    char *copy = cmw_arena_alloc_text(scratch, pattern.len + 1);
    const int same = copy && cmw__path_canonical(copy, &len, pattern, &cmw__path_no_rules) == 0 &&
                     cmw_str_equals(cmw_str_make(copy, len), pattern);
    cmw__arena_back(scratch, mark);
    return same;
}

/* A pattern is made of segments that a canonical path can have; "*" is a whole last segment. */
static int check_pattern(cmw_str pattern, cmw_arena *scratch)
{
    cmw_str rest = pattern;
    cmw_str segment;

    if (cmw_str_equals(pattern, CMW_STR("*")))
        return 1;
    if (pattern.len == 0 || pattern.data[0] != '/' || memchr(pattern.data, '\0', pattern.len))
        return 0;
    while (take_segment(&rest, &segment))
        if (!check_segment(segment, rest.len == 0))
            return 0;
    return is_canonical(pattern, scratch);
}

static int check_host(cmw_str host)
{
    if (host.len >= 2 && memcmp(host.data, "*.", 2) == 0)
        host = cmw_str_make(host.data + 2, host.len - 2);
    if (host.len == 0 || host.data[0] == '.' || host.data[host.len - 1] == '.')
        return 0;
    for (size_t i = 0; i < host.len; i++) {
        const unsigned char c = (unsigned char)host.data[i];
        const int is_name = cmw__is_alnum(c) || c == '-' || c == '.' || c == '_';
        if (!is_name && !(host.data[0] == '[' && (c == '[' || c == ']' || c == ':')))
            return 0;
    }
    return 1;
}

/* ---- Copying ---------------------------------------------------------------------------- */

struct copier {
    struct cmw__condition *to;
    cmw_arena *arena;
    const char *subject;
    cmw_diag *diag;
};

static int no_memory(const struct copier *copier)
{
    return cmw_diag_set(copier->diag, CMW_ERR_NOMEM, "%s: no memory for its condition",
                        copier->subject);
}

static void mix(struct copier *copier, cmw_str text, uint64_t tag)
{
    copier->to->hash = cmw__hash(text.data, text.len, copier->to->hash ^ tag);
}

static int copy_methods(struct copier *copier, const cmw_condition *from)
{
    struct cmw__condition *to = copier->to;
    to->methods = cmw_arena_alloc(copier->arena, from->method_count * sizeof *to->methods);
    if (!to->methods)
        return no_memory(copier);
    for (size_t i = 0; i < from->method_count; i++) {
        const cmw_str method = cmw_str_cstr(from->methods[i]);
        if (!cmw_header_name_is_valid(method))
            return cmw_diag_set(copier->diag, CMW_ERR_INVALID,
                                "%s: '%s' in its condition is not a method", copier->subject,
                                from->methods[i] ? from->methods[i] : "(null)");
        if (cmw_arena_dup(copier->arena, &to->methods[i], method) != 0)
            return no_memory(copier);
        to->method_bits |= 1u << cmw__method_find(method);
        mix(copier, method, 1);
    }
    to->method_bits &= ~(1u << CMW_METHOD_OTHER);
    to->method_count = (uint32_t)from->method_count;
    return 0;
}

static int copy_hosts(struct copier *copier, const cmw_condition *from)
{
    struct cmw__condition *to = copier->to;
    to->hosts = cmw_arena_alloc(copier->arena, from->host_count * sizeof *to->hosts);
    if (!to->hosts)
        return no_memory(copier);
    for (size_t i = 0; i < from->host_count; i++) {
        const cmw_str host = cmw_str_cstr(from->hosts[i]);
        if (!check_host(host))
            return cmw_diag_set(copier->diag, CMW_ERR_INVALID,
                                "%s: '%s' in its condition is not a host or \"*.\" and a host "
                                "(no scheme, no port)",
                                copier->subject, from->hosts[i] ? from->hosts[i] : "(null)");
        if (cmw__arena_dup_lower(copier->arena, &to->hosts[i], host) != 0)
            return no_memory(copier);
        mix(copier, to->hosts[i], 2);
    }
    to->host_count = (uint32_t)from->host_count;
    return 0;
}

static int copy_path(struct copier *copier, cmw_str *to, const char *text, int is_negated)
{
    const cmw_str pattern = cmw_str_cstr(text ? text + is_negated : NULL);
    if (!check_pattern(pattern, copier->arena))
        return cmw_diag_set(
            copier->diag, CMW_ERR_INVALID,
            "%s: the path pattern '%s' is not \"/\" and segments, where a segment is text, "
            "\"{name}\", or \"*\" as the last one, in canonical form (no \"//\", no dot segment, "
            "escapes in upper case and only where needed)",
            copier->subject, text ? text : "(null)");
    if (cmw_arena_dup(copier->arena, to, pattern) != 0)
        return no_memory(copier);
    mix(copier, pattern, is_negated ? 4 : 3);
    return 0;
}

/* Positive patterns first, negated ones behind them. */
static int copy_paths(struct copier *copier, const cmw_condition *from)
{
    struct cmw__condition *to = copier->to;
    to->paths = cmw_arena_alloc(copier->arena, from->path_count * sizeof *to->paths);
    if (!to->paths)
        return no_memory(copier);
    for (int negated = 0; negated <= 1; negated++) {
        for (size_t i = 0; i < from->path_count; i++) {
            const char *text = from->paths[i];
            if ((text && text[0] == '!') != negated)
                continue;
            const uint32_t at = to->path_count + to->negated_count;
            const int rc = copy_path(copier, &to->paths[at], text, negated);
            if (rc != 0)
                return rc;
            *(negated ? &to->negated_count : &to->path_count) += 1;
        }
    }
    return 0;
}

static int copy_predicate(struct copier *copier, const cmw_condition *from)
{
    struct cmw__condition *to = copier->to;
    to->predicate = from->predicate;
    to->predicate_self = from->predicate_self;
    to->reads = cmw_arena_alloc(copier->arena, from->read_count * sizeof *to->reads);
    if (!to->reads)
        return no_memory(copier);
    for (size_t i = 0; i < from->read_count; i++)
        to->reads[i] = from->reads[i];
    to->read_count = (uint32_t)from->read_count;
    mix(copier, cmw_str_make((const char *)&to->predicate, sizeof to->predicate), 5);
    mix(copier, cmw_str_make((const char *)&to->predicate_self, sizeof to->predicate_self), 6);
    return 0;
}

/* A count that an int32 or the sum of sizes cannot hold is not a list but a mistake. */
static int counts_are_sane(const cmw_condition *condition)
{
    const size_t most = 1u << 20;
    return condition->method_count <= most && condition->host_count <= most &&
           condition->path_count <= most && condition->read_count <= most &&
           (condition->methods || !condition->method_count) &&
           (condition->hosts || !condition->host_count) &&
           (condition->paths || !condition->path_count) &&
           (condition->reads || !condition->read_count);
}

int cmw__condition_copy(struct cmw__condition **out, cmw_arena *arena,
                        const cmw_condition *condition, const char *subject, cmw_diag *diag)
{
    struct copier copier = {NULL, arena, subject, diag};

    if (condition->size != sizeof *condition)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "%s: the size of its condition is not that of this library; call "
                            "cmw_condition_init",
                            subject);
    if (!counts_are_sane(condition))
        return cmw_diag_set(diag, CMW_ERR_ARG, "%s: a list of its condition is NULL or too long",
                            subject);
    copier.to = cmw_arena_alloc(arena, sizeof *copier.to);
    if (!copier.to)
        return no_memory(&copier);
    memset(copier.to, 0, sizeof *copier.to);

    int rc = copy_methods(&copier, condition);
    if (rc == 0)
        rc = copy_hosts(&copier, condition);
    if (rc == 0)
        rc = copy_paths(&copier, condition);
    if (rc == 0)
        rc = copy_predicate(&copier, condition);
    if (rc == 0)
        *out = copier.to;
    return rc;
}

/* ---- Comparing -------------------------------------------------------------------------- */

static int lists_equal(const cmw_str *a, size_t a_count, const cmw_str *b, size_t b_count)
{
    if (a_count != b_count)
        return 0;
    for (size_t i = 0; i < a_count; i++)
        if (!cmw_str_equals(a[i], b[i]))
            return 0;
    return 1;
}

int cmw__condition_equals(const struct cmw__condition *a, const struct cmw__condition *b)
{
    if (a == b)
        return 1;
    return a->hash == b->hash && a->path_count == b->path_count && a->predicate == b->predicate &&
           a->predicate_self == b->predicate_self &&
           lists_equal(a->methods, a->method_count, b->methods, b->method_count) &&
           lists_equal(a->hosts, a->host_count, b->hosts, b->host_count) &&
           lists_equal(a->paths, a->path_count + a->negated_count, b->paths,
                       b->path_count + b->negated_count);
}

int cmw__condition_reads(const struct cmw__condition *condition, cmw_slot slot)
{
    if (slot == CMW_FACT_HOST && condition->host_count > 0)
        return 1;
    if (slot == CMW_FACT_CANONICAL_PATH && condition->path_count + condition->negated_count > 0)
        return 1;
    for (uint32_t i = 0; i < condition->read_count; i++)
        if (condition->reads[i] == slot)
            return 1;
    return 0;
}

/* ---- Deciding --------------------------------------------------------------------------- */

int cmw__condition_allows_method(const struct cmw__condition *condition, cmw_request *request)
{
    if (condition->method_count == 0)
        return 1;
    const cmw_method id = cmw_request_method_id(request);
    if (id != CMW_METHOD_OTHER)
        return condition->method_bits >> id & 1;
    for (uint32_t i = 0; i < condition->method_count; i++)
        if (cmw_str_equals(condition->methods[i], cmw_request_method(request)))
            return 1;
    return 0;
}

static int host_matches(cmw_str pattern, cmw_str host)
{
    if (pattern.data[0] != '*')
        return cmw_str_equals(pattern, host);
    const size_t tail = pattern.len - 1; /* ".a.example" */
    return host.len > tail && memcmp(host.data + host.len - tail, pattern.data + 1, tail) == 0;
}

int cmw__condition_allows_host(const struct cmw__condition *condition, cmw_request *request)
{
    if (condition->host_count == 0)
        return 1;
    const cmw_str host = cmw_request_host(request);
    for (uint32_t i = 0; i < condition->host_count; i++)
        if (host_matches(condition->hosts[i], host))
            return 1;
    return 0;
}

int cmw__condition_allows_path(const struct cmw__condition *condition, cmw_request *request)
{
    const cmw_str path = cmw_request_path(request);
    const cmw_str *negated = condition->paths + condition->path_count;
    int found = condition->path_count == 0;

    for (uint32_t i = 0; i < condition->path_count && !found; i++)
        found = cmw__pattern_matches(condition->paths[i], path);
    for (uint32_t i = 0; i < condition->negated_count && found; i++)
        found = !cmw__pattern_matches(negated[i], path);
    return found;
}
