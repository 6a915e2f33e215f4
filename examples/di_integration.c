/* SPDX-License-Identifier: MIT */
/*
 * Services: objects that middleware asks for, made as often as their scope says.
 *
 *     ./di_integration
 *
 * Shown: a singleton (a store, made when the chain compiles), one object for each request (a
 * session on that store, made on the first ask) and one for each ask (a stopwatch); their order of
 * destruction; and that a name which nobody defines is refused when the chain compiles.
 */
#include <catzilla/mw.h>

#include <stdio.h>
#include <stdlib.h>

/* ---- The objects ------------------------------------------------------------------------- */

struct store {
    int sessions;
};

struct session {
    struct store *store;
    int number;
};

struct stopwatch {
    int asks;
};

static int create_store(void *self, void **object, cmw_resolver *resolver)
{
    struct store *store = calloc(1, sizeof *store);

    (void)self;
    (void)resolver;
    if (!store)
        return CMW_ERR_NOMEM;
    puts("store: made");
    *object = store;
    return 0;
}

static void destroy_store(void *self, void *object)
{
    (void)self;
    printf("store: destroyed after %d sessions\n", ((struct store *)object)->sessions);
    free(object);
}

/* It asks for what it depends on, and lives in the request's arena: nothing to free. */
static int create_session(void *self, void **object, cmw_resolver *resolver)
{
    void *store;

    (void)self;
    struct session *session =
        cmw_arena_alloc(cmw_ctx_arena(cmw_resolver_ctx(resolver)), sizeof *session);
    if (!session)
        return CMW_ERR_NOMEM;
    const int rc = cmw_resolver_get(resolver, "store", &store);
    if (rc != 0)
        return rc;
    session->store = store;
    session->number = ++session->store->sessions;
    printf("  session %d: opened\n", session->number);
    *object = session;
    return 0;
}

static void destroy_session(void *self, void *object)
{
    (void)self;
    printf("  session %d: closed\n", ((struct session *)object)->number);
}

static int create_stopwatch(void *self, void **object, cmw_resolver *resolver)
{
    static const struct stopwatch fresh = {0};

    (void)self;
    struct stopwatch *watch =
        cmw_arena_alloc(cmw_ctx_arena(cmw_resolver_ctx(resolver)), sizeof *watch);
    if (!watch)
        return CMW_ERR_NOMEM;
    *watch = fresh;
    *object = watch;
    return 0;
}

static int define_services(cmw_engine *engine)
{
    static const char *const session_depends[] = {"store"};
    cmw_service_config store, session, stopwatch;
    int rc;

    cmw_service_config_init(&store);
    store.scope = CMW_SERVICE_SINGLETON;
    store.create = create_store;
    store.destroy = destroy_store;

    cmw_service_config_init(&session);
    session.scope = CMW_SERVICE_REQUEST;
    session.create = create_session;
    session.destroy = destroy_session;
    session.depends = session_depends;
    session.depend_count = 1;

    cmw_service_config_init(&stopwatch);
    stopwatch.scope = CMW_SERVICE_TRANSIENT;
    stopwatch.create = create_stopwatch;

    if ((rc = cmw_service_define(engine, "store", &store)) != 0 ||
        (rc = cmw_service_define(engine, "session", &session)) != 0)
        return rc;
    return cmw_service_define(engine, "stopwatch", &stopwatch);
}

/* ---- The middleware that asks for them --------------------------------------------------- */

struct handles {
    cmw_service session, stopwatch, missing;
};

static int use_services(void *self, cmw_ctx *ctx)
{
    const struct handles *handles = self;
    void *first, *again, *watch, *other_watch;

    if (cmw_ctx_service(ctx, handles->session, &first) != 0 ||
        cmw_ctx_service(ctx, handles->session, &again) != 0 ||
        cmw_ctx_service(ctx, handles->stopwatch, &watch) != 0 ||
        cmw_ctx_service(ctx, handles->stopwatch, &other_watch) != 0)
        return CMW_ERROR;
    printf("  asked twice: %s session, %s stopwatch\n", first == again ? "the same" : "another",
           watch == other_watch ? "the same" : "another");
    return cmw_respond_empty(ctx, 204);
}

static int build(cmw_engine *engine, cmw_chain *chain, struct handles *handles, cmw_diag *diag)
{
    cmw_middleware worker;
    int rc;

    cmw_middleware_init(&worker);
    worker.name = "worker";
    worker.self = handles;
    worker.pre_route = use_services;

    if ((rc = cmw_service_declare(engine, &handles->session, "session")) != 0 ||
        (rc = cmw_service_declare(engine, &handles->stopwatch, "stopwatch")) != 0 ||
        (rc = cmw_service_declare(engine, &handles->missing, "mailer")) != 0 ||
        (rc = cmw_chain_add(chain, &worker, diag)) != 0 ||
        (rc = cmw_chain_needs_service(chain, "worker", handles->session)) != 0)
        return rc;
    return cmw_chain_needs_service(chain, "worker", handles->stopwatch);
}

/* ---- The program: two requests, without a server ----------------------------------------- */

static int send_request(cmw_worker *worker)
{
    cmw_request_view view;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    const int rc = cmw_ctx_begin(worker, &ctx, &view);
    if (rc != 0)
        return rc;
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER)
        cmw_ctx_commit(ctx);
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return status == 204 ? 0 : CMW_ERR_STATE;
}

static int run_requests(cmw_engine *engine, cmw_plan *plan, cmw_diag *diag)
{
    cmw_worker *worker;

    int rc = cmw_engine_install(engine, plan, diag);
    if (rc == 0)
        rc = cmw_engine_take_worker(engine, &worker, NULL, NULL);
    if (rc != 0)
        return rc;
    for (int i = 1; i <= 2 && rc == 0; i++) {
        printf("request %d\n", i);
        rc = send_request(worker);
    }
    cmw_engine_put_worker(engine, worker);
    return rc;
}

/* The same chain, asking for a service that nobody defined: refused before anything is served. */
static int try_missing_service(cmw_chain *chain, const struct handles *handles)
{
    cmw_plan *plan = NULL;
    cmw_diag refusal = {0};

    if (cmw_chain_needs_service(chain, "worker", handles->missing) != 0)
        return CMW_ERR_STATE;
    if (cmw_chain_compile(chain, &plan, &refusal) == 0) {
        cmw_plan_release(plan);
        return CMW_ERR_STATE;
    }
    printf("refused: %s\n", refusal.message);
    return 0;
}

static int run(cmw_engine *engine, cmw_chain *chain, cmw_diag *diag)
{
    static struct handles handles;
    cmw_plan *plan = NULL;

    int rc = define_services(engine);
    if (rc == 0)
        rc = build(engine, chain, &handles, diag);
    if (rc == 0)
        rc = cmw_chain_compile(chain, &plan, diag);
    if (rc == 0)
        rc = run_requests(engine, plan, diag);
    cmw_plan_release(plan);
    return rc ? rc : try_missing_service(chain, &handles);
}

int main(void)
{
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_diag diag = {0};

    if (cmw_engine_create(&engine, NULL) != 0)
        return 1;
    int rc = cmw_chain_create(engine, &chain, 0);
    if (rc == 0) {
        rc = run(engine, chain, &diag);
        cmw_chain_destroy(chain);
    }
    if (rc != 0)
        fprintf(stderr, "di_integration: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    return cmw_engine_destroy(engine) != 0 || rc != 0;
}
