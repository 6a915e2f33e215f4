/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include "noop.h"

/* ---- Calls by name ---------------------------------------------------------------------- */

#define CALL(i)                                                                                    \
    if ((verdict = noop_##i(self, ctx)) != CMW_CONTINUE)                                           \
        return verdict;

int floor_noop_0(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

int floor_noop_3(void *self, cmw_ctx *ctx)
{
    int verdict;

    CALL(0) CALL(1) CALL(2) return CMW_CONTINUE;
}

int floor_noop_8(void *self, cmw_ctx *ctx)
{
    int verdict;

    CALL(0) CALL(1) CALL(2) CALL(3) CALL(4) CALL(5) CALL(6) CALL(7) return CMW_CONTINUE;
}

int floor_noop_16(void *self, cmw_ctx *ctx)
{
    int verdict;

    NOOP_LIST(CALL)
    return CMW_CONTINUE;
}

int floor_noop_3_both(void *self, cmw_ctx *ctx)
{
    int verdict;

    CALL(0) CALL(1) CALL(2) CALL(0) CALL(1) CALL(2) return CMW_CONTINUE;
}

/* ---- Bytes ------------------------------------------------------------------------------ */

size_t floor_copy(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return len;
}

typedef unsigned char bytes16 __attribute__((vector_size(16)));

/* Control bytes become not 0 (HTAB is not taken apart: these values have none). */
static inline bytes16 mark_controls(const char *at)
{
    bytes16 bytes;

    memcpy(&bytes, at, sizeof bytes);
    return (bytes16)(bytes < 0x20) | (bytes16)(bytes == 0x7f);
}

static inline int has_mark(bytes16 marks)
{
    uint64_t halves[2];

    memcpy(halves, &marks, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* Less than sixteen bytes: the first and the last eight, or one after the other. */
static inline int is_valid_short(cmw_str value)
{
    char both[sizeof(bytes16)];
    unsigned bad = 0;

    if (value.len >= 8) {
        memcpy(both, value.data, 8);
        memcpy(both + 8, value.data + value.len - 8, 8);
        return !has_mark(mark_controls(both));
    }
    for (size_t i = 0; i < value.len; i++)
        bad |= (unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7f;
    return bad == 0;
}

/* Sixteen bytes at a time, the last sixteen again. */
static inline int is_valid_value(cmw_str value)
{
    if (value.len == 0)
        return 1;
    if (value.data[0] == ' ' || value.data[value.len - 1] == ' ')
        return 0;
    if (value.len < sizeof(bytes16))
        return is_valid_short(value);

    bytes16 marks = mark_controls(value.data + value.len - sizeof(bytes16));
    for (size_t i = 0; value.len - i > sizeof(bytes16); i += sizeof(bytes16))
        marks |= mark_controls(value.data + i);
    return !has_mark(marks);
}

#define APPEND(name, ignored)                                                                      \
    if (!is_valid_value(*values) || sizeof name ": \r\n" + values->len > (size_t)(end - at))       \
        return 0;                                                                                  \
    memcpy(at, name ": ", sizeof name + 1);                                                        \
    at += sizeof name + 1;                                                                         \
    memcpy(at, values->data, values->len);                                                         \
    at += values->len;                                                                             \
    memcpy(at, "\r\n", 2);                                                                         \
    at += 2;                                                                                       \
    values++;

int floor_append_fields(char **to, const char *end, const cmw_str *values)
{
    char *at = *to;

    FIELD_LIST(APPEND)
    *to = at;
    return 1;
}
