/* SPDX-License-Identifier: MIT */
/* What becomes of a claimed key: settled when the handler has answered, free when it has not. */
#include <catzilla/mw.h>

#include "idempotency_record.h"
#include "idempotency_state.h"

/* 1 for a field of the response that a repeat gets, too. */
static int is_kept(const struct cmw__idempotency_visit *visit, const cmw_header *field)
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
static int may_keep(const struct cmw__idempotency *self, const cmw_response *response)
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
static int replaces(const cmw_response *response, const struct cmw__idempotency_visit *visit,
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
static cmw_str write_record(cmw_ctx *ctx, const struct cmw__idempotency_visit *visit)
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

static int put(const struct cmw__idempotency *self, cmw_ctx *ctx,
               const struct cmw__idempotency_visit *visit, cmw_str value)
{
    const cmw_store_entry entry = {visit->key, value, self->ttl_ns, cmw_ctx_begin_ns(ctx),
                                   visit->owner};
    return self->store.replace(self->store.self, &entry, visit->version);
}

/* Repeats are to know that it was done, at least. */
static void keep(const struct cmw__idempotency *self, cmw_ctx *ctx,
                 struct cmw__idempotency_visit *visit)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    char head[CMW__IDEMPOTENCY_HEAD];

    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    if (may_keep(self, response)) {
        const cmw_str record = write_record(ctx, visit);
        if (record.data && put(self, ctx, visit, record) == 0) {
            cmw__idempotency_let_go(self, visit, &cmw__idempotency_settled);
            return;
        }
    }
    const struct cmw__idempotency_record record = {
        .state = CMW__IDEMPOTENCY_NOT_KEPT,
        .status = cmw_response_status(response),
        .fingerprint = {visit->fingerprint[0], visit->fingerprint[1]}};
    (void)cmw__idempotency_write_head(head, &record);
    cmw__idempotency_count(&self->shared->not_kept);
    if (put(self, ctx, visit, cmw_str_make(head, sizeof head)) != 0)
        cmw__idempotency_count(&self->shared->failed);
    cmw__idempotency_let_go(self, visit, &cmw__idempotency_settled);
}

static void set_free(const struct cmw__idempotency *self, struct cmw__idempotency_visit *visit)
{
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    cmw__idempotency_count(&self->shared->freed);
    if (self->store.remove(self->store.self, visit->key, visit->version) != 0)
        cmw__idempotency_count(&self->shared->failed);
    cmw__idempotency_let_go(self, visit, &cmw__idempotency_settled);
}

/* 1 for an answer after which the same request may well be tried again. */
static int is_passing(int status)
{
    return status >= 500 || status == 408 || status == 425 || status == 429;
}

int cmw__idempotency_on_post_route(void *object, cmw_ctx *ctx)
{
    const struct cmw__idempotency *self = object;
    struct cmw__idempotency_visit *visit = cmw_ctx_slot(ctx, self->slot);

    if (!visit || visit->stage != CMW__IDEMPOTENCY_CLAIMED)
        return CMW_CONTINUE;
    if (cmw_ctx_fault(ctx) || is_passing(cmw_response_status(cmw_ctx_response(ctx))))
        set_free(self, visit);
    else
        keep(self, ctx, visit);
    return CMW_CONTINUE;
}

/* It ended before the handler had answered. */
void cmw__idempotency_on_complete(void *object, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct cmw__idempotency *self = object;
    struct cmw__idempotency_visit *visit = cmw_ctx_slot(ctx, self->slot);

    (void)reason;
    if (visit && visit->stage == CMW__IDEMPOTENCY_CLAIMED)
        set_free(self, visit);
}
