/* SPDX-License-Identifier: MIT */
/*
 * The response: status and header fields.
 *
 * Setting a field that is not there is the hot path: one bit test, one piece of arena for the line,
 * one segment. A field that is there is taken away first, and the new line comes last.
 */
#include "arena_state.h"
#include "block16.h"
#include "response_fields.h"

static int is_frozen(const cmw_response *response)
{
    return (response->flags & CMW__RESPONSE_FROZEN) != 0;
}

int cmw_response_status(const cmw_response *response)
{
    return response->status;
}

int cmw_response_set_status(cmw_response *response, int status)
{
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (status < 100 || status > 999)
        return CMW_ERR_ARG;
    response->status = (uint16_t)status;
    return 0;
}

/* ---- Lines ------------------------------------------------------------------------------ */

/* One bit for each id, of those below 64 and of the rest. */
#define LOW_BIT(id) ((id) < 64 ? UINT64_C(1) << ((id)&63) : 0)
#define HIGH_BIT(id) ((id) < 64 ? 0 : UINT64_C(1) << ((id)&63))
#define LOW_BIT_OR(constant, number, name) LOW_BIT(number) |
#define HIGH_BIT_OR(constant, number, name) HIGH_BIT(number) |

#define MANAGED_LOW                                                                                \
    (LOW_BIT(CMW_HDR_CONTENT_LENGTH) | LOW_BIT(CMW_HDR_CONNECTION) | LOW_BIT(CMW_HDR_KEEP_ALIVE))
#define MANAGED_HIGH                                                                               \
    (HIGH_BIT(CMW_HDR_TRANSFER_ENCODING) | HIGH_BIT(CMW_HDR_UPGRADE) | HIGH_BIT(CMW_HDR_TRAILER))

static const uint64_t managed_ids[2] = {MANAGED_LOW, MANAGED_HIGH};

/* Those that callers may not set: not known, or managed. */
static const uint64_t other_ids[2] = {~(CMW_HEADER_LIST(LOW_BIT_OR) 0) | MANAGED_LOW,
                                      ~(CMW_HEADER_LIST(HIGH_BIT_OR) 0) | MANAGED_HIGH};

int cmw__id_is_managed(unsigned id)
{
    return cmw__has_id(managed_ids, id);
}

static inline int is_settable(cmw_header_id id)
{
    return (unsigned)id < CMW_HDR_LIMIT && !cmw__has_id(other_ids, (unsigned)id);
}

/* 1 if the id may be set and no field has it yet: one test of both sets. */
static inline int is_new(const cmw_response *response, cmw_header_id id)
{
    const unsigned word = (unsigned)id >> 6;

    return (unsigned)id < CMW_HDR_LIMIT &&
           !((response->ids[word] | other_ids[word]) & cmw__id_bit((unsigned)id));
}

/* 1 if neither end is a blank or a control byte: nothing below "!". */
static inline int has_clean_ends(cmw_str value)
{
    return (unsigned char)value.data[0] > ' ' && (unsigned char)value.data[value.len - 1] > ' ';
}

/* The same as below where a segment or arena memory is short, or a value needs a closer look. */
static CMW__NOINLINE int push_known_slowly(cmw_response *response, cmw_header_id id, cmw_str value)
{
    const struct cmw__header_prefix *const prefix = &cmw__header_prefixes[id];
    const size_t len = prefix->len + value.len + 2;

    if (!cmw__value_is_clean(value))
        return CMW_ERR_INVALID;
    if (cmw__response_reserve(response, 1) != 0)
        return CMW_ERR_NOMEM;
    char *line = cmw__arena_alloc_text(response->arena, len);
    if (!line)
        return CMW_ERR_NOMEM;
    char *end = cmw__copy_short(line, prefix->text, prefix->len);
    end = cmw__copy_short(end, value.data, value.len);
    memcpy(end, "\r\n", 2);
    cmw__response_push(response, line, len, prefix->len - 2u, id, 0);
    cmw__add_id(response->ids, id);
    return 0;
}

/* Room beside a line: its prefix is copied as 32 or 48 bytes, whatever its length. */
enum { LINE_SLACK = sizeof(struct cmw__header_prefix) };

/*
 * Write "Name: value\r\n" of a known field into the arena and push it.
 *
 * The hottest of the library's writers: the line is written where the arena goes on, looked at as
 * it is copied, and only then taken from the arena. Values are printable ASCII, nearly always; what
 * is not (HTAB, UTF-8, what is forbidden) is looked at again. It calls nothing but at its end.
 */
static CMW__ALWAYS_INLINE int push_known(cmw_response *response, cmw_header_id id, cmw_str value)
{
    const struct cmw__header_prefix *const prefix = &cmw__header_prefixes[id];
    const size_t prefix_len = prefix->len;
    const size_t len = prefix_len + value.len + 2;
    cmw_arena *const arena = response->arena;
    char *const line = arena->room.cursor;

    if (CMW_UNLIKELY(len + LINE_SLACK > (size_t)(arena->room.end - line) ||
                     response->segment_count >= response->segment_cap || value.len == 0))
        return push_known_slowly(response, id, value);
    if (CMW_UNLIKELY(!has_clean_ends(value)))
        return CMW_ERR_INVALID;
    cmw__unpoison(line, len + LINE_SLACK);
    memcpy(line, prefix->text, 32);
    if (CMW_UNLIKELY(prefix_len > 32))
        memcpy(line + 32, prefix->text + 32, 16);
    char *const at = line + prefix_len;
    if (CMW_UNLIKELY(cmw__copy_is_odd(at, value.data, value.len))) {
        cmw__poison(line, len + LINE_SLACK);
        return push_known_slowly(response, id, value);
    }
    memcpy(at + value.len, "\r\n", 2);
    cmw__poison(line + len, LINE_SLACK);
    arena->room.cursor = line + len;
    cmw__response_push(response, line, len, prefix_len - 2, id, 0);
    cmw__add_id(response->ids, id);
    return 0;
}

/* Write "Name: value\r\n" and the lower-case name. */
static char *make_other_line(cmw_response *response, cmw_str name, cmw_str value)
{
    char *line = cmw__arena_alloc_text(response->arena, 2 * name.len + value.len + 4);
    if (!line)
        return NULL;
    char *end = cmw__copy_short(line, name.data, name.len);
    end = cmw__copy_short(end, ": ", 2);
    end = cmw__copy_short(end, value.data, value.len);
    end = cmw__copy_short(end, "\r\n", 2);
    cmw__lower_copy(end, name);
    return line;
}

static void push_other(cmw_response *response, const char *line, size_t name_len, size_t value_len)
{
    cmw__response_push(response, line, name_len + value_len + 4, name_len, CMW_HDR_OTHER, 0);
    cmw__add_id(response->ids, CMW_HDR_OTHER);
}

/* ---- Setting and appending -------------------------------------------------------------- */

static struct cmw__filter filter_of_id(cmw_header_id id)
{
    struct cmw__filter filter = {.ids = {0, 0}};
    cmw__add_id(filter.ids, id);
    return filter;
}

static struct cmw__filter filter_of_name(cmw_str lower)
{
    struct cmw__filter filter = {.ids = {1, 0}, .lower = lower};
    return filter;
}

/* The field is there: make its line, then let it take the place of the others. */
static int replace_known(cmw_response *response, cmw_header_id id, cmw_str value)
{
    const struct cmw__filter filter = filter_of_id(id);
    size_t growth;

    if (!cmw__value_is_clean(value))
        return CMW_ERR_INVALID;
    if (cmw__response_make_room(response, &filter, &growth, 1) != 0)
        return CMW_ERR_NOMEM;
    /* The new line is pushed behind the old ones, and then moved: pushing can fail, dropping not.
     */
    const int rc = push_known_slowly(response, id, value);
    if (rc != 0)
        return rc;
    const struct cmw__segment line = response->segments[--response->segment_count];
    cmw__response_drop(response, &filter, growth);
    response->segments[response->segment_count++] = line;
    cmw__add_id(response->ids, id);
    return 0;
}

static CMW__NOINLINE int set_again(cmw_response *response, cmw_header_id id, cmw_str value)
{
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (!is_settable(id))
        return CMW_ERR_ARG;
    return replace_known(response, id, value);
}

int cmw_response_set(cmw_response *response, cmw_header_id id, cmw_str value)
{
    if (CMW_UNLIKELY(is_frozen(response) || !is_new(response, id)))
        return set_again(response, id, value);
    return push_known(response, id, value);
}

int cmw__response_set_managed(cmw_response *response, cmw_header_id id, cmw_str value)
{
    return push_known_slowly(response, id, value);
}

int cmw_response_append(cmw_response *response, cmw_header_id id, cmw_str value)
{
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (!is_settable(id))
        return CMW_ERR_ARG;
    const int rc = push_known(response, id, value);
    if (rc == 0 && id == CMW_HDR_CONTENT_TYPE)
        cmw__response_forget_type(response); /* one set by hand takes its place */
    return rc;
}

/* What a name given as text must be, beyond what its id says. */
static int check_other(const cmw_response *response, cmw_str name, cmw_str value)
{
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (name.len > CMW__NAME_MAX || !cmw_header_name_is_valid(name) || !cmw__value_is_clean(value))
        return CMW_ERR_INVALID;
    return 0;
}

int cmw_response_set_named(cmw_response *response, cmw_str name, cmw_str value)
{
    const cmw_header_id id = cmw_header_id_find(name);
    size_t growth = 0;

    if (id != CMW_HDR_OTHER)
        return cmw_response_set(response, id, value);
    const int rc = check_other(response, name, value);
    if (rc != 0)
        return rc;

    const char *line = make_other_line(response, name, value);
    if (!line)
        return CMW_ERR_NOMEM;
    const cmw_str lower = cmw_str_make(line + name.len + value.len + 4, name.len);
    const struct cmw__filter filter = filter_of_name(lower);
    if (!cmw__response_has_other(response, lower)) {
        if (cmw__response_reserve(response, 1) != 0)
            return CMW_ERR_NOMEM;
    } else {
        if (cmw__response_make_room(response, &filter, &growth, 1) != 0)
            return CMW_ERR_NOMEM;
        cmw__response_drop(response, &filter, growth);
    }
    push_other(response, line, name.len, value.len);
    return 0;
}

int cmw_response_append_named(cmw_response *response, cmw_str name, cmw_str value)
{
    const cmw_header_id id = cmw_header_id_find(name);

    if (id != CMW_HDR_OTHER)
        return cmw_response_append(response, id, value);
    const int rc = check_other(response, name, value);
    if (rc != 0)
        return rc;

    const char *line = make_other_line(response, name, value);
    if (!line || cmw__response_reserve(response, 1) != 0)
        return CMW_ERR_NOMEM;
    push_other(response, line, name.len, value.len);
    return 0;
}

/* ---- Removing --------------------------------------------------------------------------- */

static int remove_matching(cmw_response *response, const struct cmw__filter *filter)
{
    size_t growth;

    if (cmw__response_make_room(response, filter, &growth, 0) != 0)
        return CMW_ERR_NOMEM;
    cmw__response_drop(response, filter, growth);
    return 0;
}

int cmw_response_remove(cmw_response *response, cmw_header_id id)
{
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (!is_settable(id))
        return CMW_ERR_ARG;
    if (!cmw__has_id(response->ids, id))
        return 0;
    const struct cmw__filter filter = filter_of_id(id);
    return remove_matching(response, &filter);
}

/* The name as the response keeps it: its lower case, from arena memory if it has upper-case letters
 * and is long. `room` has 64 bytes. */
static int lower_name(cmw_response *response, cmw_str *out, char *room, cmw_str name)
{
    char *lower = room;

    if (name.len > 64)
        lower = cmw__arena_alloc_text(response->arena, name.len);
    if (!lower)
        return CMW_ERR_NOMEM;
    cmw__lower_copy(lower, name);
    *out = cmw_str_make(lower, name.len);
    return 0;
}

int cmw_response_remove_named(cmw_response *response, cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);
    char room[64];
    cmw_str lower;

    if (id != CMW_HDR_OTHER)
        return cmw_response_remove(response, id);
    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (name.len > CMW__NAME_MAX || !cmw_header_name_is_valid(name))
        return CMW_ERR_INVALID;
    if (!cmw_response_has_named(response, name))
        return 0;
    if (lower_name(response, &lower, room, name) != 0)
        return CMW_ERR_NOMEM;
    const struct cmw__filter filter = filter_of_name(lower);
    return remove_matching(response, &filter);
}

static CMW__NOINLINE int remove_set(cmw_response *response, const cmw_header_set *set)
{
    /* Bit 0 means names without an id, which a set cannot name. */
    const struct cmw__filter filter = {.ids = {set->bits[0] & ~(uint64_t)1, set->bits[1]}};

    return remove_matching(response, &filter);
}

int cmw_response_remove_any(cmw_response *response, const cmw_header_set *set)
{
    const uint64_t managed = (managed_ids[0] & set->bits[0]) | (managed_ids[1] & set->bits[1]);

    if (CMW_UNLIKELY(managed != 0 || is_frozen(response)))
        return managed ? CMW_ERR_ARG : CMW_ERR_STATE;
    return cmw_response_has_any(response, set) ? remove_set(response, set) : 0;
}

/* ---- Reading ---------------------------------------------------------------------------- */

static cmw_str nothing(void)
{
    return cmw_str_make(NULL, 0);
}

/* Step `cursor` to the next field with the id; for CMW_HDR_OTHER also with the name, in any case.
 */
static int next_value(const cmw_response *response, cmw_header_cursor *cursor, cmw_header_id id,
                      cmw_str name, cmw_str *value)
{
    const cmw_str known = cmw__header_id_table[id].name;
    cmw_header header;

    while (cmw_response_next_header(response, cursor, &header, 0)) {
        if (!cmw_str_equals_fold(header.name, id != CMW_HDR_OTHER ? known : name))
            continue;
        *value = header.value;
        return 1;
    }
    return 0;
}

_Static_assert(offsetof(cmw_response, ids) == 0 &&
                   sizeof(((cmw_response *)0)->ids) == sizeof(cmw_header_set),
               "what is in line in the public header sees the ids");

/* In parentheses: functions, not the macros for the forms in line. */
int(cmw_response_has)(const cmw_response *response, cmw_header_id id)
{
    const unsigned index = (unsigned)id;
    return index - 1 < CMW_HDR_LIMIT - 1 && cmw__has_id(response->ids, index);
}

int(cmw_response_has_any)(const cmw_response *response, const cmw_header_set *set)
{
    return ((response->ids[0] & set->bits[0] & ~(uint64_t)1) | (response->ids[1] & set->bits[1])) !=
           0;
}

/* Of a run of a block, which may be a part of it. */
static CMW__NOINLINE cmw_str value_in_run(const struct cmw__segment *segment, unsigned id)
{
    struct cmw__run run = cmw__run_of(segment);
    const struct cmw__block_field *field;

    if (cmw__has_id(run.block->ids, id))
        for (; (field = cmw__run_at(&run)) != NULL; run.field++)
            if (field->id == id)
                return cmw__line_value(run.block->bytes + field->line, field->name_len,
                                       field->line_len);
    return nothing();
}

static CMW__NOINLINE cmw_str value_of_constants(const cmw_response *response, unsigned id)
{
    return value_in_run(&response->constants->whole, id);
}

/* Known fields are known by their ids: no name is compared. */
cmw_str cmw_response_get(const cmw_response *response, cmw_header_id id)
{
    const struct cmw__segment *segment = response->segments;
    const unsigned index = (unsigned)id;

    if (index - 1 >= CMW_HDR_LIMIT - 1)
        return nothing();
    if (CMW_UNLIKELY(response->flags & CMW__RESPONSE_CONSTANT))
        return value_of_constants(response, index);
    if (!cmw__has_id(response->ids, index))
        return nothing();
    for (const struct cmw__segment *const end = segment + response->segment_count; segment < end;
         segment++) {
        if (segment->flags & CMW__SEGMENT_BLOCK) {
            const cmw_str value = value_in_run(segment, index);
            if (value.data)
                return value;
        } else if (segment->id == index) {
            return cmw__line_value(segment->bytes, segment->name_len, segment->len);
        }
    }
    return nothing();
}

cmw_str cmw_response_get_named(const cmw_response *response, cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);
    cmw_header_cursor cursor = {0, 0};
    cmw_str value = nothing();

    if (id != CMW_HDR_OTHER)
        return cmw_response_get(response, id);
    if (name.len > 0 && cmw__has_id(response->ids, CMW_HDR_OTHER))
        (void)next_value(response, &cursor, CMW_HDR_OTHER, name, &value);
    return value;
}

int cmw_response_has_named(const cmw_response *response, cmw_str name)
{
    return cmw_response_get_named(response, name).data != NULL;
}

/* ---- List fields ------------------------------------------------------------------------ */

/* The member at `*at`, without the blanks around it, and `*at` behind its comma: 1, or 0 at the
 * end. A comma in a quoted string separates nothing. */
static int next_member(cmw_str list, size_t *at, cmw_str *member)
{
    size_t start = *at;
    int is_quoted = 0;

    if (start >= list.len)
        return 0;
    size_t end = start;
    for (; end < list.len && (is_quoted || list.data[end] != ','); end++) {
        if (is_quoted && list.data[end] == '\\' && end + 1 < list.len)
            end++;
        else if (list.data[end] == '"')
            is_quoted = !is_quoted;
    }
    *at = end + 1;
    while (start < end && (list.data[start] == ' ' || list.data[start] == '\t'))
        start++;
    while (end > start && (list.data[end - 1] == ' ' || list.data[end - 1] == '\t'))
        end--;
    *member = cmw_str_make(list.data + start, end - start);
    return 1;
}

static int list_has(cmw_str list, cmw_str token)
{
    cmw_str member;
    size_t at = 0;

    while (next_member(list, &at, &member)) {
        if (cmw_str_equals_fold(member, token))
            return 1;
    }
    return 0;
}

/* Look through all lines of a list: 1 if the token need not be added. `*len` is the room that the
 * values joined by ", " need. */
static int measure_list(const cmw_response *response, cmw_header_id id, cmw_str token, size_t *len)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_str value;

    *len = 0;
    while (next_value(response, &cursor, id, nothing(), &value)) {
        if (list_has(value, token) || (id == CMW_HDR_VARY && list_has(value, CMW_STR("*"))))
            return 1;
        *len += value.len > 0 ? value.len + 2 : 0;
    }
    return 0;
}

/* All lines of the list, then the token, as one value. */
static void join_list(char *out, const cmw_response *response, cmw_header_id id, cmw_str token)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_str value;

    while (next_value(response, &cursor, id, nothing(), &value)) {
        if (value.len == 0)
            continue;
        out = cmw__copy_short(out, value.data, value.len);
        out = cmw__copy_short(out, ", ", 2);
    }
    (void)cmw__copy_short(out, token.data, token.len);
}

int cmw_response_add_token(cmw_response *response, cmw_header_id id, cmw_str token)
{
    size_t len;

    if (is_frozen(response))
        return CMW_ERR_STATE;
    if (!is_settable(id))
        return CMW_ERR_ARG;
    if (!cmw_header_name_is_valid(token))
        return CMW_ERR_INVALID;
    if (!cmw__has_id(response->ids, id))
        return push_known_slowly(response, id, token);
    if (measure_list(response, id, token, &len))
        return 0;
    if (id == CMW_HDR_VARY && cmw_str_equals(token, CMW_STR("*")))
        return replace_known(response, id, token);

    char *joined = cmw__arena_alloc_text(response->arena, len + token.len);
    if (!joined)
        return CMW_ERR_NOMEM;
    join_list(joined, response, id, token);
    return replace_known(response, id, cmw_str_make(joined, len + token.len));
}
