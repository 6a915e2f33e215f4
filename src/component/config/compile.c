/* SPDX-License-Identifier: MIT */
/* What can only be said of the whole chain: waivers, and the order. */
#include "document_state.h"
#include "item.h"

/* Called for each item that is an instance; not 0 ends the walk. */
typedef int visit_fn(void *self, const json_t *item, const struct step *at);

static int walk(const json_t *list, const struct step *at, visit_fn *visit, void *self)
{
    int rc = 0;

    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++) {
        const json_t *const item = json_array_get(list, i);
        const struct step step = {at, NULL, i};
        const struct step inner = cmw__step_to(item, "middleware", &step);
        if (json_object_get(item, "group"))
            rc = walk(json_object_get(item, "middleware"), &inner, visit, self);
        else
            rc = visit(self, item, &step);
    }
    return rc;
}

static int walk_document(const cmw_document *document, visit_fn *visit, void *self)
{
    const struct step at = cmw__step_to(document->root, "middleware", NULL);

    return walk(json_object_get(document->root, "middleware"), &at, visit, self);
}

const char *cmw__instance_name(cmw_document *document, const json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "name"));

    if (!name)
        name = json_string_value(json_object_get(item, "use"));
    if (!name || !document->route)
        return name;
    const size_t route_len = strlen(document->route), len = strlen(name);
    char *const whole = cmw_arena_alloc_text(document->scratch, route_len + len + 2);
    if (!whole) {
        cmw__note_no_memory(document);
        return NULL;
    }
    memcpy(whole, document->route, route_len);
    whole[route_len] = '.';
    memcpy(whole + route_len + 1, name, len + 1);
    return whole;
}

/* ---- Waivers ---------------------------------------------------------------------------- */

struct waiving {
    cmw_document *document;
    cmw_chain *chain;
};

static void waive(struct waiving *waiving, const char *name, const char *slot,
                  const struct step *at)
{
    if (slot && cmw_chain_waive(waiving->chain, name, slot) != 0)
        (void)cmw__note(waiving->document, at, CMW_ERR_NOT_FOUND,
                        "no middleware of this engine has to do with a slot or fact named '%s'",
                        slot);
}

static int waive_of_item(void *self, const json_t *item, const struct step *at)
{
    const json_t *const list = json_object_get(item, "waive");
    const struct step step = cmw__step_to(item, "waive", at);
    const struct waiving *const waiving = self;
    const char *const name = cmw__instance_name(waiving->document, item);

    if (!name)
        return 0;
    waive(self, name, json_string_value(list), &step);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct step element = {&step, NULL, i};
        waive(self, name, json_string_value(json_array_get(list, i)), &element);
    }
    return 0;
}

/* After all items: an order rule may come with a later one. */
void cmw__apply_waivers(cmw_document *document, cmw_chain *chain)
{
    struct waiving waiving = {document, chain};

    (void)walk_document(document, waive_of_item, &waiving);
}

/* ---- Order ------------------------------------------------------------------------------ */

struct blame {
    cmw_document *document;
    const cmw_diag *diag;
    cmw_str name; /* the first that the sentence names */
    int is_noted;
};

static int blame_item(void *self, const json_t *item, const struct step *at)
{
    struct blame *const blame = self;

    const char *const name = cmw__instance_name(blame->document, item);

    if (!name || !cmw_str_equals(cmw_str_cstr(name), blame->name))
        return 0;
    (void)cmw__note(blame->document, at, blame->diag->code, "%s", blame->diag->message);
    blame->is_noted = 1;
    return 1;
}

/* What stands between the first two quotes. */
static cmw_str first_quoted(const char *sentence)
{
    const char *const begin = strchr(sentence, '\'');
    const char *const end = begin ? strchr(begin + 1, '\'') : NULL;

    return end ? cmw_str_make(begin + 1, (size_t)(end - begin - 1)) : cmw_str_make(NULL, 0);
}

int cmw_document_compile(cmw_document *document, cmw_chain *chain, cmw_plan **out)
{
    cmw_diag diag = {.code = 0};

    if (!document || !chain || !out)
        return CMW_ERR_ARG;
    if (!document->root)
        return CMW_ERR_STATE;
    const int rc = cmw_chain_compile(chain, out, &diag);
    if (rc == 0)
        return 0;
    if (!diag.code)
        (void)cmw_diag_set(&diag, rc, "%s", cmw_error_text(rc));
    struct blame blame = {document, &diag, first_quoted(diag.message), 0};
    (void)walk_document(document, blame_item, &blame);
    if (!blame.is_noted)
        (void)cmw_document_refuse(document, "middleware", rc, "%s", diag.message);
    return rc;
}
