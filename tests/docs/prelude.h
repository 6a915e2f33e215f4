/* SPDX-License-Identifier: MIT */
/*
 * What a fragment in docs/ may use without declaring it. A fragment's own declarations hide these.
 */
#ifndef CATZILLA_DOCS_PRELUDE_H
#define CATZILLA_DOCS_PRELUDE_H

#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/api_key.h>
#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/bearer.h>
#include <catzilla/builtin/body_limit.h>
#include <catzilla/builtin/cache_control.h>
#include <catzilla/builtin/circuit_breaker.h>
#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/conditional.h>
#include <catzilla/builtin/content_negotiation.h>
#include <catzilla/builtin/content_type.h>
#include <catzilla/builtin/cookies.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/csrf.h>
#include <catzilla/builtin/date_server.h>
#include <catzilla/builtin/health.h>
#include <catzilla/builtin/host_allow.h>
#include <catzilla/builtin/https_redirect.h>
#include <catzilla/builtin/idempotency_key.h>
#include <catzilla/builtin/ip_filter.h>
#include <catzilla/builtin/load_shed.h>
#include <catzilla/builtin/maintenance.h>
#include <catzilla/builtin/method_filter.h>
#include <catzilla/builtin/mirror.h>
#include <catzilla/builtin/problem_details.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/request_id.h>
#include <catzilla/builtin/require.h>
#include <catzilla/builtin/response_cache.h>
#include <catzilla/builtin/rewrite.h>
#include <catzilla/builtin/security_headers.h>
#include <catzilla/builtin/server_timing.h>
#include <catzilla/builtin/set_headers.h>
#include <catzilla/builtin/skip.h>
#include <catzilla/builtin/static_files.h>
#include <catzilla/builtin/timeout.h>
#include <catzilla/builtin/trace_context.h>
#include <catzilla/builtin/trusted_proxy.h>
#include <catzilla/builtin/url_path.h>
#include <catzilla/builtin/vary.h>
#include <catzilla/component/compression.h>
#include <catzilla/component/config.h>
#include <catzilla/component/crypto.h>
#include <catzilla/component/jemalloc.h>
#include <catzilla/component/sse.h>
#include <catzilla/mw.h>
#include <catzilla/testing.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct user {
    const char *token, *name;
    int may_write;
};

static cmw_slot user_slot;
static cmw_slot request_id_slot;
static cmw_slot trace_slot, cookies_slot, negotiated_slot;

static cmw_service store_service;

/* Of docs/guide.md's program. */
cmw_phase_fn require_token, require_writer;

/* Zeroed memory that processes share: mmap and its like. */
void *shared_memory(size_t bytes);

/* The parameters of the function that a fragment of statements is put into. */
#define SNIPPET_PARAMETERS                                                                         \
    cmw_engine *engine, cmw_chain *chain, cmw_plan *plan, cmw_worker *worker, cmw_ctx *ctx,        \
        cmw_request *request, cmw_response *response, cmw_test *test, cmw_middleware *mw,          \
        cmw_diag *diag, int rc

#endif /* CATZILLA_DOCS_PRELUDE_H */
