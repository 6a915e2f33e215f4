/* SPDX-License-Identifier: MIT */
/* Reading `bytes=0-99, 200-, -50`. */
#include "byte_ranges.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Digits alone; what is larger than any file is UINT64_MAX. 0: no number. */
static int read_number(cmw_str text, uint64_t *number)
{
    uint64_t sum = 0;

    if (text.len == 0)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned digit = (unsigned)((unsigned char)text.data[i] - '0');
        if (digit > 9)
            return 0;
        sum = sum > (UINT64_MAX - digit) / 10 ? UINT64_MAX : sum * 10 + digit;
    }
    *number = sum;
    return 1;
}

enum one { ONE_BAD, ONE_OUTSIDE, ONE_INSIDE };

/* "-50": the last ones. */
static enum one read_suffix(struct cmw__byte_range *range, cmw_str digits, uint64_t size)
{
    uint64_t last;

    if (!read_number(digits, &last))
        return ONE_BAD;
    range->len = last < size ? last : size;
    range->first = size - range->len;
    return range->len > 0 ? ONE_INSIDE : ONE_OUTSIDE;
}

static enum one read_one(struct cmw__byte_range *range, cmw_str text, uint64_t size)
{
    const char *dash = text.len > 0 ? memchr(text.data, '-', text.len) : NULL;
    uint64_t first, last = UINT64_MAX;

    if (!dash)
        return ONE_BAD;
    const size_t before = (size_t)(dash - text.data);
    const cmw_str behind = cmw_str_make(dash + 1, text.len - before - 1);
    if (before == 0)
        return read_suffix(range, behind, size);
    if (!read_number(cmw_str_make(text.data, before), &first) ||
        (behind.len > 0 && !read_number(behind, &last)) || last < first)
        return ONE_BAD;
    if (first >= size)
        return ONE_OUTSIDE;
    range->first = first;
    range->len = (last < size ? last + 1 : size) - first;
    return ONE_INSIDE;
}

static int overlaps(const struct cmw__byte_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (ranges[i].first < ranges[k].first + ranges[k].len &&
                ranges[k].first < ranges[i].first + ranges[i].len)
                return 1;
    return 0;
}

/* Take what stands before the next comma. */
static cmw_str take_member(cmw_str *rest)
{
    const char *comma = memchr(rest->data, ',', rest->len);
    const size_t len = comma ? (size_t)(comma - rest->data) : rest->len;
    const cmw_str member = cmw_str_make(rest->data, len);
    const size_t gone = comma ? len + 1 : len;

    *rest = cmw_str_make(rest->data + gone, rest->len - gone);
    return trim(member);
}

enum cmw__ranges_outcome cmw__byte_ranges_read(struct cmw__byte_range *ranges, size_t *count,
                                               cmw_str field, uint64_t size)
{
    size_t members = 0, found = 0;

    if (field.len < 6 || !cmw_str_equals_fold(cmw_str_make(field.data, 6), CMW_STR("bytes=")))
        return CMW__RANGES_IGNORED;
    cmw_str rest = cmw_str_make(field.data + 6, field.len - 6);
    while (rest.len > 0) {
        struct cmw__byte_range range;
        const cmw_str member = take_member(&rest);
        if (member.len == 0) /* an empty member of a list */
            continue;
        const enum one one = read_one(&range, member, size);
        if (one == ONE_BAD)
            return CMW__RANGES_IGNORED;
        if (++members > CMW__RANGES_MAX)
            return CMW__RANGES_UNSATISFIED;
        if (one == ONE_INSIDE)
            ranges[found++] = range;
    }
    *count = found;
    if (members == 0)
        return CMW__RANGES_IGNORED;
    return found == 0 || overlaps(ranges, found) ? CMW__RANGES_UNSATISFIED : CMW__RANGES_FOUND;
}
