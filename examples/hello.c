/* SPDX-License-Identifier: MIT */
/*
 * A whole program: a chain decides who may pass, the handler only answers.
 *
 *     ./hello 8080
 *     curl -i http://127.0.0.1:8080/                                     401
 *     curl -i -H 'Authorization: Bearer meow' http://127.0.0.1:8080/     200
 *     curl -i -H 'Authorization: Bearer purr' http://127.0.0.1:8080/     403
 */
#include <catzilla/adapter/microhttpd.h>
#include <catzilla/component/jemalloc.h>
#include <catzilla/mw.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct user {
    const char *token, *name;
    int may_read;
};

static const struct user users[] = {{"meow", "Mia", 1}, {"purr", "Paul", 0}};

/* pre_route of `auth`: whose token is it? */
static int require_token(void *self, cmw_ctx *ctx)
{
    const cmw_slot *user_slot = self;
    cmw_str token;

    if (cmw_request_bearer(cmw_ctx_request(ctx), &token) != 0)
        return cmw_respond_problem(ctx, 401, "a bearer token is needed");
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        if (!cmw_str_equals_secret(token, cmw_str_cstr(users[i].token)))
            continue;
        struct user *user = cmw_ctx_set_slot(ctx, *user_slot);
        if (!user)
            return CMW_ERROR;
        *user = users[i];
        return CMW_CONTINUE;
    }
    return cmw_respond_problem(ctx, 401, "unknown token");
}

/* pre_route of `permissions`: may they? That `auth` ran before was checked by the compiling. */
static int require_reader(void *self, cmw_ctx *ctx)
{
    const struct user *user = cmw_ctx_slot(ctx, *(const cmw_slot *)self);

    return user->may_read ? CMW_CONTINUE : cmw_respond_problem(ctx, 403, "you may not read this");
}

static int say_hello(void *self, cmw_ctx *ctx)
{
    const struct user *user = cmw_ctx_slot(ctx, *(const cmw_slot *)self);
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), 200);

    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("hello"));
    cmw_json_string(json, cmw_str_cstr(user->name));
    cmw_json_object_end(json);
    return 0;
}

static int build_plan(cmw_engine *engine, cmw_slot *user, cmw_plan **plan, cmw_diag *diag)
{
    static const char *const ready[] = {"request_id", "security_headers"};
    cmw_middleware auth, permissions;
    cmw_chain *chain;

    cmw_middleware_init(&auth);
    auth.name = "auth";
    auth.priority = 300;
    auth.flags = CMW_GUARDS_ACCESS;
    auth.self = user;
    auth.pre_route = require_token;
    cmw_middleware_provides(&auth, *user);

    cmw_middleware_init(&permissions);
    permissions.name = "permissions";
    permissions.priority = 400; /* try 200: the program refuses to start, and says why */
    permissions.flags = CMW_GUARDS_ACCESS;
    permissions.self = user;
    permissions.pre_route = require_reader;
    cmw_middleware_requires(&permissions, *user);

    int rc = cmw_chain_create(engine, &chain, 0);
    if (rc != 0)
        return rc;
    if ((rc = cmw_chain_use_builtins(chain, ready, 2, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &auth, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &permissions, diag)) == 0)
        rc = cmw_chain_compile(chain, plan, diag);
    cmw_chain_destroy(chain);
    return rc;
}

static int serve(cmw_mhd *mhd, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sigset_t ending;
    int received;

    sigemptyset(&ending); /* blocked before there are threads, to be waited for below */
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);

    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, port, NULL, NULL, cmw_mhd_on_request, mhd,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
                         MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
    if (!daemon)
        return CMW_ERR_IO;
    printf("listening on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&ending, &received);
    MHD_stop_daemon(daemon);
    return 0;
}

static int run(cmw_engine *engine, uint16_t port, cmw_diag *diag)
{
    cmw_slot user;
    cmw_plan *plan = NULL;
    cmw_mhd *mhd;

    int rc = cmw_slot_declare(engine, &user, "user", sizeof(struct user), NULL);
    if (rc == 0)
        rc = build_plan(engine, &user, &plan, diag);
    if (rc == 0)
        rc = cmw_engine_install(engine, plan, diag);
    cmw_plan_release(plan);
    if (rc == 0)
        rc = cmw_mhd_create(&mhd, engine, say_hello, &user, NULL);
    if (rc != 0)
        return rc;
    rc = serve(mhd, port);
    cmw_mhd_destroy(mhd);
    return rc;
}

int main(int argc, char **argv)
{
    cmw_engine_config config;
    cmw_engine *engine;
    cmw_diag diag = {0};

    cmw_engine_config_init(&config);
    config.allocator = cmw_allocator_jemalloc();
    int rc = cmw_engine_create(&engine, &config);
    if (rc == 0) {
        rc = run(engine, argc > 1 ? (uint16_t)atoi(argv[1]) : 0, &diag);
        cmw_engine_destroy(engine);
    }
    if (rc != 0)
        fprintf(stderr, "hello: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    return rc != 0;
}
