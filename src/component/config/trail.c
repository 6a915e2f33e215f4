/* SPDX-License-Identifier: MIT */
/*
 * The path to where a text stops being good.
 *
 * jansson tells a byte; what is before it is the beginning of a JSON text. It is walked once, with
 * a level for each object or array that is open.
 */
#include "document_state.h"

struct level {
    struct step step; /* the member or element that is being read */
    struct level *outer;
    int is_object;
};

struct trail {
    cmw_document *document;
    struct level *inner;
};

static int open_level(struct trail *trail, int is_object)
{
    struct level *const level = cmw_arena_alloc(trail->document->scratch, sizeof *level);

    if (!level)
        return CMW_ERR_NOMEM;
    level->step = (struct step){trail->inner ? &trail->inner->step : NULL, NULL, 0};
    level->outer = trail->inner;
    level->is_object = is_object;
    trail->inner = level;
    return 0;
}

/* The closing quote of a string whose opening one `at` stands on; `end` if there is none. */
static const char *find_quote(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at : end;
}

/* In an object, a string without a key before it is the key: as it stands in the text. */
static int take_string(struct trail *trail, const char *begin, const char *quote)
{
    cmw_str key;

    if (!trail->inner || !trail->inner->is_object || trail->inner->step.key)
        return 0;
    const cmw_str text = cmw_str_make(begin + 1, (size_t)(quote - begin - 1));
    const int rc = cmw_arena_dup(trail->document->scratch, &key, text);
    if (rc == 0)
        trail->inner->step.key = key.data;
    return rc;
}

static int take_mark(struct trail *trail, char mark)
{
    if (mark == '{' || mark == '[')
        return open_level(trail, mark == '{');
    if (!trail->inner)
        return 0;
    if (mark == ',') {
        trail->inner->step.key = NULL;
        trail->inner->step.ordinal++;
    } else if (mark == '}' || mark == ']') {
        trail->inner = trail->inner->outer;
    }
    return 0;
}

const char *cmw__path_to(cmw_document *document, size_t position)
{
    const char *const end =
        document->text.data + (position < document->text.len ? position : document->text.len);
    struct trail trail = {document, NULL};
    int rc = 0;

    for (const char *at = document->text.data; at < end && rc == 0; at++) {
        if (*at == '"') {
            const char *const quote = find_quote(at, end);
            rc = take_string(&trail, at, quote);
            at = quote;
        } else {
            rc = take_mark(&trail, *at);
        }
    }
    if (rc != 0)
        return NULL;
    const struct level *const last = trail.inner;
    if (last && last->is_object && !last->step.key) /* between two members */
        return cmw__path_of(document, last->step.parent);
    return cmw__path_of(document, last ? &last->step : NULL);
}
