/* SPDX-License-Identifier: MIT */
/*
 * Directives, and from them to sites.
 *
 *     catzilla_mw FILE | off;    http, server: the chain. location: more middleware, as a route
 *     catzilla_mw_load FILE;     http: a plugin
 *
 * Files are read where their directive stands; chains are made when all is known.
 */
#include "module.h"

#include <stdlib.h>

/* http{}: all sites, found by the file of their chain. */
struct sites {
    ngx_array_t list; /* of struct known */
};

struct known {
    struct site_file *base; /* NULL: servers of which locations alone have files */
    struct site *site;
    ngx_array_t routes; /* of struct known_route */
};

struct known_route {
    struct site_file *file;
    uint32_t id;
};

/* ---- Messages ----------------------------------------------------------------------------- */

static void tell(void *self, const char *sentence)
{
    ngx_conf_t *cf = self;

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "catzilla_mw: %s", sentence);
}

/* ---- Directives --------------------------------------------------------------------------- */

static void close_file(void *data)
{
    site_file_close(data);
}

static const char *where_is(ngx_conf_t *cf)
{
    const size_t cap = cf->conf_file->file.name.len + NGX_INT_T_LEN + 2;
    u_char *where = ngx_pnalloc(cf->pool, cap);

    if (where)
        *ngx_snprintf(where, cap - 1, "%V:%ui", &cf->conf_file->file.name, cf->conf_file->line) =
            '\0';
    return (const char *)where;
}

static struct site_file *read_file(ngx_conf_t *cf, ngx_str_t path)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, sizeof(struct site_file));

    if (!cleanup || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK)
        return NULL;
    struct site_file *file = cleanup->data;
    ngx_memzero(file, sizeof *file);
    cleanup->handler = close_file;
    file->path = (const char *)path.data; /* ends with NUL: a word of the configuration does */
    file->where = where_is(cf);
    if (!file->where || site_file_read(file, tell, cf) != 0)
        return NULL;
    return file;
}

static struct place *place_of_server(ngx_conf_t *cf)
{
    const ngx_http_core_srv_conf_t *server =
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    return server->ctx->loc_conf[ngx_http_catzilla_mw_module.ctx_index];
}

static char *on_file(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    const ngx_str_t *words = cf->args->elts;
    struct place *place = conf;
    const int is_location = (cf->cmd_type & NGX_HTTP_LOC_CONF) != 0;
    static char duplicate[] = "is duplicate"; /* nginx wants it so */
    struct site_file **slot = is_location ? &place->extra : &place->base;
    (void)command;

    if (*slot != NGX_CONF_UNSET_PTR)
        return duplicate;
    if (ngx_strcmp(words[1].data, "off") == 0) {
        *slot = NULL;
        return NGX_CONF_OK;
    }
    *slot = read_file(cf, words[1]);
    if (!*slot)
        return NGX_CONF_ERROR;
    if (is_location) {
        const ngx_http_core_loc_conf_t *core =
            ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        place->name = core->name;
        place_of_server(cf)->has_extras = 1;
    }
    return NGX_CONF_OK;
}

static char *on_load(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    ngx_str_t path = ((ngx_str_t *)cf->args->elts)[1];
    cmw_diag diag = {.code = 0};
    (void)command;
    (void)conf;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK)
        return NGX_CONF_ERROR;
    if (site_add_plugin((const char *)path.data, &diag) == 0)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "catzilla_mw_load: %s", diag.message);
    return NGX_CONF_ERROR;
}

/* ---- Configurations ----------------------------------------------------------------------- */

static void destroy_sites(void *data)
{
    struct sites *sites = data;
    struct known *known = sites->list.elts;

    for (ngx_uint_t i = 0; i < sites->list.nelts; i++) {
        if (!known[i].site)
            continue;
        struct process *process = *site_process(known[i].site);
        if (process && process->site == known[i].site)
            process->site = NULL; /* the next one installs its own plan */
        site_destroy(known[i].site);
    }
}

static void *create_main(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, sizeof(struct sites));

    if (!cleanup)
        return NULL;
    struct sites *sites = cleanup->data;
    if (ngx_array_init(&sites->list, cf->pool, 4, sizeof(struct known)) != NGX_OK)
        return NULL;
    cleanup->handler = destroy_sites;
    site_begin_reading();
    return sites;
}

static void *create_place(ngx_conf_t *cf)
{
    struct place *place = ngx_pcalloc(cf->pool, sizeof *place);

    if (!place)
        return NULL;
    place->base = NGX_CONF_UNSET_PTR;
    place->extra = NGX_CONF_UNSET_PTR;
    place->route = CMW_NONE;
    return place;
}

static struct known *find_site(ngx_conf_t *cf, struct sites *sites, struct site_file *base)
{
    struct known *known = sites->list.elts;

    for (ngx_uint_t i = 0; i < sites->list.nelts; i++)
        if (known[i].base == base)
            return &known[i];
    known = ngx_array_push(&sites->list);
    if (!known)
        return NULL;
    known->base = base;
    known->site = NULL;
    if (ngx_array_init(&known->routes, cf->pool, 4, sizeof(struct known_route)) != NGX_OK ||
        site_create(&known->site, base, process_host(), tell, cf) != 0)
        return NULL;
    return known;
}

static ngx_int_t find_route(struct known *known, struct place *place)
{
    struct known_route *route = known->routes.elts;

    for (ngx_uint_t i = 0; i < known->routes.nelts; i++)
        if (route[i].file == place->extra) {
            place->route = route[i].id;
            return NGX_OK;
        }
    route = ngx_array_push(&known->routes);
    char *name = malloc(place->name.len + 1);
    if (!route || !name) {
        free(name);
        return NGX_ERROR;
    }
    ngx_memcpy(name, place->name.data, place->name.len);
    name[place->name.len] = '\0';
    route->file = place->extra;
    const int rc = site_add_route(known->site, place->extra, name, &route->id);
    free(name);
    place->route = route->id;
    return rc == 0 ? NGX_OK : NGX_ERROR;
}

static char *merge_place(ngx_conf_t *cf, void *parent, void *child)
{
    struct sites *sites = ngx_http_conf_get_module_main_conf(cf, ngx_http_catzilla_mw_module);
    struct place *outer = parent, *inner = child;

    if (!inner->name.data)
        inner->name = outer->name;
    ngx_conf_merge_ptr_value(inner->base, outer->base, NULL);
    ngx_conf_merge_ptr_value(inner->extra, outer->extra, NULL);
    if (!inner->base && !inner->extra && !inner->has_extras)
        return NGX_CONF_OK;
    struct known *known = find_site(cf, sites, inner->base);
    if (!known || (inner->extra && find_route(known, inner) != NGX_OK))
        return NGX_CONF_ERROR;
    inner->site = known->site;
    return NGX_CONF_OK;
}

/* ---- Where nginx calls -------------------------------------------------------------------- */

static ngx_int_t add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *slot = ngx_array_push(&core->phases[phase].handlers);

    if (!slot)
        return NGX_ERROR;
    *slot = handler;
    return NGX_OK;
}

/* nginx measures heads, from their first byte on: the plan's time holds where it is the less. */
static void set_head_times(ngx_conf_t *cf)
{
    const ngx_http_core_main_conf_t *core =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_core_srv_conf_t **server = core->servers.elts;

    for (ngx_uint_t i = 0; i < core->servers.nelts; i++) {
        const struct place *place = server[i]->ctx->loc_conf[ngx_http_catzilla_mw_module.ctx_index];
        const uint64_t head_ms = place->site ? site_head_ms(place->site) : 0;
        if (head_ms != 0 && head_ms < server[i]->client_header_timeout)
            server[i]->client_header_timeout = (ngx_msec_t)head_ms;
    }
}

static ngx_int_t on_read(ngx_conf_t *cf)
{
    struct sites *sites = ngx_http_conf_get_module_main_conf(cf, ngx_http_catzilla_mw_module);
    struct known *known = sites->list.elts;
    int rc = 0;

    for (ngx_uint_t i = 0; i < sites->list.nelts; i++)
        rc |= site_compile(known[i].site, tell, cf);
    if (rc != 0)
        return NGX_ERROR;
    if (sites->list.nelts == 0)
        return NGX_OK; /* nothing is in the way of requests */
    set_head_times(cf);
    if (add_handler(cf, NGX_HTTP_SERVER_REWRITE_PHASE, request_on_server) != NGX_OK ||
        add_handler(cf, NGX_HTTP_REWRITE_PHASE, request_on_location) != NGX_OK ||
        add_handler(cf, NGX_HTTP_LOG_PHASE, request_on_log) != NGX_OK)
        return NGX_ERROR;
    return filter_init();
}

static struct sites *sites_of(ngx_cycle_t *cycle)
{
    return ngx_get_conf(cycle->conf_ctx, ngx_http_module)
               ? ngx_http_cycle_get_module_main_conf(cycle, ngx_http_catzilla_mw_module)
               : NULL;
}

/* The configuration is in force. */
static ngx_int_t on_accepted(ngx_cycle_t *cycle)
{
    struct sites *sites = sites_of(cycle);

    if (sites) {
        struct known *known = sites->list.elts;
        for (ngx_uint_t i = 0; i < sites->list.nelts; i++)
            site_accept(known[i].site);
    }
    if (!ngx_test_config)
        site_sweep();
    return NGX_OK;
}

static void on_exit_process(ngx_cycle_t *cycle)
{
    struct sites *sites = sites_of(cycle);

    if (!sites)
        return;
    struct known *known = sites->list.elts;
    for (ngx_uint_t i = 0; i < sites->list.nelts; i++) {
        void **slot = site_process(known[i].site);
        if (*slot)
            process_close(*slot);
        *slot = NULL;
    }
}

/* ---- The module --------------------------------------------------------------------------- */

static ngx_command_t commands[] = {
    {ngx_string("catzilla_mw"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, on_file,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("catzilla_mw_load"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, on_load,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    ngx_null_command,
};

static ngx_http_module_t context = {
    .preconfiguration = variables_add,
    .postconfiguration = on_read,
    .create_main_conf = create_main,
    .create_loc_conf = create_place,
    .merge_loc_conf = merge_place,
};

ngx_module_t ngx_http_catzilla_mw_module = {
    NGX_MODULE_V1,
    .ctx = &context,
    .commands = commands,
    .type = NGX_HTTP_MODULE,
    .init_module = on_accepted,
    .exit_process = on_exit_process,
    NGX_MODULE_V1_PADDING,
};
