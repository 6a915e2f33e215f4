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

/* Constant fields, on every response: they are checked and laid out when the chain compiles. */
static const cmw_header security_fields[] = {
    {CMW_STR_INIT("X-Content-Type-Options"), CMW_STR_INIT("nosniff")},
    {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")},
};

static int build_plan(cmw_engine *engine, cmw_slot *user, cmw_plan **plan, cmw_diag *diag)
{
    cmw_middleware security, auth, permissions;
    cmw_chain *chain;

    cmw_middleware_init(&security);
    security.name = "security";
    security.priority = 100;
    security.fields = security_fields;
    security.field_count = 2;

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
    if ((rc = cmw_chain_add(chain, &security, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &auth, diag)) == 0 &&
        (rc = cmw_chain_add(chain, &permissions, diag)) == 0)
        rc = cmw_chain_compile(chain, plan, diag);
    cmw_chain_destroy(chain);
    return rc;
}

static struct MHD_Daemon *listen_on(uint16_t port, cmw_mhd *mhd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, port, NULL, NULL, cmw_mhd_on_request,
                            mhd, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_ARRAY,
                            cmw_mhd_options(mhd), MHD_OPTION_END);
}

static int serve(cmw_engine *engine, cmw_slot *user, uint16_t port)
{
    cmw_mhd *mhd;
    sigset_t ending;
    int received;

    sigemptyset(&ending); /* blocked before there are threads, to be waited for below */
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);

    if (cmw_mhd_create(&mhd, engine, say_hello, user, NULL) != 0)
        return 1;
    struct MHD_Daemon *daemon = listen_on(port, mhd);
    if (daemon) {
        port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
        printf("listening on http://127.0.0.1:%u\n", port);
        fflush(stdout);
        sigwait(&ending, &received);
        MHD_stop_daemon(daemon);
    }
    cmw_mhd_destroy(mhd);
    return daemon ? 0 : 1;
}

int main(int argc, char **argv)
{
    cmw_engine_config config;
    cmw_engine *engine;
    cmw_plan *plan = NULL;
    cmw_slot user;
    cmw_diag diag = {0};

    cmw_engine_config_init(&config);
    config.allocator = cmw_allocator_jemalloc();
    if (cmw_engine_create(&engine, &config) != 0)
        return 1;
    int rc = cmw_slot_declare(engine, &user, "user", sizeof(struct user), NULL);
    if (rc == 0)
        rc = build_plan(engine, &user, &plan, &diag);
    if (rc == 0)
        rc = cmw_engine_install(engine, plan, &diag);
    cmw_plan_release(plan);
    if (rc != 0)
        fprintf(stderr, "hello: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    else
        rc = serve(engine, &user, argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
    cmw_engine_destroy(engine);
    return rc != 0;
}
