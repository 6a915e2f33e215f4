/* SPDX-License-Identifier: MIT */
/*
 * How long the body of an HTTP/1 request is, by its header fields.
 *
 * Nearly all names are letters and hyphens, nearly all values printable ASCII. What stands out is
 * gathered while the fields are walked, and only if something does are names and values looked at
 * one by one.
 */
#include <catzilla/request.h>

#include "block16.h"
#include "platform.h"

/* ---- Bytes that a field may hold -------------------------------------------------------- */

#if defined(__SSE2__) || defined(_M_X64)
/* The largest of the bytes of all names, and of all values, as offsets that should be small. */
struct look {
    __m128i names;
    __m128i values;
};

enum { LAST_LETTER = 'z' - 'a', LAST_PRINTABLE = 0x7e - 0x20 };

/* Less than 16 bytes, but not 0: each is in the block, some of them twice. */
static inline __m128i load_short(const char *text, size_t len)
{
    if (len >= 8)
        return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)text),
                                  _mm_loadl_epi64((const __m128i *)(const void *)(text + len - 8)));
    if (len >= 4)
        return _mm_set1_epi64x(
            (int64_t)((uint64_t)cmw__load4(text) | (uint64_t)cmw__load4(text + len - 4) << 32));
    const unsigned bytes =
        (unsigned)(unsigned char)text[0] | (unsigned)(unsigned char)text[len / 2] << 8 |
        (unsigned)(unsigned char)text[len - 1] << 16 | (unsigned)(unsigned char)text[len - 1] << 24;
    return _mm_set1_epi32((int)bytes);
}

static inline void look_at_name16(struct look *look, __m128i block)
{
    const __m128i offset =
        _mm_sub_epi8(_mm_or_si128(block, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i is_hyphen = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
    look->names = _mm_max_epu8(look->names, _mm_andnot_si128(is_hyphen, offset));
}

static inline void look_at_name(struct look *look, cmw_str name)
{
    if (name.len < 16) {
        look_at_name16(look, load_short(name.data, name.len));
        return;
    }
    const char *const last = name.data + name.len - 16;
    for (const char *at = name.data; at < last; at += 16)
        look_at_name16(look, cmw__block16_load(at));
    look_at_name16(look, cmw__block16_load(last));
}

static inline void look_at_value16(struct look *look, __m128i block)
{
    look->values = _mm_max_epu8(look->values, cmw__block16_from_space(block));
}

static inline void look_at_value(struct look *look, cmw_str value)
{
    if (value.len < 16) {
        look_at_value16(look, load_short(value.data, value.len));
        return;
    }
    const char *const last = value.data + value.len - 16;
    for (const char *at = value.data; at < last; at += 16)
        look_at_value16(look, cmw__block16_load(at));
    look_at_value16(look, cmw__block16_load(last));
}

static inline struct look look_begin(void)
{
    return (struct look){_mm_setzero_si128(), _mm_setzero_si128()};
}

/* 1 if something stands out: it may yet be valid. */
static inline int look_is_odd(const struct look *look)
{
    const __m128i excess = _mm_or_si128(_mm_subs_epu8(look->names, _mm_set1_epi8(LAST_LETTER)),
                                        _mm_subs_epu8(look->values, _mm_set1_epi8(LAST_PRINTABLE)));
    return cmw__block16_mask(_mm_cmpeq_epi8(excess, _mm_setzero_si128())) != 0xffff;
}
#else
struct look {
    int nothing;
};

static inline void look_at_name(struct look *look, cmw_str name)
{
    (void)look;
    (void)name;
}

static inline void look_at_value(struct look *look, cmw_str value)
{
    (void)look;
    (void)value;
}

static inline struct look look_begin(void)
{
    return (struct look){0};
}

static inline int look_is_odd(const struct look *look)
{
    (void)look;
    return 1;
}
#endif

static CMW__NOINLINE int are_valid(const cmw_header *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!cmw_header_name_is_valid(fields[i].name) ||
            !cmw_header_value_is_valid(fields[i].value))
            return 0;
    return 1;
}

/* ---- Lengths ---------------------------------------------------------------------------- */

static int parse_length(uint64_t *length, cmw_str digits)
{
    uint64_t sum = 0;

    if (digits.len == 0)
        return CMW_ERR_INVALID;
    for (size_t i = 0; i < digits.len; i++) {
        const unsigned digit = (unsigned)(unsigned char)digits.data[i] - '0';
        if (digit > 9 || sum > (CMW_LENGTH_UNKNOWN - 1 - digit) / 10)
            return CMW_ERR_INVALID;
        sum = sum * 10 + digit;
    }
    *length = sum;
    return 0;
}

static int begins_with(cmw_str name, cmw_str what)
{
    return name.len >= what.len && cmw_str_equals_fold(cmw_str_make(name.data, what.len), what);
}

/* 0 for most names that begin with neither of the two. */
static inline int may_say_length(cmw_str name)
{
    return name.len >= sizeof "Content-Length" - 1 &&
           ((name.data[0] | 0x20) == 'c' || (name.data[0] | 0x20) == 't');
}

/* One field: how many more there are of those that say a length; -1: it cannot be. */
static CMW__NOINLINE int read_field(uint64_t *length, const cmw_header *field,
                                    uint16_t http_version)
{
    const int is_length = begins_with(field->name, CMW_STR("Content-Length"));

    if (!is_length && !begins_with(field->name, CMW_STR("Transfer-Encoding")))
        return 0;
    if (field->name.len != (is_length ? sizeof "Content-Length" : sizeof "Transfer-Encoding") - 1)
        return -1;
    if (is_length)
        return parse_length(length, field->value) == 0 ? 1 : -1;
    if (http_version != 0x0101 || !cmw_str_equals_fold(field->value, CMW_STR("chunked")))
        return -1;
    *length = CMW_LENGTH_UNKNOWN;
    return 1;
}

int cmw_request_view_read_length(cmw_request_view *view)
{
    struct look look = look_begin();
    uint64_t found = 0;
    int fields = 0;

    for (uint32_t i = 0; i < view->header_count; i++) {
        const cmw_header *const field = &view->headers[i];
        if (CMW_UNLIKELY(field->name.len == 0))
            return CMW_ERR_INVALID;
        look_at_name(&look, field->name);
        if (CMW_LIKELY(field->value.len > 0))
            look_at_value(&look, field->value);
        if (CMW_LIKELY(!may_say_length(field->name)))
            continue;
        const int more = read_field(&found, field, view->http_version);
        fields += more;
        if (more < 0 || fields > 1)
            return CMW_ERR_INVALID;
    }
    if (CMW_UNLIKELY(look_is_odd(&look)) && !are_valid(view->headers, view->header_count))
        return CMW_ERR_INVALID;
    view->content_length = found;
    return 0;
}
