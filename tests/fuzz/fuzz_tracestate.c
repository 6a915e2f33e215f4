/* SPDX-License-Identifier: MIT */
/*
 * tracestate against a naive reading of W3C Trace Context, 3.3.1: each line is a field. A state
 * with a mistake anywhere means nothing; another keeps its members in order, each key once, its
 * first value.
 */
#include "fuzz.h"

#include <catzilla/builtin/trace_context.h>

enum { MEMBER_CAP = 32, PART_CAP = 256, FIELD_CAP = 40 };

struct member {
    cmw_str key, value;
};

struct state {
    struct member members[MEMBER_CAP];
    size_t count;
    int is_bad;
};

/* ---- The naive side --------------------------------------------------------------------- */

static int is_key(cmw_str key)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char others[] = "_-*/@";

    if (key.len < 1 || key.len > PART_CAP)
        return 0;
    for (size_t i = 0; i < key.len; i++) {
        const char c = key.data[i];
        const int is_first = c != '\0' && strchr(first, c) != NULL;
        if (!is_first && (i == 0 || c == '\0' || !strchr(others, c)))
            return 0;
    }
    return 1;
}

static int is_value(cmw_str value)
{
    if (value.len < 1 || value.len > PART_CAP || value.data[value.len - 1] == ' ')
        return 0;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~' || value.data[i] == '=')
            return 0;
    return 1;
}

static int is_known(const struct state *state, cmw_str key)
{
    for (size_t i = 0; i < state->count; i++)
        if (cmw_str_equals(state->members[i].key, key))
            return 1;
    return 0;
}

static void read_member(struct state *state, cmw_str text)
{
    struct member member;
    const cmw_str trimmed = fuzz_trim(text);

    if (trimmed.len == 0)
        return; /* an empty member is none */
    if (!memchr(trimmed.data, '=', trimmed.len)) {
        state->is_bad = 1;
        return;
    }
    member.value = trimmed;
    member.key = fuzz_take(&member.value, '=');
    if (!is_key(member.key) || !is_value(member.value)) {
        state->is_bad = 1;
        return;
    }
    if (is_known(state, member.key))
        return;
    if (state->count == MEMBER_CAP)
        state->is_bad = 1;
    else
        state->members[state->count++] = member;
}

static void read_field(struct state *state, cmw_str field)
{
    while (field.len > 0)
        read_member(state, fuzz_take(&field, ','));
}

/* ---- What came of it -------------------------------------------------------------------- */

static cmw_slot slot;
static struct state meant;

static void look(cmw_ctx *ctx, cmw_next next)
{
    const cmw_trace_context *const trace = cmw_ctx_slot(ctx, slot);
    struct state passed = {.count = 0};

    if (next != CMW_TO_HANDLER)
        return; /* over the limits of a head */
    FUZZ_CHECK(trace != NULL && trace->parent_id.len > 0);
    read_field(&passed, trace->tracestate);
    FUZZ_CHECK(!passed.is_bad);
    FUZZ_CHECK(passed.count == (meant.is_bad ? 0 : meant.count));
    for (size_t i = 0; i < passed.count; i++)
        FUZZ_CHECK(cmw_str_equals(passed.members[i].key, meant.members[i].key) &&
                   cmw_str_equals(passed.members[i].value, meant.members[i].value));
    const cmw_header *const sent =
        cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_TRACESTATE); /* update_request */
    FUZZ_CHECK(cmw_str_equals(sent ? sent->value : CMW_STR(""), trace->tracestate));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *test;
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);
    cmw_request_view *const view = &request.view;

    if (!test) {
        cmw_trace_context_config config;
        cmw_trace_context_config_init(&config);
        config.update_request = 1;
        test = fuzz_open("trace_context", &config);
        slot = cmw_slot_find(cmw_test_engine(test), "trace_context");
    }
    memset(&meant, 0, sizeof meant);
    cmw_request_view_init(view);
    view->http_version = 0x0101;
    view->method = CMW_STR("GET");
    view->target = CMW_STR("/");
    view->headers = request.fields;
    request.fields[view->header_count++] = (cmw_header){
        CMW_STR("traceparent"), CMW_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
    while (text.len > 0 && view->header_count < FIELD_CAP) {
        const cmw_str field = fuzz_trim(fuzz_take(&text, '\n'));
        request.fields[view->header_count++] = (cmw_header){CMW_STR("tracestate"), field};
        read_field(&meant, field);
    }
    fuzz_send(test, &request, look);
    return 0;
}
