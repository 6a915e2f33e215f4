/* SPDX-License-Identifier: MIT */
/*
 * Ids of known header fields, and which bytes a field's name and value may hold.
 *
 * Finding an id: three bytes and the length of the name give a slot, a slot names one candidate,
 * and the candidate is compared in full. No two names share a slot: header_table.inc is generated.
 */
#include "header_table.h"

#include "platform.h"
#include "simd.h"
#include "str.h"

#define PROBE_LENGTHS(len)                                                                         \
    {                                                                                              \
        len, len, len, len, len, len, len, len, len, len, len, len, len, len, len, len             \
    }

#include "header_table.inc"

/* 1 for the bytes of which a name is made.
 * Source: RFC 9110, 5.6.2, tchar = "!#$%&'*+-.^_`|~" DIGIT ALPHA. */
static const unsigned char is_name_byte[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
    ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,  ['~'] = 1, ['0'] = 1,
    ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1,  ['7'] = 1, ['8'] = 1,
    ['9'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,  ['F'] = 1, ['G'] = 1,
    ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1,  ['N'] = 1, ['O'] = 1,
    ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,  ['V'] = 1, ['W'] = 1,
    ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,  ['d'] = 1, ['e'] = 1,
    ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1,  ['l'] = 1, ['m'] = 1,
    ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,  ['t'] = 1, ['u'] = 1,
    ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

/* The same as key_of in scripts/gen_header_table.py. */
static uint32_t key_of(cmw_str name)
{
    const uint32_t first = (unsigned char)name.data[0] | 0x20u;
    const uint32_t middle = (unsigned char)name.data[name.len / 2] | 0x20u;
    const uint32_t late = (unsigned char)name.data[name.len - 2] | 0x20u;
    return first | middle << 8 | late << 16 | (uint32_t)name.len << 24;
}

static int matches8(const char *name, const struct cmw__header_spelling *known, size_t at)
{
    return (cmw__load8(name + at) | cmw__load8(known->mask + at)) == cmw__load8(known->lower + at);
}

static int matches4(const char *name, const struct cmw__header_spelling *known, size_t at)
{
    return (cmw__load4(name + at) | cmw__load4(known->mask + at)) == cmw__load4(known->lower + at);
}

static int matches_short(const char *name, const struct cmw__header_spelling *known, size_t len)
{
    if (len >= 4) /* two words that may overlap */
        return matches4(name, known, 0) && matches4(name, known, len - 4);
    for (size_t i = 0; i < len; i++) {
        if ((name[i] | known->mask[i]) != known->lower[i])
            return 0;
    }
    return 1;
}

/* `name` is as long as the known one. */
static int matches(cmw_str name, const struct cmw__header_spelling *known)
{
    if (name.len < 8)
        return matches_short(name.data, known, name.len);

    /* The last word may overlap the one before. */
    const size_t last = name.len - 8;
    for (size_t at = 0; at < last; at += 8) {
        if (!matches8(name.data, known, at))
            return 0;
    }
    return matches8(name.data, known, last);
}

cmw_header_id cmw_header_id_find(cmw_str name)
{
    if (name.len < NAME_MIN || name.len > NAME_MAX)
        return CMW_HDR_OTHER;

    const unsigned id = slots[key_of(name) * SLOT_FACTOR >> SLOT_SHIFT];
    if (cmw__header_id_table[id].name.len != name.len || !matches(name, &cmw__header_spellings[id]))
        return CMW_HDR_OTHER;
    return (cmw_header_id)id;
}

cmw_str cmw_header_id_name(cmw_header_id id)
{
    if ((unsigned)id >= CMW_HDR_LIMIT)
        return cmw_str_make("", 0);

    /* Numbers that are not given yet have an entry of zeros; "" is easier on callers than NULL. */
    const cmw_str name = cmw__header_id_table[id].name;
    return name.data ? name : cmw_str_make("", 0);
}

int cmw_header_name_is_valid(cmw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_byte[(unsigned char)name.data[i]])
            return 0;
    }
    return name.len > 0;
}

/* Fewer than eight bytes: two halves that may overlap, or one by one. */
static int short_value_is_valid(const char *bytes, size_t len)
{
    if (len >= 4) {
        char both[8];
        memcpy(both, bytes, 4);
        memcpy(both + 4, bytes + len - 4, 4);
        return !cmw__has_control8(both);
    }
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return 0;
    }
    return 1;
}

int cmw_header_value_is_valid(cmw_str value)
{
    if (value.len < 8)
        return short_value_is_valid(value.data, value.len);
    if (value.len < 16)
        return !cmw__has_control_pair(value.data, value.data + value.len - 8);

    /* The last block may overlap the one before: no tail is left. */
    const size_t last = value.len - 16;
    for (size_t at = 0; at < last; at += 16) {
        if (CMW_UNLIKELY(cmw__has_control16(value.data + at)))
            return 0;
    }
    return !cmw__has_control16(value.data + last);
}
