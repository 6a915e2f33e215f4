/* SPDX-License-Identifier: MIT */
/* Back ends: what answers behind the middleware. */
#ifndef CMW_TOOL_BACKEND_H
#define CMW_TOOL_BACKEND_H

#include <catzilla/mw.h>

struct backend;

typedef int backend_fn(const struct backend *backend, cmw_ctx *ctx);

/* One that answers; `text` is that of the settings. */
struct backend {
    backend_fn *answer;
    cmw_str text;
    int status;
    cmw_slot principal; /* slots that echo shows; CMW_NONE: the engine has none of the name */
    cmw_slot request_id;
    cmw_slot forwarded;
    cmw_slot trace_context;
    cmw_slot cookies;
};

/* Read "echo", "static:TEXT" or "status:N". 0, or CMW_ERR_INVALID with a sentence. */
int backend_parse(struct backend *backend, const char *text, cmw_diag *diag);

/* Find the slots, once the chain is made. */
void backend_find_slots(struct backend *backend, cmw_engine *engine);

/* echo.c: tell the client what it sent, and what the middleware made of it. */
backend_fn echo_answer;

/* octets.c: what is UTF-8 as it is; else a character for each byte (ISO 8859-1): none is lost. */
cmw_str octets_as_text(cmw_ctx *ctx, cmw_str octets);

/* learned.c: that last part, as an object. */
void put_learned(cmw_json *json, const struct backend *backend, cmw_ctx *ctx);

#endif /* CMW_TOOL_BACKEND_H */
