/* SPDX-License-Identifier: MIT */
/*
 * Structured fields (RFC 9651): reading and writing dictionaries, lists and items.
 *
 * A reader walks over a field's value and hands out slices of it; nothing is built and nothing is
 * allocated. A writer puts one together in the caller's buffer.
 *
 *     cmw_sf_reader reader;
 *     cmw_str key;
 *     cmw_sf_value value;
 *     int rc;
 *
 *     cmw_sf_reader_init(&reader, field);                          // a=1;x, b=("p" q), c
 *     while ((rc = cmw_sf_next_member(&reader, &key, &value)) > 0) // a, b, c
 *         while (cmw_sf_next_param(&reader, &key, &value) > 0)     // x
 *             ...
 *     if (rc != 0)
 *         ...                                                      // the field means nothing
 *
 * The standard takes a field as a whole: one that breaks off with an error means nothing, although
 * a reader has handed out what was before. Who acts on members at once asks cmw_sf_check first; who
 * collects them drops them on an error. Of keys that come twice, in a dictionary or among
 * parameters, the last one counts.
 */
#ifndef CATZILLA_STRUCTURED_FIELD_H
#define CATZILLA_STRUCTURED_FIELD_H

#include <catzilla/arena.h>
#include <catzilla/base.h>

CMW_BEGIN_DECLS

/* ---- Values ----------------------------------------------------------------------------- */

/** What a value is. */
typedef enum cmw_sf_type {
    CMW_SF_INTEGER = 0,        /**< `number`, at most 15 digits */
    CMW_SF_DECIMAL = 1,        /**< `number`, in thousandths: 12 digits and 3 behind the point */
    CMW_SF_STRING = 2,         /**< `text`, visible ASCII and blanks */
    CMW_SF_TOKEN = 3,          /**< `text` */
    CMW_SF_BYTES = 4,          /**< `text`, any bytes */
    CMW_SF_BOOLEAN = 5,        /**< `number`, 0 or 1 */
    CMW_SF_DATE = 6,           /**< `number`, seconds since 1970-01-01 UTC */
    CMW_SF_DISPLAY_STRING = 7, /**< `text`, UTF-8 */
    CMW_SF_INNER_LIST = 8      /**< neither: cmw_sf_next_inner reads it */
} cmw_sf_type;

/** The largest integer, and the largest number of thousandths; the smallest are their negatives. */
#define CMW_SF_NUMBER_MAX INT64_C(999999999999999)

/** A value. What a reader hands out borrows from the field. */
typedef struct cmw_sf_value {
    int32_t type;       /**< cmw_sf_type */
    int32_t is_encoded; /**< 1: `text` is as it stands in the field: see cmw_sf_decode */
    int64_t number;
    cmw_str text;
} cmw_sf_value;

/** Values to be written. `text` is borrowed. Cost: O(1) each. */
static inline cmw_sf_value cmw_sf_number(cmw_sf_type type, int64_t number)
{
    cmw_sf_value value;
    memset(&value, 0, sizeof value);
    value.type = (int32_t)type;
    value.number = number;
    return value;
}

static inline cmw_sf_value cmw_sf_text(cmw_sf_type type, cmw_str text)
{
    cmw_sf_value value = cmw_sf_number(type, 0);
    value.text = text;
    return value;
}

/**
 * Make `text` the bytes that are meant: escapes and base64 undone.
 *
 * A value without escapes is left as it is, and borrows from the field as before.
 *
 * @param[in,out] value  one that a reader has handed out; unchanged on failure
 * @param         arena  takes the bytes
 * @return               0, CMW_ERR_NOMEM
 * Threads:              the arena's owner
 * Cost:                 O(len); arena memory for what is encoded
 * Since:                0.1
 */
CMW_API CMW_NODISCARD int cmw_sf_decode(cmw_sf_value *value, cmw_arena *arena);

/* ---- Reading ---------------------------------------------------------------------------- */

/** A walk over a field. The caller's storage; its members are the library's. */
typedef struct cmw_sf_reader {
    const char *at;
    const char *end;
    int32_t place;
    int32_t error;
} cmw_sf_reader;

/**
 * Begin to read a field's value. Several fields of one name are joined first
 * (cmw_request_joined).
 *
 * @param field  borrowed until the last value that came from it has been used
 * Threads:      any
 * Cost:         O(1)
 * Since:        0.1
 */
CMW_API void cmw_sf_reader_init(cmw_sf_reader *reader, cmw_str field);

/*
 * Each of the next functions returns 1 with the next thing in its outputs, 0 where there is none,
 * or CMW_ERR_INVALID where the field is malformed, which it then is for all later calls. Outputs
 * hold nothing unless it returns 1. What is not asked for is passed over, and checked.
 *
 * A reader reads one kind of field, from its beginning: members, or items, or the one item.
 *
 *   Threads: any; a reader by one at a time
 *   Cost:    O(bytes that are passed), some 60 to 100 instructions for a short member; no
 *            allocation
 *   Source:  RFC 9651, 4.2
 *   Since:   0.1
 */

/** The next member of a dictionary. One without a value is true. */
CMW_API CMW_NODISCARD int cmw_sf_next_member(cmw_sf_reader *reader, cmw_str *key,
                                             cmw_sf_value *value);

/** The next member of a list. */
CMW_API CMW_NODISCARD int cmw_sf_next_item(cmw_sf_reader *reader, cmw_sf_value *value);

/** The item, for a field that is one; a second call says whether anything stands behind it. */
CMW_API CMW_NODISCARD int cmw_sf_only_item(cmw_sf_reader *reader, cmw_sf_value *value);

/** The next item of the inner list that was handed out last; its parameters may be asked for. */
CMW_API CMW_NODISCARD int cmw_sf_next_inner(cmw_sf_reader *reader, cmw_sf_value *value);

/**
 * The next parameter of what was handed out last. After an inner list was handed out, and after it
 * was read to its end, those of the list; in between, those of its item.
 */
CMW_API CMW_NODISCARD int cmw_sf_next_param(cmw_sf_reader *reader, cmw_str *key,
                                            cmw_sf_value *value);

/** What a field is, by its definition. */
typedef enum cmw_sf_kind { CMW_SF_ITEM = 0, CMW_SF_LIST = 1, CMW_SF_DICTIONARY = 2 } cmw_sf_kind;

/**
 * Read a whole field and look at nothing.
 *
 * @return  0, or CMW_ERR_INVALID. An empty list or dictionary is one, an empty item is not
 * Threads: any
 * Cost:    O(len), no allocation
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_sf_check(cmw_str field, cmw_sf_kind kind);

/**
 * The value of a key in a dictionary, the last one if there are several.
 *
 * @param[out] value   unchanged unless 1 is returned; an inner list cannot be read from here
 * @return             1; 0: no such key; CMW_ERR_INVALID: the field, read to its end, is malformed
 * Threads:            any
 * Cost:               O(len), no allocation
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_sf_find(cmw_sf_value *value, cmw_str dictionary, cmw_str key);

/* ---- Writing ---------------------------------------------------------------------------- */

/**
 * A field being written. The caller's storage; its members are the library's.
 *
 *     cmw_sf_writer writer;
 *     cmw_sf_value one = cmw_sf_number(CMW_SF_INTEGER, 1);
 *
 *     cmw_sf_writer_init(&writer, buffer, sizeof buffer);
 *     cmw_sf_key(&writer, CMW_STR("a"));                  // of a dictionary; not in a list
 *     cmw_sf_item(&writer, &one);                         // a=1
 *     cmw_sf_param(&writer, CMW_STR("x"), &one);          // a=1;x=1
 *     rc = cmw_sf_writer_finish(&writer, &field);
 *
 * A mistake is latched: later calls do nothing and cmw_sf_writer_finish reports it.
 */
typedef struct cmw_sf_writer {
    char *to;
    size_t cap;
    size_t len; /* with those for which there was no room */
    int32_t error;
    uint8_t place;
    uint8_t has_member;
    uint8_t is_inner;
    uint8_t has_key;
} cmw_sf_writer;

/** Begin to write, into room for `cap` bytes; NULL when `cap` is 0. Cost: O(1). */
CMW_API void cmw_sf_writer_init(cmw_sf_writer *writer, char *to, size_t cap);

/** The key of the next member of a dictionary. Which keys were written before is not looked at. */
CMW_API void cmw_sf_key(cmw_sf_writer *writer, cmw_str key);

/** A member, or an item of the inner list that is open; true after a key is the key alone. */
CMW_API void cmw_sf_item(cmw_sf_writer *writer, const cmw_sf_value *value);

/** Open and close an inner list. */
CMW_API void cmw_sf_inner_begin(cmw_sf_writer *writer);
CMW_API void cmw_sf_inner_end(cmw_sf_writer *writer);

/** A parameter of the item or inner list that was written last; true is the key alone. */
CMW_API void cmw_sf_param(cmw_sf_writer *writer, cmw_str key, const cmw_sf_value *value);

/**
 * End the field.
 *
 * @param[out] field  in the room; unchanged on failure. Empty: the field is not to be sent
 * @return            0; CMW_ERR_INVALID for a value or a key that has no form (an integer of 16
 *                    digits, a string with a line end, a display string that is not UTF-8);
 *                    CMW_ERR_STATE for a call out of place; CMW_ERR_ARG for a value that is still
 *                    encoded; CMW_ERR_LIMIT when the room was too small: `writer->len` is needed
 * Threads:           any; a writer by one at a time
 * Cost:              O(1); of the others O(len); no allocation
 * Source:            RFC 9651, 4.1
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_sf_writer_finish(cmw_sf_writer *writer, cmw_str *field);

CMW_END_DECLS

#endif /* CATZILLA_STRUCTURED_FIELD_H */
