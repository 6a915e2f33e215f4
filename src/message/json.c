/* SPDX-License-Identifier: MIT */
/*
 * The streaming JSON writer (RFC 8259).
 *
 * The text grows in place while it is the arena's newest piece, else by doubling. Strings are
 * copied in runs: sixteen bytes are looked at in a go, and only what must be escaped, or is not
 * ASCII, is taken one by one.
 */
#include <catzilla/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena_state.h"
#include "block16.h"
#include "decimal.h"
#include "platform.h"
#include "utf8.h"

enum { FIRST_CAP = 256 };

/* ---- Text ------------------------------------------------------------------------------- */

static void fail(cmw_json *json, int error)
{
    if (!json->error)
        json->error = (int16_t)error;
}

/* Room for `len` bytes more: 1, or 0 and the failure is latched. */
static CMW__NOINLINE int grow(cmw_json *json, size_t len)
{
    size_t cap = json->cap > 0 ? 2 * json->cap : FIRST_CAP;

    if (len > SIZE_MAX / 4 - json->len) {
        fail(json, CMW_ERR_NOMEM);
        return 0;
    }
    if (cap < json->len + len)
        cap = 2 * (json->len + len);
    if (json->text && cmw__arena_extend(json->arena, json->text, json->cap, cap)) {
        json->cap = cap;
        return 1;
    }
    char *text = cmw__arena_alloc_text(json->arena, cap);
    if (!text) {
        fail(json, CMW_ERR_NOMEM);
        return 0;
    }
    if (json->text)
        memcpy(text, json->text, json->len);
    json->text = text;
    json->cap = cap;
    return 1;
}

static inline int reserve(cmw_json *json, size_t len)
{
    return CMW_LIKELY(len <= json->cap - json->len) || grow(json, len);
}

static inline void put(cmw_json *json, const char *bytes, size_t len)
{
    if (json->error || !reserve(json, len))
        return;
    (void)cmw__copy_short(json->text + json->len, bytes, len);
    json->len += len;
}

static inline void put_byte(cmw_json *json, char byte)
{
    if (json->error || !reserve(json, 1))
        return;
    json->text[json->len++] = byte;
}

/* ---- Where a value or a key may stand --------------------------------------------------- */

static uint64_t level_bit(const cmw_json *json)
{
    return UINT64_C(1) << (json->depth - 1);
}

static int in_object(const cmw_json *json)
{
    return json->depth > 0 && (json->object_bits & level_bit(json));
}

/* A comma, unless it is the level's first member. */
static void put_comma(cmw_json *json)
{
    if (json->filled_bits & level_bit(json))
        put_byte(json, ',');
    json->filled_bits |= level_bit(json);
}

/* 1 if a value may begin here. */
static int begin_value(cmw_json *json)
{
    if (json->error)
        return 0;
    if (json->depth == 0 ? json->complete : in_object(json) && !json->after_key) {
        fail(json, CMW_ERR_STATE);
        return 0;
    }
    if (json->depth > 0 && !json->after_key)
        put_comma(json);
    json->after_key = 0;
    return !json->error;
}

static void end_value(cmw_json *json)
{
    if (json->depth == 0)
        json->complete = 1;
}

static void begin_level(cmw_json *json, int is_object)
{
    if (!begin_value(json))
        return;
    if (json->depth == CMW_JSON_DEPTH) {
        fail(json, CMW_ERR_LIMIT);
        return;
    }
    put_byte(json, is_object ? '{' : '[');
    json->depth++;
    json->filled_bits &= ~level_bit(json);
    if (is_object)
        json->object_bits |= level_bit(json);
    else
        json->object_bits &= ~level_bit(json);
}

static void end_level(cmw_json *json, int is_object)
{
    if (json->error)
        return;
    if (json->depth == 0 || in_object(json) != is_object || json->after_key) {
        fail(json, CMW_ERR_STATE);
        return;
    }
    put_byte(json, is_object ? '}' : ']');
    json->depth--;
    end_value(json);
}

/* ---- Strings ---------------------------------------------------------------------------- */

static int is_plain(char c)
{
    const unsigned char byte = (unsigned char)c;
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* How many bytes from `at` on can be copied as they are. */
static size_t plain_run(cmw_str text, size_t at)
{
    size_t end = at;

    for (; text.len - end >= 16; end += 16) {
        const unsigned special = cmw__block16_json(text.data + end);
        if (special)
            return end + cmw__lowest_bit(special) - at;
    }
    while (end < text.len && is_plain(text.data[end]))
        end++;
    return end - at;
}

static void put_escape(cmw_json *json, unsigned char byte)
{
    static const char letters[] = "btn?fr"; /* 0x08 to 0x0d; 0x0b has none */
    char escape[6] = {'\\', 'u', '0', '0', '0', '0'};

    if (byte == '"' || byte == '\\' || (byte >= 0x08 && byte <= 0x0d && byte != 0x0b)) {
        escape[1] = byte < 0x20 ? letters[byte - 0x08] : (char)byte;
        put(json, escape, 2);
        return;
    }
    escape[4] = (char)('0' + (byte >> 4));
    escape[5] = "0123456789abcdef"[byte & 15];
    put(json, escape, 6);
}

/* One byte or sequence that is not plain: how many bytes it took. */
static size_t put_special(cmw_json *json, cmw_str text, size_t at)
{
    const unsigned char *bytes = (const unsigned char *)text.data + at;

    if (bytes[0] < 0x80) {
        put_escape(json, bytes[0]);
        return 1;
    }
    const size_t len = cmw__utf8_len(bytes, text.len - at);
    if (len == 0) {
        put(json, "\xef\xbf\xbd", 3); /* U+FFFD */
        return 1;
    }
    put(json, text.data + at, len);
    return len;
}

static void put_string(cmw_json *json, cmw_str text)
{
    if (text.len > SIZE_MAX / 8 || !reserve(json, text.len + 2)) {
        fail(json, CMW_ERR_NOMEM);
        return;
    }
    put_byte(json, '"');
    for (size_t at = 0; at < text.len && !json->error;) {
        const size_t run = plain_run(text, at);
        put(json, text.data + at, run);
        at += run;
        if (at < text.len)
            at += put_special(json, text, at);
    }
    put_byte(json, '"');
}

/* ---- The functions of the header -------------------------------------------------------- */

void cmw_json_init(cmw_json *json, cmw_arena *arena)
{
    memset(json, 0, sizeof *json);
    json->arena = arena;
}

void cmw_json_object_begin(cmw_json *json)
{
    begin_level(json, 1);
}

void cmw_json_object_end(cmw_json *json)
{
    end_level(json, 1);
}

void cmw_json_array_begin(cmw_json *json)
{
    begin_level(json, 0);
}

void cmw_json_array_end(cmw_json *json)
{
    end_level(json, 0);
}

void cmw_json_key(cmw_json *json, cmw_str key)
{
    if (json->error)
        return;
    if (!in_object(json) || json->after_key) {
        fail(json, CMW_ERR_STATE);
        return;
    }
    put_comma(json);
    put_string(json, key);
    put_byte(json, ':');
    json->after_key = 1;
}

void cmw_json_string(cmw_json *json, cmw_str text)
{
    if (!begin_value(json))
        return;
    put_string(json, text);
    end_value(json);
}

/* Text that needs no escape. */
static CMW__NOINLINE void put_value(cmw_json *json, const char *text, size_t len)
{
    if (!begin_value(json))
        return;
    put(json, text, len);
    end_value(json);
}

static void put_number(cmw_json *json, uint64_t magnitude, int is_negative)
{
    char text[24];

    text[0] = '-';
    const char *end = cmw__put_number(text + is_negative, magnitude);
    put_value(json, text, (size_t)(end - text));
}

void cmw_json_int(cmw_json *json, int64_t number)
{
    /* As unsigned, since the least int64_t has no positive counterpart. */
    put_number(json, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
}

void cmw_json_uint(cmw_json *json, uint64_t number)
{
    put_number(json, number, 0);
}

/* The locale's decimal point, whatever its bytes, becomes ".": the length after that. */
static size_t fix_point(char *text, size_t len)
{
    size_t start = 0;

    while (start < len && strchr("0123456789+-e", text[start]))
        start++;
    if (start == len)
        return len;
    size_t end = start;
    while (end < len && !strchr("0123456789+-e", text[end]))
        end++;
    text[start] = '.';
    memmove(text + start + 1, text + end, len - end);
    return len - (end - start - 1);
}

/* The fewest digits that read back as the same number. */
static size_t format_double(char *text, size_t cap, double number)
{
    int len = 0;

    for (int precision = 1; precision <= 17; precision++) {
        len = snprintf(text, cap, "%.*g", precision, number);
        const double back = strtod(text, NULL);
        if (back >= number && back <= number)
            break;
    }
    return fix_point(text, (size_t)len);
}

/* 1 if it is a whole number that reads better without an exponent. Not -0, whose sign would go. */
static int is_plain_integer(double number)
{
    const double limit = 9007199254740992.0; /* 2^53: below it every integer is exact */

    if (!(number > -limit && number < limit) || (signbit(number) && !(number < 0)))
        return 0;
    const double whole = (double)(int64_t)number;
    return whole >= number && whole <= number;
}

void cmw_json_double(cmw_json *json, double number)
{
    char text[64];

    if (!isfinite(number)) {
        cmw_json_null(json);
        return;
    }
    if (is_plain_integer(number)) {
        cmw_json_int(json, (int64_t)number);
        return;
    }
    const size_t len = format_double(text, sizeof text, number);
    put_value(json, text, len);
}

void cmw_json_bool(cmw_json *json, int truth)
{
    put_value(json, truth ? "true" : "false", truth ? 4 : 5);
}

void cmw_json_null(cmw_json *json)
{
    put_value(json, "null", 4);
}

void cmw_json_raw(cmw_json *json, cmw_str value)
{
    put_value(json, value.data, value.len);
}

int cmw_json_finish(cmw_json *json, cmw_str *out)
{
    if (json->error)
        return json->error;
    if (!json->complete || json->depth > 0)
        return CMW_ERR_STATE;
    *out = cmw_str_make(json->text, json->len);
    return 0;
}
