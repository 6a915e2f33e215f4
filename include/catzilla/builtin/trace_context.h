/* SPDX-License-Identifier: MIT */
/*
 * `trace_context`: which trace a request belongs to, in a slot, for logs and for what the handler
 * calls.
 *
 * Kind name "trace_context", priority 102. Provides slot "trace_context" (cmw_trace_context). A
 * good traceparent is continued: the same trace, and an id of this server's own as the parent of
 * what it calls. Without one, or at an edge that does not trust its clients, a new trace begins.
 */
#ifndef CATZILLA_BUILTIN_TRACE_CONTEXT_H
#define CATZILLA_BUILTIN_TRACE_CONTEXT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Bytes of a traceparent, and of the ids in it. */
#define CMW_TRACEPARENT_LEN 55
#define CMW_TRACE_ID_LEN 32
#define CMW_SPAN_ID_LEN 16

/** Bits of `flags`. */
enum cmw_trace_flags {
    CMW_TRACE_SAMPLED = 1, /**< whoever called may have recorded this trace */
    CMW_TRACE_RANDOM = 2   /**< the trace id is random in its last 7 bytes */
};

/** The slot's value. Slices live as long as the request. */
typedef struct cmw_trace_context {
    char traceparent[64]; /**< CMW_TRACEPARENT_LEN bytes, to be sent on; no NUL */
    cmw_str tracestate;   /**< to be sent on beside it; empty: send none */
    cmw_str parent_id;    /**< of whoever called, CMW_SPAN_ID_LEN; empty: the trace begins here */
    uint8_t flags;        /**< enum cmw_trace_flags, those in `traceparent` */
} cmw_trace_context;

/** The ids in a slot's value. Cost: O(1). */
static inline cmw_str cmw_trace_id(const cmw_trace_context *trace)
{
    return cmw_str_make(trace->traceparent + 3, CMW_TRACE_ID_LEN);
}

static inline cmw_str cmw_trace_span_id(const cmw_trace_context *trace)
{
    return cmw_str_make(trace->traceparent + 36, CMW_SPAN_ID_LEN);
}

/** Options. Fill the defaults with cmw_trace_context_config_init. */
typedef struct cmw_trace_context_config {
    size_t size;           /**< set by cmw_trace_context_config_init */
    int restart_untrusted; /**< 1: continue only the traces of `trust_networks`. Default 0: continue
                                everyone's */
    const char *const *trust_networks; /**< peers, "10.0.0.0/8" and the like */
    size_t trust_network_count;
    int64_t sample_permille;     /**< of traces that begin here, so many are sampled: 0..1000. Those
                                      that are continued keep their flag. Default 1000 */
    int update_request;          /**< 1: put both fields into the request as well, for handlers that
                                      pass its fields on. Default 0 */
    const char *response_header; /**< field of the response that has the traceparent, as
                                      "traceresponse"; NULL: none */
} cmw_trace_context_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_trace_context_config_init(cmw_trace_context_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->sample_permille = 1000;
}

/**
 * Fill a descriptor.
 *
 * A traceparent is good if its field came exactly once, with version 00 and nothing behind the
 * flags, or with a later version but ff; lower-case digits; no id of zeros alone. The tracestate of
 * a good one is kept if all of its members have the standard's form and are not more than 32; of
 * two with one key the first stays. Where it is malformed, it alone is dropped.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option);
 *                CMW_ERR_CONFLICT if slot "trace_context" has another shape; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs 8 or 24 random bytes and a slot (row trace_context of
 *                scripts/run_bench.sh), and, once a worker is warm, no allocation
 * Source:        W3C Trace Context, Level 1 and 2
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_trace_context_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_trace_context_config *config,
                                                   cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_TRACE_CONTEXT_H */
