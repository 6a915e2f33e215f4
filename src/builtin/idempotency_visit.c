/* SPDX-License-Identifier: MIT */
/*
 * A request's way past its key: looked at in pre_route, claimed when the body is whole.
 * idempotency_keep.c settles what it comes to.
 */
#include <catzilla/mw.h>

#include "idempotency_record.h"
#include "idempotency_state.h"

/* ---- The client's key ------------------------------------------------------------------- */

static int has_method(const struct cmw__idempotency *self, cmw_request *request)
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
static int read_key(const struct cmw__idempotency *self, cmw_ctx *ctx, cmw_str field, cmw_str *key)
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

int cmw__idempotency_on_pre_route(void *object, cmw_ctx *ctx)
{
    const struct cmw__idempotency *self = object;
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
    struct cmw__idempotency_visit *visit = rc == 0 ? cmw_ctx_set_slot(ctx, self->slot) : NULL;
    if (!visit)
        return CMW_ERROR;
    visit->stage = CMW__IDEMPOTENCY_WANTED;
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
static int make_key(const struct cmw__idempotency *self, cmw_ctx *ctx,
                    struct cmw__idempotency_visit *visit)
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
static void take_fingerprint(const struct cmw__idempotency *self, cmw_ctx *ctx,
                             struct cmw__idempotency_visit *visit, cmw_str body)
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

static int fail(const struct cmw__idempotency *self, cmw_ctx *ctx,
                struct cmw__idempotency_visit *visit)
{
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    cmw__idempotency_count(&self->shared->failed);
    cmw__idempotency_let_go(self, visit, &cmw__idempotency_settled);
    if (self->passes)
        return CMW_CONTINUE;
    return refuse(ctx, 503, "the Idempotency-Key cannot be kept now");
}

/* There is something, and what it is cannot be told: to let the request pass might do it twice. */
static int refuse_unknown(const struct cmw__idempotency *self, cmw_ctx *ctx,
                          struct cmw__idempotency_visit *visit)
{
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    cmw__idempotency_count(&self->shared->failed);
    return refuse(ctx, 503, "what the Idempotency-Key stands for cannot be read now");
}

/* The first response again. */
static int replay(const struct cmw__idempotency *self, cmw_ctx *ctx,
                  struct cmw__idempotency_visit *visit,
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
    cmw__idempotency_count(&self->shared->replayed);
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

static int refuse_in_flight(const struct cmw__idempotency *self, cmw_ctx *ctx,
                            struct cmw__idempotency_visit *visit)
{
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    cmw__idempotency_count(&self->shared->in_flight);
    return refuse(ctx, 409, "a request with this Idempotency-Key is being handled");
}

static int is_same(const struct cmw__idempotency_visit *visit,
                   const struct cmw__idempotency_record *record)
{
    return record->fingerprint[0] == visit->fingerprint[0] &&
           record->fingerprint[1] == visit->fingerprint[1];
}

/* 1 if it is this request that is being handled. */
static int is_in_flight(const struct cmw__idempotency_visit *visit, cmw_str value)
{
    struct cmw__idempotency_record record;

    return cmw__idempotency_read(&record, value) == 0 && is_same(visit, &record) &&
           record.state == CMW__IDEMPOTENCY_IN_FLIGHT;
}

/* Somebody was there before. */
static int answer_found(const struct cmw__idempotency *self, cmw_ctx *ctx,
                        struct cmw__idempotency_visit *visit, cmw_str value)
{
    struct cmw__idempotency_record record;

    if (cmw__idempotency_read(&record, value) != 0)
        return refuse_unknown(self, ctx, visit);
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    if (!is_same(visit, &record)) {
        cmw__idempotency_count(&self->shared->mismatched);
        return cmw_respond_problem(ctx, 422, "the Idempotency-Key was used for another request");
    }
    if (record.state == CMW__IDEMPOTENCY_IN_FLIGHT)
        return refuse_in_flight(self, ctx, visit);
    if (record.state == CMW__IDEMPOTENCY_NOT_KEPT)
        return cmw_respond_problem(
            ctx, 409, "the request was done, and its response was not kept for repeats");
    return replay(self, ctx, visit, &record);
}

/* ---- Claiming --------------------------------------------------------------------------- */

/* The fields of other middleware, which are not the response's. */
static int note_fields(cmw_ctx *ctx, struct cmw__idempotency_visit *visit)
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

static int hold(const struct cmw__idempotency *self, cmw_ctx *ctx, cmw_store_item *item)
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

static int take_claim(const struct cmw__idempotency *self, cmw_ctx *ctx,
                      struct cmw__idempotency_visit *visit, cmw_store_item *item)
{
    visit->stage = CMW__IDEMPOTENCY_CLAIMED;
    visit->version = item->version;
    cmw__idempotency_count(&self->shared->first);
    cmw__idempotency_claimed(self, visit);
    return hold(self, ctx, item) == 0 && note_fields(ctx, visit) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* Wait for who was there before, if that is at work still: 1, and the item is given back. */
static int waits_for(const struct cmw__idempotency *self, cmw_ctx *ctx,
                     struct cmw__idempotency_visit *visit, cmw_store_item *item)
{
    if (!is_in_flight(visit, item->value) || !cmw__idempotency_wait(self, ctx, visit))
        return 0;
    if (self->store.release)
        self->store.release(self->store.self, item);
    return 1;
}

/* What a store has said, and the item that goes with it. */
static int act_on(const struct cmw__idempotency *self, cmw_ctx *ctx,
                  struct cmw__idempotency_visit *visit, int answer, cmw_store_item *item)
{
    if (answer == CMW_STORE_ADDED)
        return take_claim(self, ctx, visit, item);
    if (answer == CMW_STORE_FOUND && waits_for(self, ctx, visit, item))
        return CMW_SUSPEND;
    cmw__idempotency_let_go(self, visit,
                            answer == CMW_STORE_FOUND && is_in_flight(visit, item->value)
                                ? &cmw__idempotency_elsewhere
                                : &cmw__idempotency_settled);
    if (answer == CMW_ERR_NOMEM) /* of this request: the key may well be there */
        return refuse_unknown(self, ctx, visit);
    if (answer != CMW_STORE_FOUND)
        return fail(self, ctx, visit);
    if (hold(self, ctx, item) != 0)
        return CMW_ERROR;
    return answer_found(self, ctx, visit, item->value);
}

/* Ask the store; again, after a wait. */
static int ask(const struct cmw__idempotency *self, cmw_ctx *ctx,
               struct cmw__idempotency_visit *visit)
{
    char head[CMW__IDEMPOTENCY_HEAD];
    cmw_store_item *item = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *item);

    if (!item || cmw__idempotency_lead(self, ctx, visit) != 0)
        return CMW_ERROR;
    const uint64_t now_ns =
        visit->waiting && visit->waiting->waits > 0 ? cmw_ctx_now_ns(ctx) : cmw_ctx_begin_ns(ctx);
    const struct cmw__idempotency_record record = {
        .state = CMW__IDEMPOTENCY_IN_FLIGHT,
        .fingerprint = {visit->fingerprint[0], visit->fingerprint[1]}};
    (void)cmw__idempotency_write_head(head, &record);
    const cmw_store_entry entry = {visit->key, cmw_str_make(head, sizeof head), self->lock_ns,
                                   now_ns, visit->owner};
    const int answer = self->store.add(self->store.self, ctx, &entry, item);
    if (answer == CMW_STORE_PENDING && (self->store.flags & CMW_STORE_ASYNC))
        return CMW_SUSPEND;
    return act_on(self, ctx, visit, answer, item);
}

static int claim(const struct cmw__idempotency *self, cmw_ctx *ctx,
                 struct cmw__idempotency_visit *visit, cmw_str body)
{
    if (make_key(self, ctx, visit) != 0)
        return CMW_ERROR;
    take_fingerprint(self, ctx, visit, body);
    return ask(self, ctx, visit);
}

int cmw__idempotency_on_request_body(void *object, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct cmw__idempotency *self = object;
    struct cmw__idempotency_visit *visit = cmw_ctx_slot(ctx, self->slot);

    if (!visit || visit->stage != CMW__IDEMPOTENCY_WANTED)
        return CMW_CONTINUE;
    return claim(self, ctx, visit, chunk->bytes);
}

/* The first request has ended: its answer is there, or its key is free. */
static int go_on(const struct cmw__idempotency *self, cmw_ctx *ctx,
                 struct cmw__idempotency_visit *visit, const void *outcome)
{
    if (cmw__idempotency_end_wait(ctx, visit) != 0)
        return CMW_ERROR;
    cmw__idempotency_count(&self->shared->waited);
    return outcome == &cmw__idempotency_elsewhere ? refuse_in_flight(self, ctx, visit)
                                                  : ask(self, ctx, visit);
}

int cmw__idempotency_on_resumed(void *object, cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__idempotency *self = object;
    struct cmw__idempotency_visit *visit = cmw_ctx_slot(ctx, self->slot);
    cmw_store_item *item = data;

    if (!visit)
        return CMW_ERROR;
    if (visit->stage == CMW__IDEMPOTENCY_WAITS)
        return go_on(self, ctx, visit, data);
    if (!item)
        return fail(self, ctx, visit);
    if (verdict == CMW_CONTINUE &&
        (item->answer == CMW_STORE_ADDED || item->answer == CMW_STORE_FOUND))
        return act_on(self, ctx, visit, item->answer, item);
    cmw__idempotency_on_dropped(object, item);
    return fail(self, ctx, visit);
}

void cmw__idempotency_on_dropped(void *object, void *data)
{
    const struct cmw__idempotency *self = object;
    cmw_store_item *item = data;

    if (!item || data == &cmw__idempotency_settled || data == &cmw__idempotency_elsewhere)
        return;
    if (item->answer == CMW_STORE_ADDED)
        item->answer = CMW_ERR_CANCELLED; /* nobody took it */
    if (self->store.release)
        self->store.release(self->store.self, item);
}

/* ---- Waiting in vain -------------------------------------------------------------------- */

/* It has waited in vain: as if it had not waited. */
int cmw__idempotency_on_error(void *object, cmw_ctx *ctx)
{
    const struct cmw__idempotency *self = object;
    struct cmw__idempotency_visit *visit = cmw_ctx_slot(ctx, self->slot);

    if (!visit || !cmw__idempotency_gives_up(ctx, visit))
        return CMW_CONTINUE;
    cmw__idempotency_count(&self->shared->expired);
    return refuse_in_flight(self, ctx, visit);
}
