/* SPDX-License-Identifier: MIT */
/* Answers in one line: make a response, say so as a verdict. */
#include "ctx_state.h"

static int verdict_of(int rc)
{
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

int cmw_respond_empty(cmw_ctx *ctx, int status)
{
    return verdict_of(cmw_response_empty(&ctx->response, status));
}

int cmw_respond_text(cmw_ctx *ctx, int status, cmw_str text)
{
    return verdict_of(cmw_response_text(&ctx->response, status, text));
}

int cmw_respond_html(cmw_ctx *ctx, int status, cmw_str html)
{
    return verdict_of(cmw_response_html(&ctx->response, status, html));
}

int cmw_respond_json(cmw_ctx *ctx, int status, cmw_str json)
{
    return verdict_of(cmw_response_json_text(&ctx->response, status, json));
}

int cmw_respond_redirect(cmw_ctx *ctx, int status, cmw_str location)
{
    return verdict_of(cmw_response_redirect(&ctx->response, status, location));
}

int cmw_respond_problem(cmw_ctx *ctx, int status, const char *detail)
{
    return verdict_of(cmw_response_problem(&ctx->response, status, cmw_str_cstr(detail)));
}
