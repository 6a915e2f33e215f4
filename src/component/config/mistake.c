/* SPDX-License-Identifier: MIT */
/* The list of mistakes: kept in the order of the text, written a line each. */
#include "document_state.h"

#include <stdarg.h>
#include <stdio.h>

void cmw__note_no_memory(cmw_document *document)
{
    document->is_out_of_memory = 1;
}

int cmw__outcome(const cmw_document *document, size_t before)
{
    if (document->is_out_of_memory)
        return CMW_ERR_NOMEM;
    return document->mistake_count + document->unlisted_count > before ? CMW_ERR_INVALID : 0;
}

/* ---- Paths ------------------------------------------------------------------------------ */

static int is_plain(const char *key)
{
    for (const char *at = key; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
              (*at >= '0' && *at <= '9') || *at == '_' || *at == '$'))
            return 0;
    return *key != '\0';
}

/* One step's text into `to`, or only its length if that is NULL. */
static size_t write_step(char *to, size_t cap, const struct step *step)
{
    int len;

    if (!step->key)
        len = snprintf(to, cap, "[%zu]", step->ordinal);
    else if (!is_plain(step->key))
        len = snprintf(to, cap, "[\"%s\"]", step->key);
    else
        len = snprintf(to, cap, "%s%s", step->parent ? "." : "", step->key);
    return len > 0 ? (size_t)len : 0;
}

/* From its end to its beginning. */
const char *cmw__path_of(cmw_document *document, const struct step *step)
{
    size_t len = 0;

    for (const struct step *each = step; each; each = each->parent)
        len += write_step(NULL, 0, each);
    char *const path = cmw_arena_alloc_text(document->arena, len + 1);
    if (!path)
        return NULL;
    path[len] = '\0';
    for (const struct step *each = step; each; each = each->parent) {
        const size_t step_len = write_step(NULL, 0, each);
        const char after = path[len]; /* where snprintf puts its NUL */
        len -= step_len;
        (void)write_step(path + len, step_len + 1, each);
        path[len + step_len] = after;
    }
    return path;
}

/* ---- The list --------------------------------------------------------------------------- */

/* A terminal or a log that shows the message is not to be steered by what a file holds. */
static void blot_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static char *copy_text(cmw_document *document, const char *text)
{
    char *const copy = cmw_arena_alloc_text(document->arena, strlen(text) + 1);

    if (copy) {
        memcpy(copy, text, strlen(text) + 1);
        blot_controls(copy);
    }
    return copy;
}

static int grow(cmw_document *document)
{
    if (document->mistake_count < document->mistake_cap)
        return 0;
    const size_t cap = document->mistake_cap ? 2 * document->mistake_cap : 16;
    cmw_mistake *const list = cmw_arena_alloc(document->arena, cap * sizeof *list);
    if (!list)
        return CMW_ERR_NOMEM;
    if (document->mistake_count > 0)
        memcpy(list, document->mistakes, document->mistake_count * sizeof *list);
    document->mistakes = list;
    document->mistake_cap = cap;
    return 0;
}

static int is_behind(const cmw_mistake *mistake, struct place place)
{
    return mistake->line > place.line ||
           (mistake->line == place.line && mistake->column > place.column);
}

static void insert(cmw_document *document, const cmw_mistake *mistake)
{
    size_t i = document->mistake_count++;

    for (; i > 0; i--) {
        if (!is_behind(&document->mistakes[i - 1], (struct place){mistake->line, mistake->column}))
            break;
        document->mistakes[i] = document->mistakes[i - 1];
    }
    document->mistakes[i] = *mistake;
}

void cmw__note_at(cmw_document *document, struct place place, const char *path,
                  const cmw_diag *diag)
{
    if (document->mistake_count >= CMW_MISTAKE_CAP) {
        document->unlisted_count++;
        return;
    }
    const cmw_mistake mistake = {diag->code, place.line, place.column, copy_text(document, path),
                                 copy_text(document, diag->message)};
    if (!mistake.path || !mistake.text || grow(document) != 0)
        cmw__note_no_memory(document);
    else
        insert(document, &mistake);
}

int cmw__note(cmw_document *document, const struct step *at, int code, const char *format, ...)
{
    cmw_diag diag;
    va_list arguments;

    if (document->mistake_count >= CMW_MISTAKE_CAP) {
        document->unlisted_count++;
        return code;
    }
    diag.code = code;
    va_start(arguments, format);
    const int len = vsnprintf(diag.message, sizeof diag.message, format, arguments);
    va_end(arguments);
    if (len >= (int)sizeof diag.message)
        memcpy(diag.message + sizeof diag.message - 4, "...", 4);
    const char *path = cmw__path_of(document, at);
    if (!path)
        cmw__note_no_memory(document);
    else
        cmw__note_at(document, cmw__place_of(document->text, at), path, &diag);
    return code;
}

size_t cmw_document_mistake_count(const cmw_document *document)
{
    return document ? document->mistake_count + document->unlisted_count : 0;
}

const cmw_mistake *cmw_document_mistake(const cmw_document *document, size_t index)
{
    return document && index < document->mistake_count ? &document->mistakes[index] : NULL;
}

/* ---- Reports ---------------------------------------------------------------------------- */

struct output {
    cmw_write_fn *write;
    void *self;
    int rc;
};

static void put(struct output *out, const char *text)
{
    if (out->rc == 0 && *text)
        out->rc = out->write(out->self, text, strlen(text));
}

static void put_number(struct output *out, size_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu", number);
    put(out, text);
}

static void put_mistake(struct output *out, const char *name, const cmw_mistake *mistake)
{
    put(out, name);
    if (mistake->line > 0) {
        put(out, ":");
        put_number(out, mistake->line);
        put(out, ":");
        put_number(out, mistake->column);
    }
    put(out, ": ");
    put(out, mistake->path);
    if (*mistake->path)
        put(out, ": ");
    put(out, mistake->text);
    put(out, "\n");
}

int cmw_document_report(const cmw_document *document, cmw_write_fn *write, void *self)
{
    if (!document || !write)
        return CMW_ERR_ARG;
    struct output out = {write, self, 0};
    for (size_t i = 0; i < document->mistake_count; i++)
        put_mistake(&out, document->name, &document->mistakes[i]);
    if (document->unlisted_count > 0) {
        put(&out, document->name);
        put(&out, ": ");
        put_number(&out, document->unlisted_count);
        put(&out, " more mistakes are not listed\n");
    }
    return out.rc;
}
