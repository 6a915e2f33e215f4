/* SPDX-License-Identifier: MIT */
/*
 * Is a text one JSON object of names and plain values (RFC 8259), in valid UTF-8, on one line?
 * Written apart from the writers that it checks.
 */
#ifndef CMW_TESTS_JSON_CHECK_H
#define CMW_TESTS_JSON_CHECK_H

#include <stddef.h>
#include <string.h>

struct json_check {
    const unsigned char *at, *end;
};

static inline int json_check_byte(struct json_check *json, char c)
{
    if (json->at == json->end || *json->at != (unsigned char)c)
        return 0;
    json->at++;
    return 1;
}

/* The bytes that follow the first of a UTF-8 sequence, and the least code that needs so many. */
static inline int json_check_utf8(struct json_check *json)
{
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned first = *json->at++;
    const unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    unsigned code = first & (0x3fu >> more);

    if (first < 0xc0 || first > 0xf7 || (size_t)(json->end - json->at) < more)
        return 0;
    for (unsigned i = 0; i < more; i++, json->at++) {
        if (*json->at >> 6 != 2)
            return 0;
        code = code << 6 | (*json->at & 0x3f);
    }
    return code >= least[more] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static inline int json_check_escape(struct json_check *json)
{
    if (json->at == json->end || !memchr("\"\\/bfnrtu", *json->at, 9))
        return 0;
    if (*json->at++ != 'u')
        return 1;
    for (int i = 0; i < 4; i++, json->at++)
        if (json->at == json->end || !memchr("0123456789abcdefABCDEF", *json->at, 22))
            return 0;
    return 1;
}

static inline int json_check_string(struct json_check *json)
{
    if (!json_check_byte(json, '"'))
        return 0;
    while (json->at != json->end && *json->at != '"') {
        if (*json->at < 0x20)
            return 0;
        if (*json->at >= 0x80) {
            if (!json_check_utf8(json))
                return 0;
        } else if (*json->at++ == '\\' && !json_check_escape(json)) {
            return 0;
        }
    }
    return json_check_byte(json, '"');
}

static inline int json_check_value(struct json_check *json)
{
    const unsigned char *begin = json->at;

    if (begin != json->end && *begin == '"')
        return json_check_string(json);
    if (json->end - begin >= 4 && memcmp(begin, "null", 4) == 0) {
        json->at += 4;
        return 1;
    }
    while (json->at != json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at != begin && (*begin != '0' || json->at == begin + 1);
}

/* 1 if it is. */
static inline int json_check_object(const char *text, size_t len)
{
    struct json_check json = {(const unsigned char *)text, (const unsigned char *)text + len};

    if (!json_check_byte(&json, '{'))
        return 0;
    do {
        if (!json_check_string(&json) || !json_check_byte(&json, ':') || !json_check_value(&json))
            return 0;
    } while (json_check_byte(&json, ','));
    return json_check_byte(&json, '}') && json.at == json.end;
}

#endif /* CMW_TESTS_JSON_CHECK_H */
