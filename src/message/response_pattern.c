/* SPDX-License-Identifier: MIT */
/*
 * Patterns: fields of constant text with numbers in it.
 *
 * The text is checked when the pattern is made, and digits need no checking: a request copies the
 * beginning of the line in steps of sixteen bytes and writes numbers behind it.
 */
#include "arena_state.h"
#include "response_fields.h"

/* Text behind a number, copied as a whole. */
struct piece {
    char text[CMW_PATTERN_TEXT_MAX];
    uint8_t len;
};

/* The head of a usual line, copied as two times sixteen bytes. */
enum { QUICK_HEAD = 32 };

struct cmw_field_pattern {
    const char *head;  /* "Name: " and the first text, readable to a multiple of 32; without numbers
                          the whole line */
    uint32_t head_len; /* with CRLF if there are no numbers */
    uint32_t room;     /* for any line of it, and what copying writes behind it */
    size_t quick_room; /* the same, if it has two numbers, a short head, and a constant beside;
                          SIZE_MAX if not, which no arena has */
    struct cmw__segment line; /* but for bytes and len */
    struct cmw__segment beside;
    uint64_t ids[2]; /* of line and beside */
    uint8_t number_count;
    uint8_t has_beside;
    uint8_t is_single; /* one number, at the end */
    struct piece pieces[CMW_PATTERN_NUMBERS_MAX];
    struct piece tail; /* of a quick one: the last text and the line end */
};

_Static_assert(sizeof(struct piece) == 16, "a piece is copied at once");

/* ---- Making ----------------------------------------------------------------------------- */

static int check_texts(const cmw_str *texts, size_t number_count)
{
    size_t len = 0;

    for (size_t i = 0; i <= number_count; i++) {
        if (i > 0 && texts[i].len > CMW_PATTERN_TEXT_MAX)
            return CMW_ERR_ARG;
        if (!cmw_header_value_is_valid(texts[i]))
            return CMW_ERR_INVALID;
        len += texts[i].len;
    }
    /* Blanks may not stand at the ends; in the middle they are text. */
    const cmw_str first = texts[0], last = texts[number_count];
    if (first.len > 0 && (unsigned char)first.data[0] <= ' ')
        return CMW_ERR_INVALID;
    if (last.len > 0 && (unsigned char)last.data[last.len - 1] <= ' ')
        return CMW_ERR_INVALID;
    return len > UINT16_MAX ? CMW_ERR_ARG : 0;
}

static void fill(struct cmw_field_pattern *pattern, char *head, cmw_str name, const cmw_str *texts)
{
    char *at = head;

    memcpy(at, name.data, name.len);
    memcpy(at + name.len, ": ", 2);
    at += name.len + 2;
    if (texts[0].len > 0)
        memcpy(at, texts[0].data, texts[0].len);
    at += texts[0].len;
    if (pattern->number_count == 0) {
        memcpy(at, "\r\n", 2);
        at += 2;
    }
    pattern->head = head;
    pattern->head_len = (uint32_t)(at - head);
    pattern->line.name_len = (uint16_t)name.len;
    for (size_t i = 0; i < pattern->number_count; i++) {
        if (texts[i + 1].len > 0)
            memcpy(pattern->pieces[i].text, texts[i + 1].data, texts[i + 1].len);
        pattern->pieces[i].len = (uint8_t)texts[i + 1].len;
    }
    pattern->room = pattern->head_len + QUICK_HEAD + pattern->number_count * (20 + 16) + 2;
}

int cmw_field_pattern_create(cmw_field_pattern **out, cmw_arena *arena, cmw_header_id id,
                             const cmw_str *texts, size_t number_count)
{
    if (!out || !arena || !texts || number_count > CMW_PATTERN_NUMBERS_MAX)
        return CMW_ERR_ARG;
    if ((unsigned)id >= CMW_HDR_LIMIT || id == CMW_HDR_CONTENT_TYPE ||
        cmw__id_is_managed((unsigned)id))
        return CMW_ERR_ARG;
    const cmw_str name = cmw_header_id_name(id);
    if (name.len == 0)
        return CMW_ERR_ARG;
    const int rc = check_texts(texts, number_count);
    if (rc != 0)
        return rc;
    const size_t room = name.len + texts[0].len + 4 + QUICK_HEAD;
    struct cmw_field_pattern *pattern = cmw_arena_alloc(arena, sizeof *pattern);
    char *head = pattern ? cmw_arena_alloc(arena, room) : NULL;
    if (!head)
        return CMW_ERR_NOMEM;
    memset(pattern, 0, sizeof *pattern);
    memset(head, 0, room);
    pattern->line.id = (uint8_t)id;
    cmw__add_id(pattern->ids, (unsigned)id);
    pattern->number_count = (uint8_t)number_count;
    pattern->is_single = number_count == 1 && texts[1].len == 0;
    pattern->quick_room = SIZE_MAX;
    fill(pattern, head, name, texts);
    *out = pattern;
    return 0;
}

int cmw_field_pattern_join(cmw_field_pattern *pattern, const cmw_field_pattern *constant)
{
    if (!pattern || !constant || constant->number_count > 0 || constant->has_beside ||
        pattern->has_beside)
        return CMW_ERR_ARG;
    pattern->beside = constant->line;
    pattern->beside.bytes = constant->head;
    pattern->beside.len = constant->head_len;
    pattern->beside.flags = CMW__SEGMENT_STATIC;
    pattern->has_beside = 1;
    pattern->ids[0] |= constant->ids[0];
    pattern->ids[1] |= constant->ids[1];
    if (pattern->number_count == 2 && pattern->head_len <= QUICK_HEAD &&
        pattern->pieces[1].len + 2 <= CMW_PATTERN_TEXT_MAX) {
        pattern->quick_room = pattern->room;
        pattern->tail = pattern->pieces[1];
        memcpy(pattern->tail.text + pattern->tail.len, "\r\n", 2);
        pattern->tail.len = (uint8_t)(pattern->tail.len + 2);
    }
    return 0;
}

/* ---- Using ------------------------------------------------------------------------------ */

/* The digits of a number below 1,000, and how many they are. */
struct digits {
    char text[3];
    uint8_t len;
};

#define DIGIT(n) (char)('0' + (n) % 10)
#define ONE(n)                                                                                     \
    {                                                                                              \
        {DIGIT(n)}, 1                                                                              \
    }
#define TWO(n)                                                                                     \
    {                                                                                              \
        {DIGIT((n) / 10), DIGIT(n)}, 2                                                             \
    }
#define THREE(n)                                                                                   \
    {                                                                                              \
        {DIGIT((n) / 100), DIGIT((n) / 10), DIGIT(n)}, 3                                           \
    }
#define TEN(of, n)                                                                                 \
    of(n), of((n) + 1), of((n) + 2), of((n) + 3), of((n) + 4), of((n) + 5), of((n) + 6),           \
        of((n) + 7), of((n) + 8), of((n) + 9)
#define HUNDRED(n)                                                                                 \
    TEN(THREE, n), TEN(THREE, (n) + 10), TEN(THREE, (n) + 20), TEN(THREE, (n) + 30),               \
        TEN(THREE, (n) + 40), TEN(THREE, (n) + 50), TEN(THREE, (n) + 60), TEN(THREE, (n) + 70),    \
        TEN(THREE, (n) + 80), TEN(THREE, (n) + 90)

static const struct digits small_numbers[1000] = {
    TEN(ONE, 0),  TEN(TWO, 10), TEN(TWO, 20), TEN(TWO, 30), TEN(TWO, 40),
    TEN(TWO, 50), TEN(TWO, 60), TEN(TWO, 70), TEN(TWO, 80), TEN(TWO, 90),
    HUNDRED(100), HUNDRED(200), HUNDRED(300), HUNDRED(400), HUNDRED(500),
    HUNDRED(600), HUNDRED(700), HUNDRED(800), HUNDRED(900),
};

/* A number below 1,000. Writes four bytes. */
static inline char *put_small(char *at, uint64_t number)
{
    memcpy(at, &small_numbers[number], sizeof small_numbers[0]);
    return at + small_numbers[number].len;
}

static char *put_any(char *at, uint64_t number)
{
    char digits[20];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (len > 0)
        *at++ = digits[--len];
    return at;
}

/* A number below a million, without a loop or a call. */
static inline char *put_medium(char *at, uint64_t number)
{
    if (CMW_LIKELY(number < 1000))
        return put_small(at, number);
    at = put_small(at, number / 1000);
    number %= 1000;
    at[0] = (char)('0' + number / 100);
    at[1] = (char)('0' + number / 10 % 10);
    at[2] = (char)('0' + number % 10);
    return at + 3;
}

static inline char *put_number(char *at, uint64_t number)
{
    return number < 1000000 ? put_medium(at, number) : put_any(at, number);
}

static void push(cmw_response *response, const struct cmw__segment *segment)
{
    cmw__response_push(response, segment->bytes, segment->len, segment->name_len, segment->id,
                       segment->flags);
}

/* The line of a pattern with numbers, in the arena; NULL without memory. */
static const char *write_line(cmw_response *response, const cmw_field_pattern *pattern,
                              const uint64_t *numbers, uint32_t *len)
{
    char *const line = cmw__arena_alloc_text(response->arena, pattern->room);
    char *at = line;

    if (!line)
        return NULL;
    for (uint32_t i = 0; i < pattern->head_len; i += QUICK_HEAD) /* both have that much room */
        memcpy(at + i, pattern->head + i, QUICK_HEAD);
    at += pattern->head_len;
    for (size_t i = 0; i < pattern->number_count; i++) {
        at = put_number(at, numbers[i]);
        memcpy(at, &pattern->pieces[i], 16); /* the length behind the text is overwritten */
        at += pattern->pieces[i].len;
    }
    memcpy(at, "\r\n", 2);
    *len = (uint32_t)(at + 2 - line);
    return line;
}

static CMW__NOINLINE int append_slowly(cmw_response *response, const cmw_field_pattern *pattern,
                                       const uint64_t *numbers)
{
    struct cmw__segment line = pattern->line;

    if ((response->flags & CMW__RESPONSE_FROZEN) || !response->arena)
        return CMW_ERR_STATE;
    if (cmw__response_reserve(response, 1u + pattern->has_beside) != 0)
        return CMW_ERR_NOMEM;
    line.bytes = pattern->head;
    line.len = pattern->head_len;
    line.flags = CMW__SEGMENT_STATIC;
    if (pattern->number_count > 0) {
        line.bytes = write_line(response, pattern, numbers, &line.len);
        line.flags = 0;
        if (!line.bytes)
            return CMW_ERR_NOMEM;
    }
    push(response, &line);
    if (pattern->has_beside)
        push(response, &pattern->beside);
    response->ids[0] |= pattern->ids[0];
    response->ids[1] |= pattern->ids[1];
    return 0;
}

/* 1 if it is frozen, answers HEAD, or the handler runs: bytes that are asked as one. */
static inline int is_unusual(const cmw_response *response)
{
    uint16_t both;

    _Static_assert(offsetof(cmw_response, origin) == offsetof(cmw_response, flags) + 1,
                   "they are neighbours");
    memcpy(&both, (const char *)response + offsetof(cmw_response, flags), sizeof both);
    return both != 0;
}

/* One number below a million at the end of a line that nothing goes with: 1, or 0: not so. */
static inline int append_single(cmw_response *response, const cmw_field_pattern *pattern,
                                const uint64_t *numbers)
{
    if (!pattern->is_single || pattern->has_beside || is_unusual(response) ||
        response->segment_count == response->segment_cap || numbers[0] >= 1000000)
        return 0;
    cmw_arena *const arena = response->arena;
    char *const line = arena->room.cursor;
    if (CMW_UNLIKELY(pattern->room > (size_t)(arena->room.end - line)))
        return 0;
    cmw__unpoison(line, pattern->room);
    for (uint32_t i = 0; i < pattern->head_len; i += QUICK_HEAD)
        memcpy(line + i, pattern->head + i, QUICK_HEAD);
    char *const end = put_medium(line + pattern->head_len, numbers[0]);
    memcpy(end, "\r\n", 2);
    cmw__poison(end + 2, pattern->room - (size_t)(end + 2 - line));
    arena->room.cursor = end + 2;

    struct cmw__segment *const segment = response->segments + response->segment_count++;
    *segment = pattern->line;
    segment->bytes = line;
    segment->len = (uint32_t)(end + 2 - line);
    response->ids[0] |= pattern->ids[0];
    response->ids[1] |= pattern->ids[1];
    return 1;
}

/* Two numbers between three texts, and a constant line beside: 1, or 0: it is not that, or there is
 * no room. `put` writes numbers below `limit`; it is inlined. */
static CMW__ALWAYS_INLINE int append_double(cmw_response *response,
                                            const cmw_field_pattern *pattern, uint64_t first,
                                            uint64_t second, uint64_t limit,
                                            char *put(char *at, uint64_t number))
{
    const unsigned count = response->segment_count;
    cmw_arena *const arena = response->arena;

    if (CMW_UNLIKELY(is_unusual(response) || count + 2 > response->segment_cap || first >= limit ||
                     second >= limit))
        return 0;
    char *const line = arena->room.cursor; /* there is an arena, unless the response is frozen */
    if (CMW_UNLIKELY(pattern->quick_room > (size_t)(arena->room.end - line)))
        return 0;
    cmw__unpoison(line, pattern->room);
    memcpy(line, pattern->head, QUICK_HEAD);
    char *at = put(line + pattern->head_len, first);
    memcpy(at, &pattern->pieces[0], 16); /* the length behind the text is overwritten */
    at = put(at + pattern->pieces[0].len, second);
    memcpy(at, &pattern->tail, 16);
    at += pattern->tail.len;
    cmw__poison(at, pattern->room - (size_t)(at - line));
    arena->room.cursor = at;

    struct cmw__segment *const segments = response->segments + count;
    segments[0] = pattern->line;
    segments[0].bytes = line;
    segments[0].len = (uint32_t)(at - line);
    segments[1] = pattern->beside;
    response->segment_count = (uint16_t)(count + 2);
    response->ids[0] |= pattern->ids[0];
    response->ids[1] |= pattern->ids[1];
    return 1;
}

static CMW__NOINLINE int append_other_pair(cmw_response *response, const cmw_field_pattern *pattern,
                                           uint64_t first, uint64_t second)
{
    const uint64_t numbers[2] = {first, second};

    if (pattern->number_count != 2)
        return CMW_ERR_ARG;
    if (append_double(response, pattern, first, second, 1000000, put_medium))
        return 0;
    return append_slowly(response, pattern, numbers);
}

/* What is not usual (other numbers, the handler's own fields, no room) is the last call, so that
 * nothing needs to be saved. */
int cmw_response_append_pair(cmw_response *response, const cmw_field_pattern *pattern,
                             uint64_t first, uint64_t second)
{
    return CMW_LIKELY(append_double(response, pattern, first, second, 1000, put_small))
               ? 0
               : append_other_pair(response, pattern, first, second);
}

int cmw_response_append_pattern(cmw_response *response, const cmw_field_pattern *pattern,
                                const uint64_t *numbers)
{
    if (pattern->number_count == 2)
        return cmw_response_append_pair(response, pattern, numbers[0], numbers[1]);
    return append_single(response, pattern, numbers) ? 0
                                                     : append_slowly(response, pattern, numbers);
}
