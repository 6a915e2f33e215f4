/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <string.h>

static cmw_str trim_end(cmw_str value)
{
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

uint32_t cmw__head_fields(cmw_header fields[MG_MAX_HEADERS], const struct mg_request_info *info)
{
    const int count = info->num_headers > 0 ? info->num_headers : 0; /* -1: it was not parsed */

    for (int i = 0; i < count; i++) {
        fields[i].name = cmw_str_cstr(info->http_headers[i].name);
        fields[i].value = trim_end(cmw_str_cstr(info->http_headers[i].value));
    }
    return (uint32_t)count;
}

/*
 * 1 if the empty line follows: CR LF, of which the last byte became a NUL as well. A line that
 * begins with a blank is neither, and civetweb has stopped there.
 */
static int is_last(const struct mg_header *field)
{
    const char *end = field->value + strlen(field->value) + 1;

    return *end == '\0' && (end[1] == '\r' || end[1] == '\0');
}

/* The line ended with LF alone: then one byte became a NUL, not two. */
static int ends_bare(const struct mg_header *field, const struct mg_header *next)
{
    return field->value + strlen(field->value) + 1 == next->name;
}

/* A blank before the colon became a NUL beside the colon's own. An empty value begins right there.
 */
static int has_blank_name(const struct mg_header *field)
{
    const char *behind = field->name + strlen(field->name) + 1;

    return *behind == '\0' && field->value != behind;
}

int cmw__head_check(const struct mg_request_info *info)
{
    const int count = info->num_headers;

    for (int i = 0; i < count; i++)
        if (has_blank_name(&info->http_headers[i]) ||
            (i + 1 < count && ends_bare(&info->http_headers[i], &info->http_headers[i + 1])))
            return 400;
    if (count > 0 && !is_last(&info->http_headers[count - 1]))
        return count == MG_MAX_HEADERS ? 431 : 400;
    return 0;
}

static int has_token(cmw_str list, cmw_str token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        const size_t len = comma ? (size_t)(comma - list.data) : list.len;
        cmw_str item = trim_end(cmw_str_make(list.data, len));
        while (item.len > 0 && (item.data[0] == ' ' || item.data[0] == '\t'))
            item = cmw_str_make(item.data + 1, item.len - 1);
        if (cmw_str_equals_fold(item, token))
            return 1;
        list = cmw_str_make(list.data + len + (comma != NULL), list.len - len - (comma != NULL));
    }
    return 0;
}

int cmw__head_keeps_alive(const struct mg_request_info *info)
{
    for (int i = 0; i < info->num_headers; i++)
        if (cmw_str_equals_fold(cmw_str_cstr(info->http_headers[i].name), CMW_STR("Connection")))
            return has_token(cmw_str_cstr(info->http_headers[i].value), CMW_STR("keep-alive"));
    return info->http_version && strcmp(info->http_version, "1.1") == 0;
}
