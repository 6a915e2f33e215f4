/* SPDX-License-Identifier: MIT */
/* Proactive negotiation: the offers of each dimension, weighed by the core. */
#include <catzilla/builtin/content_negotiation.h>

#include <catzilla/mw.h>

#include "builtins.h"

/* Types, languages or codings. */
struct dimension {
    const char *option;
    cmw_header_id field;
    cmw_str *offers;
    size_t count; /* 0: not looked at */
};

enum { TYPES, LANGUAGES, ENCODINGS, DIMENSION_COUNT };

struct negotiation {
    cmw_arena *arena;
    cmw_slot slot;
    int is_strict;
    cmw_str vary; /* the fields that are looked at */
    struct dimension dimensions[DIMENSION_COUNT];
};

static cmw_phase_fn on_pre_route, on_post_route;

/* ---- Requests --------------------------------------------------------------------------- */

/* The offer that weighs most; the first one, and 0, where none is acceptable. */
static int choose(const struct dimension *dimension, cmw_request *request, cmw_str *chosen)
{
    int weight;

    *chosen = dimension->offers[cmw_request_choose(request, &weight, dimension->field,
                                                   dimension->offers, dimension->count)];
    return weight > 0;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct negotiation *const negotiation = self;
    cmw_request *const request = cmw_ctx_request(ctx);
    cmw_str chosen[DIMENSION_COUNT];
    int is_acceptable = 1;

    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        chosen[i] = cmw_str_make(NULL, 0);
        if (negotiation->dimensions[i].count > 0)
            is_acceptable &= choose(&negotiation->dimensions[i], request, &chosen[i]);
    }
    const cmw_negotiated negotiated = {chosen[TYPES], chosen[LANGUAGES], chosen[ENCODINGS]};
    if (!cmw_ctx_copy_slot(ctx, negotiation->slot, &negotiated))
        return CMW_ERROR;
    if (negotiation->is_strict && !is_acceptable)
        return cmw_respond_problem(ctx, 406, "none of what is offered is acceptable");
    return CMW_CONTINUE;
}

/* A 406 depends on the fields, too. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct negotiation *const negotiation = self;
    cmw_response *const response = cmw_ctx_response(ctx);

    if (!cmw_response_has(response, CMW_HDR_VARY))
        return cmw_response_set(response, CMW_HDR_VARY, negotiation->vary) == 0 ? CMW_CONTINUE
                                                                                : CMW_ERROR;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        const struct dimension *const dimension = &negotiation->dimensions[i];
        if (dimension->count > 0 &&
            cmw_response_add_token(response, CMW_HDR_VARY, cmw_header_id_name(dimension->field)) !=
                0)
            return CMW_ERROR;
    }
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct negotiation *const negotiation = self;
    cmw_arena_destroy(negotiation->arena);
}

/* A token, or for types two with a slash between; none of them a "*". */
static int is_good_offer(cmw_str offer, int is_type)
{
    const char *const slash = is_type && offer.len > 0 ? memchr(offer.data, '/', offer.len) : NULL;
    const size_t len = slash ? (size_t)(slash - offer.data) : offer.len;

    if (is_type != (slash != NULL) || (offer.len > 0 && memchr(offer.data, '*', offer.len)))
        return 0;
    return cmw_header_name_is_valid(cmw_str_make(offer.data, len)) &&
           (!is_type ||
            cmw_header_name_is_valid(cmw_str_make(offer.data + len + 1, offer.len - len - 1)));
}

static int add_offer(struct negotiation *negotiation, struct dimension *dimension, const char *text,
                     cmw_diag *diag)
{
    const cmw_str offer = cmw_str_cstr(text);

    if (!is_good_offer(offer, dimension->field == CMW_HDR_ACCEPT))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "content_negotiation: %s: '%s' cannot be offered", dimension->option,
                            text ? text : "");
    for (size_t i = 0; i < dimension->count; i++)
        if (cmw_str_equals_fold(dimension->offers[i], offer))
            return cmw_diag_set(diag, CMW_ERR_EXISTS, "content_negotiation: %s: '%s' stands twice",
                                dimension->option, text);
    if (cmw_arena_dup(negotiation->arena, &dimension->offers[dimension->count], offer) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "content_negotiation: no memory");
    dimension->count++;
    return 0;
}

static int fill(struct negotiation *negotiation, size_t index, const char *const *offers,
                size_t count, cmw_diag *diag)
{
    struct dimension *const dimension = &negotiation->dimensions[index];
    int rc = 0;

    dimension->offers = cmw_arena_alloc(negotiation->arena, (count + 1) * sizeof(cmw_str));
    if (!dimension->offers)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "content_negotiation: no memory");
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_offer(negotiation, dimension, offers[i], diag);
    return rc;
}

/* The names of the fields, as they are sent where the response has no Vary of its own. */
static int fill_vary(struct negotiation *negotiation, cmw_diag *diag)
{
    size_t room = 0;

    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        room += cmw_header_id_name(negotiation->dimensions[i].field).len + 2;
    char *const text = cmw_arena_alloc_text(negotiation->arena, room);
    if (!text)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "content_negotiation: no memory");
    size_t len = 0;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        const cmw_str name = cmw_header_id_name(negotiation->dimensions[i].field);
        if (negotiation->dimensions[i].count == 0)
            continue;
        memcpy(text + len, ", ", len > 0 ? 2 : 0);
        len += len > 0 ? 2 : 0;
        memcpy(text + len, name.data, name.len);
        len += name.len;
    }
    negotiation->vary = cmw_str_make(text, len);
    return 0;
}

static int fill_all(struct negotiation *negotiation, cmw_engine *engine,
                    const cmw_content_negotiation_config *config, cmw_diag *diag)
{
    static const struct dimension dimensions[DIMENSION_COUNT] = {
        {"types", CMW_HDR_ACCEPT, NULL, 0},
        {"languages", CMW_HDR_ACCEPT_LANGUAGE, NULL, 0},
        {"encodings", CMW_HDR_ACCEPT_ENCODING, NULL, 0},
    };

    memcpy(negotiation->dimensions, dimensions, sizeof dimensions);
    negotiation->is_strict = config->strict != 0;
    int rc = fill(negotiation, TYPES, config->types, config->type_count, diag);
    if (rc == 0)
        rc = fill(negotiation, LANGUAGES, config->languages, config->language_count, diag);
    if (rc == 0)
        rc = fill(negotiation, ENCODINGS, config->encodings, config->encoding_count, diag);
    if (rc == 0)
        rc = fill_vary(negotiation, diag);
    if (rc != 0)
        return rc;
    rc = cmw_slot_declare(engine, &negotiation->slot, "negotiated", sizeof(cmw_negotiated), NULL);
    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "content_negotiation: slot 'negotiated' has another shape");
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "content_negotiation: %s", cmw_error_text(rc));
}

int cmw_content_negotiation_create(cmw_engine *engine, cmw_middleware *middleware,
                                   const cmw_content_negotiation_config *config, cmw_diag *diag)
{
    cmw_content_negotiation_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_content_negotiation_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "content_negotiation: the config is of a newer version");
    if (ours.type_count + ours.language_count + ours.encoding_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "content_negotiation: neither types nor languages nor encodings are "
                            "offered");
    struct negotiation *negotiation =
        cmw__builtin_alloc(engine, &arena, sizeof *negotiation, "content_negotiation", diag);
    if (!negotiation)
        return CMW_ERR_NOMEM;
    negotiation->arena = arena;
    int rc = fill_all(negotiation, engine, &ours, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(engine, middleware, "cors")) != 0)
        (void)cmw_diag_set(diag, rc, "content_negotiation: no memory");
    if (rc != 0) {
        destroy(negotiation);
        return rc;
    }

    middleware->kind = "content_negotiation";
    middleware->priority = 520;
    middleware->post_priority = 0; /* before caches look at it */
    middleware->self = negotiation;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_VARY);
    cmw_middleware_provides(middleware, negotiation->slot);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_content_negotiation_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_content_negotiation_config_init(config);
}

static const cmw_option options[] = {
    {.name = "types",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_content_negotiation_config, types),
     .help = "Media types that are offered, the one that is liked best first"},
    {.name = "languages",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_content_negotiation_config, languages),
     .help = "Languages that are offered"},
    {.name = "encodings",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_content_negotiation_config, encodings),
     .help = "Content codings that are offered"},
    {.name = "strict",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_content_negotiation_config, strict),
     .help = "406 where nothing is acceptable; else the first offer"},
};

const cmw_kind cmw__kind_content_negotiation = {
    .size = sizeof(cmw_kind),
    .name = "content_negotiation",
    .summary = "Chooses type, language and coding by Accept and its like, into a slot",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_content_negotiation_config),
    .config_init = config_init,
    .create = create,
};
