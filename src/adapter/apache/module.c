/* SPDX-License-Identifier: MIT */
/*
 * Directives, and from them to sites.
 *
 *     CatzillaMw FILE | off    server, virtual host: the chain. In a container (<Location>,
 *                              <Directory>): more middleware, as a route
 *     CatzillaMwLoad FILE      server: a plugin
 *
 * Files are read when all directives are known, in httpd's check of a configuration.
 */
#include "module.h"

#include <apr_strings.h>
#include <http_connection.h>
#include <http_main.h>
#include <mpm_common.h>

/* What one reading found. In the pool of the configuration. */
struct reading {
    apr_array_header_t *extras; /* struct reference *: each is a route of all sites */
    apr_array_header_t *known;  /* struct known */
};

struct known {
    struct reference *base; /* NULL: servers of which containers alone have files */
    struct site *site;
};

static const char key[] = "catzilla_mw";

static struct reading *reading_of(apr_pool_t *pool)
{
    void *reading = NULL;

    (void)apr_pool_userdata_get(&reading, key, pool);
    return reading;
}

static void tell(void *self, const char *sentence)
{
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, self, "catzilla_mw: %s", sentence);
}

/* ---- Directives --------------------------------------------------------------------------- */

static struct reference *open_reference(cmd_parms *cmd, const char *path)
{
    struct reference *reference = apr_pcalloc(cmd->pool, sizeof *reference);

    reference->path = ap_server_root_relative(cmd->pool, path);
    reference->where = apr_psprintf(cmd->pool, "%s:%u", cmd->directive->filename,
                                    (unsigned)cmd->directive->line_num);
    reference->name = cmd->path ? cmd->path : "-";
    reference->route = CMW_NONE;
    return reference->path ? reference : NULL;
}

static const char *on_file(cmd_parms *cmd, void *conf, const char *path)
{
    struct reading *reading = reading_of(cmd->server->process->pconf);
    struct place *place = ap_get_module_config(cmd->server->module_config, &catzilla_mw_module);
    struct spot *spot = conf;
    const int is_off = strcmp(path, "off") == 0;
    struct reference *reference = is_off ? NULL : open_reference(cmd, path);

    if (!is_off && !reference)
        return apr_pstrcat(cmd->pool, "CatzillaMw: no such path: ", path, NULL);
    if (cmd->path ? spot->is_set : place->is_set)
        return "CatzillaMw: it stands here twice";
    if (!cmd->path) {
        place->base = reference;
        place->is_set = 1;
        return NULL;
    }
    spot->extra = reference;
    spot->is_set = 1;
    if (reference) {
        reference->route = (uint32_t)reading->extras->nelts;
        *(struct reference **)apr_array_push(reading->extras) = reference;
    }
    return NULL;
}

static const char *on_load(cmd_parms *cmd, void *conf, const char *path)
{
    const char *full = ap_server_root_relative(cmd->pool, path);
    cmw_diag diag = {.code = 0};
    (void)conf;

    if (full && site_add_plugin(full, &diag) == 0)
        return NULL;
    return apr_pstrcat(cmd->pool, "CatzillaMwLoad: ", full ? diag.message : path, NULL);
}

static void *create_place(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    return apr_pcalloc(pool, sizeof(struct place));
}

static void *merge_place(apr_pool_t *pool, void *outer, void *inner)
{
    return apr_pmemdup(pool, ((struct place *)inner)->is_set ? inner : outer, sizeof(struct place));
}

static void *create_spot(apr_pool_t *pool, char *path)
{
    (void)path;
    return apr_pcalloc(pool, sizeof(struct spot));
}

static void *merge_spot(apr_pool_t *pool, void *outer, void *inner)
{
    (void)pool;
    return ((struct spot *)inner)->is_set ? inner : outer;
}

/* ---- Sites -------------------------------------------------------------------------------- */

static apr_status_t destroy_sites(void *data)
{
    const struct reading *reading = data;
    struct known *known = (struct known *)(void *)reading->known->elts;

    for (int i = 0; i < reading->known->nelts; i++)
        site_destroy(known[i].site);
    return APR_SUCCESS;
}

static int on_begin_reading(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    struct reading *reading = apr_pcalloc(pconf, sizeof *reading);
    (void)plog;
    (void)ptemp;

    reading->extras = apr_array_make(pconf, 4, sizeof(struct reference *));
    reading->known = apr_array_make(pconf, 4, sizeof(struct known));
    (void)apr_pool_userdata_setn(reading, key, NULL, pconf);
    apr_pool_cleanup_register(pconf, reading, destroy_sites, apr_pool_cleanup_null);
    site_begin_reading();
    return OK;
}

/* A site closes its files, so each reads them for itself. */
static struct site_file *read_file(apr_pool_t *pool, const struct reference *reference, int *rc)
{
    struct site_file *file = apr_pcalloc(pool, sizeof *file);

    file->path = reference->path;
    file->where = reference->where;
    *rc = site_file_read(file, tell, NULL);
    if (*rc == 0)
        return file;
    site_file_close(file);
    return NULL;
}

static int add_routes(struct reading *reading, struct site *site, apr_pool_t *pool)
{
    struct reference **extra = (struct reference **)(void *)reading->extras->elts;
    int first = 0, rc;

    for (int i = 0; i < reading->extras->nelts; i++) {
        struct site_file *file = read_file(pool, extra[i], &rc);
        uint32_t id;
        if (file)
            rc = site_add_route(site, file, extra[i]->name, &id);
        first = first ? first : rc;
    }
    return first;
}

static int make_site(struct reading *reading, struct known *known, apr_pool_t *pool)
{
    int rc = 0;
    struct site_file *file = known->base ? read_file(pool, known->base, &rc) : NULL;

    if (rc == 0)
        rc = site_create(&known->site, file, process_host(), tell, NULL);
    if (rc != 0)
        return rc;
    rc = add_routes(reading, known->site, pool);
    return rc == 0 ? site_compile(known->site, tell, NULL) : rc;
}

static int find_site(struct reading *reading, struct place *place, apr_pool_t *pool)
{
    struct known *known = (struct known *)(void *)reading->known->elts;

    if (!place->base && reading->extras->nelts == 0)
        return 0;
    for (int i = 0; i < reading->known->nelts; i++)
        if (known[i].base == place->base) {
            place->site = known[i].site;
            return 0;
        }
    known = apr_array_push(reading->known);
    known->base = place->base;
    known->site = NULL;
    const int rc = make_site(reading, known, pool);
    place->site = known->site;
    return rc;
}

static int on_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    struct reading *reading = reading_of(pconf);
    int first = 0;
    (void)plog;
    (void)ptemp;

    for (; server; server = server->next) {
        const int rc = find_site(
            reading, ap_get_module_config(server->module_config, &catzilla_mw_module), pconf);
        first = first ? first : rc;
    }
    return first == 0 ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

/* The configuration is in force. */
static int on_accepted(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    const struct reading *reading = reading_of(pconf);
    struct known *known = (struct known *)(void *)reading->known->elts;
    (void)plog;
    (void)ptemp;
    (void)server;

    for (int i = 0; i < reading->known->nelts; i++)
        site_accept(known[i].site);
    site_sweep();
    return OK;
}

static void on_child(apr_pool_t *pool, server_rec *server)
{
    for (; server; server = server->next) {
        const struct place *place =
            ap_get_module_config(server->module_config, &catzilla_mw_module);
        if (place->site)
            process_open(place->site, pool, server);
    }
}

/* Gracefully, requests that wait are waited for. */
static void on_child_stopping(apr_pool_t *pool, int is_graceful)
{
    const struct reading *reading = reading_of(ap_server_conf->process->pconf);
    (void)pool;

    if (is_graceful || !reading)
        return;
    struct known *known = (struct known *)(void *)reading->known->elts;
    for (int i = 0; i < reading->known->nelts; i++)
        if (known[i].site && *site_process(known[i].site))
            process_end(*site_process(known[i].site));
}

/* ---- The module --------------------------------------------------------------------------- */

static const command_rec commands[] = {
    AP_INIT_TAKE1("CatzillaMw", on_file, NULL, RSRC_CONF | ACCESS_CONF,
                  "A file with middleware, or off"),
    AP_INIT_TAKE1("CatzillaMwLoad", on_load, NULL, RSRC_CONF,
                  "A shared object with kinds of middleware"),
    {.name = NULL},
};

static void register_hooks(apr_pool_t *pool)
{
    static const char *const before_read[] = {"mod_remoteip.c", "mod_ssl.c", "mod_proxy.c", NULL};
    (void)pool;

    ap_hook_pre_config(on_begin_reading, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(on_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(on_accepted, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(on_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(on_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_connection(time_in_on_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_read_request(time_in_on_head, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(request_on_read, before_read, NULL, APR_HOOK_FIRST);
    ap_hook_quick_handler(request_on_quick, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_header_parser(request_on_place, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(request_on_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_http_scheme(request_on_scheme, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_default_port(request_on_port, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_filter(filter_insert, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(filter_insert_error, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* Before those who write logs, as mod_log_config does; they may want what complete found. */
    ap_hook_log_transaction(request_on_log, NULL, NULL, APR_HOOK_REALLY_FIRST);
    filter_register();
    time_in_register();
}

AP_DECLARE_MODULE(catzilla_mw) = {
    STANDARD20_MODULE_STUFF, create_spot, merge_spot, create_place, merge_place, commands,
    register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE,
#endif
};
