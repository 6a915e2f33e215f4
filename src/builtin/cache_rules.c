/* SPDX-License-Identifier: MIT */
/* Reading Cache-Control, member by member. */
#include "cache_rules.h"

#include <stddef.h>

/* A directive: the bits that it sets, and where its number goes. */
struct directive {
    cmw_str name;
    unsigned bits;
    size_t number; /* 0: it has none */
};

#define NUMBER(member) offsetof(struct cmw__cache_control, member)

static const struct directive directives[] = {
    {CMW_STR_INIT("max-age"), 0, NUMBER(max_age)},
    {CMW_STR_INIT("no-cache"), CMW__CACHE_NO_CACHE, 0},
    {CMW_STR_INIT("no-store"), CMW__CACHE_NO_STORE, 0},
    {CMW_STR_INIT("private"), CMW__CACHE_PRIVATE, 0},
    {CMW_STR_INIT("public"), CMW__CACHE_PUBLIC, 0},
    {CMW_STR_INIT("s-maxage"), CMW__CACHE_MUST_REVALIDATE, NUMBER(s_maxage)},
    {CMW_STR_INIT("must-revalidate"), CMW__CACHE_MUST_REVALIDATE, 0},
    {CMW_STR_INIT("proxy-revalidate"), CMW__CACHE_MUST_REVALIDATE, 0},
    {CMW_STR_INIT("only-if-cached"), CMW__CACHE_ONLY_IF_CACHED, 0},
    {CMW_STR_INIT("stale-while-revalidate"), 0, NUMBER(stale_while_revalidate)},
    {CMW_STR_INIT("stale-if-error"), 0, NUMBER(stale_if_error)},
};

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

int64_t cmw__cache_seconds(cmw_str text)
{
    int64_t sum = 0;

    if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = cmw_str_make(text.data + 1, text.len - 2);
    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        sum = sum * 10 + (text.data[i] - '0');
        if (sum > INT64_C(2147483648))
            sum = INT64_C(2147483648);
    }
    return sum;
}

/* A member, and where its first "=" is; its length: none. */
struct member {
    cmw_str text;
    size_t equals;
};

/* Take what stands before the next comma that is not between quotes. Quotes that do not end set
 * `*is_broken`: what follows them cannot be told from text. */
static struct member take_member(cmw_str *rest, int *is_broken)
{
    size_t len = 0, equals = SIZE_MAX;
    int is_quoted = 0;

    for (; len < rest->len && (is_quoted || rest->data[len] != ','); len++) {
        const char c = rest->data[len];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == '=' && equals == SIZE_MAX)
            equals = len;
        else if (is_quoted && c == '\\' && len + 1 < rest->len)
            len++;
    }
    *is_broken |= is_quoted;
    const struct member member = {cmw_str_make(rest->data, len), equals < len ? equals : len};
    const size_t gone = len < rest->len ? len + 1 : len;
    *rest = cmw_str_make(rest->data + gone, rest->len - gone);
    return member;
}

static void note_number(int64_t *at, cmw_str value)
{
    const int64_t seconds = cmw__cache_seconds(value);
    const int64_t said = seconds < 0 ? 0 : seconds;

    *at = *at < 0 || said < *at ? said : *at;
}

static void note(struct cmw__cache_control *control, cmw_str name, cmw_str value)
{
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++) {
        const struct directive *directive = &directives[i];
        if (name.len != directive->name.len || (name.data[0] | 0x20) != directive->name.data[0] ||
            !cmw_str_equals_fold(name, directive->name))
            continue;
        control->flags |= directive->bits;
        if (directive->number > 0)
            note_number((int64_t *)(void *)((char *)control + directive->number), value);
        return;
    }
}

void cmw__cache_control_read(struct cmw__cache_control *control, cmw_str field)
{
    int is_broken = 0;

    while (field.len > 0) {
        const struct member member = take_member(&field, &is_broken);
        const size_t gone = member.equals < member.text.len ? member.equals + 1 : member.equals;
        note(control, trim(cmw_str_make(member.text.data, member.equals)),
             trim(cmw_str_make(member.text.data + gone, member.text.len - gone)));
    }
    if (is_broken)
        control->flags |= CMW__CACHE_NO_STORE;
}
