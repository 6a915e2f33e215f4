/* SPDX-License-Identifier: MIT */
/*
 * Three middleware by hand: a log line, CORS, and authentication.
 *
 *     ./basic_middleware 127.0.0.1:8080
 *     curl -i -H 'Origin: https://app.example' http://127.0.0.1:8080/              401, with CORS
 *     curl -i -H 'X-API-Key: open-sesame' http://127.0.0.1:8080/                   200
 *     curl -i -X OPTIONS -H 'Origin: https://app.example' \
 *          -H 'Access-Control-Request-Method: PUT' http://127.0.0.1:8080/          204
 *
 * Shown: which phase does what. A preflight is answered in pre_route, before auth; the CORS fields
 * are set in post_route, which runs for every response, so that a browser may read the 401 too; the
 * log line is written in complete, which runs exactly once, whatever happened.
 */
#include <catzilla/adapter/microhttpd.h>

#include <stdio.h>
#include <time.h>

/* ---- Log: complete ----------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A byte that could forge a second line or colour the terminal becomes "?". */
static void put_safely(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, stderr);
    }
}

static void write_log_line(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    cmw_request *request = cmw_ctx_request(ctx);

    (void)self;
    put_safely(cmw_request_method(request));
    fputc(' ', stderr);
    put_safely(cmw_request_path(request));
    fprintf(stderr, " %d %s %lu us\n", cmw_response_status(cmw_ctx_response(ctx)),
            cmw_end_reason_name(reason),
            (unsigned long)((now_ns() - cmw_ctx_begin_ns(ctx)) / 1000));
}

/* ---- CORS: pre_route and post_route ------------------------------------------------------ */

static const cmw_str allowed_origin = CMW_STR_INIT("https://app.example");

static int is_allowed_origin(cmw_request *request)
{
    const cmw_header *origin = cmw_request_header(request, CMW_HDR_ORIGIN);

    return origin && cmw_str_equals(origin->value, allowed_origin);
}

static int answer_preflight(void *self, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_request_method_id(request) != CMW_METHOD_OPTIONS ||
        !cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD))
        return CMW_CONTINUE;
    if (is_allowed_origin(request) &&
        (cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_METHODS,
                          CMW_STR("GET, PUT, DELETE")) != 0 ||
         cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_HEADERS, CMW_STR("X-API-Key")) !=
             0))
        return CMW_ERROR;
    return cmw_respond_empty(ctx, 204);
}

/* Also on the answers of others: a response to an unknown origin must not be cached for a known. */
static int add_cors_fields(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Origin")) != 0)
        return CMW_ERROR;
    if (!is_allowed_origin(cmw_ctx_request(ctx)))
        return CMW_CONTINUE;
    return cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Authentication: pre_route ----------------------------------------------------------- */

static int require_key(void *self, cmw_ctx *ctx)
{
    const cmw_header *key = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_X_API_KEY);

    (void)self;
    if (key && cmw_str_equals_secret(key->value, CMW_STR("open-sesame")))
        return CMW_CONTINUE;
    return cmw_respond_problem(ctx, 401, "an X-API-Key is needed");
}

/* ---- The program ------------------------------------------------------------------------- */

static int greet(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("you are in\n"));
}

static int add_middleware(cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware log, cors, auth;
    int rc;

    cmw_middleware_init(&log);
    log.name = "log";
    log.priority = 100;
    log.failure = CMW_FAIL_OPEN; /* a log that cannot be written stops nobody */
    log.complete = write_log_line;

    cmw_middleware_init(&cors);
    cors.name = "cors";
    cors.priority = 200; /* before auth: a browser sends no key with its preflight */
    cors.pre_route = answer_preflight;
    cors.post_route = add_cors_fields;

    cmw_middleware_init(&auth);
    auth.name = "auth";
    auth.priority = 300;
    auth.flags = CMW_GUARDS_ACCESS;
    auth.pre_route = require_key;

    if ((rc = cmw_chain_add(chain, &log, diag)) != 0 ||
        (rc = cmw_chain_add(chain, &cors, diag)) != 0)
        return rc;
    return cmw_chain_add(chain, &auth, diag);
}

static int serve(cmw_engine *engine, const char *address, cmw_diag *diag)
{
    cmw_chain *chain;

    int rc = cmw_chain_create(engine, &chain, 0);
    if (rc != 0)
        return rc;
    rc = add_middleware(chain, diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc ? rc : cmw_mhd_serve(engine, address, greet, NULL, diag);
}

int main(int argc, char **argv)
{
    cmw_engine *engine;
    cmw_diag diag = {0};

    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0) {
        rc = serve(engine, argc > 1 ? argv[1] : "127.0.0.1:0", &diag);
        cmw_engine_destroy(engine);
    }
    if (rc != 0)
        fprintf(stderr, "basic_middleware: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    return rc != 0;
}
