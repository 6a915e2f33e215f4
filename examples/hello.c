/* SPDX-License-Identifier: MIT */
/*
 * A whole program: a chain decides who may pass, the handler only answers.
 *
 *     ./hello 127.0.0.1:8080
 *     curl -i http://127.0.0.1:8080/                                     401
 *     curl -i -H 'Authorization: Bearer meow' http://127.0.0.1:8080/     200
 *     curl -i -H 'Authorization: Bearer purr' http://127.0.0.1:8080/     403
 */
#include <catzilla/adapter/microhttpd.h>
#include <catzilla/component/jemalloc.h>
#include <catzilla/mw.h>

#include <stdio.h>

static const struct user {
    const char *token, *name;
    int may_read;
} users[] = {{"meow", "Mia", 1}, {"purr", "Paul", 0}};

static cmw_slot user_slot; /* in each request, a place for a `const struct user *` */

static int require_token(void *self, cmw_ctx *ctx) /* pre_route of `auth`: whose token is it? */
{
    cmw_str token;

    (void)self;
    if (cmw_request_bearer(cmw_ctx_request(ctx), &token) != 0)
        return cmw_respond_problem(ctx, 401, "a bearer token is needed");
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        if (!cmw_str_equals_secret(token, cmw_str_cstr(users[i].token)))
            continue;
        const struct user **user = cmw_ctx_set_slot(ctx, user_slot);
        if (!user)
            return CMW_ERROR;
        *user = &users[i];
        return CMW_CONTINUE;
    }
    return cmw_respond_problem(ctx, 401, "unknown token");
}

static int require_reader(void *self, cmw_ctx *ctx) /* pre_route of `permissions`: may they? */
{
    const struct user *const *user = cmw_ctx_slot(ctx, user_slot); /* `auth` ran: it was checked */

    (void)self;
    return (*user)->may_read ? CMW_CONTINUE : cmw_respond_problem(ctx, 403, "not for you");
}

static int say_hello(void *self, cmw_ctx *ctx)
{
    const struct user *const *user = cmw_ctx_slot(ctx, user_slot);

    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_cstr((*user)->name));
}

static int build(cmw_engine *engine, cmw_chain *chain, cmw_diag *diag)
{
    static const char *const ready[] = {"request_id", "security_headers"};
    cmw_middleware auth, permissions;

    int rc = cmw_slot_declare(engine, &user_slot, "user", sizeof(struct user *), NULL);
    cmw_middleware_init(&auth);
    auth.name = "auth";
    auth.priority = 400;
    auth.flags = CMW_GUARDS_ACCESS;
    auth.pre_route = require_token;
    cmw_middleware_provides(&auth, user_slot);

    cmw_middleware_init(&permissions);
    permissions.name = "permissions";
    permissions.priority = 500; /* try 300: the program refuses to start, and says why */
    permissions.flags = CMW_GUARDS_ACCESS;
    permissions.pre_route = require_reader;
    cmw_middleware_requires(&permissions, user_slot);

    if (rc == 0 && (rc = cmw_chain_use_builtins(chain, ready, 2, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &auth, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &permissions, diag)) == 0)
        rc = cmw_chain_install(chain, diag);
    return rc;
}

int main(int argc, char **argv)
{
    cmw_engine_config config;
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    cmw_engine_config_init(&config);
    config.allocator = cmw_allocator_jemalloc();
    int rc = cmw_engine_create(&engine, &config);
    if (rc == 0 && (rc = cmw_chain_create(engine, &chain, 0)) == 0 &&
        (rc = build(engine, chain, &diag)) == 0)
        rc = cmw_mhd_serve(engine, argc > 1 ? argv[1] : "127.0.0.1:0", say_hello, NULL, &diag);
    if (rc != 0)
        fprintf(stderr, "hello: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_chain_destroy(chain);
    cmw_engine_destroy(engine);
    return rc != 0;
}
