/* SPDX-License-Identifier: MIT */
/*
 * Trace context: traceparent is read by sixteen digits at a time, tracestate in one walk.
 *
 *     00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *     0  3                                36               53
 */
#include <catzilla/builtin/trace_context.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "hex.h"

enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, STATE_MEMBERS = 32, STATE_PART = 256 };

struct tracer {
    cmw_arena *arena;
    const cmw_network_set *trusted;
    cmw_str header;
    cmw_slot slot;
    uint32_t
        sample_below; /* of 2^32: a trace is sampled if a random number is below; see `always` */
    uint8_t samples_always;
    uint8_t restarts_untrusted;
    uint8_t updates_request;
};

static cmw_phase_fn on_pre_route, on_post_route;

/* ---- traceparent ------------------------------------------------------------------------ */

/* The 48 digits of both ids: all are digits, and neither id is zeros alone. */
static inline int has_good_ids(const char *text)
{
    const char *const trace = text + TRACE_AT;
    const char *const span = text + SPAN_AT;

    if ((cmw__not_hex16(trace) | cmw__not_hex16(trace + 16) | cmw__not_hex16(span)) != 0)
        return 0;
    return !(cmw__is_zeros16(trace) && cmw__is_zeros16(trace + 16)) && !cmw__is_zeros16(span);
}

/* Version and flags: digits. */
static inline int has_good_ends(const char *text)
{
    char ends[16];

    memset(ends, '0', sizeof ends);
    memcpy(ends, text, 2);
    memcpy(ends + 2, text + FLAGS_AT, 2);
    return cmw__not_hex16(ends) == 0;
}

static int is_good_parent(cmw_str text)
{
    if (text.len < CMW_TRACEPARENT_LEN || text.data[2] != '-' || text.data[SPAN_AT - 1] != '-' ||
        text.data[FLAGS_AT - 1] != '-' || !has_good_ends(text.data) || !has_good_ids(text.data))
        return 0;
    if (memcmp(text.data, "00", 2) == 0)
        return text.len == CMW_TRACEPARENT_LEN;
    if (memcmp(text.data, "ff", 2) == 0)
        return 0;
    return text.len == CMW_TRACEPARENT_LEN || text.data[CMW_TRACEPARENT_LEN] == '-';
}

static unsigned digit_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* ---- tracestate ------------------------------------------------------------------------- */

struct members {
    cmw_str at[STATE_MEMBERS];
    size_t key_lens[STATE_MEMBERS];
    size_t count;
    int has_duplicate;
};

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int is_key_first(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int is_key(char c)
{
    return is_key_first(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
}

/* 0x20 to 0x7e but comma and equals sign. */
static int is_value(char c)
{
    return c >= ' ' && c <= '~' && c != ',' && c != '=';
}

/* The length of the key; 0: it is no member. */
static size_t check_member(cmw_str member)
{
    size_t at = 0;

    if (!is_key_first(member.data[0]))
        return 0;
    while (at < member.len && is_key(member.data[at]))
        at++;
    const size_t key_len = at;
    if (key_len > STATE_PART || at == member.len || member.data[at] != '=')
        return 0;
    for (at++; at < member.len; at++)
        if (!is_value(member.data[at]))
            return 0;
    const size_t value_len = member.len - key_len - 1;
    return value_len >= 1 && value_len <= STATE_PART ? key_len : 0;
}

static int is_known(const struct members *members, cmw_str key)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->key_lens[i] == key.len && memcmp(members->at[i].data, key.data, key.len) == 0)
            return 1;
    return 0;
}

/* 0, or CMW_ERR_INVALID: the field means nothing. */
static int add_member(struct members *members, cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_blank(text.data[0]))
        text = cmw_str_make(text.data + 1, text.len - 1);
    if (text.len == 0)
        return 0;
    const size_t key_len = check_member(text);
    if (key_len == 0)
        return CMW_ERR_INVALID;
    if (is_known(members, cmw_str_make(text.data, key_len))) {
        members->has_duplicate = 1;
        return 0;
    }
    if (members->count == STATE_MEMBERS)
        return CMW_ERR_INVALID;
    members->at[members->count] = text;
    members->key_lens[members->count++] = key_len;
    return 0;
}

static int split_state(struct members *members, cmw_str state)
{
    while (state.len > 0) {
        const char *const comma = memchr(state.data, ',', state.len);
        const size_t len = comma ? (size_t)(comma - state.data) : state.len;
        if (add_member(members, cmw_str_make(state.data, len)) != 0)
            return CMW_ERR_INVALID;
        const size_t taken = comma ? len + 1 : len;
        state = cmw_str_make(state.data + taken, state.len - taken);
    }
    return 0;
}

/* The members with commas between them. */
static int write_state(cmw_str *out, cmw_arena *arena, const struct members *members)
{
    size_t len = 0;

    for (size_t i = 0; i < members->count; i++)
        len += members->at[i].len + 1;
    char *const text = cmw_arena_alloc_text(arena, len);
    char *to = text;
    if (!text)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < members->count; i++) {
        if (i > 0)
            *to++ = ',';
        memcpy(to, members->at[i].data, members->at[i].len);
        to += members->at[i].len;
    }
    *out = cmw_str_make(text, (size_t)(to - text));
    return 0;
}

/* As it came if it is good; without what stands twice; or empty. */
static int take_state(cmw_ctx *ctx, cmw_str *out)
{
    struct members members; /* 1 KiB, of which only what is counted is read */
    cmw_str state;

    if (cmw_request_joined(cmw_ctx_request(ctx), &state, CMW_HDR_TRACESTATE) != 0)
        return CMW_ERR_NOMEM;
    members.count = 0;
    members.has_duplicate = 0;
    if (split_state(&members, state) != 0 || members.count == 0)
        return 0;
    if (members.has_duplicate)
        return write_state(out, cmw_ctx_arena(ctx), &members);
    *out = state;
    return 0;
}

/* ---- Requests --------------------------------------------------------------------------- */

/* Whose trace may be continued; NULL: nobody's. */
static const cmw_header *find_parent(const struct tracer *tracer, cmw_request *request)
{
    const cmw_header *const parent = cmw_request_header(request, CMW_HDR_TRACEPARENT);

    if (!parent || cmw_request_is_repeated(request, CMW_HDR_TRACEPARENT) ||
        !is_good_parent(parent->value))
        return NULL;
    if (tracer->restarts_untrusted &&
        !cmw_network_set_contains(tracer->trusted, cmw_request_peer(request)))
        return NULL;
    return parent;
}

static void put_flags(cmw_trace_context *trace)
{
    trace->traceparent[FLAGS_AT] = '0';
    trace->traceparent[FLAGS_AT + 1] = (char)('0' + trace->flags);
}

/* An id of this server's own in the place of the caller's. Flags that mean nothing yet are not
 * passed on: Trace Context, 3.2.2.5. */
static int continue_trace(cmw_ctx *ctx, cmw_trace_context *trace, cmw_str parent)
{
    uint8_t bytes[16];
    char digits[32];

    if (cmw_ctx_random(ctx, bytes, CMW_SPAN_ID_LEN / 2) != 0)
        return CMW_ERR_IO;
    bytes[0] |= (uint8_t)(bytes[0] == 0); /* zeros alone are no id */
    memcpy(bytes + 8, bytes, 8);
    cmw__hex16(digits, bytes);
    memset(trace->traceparent + FLAGS_AT, 0, sizeof trace->traceparent - FLAGS_AT);
    memcpy(trace->traceparent, parent.data, FLAGS_AT);
    memcpy(trace->traceparent, "00", 2);
    memcpy(trace->traceparent + SPAN_AT, digits, CMW_SPAN_ID_LEN);
    trace->parent_id = cmw_str_make(parent.data + SPAN_AT, CMW_SPAN_ID_LEN);
    trace->flags =
        (uint8_t)(digit_value(parent.data[FLAGS_AT + 1]) & (CMW_TRACE_SAMPLED | CMW_TRACE_RANDOM));
    put_flags(trace);
    return cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_TRACESTATE)
               ? take_state(ctx, &trace->tracestate)
               : 0;
}

static int begin_trace(const struct tracer *tracer, cmw_ctx *ctx, cmw_trace_context *trace)
{
    uint8_t bytes[32] = {0};
    char digits[64];
    uint32_t chance;

    if (cmw_ctx_random(ctx, bytes, 24) != 0)
        return CMW_ERR_IO;
    bytes[0] |= (uint8_t)(bytes[0] == 0);
    bytes[16] |= (uint8_t)(bytes[16] == 0);
    cmw__hex16(digits, bytes);
    cmw__hex16(digits + 32, bytes + 16);
    memset(trace->traceparent + FLAGS_AT, 0, sizeof trace->traceparent - FLAGS_AT);
    memcpy(trace->traceparent, "00-", 3);
    memcpy(trace->traceparent + TRACE_AT, digits, CMW_TRACE_ID_LEN);
    trace->traceparent[SPAN_AT - 1] = '-';
    memcpy(trace->traceparent + SPAN_AT, digits + 32, CMW_SPAN_ID_LEN);
    trace->traceparent[FLAGS_AT - 1] = '-';
    memcpy(&chance, bytes + 12, sizeof chance);
    trace->flags = CMW_TRACE_RANDOM;
    if (tracer->samples_always || chance < tracer->sample_below)
        trace->flags |= CMW_TRACE_SAMPLED;
    put_flags(trace);
    return 0;
}

static int update_request(cmw_request *request, const cmw_trace_context *trace)
{
    const cmw_str parent = cmw_str_make(trace->traceparent, CMW_TRACEPARENT_LEN);

    if (cmw_request_set_header(request, CMW_STR("traceparent"), parent) != 0)
        return CMW_ERR_NOMEM;
    if (trace->tracestate.len == 0)
        return cmw_request_remove_header(request, CMW_STR("tracestate"));
    return cmw_request_set_header(request, CMW_STR("tracestate"), trace->tracestate);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct tracer *const tracer = self;
    cmw_request *const request = cmw_ctx_request(ctx);
    const cmw_header *const parent = find_parent(tracer, request);
    cmw_trace_context trace;

    trace.tracestate = trace.parent_id = cmw_str_make(NULL, 0);
    const int rc =
        parent ? continue_trace(ctx, &trace, parent->value) : begin_trace(tracer, ctx, &trace);
    if (rc != 0)
        return CMW_ERROR;
    const cmw_trace_context *const kept = cmw_ctx_copy_slot(ctx, tracer->slot, &trace);
    if (!kept || (tracer->updates_request && update_request(request, kept) != 0))
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct tracer *const tracer = self;
    const cmw_trace_context *const trace = cmw_ctx_slot(ctx, tracer->slot);

    if (!trace) /* pre_route did not run: a request over its limits */
        return CMW_CONTINUE;
    return cmw_response_set_named(cmw_ctx_response(ctx), tracer->header,
                                  cmw_str_make(trace->traceparent, CMW_TRACEPARENT_LEN)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct tracer *const tracer = self;
    cmw_arena_destroy(tracer->arena);
}

static int check_config(const cmw_trace_context_config *config, cmw_diag *diag)
{
    if (config->sample_permille < 0 || config->sample_permille > 1000)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "trace_context: sample_permille: %lld is not in 0 to 1000",
                            (long long)config->sample_permille);
    if (config->trust_network_count > 0 && !config->restart_untrusted)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "trace_context: trust_networks: everyone is trusted without "
                            "restart_untrusted");
    return 0;
}

static int take_header(struct tracer *tracer, const char *header, cmw_diag *diag)
{
    if (!header)
        return 0;
    const int rc = cmw_response_check_field(cmw_str_cstr(header), CMW_STR("x"));
    if (rc != 0)
        return cmw_diag_set(diag, rc,
                            rc == CMW_ERR_ARG
                                ? "trace_context: response_header: '%s' is the library's own field"
                                : "trace_context: response_header: '%s' is not the name of a field",
                            header);
    if (cmw_arena_dup(tracer->arena, &tracer->header, cmw_str_cstr(header)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "trace_context: no memory");
    return 0;
}

static int fill(struct tracer *tracer, cmw_engine *engine, const cmw_trace_context_config *config,
                cmw_diag *diag)
{
    cmw_network_set *networks;
    int rc = take_header(tracer, config->response_header, diag);

    if (rc == 0)
        rc = cmw__builtin_networks(&networks, tracer->arena, "trace_context: trust_networks",
                                   config->trust_networks, config->trust_network_count, diag);
    if (rc != 0)
        return rc;
    tracer->trusted = networks;
    tracer->restarts_untrusted = config->restart_untrusted != 0;
    tracer->updates_request = config->update_request != 0;
    tracer->samples_always = config->sample_permille == 1000;
    tracer->sample_below =
        (uint32_t)(((uint64_t)config->sample_permille << 32) / 1000 & UINT32_MAX);
    rc = cmw_slot_declare(engine, &tracer->slot, "trace_context", sizeof(cmw_trace_context), NULL);
    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "trace_context: slot 'trace_context' has another shape");
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "trace_context: %s", cmw_error_text(rc));
}

int cmw_trace_context_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_trace_context_config *config, cmw_diag *diag)
{
    cmw_trace_context_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_trace_context_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "trace_context: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct tracer *tracer =
        cmw__builtin_alloc(engine, &arena, sizeof *tracer, "trace_context", diag);
    if (!tracer)
        return CMW_ERR_NOMEM;
    tracer->arena = arena;
    rc = fill(tracer, engine, &ours, diag);
    if (rc != 0) {
        destroy(tracer);
        return rc;
    }

    middleware->kind = "trace_context";
    middleware->priority = 102;
    middleware->self = tracer;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    if (tracer->header.len > 0)
        middleware->post_route = on_post_route;
    cmw_middleware_provides(middleware, tracer->slot);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_trace_context_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_trace_context_config_init(config);
}

static const cmw_option options[] = {
    {.name = "restart_untrusted",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trace_context_config, restart_untrusted),
     .help = "Continue only the traces of trust_networks; begin a new one for everybody else"},
    {.name = "trust_networks",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_trace_context_config, trust_networks),
     .help = "Networks of peers whose traces are continued"},
    {.name = "sample_permille",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_trace_context_config, sample_permille),
     .min = 0,
     .max = 1000,
     .help = "Of a thousand traces that begin here, so many are sampled"},
    {.name = "update_request",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trace_context_config, update_request),
     .help = "Put traceparent and tracestate into the request as well"},
    {.name = "response_header",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_trace_context_config, response_header),
     .help = "Field of the response that has the traceparent, as traceresponse"},
};

const cmw_kind cmw__kind_trace_context = {
    .size = sizeof(cmw_kind),
    .name = "trace_context",
    .summary = "The trace of a request, continued or begun, in a slot",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_trace_context_config),
    .config_init = config_init,
    .create = create,
};
