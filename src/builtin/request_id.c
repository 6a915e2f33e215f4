/* SPDX-License-Identifier: MIT */
/*
 * Request ids: the upper half is drawn once from the system; the lower half is a counter put
 * through a keyed permutation of 64 bits, so that no two are equal and neighbours do not look
 * alike.
 */
#include <catzilla/builtin/request_id.h>

#include <stdatomic.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct request_id {
    cmw_pool *pool;
    _Atomic uint64_t counter;
    uint64_t instance;
    uint64_t key[2];
    cmw_slot slot;
    int trust_incoming;
};

static cmw_phase_fn on_pre_route, on_post_route;

/* A bijection: xor with a key, multiplications by odd numbers, shifts folded in. */
static uint64_t permute(uint64_t number, const uint64_t key[2])
{
    number ^= key[0];
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    number ^= number >> 31;
    number ^= key[1];
    number = (number ^ number >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return number ^ number >> 32;
}

static void write_hex(char *to, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, number >>= 4)
        to[i] = digits[number & 15];
}

static int is_acceptable(cmw_str text)
{
    if (text.len == 0 || text.len > CMW_REQUEST_ID_CAP)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '.' || c == '_' || c == '-'))
            return 0;
    }
    return 1;
}

/* The incoming id, if it may be kept; else NULL. */
static const cmw_header *find_incoming(const struct request_id *ids, cmw_request *request)
{
    if (!ids->trust_incoming)
        return NULL;
    const cmw_header *header = cmw_request_header(request, CMW_HDR_X_REQUEST_ID);
    if (!header || !is_acceptable(header->value) ||
        cmw_request_next_header(request, CMW_HDR_X_REQUEST_ID, header))
        return NULL;
    return header;
}

static void make_id(struct request_id *ids, cmw_request_id *id)
{
    const uint64_t count = atomic_fetch_add_explicit(&ids->counter, 1, memory_order_relaxed);
    write_hex(id->text, ids->instance);
    write_hex(id->text + 16, permute(count, ids->key));
    id->len = 32;
}

/* The request's id, made on the first ask; NULL without memory. */
static const cmw_request_id *id_of(struct request_id *ids, cmw_ctx *ctx)
{
    cmw_request_id *id = cmw_ctx_slot(ctx, ids->slot);
    if (id)
        return id;
    id = cmw_ctx_set_slot(ctx, ids->slot);
    if (!id)
        return NULL;
    const cmw_header *incoming = find_incoming(ids, cmw_ctx_request(ctx));
    if (incoming) {
        memcpy(id->text, incoming->value.data, incoming->value.len);
        id->len = (uint32_t)incoming->value.len;
    } else {
        make_id(ids, id);
    }
    return id;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    return id_of(self, ctx) ? CMW_CONTINUE : CMW_ERROR;
}

/* Here and not in pre_route, which a request over its limits never sees. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const cmw_request_id *id = id_of(self, ctx);

    return id && cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_X_REQUEST_ID,
                                  cmw_str_make(id->text, id->len)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static void destroy(void *self)
{
    struct request_id *ids = self;
    cmw_pool_free(ids->pool, ids, sizeof *ids, 64);
}

int cmw_request_id_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_request_id_config *config, cmw_diag *diag)
{
    cmw_slot slot;
    uint64_t random[3];

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    if (config && config->size != sizeof *config)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "request_id: call cmw_request_id_config_init");
    if (cmw_random_bytes(random, sizeof random) != 0)
        return cmw_diag_set(diag, CMW_ERR_IO, "request_id: the system gives no random bytes");
    const int rc = cmw_slot_declare(engine, &slot, "request_id", sizeof(cmw_request_id), NULL);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "request_id: slot 'request_id' has another shape");

    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    struct request_id *ids = cmw_pool_alloc(pool, sizeof *ids, 64);
    if (!ids)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "request_id: no memory");
    memset(ids, 0, sizeof *ids);
    atomic_init(&ids->counter, 0);
    ids->pool = pool;
    ids->instance = random[0];
    ids->key[0] = random[1];
    ids->key[1] = random[2];
    ids->slot = slot;
    ids->trust_incoming = config ? config->trust_incoming : 0;

    middleware->kind = "request_id";
    middleware->priority = 100;
    middleware->self = ids;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    cmw_middleware_provides(middleware, slot);
    return 0;
}

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_request_id_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_request_id_config_init(config);
}

static const cmw_option options[] = {
    {.name = "trust_incoming",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_request_id_config, trust_incoming),
     .help = "Keep a valid X-Request-ID of the request; only behind a proxy of one's own"},
};

const cmw_kind cmw__kind_request_id = {
    .size = sizeof(cmw_kind),
    .name = "request_id",
    .summary = "An id for each request, in a slot and in X-Request-ID",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_request_id_config),
    .config_init = config_init,
    .create = create,
};
