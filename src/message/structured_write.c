/* SPDX-License-Identifier: MIT */
/*
 * Writing structured fields (RFC 9651, 4.1). Bytes for which there is no room are counted, so that
 * the caller learns how much is needed.
 */
#include <catzilla/structured_field.h>

#include "decimal.h"
#include "structured.h"
#include "utf8.h"

/* What was written last, to which a parameter may belong. */
enum { PLACE_NOTHING, PLACE_KEY, PLACE_ITEM, PLACE_INNER_OPEN };

/* ---- Bytes ------------------------------------------------------------------------------ */

static void fail(cmw_sf_writer *writer, int error)
{
    if (!writer->error)
        writer->error = error;
}

static void put_byte(cmw_sf_writer *writer, char byte)
{
    if (writer->len < writer->cap)
        writer->to[writer->len] = byte;
    writer->len++;
}

static void put(cmw_sf_writer *writer, cmw_str text)
{
    if (writer->len < writer->cap && text.len <= writer->cap - writer->len && text.len > 0)
        memcpy(writer->to + writer->len, text.data, text.len);
    writer->len += text.len;
}

/* ---- Bare items ------------------------------------------------------------------------- */

static void put_digits(cmw_sf_writer *writer, uint64_t number)
{
    char digits[24];
    const char *end = cmw__put_number(digits, number);

    put(writer, cmw_str_make(digits, (size_t)(end - digits)));
}

static void put_integer(cmw_sf_writer *writer, int64_t number)
{
    if (number > CMW_SF_NUMBER_MAX || number < -CMW_SF_NUMBER_MAX) {
        fail(writer, CMW_ERR_INVALID);
        return;
    }
    if (number < 0)
        put_byte(writer, '-');
    put_digits(writer, (uint64_t)(number < 0 ? -number : number));
}

/* At least one digit behind the point, and no 0 at the end but that one. */
static void put_decimal(cmw_sf_writer *writer, int64_t thousandths)
{
    if (thousandths > CMW_SF_NUMBER_MAX || thousandths < -CMW_SF_NUMBER_MAX) {
        fail(writer, CMW_ERR_INVALID);
        return;
    }
    const uint64_t all = (uint64_t)(thousandths < 0 ? -thousandths : thousandths);
    const unsigned rest = (unsigned)(all % 1000);
    if (thousandths < 0)
        put_byte(writer, '-');
    put_digits(writer, all / 1000);
    put_byte(writer, '.');
    put_byte(writer, (char)('0' + rest / 100));
    if (rest % 100 != 0)
        put_byte(writer, (char)('0' + rest / 10 % 10));
    if (rest % 10 != 0)
        put_byte(writer, (char)('0' + rest % 10));
}

static void put_string(cmw_sf_writer *writer, cmw_str text)
{
    put_byte(writer, '"');
    for (size_t i = 0; i < text.len; i++) {
        const char byte = text.data[i];
        if (byte == '"' || byte == '\\')
            put_byte(writer, '\\');
        else if (!cmw__sf_is(byte, CMW__SF_PLAIN))
            fail(writer, CMW_ERR_INVALID);
        put_byte(writer, byte);
    }
    put_byte(writer, '"');
}

static int is_all(cmw_str text, unsigned first, unsigned rest)
{
    if (text.len == 0 || !cmw__sf_is(text.data[0], first))
        return 0;
    for (size_t i = 1; i < text.len; i++)
        if (!cmw__sf_is(text.data[i], rest))
            return 0;
    return 1;
}

static void put_token(cmw_sf_writer *writer, cmw_str text)
{
    if (!is_all(text, CMW__SF_TOKEN_FIRST, CMW__SF_TOKEN))
        fail(writer, CMW_ERR_INVALID);
    put(writer, text);
}

static void put_bytes(cmw_sf_writer *writer, cmw_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *const from = (const unsigned char *)bytes.data;

    put_byte(writer, ':');
    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t left = bytes.len - i;
        const uint32_t group = (uint32_t)from[i] << 16 |
                               (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                               (left > 2 ? from[i + 2] : 0);
        put_byte(writer, digits[group >> 18]);
        put_byte(writer, digits[group >> 12 & 63]);
        put_byte(writer, left > 1 ? digits[group >> 6 & 63] : '=');
        put_byte(writer, left > 2 ? digits[group & 63] : '=');
    }
    put_byte(writer, ':');
}

static void put_display_byte(cmw_sf_writer *writer, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    if (cmw__sf_is((char)byte, CMW__SF_DISPLAYED)) {
        put_byte(writer, (char)byte);
        return;
    }
    put_byte(writer, '%');
    put_byte(writer, digits[byte >> 4]);
    put_byte(writer, digits[byte & 15]);
}

static void put_display_string(cmw_sf_writer *writer, cmw_str text)
{
    const unsigned char *const bytes = (const unsigned char *)text.data;
    size_t len;

    put_byte(writer, '%');
    put_byte(writer, '"');
    for (size_t i = 0; i < text.len; i += len) {
        len = bytes[i] < 0x80 ? 1 : cmw__utf8_len(bytes + i, text.len - i);
        if (len == 0) {
            fail(writer, CMW_ERR_INVALID);
            return;
        }
        for (size_t k = 0; k < len; k++)
            put_display_byte(writer, bytes[i + k]);
    }
    put_byte(writer, '"');
}

static void put_value(cmw_sf_writer *writer, const cmw_sf_value *value)
{
    if (value->is_encoded) {
        fail(writer, CMW_ERR_ARG);
        return;
    }
    switch (value->type) {
    case CMW_SF_INTEGER:
        put_integer(writer, value->number);
        break;
    case CMW_SF_DECIMAL:
        put_decimal(writer, value->number);
        break;
    case CMW_SF_STRING:
        put_string(writer, value->text);
        break;
    case CMW_SF_TOKEN:
        put_token(writer, value->text);
        break;
    case CMW_SF_BYTES:
        put_bytes(writer, value->text);
        break;
    case CMW_SF_BOOLEAN:
        put(writer, value->number ? CMW_STR("?1") : CMW_STR("?0"));
        break;
    case CMW_SF_DATE:
        put_byte(writer, '@');
        put_integer(writer, value->number);
        break;
    case CMW_SF_DISPLAY_STRING:
        put_display_string(writer, value->text);
        break;
    default:
        fail(writer, CMW_ERR_ARG);
        break;
    }
}

/* ---- Members ---------------------------------------------------------------------------- */

static int is_true(const cmw_sf_value *value)
{
    return value->type == CMW_SF_BOOLEAN && value->number != 0;
}

static void put_key(cmw_sf_writer *writer, cmw_str key)
{
    if (!is_all(key, CMW__SF_KEY_FIRST, CMW__SF_KEY))
        fail(writer, CMW_ERR_INVALID);
    put(writer, key);
}

/* What stands before a member, or an item of an inner list. Members all have a key, or none has. */
static void begin_member(cmw_sf_writer *writer, int has_key)
{
    if (writer->is_inner) {
        if (has_key)
            fail(writer, CMW_ERR_STATE);
        if (writer->place != PLACE_INNER_OPEN)
            put_byte(writer, ' ');
        return;
    }
    if (writer->place == PLACE_KEY)
        return;
    if (writer->has_member) {
        if (writer->has_key != has_key)
            fail(writer, CMW_ERR_STATE);
        put(writer, CMW_STR(", "));
    }
    writer->has_member = 1;
    writer->has_key = (uint8_t)has_key;
}

void cmw_sf_writer_init(cmw_sf_writer *writer, char *to, size_t cap)
{
    memset(writer, 0, sizeof *writer);
    writer->to = to;
    writer->cap = cap;
}

void cmw_sf_key(cmw_sf_writer *writer, cmw_str key)
{
    if (writer->error)
        return;
    if (writer->place == PLACE_KEY) {
        fail(writer, CMW_ERR_STATE);
        return;
    }
    begin_member(writer, 1);
    put_key(writer, key);
    writer->place = PLACE_KEY;
}

void cmw_sf_item(cmw_sf_writer *writer, const cmw_sf_value *value)
{
    if (writer->error)
        return;
    const int is_keyed = writer->place == PLACE_KEY;
    begin_member(writer, 0);
    writer->place = PLACE_ITEM;
    if (is_keyed && is_true(value))
        return;
    if (is_keyed)
        put_byte(writer, '=');
    put_value(writer, value);
}

void cmw_sf_inner_begin(cmw_sf_writer *writer)
{
    if (writer->error)
        return;
    if (writer->is_inner) {
        fail(writer, CMW_ERR_STATE);
        return;
    }
    const int is_keyed = writer->place == PLACE_KEY;
    begin_member(writer, 0);
    if (is_keyed)
        put_byte(writer, '=');
    put_byte(writer, '(');
    writer->is_inner = 1;
    writer->place = PLACE_INNER_OPEN;
}

void cmw_sf_inner_end(cmw_sf_writer *writer)
{
    if (writer->error)
        return;
    if (!writer->is_inner) {
        fail(writer, CMW_ERR_STATE);
        return;
    }
    put_byte(writer, ')');
    writer->is_inner = 0;
    writer->place = PLACE_ITEM;
}

void cmw_sf_param(cmw_sf_writer *writer, cmw_str key, const cmw_sf_value *value)
{
    if (writer->error)
        return;
    if (writer->place != PLACE_ITEM) {
        fail(writer, CMW_ERR_STATE);
        return;
    }
    put_byte(writer, ';');
    put_key(writer, key);
    if (is_true(value))
        return;
    put_byte(writer, '=');
    put_value(writer, value);
}

int cmw_sf_writer_finish(cmw_sf_writer *writer, cmw_str *field)
{
    if (!writer->error && (writer->is_inner || writer->place == PLACE_KEY))
        fail(writer, CMW_ERR_STATE);
    if (writer->error)
        return writer->error;
    if (writer->len > writer->cap)
        return CMW_ERR_LIMIT;
    *field = cmw_str_make(writer->to, writer->len);
    return 0;
}
