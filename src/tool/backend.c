/* SPDX-License-Identifier: MIT */
#include "backend.h"

static int answer_static(const struct backend *backend, cmw_ctx *ctx)
{
    return cmw_response_text(cmw_ctx_response(ctx), 200, backend->text);
}

static int answer_status(const struct backend *backend, cmw_ctx *ctx)
{
    return cmw_response_empty(cmw_ctx_response(ctx), backend->status);
}

/* Three digits, and one that a server may send as its answer. */
static int parse_status(struct backend *backend, const char *text, cmw_diag *diag)
{
    if (strlen(text) != 3 || text[0] < '2' || text[0] > '5' || text[1] < '0' || text[1] > '9' ||
        text[2] < '0' || text[2] > '9')
        return cmw_diag_set(diag, CMW_ERR_INVALID, "status must be in 200..599, not '%s'", text);
    backend->status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    backend->answer = answer_status;
    return 0;
}

int backend_parse(struct backend *backend, const char *text, cmw_diag *diag)
{
    memset(backend, 0, sizeof *backend);
    backend->principal = CMW_NONE;
    backend->request_id = CMW_NONE;
    backend->forwarded = CMW_NONE;
    backend->trace_context = CMW_NONE;
    backend->cookies = CMW_NONE;
    if (strcmp(text, "echo") == 0) {
        backend->answer = echo_answer;
        return 0;
    }
    if (strncmp(text, "static:", 7) == 0) {
        backend->answer = answer_static;
        backend->text = cmw_str_cstr(text + 7);
        return 0;
    }
    if (strncmp(text, "status:", 7) == 0)
        return parse_status(backend, text + 7, diag);
    return cmw_diag_set(diag, CMW_ERR_INVALID, "must be echo, static:TEXT or status:N, not '%s'",
                        text);
}

void backend_find_slots(struct backend *backend, cmw_engine *engine)
{
    backend->principal = cmw_slot_find(engine, "principal");
    backend->request_id = cmw_slot_find(engine, "request_id");
    backend->forwarded = cmw_slot_find(engine, "forwarded");
    backend->trace_context = cmw_slot_find(engine, "trace_context");
    backend->cookies = cmw_slot_find(engine, "cookies");
}
