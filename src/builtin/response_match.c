/* SPDX-License-Identifier: MIT */
#include "response_match.h"

static void add_status(struct cmw__response_match *match, int status)
{
    match->statuses[status / 64] |= UINT64_C(1) << status % 64;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "404", or "2xx" for a hundred of them. */
static int read_status(struct cmw__response_match *match, const char *text)
{
    if (!text || strlen(text) != 3 || text[0] < '1' || text[0] > '9')
        return CMW_ERR_INVALID;
    const int hundred = (text[0] - '0') * 100;
    if (text[1] == 'x' && text[2] == 'x') {
        for (int i = 0; i < 100; i++)
            add_status(match, hundred + i);
        return 0;
    }
    if (!is_digit(text[1]) || !is_digit(text[2]))
        return CMW_ERR_INVALID;
    add_status(match, hundred + (text[1] - '0') * 10 + (text[2] - '0'));
    return 0;
}

/* Token, slash, and a token or a star, which is cut off. */
static int read_type(cmw_str *type)
{
    const char *const slash = type->len > 0 ? memchr(type->data, '/', type->len) : NULL;

    if (!slash)
        return CMW_ERR_INVALID;
    const cmw_str kind = cmw_str_make(type->data, (size_t)(slash - type->data));
    if (!cmw_header_name_is_valid(kind) || memchr(kind.data, '*', kind.len))
        return CMW_ERR_INVALID;
    const cmw_str subtype = cmw_str_make(slash + 1, type->len - (size_t)(slash - type->data) - 1);
    if (cmw_str_equals(subtype, CMW_STR("*"))) {
        type->len--;
        return 0;
    }
    return cmw_header_name_is_valid(subtype) && !memchr(type->data, '*', type->len)
               ? 0
               : CMW_ERR_INVALID;
}

static int fill_types(struct cmw__response_match *match, cmw_arena *arena,
                      const struct cmw__response_lists *lists, const char *option, cmw_diag *diag)
{
    match->types = cmw_arena_alloc(arena, (lists->type_count + 1) * sizeof *match->types);
    if (!match->types)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", option);
    for (; match->type_count < lists->type_count; match->type_count++) {
        const char *const text = lists->types[match->type_count];
        cmw_str *const type = &match->types[match->type_count];
        if (cmw_arena_dup(arena, type, cmw_str_cstr(text)) != 0)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", option);
        if (read_type(type) != 0)
            return cmw_diag_set(diag, CMW_ERR_INVALID, "%s: types: '%s' is not a media type",
                                option, text ? text : "");
    }
    return 0;
}

int cmw__response_match_fill(struct cmw__response_match *match, cmw_arena *arena,
                             const struct cmw__response_lists *lists, const char *option,
                             cmw_diag *diag)
{
    memset(match, 0, sizeof *match);
    match->has_statuses = lists->status_count > 0;
    for (size_t i = 0; i < lists->status_count; i++)
        if (read_status(match, lists->statuses[i]) != 0)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "%s: statuses: '%s' is neither a status nor one of 1xx to 9xx",
                                option, lists->statuses[i] ? lists->statuses[i] : "");
    return fill_types(match, arena, lists, option, diag);
}

/* The type without its parameters. */
static cmw_str type_of(const cmw_response *response)
{
    cmw_str type = cmw_response_get(response, CMW_HDR_CONTENT_TYPE);
    const char *const end = type.len > 0 ? memchr(type.data, ';', type.len) : NULL;

    if (end)
        type.len = (size_t)(end - type.data);
    while (type.len > 0 && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t'))
        type.len--;
    return type;
}

int cmw__response_matches(const struct cmw__response_match *match, const cmw_response *response)
{
    const unsigned status = (unsigned)cmw_response_status(response);

    if (match->has_statuses && !(match->statuses[status / 64 % 16] >> status % 64 & 1))
        return 0;
    if (match->type_count == 0)
        return 1;
    const cmw_str type = type_of(response);
    for (size_t i = 0; i < match->type_count; i++) {
        const cmw_str wanted = match->types[i];
        const int is_range = wanted.data[wanted.len - 1] == '/';
        if (is_range ? type.len > wanted.len &&
                           cmw_str_equals_fold(wanted, cmw_str_make(type.data, wanted.len))
                     : cmw_str_equals_fold(wanted, type))
            return 1;
    }
    return 0;
}
