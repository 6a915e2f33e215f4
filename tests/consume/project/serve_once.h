/* SPDX-License-Identifier: MIT */
/*
 * One request through a chain of one, in the words that C99, C11 and C++11 share.
 */
#ifndef SERVE_ONCE_H
#define SERVE_ONCE_H

#include <stdio.h>

#include <catzilla/mw.h>

static int refuse(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_problem(ctx, 403, "not today");
}

static int install_refusal(cmw_engine *engine)
{
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware door;
    cmw_diag diag;

    cmw_middleware_init(&door);
    door.name = "door";
    door.pre_route = refuse;
    int rc = cmw_chain_create(engine, &chain, 0);
    if (rc == 0)
        rc = cmw_chain_add(chain, &door, &diag);
    if (rc == 0)
        rc = cmw_chain_compile(chain, &plan, &diag);
    if (rc == 0)
        rc = cmw_engine_install(engine, plan, &diag);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    return rc;
}

/* The status that a request gets, or a negative error. */
static int send_request(cmw_worker *worker)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.http_version = 0x0101;
    const int rc = cmw_ctx_begin(worker, &ctx, &view);
    if (rc != 0)
        return rc;
    const int is_answered = cmw_ctx_run(ctx) == CMW_TO_RESPOND;
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return is_answered ? status : CMW_ERR_STATE;
}

/* A program's exit status: 0 if the request was answered as the chain says. */
static int serve_once(const cmw_engine_config *config)
{
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;
    int status = 0;

    if (cmw_version() / 1000 != CMW_VERSION_MAJOR * 1000 + CMW_VERSION_MINOR)
        return 1;
    int rc = cmw_engine_create(&engine, config);
    if (rc == 0)
        rc = install_refusal(engine);
    if (rc == 0)
        rc = cmw_engine_take_worker(engine, &worker, NULL, NULL);
    if (rc == 0) {
        status = send_request(worker);
        cmw_engine_put_worker(engine, worker);
    }
    const int destroyed = cmw_engine_destroy(engine);
    printf("%s: status %d, destroy %s\n", cmw_error_name(rc), status, cmw_error_name(destroyed));
    return rc == 0 && status == 403 && destroyed == 0 ? 0 : 1;
}

#endif /* SERVE_ONCE_H */
