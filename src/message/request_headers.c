/* SPDX-License-Identifier: MIT */
/*
 * Finding request fields.
 *
 * Where the host gives ids, sixteen of them are compared at once and nothing else is looked at.
 * Where it does not, the lengths of the names are packed into bytes, once, on the first lookup;
 * sixteen lengths are compared at once, and the few fields whose name has the right length are
 * compared in full:
 *
 *   name lengths   04 0a 06 0f 0f 06 0a 19 | 0f ?     ->  0 0 0 1 1 0 0 0: compare fields 3 and 4
 */
#include "request_state.h"

#include "arena_state.h"
#include "block16.h"
#include "header_table.h"
#include "platform.h"

enum { BLOCK = 16, LONG = 128 };

/* Each number sixteen times: what ids and lengths are compared with. Loading it is cheaper than
 * spreading a byte. No id and no length kept here is 255: row 0 finds nothing. */
#define ROW(id)                                                                                    \
    {                                                                                              \
        id, id, id, id, id, id, id, id, id, id, id, id, id, id, id, id                             \
    }
#define ROWS4(id) ROW(id), ROW((id) + 1), ROW((id) + 2), ROW((id) + 3)
#define ROWS16(id) ROWS4(id), ROWS4((id) + 4), ROWS4((id) + 8), ROWS4((id) + 12)
static const _Alignas(16) uint8_t spread[CMW_HDR_LIMIT][BLOCK] = {
    ROW(255),   ROW(1),     ROW(2),     ROW(3),     ROWS4(4),   ROWS4(8),   ROWS4(12),
    ROWS16(16), ROWS16(32), ROWS16(48), ROWS16(64), ROWS16(80), ROWS16(96), ROWS16(112),
};

/* Bits of a block's places from `first` on, of which `count` are in use. */
static inline unsigned places(size_t first, size_t count)
{
    const unsigned used = count >= BLOCK ? 0xffffu : (1u << count) - 1;
    return used & ~0u << first;
}

/* ---- With ids --------------------------------------------------------------------------- */

/* The first field at `from` or later with the id, or NULL. Bytes behind the last one are readable,
 * and ignored. */
static const cmw_header *find_id(const cmw_request *request, unsigned id, size_t from)
{
    const size_t count = request->view.header_count;

    for (size_t at = from & ~(size_t)(BLOCK - 1); at < count; at += BLOCK) {
        const size_t first = from > at ? from - at : 0;
        const unsigned found = cmw__block16_same(request->view.header_ids + at, spread[id]) &
                               places(first, count - at);
        if (found)
            return request->view.headers + at + cmw__lowest_bit(found);
    }
    return NULL;
}

/* ---- By name ---------------------------------------------------------------------------- */

/*
 * Known names are made of letters, digits and "-" only. Of these only letters have bit 0x40 in
 * their lower case, so that the bit, moved to 0x20, is the one that may differ between the cases.
 */
static inline int word_matches(uint64_t name, uint64_t lower)
{
    return (name | (lower & CMW__EACH_BYTE(0x40)) >> 1) == lower;
}

/* Four to sixteen bytes: two loads cover them, which may overlap. */
static inline int two_loads_match(const char *name, const char *lower, size_t len)
{
    if (len >= 8)
        return word_matches(cmw__load8(name), cmw__load8(lower)) &&
               word_matches(cmw__load8(name + len - 8), cmw__load8(lower + len - 8));
    return word_matches((uint64_t)cmw__load4(name) << 32 | cmw__load4(name + len - 4),
                        (uint64_t)cmw__load4(lower) << 32 | cmw__load4(lower + len - 4));
}

/* 1 if `name` is the known name `lower` in any case. Both have `len` bytes. */
static int matches(const char *name, const char *lower, size_t len)
{
    for (; len > 16; len -= 8, name += 8, lower += 8) {
        if (!word_matches(cmw__load8(name), cmw__load8(lower)))
            return 0;
    }
    if (len >= 4)
        return two_loads_match(name, lower, len);
    for (; len > 0; len--) {
        if (!word_matches((unsigned char)name[len - 1], (unsigned char)lower[len - 1]))
            return 0;
    }
    return 1;
}

/* Names of LONG bytes or more are rare, and none is known: a second pass makes them 0. */
static CMW__COLD void hide_long(uint8_t *lengths, const cmw_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].name.len >= LONG)
            lengths[i] = 0;
    }
}

static inline size_t note_length(uint8_t *length, const cmw_header *header)
{
    *length = (uint8_t)header->name.len;
    return header->name.len;
}

static inline void fill_lengths(cmw_request *request, uint8_t *lengths)
{
    const cmw_header *const headers = request->view.headers;
    const size_t count = request->view.header_count;
    size_t any = 0;
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        any |= note_length(&lengths[i], &headers[i]);
        any |= note_length(&lengths[i + 1], &headers[i + 1]);
        any |= note_length(&lengths[i + 2], &headers[i + 2]);
        any |= note_length(&lengths[i + 3], &headers[i + 3]);
    }
    for (; i < count; i++)
        any |= note_length(&lengths[i], &headers[i]);
    request->lengths = lengths;
    request->known |= CMW__KNOWN_LENGTHS;
    if (CMW_UNLIKELY(any >= LONG))
        hide_long(lengths, headers, count);
}

/* Pack the lengths of the names into bytes; what is behind the last one is 0 and found by no
 * length. 0, or CMW_ERR_NOMEM where there are more than sixteen. */
static CMW__NOINLINE int build_lengths(cmw_request *request)
{
    const size_t room = (request->view.header_count | (BLOCK - 1)) + 1;
    uint8_t *lengths = request->first_lengths;

    if (CMW_UNLIKELY(room > BLOCK)) {
        lengths = (uint8_t *)cmw__arena_alloc_text(request->arena, room);
        if (!lengths)
            return CMW_ERR_NOMEM;
    }
    memset(lengths + room - BLOCK, 0, BLOCK);
    fill_lengths(request, lengths);
    return 0;
}

/* Without memory for the lengths. */
static CMW__COLD const cmw_header *walk(const cmw_request *request, cmw_str lower, size_t from)
{
    for (size_t i = from; i < request->view.header_count; i++) {
        const cmw_str name = request->view.headers[i].name;
        if (name.len == lower.len && matches(name.data, lower.data, lower.len))
            return &request->view.headers[i];
    }
    return NULL;
}

/* The first field at `from` or later with the name of an id. */
static CMW__NOINLINE const cmw_header *find_lower(cmw_request *request, cmw_str lower, size_t from)
{
    size_t at = from & ~(size_t)(BLOCK - 1);
    unsigned wanted = ~0u << (from - at); /* places of the first block */

    if (!(request->known & CMW__KNOWN_LENGTHS) && build_lengths(request) != 0)
        return walk(request, lower, from);
    for (; at < request->view.header_count; at += BLOCK, wanted = ~0u) {
        unsigned found = wanted & cmw__block16_same(request->lengths + at, spread[lower.len]);
        for (; found; found &= found - 1) {
            const cmw_header *header = &request->view.headers[at + cmw__lowest_bit(found)];
            if (matches(header->name.data, lower.data, lower.len))
                return header;
        }
    }
    return NULL;
}

static CMW__NOINLINE const cmw_header *build_and_find(cmw_request *request, cmw_header_id id);

/*
 * The first of all fields with the name of an id. Nearly all lookups end here. Two candidates are
 * looked at in line: browsers send two pairs of names of one length (Accept-Encoding and -Language,
 * Accept and Cookie). Without a loop, and with calls only at its end, few registers are saved.
 */
static CMW__NOINLINE const cmw_header *find_first(cmw_request *request, cmw_header_id id)
{
    const cmw_str lower = cmw__header_id_table[(unsigned)id % CMW_HDR_LIMIT].lower;

    if (CMW_UNLIKELY(!(request->known & CMW__KNOWN_LENGTHS)))
        return build_and_find(request, id);
    if (CMW_UNLIKELY(lower.len - 4 > 12))
        return find_lower(request, lower, 0);
    unsigned found = cmw__block16_same(request->lengths, spread[lower.len]);
    if (!found)
        return request->view.header_count > BLOCK ? find_lower(request, lower, BLOCK) : NULL;

    const cmw_header *header = &request->view.headers[cmw__lowest_bit(found)];
    if (two_loads_match(header->name.data, lower.data, lower.len))
        return header;
    found &= found - 1;
    if (!found)
        return request->view.header_count > BLOCK ? find_lower(request, lower, BLOCK) : NULL;
    header = &request->view.headers[cmw__lowest_bit(found)];
    if (two_loads_match(header->name.data, lower.data, lower.len))
        return header;
    return find_lower(request, lower, cmw__lowest_bit(found) + 1);
}

static const cmw_header *build_and_find(cmw_request *request, cmw_header_id id)
{
    if (build_lengths(request) == 0)
        return find_first(request, id);
    return walk(request, cmw__header_id_table[(unsigned)id % CMW_HDR_LIMIT].lower, 0);
}

/* The first field at `from` or later with a name that has no id, in any case. */
static const cmw_header *find_other(const cmw_request *request, cmw_str name, size_t from)
{
    for (size_t i = from; i < request->view.header_count; i++) {
        const cmw_header *header = &request->view.headers[i];
        if (header->name.len == name.len && cmw_str_equals_fold(header->name, name))
            return header;
    }
    return NULL;
}

/* ---- The functions of the header -------------------------------------------------------- */

static const cmw_header *find_from(cmw_request *request, cmw_header_id id, size_t from)
{
    const unsigned row = (unsigned)id % CMW_HDR_LIMIT;

    if (request->view.header_ids)
        return find_id(request, row, from);
    return find_lower(request, cmw__header_id_table[row].lower, from);
}

const cmw_header *cmw_request_header(cmw_request *request, cmw_header_id id)
{
    const uint8_t *ids = request->view.header_ids;

    if (!ids)
        return find_first(request, id);

    /* Nearly all requests have their fields in the first sixteen places. */
    const unsigned found = cmw__block16_same(ids, spread[(unsigned)id % CMW_HDR_LIMIT]);
    if (CMW_LIKELY(found)) {
        const size_t place = cmw__lowest_bit(found);
        return place < request->view.header_count ? &request->view.headers[place] : NULL;
    }
    return request->view.header_count > BLOCK ? find_from(request, id, BLOCK) : NULL;
}

const cmw_header *cmw_request_next_header(cmw_request *request, cmw_header_id id,
                                          const cmw_header *after)
{
    const size_t offset = (size_t)((uintptr_t)after - (uintptr_t)request->view.headers);
    const size_t index = offset / sizeof *after;

    /* A field of an array that has been rewritten since is none of ours. */
    if (!after || index >= request->view.header_count)
        return NULL;
    return find_from(request, id, index + 1);
}

const cmw_header *cmw_request_header_named(cmw_request *request, cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);

    if (id != CMW_HDR_OTHER)
        return find_from(request, id, 0);
    return name.len > 0 ? find_other(request, name, 0) : NULL;
}

const cmw_header *cmw_request_headers(const cmw_request *request, size_t *count)
{
    *count = request->view.header_count;
    return request->view.headers;
}

size_t cmw__request_header_bytes(const cmw_request *request)
{
    const cmw_header *at = request->view.headers;
    const cmw_header *end = at + request->view.header_count;
    size_t bytes = 0;

    if (request->view.header_count & 1) {
        bytes = at->name.len + at->value.len;
        at++;
    }
    for (; at != end; at += 2) /* two at a time: this runs for every request */
        bytes += at[0].name.len + at[0].value.len + at[1].name.len + at[1].value.len;
    return bytes;
}

/* ---- Bearer tokens ---------------------------------------------------------------------- */

/* 1 if the byte can stand in a token68, before its "=". Bits by value, from 0x20 on: ALPHA, DIGIT,
 * "-", ".", "_", "~", "+", "/". */
static inline int is_token68(unsigned char byte)
{
    static const uint32_t bits[8] = {0, 0x03ffe800, 0x87fffffe, 0x47fffffe, 0, 0, 0, 0};
    return bits[byte / 32] >> byte % 32 & 1;
}

/* 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static int is_whole_token68(cmw_str text)
{
    size_t len = text.len;

    while (len > 0 && text.data[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        if (!is_token68((unsigned char)text.data[i]))
            return 0;
    }
    return len > 0;
}

int cmw_request_bearer(cmw_request *request, cmw_str *token)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_AUTHORIZATION);

    if (!header)
        return CMW_ERR_NOT_FOUND;
    if (cmw_request_next_header(request, CMW_HDR_AUTHORIZATION, header))
        return CMW_ERR_INVALID;

    const cmw_str value = header->value;
    if (value.len < 6 || !matches(value.data, "bearer", 6) ||
        (value.len > 6 && value.data[6] != ' '))
        return CMW_ERR_NOT_FOUND;
    size_t start = 6;
    while (start < value.len && value.data[start] == ' ')
        start++;
    const cmw_str text = cmw_str_make(value.data + start, value.len - start);
    if (!is_whole_token68(text))
        return CMW_ERR_INVALID;
    *token = text;
    return 0;
}
