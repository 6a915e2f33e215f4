/* SPDX-License-Identifier: MIT */
/*
 * Reading structured fields: a pull parser whose whole state is where it stands.
 *
 *     a=1;x, b=("p";y "q");z
 *     ^  ^   ^ ^      ^   ^
 *     |  |   | |      |   PLACE_VALUE: parameters of the member may follow
 *     |  |   | |      PLACE_INNER_VALUE: parameters of an inner item may follow
 *     |  |   | PLACE_INNER: an inner list is open
 *     |  PLACE_VALUE
 *     PLACE_BEGIN
 *
 * A number is at most 15 digits, so nothing overflows.
 */
#include <catzilla/structured_field.h>

#include "platform.h"
#include "structured.h"
#include "utf8.h"

enum { PLACE_BEGIN, PLACE_VALUE, PLACE_INNER, PLACE_INNER_VALUE, PLACE_FAILED };

/* The lower half; all others are 0. Written by the rules beside the bits. */
const uint8_t cmw__sf_bytes[256] = {
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   96,  104, 0,   104, 104, 40,
    104, 104, 96,  96,  111, 232, 96,  106, 106, 232, 250, 250, 250, 250, 250, 250, 250, 250, 250,
    250, 104, 96,  96,  96,  96,  96,  96,  236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236,
    236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 236, 96,  64,  96,  104,
    106, 104, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239,
    239, 239, 239, 239, 239, 239, 239, 239, 239, 96,  104, 96,  104, 0,
};

/*
 * Each reading function takes where it begins and where the field ends, and returns the place
 * behind what it has read; NULL: malformed.
 */

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Behind the longest run of bytes of a class. */
static inline const char *skip_run(const char *at, const char *end, unsigned bits)
{
    while (at < end && cmw__sf_is(*at, bits))
        at++;
    return at;
}

static inline int is_next(const char *at, const char *end, char byte)
{
    return at < end && *at == byte;
}

static inline void set_value(cmw_sf_value *value, cmw_sf_type type, int64_t number, cmw_str text)
{
    value->type = (int32_t)type;
    value->is_encoded = 0;
    value->number = number;
    value->text = text;
}

/* ---- Bare items: each is read from its first byte on ------------------------------------ */

enum { INTEGER_DIGITS = 15, WHOLE_DIGITS = 12, FRACTION_DIGITS = 3 };

/* One digit to `most` of them; one more is looked at, which does not overflow either. */
static inline const char *read_digits(const char *at, const char *end, int most, int64_t *number)
{
    const char *const start = at;
    const char *const stop = end - at > most ? at + most + 1 : end;
    int64_t sum = 0;

    while (at < stop && *at >= '0' && *at <= '9')
        sum = sum * 10 + (*at++ - '0');
    *number = sum;
    return at > start && at - start <= most ? at : NULL;
}

/* Behind the point: as thousandths. */
static CMW__NOINLINE const char *read_fraction(const char *at, const char *end,
                                               int64_t *thousandths)
{
    static const int units[] = {0, 100, 10, 1};
    const char *const behind = read_digits(at, end, FRACTION_DIGITS, thousandths);

    if (behind)
        *thousandths *= units[behind - at];
    return behind;
}

static CMW__NOINLINE const char *read_number(const char *at, const char *end, cmw_sf_value *value)
{
    const int is_negative = *at == '-';
    const char *const start = at + is_negative;
    cmw_sf_type type = CMW_SF_INTEGER;
    int64_t number, thousandths;

    at = read_digits(start, end, INTEGER_DIGITS, &number);
    if (!at)
        return NULL;
    if (is_next(at, end, '.')) {
        if (at - start > WHOLE_DIGITS)
            return NULL;
        at = read_fraction(at + 1, end, &thousandths);
        if (!at)
            return NULL;
        type = CMW_SF_DECIMAL;
        number = number * 1000 + thousandths;
    }
    set_value(value, type, is_negative ? -number : number, cmw_str_make(NULL, 0));
    return at;
}

static CMW__NOINLINE const char *read_string(const char *at, const char *end, cmw_sf_value *value)
{
    const char *const start = ++at;
    int is_encoded = 0;

    while (!is_next(at = skip_run(at, end, CMW__SF_PLAIN), end, '"')) {
        if (!is_next(at, end, '\\') || (!is_next(at + 1, end, '"') && !is_next(at + 1, end, '\\')))
            return NULL;
        at += 2;
        is_encoded = 1;
    }
    set_value(value, CMW_SF_STRING, 0, cmw_str_make(start, (size_t)(at - start)));
    value->is_encoded = is_encoded;
    return at + 1;
}

static inline const char *read_token(const char *at, const char *end, cmw_sf_value *value)
{
    const char *const start = at;

    at = skip_run(at, end, CMW__SF_TOKEN);
    set_value(value, CMW_SF_TOKEN, 0, cmw_str_make(start, (size_t)(at - start)));
    return at;
}

/* Base64 whose padding is whole or left out. Bits that encode nothing may be anything (4.2.7). */
static CMW__NOINLINE const char *read_bytes(const char *at, const char *end, cmw_sf_value *value)
{
    const char *const start = at + 1;
    const char *const padding = skip_run(start, end, CMW__SF_BASE64);
    const ptrdiff_t rest = (padding - start) % 4;

    at = padding;
    while (is_next(at, end, '='))
        at++;
    if (!is_next(at, end, ':') || rest == 1 ||
        (at > padding && (rest == 0 || at - padding != 4 - rest)))
        return NULL;
    set_value(value, CMW_SF_BYTES, 0, cmw_str_make(start, (size_t)(padding - start)));
    value->is_encoded = padding > start;
    return at + 1;
}

static CMW__NOINLINE const char *read_boolean(const char *at, const char *end, cmw_sf_value *value)
{
    if (!is_next(at + 1, end, '0') && !is_next(at + 1, end, '1'))
        return NULL;
    set_value(value, CMW_SF_BOOLEAN, at[1] == '1', cmw_str_make(NULL, 0));
    return at + 2;
}

static CMW__NOINLINE const char *read_date(const char *at, const char *end, cmw_sf_value *value)
{
    at++;
    if (at < end)
        at = read_number(at, end, value);
    else
        at = NULL;
    if (!at || value->type != CMW_SF_INTEGER)
        return NULL;
    value->type = CMW_SF_DATE;
    return at;
}

/* Lower case only: 4.2.10. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the escape at `at`, or -1. */
static int escaped_byte(const char *at, const char *end)
{
    if (end - at < 3 || at[0] != '%')
        return -1;
    const int high = hex_digit(at[1]), low = hex_digit(at[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* One escape, or the two to four that are one character. */
static const char *read_escapes(const char *at, const char *end)
{
    unsigned char bytes[4];
    size_t count = 0;

    for (; count < sizeof bytes && end - at >= (ptrdiff_t)(3 * count); count++) {
        const int byte = escaped_byte(at + 3 * count, end);
        if (byte < 0)
            break;
        bytes[count] = (unsigned char)byte;
    }
    if (count == 0)
        return NULL;
    const size_t len = bytes[0] < 0x80 ? 1 : cmw__utf8_len(bytes, count);
    return len > 0 ? at + 3 * len : NULL;
}

static CMW__NOINLINE const char *read_display_string(const char *at, const char *end,
                                                     cmw_sf_value *value)
{
    const char *const start = at + 2;
    int is_encoded = 0;

    if (!is_next(at + 1, end, '"'))
        return NULL;
    at = start;
    while (!is_next(at = skip_run(at, end, CMW__SF_DISPLAYED), end, '"')) {
        at = read_escapes(at, end);
        if (!at)
            return NULL;
        is_encoded = 1;
    }
    set_value(value, CMW_SF_DISPLAY_STRING, 0, cmw_str_make(start, (size_t)(at - start)));
    value->is_encoded = is_encoded;
    return at + 1;
}

/* Each type is a function of its own that is jumped to: nothing is saved on the way. */
static inline const char *read_bare_item(const char *at, const char *end, cmw_sf_value *value)
{
    if (at == end)
        return NULL;
    if (cmw__sf_is(*at, CMW__SF_DIGIT))
        return read_number(at, end, value);
    if (cmw__sf_is(*at, CMW__SF_TOKEN_FIRST))
        return read_token(at, end, value);
    switch (*at) {
    case '-':
        return read_number(at, end, value);
    case '"':
        return read_string(at, end, value);
    case ':':
        return read_bytes(at, end, value);
    case '?':
        return read_boolean(at, end, value);
    case '@':
        return read_date(at, end, value);
    case '%':
        return read_display_string(at, end, value);
    default:
        return NULL;
    }
}

/* From its first byte on, which is one of CMW__SF_KEY_FIRST. */
static inline const char *read_key(const char *at, const char *end, cmw_str *key)
{
    const char *const start = at;

    at = skip_run(at + 1, end, CMW__SF_KEY);
    *key = cmw_str_make(start, (size_t)(at - start));
    return at;
}

/* From the semicolon on. */
static const char *read_param(const char *at, const char *end, cmw_str *key, cmw_sf_value *value)
{
    at = skip_spaces(at + 1, end);
    if (at == end || !cmw__sf_is(*at, CMW__SF_KEY_FIRST))
        return NULL;
    at = read_key(at, end, key);
    if (is_next(at, end, '='))
        return read_bare_item(at + 1, end, value);
    set_value(value, CMW_SF_BOOLEAN, 1, cmw_str_make(NULL, 0));
    return at;
}

static CMW__NOINLINE const char *skip_params(const char *at, const char *end)
{
    cmw_str key;
    cmw_sf_value value;

    while (at && is_next(at, end, ';'))
        at = read_param(at, end, &key, &value);
    return at;
}

/* ---- Moving the reader ------------------------------------------------------------------ */

/* Nothing follows what is malformed: PLACE_FAILED is no place that a look-ahead starts from. */
static int fail(cmw_sf_reader *reader)
{
    reader->error = CMW_ERR_INVALID;
    reader->place = PLACE_FAILED;
    return CMW_ERR_INVALID;
}

/* Stand behind what was read: `rc`, or CMW_ERR_INVALID where `at` is NULL. */
static inline int move(cmw_sf_reader *reader, const char *at, int place, int rc)
{
    if (!at)
        return fail(reader);
    reader->at = at;
    reader->place = place;
    return rc;
}

/* 1: an item of the inner list; 0: it has ended. */
static int step_inner(cmw_sf_reader *reader, cmw_sf_value *value)
{
    const char *at = reader->at;

    if (reader->place == PLACE_INNER_VALUE) {
        at = skip_params(at, reader->end);
        if (!at || (!is_next(at, reader->end, ' ') && !is_next(at, reader->end, ')')))
            return fail(reader);
    }
    at = skip_spaces(at, reader->end);
    if (is_next(at, reader->end, ')'))
        return move(reader, at + 1, PLACE_VALUE, 0);
    return move(reader, read_bare_item(at, reader->end, value), PLACE_INNER_VALUE, 1);
}

static int is_inner(const cmw_sf_reader *reader)
{
    return reader->place == PLACE_INNER || reader->place == PLACE_INNER_VALUE;
}

static CMW__NOINLINE int skip_inner(cmw_sf_reader *reader)
{
    cmw_sf_value value;
    int rc = 0;

    while (is_inner(reader) && (rc = step_inner(reader, &value)) > 0)
        continue;
    return rc;
}

/* The beginning of the next member, the long way; NULL: there is none, and the reader says why. */
static CMW__NOINLINE const char *find_start(cmw_sf_reader *reader)
{
    const char *const end = reader->end;
    const char *at;

    if (reader->error || (is_inner(reader) && skip_inner(reader) != 0))
        return NULL;
    if (reader->place == PLACE_BEGIN) {
        at = skip_spaces(reader->at, end);
        return at < end ? at : NULL;
    }
    at = skip_params(reader->at, end);
    if (at)
        at = skip_blanks(at, end);
    if (at == end) {
        reader->at = end;
        return NULL;
    }
    if (at && *at == ',')
        at = skip_blanks(at + 1, end);
    else
        at = NULL;
    if (!at || at == end) {
        (void)fail(reader);
        return NULL;
    }
    return at;
}

/* The same where a key begins: at once where a comma and one blank are before it, or nothing. */
static inline const char *find_key(cmw_sf_reader *reader)
{
    const char *const at = reader->at;
    const ptrdiff_t left = reader->end - at;

    if (reader->place == PLACE_VALUE) {
        if (left > 2 && memcmp(at, ", ", 2) == 0 && cmw__sf_is(at[2], CMW__SF_KEY_FIRST))
            return at + 2;
        if (left == 0)
            return NULL;
    }
    const char *const start = find_start(reader);
    if (start && !cmw__sf_is(*start, CMW__SF_KEY_FIRST)) {
        (void)fail(reader);
        return NULL;
    }
    return start;
}

/* A bare item, or the beginning of an inner list. */
static inline int take_value(cmw_sf_reader *reader, const char *at, cmw_sf_value *value)
{
    if (!is_next(at, reader->end, '('))
        return move(reader, read_bare_item(at, reader->end, value), PLACE_VALUE, 1);
    set_value(value, CMW_SF_INNER_LIST, 0, cmw_str_make(NULL, 0));
    return move(reader, at + 1, PLACE_INNER, 1);
}

/* ---- The functions of the header -------------------------------------------------------- */

void cmw_sf_reader_init(cmw_sf_reader *reader, cmw_str field)
{
    reader->at = field.len > 0 ? field.data : "";
    reader->end = reader->at + field.len;
    /* Blanks at the end belong to no member: RFC 9651, 4.2, step 6. */
    while (reader->end > reader->at && reader->end[-1] == ' ')
        reader->end--;
    reader->place = PLACE_BEGIN;
    reader->error = 0;
}

int cmw_sf_next_member(cmw_sf_reader *reader, cmw_str *key, cmw_sf_value *value)
{
    const char *const start = find_key(reader);

    if (!start)
        return reader->error;
    const char *const at = read_key(start, reader->end, key);
    if (is_next(at, reader->end, '='))
        return take_value(reader, at + 1, value);
    set_value(value, CMW_SF_BOOLEAN, 1, cmw_str_make(NULL, 0));
    return move(reader, at, PLACE_VALUE, 1);
}

int cmw_sf_next_item(cmw_sf_reader *reader, cmw_sf_value *value)
{
    const char *const start = find_start(reader);

    return start ? take_value(reader, start, value) : reader->error;
}

int cmw_sf_only_item(cmw_sf_reader *reader, cmw_sf_value *value)
{
    const char *const end = reader->end;

    if (reader->error)
        return reader->error;
    if (reader->place == PLACE_BEGIN)
        return move(reader, read_bare_item(skip_spaces(reader->at, end), end, value), PLACE_VALUE,
                    1);
    return skip_params(reader->at, end) == end ? move(reader, end, PLACE_VALUE, 0) : fail(reader);
}

int cmw_sf_next_inner(cmw_sf_reader *reader, cmw_sf_value *value)
{
    if (reader->error)
        return reader->error;
    return is_inner(reader) ? step_inner(reader, value) : 0;
}

int cmw_sf_next_param(cmw_sf_reader *reader, cmw_str *key, cmw_sf_value *value)
{
    if (reader->error)
        return reader->error;
    if (reader->place == PLACE_INNER && skip_inner(reader) != 0)
        return reader->error;
    if (reader->place == PLACE_BEGIN || !is_next(reader->at, reader->end, ';'))
        return 0;
    return move(reader, read_param(reader->at, reader->end, key, value), reader->place, 1);
}

int cmw_sf_check(cmw_str field, cmw_sf_kind kind)
{
    cmw_sf_reader reader;
    cmw_sf_value value;
    cmw_str key;
    int rc = 1;

    cmw_sf_reader_init(&reader, field);
    while (rc > 0)
        rc = kind == CMW_SF_DICTIONARY ? cmw_sf_next_member(&reader, &key, &value)
             : kind == CMW_SF_LIST     ? cmw_sf_next_item(&reader, &value)
                                       : cmw_sf_only_item(&reader, &value);
    return rc;
}

int cmw_sf_find(cmw_sf_value *value, cmw_str dictionary, cmw_str key)
{
    cmw_sf_reader reader;
    cmw_sf_value each, found = {0};
    cmw_str name = {NULL, 0};
    int has_found = 0;
    int rc;

    cmw_sf_reader_init(&reader, dictionary);
    while ((rc = cmw_sf_next_member(&reader, &name, &each)) > 0)
        if (cmw_str_equals(name, key)) {
            found = each;
            has_found = 1;
        }
    if (rc != 0)
        return rc;
    if (has_found)
        *value = found;
    return has_found;
}

/* ---- Decoding: what the reader has checked ---------------------------------------------- */

static size_t decode_string(char *to, cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\')
            i++;
        to[len++] = text.data[i];
    }
    return len;
}

static size_t decode_display_string(char *to, cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            to[len++] = text.data[i];
            continue;
        }
        to[len++] = (char)escaped_byte(text.data + i, text.data + text.len);
        i += 2;
    }
    return len;
}

static unsigned base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : 63;
}

static size_t decode_bytes(char *to, cmw_str digits)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    for (size_t i = 0; i < digits.len; i++) {
        bits = bits << 6 | base64_value(digits.data[i]);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            to[len++] = (char)(bits >> bit_count & 0xff);
        }
    }
    return len;
}

int cmw_sf_decode(cmw_sf_value *value, cmw_arena *arena)
{
    size_t len;

    if (!value->is_encoded)
        return 0;
    char *const to = cmw_arena_alloc_text(arena, value->text.len);
    if (!to)
        return CMW_ERR_NOMEM;
    if (value->type == CMW_SF_STRING)
        len = decode_string(to, value->text);
    else if (value->type == CMW_SF_BYTES)
        len = decode_bytes(to, value->text);
    else
        len = decode_display_string(to, value->text);
    value->text = cmw_str_make(to, len);
    value->is_encoded = 0;
    return 0;
}
