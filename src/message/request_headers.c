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

enum { BLOCK = 16 };

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

static inline int spells8(const char *name, const struct cmw__header_spelling *known, size_t at)
{
    return (cmw__load8(name + at) | cmw__load8(known->mask + at)) == cmw__load8(known->lower + at);
}

static inline int spells4(const char *name, const struct cmw__header_spelling *known, size_t at)
{
    return (cmw__load4(name + at) | cmw__load4(known->mask + at)) == cmw__load4(known->lower + at);
}

/* 1 if `name`, which has at least as many bytes, begins with the known name in any case. The last
 * word may overlap the one before. */
static int begins_with(const char *name, const struct cmw__header_spelling *known)
{
    const size_t len = known->len;

    if (len >= 8) {
        for (size_t at = 0; at < len - 8; at += 8) {
            if (!spells8(name, known, at))
                return 0;
        }
        return spells8(name, known, len - 8);
    }
    if (len >= 4)
        return spells4(name, known, 0) && spells4(name, known, len - 4);
    for (size_t i = 0; i < len; i++) {
        if ((name[i] | known->mask[i]) != known->lower[i])
            return 0;
    }
    return 1;
}

static inline void fill_lengths(uint8_t *lengths, const cmw_header *headers, size_t count)
{
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        lengths[i] = (uint8_t)headers[i].name.len;
        lengths[i + 1] = (uint8_t)headers[i + 1].name.len;
        lengths[i + 2] = (uint8_t)headers[i + 2].name.len;
        lengths[i + 3] = (uint8_t)headers[i + 3].name.len;
    }
    for (; i < count; i++)
        lengths[i] = (uint8_t)headers[i].name.len;
}

/* Pack the lengths of the names into bytes; what is behind the last one is 0 and found by no
 * length. Of a name of 256 bytes or more it is the low byte: a candidate's length is looked at
 * again. 0, or CMW_ERR_NOMEM where there are more than sixteen. */
static CMW__NOINLINE int build_lengths(cmw_request *request)
{
    const size_t count = request->view.header_count;
    const size_t room = (count | (BLOCK - 1)) + 1;
    uint8_t *lengths = request->first_lengths;

    if (CMW_UNLIKELY(room > BLOCK)) {
        lengths = (uint8_t *)cmw__arena_alloc_text(request->arena, room);
        if (!lengths)
            return CMW_ERR_NOMEM;
    }
    memset(lengths + room - BLOCK, 0, BLOCK);
    fill_lengths(lengths, request->view.headers, count);
    if (CMW_UNLIKELY(room > BLOCK))
        memcpy(request->first_lengths, lengths, BLOCK);
    request->lengths = lengths;
    request->known |= CMW__KNOWN_LENGTHS;
    return 0;
}

/* Without memory for the lengths. */
static CMW__COLD const cmw_header *walk(const cmw_request *request,
                                        const struct cmw__header_spelling *known, size_t from)
{
    for (size_t i = from; i < request->view.header_count; i++) {
        const cmw_str name = request->view.headers[i].name;
        if (name.len == known->len && begins_with(name.data, known))
            return &request->view.headers[i];
    }
    return NULL;
}

/* The first field at `from` or later with a known name. */
static CMW__NOINLINE const cmw_header *
find_spelled(cmw_request *request, const struct cmw__header_spelling *known, size_t from)
{
    size_t at = from & ~(size_t)(BLOCK - 1);
    unsigned wanted = ~0u << (from - at); /* places of the first block */

    if (known->len == 0)
        return NULL;
    if (!(request->known & CMW__KNOWN_LENGTHS) && build_lengths(request) != 0)
        return walk(request, known, from);
    for (; at < request->view.header_count; at += BLOCK, wanted = ~0u) {
        unsigned found = wanted & cmw__block16_same(request->lengths + at, spread[known->len]);
        for (; found; found &= found - 1) {
            const cmw_header *header = &request->view.headers[at + cmw__lowest_bit(found)];
            if (header->name.len == known->len && begins_with(header->name.data, known))
                return header;
        }
    }
    return NULL;
}

static inline int word_is8(const char *name, const char *mask, const char *lower)
{
    return (cmw__load8(name) | cmw__load8(mask)) == cmw__load8(lower);
}

static inline int word_is4(const char *name, const char *mask, const char *lower)
{
    return (cmw__load4(name) | cmw__load4(mask)) == cmw__load4(lower);
}

/* 1 if the field has the known name of `len` bytes. The length of its own name is that, or that and
 * a multiple of 256. */
static CMW__ALWAYS_INLINE int fits(const cmw_header *header, const struct cmw__header_probe *probe,
                                   size_t len)
{
    const char *const name = header->name.data;

    if (CMW_LIKELY(len >= 8))
        return word_is8(name, probe->first_mask, probe->first) &&
               word_is8(name + len - 8, probe->last_mask, probe->last) && header->name.len == len;
    return word_is4(name, probe->first_mask, probe->first) &&
           word_is4(name + len - 4, probe->last_mask, probe->last) && header->name.len == len;
}

/* What is found among the first sixteen fields by no probe. */
static CMW__NOINLINE const cmw_header *find_further(cmw_request *request,
                                                    const struct cmw__header_probe *probe)
{
    const struct cmw__header_spelling *known = &cmw__header_spellings[probe - cmw__header_probes];

    return find_spelled(request, known, probe->len > 0 ? BLOCK : 0);
}

/*
 * The first of all fields with the name of an id, where the lengths are packed already. Nearly all
 * lookups end here: a name of 4 to 16 bytes among the first sixteen fields. What the probe has at
 * fixed places needs no register, and there are calls only at the end: none is saved. A hit is
 * some 35 instructions, where a walk over the spellings took 60.
 */
static inline const cmw_header *find_by_length(cmw_request *request,
                                               const struct cmw__header_probe *probe)
{
    unsigned found = cmw__block16_same(request->first_lengths, probe->lengths);
    const size_t len = probe->len;

    for (; found; found &= found - 1) {
        const cmw_header *const header = &request->view.headers[cmw__lowest_bit(found)];
        if (fits(header, probe, len))
            return header;
    }
    if (request->view.header_count <= BLOCK && len > 0)
        return NULL;
    return find_further(request, probe);
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
    return find_spelled(request, &cmw__header_spellings[row], from);
}

/* With ids; or without them the first time, or without memory for the lengths. */
static CMW__NOINLINE const cmw_header *find_rarely(cmw_request *request, cmw_header_id id)
{
    if (!request->view.header_ids && build_lengths(request) == 0)
        return (cmw_request_header)(request, id);
    return find_from(request, id, 0);
}

/* In parentheses: a function, not the macro for the form in line, which sees to ids itself. */
const cmw_header *(cmw_request_header)(cmw_request *request, cmw_header_id id)
{
    if (request->known & CMW__KNOWN_LENGTHS) /* only where there are no ids */
        return find_by_length(request, &cmw__header_probes[(unsigned)id % CMW_HDR_LIMIT]);
    return find_rarely(request, id);
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

/* In parentheses, as above. */
int(cmw_request_is_repeated)(cmw_request *request, cmw_header_id id)
{
    const cmw_header *first = (cmw_request_header)(request, id);

    return first && cmw_request_next_header(request, id, first) != NULL;
}

/* Whatever there is. */
static CMW__NOINLINE const cmw_header *find_sole(cmw_request *request, cmw_header_id id)
{
    const cmw_header *first = (cmw_request_header)(request, id);

    return first && cmw_request_next_header(request, id, first) ? NULL : first;
}

/* 1 if there are the lengths of up to sixteen names. */
static inline int has_first_lengths(cmw_request *request)
{
    if (request->view.header_count > BLOCK)
        return 0;
    return (request->known & CMW__KNOWN_LENGTHS) ||
           (!request->view.header_ids && build_lengths(request) == 0);
}

/* In parentheses, as above. */
const cmw_header *(cmw_request_sole_header)(cmw_request *request, cmw_header_id id)
{
    const struct cmw__header_probe *const probe = &cmw__header_probes[(unsigned)id % CMW_HDR_LIMIT];

    if (probe->len == 0 || !has_first_lengths(request))
        return find_sole(request, id);
    unsigned found = cmw__block16_same(request->first_lengths, probe->lengths);
    const cmw_header *sole = NULL;
    for (; found; found &= found - 1) {
        const cmw_header *const header = &request->view.headers[cmw__lowest_bit(found)];
        if (!fits(header, probe, probe->len))
            continue;
        if (sole)
            return NULL;
        sole = header;
    }
    return sole;
}

int(cmw_request_has_either)(cmw_request *request, cmw_header_id id, cmw_header_id other)
{
    return (cmw_request_header)(request, id) || (cmw_request_header)(request, other);
}

/* Two or more fields, as one in the arena. */
static int join_fields(cmw_request *request, cmw_str *value, cmw_header_id id,
                       const cmw_header *first)
{
    size_t len = 0;

    for (const cmw_header *at = first; at; at = cmw_request_next_header(request, id, at))
        len += at->value.len + 2;
    char *const text = cmw_arena_alloc_text(request->arena, len);
    char *to = text;
    if (!text)
        return CMW_ERR_NOMEM;
    for (const cmw_header *at = first; at; at = cmw_request_next_header(request, id, at)) {
        if (at != first) {
            *to++ = ',';
            *to++ = ' ';
        }
        if (at->value.len > 0)
            memcpy(to, at->value.data, at->value.len);
        to += at->value.len;
    }
    *value = cmw_str_make(text, (size_t)(to - text));
    return 0;
}

int cmw_request_joined(cmw_request *request, cmw_str *value, cmw_header_id id)
{
    const cmw_header *const first = (cmw_request_header)(request, id);

    if (first && cmw_request_next_header(request, id, first))
        return join_fields(request, value, id, first);
    *value = first ? first->value : cmw_str_make(NULL, 0);
    if (first && !value->data)
        value->data = "";
    return 0;
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
    const cmw_header *at = request->view.headers; /* may be NULL where there is none */
    size_t bytes = 0;

    if (request->view.header_count & 1) {
        bytes = at->name.len + at->value.len;
        at++;
    }
    /* Two at a time: this runs for every request. */
    for (size_t pairs = request->view.header_count / 2; pairs > 0; pairs--, at += 2)
        bytes += at[0].name.len + at[0].value.len + at[1].name.len + at[1].value.len;
    return bytes;
}

/* ---- Credentials ------------------------------------------------------------------------ */

/* 1 if the byte can stand in a token68, before its "=". Bits by value, from 0x20 on: ALPHA, DIGIT,
 * "-", ".", "_", "~", "+", "/". */
static inline int is_token68(unsigned char byte)
{
    static const uint32_t bits[8] = {0, 0x03ffe800, 0x87fffffe, 0x47fffffe, 0, 0, 0, 0};
    return bits[byte / 32] >> byte % 32 & 1;
}

/* 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
int cmw_token68_is_valid(cmw_str text)
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

/*
 * 1 if the bytes at `text` are `scheme`, which is in lower case. Letters, digits and "-" alone: of
 * these only letters have bit 0x40, so that the bit, moved to 0x20, is the one that may differ.
 */
static inline int word_matches(uint32_t text, uint32_t lower)
{
    return (text | (lower & UINT32_C(0x40404040)) >> 1) == lower;
}

static inline int is_short_scheme(const char *text, cmw_str scheme)
{
    const size_t last = scheme.len - 4; /* of 4 to 8 bytes */
    return word_matches(cmw__load4(text), cmw__load4(scheme.data)) &&
           word_matches(cmw__load4(text + last), cmw__load4(scheme.data + last));
}

static int is_scheme(const char *text, cmw_str scheme)
{
    return cmw_str_equals_fold(cmw_str_make(text, scheme.len), scheme);
}

typedef int is_scheme_fn(const char *text, cmw_str scheme);

/* What follows the scheme of a field. 0 or CMW_ERR_NOT_FOUND. */
static CMW__ALWAYS_INLINE int read_credentials(const cmw_header *header, cmw_str *credentials,
                                               cmw_str scheme, is_scheme_fn *is)
{
    const char *at = header->value.data;
    size_t left = header->value.len;

    if (CMW_UNLIKELY(left < scheme.len || !is(at, scheme)))
        return CMW_ERR_NOT_FOUND;
    at += scheme.len;
    left -= scheme.len;
    if (CMW_UNLIKELY(left > 0 && *at != ' '))
        return CMW_ERR_NOT_FOUND;
    for (; left > 0 && *at == ' '; at++)
        left--;
    *credentials = cmw_str_make(at, left);
    return 0;
}

/* Without ids, with many fields, or for a scheme of another length. */
static CMW__NOINLINE int find_credentials(cmw_request *request, cmw_str *credentials,
                                          cmw_str scheme)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_AUTHORIZATION);

    if (!header)
        return CMW_ERR_NOT_FOUND;
    if (cmw_request_next_header(request, CMW_HDR_AUTHORIZATION, header))
        return CMW_ERR_INVALID;
    return read_credentials(header, credentials, scheme, is_scheme);
}

int cmw_request_credentials(cmw_request *request, cmw_str *credentials, cmw_str scheme)
{
    const uint8_t *ids = request->view.header_ids;

    /* Nearly all requests have sixteen fields or less: one look finds the field and its like.
     * Without a call but at its end, few registers are saved. */
    if (CMW_UNLIKELY(!ids || request->view.header_count > BLOCK || scheme.len - 4 > 4))
        return find_credentials(request, credentials, scheme);
    const unsigned found = cmw__block16_same(ids, spread[CMW_HDR_AUTHORIZATION]) &
                           ((1u << request->view.header_count) - 1);
    if (found & (found - 1))
        return CMW_ERR_INVALID;
    if (!found)
        return CMW_ERR_NOT_FOUND;
    return read_credentials(&request->view.headers[cmw__lowest_bit(found)], credentials, scheme,
                            is_short_scheme);
}

int cmw_request_bearer(cmw_request *request, cmw_str *token)
{
    cmw_str text;
    const int rc = cmw_request_credentials(request, &text, CMW_STR("bearer"));

    if (rc != 0)
        return rc;
    if (!cmw_token68_is_valid(text))
        return CMW_ERR_INVALID;
    *token = text;
    return 0;
}
