/* SPDX-License-Identifier: MIT */
/* Trace context: traceparent is read by sixteen digits at a time, tracestate in one walk. */
#include <catzilla/builtin/trace_context.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "traceparent.h"

enum { TRACE_AT = CMW__TRACE_AT, SPAN_AT = CMW__SPAN_AT, FLAGS_AT = CMW__FLAGS_AT };
enum { STATE_MEMBERS = 32, STATE_PART = 256 };

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

/* Of a later version, which may say more. */
static CMW__BUILTIN_NOINLINE int is_good_later(cmw_str text)
{
    return memcmp(text.data, "ff", 2) != 0 &&
           (text.len == CMW_TRACEPARENT_LEN || text.data[CMW_TRACEPARENT_LEN] == '-');
}

static inline int is_good_parent(cmw_str text)
{
    if (text.len < CMW_TRACEPARENT_LEN || !cmw__traceparent_has_form(text.data) ||
        !cmw__traceparent_has_ids(text.data))
        return 0;
    if (memcmp(text.data, "00", 2) == 0)
        return text.len == CMW_TRACEPARENT_LEN;
    return is_good_later(text);
}

/* Two bits of a digit: those of "a" to "f" are one more than the character's. */
static inline unsigned known_flags(char digit)
{
    const unsigned c = (unsigned char)digit;
    return (c + (c >> 6)) & (CMW_TRACE_SAMPLED | CMW_TRACE_RANDOM);
}

/* ---- tracestate ------------------------------------------------------------------------- */

struct members {
    cmw_str at[STATE_MEMBERS];
    size_t key_lens[STATE_MEMBERS];
    size_t count;
    int has_duplicate;
};

enum { KEY_FIRST = 1, KEY = 2, VALUE = 4 };

/*
 * What a byte may be; all others are nothing. A key begins with a-z or 0-9, goes on with these and
 * "_-*" "/@"; a value is 0x20 to 0x7e but comma and equals sign.
 */
static const uint8_t state_bytes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 6, 4, 0, 6, 4, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 4, 4, 4, 0, 4, 4,
    6, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 6,
    4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 4, 4, 4, 4,
};

/* Behind the longest run of bytes of a class. */
static inline const char *skip_run(const char *at, const char *end, unsigned bits)
{
    while (at < end && (state_bytes[(unsigned char)*at] & bits) != 0)
        at++;
    return at;
}

static inline const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static int is_known(const struct members *members, cmw_str key)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->key_lens[i] == key.len && memcmp(members->at[i].data, key.data, key.len) == 0)
            return 1;
    return 0;
}

/* The member that begins at `at`; behind it and its blanks, or NULL: the field means nothing. */
static const char *add_member(struct members *members, const char *at, const char *end)
{
    const char *const key_end = skip_run(at, end, KEY);
    const cmw_str key = cmw_str_make(at, (size_t)(key_end - at));

    if (skip_run(at, at + 1, KEY_FIRST) == at || key.len > STATE_PART || key_end == end ||
        *key_end != '=')
        return NULL;
    const char *const behind = skip_run(key_end + 1, end, VALUE);
    const char *last = behind;
    while (last[-1] == ' ') /* ends at the equals sign */
        last--;
    const size_t value_len = (size_t)(last - key_end) - 1;
    if (value_len < 1 || value_len > STATE_PART)
        return NULL;
    if (is_known(members, key)) {
        members->has_duplicate = 1;
        return skip_blanks(behind, end);
    }
    if (members->count == STATE_MEMBERS)
        return NULL;
    members->at[members->count] = cmw_str_make(at, (size_t)(last - at));
    members->key_lens[members->count++] = key.len;
    return skip_blanks(behind, end);
}

static int split_state(struct members *members, cmw_str state)
{
    const char *at = state.data;
    const char *const end = at + state.len;

    while (state.len > 0 && at < end) {
        at = skip_blanks(at, end);
        if (at < end && *at != ',')
            at = add_member(members, at, end);
        if (!at || (at < end && *at != ','))
            return CMW_ERR_INVALID;
        at += at < end;
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
static CMW__BUILTIN_NOINLINE int take_state(cmw_ctx *ctx, const cmw_header *field, cmw_str *out)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    struct members members; /* 1 KiB, of which only what is counted is read */
    cmw_str state;

    if (!cmw_request_is_repeated(request, CMW_HDR_TRACESTATE))
        state = field->value;
    else if (cmw_request_joined(request, &state, CMW_HDR_TRACESTATE) != 0)
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

/* The traceparent that may be continued; NULL: none. */
static inline const char *find_parent(const struct tracer *tracer, cmw_request *request)
{
    const cmw_header *const parent = cmw_request_sole_header(request, CMW_HDR_TRACEPARENT);

    if (!parent || !is_good_parent(parent->value))
        return NULL;
    if (tracer->restarts_untrusted &&
        !cmw_network_set_contains(tracer->trusted, cmw_request_peer(request)))
        return NULL;
    return parent->value.data;
}

static inline void put_flags(cmw_trace_context *trace, unsigned flags)
{
    trace->flags = (uint8_t)flags;
    trace->traceparent[FLAGS_AT] = '0';
    trace->traceparent[FLAGS_AT + 1] = (char)('0' + flags);
}

/*
 * An id of this server's own in the place of the caller's. Flags that mean nothing yet are not
 * passed on: Trace Context, 3.2.2.5. Both take random bytes first: a slot that is set is whole.
 */
static inline cmw_trace_context *continue_trace(const struct tracer *tracer, cmw_ctx *ctx,
                                                const char *parent)
{
    uint8_t bytes[CMW_SPAN_ID_LEN / 2];

    if (cmw_ctx_random(ctx, bytes, sizeof bytes) != 0)
        return NULL;
    bytes[0] |= (uint8_t)(bytes[0] == 0); /* zeros alone are no id */
    cmw_trace_context *const trace = cmw_ctx_set_slot(ctx, tracer->slot);
    if (!trace)
        return NULL;
    memcpy(trace->traceparent, parent, FLAGS_AT);
    memcpy(trace->traceparent, "00", 2);
    cmw__hex8(trace->traceparent + SPAN_AT, bytes);
    trace->parent_id = cmw_str_make(parent + SPAN_AT, CMW_SPAN_ID_LEN);
    put_flags(trace, known_flags(parent[FLAGS_AT + 1]));
    const cmw_header *const state = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_TRACESTATE);
    return !state || take_state(ctx, state, &trace->tracestate) == 0 ? trace : NULL;
}

static CMW__BUILTIN_NOINLINE cmw_trace_context *begin_trace(const struct tracer *tracer,
                                                            cmw_ctx *ctx)
{
    uint8_t bytes[32] = {0};
    char digits[64];
    uint32_t chance;

    if (cmw_ctx_random(ctx, bytes, 24) != 0)
        return NULL;
    bytes[0] |= (uint8_t)(bytes[0] == 0);
    bytes[16] |= (uint8_t)(bytes[16] == 0);
    cmw__hex16(digits, bytes);
    cmw__hex16(digits + 32, bytes + 16);
    cmw_trace_context *const trace = cmw_ctx_set_slot(ctx, tracer->slot);
    if (!trace)
        return NULL;
    memcpy(trace->traceparent, "00-", 3);
    memcpy(trace->traceparent + TRACE_AT, digits, CMW_TRACE_ID_LEN);
    trace->traceparent[SPAN_AT - 1] = '-';
    memcpy(trace->traceparent + SPAN_AT, digits + 32, CMW_SPAN_ID_LEN);
    trace->traceparent[FLAGS_AT - 1] = '-';
    memcpy(&chance, bytes + 12, sizeof chance);
    put_flags(trace, tracer->samples_always || chance < tracer->sample_below
                         ? CMW_TRACE_RANDOM | CMW_TRACE_SAMPLED
                         : CMW_TRACE_RANDOM);
    return trace;
}

static CMW__BUILTIN_NOINLINE int update_request(cmw_request *request,
                                                const cmw_trace_context *trace)
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
    const char *const parent = find_parent(tracer, request);
    const cmw_trace_context *const trace =
        parent ? continue_trace(tracer, ctx, parent) : begin_trace(tracer, ctx);

    if (!trace || (tracer->updates_request && update_request(request, trace) != 0))
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
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
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
