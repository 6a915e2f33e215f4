/* SPDX-License-Identifier: MIT */
/*
 * Content-Security-Policy as text: building it of directives, and looking through it.
 *
 * Pure but for the arena that texts are written to.
 */
#ifndef CMW_BUILTIN_CSP_H
#define CMW_BUILTIN_CSP_H

#include <catzilla/arena.h>
#include <catzilla/builtin/security_headers.h>

/* The policy of helmet 8. */
extern const char cmw__csp_default[];

/* The source that stands for the nonce of a request. */
#define CMW__CSP_NONCE "'nonce'"

/* Write the policy that the parts mean. 0; CMW_ERR_NOMEM; or CMW_ERR_INVALID with a sentence. What
 * is written still wants cmw__csp_check. */
int cmw__csp_build(cmw_arena *arena, cmw_str *out, const cmw_csp *csp, cmw_diag *diag);

/* Whether a text is a policy, without the mistakes that make one worthless: 0, or CMW_ERR_INVALID
 * with a sentence. */
int cmw__csp_check(cmw_str policy, cmw_diag *diag);

/* Step to the next 'nonce' of a policy that was checked, from `*at` on: 1, and `*at` is its offset;
 * or 0. */
int cmw__csp_next_nonce(cmw_str policy, size_t *at);

#endif /* CMW_BUILTIN_CSP_H */
