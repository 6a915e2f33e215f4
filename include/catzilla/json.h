/* SPDX-License-Identifier: MIT */
/*
 * A streaming JSON writer into an arena.
 *
 * Calls append; nothing is kept but the text and a stack of one bit a level. A mistake (a value
 * where a key is due, a missing end, more than CMW_JSON_DEPTH levels) or lack of memory is latched:
 * later calls do nothing, and cmw_json_finish reports it. Text must be UTF-8; bytes that are not
 * are written as U+FFFD, so that the output is always valid.
 */
#ifndef CATZILLA_JSON_H
#define CATZILLA_JSON_H

#include <catzilla/arena.h>
#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** The deepest nesting of objects and arrays. */
#define CMW_JSON_DEPTH 64

/** A writer. The caller's storage; its members are the library's. Used by one thread at a time. */
typedef struct cmw_json {
    cmw_arena *arena;
    char *text;
    size_t len;
    size_t cap;
    uint64_t object_bits; /* bit d: level d is an object */
    uint64_t filled_bits; /* bit d: level d has a member */
    uint32_t depth;
    uint8_t after_key;
    uint8_t complete; /* one whole value was written */
    int16_t error;    /* latched CMW_ERR_*, or 0 */
} cmw_json;

/** Begin a document in `arena`, which must outlive the writer. Cost: O(1), no allocation. */
CMW_API void cmw_json_init(cmw_json *json, cmw_arena *arena);

/** Open and close objects and arrays. */
CMW_API void cmw_json_object_begin(cmw_json *json);
CMW_API void cmw_json_object_end(cmw_json *json);
CMW_API void cmw_json_array_begin(cmw_json *json);
CMW_API void cmw_json_array_end(cmw_json *json);

/** A member's key; the value follows. Cost of all below: O(len), arena memory as it grows. */
CMW_API void cmw_json_key(cmw_json *json, cmw_str key);

/** Values. A double that is not finite is written as null, since JSON has no other word for it. */
CMW_API void cmw_json_string(cmw_json *json, cmw_str text);
CMW_API void cmw_json_int(cmw_json *json, int64_t number);
CMW_API void cmw_json_uint(cmw_json *json, uint64_t number);
CMW_API void cmw_json_double(cmw_json *json, double number);
CMW_API void cmw_json_bool(cmw_json *json, int truth);
CMW_API void cmw_json_null(cmw_json *json);

/** Text that is a JSON value already; it is not checked. */
CMW_API void cmw_json_raw(cmw_json *json, cmw_str value);

/**
 * End the document.
 *
 * @param[out] out  the text, in the arena; unchanged on failure
 * @return          0, CMW_ERR_STATE if it is not one whole value or a call was misplaced,
 *                  CMW_ERR_LIMIT if it is too deep, CMW_ERR_NOMEM
 * Cost:            O(1)
 * Source:          RFC 8259
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_json_finish(cmw_json *json, cmw_str *out);

CMW_END_DECLS

#endif /* CATZILLA_JSON_H */
