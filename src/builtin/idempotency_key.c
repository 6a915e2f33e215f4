/* SPDX-License-Identifier: MIT */
/*
 * A request's way past its key: looked at in pre_route, claimed when the body is whole, settled
 * when the handler has answered, or set free when it has not.
 */
#include <catzilla/builtin/idempotency_key.h>

#include <stdatomic.h>
#include <stdio.h>

#include "builtins.h"
#include "idempotency_record.h"

#define SECOND_NS UINT64_C(1000000000)

/* What plans share. */
struct shared {
    cmw_pool *pool;
    cmw_memory_store *memory; /* NULL: the store is the user's */
    cmw_hash_key keys[2];
    _Atomic uint64_t first, replayed, in_flight, mismatched, not_kept, freed, failed;
};

struct idempotency {
    cmw_arena *arena;
    cmw_engine *engine;
    struct shared *shared;
    cmw_store store;
    cmw_hash_key keys[2];
    const char *const *methods;
    size_t method_count;
    size_t max_key_length, max_response_bytes;
    uint64_t ttl_ns, lock_ns;
    int required, strict, passes;
    cmw_slot slot, principal;
};

/* What became of a request, in its slot. */
enum stage { WANTED, CLAIMED, SETTLED };

struct visit {
    enum stage stage;
    cmw_str client_key; /* what the client sent */
    cmw_str key;        /* with all that it holds for */
    cmw_str owner;
    uint64_t fingerprint[2];
    uint64_t version;   /* of what this request has put there */
    cmw_header *before; /* fields that the response had before the handler */
    size_t before_count;
};

static cmw_phase_fn on_pre_route, on_post_route;
static cmw_body_fn on_request_body;
static cmw_resumed_fn on_resumed;
static cmw_dropped_fn on_dropped;
static cmw_complete_fn on_complete;

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- The client's key ------------------------------------------------------------------- */

static int has_method(const struct idempotency *self, cmw_request *request)
{
    const cmw_str method = cmw_request_method(request);

    for (size_t i = 0; i < self->method_count; i++)
        if (cmw_str_equals(method, cmw_str_cstr(self->methods[i])))
            return 1;
    return 0;
}

/* 1 for a key that stands there without quotes, which many clients send. */
static int is_bare(cmw_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' || c == '\\')
            return 0;
    }
    return value.len > 0;
}

/* 0; CMW_ERR_INVALID: it is no key; CMW_ERR_NOMEM. */
static int read_key(const struct idempotency *self, cmw_ctx *ctx, cmw_str field, cmw_str *key)
{
    cmw_sf_reader reader;
    cmw_sf_value value, more;

    if (!self->strict && is_bare(field)) {
        *key = field;
    } else {
        cmw_sf_reader_init(&reader, field);
        if (cmw_sf_only_item(&reader, &value) != 1 || value.type != CMW_SF_STRING ||
            cmw_sf_only_item(&reader, &more) != 0)
            return CMW_ERR_INVALID;
        if (cmw_sf_decode(&value, cmw_ctx_arena(ctx)) != 0)
            return CMW_ERR_NOMEM;
        *key = value.text;
    }
    return key->len > 0 && key->len <= self->max_key_length ? 0 : CMW_ERR_INVALID;
}

static int on_pre_route(void *object, cmw_ctx *ctx)
{
    const struct idempotency *self = object;
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_str key;

    if (!has_method(self, request))
        return CMW_CONTINUE;
    const cmw_header *header = cmw_request_header(request, CMW_HDR_IDEMPOTENCY_KEY);
    if (!header)
        return self->required
                   ? cmw_respond_problem(ctx, 400, "this request needs an Idempotency-Key")
                   : CMW_CONTINUE;
    const int rc = cmw_request_is_repeated(request, CMW_HDR_IDEMPOTENCY_KEY)
                       ? CMW_ERR_INVALID
                       : read_key(self, ctx, header->value, &key);
    if (rc == CMW_ERR_INVALID)
        return cmw_respond_problem(ctx, 400, "the Idempotency-Key is malformed");
    struct visit *visit = rc == 0 ? cmw_ctx_set_slot(ctx, self->slot) : NULL;
    if (!visit)
        return CMW_ERROR;
    visit->stage = WANTED;
    visit->client_key = key;
    return CMW_CONTINUE;
}

/* ---- What it holds for ------------------------------------------------------------------ */

/* A part of a key, behind its length: no two lists of parts have the same bytes. */
static char *put_part(char *to, cmw_str part)
{
    for (unsigned i = 0; i < 4; i++)
        *to++ = (char)(part.len >> 8 * i & 0xff);
    if (part.len > 0)
        memcpy(to, part.data, part.len);
    return to + part.len;
}

/* One household's or one server's addresses, who has no name. */
static cmw_str network_of(const cmw_address *client)
{
    switch (client->family) {
    case CMW_ADDRESS_V4:
        return cmw_str_make((const char *)client->bytes, 4);
    case CMW_ADDRESS_V6:
        return cmw_str_make((const char *)client->bytes, 8);
    default:
        return CMW_STR("local");
    }
}

/* Who asks, what for, and the client's key; and who has the room: 0 or CMW_ERR_NOMEM. */
static int make_key(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_principal *principal = cmw_ctx_slot(ctx, self->principal);
    const cmw_str parts[] = {principal ? principal->scheme : CMW_STR(""),
                             principal ? principal->id : CMW_STR(""),
                             cmw_request_method(request),
                             cmw_request_host(request),
                             cmw_request_path(request),
                             visit->client_key};
    size_t len = 1;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        len += 4 + parts[i].len;
    char *const key = cmw_arena_alloc_text(cmw_ctx_arena(ctx), len);
    if (!key)
        return CMW_ERR_NOMEM;
    char *at = key;
    *at++ = principal ? 'p' : '-';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        at = put_part(at, parts[i]);
    visit->key = cmw_str_make(key, len);
    visit->owner = principal ? cmw_str_make(key, 9 + parts[0].len + parts[1].len)
                             : network_of(cmw_request_client_address(request));
    return 0;
}

/* Query, content type and body. */
static void take_fingerprint(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit,
                             cmw_str body)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *type = cmw_request_header(request, CMW_HDR_CONTENT_TYPE);
    const cmw_str query = cmw_request_query(request);

    for (size_t i = 0; i < 2; i++) {
        const cmw_hash_key *key = &self->keys[i];
        const uint64_t head = cmw_hash_keyed_pair(
            key, cmw_hash_keyed(key, query), type ? cmw_hash_keyed(key, type->value) : body.len);
        visit->fingerprint[i] = cmw_hash_keyed_pair(key, head, cmw_hash_keyed(key, body));
    }
}

/* ---- Answers ---------------------------------------------------------------------------- */

static int refuse(cmw_ctx *ctx, int status, const char *detail)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, CMW_STR("1")) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, status, detail);
}

static int fail(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit)
{
    visit->stage = SETTLED;
    count(&self->shared->failed);
    if (self->passes)
        return CMW_CONTINUE;
    return refuse(ctx, 503, "the Idempotency-Key cannot be kept now");
}

/* There is something, and what it is cannot be told: to let the request pass might do it twice. */
static int refuse_unknown(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit)
{
    visit->stage = SETTLED;
    count(&self->shared->failed);
    return refuse(ctx, 503, "what the Idempotency-Key stands for cannot be read now");
}

/* The first response again. */
static int replay(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit,
                  const struct cmw__idempotency_record *record)
{
    cmw_response *response = cmw_ctx_response(ctx);
    cmw_str rest = record->fields;
    cmw_header field;
    int replaces, rc = 0;

    while (rc == 0 && cmw__idempotency_next_field(&rest, &field, &replaces))
        rc = replaces ? cmw_response_set_named(response, field.name, field.value)
                      : cmw_response_append_named(response, field.name, field.value);
    if (rc == CMW_ERR_INVALID || rc == CMW_ERR_ARG)
        return refuse_unknown(self, ctx, visit);
    if (rc == 0)
        rc = cmw_response_set_named(response, CMW_STR("Idempotency-Replayed"), CMW_STR("true"));
    if (rc == 0)
        rc = record->body.len > 0 ? cmw_response_bytes_ref(response, record->status, record->body)
                                  : cmw_response_empty(response, record->status);
    count(&self->shared->replayed);
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

/* Somebody was there before. */
static int answer_found(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit,
                        cmw_str value)
{
    struct cmw__idempotency_record record;

    if (cmw__idempotency_read(&record, value) != 0)
        return refuse_unknown(self, ctx, visit);
    visit->stage = SETTLED;
    if (record.fingerprint[0] != visit->fingerprint[0] ||
        record.fingerprint[1] != visit->fingerprint[1]) {
        count(&self->shared->mismatched);
        return cmw_respond_problem(ctx, 422, "the Idempotency-Key was used for another request");
    }
    if (record.state == CMW__IDEMPOTENCY_IN_FLIGHT) {
        count(&self->shared->in_flight);
        return refuse(ctx, 409, "a request with this Idempotency-Key is being handled");
    }
    if (record.state == CMW__IDEMPOTENCY_NOT_KEPT)
        return cmw_respond_problem(
            ctx, 409, "the request was done, and its response was not kept for repeats");
    return replay(self, ctx, visit, &record);
}

/* ---- Claiming --------------------------------------------------------------------------- */

/* The fields of other middleware, which are not the response's. */
static int note_fields(cmw_ctx *ctx, struct visit *visit)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t fields = 0;

    while (cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        fields++;
    if (fields == 0)
        return 0;
    visit->before = cmw_arena_alloc(cmw_ctx_arena(ctx), fields * sizeof *visit->before);
    if (!visit->before)
        return CMW_ERR_NOMEM;
    cursor = (cmw_header_cursor){0, 0};
    while (visit->before_count < fields &&
           cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        visit->before[visit->before_count++] = field;
    return 0;
}

/* An item that its store wants back at the request's end. */
struct held {
    const cmw_store *store;
    cmw_store_item *item;
};

static void give_back(void *object)
{
    const struct held *held = object;
    held->store->release(held->store->self, held->item);
}

static int hold(const struct idempotency *self, cmw_ctx *ctx, cmw_store_item *item)
{
    if (!self->store.release)
        return 0;
    struct held *held = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *held);
    if (held) {
        *held = (struct held){&self->store, item};
        if (cmw_arena_defer(cmw_ctx_arena(ctx), give_back, held) == 0)
            return 0;
    }
    self->store.release(self->store.self, item);
    return CMW_ERR_NOMEM;
}

/* What a store has said, and the item that goes with it. */
static int act_on(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit, int answer,
                  cmw_store_item *item)
{
    if (answer == CMW_ERR_NOMEM) /* of this request: the key may well be there */
        return refuse_unknown(self, ctx, visit);
    if (answer != CMW_STORE_ADDED && answer != CMW_STORE_FOUND)
        return fail(self, ctx, visit);
    if (answer == CMW_STORE_ADDED) {
        visit->stage = CLAIMED;
        visit->version = item->version;
        count(&self->shared->first);
    }
    if (hold(self, ctx, item) != 0)
        return CMW_ERROR;
    if (answer == CMW_STORE_ADDED)
        return note_fields(ctx, visit) == 0 ? CMW_CONTINUE : CMW_ERROR;
    return answer_found(self, ctx, visit, item->value);
}

static int claim(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit, cmw_str body)
{
    char head[CMW__IDEMPOTENCY_HEAD];
    cmw_store_item *item = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *item);

    if (!item || make_key(self, ctx, visit) != 0)
        return CMW_ERROR;
    take_fingerprint(self, ctx, visit, body);
    const struct cmw__idempotency_record record = {
        .state = CMW__IDEMPOTENCY_IN_FLIGHT,
        .fingerprint = {visit->fingerprint[0], visit->fingerprint[1]}};
    (void)cmw__idempotency_write_head(head, &record);
    const cmw_store_entry entry = {visit->key, cmw_str_make(head, sizeof head), self->lock_ns,
                                   cmw_ctx_begin_ns(ctx), visit->owner};
    const int answer = self->store.add(self->store.self, ctx, &entry, item);
    if (answer == CMW_STORE_PENDING && (self->store.flags & CMW_STORE_ASYNC))
        return CMW_SUSPEND;
    return act_on(self, ctx, visit, answer, item);
}

static int on_request_body(void *object, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct idempotency *self = object;
    struct visit *visit = cmw_ctx_slot(ctx, self->slot);

    if (!visit || visit->stage != WANTED)
        return CMW_CONTINUE;
    return claim(self, ctx, visit, chunk->bytes);
}

static int on_resumed(void *object, cmw_ctx *ctx, int verdict, void *data)
{
    const struct idempotency *self = object;
    struct visit *visit = cmw_ctx_slot(ctx, self->slot);
    cmw_store_item *item = data;

    if (!visit)
        return CMW_ERROR;
    if (!item)
        return fail(self, ctx, visit);
    if (verdict == CMW_CONTINUE &&
        (item->answer == CMW_STORE_ADDED || item->answer == CMW_STORE_FOUND))
        return act_on(self, ctx, visit, item->answer, item);
    on_dropped(object, item);
    return fail(self, ctx, visit);
}

static void on_dropped(void *object, void *data)
{
    const struct idempotency *self = object;
    cmw_store_item *item = data;

    if (!item)
        return;
    if (item->answer == CMW_STORE_ADDED)
        item->answer = CMW_ERR_CANCELLED; /* nobody took it */
    if (self->store.release)
        self->store.release(self->store.self, item);
}

/* ---- Settling --------------------------------------------------------------------------- */

/* 1 for a field of the response that a repeat gets, too. */
static int is_kept(const struct visit *visit, const cmw_header *field)
{
    static const char *const never[] = {
        "Set-Cookie",     "Date",    "Connection",       "Keep-Alive",
        "Upgrade",        "Trailer", "Proxy-Connection", "Transfer-Encoding",
        "Content-Length",
    };

    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (cmw_str_equals_fold(field->name, cmw_str_cstr(never[i])))
            return 0;
    for (size_t i = 0; i < visit->before_count; i++)
        if (cmw_str_equals_fold(visit->before[i].name, field->name) &&
            cmw_str_equals(visit->before[i].value, field->value))
            return 0;
    return 1;
}

/* Only what is all there, and not too long. */
static int may_keep(const struct idempotency *self, const cmw_response *response)
{
    const int status = cmw_response_status(response);
    const size_t len = cmw_response_body(response).len;

    if (len > self->max_response_bytes || cmw_response_passes_body(response))
        return 0;
    if (status < 200) /* the real answer is yet to come, past the engine */
        return 0;
    return status == 204 || status == 304 || cmw_response_content_length(response) == len;
}

static int has_field(const cmw_response *response, const cmw_header *wanted)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    while (cmw_response_next_header(response, &cursor, &field, 0))
        if (cmw_str_equals_fold(field.name, wanted->name) &&
            cmw_str_equals(field.value, wanted->value))
            return 1;
    return 0;
}

/* 1 for the first one of its name, where the handler has put it in the place of other middleware's:
 * a repeat has those again. */
static int replaces(const cmw_response *response, const struct visit *visit,
                    const cmw_header *field)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header first;

    while (cmw_response_next_header(response, &cursor, &first, 0))
        if (cmw_str_equals_fold(first.name, field->name) && is_kept(visit, &first))
            break;
    if (first.value.data != field->value.data)
        return 0;
    for (size_t i = 0; i < visit->before_count; i++)
        if (cmw_str_equals_fold(visit->before[i].name, field->name) &&
            !has_field(response, &visit->before[i]))
            return 1;
    return 0;
}

/* The response as a record in the request's arena; its length, or 0 without memory. */
static cmw_str write_record(cmw_ctx *ctx, const struct visit *visit)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    struct cmw__idempotency_record record = {
        .state = CMW__IDEMPOTENCY_ANSWERED,
        .status = cmw_response_status(response),
        .fingerprint = {visit->fingerprint[0], visit->fingerprint[1]},
        .body = cmw_response_body(response)};
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t bytes = 0;

    while (cmw_response_next_header(response, &cursor, &field, 0))
        if (is_kept(visit, &field)) {
            record.field_count++;
            bytes += field.name.len + field.value.len;
        }
    const size_t len = cmw__idempotency_size(record.field_count, bytes, record.body.len);
    char *const text = cmw_arena_alloc_text(cmw_ctx_arena(ctx), len);
    if (!text)
        return cmw_str_make(NULL, 0);
    char *at = cmw__idempotency_write_head(text, &record);
    cursor = (cmw_header_cursor){0, 0};
    while (cmw_response_next_header(response, &cursor, &field, 0))
        if (is_kept(visit, &field))
            at = cmw__idempotency_write_field(at, &field, replaces(response, visit, &field));
    if (record.body.len > 0)
        memcpy(at, record.body.data, record.body.len);
    return cmw_str_make(text, len);
}

static int put(const struct idempotency *self, cmw_ctx *ctx, const struct visit *visit,
               cmw_str value)
{
    const cmw_store_entry entry = {visit->key, value, self->ttl_ns, cmw_ctx_begin_ns(ctx),
                                   visit->owner};
    return self->store.replace(self->store.self, &entry, visit->version);
}

/* Repeats are to know that it was done, at least. */
static void keep(const struct idempotency *self, cmw_ctx *ctx, struct visit *visit)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    char head[CMW__IDEMPOTENCY_HEAD];

    visit->stage = SETTLED;
    if (may_keep(self, response)) {
        const cmw_str record = write_record(ctx, visit);
        if (record.data && put(self, ctx, visit, record) == 0)
            return;
    }
    const struct cmw__idempotency_record record = {
        .state = CMW__IDEMPOTENCY_NOT_KEPT,
        .status = cmw_response_status(response),
        .fingerprint = {visit->fingerprint[0], visit->fingerprint[1]}};
    (void)cmw__idempotency_write_head(head, &record);
    count(&self->shared->not_kept);
    if (put(self, ctx, visit, cmw_str_make(head, sizeof head)) != 0)
        count(&self->shared->failed);
}

static void set_free(const struct idempotency *self, struct visit *visit)
{
    visit->stage = SETTLED;
    count(&self->shared->freed);
    if (self->store.remove(self->store.self, visit->key, visit->version) != 0)
        count(&self->shared->failed);
}

/* 1 for an answer after which the same request may well be tried again. */
static int is_passing(int status)
{
    return status >= 500 || status == 408 || status == 425 || status == 429;
}

static int on_post_route(void *object, cmw_ctx *ctx)
{
    const struct idempotency *self = object;
    struct visit *visit = cmw_ctx_slot(ctx, self->slot);

    if (!visit || visit->stage != CLAIMED)
        return CMW_CONTINUE;
    if (cmw_ctx_fault(ctx) || is_passing(cmw_response_status(cmw_ctx_response(ctx))))
        set_free(self, visit);
    else
        keep(self, ctx, visit);
    return CMW_CONTINUE;
}

/* It ended before the handler had answered. */
static void on_complete(void *object, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct idempotency *self = object;
    struct visit *visit = cmw_ctx_slot(ctx, self->slot);

    (void)reason;
    if (visit && visit->stage == CLAIMED)
        set_free(self, visit);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *object)
{
    const struct idempotency *self = object;

    if (self->shared)
        cmw_state_release(self->engine, self->shared);
    cmw_arena_destroy(self->arena);
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: %s: %lld is not %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check_methods(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    if (config->methods && config->method_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: methods: there are none");
    for (size_t i = 0; config->methods && i < config->method_count; i++)
        if (!cmw_header_name_is_valid(cmw_str_cstr(config->methods[i])))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "idempotency_key: methods: '%s' is not a method",
                                config->methods[i] ? config->methods[i] : "");
    return 0;
}

static int check_store(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const cmw_store *store = config->store;

    if (!store)
        return 0;
    if (store->size != sizeof *store || !store->add || !store->replace || !store->remove)
        return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: the store lacks a function");
    if (!config->fingerprint_keys)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "idempotency_key: fingerprint_keys: who shares a store needs them");
    return 0;
}

/* What could never be kept, though it is not too long, would be a surprise. */
static int check_room(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const int64_t share = config->when_full == CMW_IDEMPOTENCY_FULL_EVICT ? 100 : config->max_share;
    const int64_t most = config->max_bytes / 16 * share / 100;

    if (config->store || config->max_response_bytes <= most)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "idempotency_key: max_response_bytes: %lld has no room; max_bytes and "
                        "max_share leave room for %lld",
                        (long long)config->max_response_bytes, (long long)most);
}

static int check(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    int rc = check_methods(config, diag);

    if (rc == 0)
        rc = check_range("max_key_length", config->max_key_length, 1, 65535, diag);
    if (rc == 0)
        rc = check_range("ttl", config->ttl_s, 1, CMW_IDEMPOTENCY_SECONDS_MAX, diag);
    if (rc == 0)
        rc = check_range("lock", config->lock_s, 1, CMW_IDEMPOTENCY_SECONDS_MAX, diag);
    if (rc == 0)
        rc = check_range("max_response_bytes", config->max_response_bytes, 0, INT32_MAX, diag);
    if (rc == 0)
        rc = check_range("max_bytes", config->max_bytes, CMW_MEMORY_STORE_BYTES_MIN,
                         CMW_MEMORY_STORE_BYTES_MAX, diag);
    if (rc == 0)
        rc = check_range("max_share", config->max_share, 1, 100, diag);
    if (rc == 0)
        rc = check_room(config, diag);
    if (rc == 0)
        rc = check_range("when_full", config->when_full, 0, CMW_IDEMPOTENCY_FULL_EVICT, diag);
    if (rc == 0)
        rc = check_range("on_store_failure", config->on_store_failure, 0, CMW_IDEMPOTENCY_PASS,
                         diag);
    return rc == 0 ? check_store(config, diag) : rc;
}

/* ---- What plans share ------------------------------------------------------------------- */

struct wanted {
    cmw_pool *pool;
    struct {
        int64_t max_bytes, max_share, evicts, has_store;
    } shape;
};

static void destroy_shared(void *self, void *object)
{
    struct shared *shared = object;

    (void)self;
    cmw_memory_store_destroy(shared->memory);
    cmw_pool_free(shared->pool, shared, sizeof *shared, 0);
}

static int create_shared(void *self, void **object)
{
    const struct wanted *wanted = self;
    struct shared *shared = cmw_pool_alloc(wanted->pool, sizeof *shared, 0);
    cmw_memory_store_config config;
    int rc = 0;

    if (!shared)
        return CMW_ERR_NOMEM;
    memset(shared, 0, sizeof *shared);
    shared->pool = wanted->pool;
    cmw_memory_store_config_init(&config);
    config.max_bytes = wanted->shape.max_bytes;
    config.max_share = wanted->shape.max_share;
    config.evicts = (int)wanted->shape.evicts;
    if (cmw_hash_key_init(&shared->keys[0]) != 0 || cmw_hash_key_init(&shared->keys[1]) != 0)
        rc = CMW_ERR_IO;
    else if (!wanted->shape.has_store)
        rc = cmw_memory_store_create(&shared->memory, wanted->pool, &config);
    if (rc != 0)
        destroy_shared(NULL, shared);
    else
        *object = shared;
    return rc;
}

static int share(struct idempotency *self, const char *name,
                 const cmw_idempotency_key_config *config)
{
    struct wanted wanted = {
        cmw_engine_pool(self->engine, CMW_POOL_PLAN),
        {config->max_bytes, config->max_share, config->when_full, config->store != NULL}};
    cmw_state_config state;
    void *object = NULL;

    cmw_state_config_init(&state);
    state.kind = "idempotency_key";
    state.name = name ? name : "idempotency_key";
    state.shape = &wanted.shape;
    state.shape_len = sizeof wanted.shape;
    state.create = create_shared;
    state.destroy = destroy_shared;
    state.self = &wanted;
    const int rc = cmw_state_retain(self->engine, &object, &state);
    self->shared = object;
    if (rc != 0)
        return rc;
    const cmw_hash_key *keys = config->fingerprint_keys;
    memcpy(self->keys, keys ? keys : self->shared->keys, sizeof self->keys);
    self->store = config->store ? *config->store : cmw_memory_store_interface(self->shared->memory);
    return 0;
}

static int copy_methods(struct idempotency *self, const cmw_idempotency_key_config *config)
{
    static const char *const usual[] = {"POST", "PATCH"};

    self->methods = usual;
    self->method_count = 2;
    if (!config->methods)
        return 0;
    const char **methods = cmw_arena_alloc(self->arena, config->method_count * sizeof *methods);
    if (!methods)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < config->method_count; i++) {
        methods[i] = cmw__builtin_copy(self->arena, config->methods[i]);
        if (!methods[i])
            return CMW_ERR_NOMEM;
    }
    self->methods = methods;
    self->method_count = config->method_count;
    return 0;
}

static int fill(struct idempotency *self, const char *name,
                const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const size_t cap = sizeof "idempotency_key." + (name ? strlen(name) : 0);
    char *const text = cmw_arena_alloc_text(self->arena, cap);

    if (!text)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "idempotency_key: no memory");
    self->max_key_length = (size_t)config->max_key_length;
    self->max_response_bytes = (size_t)config->max_response_bytes;
    self->ttl_ns = (uint64_t)config->ttl_s * SECOND_NS;
    self->lock_ns = (uint64_t)config->lock_s * SECOND_NS;
    self->required = config->required != 0;
    self->strict = config->strict != 0;
    self->passes = config->on_store_failure == CMW_IDEMPOTENCY_PASS;
    (void)snprintf(text, cap, "idempotency_key.%s", name ? name : "");
    int rc = copy_methods(self, config);
    if (rc == 0)
        rc = share(self, name, config);
    if (rc == 0)
        rc = cmw_principal_slot(self->engine, &self->principal);
    if (rc == 0)
        rc = cmw_slot_declare(self->engine, &self->slot, text, sizeof(struct visit), NULL);
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "idempotency_key: %s", cmw_error_text(rc));
}

int cmw_idempotency_key_create(cmw_engine *engine, cmw_middleware *middleware,
                               const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    cmw_idempotency_key_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_idempotency_key_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "idempotency_key: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct idempotency *self =
        cmw__builtin_alloc(engine, &arena, sizeof *self, "idempotency_key", diag);
    if (!self)
        return CMW_ERR_NOMEM;
    self->arena = arena;
    self->engine = engine;
    rc = fill(self, middleware->name, &ours, diag);
    if (rc != 0) {
        destroy(self);
        return rc;
    }

    middleware->kind = "idempotency_key";
    middleware->priority = 710;
    middleware->post_priority = 1; /* before others add fields to what is kept */
    middleware->flags |= CMW_KEEPS_BEGIN_TIME;
    middleware->self = self;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->request_body = on_request_body;
    middleware->body_demand = CMW_BODY_FULL;
    middleware->post_route = on_post_route;
    middleware->complete = on_complete;
    if (self->store.flags & CMW_STORE_ASYNC) {
        middleware->resumed = on_resumed;
        middleware->dropped = on_dropped;
        middleware->suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
    }
    cmw_middleware_provides(middleware, self->slot);
    cmw_middleware_uses(middleware, self->principal);
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

int cmw_idempotency_key_get_stats(const cmw_middleware *middleware,
                                  cmw_idempotency_key_stats *stats)
{
    cmw_memory_store_stats memory = {.size = sizeof memory};

    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    struct shared *shared = ((const struct idempotency *)middleware->self)->shared;
    if (shared->memory && cmw_memory_store_get_stats(shared->memory, &memory) != 0)
        return CMW_ERR_ARG;
    stats->bytes = memory.bytes;
    stats->entries = memory.entries;
    stats->first = atomic_load_explicit(&shared->first, memory_order_relaxed);
    stats->replayed = atomic_load_explicit(&shared->replayed, memory_order_relaxed);
    stats->in_flight = atomic_load_explicit(&shared->in_flight, memory_order_relaxed);
    stats->mismatched = atomic_load_explicit(&shared->mismatched, memory_order_relaxed);
    stats->not_kept = atomic_load_explicit(&shared->not_kept, memory_order_relaxed);
    stats->freed = atomic_load_explicit(&shared->freed, memory_order_relaxed);
    stats->failed = atomic_load_explicit(&shared->failed, memory_order_relaxed);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_idempotency_key_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_idempotency_key_config_init(config);
}

#define OPTION(option, kind, member, text)                                                         \
    .name = (option), .type = (kind), .offset = offsetof(cmw_idempotency_key_config, member),      \
    .help = (text)

static const cmw_option options[] = {
    {OPTION("methods", CMW_OPTION_TEXT_LIST, methods,
            "Methods of requests whose key is looked at; default POST, PATCH")},
    {OPTION("required", CMW_OPTION_BOOL, required, "Answer such a request without a key by 400")},
    {OPTION("strict", CMW_OPTION_BOOL, strict, "Take only a string in quotes for a key")},
    {OPTION("max_key_length", CMW_OPTION_INT, max_key_length, "Bytes of a key"), .min = 1,
     .max = 65535},
    {OPTION("ttl", CMW_OPTION_INT, ttl_s, "Seconds for which an answer is kept"), .min = 1,
     .max = CMW_IDEMPOTENCY_SECONDS_MAX},
    {OPTION("lock", CMW_OPTION_INT, lock_s,
            "Seconds after which a request that never ended is given up"),
     .min = 1, .max = CMW_IDEMPOTENCY_SECONDS_MAX},
    {OPTION("max_response_bytes", CMW_OPTION_INT, max_response_bytes,
            "Bytes of a body; a longer one is not kept, and repeats are answered 409"),
     .min = 0, .max = INT32_MAX},
    {OPTION("max_bytes", CMW_OPTION_INT, max_bytes, "Bytes of the store"),
     .min = CMW_MEMORY_STORE_BYTES_MIN, .max = CMW_MEMORY_STORE_BYTES_MAX},
    {OPTION("max_share", CMW_OPTION_INT, max_share,
            "Percent of the store that one principal, or one address, may take"),
     .min = 1, .max = 100},
    {OPTION("when_full", CMW_OPTION_CHOICE, when_full,
            "Where the store is full: on_store_failure, or what was stored longest ago goes"),
     .choices = "refuse|evict"},
    {OPTION("on_store_failure", CMW_OPTION_CHOICE, on_store_failure,
            "Where a key cannot be kept: 503, or the request passes as if it had none"),
     .choices = "refuse|pass"},
};

const cmw_kind cmw__kind_idempotency_key = {
    .size = sizeof(cmw_kind),
    .name = "idempotency_key",
    .summary = "A request that is sent again is done once, and answered as the first time",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_idempotency_key_config),
    .config_init = config_init,
    .create = create,
};
