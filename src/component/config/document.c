/* SPDX-License-Identifier: MIT */
/*
 * The document: its memory, its text, its top level.
 *
 * The JSON values live as long as the document: texts in filled structs are theirs.
 */
#include "document_state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- Life ------------------------------------------------------------------------------- */

static const cmw_allocator *allocator_of(const cmw_document_config *config)
{
    return config->allocator ? config->allocator : cmw_allocator_system();
}

static cmw_document *create_in(cmw_pool *pool)
{
    cmw_arena *arena = NULL;

    if (cmw_arena_create(&arena, pool, 0) != 0)
        return NULL;
    cmw_document *const document = cmw_arena_alloc(arena, sizeof *document);
    if (document) {
        memset(document, 0, sizeof *document);
        document->arena = arena;
    }
    if (!document || cmw_arena_create(&document->scratch, pool, 0) != 0) {
        cmw_arena_destroy(arena);
        return NULL;
    }
    document->pool = pool;
    document->name = "";
    document->text = CMW_STR("");
    return document;
}

int cmw_document_create(cmw_document **out, const cmw_document_config *config)
{
    cmw_document_config own;
    cmw_pool *pool = NULL;

    if (!out)
        return CMW_ERR_ARG;
    cmw_document_config_init(&own);
    if (cmw_config_adopt(&own, config) != 0)
        return CMW_ERR_VERSION;
    int rc = cmw_pool_create(&pool, allocator_of(&own), CMW_POOL_PLAN, 0);
    if (rc != 0)
        return rc;
    cmw_document *const document = create_in(pool);
    if (!document) {
        cmw_pool_destroy(pool);
        return CMW_ERR_NOMEM;
    }
    document->members = own.members;
    document->member_count = own.member_count;
    *out = document;
    return 0;
}

void cmw_document_destroy(cmw_document *document)
{
    if (!document)
        return;
    cmw_pool *const pool = document->pool;
    json_decref(document->root);
    cmw_arena_destroy(document->scratch);
    cmw_arena_destroy(document->arena);
    cmw_pool_destroy(pool);
}

/* ---- Reading ---------------------------------------------------------------------------- */

/* Members of every document. What is in them, others read. */
static const cmw_option common_members[] = {
    {.name = "$schema", .type = CMW_OPTION_TEXT},
    {.name = "engine", .type = CMW_OPTION_OBJECT},
    {.name = "middleware", .type = CMW_OPTION_OBJECT_LIST, .flags = CMW_OPTION_REQUIRED},
};

enum { COMMON_COUNT = LEN(common_members) };

/* All members, those of the program among them, as ones that somebody else reads: here only their
 * names are looked at, and the types of our own. */
static cmw_option *list_members(cmw_document *document)
{
    const size_t count = COMMON_COUNT + document->member_count;
    cmw_option *const members = cmw_arena_alloc(document->arena, count * sizeof *members);

    if (!members)
        return NULL;
    memcpy(members, common_members, sizeof common_members);
    for (size_t i = 0; i < document->member_count; i++)
        members[COMMON_COUNT + i] = document->members[i];
    for (size_t i = 0; i < count; i++)
        members[i].type = CMW__OPTION_ANY;
    return members;
}

static void check_type(cmw_document *document, const char *name, json_type type,
                       const char *expects)
{
    const json_t *const value = json_object_get(document->root, name);
    const struct step at = cmw__step_to(document->root, name, NULL);

    if (value && json_typeof(value) != type)
        (void)cmw__note(document, &at, CMW_ERR_INVALID, "must be %s, not %s", expects,
                        cmw__name_of_type(value));
}

static void check_top_level(cmw_document *document)
{
    const struct table table = {.options = list_members(document),
                                .count = COMMON_COUNT + document->member_count,
                                .noun = "member"};

    if (!table.options) {
        cmw__note_no_memory(document);
        return;
    }
    if (!json_is_object(document->root)) {
        (void)cmw__note(document, NULL, CMW_ERR_INVALID, "a document must be an object, not %s",
                        cmw__name_of_type(document->root));
        return;
    }
    cmw__fill(document, document->scratch, NULL, &table, document->root, NULL);
    check_type(document, "$schema", JSON_STRING, "text");
    check_type(document, "engine", JSON_OBJECT, "an object");
    check_type(document, "middleware", JSON_ARRAY, "a list of objects");
}

static void note_syntax(cmw_document *document, const json_error_t *error)
{
    const struct place place = {error->line > 0 ? (uint32_t)error->line : 1,
                                error->column > 0 ? (uint32_t)error->column : 1};
    const char *const path =
        cmw__path_to(document, error->position > 0 ? (size_t)error->position : 0);
    cmw_diag diag;

    (void)cmw_diag_set(&diag, CMW_ERR_INVALID, "%s", error->text);
    if (path)
        cmw__note_at(document, place, path, &diag);
    else
        cmw__note_no_memory(document);
}

static int begin(cmw_document *document, const char *name)
{
    cmw_str copy;

    if (document->is_read)
        return CMW_ERR_STATE;
    if (cmw_arena_dup(document->arena, &copy, cmw_str_cstr(name)) != 0)
        return CMW_ERR_NOMEM;
    document->name = copy.data;
    document->is_read = 1;
    return 0;
}

/* `text` is the document's own by now, with a NUL behind it. */
static int load(cmw_document *document, cmw_str text)
{
    json_error_t error;

    document->text = text;
    document->root =
        json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!document->root && json_error_code(&error) == json_error_out_of_memory)
        cmw__note_no_memory(document);
    else if (!document->root)
        note_syntax(document, &error);
    else
        check_top_level(document);
    if (document->root && !json_is_object(document->root)) {
        json_decref(document->root);
        document->root = NULL;
    }
    return cmw__outcome(document, 0);
}

int cmw_document_parse(cmw_document *document, const char *name, cmw_str text)
{
    cmw_str copy;

    if (!document || !name || (!text.data && text.len > 0))
        return CMW_ERR_ARG;
    const int rc = begin(document, name);
    if (rc != 0)
        return rc;
    if (cmw_arena_dup(document->arena, &copy, text) != 0)
        return CMW_ERR_NOMEM;
    return load(document, copy);
}

/* ---- Files ------------------------------------------------------------------------------ */

/* All of a stream, in room that doubles; the old halves stay in the arena till the end. */
static int read_all(cmw_arena *arena, FILE *file, cmw_str *out)
{
    size_t cap = 8192;
    size_t len = 0;
    char *text = cmw_arena_alloc_text(arena, cap);

    while (text) {
        len += fread(text + len, 1, cap - 1 - len, file);
        if (len < cap - 1)
            break;
        char *const larger = cap > SIZE_MAX / 2 ? NULL : cmw_arena_alloc_text(arena, 2 * cap);
        if (larger)
            memcpy(larger, text, len);
        text = larger;
        cap *= 2;
    }
    if (!text)
        return CMW_ERR_NOMEM;
    if (ferror(file))
        return CMW_ERR_IO;
    text[len] = '\0';
    *out = cmw_str_make(text, len);
    return 0;
}

static const struct place nowhere = {0, 0};

static int refuse_file(cmw_document *document)
{
    cmw_diag diag;

    (void)cmw_diag_set(&diag, CMW_ERR_IO, "the file cannot be read: %s", strerror(errno));
    cmw__note_at(document, nowhere, "", &diag);
    return document->is_out_of_memory ? CMW_ERR_NOMEM : CMW_ERR_IO;
}

int cmw_document_read(cmw_document *document, const char *file)
{
    cmw_str text;

    if (!document || !file)
        return CMW_ERR_ARG;
    int rc = begin(document, file);
    if (rc != 0)
        return rc;
    FILE *const stream = fopen(file, "rb");
    if (!stream)
        return refuse_file(document);
    rc = read_all(document->arena, stream, &text);
    (void)fclose(stream);
    if (rc == CMW_ERR_IO)
        return refuse_file(document);
    return rc == 0 ? load(document, text) : rc;
}

/* ---- The program's own members ---------------------------------------------------------- */

/* Names and what is missing were looked at when the document was read. */
int cmw_document_fill(cmw_document *document, void *object)
{
    const struct table table = {.options = document ? document->members : NULL,
                                .count = document ? document->member_count : 0,
                                .noun = "member",
                                .is_partial = 1};

    if (!document || !object)
        return CMW_ERR_ARG;
    if (!document->root)
        return CMW_ERR_STATE;
    const size_t before = cmw_document_mistake_count(document);
    cmw__fill(document, document->arena, object, &table, document->root, NULL);
    return cmw__outcome(document, before);
}

int cmw_document_refuse(cmw_document *document, const char *member, int code, const char *format,
                        ...)
{
    cmw_diag diag = {.code = code};
    va_list arguments;

    if (!document || !format)
        return code;
    va_start(arguments, format);
    (void)vsnprintf(diag.message, sizeof diag.message, format, arguments);
    va_end(arguments);
    if (member && json_object_get(document->root, member)) {
        const struct step at = cmw__step_to(document->root, member, NULL);
        return cmw__note(document, &at, code, "%s", diag.message);
    }
    cmw__note_at(document, nowhere, member ? member : "", &diag);
    return code;
}
