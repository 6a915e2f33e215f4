/* SPDX-License-Identifier: MIT */
/*
 * The kind `probe`, which a stock server loads as a plugin: it counts what begins and ends in a
 * file that all processes map, and does what the field X-Act of a request says.
 *
 *     stop:418, skip:202, error, unknown     in pre_route
 *     wait, wait-long, wait-twice            suspends; another thread resumes, but for "long"
 *     post-status:201, post-text, post-error in post_route
 *     post-trailers                          a line for each trailer of the request
 *     rewrite                                request fields
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <catzilla/mw.h>
#include <catzilla/plugin.h>

#include "bodies.h"

/* As modules.py reads it: 64-bit numbers in this order. */
struct counts {
    _Atomic uint64_t entered, left, twice, body_sent, by_reason[8];
};

struct probe {
    cmw_engine *engine;
    struct counts *counts;
    cmw_slot slot;
};

struct trace {
    int is_complete;
    int waits;
};

struct probe_config {
    size_t size;
    const char *counts;
};

static cmw_phase_fn on_pre_route, on_post_route;
static cmw_complete_fn on_complete;
static cmw_resumed_fn on_resumed;

/* ---- Acting ------------------------------------------------------------------------------- */

static cmw_str order_of(cmw_ctx *ctx)
{
    const cmw_header *field = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Act"));

    return field ? field->value : CMW_STR("");
}

/* What stands behind "NAME:", as a number; 0 if the order is another. */
static int number_after(cmw_str order, cmw_str name)
{
    if (order.len <= name.len || memcmp(order.data, name.data, name.len) != 0 ||
        order.data[name.len] != ':')
        return 0;
    return (int)strtol(order.data + name.len + 1, NULL, 10);
}

static int is(cmw_str order, const char *name)
{
    return cmw_str_equals(order, cmw_str_cstr(name));
}

/* ---- Waiting ------------------------------------------------------------------------------ */

struct resumption {
    cmw_engine *engine;
    cmw_token token;
};

static void *resume_later(void *self)
{
    const struct timespec step = {0, 20 * 1000 * 1000};
    struct resumption *resumption = self;

    (void)nanosleep(&step, NULL);
    (void)!cmw_resume(resumption->engine, resumption->token, CMW_CONTINUE, NULL);
    free(resumption);
    return NULL;
}

static int suspend(const struct probe *probe, cmw_ctx *ctx, int is_long)
{
    struct resumption *resumption = malloc(sizeof *resumption);
    pthread_t thread;

    if (!resumption || cmw_ctx_suspend(ctx, &resumption->token) != 0) {
        free(resumption);
        return CMW_ERROR;
    }
    resumption->engine = probe->engine;
    if (is_long) {
        free(resumption); /* a deadline or the client ends it */
        return CMW_SUSPEND;
    }
    if (pthread_create(&thread, NULL, resume_later, resumption) != 0)
        abort();
    (void)pthread_detach(thread);
    return CMW_SUSPEND;
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct probe *probe = self;
    struct trace *trace = cmw_ctx_slot(ctx, probe->slot);
    (void)data;

    if (is(order_of(ctx), "wait-twice") && trace && trace->waits++ == 0)
        return suspend(probe, ctx, 0);
    return verdict;
}

/* ---- Phases ------------------------------------------------------------------------------- */

static int rewrite(cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    if (cmw_request_set_header(request, CMW_STR("X-Added"), CMW_STR("by the plan")) != 0 ||
        cmw_request_set_header(request, CMW_STR("User-Agent"), CMW_STR("probe")) != 0 ||
        cmw_request_remove_header(request, CMW_STR("Cookie")) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct probe *probe = self;
    const cmw_str order = order_of(ctx);
    const int stop = number_after(order, CMW_STR("stop"));
    const int skip = number_after(order, CMW_STR("skip"));

    atomic_fetch_add(&probe->counts->entered, 1);
    if (!cmw_ctx_set_slot(ctx, probe->slot))
        return CMW_ERROR;
    if (stop)
        return cmw_respond_text(ctx, stop, CMW_STR("stopped\n"));
    if (skip)
        return cmw_response_text(cmw_ctx_response(ctx), skip, CMW_STR("skipped\n")) == 0
                   ? CMW_SKIP_ROUTE
                   : CMW_ERROR;
    if (is(order, "error"))
        return CMW_ERROR;
    if (is(order, "unknown"))
        return 77;
    if (is(order, "rewrite"))
        return rewrite(ctx);
    if (order.len >= 4 && memcmp(order.data, "wait", 4) == 0)
        return suspend(probe, ctx, is(order, "wait-long"));
    return CMW_CONTINUE;
}

static int show_trailers(cmw_ctx *ctx)
{
    enum { CAP = 4096 };
    char *text = cmw_arena_alloc(cmw_ctx_arena(ctx), CAP);
    size_t count, len = 0;
    const cmw_header *trailers = cmw_ctx_trailers(ctx, &count);

    for (size_t i = 0; text && i < count && len < CAP; i++)
        len += (size_t)snprintf(text + len, CAP - len, "%.*s=%.*s\n", (int)trailers[i].name.len,
                                trailers[i].name.data, (int)trailers[i].value.len,
                                trailers[i].value.data);
    return text && len < CAP &&
                   cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, len)) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_str order = order_of(ctx);
    const int status = number_after(order, CMW_STR("post-status"));
    (void)self;

    if (cmw_response_set_named(response, CMW_STR("X-Post"), CMW_STR("ran")) != 0)
        return CMW_ERROR;
    if (status)
        return cmw_response_set_status(response, status) == 0 ? CMW_CONTINUE : CMW_ERROR;
    if (is(order, "post-text"))
        return cmw_response_text(response, 200, CMW_STR("another body\n")) == 0 ? CMW_CONTINUE
                                                                                : CMW_ERROR;
    if (is(order, "post-trailers"))
        return show_trailers(ctx);
    return is(order, "post-error") ? CMW_ERROR : CMW_CONTINUE;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct probe *probe = self;
    struct trace *trace = cmw_ctx_slot(ctx, probe->slot);

    if (trace && trace->is_complete++)
        atomic_fetch_add(&probe->counts->twice, 1);
    if (cmw_ctx_was_entered(ctx))
        atomic_fetch_add(&probe->counts->left, 1);
    atomic_fetch_add(&probe->counts->by_reason[reason], 1);
    if (cmw_ctx_body_sent(ctx) != CMW_LENGTH_UNKNOWN)
        atomic_fetch_add(&probe->counts->body_sent, cmw_ctx_body_sent(ctx));
}

/* ---- The kind ----------------------------------------------------------------------------- */

static void destroy(void *self)
{
    struct probe *probe = self;

    if (probe->counts)
        (void)munmap(probe->counts, sizeof *probe->counts);
    free(probe);
}

static struct counts *map_counts(const char *path)
{
    const int fd = open(path, O_RDWR);

    if (fd < 0)
        return NULL;
    void *counts = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return counts == MAP_FAILED ? NULL : counts;
}

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Const"), CMW_STR_INIT("yes")}};
    const struct probe_config *ours = config;
    struct probe *probe = calloc(1, sizeof *probe);

    if (!probe)
        return CMW_ERR_NOMEM;
    probe->engine = engine;
    probe->counts = ours && ours->counts ? map_counts(ours->counts) : NULL;
    if (!probe->counts) {
        destroy(probe);
        return cmw_diag_set(diag, CMW_ERR_IO, "probe: counts: cannot be mapped");
    }
    const int rc = cmw_slot_declare(engine, &probe->slot, "trace", sizeof(struct trace), NULL);
    if (rc != 0) {
        destroy(probe);
        return rc;
    }
    middleware->priority = 10;
    middleware->self = probe;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    middleware->complete = on_complete;
    middleware->resumed = on_resumed;
    middleware->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    middleware->fields = fields;
    middleware->field_count = 1;
    cmw_middleware_provides(middleware, probe->slot);
    return 0;
}

static void config_init(void *config)
{
    struct probe_config *ours = config;

    ours->size = sizeof *ours;
    ours->counts = NULL;
}

static const cmw_option options[] = {
    {.name = "counts",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct probe_config, counts),
     .flags = CMW_OPTION_REQUIRED,
     .help = "The file that is counted in"},
};

static const cmw_kind kind = {
    .size = sizeof(cmw_kind),
    .name = "probe",
    .summary = "Counts, and does what a request asks for",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(struct probe_config),
    .config_init = config_init,
    .create = create,
};

/* One that waits where a stock server cannot. */
static int create_waiter(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                         cmw_diag *diag)
{
    (void)engine;
    (void)config;
    (void)diag;
    middleware->post_route = on_post_route;
    middleware->suspend_phases = 1u << CMW_PHASE_POST_ROUTE;
    return 0;
}

static const cmw_kind waiter = {
    .size = sizeof(cmw_kind),
    .name = "post_waiter",
    .summary = "Waits in post_route",
    .create = create_waiter,
};

/* One that looks at bodies, which not every stock server shows. */
static int on_chunk(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_CONTINUE;
}

static int create_reader(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                         cmw_diag *diag)
{
    (void)engine;
    (void)config;
    (void)diag;
    middleware->response_body = on_chunk;
    return 0;
}

static const cmw_kind reader = {
    .size = sizeof(cmw_kind),
    .name = "body_reader",
    .summary = "Looks at the bodies of responses",
    .create = create_reader,
};

CMW_API cmw_plugin_init_fn cmw_plugin_init;

int cmw_plugin_init(cmw_engine *engine, cmw_diag *diag)
{
    int rc = cmw_kind_register(engine, &kind);

    (void)diag;
    if (rc == 0)
        rc = cmw_kind_register(engine, &waiter);
    if (rc == 0)
        rc = cmw_kind_register(engine, &reader);
    return rc == 0 ? bodies_register(engine) : rc;
}
