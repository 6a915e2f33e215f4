/* SPDX-License-Identifier: MIT */
/*
 * Fields behind a body, both ways: what is known only once all of it has passed.
 *
 *     ./trailers 127.0.0.1:8080
 *     curl --raw -H 'TE: trailers' http://127.0.0.1:8080/    rows; behind them, how many they were
 *
 * A client that sends rows in chunks (POST) may say behind them how many they are: `X-Rows: 2`. If
 * others came it is answered 400.
 */
#include <catzilla/adapter/microhttpd.h>
#include <catzilla/builtin/server_timing.h>
#include <catzilla/mw.h>

#include <stdio.h>

enum { ROWS = 1000, ROW_BYTES = 32 };

/* ---- Of a response ---------------------------------------------------------------------- */

struct cursor {
    unsigned row;
    char text[ROW_BYTES];
};

/* A row each time the client takes more. With the last one it is known how many there were. */
static int read_row(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct cursor *cursor = self;
    char count[ROW_BYTES];
    int len = snprintf(cursor->text, ROW_BYTES, "row %u\n", ++cursor->row);

    chunk->bytes = cmw_str_make(cursor->text, (size_t)len);
    chunk->is_last = cursor->row == ROWS;
    if (!chunk->is_last)
        return 0;
    len = snprintf(count, sizeof count, "%u", cursor->row);
    return cmw_ctx_add_trailer(ctx, CMW_STR("X-Rows"), cmw_str_make(count, (size_t)len));
}

/* The head names what may follow: so it is promised before. Who cannot take it gets the rows. */
static int send_rows(cmw_ctx *ctx)
{
    struct cursor *cursor = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *cursor);
    cmw_body_source source;

    if (!cursor)
        return CMW_ERR_NOMEM;
    cursor->row = 0;
    cmw_body_source_init(&source);
    source.read = read_row;
    source.self = cursor;
    const int rc = cmw_ctx_promise_trailer(ctx, CMW_STR("X-Rows"), 0);
    return rc != 0 ? rc : cmw_ctx_stream(ctx, 200, &source);
}

/* ---- Of a request ----------------------------------------------------------------------- */

/* Without the field nothing is compared: a client chooses to send it. */
static int take_rows(cmw_ctx *ctx)
{
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));
    const cmw_header *claim = cmw_ctx_trailer(ctx, CMW_STR("X-Rows"));
    char count[ROW_BYTES];
    unsigned rows = 0;

    for (size_t i = 0; i < body.len; i++)
        rows += body.data[i] == '\n';
    const int len = snprintf(count, sizeof count, "%u", rows);
    if (claim && !cmw_str_equals(claim->value, cmw_str_make(count, (size_t)len)))
        return cmw_response_problem(cmw_ctx_response(ctx), 400, CMW_STR("rows are missing"));
    return cmw_response_empty(cmw_ctx_response(ctx), 204);
}

static int handle(void *self, cmw_ctx *ctx)
{
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));

    (void)self;
    return method == CMW_METHOD_POST ? take_rows(ctx) : send_rows(ctx);
}

/* ---- The program ------------------------------------------------------------------------ */

/* The time that the body took follows it, too. */
static int build(cmw_chain *chain, cmw_diag *diag)
{
    cmw_server_timing_config config;

    cmw_server_timing_config_init(&config);
    config.trailer = "body";
    const int rc = cmw_chain_use(chain, "server_timing", &config, diag);
    return rc != 0 ? rc : cmw_chain_install(chain, diag);
}

int main(int argc, char **argv)
{
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = cmw_chain_create(engine, &chain, 0)) == 0 &&
        (rc = build(chain, &diag)) == 0)
        rc = cmw_mhd_serve(engine, argc > 1 ? argv[1] : "127.0.0.1:0", handle, NULL, &diag);
    if (rc != 0)
        fprintf(stderr, "trailers: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_chain_destroy(chain);
    cmw_engine_destroy(engine);
    return rc != 0;
}
