/* SPDX-License-Identifier: MIT */
/*
 * Request ids: kept where a trusted peer sent a good one, else made from the worker's random bytes,
 * which no forked child shares with its parent.
 *
 * A UUID of version 7 has 60 ascending bits, the time in ms and a counter within it, and 62 random
 * ones. The counter is a worker's own and outlives reloads, so that its ids ascend.
 */
#include <catzilla/builtin/request_id.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "hex.h"

/* The first half of the last id, as a number: time in ms << 16 | version | counter. A cache line
 * for each worker. */
struct ticker {
    uint64_t last;
};

enum { TICKER_BYTES = 64 };

/* Kept across reloads. A place is written by its worker only. */
struct tickers {
    cmw_pool *pool;
    uint32_t limit;
    struct ticker *at[];
};

struct request_id {
    cmw_arena *arena;
    cmw_engine *engine;
    struct tickers *tickers;
    const cmw_network_set *trusted;
    cmw_str header;
    cmw_header_id header_id;
    cmw_value_field *field; /* NULL: the field has no id */
    cmw_phase_fn *look;     /* the uncommon ways: by address, so that they stay out of line */
    cmw_phase_fn *set_field;
    size_t max_length;
    cmw_slot slot;
    int format;
    uint8_t trusts_all;
    uint8_t trusts_some;
};

enum { UUID_LEN = 36, HEX_LEN = 32 };
enum { VERSION = 0x7000, COUNTER = 0xfff };

static cmw_phase_fn on_pre_route, on_post_route, look, set_field;

/* ---- Making ids ------------------------------------------------------------------------- */

/* The worker's own; NULL without memory. */
static struct ticker *take_ticker(struct tickers *tickers, cmw_ctx *ctx)
{
    const uint32_t index = cmw_worker_index(cmw_ctx_worker(ctx));
    struct ticker *ticker = tickers->at[index];

    if (ticker)
        return ticker;
    ticker = cmw_pool_alloc(tickers->pool, TICKER_BYTES, TICKER_BYTES);
    if (!ticker)
        return NULL;
    ticker->last = VERSION;
    tickers->at[index] = ticker;
    return ticker;
}

/*
 * The next of the ascending numbers. In a new ms the counter begins at a random number with room
 * above it. Where it runs over, or the clock goes back, the ms runs ahead of the clock: the ids
 * still ascend.
 */
static inline uint64_t next_tick(struct ticker *ticker, uint64_t now_ms, uint64_t random)
{
    uint64_t next = now_ms << 16 | VERSION | (random & COUNTER >> 1);

    if (now_ms <= ticker->last >> 16) {
        next = ticker->last + 1;
        if ((next & COUNTER) == 0) /* past the last one: the next ms */
            next += UINT64_C(0x10000) - COUNTER - 1;
    }
    ticker->last = next;
    return next;
}

static inline int make_uuid(const struct request_id *ids, cmw_ctx *ctx, char *to)
{
    struct ticker *const ticker = take_ticker(ids->tickers, ctx);
    uint64_t random;

    if (!ticker || cmw_ctx_random(ctx, &random, sizeof random) != 0)
        return -1;
    const uint64_t tick = next_tick(ticker, cmw_ctx_wall_ns(ctx) / 1000000, random);
    cmw__hex_uuid(to, tick, UINT64_C(2) << 62 | random >> 2);
    return UUID_LEN;
}

static inline int make_hex(cmw_ctx *ctx, char *to)
{
    uint8_t bytes[16];

    if (cmw_ctx_random(ctx, bytes, sizeof bytes) != 0)
        return -1;
    cmw__hex16(to, bytes);
    return HEX_LEN;
}

/* Where an id is made: where it stands in the response, if its field is known. */
static inline char *make_room(const struct request_id *ids, cmw_ctx *ctx)
{
    return ids->field ? cmw_value_field_room(ids->field, cmw_ctx_arena(ctx), UUID_LEN)
                      : cmw_arena_alloc_text(cmw_ctx_arena(ctx), UUID_LEN);
}

/* In line where it is the common way; `make` is the same as a function. */
static CMW__BUILTIN_INLINE int make_in_line(const struct request_id *ids, cmw_ctx *ctx,
                                            cmw_request_id *id)
{
    char *const room = make_room(ids, ctx);

    if (!room)
        return -1;
    const int len =
        ids->format == CMW_REQUEST_ID_HEX ? make_hex(ctx, room) : make_uuid(ids, ctx, room);
    if (len < 0)
        return -1;
    *id = (cmw_request_id){room, (size_t)len, ids->field};
    return 0;
}

static int make(const struct request_id *ids, cmw_ctx *ctx, cmw_request_id *id)
{
    return make_in_line(ids, ctx, id);
}

/* ---- Ids that come in ------------------------------------------------------------------- */

static int is_allowed(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-' || c == '=';
}

static int is_acceptable(const struct request_id *ids, cmw_str text)
{
    if (text.len == 0 || text.len > ids->max_length)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        if (!is_allowed(text.data[i]))
            return 0;
    return 1;
}

static inline const cmw_header *find_incoming(const struct request_id *ids, cmw_request *request)
{
    if (ids->header_id == CMW_HDR_X_REQUEST_ID)
        return cmw_request_header(request, CMW_HDR_X_REQUEST_ID); /* in line */
    return ids->header_id != CMW_HDR_OTHER ? cmw_request_header(request, ids->header_id)
                                           : cmw_request_header_named(request, ids->header);
}

static size_t count_named(const struct request_id *ids, const cmw_request *request)
{
    size_t count;
    size_t found = 0;
    const cmw_header *headers = cmw_request_headers(request, &count);

    for (size_t i = 0; i < count; i++)
        found += (size_t)cmw_str_equals_fold(headers[i].name, ids->header);
    return found;
}

/* The peer is asked, not the client: it is the peer who wrote the field. */
static int is_trusted(const struct request_id *ids, const cmw_request *request)
{
    return ids->trusts_all ||
           (ids->trusts_some && cmw_network_set_contains(ids->trusted, cmw_request_peer(request)));
}

static int keeps(const struct request_id *ids, const cmw_request *request,
                 const cmw_header *incoming)
{
    return is_trusted(ids, request) && is_acceptable(ids, incoming->value) &&
           count_named(ids, request) == 1;
}

/* ---- Requests --------------------------------------------------------------------------- */

/* Choose the request's id, into its slot; NULL without memory or random bytes. */
static const cmw_request_id *choose(const struct request_id *ids, cmw_ctx *ctx,
                                    const cmw_header *incoming)
{
    cmw_request_id id;

    if (incoming && keeps(ids, cmw_ctx_request(ctx), incoming))
        id = (cmw_request_id){incoming->value.data, incoming->value.len, NULL};
    else if (make(ids, ctx, &id) != 0)
        return NULL;
    return cmw_ctx_copy_slot(ctx, ids->slot, &id);
}

/* A second instance, with another field, takes over the id of the first. */
static int look(void *self, cmw_ctx *ctx)
{
    const struct request_id *ids = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *incoming = find_incoming(ids, request);
    const cmw_request_id *id = cmw_ctx_slot(ctx, ids->slot);

    if (!id)
        id = choose(ids, ctx, incoming);
    if (!id)
        return CMW_ERROR;
    if (!incoming || id->text == incoming->value.data)
        return CMW_CONTINUE;
    return cmw_request_set_header(request, ids->header, cmw_str_make(id->text, id->len)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* The common way: no id has come, and none was made. All else begins again. */
static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct request_id *ids = self;
    cmw_request_id id;

    if (ids->header_id != CMW_HDR_X_REQUEST_ID ||
        cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_X_REQUEST_ID) ||
        cmw_ctx_slot(ctx, ids->slot))
        return ids->look(self, ctx);
    if (make_in_line(ids, ctx, &id) != 0)
        return CMW_ERROR;
    return cmw_ctx_copy_slot(ctx, ids->slot, &id) ? CMW_CONTINUE : CMW_ERROR;
}

/* The same for the response: one whose request never saw pre_route, or an id that came. */
static int set_field(void *self, cmw_ctx *ctx)
{
    const struct request_id *ids = self;
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_request_id *id = cmw_ctx_slot(ctx, ids->slot);

    if (!id)
        id = choose(ids, ctx, find_incoming(ids, cmw_ctx_request(ctx)));
    if (!id)
        return CMW_ERROR;
    const cmw_str text = cmw_str_make(id->text, id->len);
    const int rc = ids->header_id != CMW_HDR_OTHER
                       ? cmw_response_set(response, ids->header_id, text)
                       : cmw_response_set_named(response, ids->header, text);
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* Here and not in pre_route: what the handler sets is replaced, and a request over its limits never
 * sees pre_route. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct request_id *ids = self;
    const cmw_request_id *id = cmw_ctx_slot(ctx, ids->slot);

    if (!id || !id->field || id->field != ids->field)
        return ids->set_field(self, ctx);
    return cmw_response_set_in_place(cmw_ctx_response(ctx), ids->field,
                                     cmw_str_make(id->text, id->len)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static size_t tickers_bytes(uint32_t limit)
{
    return sizeof(struct tickers) + limit * sizeof(struct ticker *);
}

static int create_tickers(void *self, void **object)
{
    cmw_engine *engine = self;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    const uint32_t limit = cmw_engine_worker_limit(engine);
    struct tickers *tickers = cmw_pool_alloc(pool, tickers_bytes(limit), 0);

    if (!tickers)
        return CMW_ERR_NOMEM;
    memset(tickers, 0, tickers_bytes(limit));
    tickers->pool = pool;
    tickers->limit = limit;
    *object = tickers;
    return 0;
}

static void destroy_tickers(void *self, void *object)
{
    struct tickers *tickers = object;

    (void)self;
    for (uint32_t i = 0; i < tickers->limit; i++)
        if (tickers->at[i])
            cmw_pool_free(tickers->pool, tickers->at[i], TICKER_BYTES, TICKER_BYTES);
    cmw_pool_free(tickers->pool, tickers, tickers_bytes(tickers->limit), 0);
}

static int retain_tickers(struct request_id *ids, const char *name)
{
    cmw_state_config state;
    void *object;

    cmw_state_config_init(&state);
    state.kind = "request_id";
    state.name = name;
    state.create = create_tickers;
    state.destroy = destroy_tickers;
    state.self = ids->engine;
    const int rc = cmw_state_retain(ids->engine, &object, &state);
    if (rc == 0)
        ids->tickers = object;
    return rc;
}

static void destroy(void *self)
{
    const struct request_id *ids = self;
    cmw_state_release(ids->engine, ids->tickers);
    cmw_arena_destroy(ids->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "request_id: no memory");
}

static int take_header(struct request_id *ids, const char *header, cmw_diag *diag)
{
    const cmw_str name = header ? cmw_str_cstr(header) : CMW_STR("X-Request-ID");
    const int rc = cmw_response_check_field(name, CMW_STR("x"));

    if (rc == CMW_ERR_ARG)
        return cmw_diag_set(diag, rc, "request_id: header: '%s' is the library's own field",
                            header);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "request_id: header: '%s' is not the name of a field",
                            header ? header : "");
    if (cmw_arena_dup(ids->arena, &ids->header, name) != 0)
        return no_memory(diag);
    ids->header_id = cmw_header_id_find(name);
    if (ids->header_id == CMW_HDR_OTHER || ids->header_id == CMW_HDR_CONTENT_TYPE)
        return 0;
    return cmw_value_field_create(&ids->field, ids->arena, ids->header_id) == 0 ? 0
                                                                                : no_memory(diag);
}

static int take_networks(struct request_id *ids, const cmw_request_id_config *config,
                         cmw_diag *diag)
{
    cmw_network_set *set;
    cmw_diag why = {0};
    const int rc = cmw_network_set_create(&set, ids->arena, config->trust_networks,
                                          config->trust_network_count, &why);

    if (rc == CMW_ERR_NOMEM)
        return no_memory(diag);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "request_id: trust_incoming: %s", why.message);
    ids->trusted = set;
    ids->trusts_some = config->trust_network_count > 0;
    ids->trusts_all = config->trust_incoming != 0;
    return 0;
}

static int check_config(const cmw_request_id_config *config, cmw_diag *diag)
{
    if (config->max_length < 1 || config->max_length > 4096)
        return cmw_diag_set(diag, CMW_ERR_ARG, "request_id: max_length: %lld is not in 1 to 4096",
                            (long long)config->max_length);
    if (config->format != CMW_REQUEST_ID_UUID && config->format != CMW_REQUEST_ID_HEX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "request_id: format: there is none with number %d",
                            config->format);
    if (config->trust_incoming && config->trust_network_count > 0)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "request_id: trust_incoming: either everyone or a list of networks");
    return 0;
}

static int fill(struct request_id *ids, const cmw_request_id_config *config, const char *name,
                cmw_diag *diag)
{
    int rc = take_header(ids, config->header, diag);
    if (rc == 0)
        rc = take_networks(ids, config, diag);
    if (rc != 0)
        return rc;
    ids->max_length = (size_t)config->max_length;
    ids->format = config->format;
    rc = cmw_slot_declare(ids->engine, &ids->slot, "request_id", sizeof(cmw_request_id), NULL);
    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "request_id: slot 'request_id' has another shape");
    if (rc == 0)
        rc = retain_tickers(ids, name ? name : "request_id");
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "request_id: %s", cmw_error_text(rc));
}

int cmw_request_id_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_request_id_config *config, cmw_diag *diag)
{
    cmw_request_id_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_request_id_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "request_id: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct request_id *ids = cmw__builtin_alloc(engine, &arena, sizeof *ids, "request_id", diag);
    if (!ids)
        return CMW_ERR_NOMEM;
    ids->arena = arena;
    ids->engine = engine;
    ids->look = look;
    ids->set_field = set_field;
    rc = fill(ids, &ours, middleware->name, diag);
    if (rc != 0) {
        destroy(ids);
        return rc;
    }

    middleware->kind = "request_id";
    middleware->priority = 100;
    middleware->self = ids;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    cmw_middleware_provides(middleware, ids->slot);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

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
    {.name = "header",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_request_id_config, header),
     .help = "Name of the field, in requests and responses"},
    {.name = "trust_incoming",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_request_id_config, trust_incoming),
     .help = "Keep a good id of the request, whoever sends it: behind a proxy of one's own only"},
    {.name = "trust_incoming",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_request_id_config, trust_networks),
     .help = "Networks whose peers' good ids are kept"},
    {.name = "max_length",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_request_id_config, max_length),
     .min = 1,
     .max = 4096,
     .help = "Longest id that is kept"},
    {.name = "format",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_request_id_config, format),
     .choices = "uuid|hex",
     .help = "How ids look that are made here"},
};

const cmw_kind cmw__kind_request_id = {
    .size = sizeof(cmw_kind),
    .name = "request_id",
    .summary = "An id for each request, in a slot, the request and the response",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_request_id_config),
    .config_init = config_init,
    .create = create,
};
