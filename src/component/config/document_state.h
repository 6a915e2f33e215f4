/* SPDX-License-Identifier: MIT */
/* The inside of a document, and what the files of this folder have from each other. */
#ifndef CMW_CONFIG_DOCUMENT_STATE_H
#define CMW_CONFIG_DOCUMENT_STATE_H

#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <jansson.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

struct cmw_document {
    cmw_pool *pool;
    cmw_arena *arena;   /* as long as the document */
    cmw_arena *scratch; /* the values of one instance's options, until `create` returned */
    const cmw_option *members;
    size_t member_count;
    const char *name;
    const char *route; /* before the names of instances; NULL: it is no route's document */
    cmw_str text;
    json_t *root; /* NULL: not read yet, or not JSON */
    int is_read;
    cmw_mistake *mistakes;
    size_t mistake_count;
    size_t mistake_cap;
    size_t unlisted_count;
    int is_out_of_memory;
};

/* ---- Where something stands ------------------------------------------------------------- */

/*
 * The way from the root to a value: each step is a member or an element of the one before it; NULL
 * is the root. Steps live on the stack of those who walk. A member is found again by its ordinal:
 * jansson keeps the order of the text, and no key stands twice.
 */
struct step {
    const struct step *parent;
    const char *key; /* NULL: an element of an array */
    size_t ordinal;
};

struct place {
    uint32_t line;
    uint32_t column;
};

/* The place of a value, which for a member is that of its key. `text` must be valid JSON that ends
 * with a NUL beyond its length. Cost: O(text). */
struct place cmw__place_of(cmw_str text, const struct step *step);

/* The step to a member of `object`; `ordinal` is past its end if there is none. */
struct step cmw__step_to(const json_t *object, const char *key, const struct step *parent);

/* The path of a value, "middleware[2].use"; NULL without memory. */
const char *cmw__path_of(cmw_document *document, const struct step *step);

/* The path to a byte of a text that is JSON up to there; NULL without memory. */
const char *cmw__path_to(cmw_document *document, size_t position);

/* ---- Mistakes --------------------------------------------------------------------------- */

/* Note a mistake at a value. Returns `code`. */
int cmw__note(cmw_document *document, const struct step *at, int code, const char *format, ...)
    CMW_PRINTF(4, 5);

/* Note one at a place that is known, or at line 0. `path` is copied. */
void cmw__note_at(cmw_document *document, struct place place, const char *path,
                  const cmw_diag *diag);

/* CMW_ERR_NOMEM, CMW_ERR_INVALID if there are more mistakes than `before`, else 0. */
int cmw__outcome(const cmw_document *document, size_t before);

/* Note that memory is lacking. */
void cmw__note_no_memory(cmw_document *document);

/* ---- Names of instances ------------------------------------------------------------------ */

/* What an item is called in the chain: by its "name", else its "use". In the scratch arena where it
 * has a route before it; NULL if it has none, or without memory. */
const char *cmw__instance_name(cmw_document *document, const json_t *item);

/* ---- Closest names ---------------------------------------------------------------------- */

/* The search for the name that a misspelt one meant. */
struct suggestion {
    const char *wrong;
    const char *best; /* NULL: none is close */
    size_t distance;
};

/* Room for the words "; did you mean '...'?", which are "" without a suggestion. */
#define SUGGESTION_CAP 160

void cmw__suggest_init(struct suggestion *suggestion, const char *wrong);
void cmw__suggest_add(struct suggestion *suggestion, const char *name);
const char *cmw__suggest_text(const struct suggestion *suggestion, char text[SUGGESTION_CAP]);

/* ---- Filling structs -------------------------------------------------------------------- */

/* In our own tables: a member whose value somebody else reads. */
#define CMW__OPTION_ANY ((cmw_option_type)0)

/* A table of options, and what a message calls one: "option of 'cors'". */
struct table {
    const cmw_option *options;
    size_t count;
    const char *noun;
    const char *owner; /* NULL: the noun says enough */
    int is_partial;    /* 1: unknown and missing names have been looked at */
};

/* Fill a struct's members from a JSON object. Lists and objects go into `arena`; texts stay
 * jansson's. Mistakes are noted. A NULL `value` is an empty object. */
void cmw__fill(cmw_document *document, cmw_arena *arena, void *object, const struct table *table,
               const json_t *value, const struct step *at);

/* "text", "a list", ...: what a value is, for messages. */
const char *cmw__name_of_type(const json_t *value);

/* The members of "engine". */
extern const cmw_option cmw__engine_options[];
extern const size_t cmw__engine_option_count;

#endif /* CMW_CONFIG_DOCUMENT_STATE_H */
