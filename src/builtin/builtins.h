/* SPDX-License-Identifier: MIT */
/* The kinds of this folder, and what their `create` functions share. */
#ifndef CMW_BUILTIN_BUILTINS_H
#define CMW_BUILTIN_BUILTINS_H

#include <catzilla/mw.h>

#include "inline.h"

/* X(name): every built-in, in the order in which `catzilla-mw list` shows them. Each has a
 * `const cmw_kind cmw__kind_<name>` in <name>.c. */
#define CMW__BUILTIN_LIST(X)                                                                       \
    X(access_log)                                                                                  \
    X(api_key)                                                                                     \
    X(basic_auth)                                                                                  \
    X(bearer)                                                                                      \
    X(body_limit)                                                                                  \
    X(cache_control)                                                                               \
    X(circuit_breaker)                                                                             \
    X(concurrency_limit)                                                                           \
    X(conditional)                                                                                 \
    X(content_negotiation)                                                                         \
    X(content_type)                                                                                \
    X(cookies)                                                                                     \
    X(cors)                                                                                        \
    X(date_server)                                                                                 \
    X(csrf)                                                                                        \
    X(health)                                                                                      \
    X(host_allow)                                                                                  \
    X(https_redirect)                                                                              \
    X(idempotency_key)                                                                             \
    X(ip_filter)                                                                                   \
    X(load_shed)                                                                                   \
    X(maintenance)                                                                                 \
    X(method_filter)                                                                               \
    X(mirror)                                                                                      \
    X(problem_details)                                                                             \
    X(rate_limit)                                                                                  \
    X(redirect)                                                                                    \
    X(request_id)                                                                                  \
    X(require)                                                                                     \
    X(response_cache)                                                                              \
    X(rewrite)                                                                                     \
    X(security_headers)                                                                            \
    X(server_timing)                                                                               \
    X(set_headers)                                                                                 \
    X(skip)                                                                                        \
    X(static_files)                                                                                \
    X(trace_context)                                                                               \
    X(timeout)                                                                                     \
    X(trusted_proxy)                                                                               \
    X(url_path)                                                                                    \
    X(vary)

#define CMW__DECLARE_KIND(name) extern const cmw_kind cmw__kind_##name;
CMW__BUILTIN_LIST(CMW__DECLARE_KIND)
#undef CMW__DECLARE_KIND

/* Register all of them; called once by cmw_engine_create. */
int cmw__register_builtins(cmw_engine *engine);

/* ---- The state of an instance: in an arena of its own, freed as a whole ------------------ */

/* Make an arena over the engine's plan pool and, in it, `bytes` zeroed bytes for the instance; the
 * arena is for whatever else it keeps. NULL: no memory (`diag` says so). */
void *cmw__builtin_alloc(cmw_engine *engine, cmw_arena **arena, size_t bytes, const char *kind,
                         cmw_diag *diag);

/* Copy a C string into the arena; NULL: no memory. A NULL text gives "". */
const char *cmw__builtin_copy(cmw_arena *arena, const char *text);

/* Make a set of the networks of an option, which `option` names for the sentence, as
 * "ip_filter: allow". */
int cmw__builtin_networks(cmw_network_set **out, cmw_arena *arena, const char *option,
                          const char *const *texts, size_t count, cmw_diag *diag);

/* ---- Order rules ------------------------------------------------------------------------ */

/*
 * Facts by which built-ins know of each other (docs/builtins.md has the rules). Each is a slot of
 * size 0 whose name is the fact's.
 *
 *   "cors"        cors provides it; who may refuse a request uses it: a preflight comes before
 *   "rate_limit"  a limit that needs no principal provides it; costly authentication uses it
 *   "timeout"     timeout provides it; who may let a request wait uses it: waiting counts
 *
 * Those of responses are the engine's own (CMW_FACT_PLAIN_BODY and those behind it).
 */
int cmw__builtin_provides(cmw_engine *engine, cmw_middleware *middleware, const char *fact);
int cmw__builtin_uses(cmw_engine *engine, cmw_middleware *middleware, const char *fact);

#endif /* CMW_BUILTIN_BUILTINS_H */
