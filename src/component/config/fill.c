/* SPDX-License-Identifier: MIT */
/*
 * From JSON to a struct, as an option table says: a reader for each type.
 *
 * A name may stand in several rows. The row whose type is that of the value is taken; failing that,
 * one that takes it in a looser way (one text for a list of one).
 */
#include "document_state.h"

#include <stdio.h>

struct filler {
    cmw_document *document;
    cmw_arena *arena;
};

typedef int accepts_fn(const cmw_option *option, const json_t *value);
typedef void store_fn(struct filler *filler, char *member, const cmw_option *option,
                      const json_t *value, const struct step *at);

struct reader {
    const char *expects; /* for "must be ..." */
    accepts_fn *accepts;
    accepts_fn *tolerates; /* or NULL */
    store_fn *store;
};

static const struct reader *reader_of(const cmw_option *option);

const char *cmw__name_of_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "text";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "nothing known";
}

/* ---- Memory ----------------------------------------------------------------------------- */

static void *take(struct filler *filler, size_t count, size_t size)
{
    void *const room = cmw_arena_alloc(filler->arena, count > 0 ? count * size : 1);

    if (!room)
        cmw__note_no_memory(filler->document);
    else
        memset(room, 0, count > 0 ? count * size : 1);
    return room;
}

static void set_pointer(char *member, const void *pointer)
{
    memcpy(member, &pointer, sizeof pointer);
}

/* A pointer, and the number of what it points to right after it. */
static void set_list(char *member, const void *list, size_t count)
{
    set_pointer(member, list);
    memcpy(member + sizeof list, &count, sizeof count);
}

/* ---- What a type takes ------------------------------------------------------------------ */

static int accepts_any(const cmw_option *option, const json_t *value)
{
    (void)option;
    (void)value;
    return 1;
}

static int accepts_bool(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_boolean(value);
}

static int accepts_int(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_integer(value);
}

static int accepts_text(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_string(value);
}

static int accepts_object(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_object(value);
}

/* An empty list is of either kind. */
static int accepts_text_list(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_array(value) && !json_is_object(json_array_get(value, 0));
}

static int accepts_object_list(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_array(value) &&
           (json_array_size(value) == 0 || json_is_object(json_array_get(value, 0)));
}

static int tolerates_list(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_array(value);
}

static int tolerates_one_text(const cmw_option *option, const json_t *value)
{
    (void)option;
    return json_is_string(value) || json_is_array(value);
}

/* The index of a text in "keep|strip|add", or -1. */
static int find_choice(const char *choices, const char *text)
{
    const size_t len = strlen(text);

    for (int index = 0; choices; index++) {
        const char *const end = strchr(choices, '|');
        const size_t choice_len = end ? (size_t)(end - choices) : strlen(choices);
        if (choice_len == len && memcmp(choices, text, len) == 0)
            return index;
        choices = end ? end + 1 : NULL;
    }
    return -1;
}

static int accepts_choice(const cmw_option *option, const json_t *value)
{
    return json_is_string(value) && find_choice(option->choices, json_string_value(value)) >= 0;
}

/* ---- How it is stored ------------------------------------------------------------------- */

static void store_nothing(struct filler *filler, char *member, const cmw_option *option,
                          const json_t *value, const struct step *at)
{
    (void)filler;
    (void)member;
    (void)option;
    (void)value;
    (void)at;
}

static void store_bool(struct filler *filler, char *member, const cmw_option *option,
                       const json_t *value, const struct step *at)
{
    const int truth = json_is_true(value);

    (void)filler;
    (void)option;
    (void)at;
    memcpy(member, &truth, sizeof truth);
}

static void store_int(struct filler *filler, char *member, const cmw_option *option,
                      const json_t *value, const struct step *at)
{
    const int64_t number = json_integer_value(value);

    if (option->min != option->max && (number < option->min || number > option->max))
        (void)cmw__note(filler->document, at, CMW_ERR_INVALID, "must be in %lld..%lld, not %lld",
                        (long long)option->min, (long long)option->max, (long long)number);
    else
        memcpy(member, &number, sizeof number);
}

static void store_text(struct filler *filler, char *member, const cmw_option *option,
                       const json_t *value, const struct step *at)
{
    (void)filler;
    (void)option;
    (void)at;
    set_pointer(member, json_string_value(value));
}

static void store_switch(struct filler *filler, char *member, const cmw_option *option,
                         const json_t *value, const struct step *at)
{
    (void)filler;
    (void)option;
    (void)at;
    if (json_is_false(value))
        set_pointer(member, "");
}

static void suggest_choice(struct suggestion *suggestion, const cmw_option *option, char *copies,
                           size_t cap)
{
    (void)snprintf(copies, cap, "%s", option->choices);
    for (char *at = copies, *end; at; at = end) {
        end = strchr(at, '|');
        if (end)
            *end++ = '\0';
        cmw__suggest_add(suggestion, at);
    }
}

static void refuse_choice(struct filler *filler, const cmw_option *option, const char *given,
                          const struct step *at)
{
    struct suggestion suggestion;
    char text[SUGGESTION_CAP];
    char copies[256];

    cmw__suggest_init(&suggestion, given);
    suggest_choice(&suggestion, option, copies, sizeof copies);
    (void)cmw__note(filler->document, at, CMW_ERR_INVALID, "must be one of %s, not '%s'%s",
                    option->choices, given, cmw__suggest_text(&suggestion, text));
}

static void store_choice(struct filler *filler, char *member, const cmw_option *option,
                         const json_t *value, const struct step *at)
{
    const int index = find_choice(option->choices, json_string_value(value));

    if (index < 0)
        refuse_choice(filler, option, json_string_value(value), at);
    else
        memcpy(member, &index, sizeof index);
}

/* The texts of an array, or of one text; NULL with a mistake noted. */
static const char **read_texts(struct filler *filler, const json_t *value, const struct step *at,
                               size_t *count)
{
    *count = json_is_string(value) ? 1 : json_array_size(value);
    const char **texts = take(filler, *count, sizeof *texts);
    if (texts && json_is_string(value))
        texts[0] = json_string_value(value);
    for (size_t i = 0; texts && json_is_array(value) && i < *count; i++) {
        const json_t *const element = json_array_get(value, i);
        const struct step step = {at, NULL, i};
        texts[i] = json_string_value(element);
        if (!texts[i])
            (void)cmw__note(filler->document, &step, CMW_ERR_INVALID, "must be text, not %s",
                            cmw__name_of_type(element));
    }
    return texts;
}

static void store_text_list(struct filler *filler, char *member, const cmw_option *option,
                            const json_t *value, const struct step *at)
{
    size_t count;
    const char **const texts = read_texts(filler, value, at, &count);

    (void)option;
    if (texts)
        set_list(member, texts, count);
}

static void store_text_map(struct filler *filler, char *member, const cmw_option *option,
                           const json_t *value, const struct step *at)
{
    const size_t count = json_object_size(value);
    cmw_option_text *const map = take(filler, count, sizeof *map);
    const char *name;
    json_t *text;
    size_t i = 0;

    (void)option;
    if (!map)
        return;
    json_object_foreach((json_t *)(uintptr_t)value, name, text)
    {
        const struct step step = {at, name, i};
        map[i++] = (cmw_option_text){name, json_string_value(text)};
        if (!json_is_string(text))
            (void)cmw__note(filler->document, &step, CMW_ERR_INVALID, "must be text, not %s",
                            cmw__name_of_type(text));
    }
    set_list(member, map, count);
}

static void store_list_map(struct filler *filler, char *member, const cmw_option *option,
                           const json_t *value, const struct step *at)
{
    const size_t count = json_object_size(value);
    cmw_option_list *const map = take(filler, count, sizeof *map);
    const char *name;
    json_t *list;
    size_t i = 0;

    (void)option;
    if (!map)
        return;
    json_object_foreach((json_t *)(uintptr_t)value, name, list)
    {
        const struct step step = {at, name, i};
        map[i].name = name;
        if (!json_is_string(list) && !json_is_array(list))
            (void)cmw__note(filler->document, &step, CMW_ERR_INVALID,
                            "must be text or a list of texts, not %s", cmw__name_of_type(list));
        else
            map[i].texts = read_texts(filler, list, &step, &map[i].count);
        i++;
    }
    set_list(member, map, count);
}

static void fill_member_object(struct filler *filler, void *object, const cmw_option *option,
                               const json_t *value, const struct step *at)
{
    const struct table table = {option->members, option->member_count, "member of", option->name,
                                0};

    if (option->object_init)
        option->object_init(object);
    cmw__fill(filler->document, filler->arena, object, &table, value, at);
}

static void store_object(struct filler *filler, char *member, const cmw_option *option,
                         const json_t *value, const struct step *at)
{
    void *const object = take(filler, 1, option->object_size);

    if (!object)
        return;
    fill_member_object(filler, object, option, value, at);
    set_pointer(member, object);
}

static void store_object_list(struct filler *filler, char *member, const cmw_option *option,
                              const json_t *value, const struct step *at)
{
    const size_t count = json_array_size(value);
    char *const objects = take(filler, count, option->object_size);

    for (size_t i = 0; objects && i < count; i++) {
        const json_t *const element = json_array_get(value, i);
        const struct step step = {at, NULL, i};
        if (json_is_object(element))
            fill_member_object(filler, objects + i * option->object_size, option, element, &step);
        else
            (void)cmw__note(filler->document, &step, CMW_ERR_INVALID, "must be an object, not %s",
                            cmw__name_of_type(element));
    }
    if (objects)
        set_list(member, objects, count);
}

static const struct reader readers[] = {
    [CMW__OPTION_ANY] = {"anything", accepts_any, NULL, store_nothing},
    [CMW_OPTION_BOOL] = {"true or false", accepts_bool, NULL, store_bool},
    [CMW_OPTION_INT] = {"a whole number", accepts_int, NULL, store_int},
    [CMW_OPTION_TEXT] = {"text", accepts_text, NULL, store_text},
    [CMW_OPTION_TEXT_LIST] = {"a list of texts", accepts_text_list, tolerates_one_text,
                              store_text_list},
    [CMW_OPTION_CHOICE] = {"text", accepts_choice, accepts_text, store_choice},
    [CMW_OPTION_SWITCH] = {"true or false", accepts_bool, NULL, store_switch},
    [CMW_OPTION_TEXT_MAP] = {"an object of texts", accepts_object, NULL, store_text_map},
    [CMW_OPTION_LIST_MAP] = {"an object of lists of texts", accepts_object, NULL, store_list_map},
    [CMW_OPTION_OBJECT] = {"an object", accepts_object, NULL, store_object},
    [CMW_OPTION_OBJECT_LIST] = {"a list of objects", accepts_object_list, tolerates_list,
                                store_object_list},
};

static const struct reader *reader_of(const cmw_option *option)
{
    return (size_t)option->type < LEN(readers) ? &readers[option->type] : NULL;
}

/* ---- Tables ----------------------------------------------------------------------------- */

static int is_named(const struct table *table, size_t row, const char *name)
{
    return reader_of(&table->options[row]) && strcmp(table->options[row].name, name) == 0;
}

/* The row of a name that takes a value, first by type, then in a looser way; or NULL. */
static const cmw_option *find_row(const struct table *table, const char *name, const json_t *value)
{
    for (size_t i = 0; i < table->count; i++)
        if (is_named(table, i, name) &&
            reader_of(&table->options[i])->accepts(&table->options[i], value))
            return &table->options[i];
    for (size_t i = 0; i < table->count; i++) {
        const struct reader *const reader = reader_of(&table->options[i]);
        if (is_named(table, i, name) && reader->tolerates &&
            reader->tolerates(&table->options[i], value))
            return &table->options[i];
    }
    return NULL;
}

static int has_name(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (is_named(table, i, name))
            return 1;
    return 0;
}

static void refuse_name(cmw_document *document, const struct table *table, const char *name,
                        const struct step *at)
{
    struct suggestion suggestion;
    char text[SUGGESTION_CAP];
    const char *const quote = table->owner ? "'" : "";

    cmw__suggest_init(&suggestion, name);
    for (size_t i = 0; i < table->count; i++)
        cmw__suggest_add(&suggestion, table->options[i].name);
    (void)cmw__note(document, at, CMW_ERR_NOT_FOUND, "unknown %s%s%s%s%s%s", table->noun,
                    table->owner ? " " : "", quote, table->owner ? table->owner : "", quote,
                    cmw__suggest_text(&suggestion, text));
}

/* "must be true or false or a list of texts, not a number". */
static void refuse_type(cmw_document *document, const struct table *table, const char *name,
                        const json_t *value, const struct step *at)
{
    char expects[256];
    size_t len = 0;

    for (size_t i = 0; i < table->count && len < sizeof expects; i++)
        if (is_named(table, i, name))
            len += (size_t)snprintf(expects + len, sizeof expects - len, "%s%s",
                                    len > 0 ? " or " : "", reader_of(&table->options[i])->expects);
    (void)cmw__note(document, at, CMW_ERR_INVALID, "must be %s, not %s", expects,
                    cmw__name_of_type(value));
}

static int is_first_of_name(const struct table *table, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (is_named(table, i, table->options[row].name))
            return 0;
    return 1;
}

static void check_required(cmw_document *document, const struct table *table, const json_t *value,
                           const struct step *at)
{
    for (size_t i = 0; i < table->count; i++) {
        const cmw_option *const option = &table->options[i];
        if (!table->is_partial && (option->flags & CMW_OPTION_REQUIRED) &&
            is_first_of_name(table, i) && !json_object_get(value, option->name))
            (void)cmw__note(document, at, CMW_ERR_NOT_FOUND, "'%s' is missing", option->name);
    }
}

void cmw__fill(cmw_document *document, cmw_arena *arena, void *object, const struct table *table,
               const json_t *value, const struct step *at)
{
    struct filler filler = {document, arena};
    struct step step = {at, NULL, 0};
    const char *name;
    json_t *member;

    check_required(document, table, value, at);
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        const cmw_option *const option = find_row(table, name, member);
        step.key = name;
        if (option)
            reader_of(option)->store(&filler, (char *)object + option->offset, option, member,
                                     &step);
        else if (has_name(table, name))
            refuse_type(document, table, name, member, &step);
        else if (!table->is_partial)
            refuse_name(document, table, name, &step);
        step.ordinal++;
    }
}
