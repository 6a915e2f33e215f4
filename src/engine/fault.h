/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a failure.
 */
#ifndef CMW_ENGINE_FAULT_H
#define CMW_ENGINE_FAULT_H

#include "ctx_state.h"

/* The middleware of an entry; NULL: of none, or no entry. */
const cmw_middleware *cmw__entry_middleware(const cmw_ctx *ctx, const struct cmw__entry_info *info);

/* The fault of a callback: its policy's status; lack of memory is not the callback's fault. */
cmw_fault cmw__fault_of(const cmw_ctx *ctx, const struct cmw__entry_info *info, int phase,
                        int code);

/* The same for what a callback said, which is no verdict: CMW_ERROR, an error code, or nonsense. A
 * code tells what went wrong; but for a lack of memory it does not change the status. */
cmw_fault cmw__fault_of_callback(const cmw_ctx *ctx, const struct cmw__entry_info *info, int phase,
                                 int value);

/* A fault: the first one is offered to the error callbacks, a second one is a plain 500. */
void cmw__raise_fault(cmw_ctx *ctx, cmw_fault fault);

#endif /* CMW_ENGINE_FAULT_H */
