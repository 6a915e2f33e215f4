/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <pthread.h>
#include <stdlib.h>

#include "app.h"

enum { JOBS = 4096 };

/* Each has a worker: the server may serve it on any thread. */
struct job {
    struct conformance_app *app;
    cmw_ctx *chain;
    cmw_worker *worker;
    cmw_ctx *ctx;
    int goes_on;
};

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct job *job = self;
    (void)ctx;
    (void)next;

    job->goes_on = 1;
}

static const cmw_host host = {
    .size = sizeof host,
    .name = "handler",
    .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS | CMW_CAP_STREAM_RESPONSE_BODY,
    .proceed = on_proceed,
};

/* ---- The engine, one in each process ------------------------------------------------------ */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cmw_engine *engine;

static void open_engine(void)
{
    cmw_engine_config config;
    cmw_chain *chain;

    cmw_engine_config_init(&config);
    config.worker_limit = JOBS;
    config.limits.body_bytes = (uint64_t)8 * CONFORMANCE_BODY_LIMIT;
    config.limits.memory_bytes = (size_t)16 * CONFORMANCE_BODY_LIMIT;
    if (cmw_engine_create(&engine, &config) != 0 || cmw_chain_create(engine, &chain, 0) != 0 ||
        cmw_engine_attach_host(engine, &host, NULL) != 0 || cmw_chain_install(chain, NULL) != 0)
        abort();
    cmw_chain_destroy(chain);
}

/* ---- One request -------------------------------------------------------------------------- */

static int begin(struct job *job, cmw_str method, cmw_str target)
{
    cmw_request_view view;

    cmw_request_view_init(&view);
    view.method = method;
    view.target = target;
    view.content_length = CMW_LENGTH_UNKNOWN;
    view.host_data = job;
    if (cmw_engine_take_worker(engine, &job->worker, &host, job) != 0)
        return CMW_ERR_LIMIT;
    return cmw_ctx_begin(job->worker, &job->ctx, &view);
}

struct job *job_begin(struct conformance_app *app, cmw_ctx *chain, cmw_str method, cmw_str target)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job || pthread_once(&once, open_engine) != 0)
        abort();
    job->app = app;
    job->chain = chain;
    if (begin(job, method, target) != 0 || cmw_ctx_run(job->ctx) != CMW_TO_HANDLER) {
        job_end(job);
        return NULL;
    }
    return job;
}

int job_receive(struct job *job, cmw_str bytes)
{
    return cmw_ctx_receive_body(job->ctx, bytes);
}

const cmw_response *job_run(struct job *job)
{
    const cmw_response *response = cmw_ctx_response(job->ctx);

    if (conformance_handle(job->app, job->ctx) != 0 || cmw_response_status(response) == 0 ||
        cmw_ctx_commit(job->ctx) != CMW_TO_RESPOND)
        return NULL;
    return response;
}

int job_read(struct job *job, cmw_chunk *chunk)
{
    job->goes_on = 0;
    return cmw_ctx_read_body(job->ctx, chunk);
}

int job_look(struct job *job)
{
    (void)cmw_worker_run(job->worker, 0);
    return job->goes_on;
}

void job_end(struct job *job)
{
    if (!job)
        return;
    if (job->ctx)
        cmw_ctx_end(job->ctx, CMW_END_SENT);
    if (job->worker)
        cmw_engine_put_worker(engine, job->worker);
    free(job);
}

cmw_ctx *job_chain(cmw_ctx *ctx)
{
    return ((const struct job *)cmw_ctx_host_data(ctx))->chain;
}
