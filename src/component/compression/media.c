/* SPDX-License-Identifier: MIT */
/* Media types that shrink. */
#include "media.h"

static const cmw_str usual[] = {
    CMW_STR_INIT("text/*"),
    CMW_STR_INIT("application/json"),
    CMW_STR_INIT("application/javascript"),
    CMW_STR_INIT("application/xml"),
    CMW_STR_INIT("application/xhtml+xml"),
    CMW_STR_INIT("application/manifest+json"),
    CMW_STR_INIT("application/graphql"),
    CMW_STR_INIT("application/x-ndjson"),
    CMW_STR_INIT("application/x-www-form-urlencoded"),
    CMW_STR_INIT("application/wasm"),
    CMW_STR_INIT("application/vnd.ms-fontobject"),
    CMW_STR_INIT("image/svg+xml"),
    CMW_STR_INIT("image/bmp"),
    CMW_STR_INIT("font/ttf"),
    CMW_STR_INIT("font/otf"),
    CMW_STR_INIT("*+json"),
    CMW_STR_INIT("*+xml"),
    CMW_STR_INIT("*+text"),
};

static const struct media_set usual_set = {usual, sizeof usual / sizeof usual[0]};

const struct media_set *media_usual(void)
{
    return &usual_set;
}

cmw_str media_type_of(cmw_str field)
{
    const char *end = field.len > 0 ? memchr(field.data, ';', field.len) : NULL;

    if (end)
        field.len = (size_t)(end - field.data);
    while (field.len > 0 && (field.data[field.len - 1] == ' ' || field.data[field.len - 1] == '\t'))
        field.len--;
    return field;
}

static int matches(cmw_str pattern, cmw_str type)
{
    if (pattern.data[0] == '*') { /* "*" and an ending */
        const size_t len = pattern.len - 1;
        return type.len > len && cmw_str_equals_fold(cmw_str_make(pattern.data + 1, len),
                                                     cmw_str_make(type.data + type.len - len, len));
    }
    if (pattern.data[pattern.len - 1] == '*') { /* a beginning and "*" */
        const size_t len = pattern.len - 1;
        return type.len > len &&
               cmw_str_equals_fold(cmw_str_make(pattern.data, len), cmw_str_make(type.data, len));
    }
    return cmw_str_equals_fold(pattern, type);
}

/* An event stream is held back by nobody who did not ask for it by name. */
int media_has(const struct media_set *set, cmw_str type)
{
    const int is_stream = media_is_event_stream(type);

    for (size_t i = 0; i < set->count; i++)
        if (is_stream ? cmw_str_equals_fold(set->patterns[i], type)
                      : matches(set->patterns[i], type))
            return 1;
    return 0;
}

int media_is_event_stream(cmw_str type)
{
    return cmw_str_equals_fold(type, CMW_STR("text/event-stream"));
}

static int is_token(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const char folded = (char)(c | 0x20);
        if (!((folded >= 'a' && folded <= 'z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("!#$&-^_.+", c))))
            return 0;
    }
    return text.len > 0;
}

int media_pattern_is_valid(cmw_str pattern)
{
    if (pattern.len > 1 && pattern.data[0] == '*')
        return pattern.data[1] == '+' && is_token(cmw_str_make(pattern.data + 1, pattern.len - 1));
    const char *slash = pattern.len > 0 ? memchr(pattern.data, '/', pattern.len) : NULL;
    if (!slash)
        return 0;
    const size_t major = (size_t)(slash - pattern.data);
    const cmw_str minor = cmw_str_make(slash + 1, pattern.len - major - 1);
    return is_token(cmw_str_make(pattern.data, major)) &&
           (cmw_str_equals(minor, CMW_STR("*")) || is_token(minor));
}
