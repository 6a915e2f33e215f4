/* SPDX-License-Identifier: MIT */
/*
 * A small API as one would run it: todos in memory, behind a chain of built-ins.
 *
 *     ./production_api 127.0.0.1:8080
 *     curl -i http://127.0.0.1:8080/livez
 *     curl -i -H 'Authorization: Bearer editor' -d 'feed the cat' http://127.0.0.1:8080/todos
 *     curl -i -H 'Authorization: Bearer viewer' http://127.0.0.1:8080/todos
 *     curl -i -H 'Authorization: Bearer viewer' -X DELETE http://127.0.0.1:8080/todos/1       403
 *     curl    -H 'Authorization: Bearer editor' http://127.0.0.1:8080/_plan
 *     curl    -H 'Authorization: Bearer editor' http://127.0.0.1:8080/_stats
 *
 * Shown: built-ins with their options, a condition (who may write), the principal of a request, one
 * place that turns each failure into problem+json, a log line for each request, the explained plan
 * and its statistics, a graceful stop on SIGTERM. Browsers of https://app.example may use it.
 */
#include <catzilla/adapter/microhttpd.h>
#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/bearer.h>
#include <catzilla/builtin/body_limit.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/require.h>

#include <stdio.h>

#include "todos.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

struct app {
    cmw_engine *engine;
    cmw_plan *plan; /* for /_plan */
    struct todos *todos;
};

/* ---- The chain: each function adds one built-in ------------------------------------------ */

static int add_log(cmw_chain *chain, cmw_diag *diag)
{
    cmw_access_log_config config;

    cmw_access_log_config_init(&config);
    config.format = "logfmt";
    config.fd = 2;
    return cmw_chain_use(chain, "access_log", &config, diag);
}

static int add_cors(cmw_chain *chain, cmw_diag *diag)
{
    static const char *const origins[] = {"https://app.example"};
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    static const char *const headers[] = {"Authorization", "Content-Type"};
    cmw_cors_config config;

    cmw_cors_config_init(&config);
    config.allow_origins = origins;
    config.allow_origin_count = LEN(origins);
    config.allow_methods = methods;
    config.allow_method_count = LEN(methods);
    config.allow_headers = headers;
    config.allow_header_count = LEN(headers);
    config.max_age_s = 600;
    return cmw_chain_use(chain, "cors", &config, diag);
}

static int add_limits(cmw_chain *chain, cmw_diag *diag)
{
    cmw_body_limit_config body;
    cmw_rate_limit_config rate;

    cmw_body_limit_config_init(&body);
    body.limit_bytes = 4096; /* a title is short */
    int rc = cmw_chain_use(chain, "body_limit", &body, diag);
    if (rc != 0)
        return rc;
    cmw_rate_limit_config_init(&rate); /* ten requests a second from one client, thirty at once */
    rate.limit = 10;
    rate.window_ms = 1000;
    rate.burst = 30;
    return cmw_chain_use(chain, "rate_limit", &rate, diag);
}

/* In earnest the tokens come from where secrets are kept. */
static int add_bearer(cmw_chain *chain, cmw_diag *diag)
{
    static const char *const editor[] = {"editor"};
    static const cmw_secret_entry entries[] = {
        {.id = "Edda", .secret = "editor", .roles = editor, .role_count = 1},
        {.id = "Vito", .secret = "viewer"},
    };
    cmw_bearer_config config;

    cmw_bearer_config_init(&config);
    config.realm = "todos";
    config.entries = entries;
    config.entry_count = LEN(entries);
    return cmw_chain_use(chain, "bearer", &config, diag);
}

/* Whoever changes something must be an editor. */
static int add_permissions(cmw_engine *engine, cmw_chain *chain, cmw_diag *diag)
{
    static const char *const editor[] = {"editor"};
    static const char *const changing[] = {"POST", "PUT", "PATCH", "DELETE"};
    cmw_condition condition;
    cmw_require_config config;
    cmw_middleware mw;

    cmw_require_config_init(&config);
    config.any_role = editor;
    config.any_role_count = 1;
    cmw_middleware_init(&mw);
    mw.name = "permissions";
    int rc = cmw_require_create(engine, &mw, &config, diag);
    if (rc != 0)
        return rc;
    cmw_condition_init(&condition);
    condition.methods = changing;
    condition.method_count = LEN(changing);
    mw.condition = &condition;
    rc = cmw_chain_add(chain, &mw, diag);
    if (rc != 0)
        mw.destroy(mw.self); /* the chain did not take it */
    return rc;
}

static int install_chain(struct app *app, cmw_diag *diag)
{
    static const char *const ready[] = {"request_id", "security_headers", "health",
                                        "problem_details"};
    cmw_chain *chain = NULL;

    int rc = cmw_chain_create(app->engine, &chain, 0);
    if (rc == 0 && (rc = cmw_chain_use_builtins(chain, ready, LEN(ready), diag)) == 0 &&
        (rc = add_log(chain, diag)) == 0 && (rc = add_cors(chain, diag)) == 0 &&
        (rc = add_limits(chain, diag)) == 0 && (rc = add_bearer(chain, diag)) == 0 &&
        (rc = add_permissions(app->engine, chain, diag)) == 0)
        rc = cmw_chain_compile(chain, &app->plan, diag);
    cmw_chain_destroy(chain);
    return rc ? rc : cmw_engine_install(app->engine, app->plan, diag);
}

/* ---- What operators look at -------------------------------------------------------------- */

/* Text that grows in a request's arena. */
struct page {
    cmw_arena *arena;
    char *text;
    size_t len, cap;
};

static int append(void *self, const char *text, size_t len)
{
    struct page *page = self;

    if (len > page->cap - page->len) {
        const size_t cap = 2 * (page->len + len);
        char *grown = cmw_arena_alloc_text(page->arena, cap);
        if (!grown)
            return CMW_ERR_NOMEM;
        if (page->len)
            memcpy(grown, page->text, page->len);
        page->text = grown;
        page->cap = cap;
    }
    memcpy(page->text + page->len, text, len);
    page->len += len;
    return 0;
}

static int write_stats(cmw_engine *engine, struct page *page)
{
    cmw_stats *stats;

    int rc = cmw_stats_snapshot(engine, &stats);
    if (rc != 0)
        return rc;
    rc = cmw_stats_write(stats, CMW_FORMAT_TEXT, append, page);
    cmw_stats_destroy(stats);
    return rc;
}

static int show_plan(struct app *app, cmw_ctx *ctx)
{
    struct page page = {cmw_ctx_arena(ctx), NULL, 0, 0};
    const int rc = cmw_plan_explain(app->plan, CMW_FORMAT_TEXT, append, &page);

    return rc ? rc
              : cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(page.text, page.len));
}

static int show_stats(struct app *app, cmw_ctx *ctx)
{
    struct page page = {cmw_ctx_arena(ctx), NULL, 0, 0};
    const int rc = write_stats(app->engine, &page);

    return rc ? rc
              : cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(page.text, page.len));
}

/* A handler that fails, to see what becomes of it. */
static int fail(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    (void)ctx;
    return CMW_ERR_IO;
}

/* ---- Routing: by the canonical path, which is what the conditions matched ----------------- */

struct route {
    cmw_str path;
    int (*handle)(struct app *app, cmw_ctx *ctx);
};

static int list(struct app *app, cmw_ctx *ctx)
{
    return todos_handle_list(app->todos, ctx);
}

static const struct route routes[] = {
    {CMW_STR_INIT("/todos"), list},
    {CMW_STR_INIT("/_plan"), show_plan},
    {CMW_STR_INIT("/_stats"), show_stats},
    {CMW_STR_INIT("/_fail"), fail},
};

static int handle(void *self, cmw_ctx *ctx)
{
    struct app *app = self;
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    const cmw_str prefix = CMW_STR("/todos/");

    for (size_t i = 0; i < LEN(routes); i++)
        if (cmw_str_equals(path, routes[i].path))
            return routes[i].handle(app, ctx);
    if (path.len > prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0)
        return todos_handle_one(app->todos, ctx,
                                cmw_str_make(path.data + prefix.len, path.len - prefix.len));
    return cmw_response_empty(cmw_ctx_response(ctx), 404); /* problem_details writes the rest */
}

/* ---- The program ------------------------------------------------------------------------ */

static int run(struct app *app, const char *address, cmw_diag *diag)
{
    const int rc = install_chain(app, diag);

    return rc ? rc : cmw_mhd_serve(app->engine, address, handle, app, diag);
}

int main(int argc, char **argv)
{
    struct app app = {.todos = todos_create()};
    cmw_engine_config config;
    cmw_diag diag = {0};

    cmw_engine_config_init(&config);
    config.sample_every = 1; /* time every request: it is a demonstration */
    int rc = app.todos ? cmw_engine_create(&app.engine, &config) : CMW_ERR_NOMEM;
    if (rc == 0)
        rc = run(&app, argc > 1 ? argv[1] : "127.0.0.1:0", &diag);
    if (rc != 0)
        fprintf(stderr, "production_api: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_plan_release(app.plan);
    if (cmw_engine_destroy(app.engine) != 0)
        rc = CMW_ERR_STATE;
    todos_destroy(app.todos);
    return rc != 0;
}
