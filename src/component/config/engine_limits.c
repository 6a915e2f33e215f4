/* SPDX-License-Identifier: MIT */
/* "engine": limits, read as options are, then taken over where they were given. */
#include "document_state.h"

/* Not given: -1. */
struct limits {
    int64_t context_bytes;
    int64_t worker_limit;
    int64_t context_limit;
    int64_t pool_limit_bytes;
    int64_t memory_bytes;
    int64_t header_count;
    int64_t header_bytes;
    int64_t body_bytes;
    int64_t request_ms;
    int64_t sample_every;
    int target_policy;
    int host_policy;
};

#define LIMIT(member, least, most, sentence)                                                       \
    {                                                                                              \
        .name = #member, .type = CMW_OPTION_INT, .offset = offsetof(struct limits, member),        \
        .min = (least), .max = (most), .help = (sentence)                                          \
    }

const cmw_option cmw__engine_options[] = {
    LIMIT(context_bytes, 2048, 32768,
          "Bytes of a context with its first block, a power of two; 4096"),
    LIMIT(worker_limit, 1, 65536, "Workers at once; 256"),
    LIMIT(context_limit, 1, UINT32_MAX - 1, "Requests in flight in one worker; 10000"),
    LIMIT(pool_limit_bytes, 0, INT64_MAX, "Bytes of the context pool; 0: no limit, the default"),
    LIMIT(memory_bytes, 0, INT64_MAX, "Memory of one request, else 503; 1048576"),
    LIMIT(header_count, 1, 65535, "Header fields of one request, else 431; 100"),
    LIMIT(header_bytes, 1, UINT32_MAX - 1, "Their bytes, names and values, else 431; 32768"),
    LIMIT(body_bytes, 0, INT64_MAX, "Bytes of a request's body, else 413; 1048576"),
    LIMIT(request_ms, 0, UINT32_MAX,
          "Milliseconds from begin to commit, else it is given up; 0: no limit, the default"),
    LIMIT(sample_every, 0, UINT32_MAX, "Time one request in so many; 0: none; 256"),
    {.name = "target_policy",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(struct limits, target_policy),
     .choices = "canonical|reject",
     .help = "A target that is not canonical is served by its canonical path, or answered 400"},
    {.name = "host_policy",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(struct limits, host_policy),
     .choices = "any|required",
     .help = "HTTP/1.1 without exactly one valid Host field is served, or answered 400"},
};

const size_t cmw__engine_option_count = LEN(cmw__engine_options);

static void take_over(cmw_engine_config *config, const struct limits *limits)
{
#define TAKE(to, from, type)                                                                       \
    if (limits->from >= 0)                                                                         \
    (to) = (type)limits->from
    TAKE(config->context_bytes, context_bytes, size_t);
    TAKE(config->worker_limit, worker_limit, uint32_t);
    TAKE(config->context_limit, context_limit, uint32_t);
    TAKE(config->pool_limit_bytes, pool_limit_bytes, uint64_t);
    TAKE(config->limits.memory_bytes, memory_bytes, size_t);
    TAKE(config->limits.header_count, header_count, uint32_t);
    TAKE(config->limits.header_bytes, header_bytes, uint32_t);
    TAKE(config->limits.body_bytes, body_bytes, uint64_t);
    TAKE(config->limits.request_ms, request_ms, uint64_t);
    TAKE(config->sample_every, sample_every, uint32_t);
    TAKE(config->target_policy, target_policy, int32_t);
    TAKE(config->host_policy, host_policy, int32_t);
#undef TAKE
}

int cmw_document_engine_config(cmw_document *document, cmw_engine_config *config)
{
    struct limits limits;

    if (!document || !config)
        return CMW_ERR_ARG;
    if (!document->root)
        return CMW_ERR_STATE;
    memset(&limits, 0xff, sizeof limits); /* every member -1 */
    const json_t *const engine = json_object_get(document->root, "engine");
    if (!engine)
        return 0;
    const size_t before = cmw_document_mistake_count(document);
    const struct step at = cmw__step_to(document->root, "engine", NULL);
    const struct table table = {cmw__engine_options, cmw__engine_option_count, "member of",
                                "engine", 0};
    if (json_is_object(engine))
        cmw__fill(document, document->scratch, &limits, &table, engine, &at);
    if (limits.context_bytes > 0 && (limits.context_bytes & (limits.context_bytes - 1)) != 0) {
        const struct step member = cmw__step_to(engine, "context_bytes", &at);
        (void)cmw__note(document, &member, CMW_ERR_INVALID, "must be a power of two, not %lld",
                        (long long)limits.context_bytes);
    }
    const int rc = cmw__outcome(document, before);
    if (rc == 0)
        take_over(config, &limits);
    return rc;
}
