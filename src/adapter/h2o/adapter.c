/* SPDX-License-Identifier: MIT */
/* The adapter itself: made, attached to the paths of a configuration, destroyed. */
#include "state.h"

#include <string.h>

const cmw_host cmw__h2o_host = {
    .size = sizeof cmw__h2o_host,
    .name = "H2O",
    .capabilities = CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_REWRITE_TARGET | CMW_CAP_SUSPEND |
                    CMW_CAP_SUSPEND_POST_ROUTE | CMW_CAP_RESUME_ACROSS_THREADS |
                    CMW_CAP_ANY_METHOD | CMW_CAP_STREAM_REQUEST_BODY |
                    CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_TIME_HEAD,
    .header_limit = H2O_MAX_HEADERS,
    .wake = cmw__h2o_on_wake,
    .arm_timer = cmw__h2o_on_arm,
    .proceed = cmw__h2o_proceed,
};

const cmw_host *cmw_h2o_host(void)
{
    return &cmw__h2o_host;
}

/* ---- Making and destroying ---------------------------------------------------------------- */

static void fill_tokens(cmw_h2o *adapter)
{
    for (size_t i = 0; i < H2O_MAX_TOKENS; i++) {
        const h2o_token_t *const token = &h2o__tokens[i];
        const cmw_header_id id =
            token->buf.base ? cmw_header_id_find(cmw_str_make(token->buf.base, token->buf.len))
                            : CMW_HDR_OTHER;
        adapter->token_ids[i] = (uint8_t)id;
        if (id != CMW_HDR_OTHER)
            adapter->tokens[id] = token;
    }
}

int cmw_h2o_create(cmw_h2o **out, cmw_engine *engine, cmw_h2o_handler_fn *handler, void *self)
{
    if (!out || !engine)
        return CMW_ERR_ARG;
    const int rc = cmw_engine_attach_host(engine, &cmw__h2o_host, NULL);
    if (rc != 0)
        return rc;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    cmw_h2o *adapter = cmw_pool_alloc(pool, sizeof *adapter, 0);
    if (!adapter)
        return CMW_ERR_NOMEM;
    memset(adapter, 0, sizeof *adapter);
    if (pthread_mutex_init(&adapter->lock, NULL) != 0) {
        cmw_pool_free(pool, adapter, sizeof *adapter, 0);
        return CMW_ERR_NOMEM;
    }
    adapter->engine = engine;
    adapter->pool = pool;
    adapter->handler = handler;
    adapter->handler_self = self;
    fill_tokens(adapter);
    *out = adapter;
    return 0;
}

int cmw_h2o_destroy(cmw_h2o *adapter)
{
    if (!adapter)
        return 0;
    if (adapter->loops)
        return CMW_ERR_STATE;
    (void)pthread_mutex_destroy(&adapter->lock);
    cmw_pool_free(adapter->pool, adapter, sizeof *adapter, 0);
    return 0;
}

/* ---- Attaching ---------------------------------------------------------------------------- */

static void on_context_init(h2o_handler_t *self, h2o_context_t *context)
{
    const struct site *site = (void *)self;

    h2o_context_set_handler_context(context, self, cmw__h2o_retain_loop(site->adapter, context));
}

static void on_context_dispose(h2o_handler_t *self, h2o_context_t *context)
{
    struct loop *loop = h2o_context_get_handler_context(context, self);

    h2o_context_set_handler_context(context, self, NULL);
    if (loop)
        cmw__h2o_release_loop(loop);
}

/* Call a function for each path of a configuration. */
static void for_each_path(cmw_h2o *adapter, h2o_globalconf_t *config,
                          void (*call)(cmw_h2o *adapter, h2o_pathconf_t *path, void *self),
                          void *self)
{
    for (h2o_hostconf_t **host = config->hosts; *host; host++) {
        for (size_t i = 0; i < (*host)->paths.size; i++)
            call(adapter, &(*host)->paths.entries[i], self);
        call(adapter, &(*host)->fallback_path, self);
    }
}

static int has_site(const h2o_pathconf_t *path)
{
    for (size_t i = 0; i < path->handlers.size; i++)
        if (path->handlers.entries[i]->on_req == cmw__h2o_on_request)
            return 1;
    return 0;
}

/* Before all others. */
static struct site *add_handler(cmw_h2o *adapter, h2o_pathconf_t *path)
{
    struct site *site = (void *)h2o_create_handler(path, sizeof *site);
    h2o_handler_t **all = path->handlers.entries;

    site->super.on_context_init = on_context_init;
    site->super.on_context_dispose = on_context_dispose;
    site->super.on_req = cmw__h2o_on_request;
    site->adapter = adapter;
    memmove(all + 1, all, (path->handlers.size - 1) * sizeof *all);
    all[0] = &site->super;
    return site;
}

/* Behind all others, but for the one that H2O gives each path first, which makes chunks. */
static void add_filter(struct site *site, h2o_pathconf_t *path)
{
    struct site_filter *filter = (void *)h2o_create_filter(path, sizeof *filter);
    h2o_filter_t **all = path->filters.entries; /* a new one comes first */
    const size_t last = path->filters.size > 1 ? path->filters.size - 2 : 0;

    filter->super.on_setup_ostream = cmw__h2o_on_response;
    filter->site = site;
    memmove(all, all + 1, last * sizeof *all);
    all[last] = &filter->super;
}

static void attach_path(cmw_h2o *adapter, h2o_pathconf_t *path, void *self)
{
    (void)self;
    add_filter(add_handler(adapter, path), path);
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = cmw__h2o_on_log;
}

int cmw_h2o_attach(cmw_h2o *adapter, struct st_h2o_globalconf_t *config)
{
    if (!adapter || !config)
        return CMW_ERR_ARG;
    if (adapter->config)
        return CMW_ERR_STATE;
    for (h2o_hostconf_t **host = config->hosts; *host; host++)
        if (has_site(&(*host)->fallback_path))
            return CMW_ERR_STATE;
    for_each_path(adapter, config, attach_path, NULL);
    adapter->config = config;
    return 0;
}

static void detach_path(cmw_h2o *adapter, h2o_pathconf_t *path, void *context)
{
    (void)adapter;
    for (size_t i = 0; i < path->handlers.size; i++)
        if (path->handlers.entries[i]->on_req == cmw__h2o_on_request)
            on_context_dispose(path->handlers.entries[i], context);
}

void cmw_h2o_detach(cmw_h2o *adapter, struct st_h2o_context_t *context)
{
    if (adapter && context && adapter->config)
        for_each_path(adapter, adapter->config, detach_path, context);
}

/* ---- H2O's objects ------------------------------------------------------------------------ */

struct st_h2o_req_t *cmw_h2o_request(cmw_ctx *ctx)
{
    const struct seat *seat = cmw_ctx_host_data(ctx);

    return seat ? seat->req : NULL;
}

cmw_ctx *cmw_h2o_ctx(const struct st_h2o_req_t *request)
{
    const struct seat *seat = cmw__h2o_find_seat(request);

    return seat ? seat->ctx : NULL;
}
