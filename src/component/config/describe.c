/* SPDX-License-Identifier: MIT */
#include "describe.h"

void cmw__put(struct describer *to, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        to->is_out_of_memory = 1;
}

void cmw__push(struct describer *to, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        to->is_out_of_memory = 1;
}

const char *cmw__type_word(const cmw_option *option)
{
    static const char *const words[] = {
        [CMW__OPTION_ANY] = NULL,
        [CMW_OPTION_BOOL] = "bool",
        [CMW_OPTION_INT] = "int",
        [CMW_OPTION_TEXT] = "text",
        [CMW_OPTION_TEXT_LIST] = "text_list",
        [CMW_OPTION_CHOICE] = "choice",
        [CMW_OPTION_SWITCH] = "switch",
        [CMW_OPTION_TEXT_MAP] = "text_map",
        [CMW_OPTION_LIST_MAP] = "list_map",
        [CMW_OPTION_OBJECT] = "object",
        [CMW_OPTION_OBJECT_LIST] = "object_list",
    };

    return (size_t)option->type < LEN(words) ? words[option->type] : NULL;
}

json_t *cmw__choices(struct describer *to, const cmw_option *option)
{
    json_t *const choices = cmw__made(to, json_array());

    for (const char *at = option->choices, *end; at; at = end) {
        end = strchr(at, '|');
        cmw__push(to, choices, json_stringn(at, end ? (size_t)(end - at) : strlen(at)));
        end = end ? end + 1 : NULL;
    }
    return choices;
}

json_t *cmw__made(struct describer *to, json_t *value)
{
    if (!value)
        to->is_out_of_memory = 1;
    return value;
}

/* ---- Defaults --------------------------------------------------------------------------- */

static json_t *list_of(struct describer *to, const char *const *texts, size_t count)
{
    json_t *const list = cmw__made(to, json_array());

    for (size_t i = 0; i < count; i++)
        cmw__push(to, list, json_string(texts[i]));
    return list;
}

static json_t *default_list(struct describer *to, const char *member)
{
    const char *const *texts;
    size_t count;

    memcpy(&texts, member, sizeof texts);
    memcpy(&count, member + sizeof texts, sizeof count);
    return texts && count > 0 ? list_of(to, texts, count) : NULL;
}

static json_t *default_int(struct describer *to, const char *member)
{
    int64_t number;

    memcpy(&number, member, sizeof number);
    return cmw__made(to, json_integer(number));
}

static json_t *default_bool(const char *member)
{
    int truth;

    memcpy(&truth, member, sizeof truth);
    return json_boolean(truth);
}

/* A text that is set to nothing is one that `false` sets. */
static json_t *default_text(struct describer *to, const char *member)
{
    const char *text;

    memcpy(&text, member, sizeof text);
    if (!text)
        return NULL;
    return *text ? cmw__made(to, json_string(text)) : json_false();
}

static json_t *default_choice(struct describer *to, const cmw_option *option, const char *member)
{
    json_t *const choices = cmw__choices(to, option);
    int index;

    memcpy(&index, member, sizeof index);
    json_t *const choice = index < 0 ? NULL : json_array_get(choices, (size_t)index);
    json_incref(choice);
    json_decref(choices);
    return choice;
}

json_t *cmw__default_of(struct describer *to, const cmw_option *option, const void *object)
{
    if (!object || (option->flags & (CMW_OPTION_SECRET | CMW_OPTION_REQUIRED)))
        return NULL;
    const char *const member = (const char *)object + option->offset;
    switch (option->type) {
    case CMW_OPTION_BOOL:
        return default_bool(member);
    case CMW_OPTION_INT:
        return default_int(to, member);
    case CMW_OPTION_TEXT:
        return default_text(to, member);
    case CMW_OPTION_TEXT_LIST:
        return default_list(to, member);
    case CMW_OPTION_CHOICE:
        return default_choice(to, option, member);
    case CMW_OPTION_SWITCH: /* the text beside it says it */
    case CMW_OPTION_TEXT_MAP:
    case CMW_OPTION_LIST_MAP:
    case CMW_OPTION_OBJECT:
    case CMW_OPTION_OBJECT_LIST:
        break;
    }
    return NULL;
}

const void *cmw__defaults(struct describer *to, size_t size, void (*init)(void *object))
{
    void *const object = cmw_arena_alloc(to->arena, size > 0 ? size : 1);

    if (!object) {
        to->is_out_of_memory = 1;
        return NULL;
    }
    memset(object, 0, size);
    if (init)
        init(object);
    return object;
}

/* ---- Writing ---------------------------------------------------------------------------- */

struct sink {
    cmw_write_fn *write;
    void *self;
    int rc;
};

static int pass_on(const char *text, size_t len, void *self)
{
    struct sink *const sink = self;

    sink->rc = sink->write(sink->self, text, len);
    return sink->rc == 0 ? 0 : -1;
}

int cmw__write_json(struct describer *from, json_t *value, cmw_write_fn *write, void *self)
{
    struct sink sink = {write, self, 0};

    int rc = value && !from->is_out_of_memory ? 0 : CMW_ERR_NOMEM;
    if (rc == 0 && json_dump_callback(value, pass_on, &sink, JSON_INDENT(2)) != 0)
        rc = sink.rc ? sink.rc : CMW_ERR_NOMEM;
    json_decref(value);
    return rc ? rc : write(self, "\n", 1);
}
