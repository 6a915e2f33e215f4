/* SPDX-License-Identifier: MIT */
/* The parts of a key. */
#include "rate_key.h"

/* ---- Reading them from a request -------------------------------------------------------- */

static cmw__rate_part_fn read_client, read_header, read_named, read_principal, read_slot,
    read_route, read_host, read_path, read_method, read_callback;

static int read_client(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                       cmw_ctx *ctx, cmw_str *out, char *room)
{
    (void)part;
    *out = cmw__rate_client(source, ctx, room);
    return 0;
}

static int read_header(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                       cmw_ctx *ctx, cmw_str *out, char *room)
{
    const cmw_header *header = cmw_request_header(cmw_ctx_request(ctx), part->id);

    (void)source;
    (void)room;
    *out = header ? header->value : cmw_str_make(NULL, 0);
    return 0;
}

static int read_named(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                      cmw_ctx *ctx, cmw_str *out, char *room)
{
    const cmw_header *header = cmw_request_header_named(cmw_ctx_request(ctx), part->name);

    (void)source;
    (void)room;
    *out = header ? header->value : cmw_str_make(NULL, 0);
    return 0;
}

static int read_principal(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                          cmw_ctx *ctx, cmw_str *out, char *room)
{
    const cmw_principal *principal = cmw_ctx_slot(ctx, part->slot);

    (void)source;
    (void)room;
    *out = principal ? principal->id : cmw_str_make(NULL, 0);
    return 0;
}

static int read_slot(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                     cmw_ctx *ctx, cmw_str *out, char *room)
{
    const void *value = cmw_ctx_slot(ctx, part->slot);

    (void)source;
    (void)room;
    *out = cmw_str_make(value, value ? part->slot_size : 0);
    return 0;
}

static int read_route(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                      cmw_ctx *ctx, cmw_str *out, char *room)
{
    const uint32_t route = cmw_ctx_route(ctx);

    (void)source;
    (void)part;
    memcpy(room, &route, sizeof route);
    *out = cmw_str_make(room, sizeof route);
    return 0;
}

static int read_host(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                     cmw_ctx *ctx, cmw_str *out, char *room)
{
    (void)source;
    (void)part;
    (void)room;
    *out = cmw_request_host(cmw_ctx_request(ctx));
    return 0;
}

static int read_path(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                     cmw_ctx *ctx, cmw_str *out, char *room)
{
    (void)source;
    (void)part;
    (void)room;
    *out = cmw_request_path(cmw_ctx_request(ctx));
    return 0;
}

static int read_method(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                       cmw_ctx *ctx, cmw_str *out, char *room)
{
    (void)source;
    (void)part;
    (void)room;
    *out = cmw_request_method(cmw_ctx_request(ctx));
    return 0;
}

static int read_callback(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                         cmw_ctx *ctx, cmw_str *out, char *room)
{
    (void)part;
    (void)room;
    *out = cmw_str_make(NULL, 0);
    return source->key_fn(source->key_self, ctx, out);
}

/* ---- Making them from texts ------------------------------------------------------------- */

static void use_once(cmw_middleware *middleware, cmw_relation relation, cmw_slot slot)
{
    for (uint32_t i = 0; i < middleware->relation_count && i < CMW_RELATION_CAP; i++)
        if (middleware->relations[i].slot == slot && middleware->relations[i].relation == relation)
            return;
    cmw_middleware_relate(middleware, relation, slot);
}

struct simple {
    const char *text;
    cmw__rate_part_fn *read;
    uint32_t fact; /* that it uses; CMW_FACT_COUNT: none */
};

static const struct simple simple_parts[] = {
    {"ip", read_client, CMW_FACT_CLIENT_ADDRESS}, {"host", read_host, CMW_FACT_HOST},
    {"path", read_path, CMW_FACT_CANONICAL_PATH}, {"route", read_route, CMW_FACT_COUNT},
    {"method", read_method, CMW_FACT_COUNT},
};

static int init_header(struct cmw__rate_part *part, cmw_arena *arena, const char *name,
                       const char *option, cmw_diag *diag)
{
    if (!cmw_header_name_is_valid(cmw_str_cstr(name)))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "rate_limit: %s: 'header:%s': that is no name of a field", option,
                            name);
    part->id = cmw_header_id_find(cmw_str_cstr(name));
    part->read = part->id == CMW_HDR_OTHER ? read_named : read_header;
    if (cmw_arena_dup(arena, &part->name, cmw_str_cstr(name)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "rate_limit: no memory");
    return 0;
}

static int init_slot(struct cmw__rate_part *part, cmw_engine *engine, cmw_middleware *middleware,
                     const char *name, const char *option, cmw_diag *diag)
{
    part->slot = cmw_slot_find(engine, name);
    if (part->slot == CMW_NONE)
        return cmw_diag_set(diag, CMW_ERR_NOT_FOUND,
                            "rate_limit: %s: 'slot:%s': no such slot is declared", option, name);
    part->slot_size = cmw_slot_size(engine, part->slot);
    if (part->slot_size == 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "rate_limit: %s: 'slot:%s': a fact has no bytes to count by", option,
                            name);
    part->read = read_slot;
    use_once(middleware, CMW_REQUIRES, part->slot);
    return 0;
}

static int init_principal(struct cmw__rate_part *part, cmw_engine *engine,
                          cmw_middleware *middleware, cmw_diag *diag)
{
    const int rc = cmw_principal_slot(engine, &part->slot);

    if (rc != 0)
        return cmw_diag_set(diag, rc, "rate_limit: slot 'principal' cannot be declared: %s",
                            cmw_error_text(rc));
    part->read = read_principal;
    use_once(middleware, CMW_REQUIRES, part->slot);
    return 0;
}

static int init_part(struct cmw__rate_part *part, cmw_engine *engine, cmw_middleware *middleware,
                     cmw_arena *arena, const struct cmw__rate_source *source, const char *text,
                     const char *option, cmw_diag *diag)
{
    for (size_t i = 0; i < sizeof simple_parts / sizeof *simple_parts; i++) {
        if (strcmp(text, simple_parts[i].text) != 0)
            continue;
        part->read = simple_parts[i].read;
        if (simple_parts[i].fact != CMW_FACT_COUNT)
            use_once(middleware, CMW_USES, simple_parts[i].fact);
        return 0;
    }
    if (strncmp(text, "header:", 7) == 0)
        return init_header(part, arena, text + 7, option, diag);
    if (strcmp(text, "principal") == 0 || strcmp(text, "slot:principal") == 0)
        return init_principal(part, engine, middleware, diag); /* its bytes are pointers */
    if (strncmp(text, "slot:", 5) == 0)
        return init_slot(part, engine, middleware, text + 5, option, diag);
    if (strcmp(text, "callback") != 0)
        return cmw_diag_set(
            diag, CMW_ERR_INVALID,
            "rate_limit: %s: '%s' is none of ip, header:NAME, principal, slot:NAME, "
            "route, host, path, method, callback",
            option, text);
    if (!source->key_fn)
        return cmw_diag_set(diag, CMW_ERR_ARG, "rate_limit: %s: 'callback' needs key_fn", option);
    part->read = read_callback;
    return 0;
}

int cmw__rate_key_init(struct cmw__rate_key *key, cmw_engine *engine, cmw_middleware *middleware,
                       cmw_arena *arena, const struct cmw__rate_source *source,
                       const char *const *texts, size_t count, const char *option, cmw_diag *diag)
{
    if (count > CMW_RATE_KEY_PARTS_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "rate_limit: %s: %zu parts are more than %d", option,
                            count, CMW_RATE_KEY_PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            if (strcmp(texts[i], texts[k]) == 0)
                return cmw_diag_set(diag, CMW_ERR_EXISTS, "rate_limit: %s: '%s' stands twice",
                                    option, texts[i]);
        const int rc =
            init_part(&key->parts[i], engine, middleware, arena, source, texts[i], option, diag);
        if (rc != 0)
            return rc;
    }
    key->count = count;
    return 0;
}

int cmw__rate_key_reads_slot(const struct cmw__rate_key *key)
{
    for (size_t i = 0; i < key->count; i++)
        if (key->parts[i].read == read_slot || key->parts[i].read == read_principal)
            return 1;
    return 0;
}

int cmw__rate_key_is_client(const struct cmw__rate_key *key)
{
    return key->count == 1 && key->parts[0].read == read_client;
}

/* ---- Hashing and writing them ----------------------------------------------------------- */

static int hash_part(const struct cmw__rate_source *source, const struct cmw__rate_part *part,
                     cmw_ctx *ctx, uint64_t *hash)
{
    char room[16];
    cmw_str bytes;
    const int rc = part->read(source, part, ctx, &bytes, room);

    if (rc == 0)
        *hash = cmw_hash_keyed(&source->hash_key, bytes);
    return rc;
}

int cmw__rate_key_hash(const struct cmw__rate_source *source, const struct cmw__rate_key *key,
                       cmw_ctx *ctx, uint64_t *hash)
{
    uint64_t hashes[CMW_RATE_KEY_PARTS_MAX];

    if (cmw__rate_key_is_client(key)) {
        *hash = cmw__rate_client_hash(source, ctx);
        return 0;
    }
    if (key->count == 1)
        return hash_part(source, &key->parts[0], ctx, hash);
    for (size_t i = 0; i < key->count; i++) {
        const int rc = hash_part(source, &key->parts[i], ctx, &hashes[i]);
        if (rc != 0)
            return rc;
    }
    *hash = cmw_hash_keyed(&source->hash_key,
                           cmw_str_make((const char *)hashes, key->count * sizeof *hashes));
    return 0;
}

static char *put_part(char *at, cmw_str bytes)
{
    for (unsigned i = 0; i < 4; i++)
        *at++ = (char)(bytes.len >> 8 * i & 0xff);
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

int cmw__rate_key_write(const struct cmw__rate_source *source, const struct cmw__rate_key *key,
                        cmw_ctx *ctx, cmw_str *out)
{
    char room[CMW_RATE_KEY_PARTS_MAX][16];
    cmw_str parts[CMW_RATE_KEY_PARTS_MAX];
    size_t len = 0;

    for (size_t i = 0; i < key->count; i++) {
        const int rc = key->parts[i].read(source, &key->parts[i], ctx, &parts[i], room[i]);
        if (rc != 0)
            return rc;
        if (parts[i].len > UINT32_MAX)
            return CMW_ERR_LIMIT;
        len += 4 + parts[i].len;
    }
    char *const text = cmw_arena_alloc_text(cmw_ctx_arena(ctx), len);
    char *at = text;
    if (!text)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < key->count; i++)
        at = put_part(at, parts[i]);
    *out = cmw_str_make(text, len);
    return 0;
}
