/* SPDX-License-Identifier: MIT */
#include "site.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/plugin.h>

#include "shared.h"

/* An engine, from one configuration to the next. */
struct home {
    struct home *next;
    cmw_engine *engine;
    cmw_engine_config config; /* of which the engine was made: with another it is another engine */
    cmw_plan *accepted;       /* what is to be installed when a configuration is refused; or NULL */
    unsigned sites;           /* that use it */
    unsigned generation;      /* the last reading that took it */
    void *process;
    char path[]; /* "" without a file */
};

struct route {
    struct route *next;
    struct site_file *file;
    uint32_t id;
    char name[];
};

struct site {
    struct home *home;
    struct site_file *base;
    struct route *routes, **last_route;
    uint32_t route_count;
    cmw_plan *plan;
};

struct plugin {
    struct plugin *next;
    cmw_plugin_init_fn *init;
    char path[];
};

/* The server's own process is one, and the module stays in it while configurations come and go:
 * what outlives them has no other place. Used by the one thread that reads configurations. */
static struct home *homes;
static struct plugin *plugins;
static unsigned generation;

/* ---- Telling ------------------------------------------------------------------------------ */

struct teller {
    site_tell_fn *tell;
    void *self;
    const char *where;
    char *line;
    size_t len, cap;
    int is_short; /* a line could not be kept */
};

static void tell_error(site_tell_fn *tell, void *self, const char *where, const char *sentence)
{
    char line[2 * sizeof(cmw_diag)];

    (void)snprintf(line, sizeof line, "%s (at %s)", sentence, where); /* a diag fits */
    tell(self, line);
}

static int make_room(struct teller *teller, size_t len)
{
    if (len < teller->cap - teller->len)
        return 0;
    const size_t cap = teller->len + len + 256;
    char *line = realloc(teller->line, cap);
    if (!line)
        return CMW_ERR_NOMEM;
    teller->line = line;
    teller->cap = cap;
    return 0;
}

static int put(struct teller *teller, const char *text, size_t len)
{
    if (make_room(teller, len) != 0)
        return CMW_ERR_NOMEM;
    if (len > 0)
        memcpy(teller->line + teller->len, text, len);
    teller->len += len;
    teller->line[teller->len] = '\0';
    return 0;
}

/* cmw_write_fn: whole lines are told. */
static int on_report(void *self, const char *text, size_t len)
{
    struct teller *teller = self;

    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        const size_t part = end ? (size_t)(end - text) : len;
        if (put(teller, text, part) != 0)
            return CMW_ERR_NOMEM;
        text += part + (end != NULL);
        len -= part + (end != NULL);
        if (!end)
            continue;
        if (put(teller, " (at ", 5) != 0 ||
            put(teller, teller->where, strlen(teller->where)) != 0 || put(teller, ")", 1) != 0)
            return CMW_ERR_NOMEM;
        teller->tell(teller->self, teller->line);
        teller->len = 0;
    }
    return 0;
}

/* Tell all that is wrong with a file, in the end why no more is told. */
static int tell_mistakes(const struct site_file *file, int rc, site_tell_fn *tell, void *self)
{
    struct teller teller = {.tell = tell, .self = self, .where = file->where};
    const size_t count = file->document ? cmw_document_mistake_count(file->document) : 0;

    if (count > 0 && cmw_document_report(file->document, on_report, &teller) != 0)
        rc = CMW_ERR_NOMEM;
    if (count == 0 || rc == CMW_ERR_NOMEM)
        tell_error(tell, self, file->where, cmw_error_text(rc));
    free(teller.line);
    return rc;
}

/* ---- Files -------------------------------------------------------------------------------- */

/* Members that the program catzilla-mw reads: one file may serve both. */
static const cmw_option foreign_members[] = {
    {.name = "listen", .type = CMW_OPTION_TEXT, .help = "Not read: the server's own"},
    {.name = "backend", .type = CMW_OPTION_TEXT, .help = "Not read: the server's own"},
};

int site_file_read(struct site_file *file, site_tell_fn *tell, void *self)
{
    cmw_document_config config;

    cmw_document_config_init(&config);
    config.members = foreign_members;
    config.member_count = sizeof foreign_members / sizeof foreign_members[0];
    int rc = cmw_document_create(&file->document, &config);
    if (rc == 0)
        rc = cmw_document_read(file->document, file->path);
    return rc == 0 ? 0 : tell_mistakes(file, rc, tell, self);
}

void site_file_close(struct site_file *file)
{
    cmw_document_destroy(file->document);
    file->document = NULL;
}

/* ---- Plugins ------------------------------------------------------------------------------ */

int site_add_plugin(const char *path, cmw_diag *diag)
{
    const size_t len = strlen(path);

    for (const struct plugin *at = plugins; at; at = at->next)
        if (strcmp(at->path, path) == 0)
            return 0;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!object)
        return cmw_diag_set(diag, CMW_ERR_IO, "%s", dlerror());
    void *symbol = dlsym(object, CMW_PLUGIN_INIT);
    if (!symbol)
        return cmw_diag_set(diag, CMW_ERR_NOT_FOUND, "%s has no function %s", path,
                            CMW_PLUGIN_INIT);
    struct plugin *plugin = malloc(sizeof *plugin + len + 1);
    if (!plugin)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory");
    memcpy(plugin->path, path, len + 1);
    memcpy(&plugin->init, &symbol, sizeof symbol); /* POSIX: a symbol may be a function */
    plugin->next = plugins;
    plugins = plugin;
    return 0;
}

static int init_plugins(cmw_engine *engine, cmw_diag *diag)
{
    int rc = 0;

    for (const struct plugin *at = plugins; at && rc == 0; at = at->next) {
        rc = at->init(engine, diag);
        if (rc != 0 && diag->code == 0)
            (void)cmw_diag_set(diag, rc, "%s: %s", at->path, cmw_error_text(rc));
    }
    return rc;
}

/* ---- Engines ------------------------------------------------------------------------------ */

void site_begin_reading(void)
{
    generation++;
}

static struct home *find_home(const char *path, const cmw_engine_config *config)
{
    for (struct home *at = homes; at; at = at->next)
        if (at->generation != generation && strcmp(at->path, path) == 0 &&
            /* Both were cleared before they were filled. */
            !memcmp(&at->config, config, sizeof *config)) /* NOLINT(bugprone-*) */
            return at;
    return NULL;
}

static struct home *open_home(const char *path, const cmw_engine_config *config, cmw_diag *diag)
{
    const size_t len = strlen(path);
    struct home *home = calloc(1, sizeof *home + len + 1);

    int rc = home ? cmw_engine_create(&home->engine, config) : CMW_ERR_NOMEM;
    if (rc != 0) {
        free(home);
        (void)cmw_diag_set(diag, rc, "the engine: %s", cmw_error_text(rc));
        return NULL;
    }
    memcpy(home->path, path, len + 1);
    home->config = *config;
    if (init_plugins(home->engine, diag) != 0) {
        (void)cmw_engine_destroy(home->engine); /* nothing holds it */
        free(home);
        return NULL;
    }
    home->next = homes;
    homes = home;
    return home;
}

static void close_home(struct home *home)
{
    cmw_plan_release(home->accepted);
    (void)cmw_engine_destroy(home->engine); /* held by a worker it stays, and the process ends */
    free(home);
}

void site_sweep(void)
{
    struct home **at = &homes;

    while (*at) {
        struct home *home = *at;
        if (home->sites > 0) {
            at = &home->next;
            continue;
        }
        *at = home->next;
        close_home(home);
    }
}

/* ---- Sites -------------------------------------------------------------------------------- */

static int read_engine_config(const struct site_file *base, cmw_engine_config *config)
{
    memset(config, 0, sizeof *config); /* compared byte by byte */
    cmw_engine_config_init(config);
    config->shared_allocator = shared_allocator();
    return base ? cmw_document_engine_config(base->document, config) : 0;
}

int site_create(struct site **out, struct site_file *base, const cmw_host *host, site_tell_fn *tell,
                void *self)
{
    const char *where = base ? base->where : "a location";
    const char *path = base ? base->path : "";
    cmw_diag diag = {.code = 0};
    cmw_engine_config config;

    int rc = read_engine_config(base, &config);
    if (rc != 0)
        return tell_mistakes(base, rc, tell, self);
    struct site *site = calloc(1, sizeof *site);
    if (!site) {
        tell_error(tell, self, where, cmw_error_text(CMW_ERR_NOMEM));
        return CMW_ERR_NOMEM;
    }
    site->base = base;
    site->last_route = &site->routes;
    struct home *home = find_home(path, &config);
    if (!home)
        home = open_home(path, &config, &diag);
    rc = home ? cmw_engine_attach_host(home->engine, host, &diag) : diag.code;
    if (rc != 0) {
        tell_error(tell, self, where, diag.message);
        free(site);
        return rc;
    }
    home->generation = generation;
    home->sites++;
    site->home = home;
    *out = site;
    return 0;
}

static int is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Letters, digits and "_", anything else as "-"; the end of what is too long. Its length. */
static size_t put_route_name(char *to, size_t cap, const char *name)
{
    const size_t len = strlen(name);
    const char *from = len > cap ? name + len - cap : name;
    size_t at = 0;

    for (; *from; from++)
        if (is_name_byte(*from))
            to[at++] = *from;
        else if (at > 0 && to[at - 1] != '-')
            to[at++] = '-';
    while (at > 0 && to[at - 1] == '-')
        at--;
    if (at == 0)
        to[at++] = '-'; /* "/" */
    to[at] = '\0';
    return at;
}

static int has_route(const struct site *site, const char *name)
{
    for (const struct route *at = site->routes; at; at = at->next)
        if (strcmp(at->name, name) == 0)
            return 1;
    return 0;
}

int site_add_route(struct site *site, struct site_file *file, const char *name, uint32_t *id)
{
    enum { NAME_CAP = 64, NUMBER_CAP = 16 };
    struct route *route = calloc(1, sizeof *route + NAME_CAP + NUMBER_CAP);

    if (!route)
        return CMW_ERR_NOMEM;
    route->file = file;
    route->id = site->route_count++;
    const size_t len = put_route_name(route->name, NAME_CAP, name);
    for (unsigned i = 2; has_route(site, route->name); i++)
        (void)snprintf(route->name + len, NUMBER_CAP, "-%u", i);
    *site->last_route = route;
    site->last_route = &route->next;
    *id = route->id;
    return 0;
}

/* Limits are the engine's: those of the site's own file hold. */
static int check_limits(const struct site_file *file)
{
    cmw_engine_config plain, config;

    memset(&plain, 0, sizeof plain);
    cmw_engine_config_init(&plain);
    config = plain;
    const int rc = cmw_document_engine_config(file->document, &config);
    if (rc != 0 || memcmp(&plain, &config, sizeof plain) == 0) /* NOLINT: as above */
        return rc;
    return cmw_document_refuse(file->document, "engine", CMW_ERR_CONFLICT,
                               "limits stand in the file of the server, not of a location");
}

static int apply_route(struct site *site, cmw_chain *chain, const struct route *route)
{
    const int rc = check_limits(route->file);
    const int applied = cmw_document_apply_route(route->file->document, site->home->engine, chain,
                                                 route->name, route->id);

    return rc ? rc : applied;
}

/* Look at all files, so that one reading shows all mistakes. */
static int apply_files(struct site *site, cmw_chain *chain, site_tell_fn *tell, void *self)
{
    cmw_engine *engine = site->home->engine;
    int first = 0;

    if (site->base) {
        first = cmw_document_apply(site->base->document, engine, chain);
        if (first != 0)
            (void)tell_mistakes(site->base, first, tell, self);
    }
    for (const struct route *at = site->routes; at; at = at->next) {
        const int rc = apply_route(site, chain, at);
        if (rc != 0)
            (void)tell_mistakes(at->file, rc, tell, self);
        first = first ? first : rc;
    }
    return first;
}

/* What is wrong with the whole is told at the file of the chain, else of the first route. */
static int compile(struct site *site, cmw_chain *chain, site_tell_fn *tell, void *self)
{
    struct site_file *file = site->base ? site->base : site->routes ? site->routes->file : NULL;
    cmw_diag diag = {.code = 0};

    if (!file)
        return CMW_ERR_STATE;
    int rc = cmw_document_compile(file->document, chain, &site->plan);
    if (rc != 0)
        return tell_mistakes(file, rc, tell, self);
    rc = cmw_engine_install(site->home->engine, site->plan, &diag);
    if (rc != 0)
        tell_error(tell, self, file->where, diag.code ? diag.message : cmw_error_text(rc));
    return rc;
}

static void close_files(struct site *site)
{
    if (site->base)
        site_file_close(site->base);
    site->base = NULL;
    while (site->routes) {
        struct route *route = site->routes;
        site->routes = route->next;
        site_file_close(route->file);
        free(route);
    }
    site->last_route = &site->routes;
}

int site_compile(struct site *site, site_tell_fn *tell, void *self)
{
    cmw_chain *chain = NULL;

    int rc = cmw_chain_create(site->home->engine, &chain, 0);
    if (rc != 0)
        tell(self, cmw_error_text(rc));
    if (rc == 0)
        rc = apply_files(site, chain, tell, self);
    if (rc == 0)
        rc = compile(site, chain, tell, self);
    cmw_chain_destroy(chain);
    close_files(site);
    return rc;
}

void site_accept(struct site *site)
{
    cmw_plan_release(site->home->accepted);
    site->home->accepted = cmw_plan_retain(site->plan);
}

int site_install(struct site *site)
{
    return cmw_engine_install(site->home->engine, site->plan, NULL);
}

uint64_t site_head_ms(const struct site *site)
{
    const uint64_t plan_ms = cmw_plan_head_ms(site->plan);
    const uint64_t engine_ms = cmw_engine_limits(site->home->engine)->head_ms;

    return engine_ms == 0 || (plan_ms != 0 && plan_ms < engine_ms) ? plan_ms : engine_ms;
}

cmw_engine *site_engine(const struct site *site)
{
    return site->home->engine;
}

void **site_process(const struct site *site)
{
    return &site->home->process;
}

void site_destroy(struct site *site)
{
    if (!site)
        return;
    struct home *home = site->home;
    close_files(site);
    /* One that was refused gives its place back. Not installed, the old plan would be missed only
     * by a server that serves in the process that reads. */
    if (site->plan && home->accepted && home->accepted != site->plan)
        (void)!cmw_engine_install(home->engine, home->accepted, NULL);
    cmw_plan_release(site->plan);
    home->sites--;
    free(site);
}

/* ---- Bodies ------------------------------------------------------------------------------- */

int site_stream_body(cmw_ctx *ctx, int status, cmw_str type, uint64_t length,
                     cmw_body_read_fn *read, void *self)
{
    cmw_response *response = cmw_ctx_response(ctx);
    cmw_body_source source;

    cmw_body_source_init(&source);
    source.length = length;
    source.read = read;
    source.self = self;
    source.is_hosts = 1;
    const int rc = cmw_ctx_stream(ctx, status, &source);
    if (rc != 0)
        return rc;
    return type.len > 0 ? cmw_response_set(response, CMW_HDR_CONTENT_TYPE, type)
                        : cmw_response_remove(response, CMW_HDR_CONTENT_TYPE);
}
