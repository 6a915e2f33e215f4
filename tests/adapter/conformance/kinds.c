/* SPDX-License-Identifier: MIT */
/*
 * The chain under test as kinds of a plugin, for servers that are configured: one kind for each
 * middleware, under its name. A plan lists all, "counter" first, which is told where the suite
 * looks:
 *
 *     FOLDER/counts    what all processes count, as struct counts begins struct conformance_app
 *     FOLDER/about     what conformance_print_server says
 */
#include <catzilla/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app.h"
#include "backend.h"

enum { PATH_BYTES = 4096 };

struct config {
    size_t size;
    const char *folder;
    int64_t head_ms, body_ms, body_idle_ms;
};

/* Mapped before the server forks, and kept from one configuration to the next. */
static struct conformance_app *app;

struct conformance_app *conformance_app_of_module(void)
{
    return app;
}

/* ---- What is shared ----------------------------------------------------------------------- */

static int put_path(char *path, const char *folder, const char *name)
{
    const int len = snprintf(path, PATH_BYTES, "%s/%s", folder, name);

    return len > 0 && len < PATH_BYTES ? 0 : CMW_ERR_LIMIT;
}

static struct conformance_app *map_app(const char *folder)
{
    char path[PATH_BYTES];

    if (put_path(path, folder, "counts") != 0)
        return NULL;
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return NULL;
    void *mapped = MAP_FAILED;
    if (ftruncate(fd, (off_t)sizeof *app) == 0)
        mapped = mmap(NULL, sizeof *app, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static int open_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return CMW_ERR_NOMEM;
    int rc = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (rc == 0)
        rc = pthread_mutex_init(lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes); /* cannot fail: it was initialised */
    return rc == 0 ? 0 : CMW_ERR_NOMEM;
}

static int open_app(const char *folder)
{
    struct conformance_app *opened = map_app(folder);

    if (!opened || open_lock(&opened->lock) != 0)
        return CMW_ERR_IO;
    opened->large = malloc(LARGE_BYTES);
    if (!opened->large)
        return CMW_ERR_NOMEM;
    memset(opened->large, 'l', LARGE_BYTES);
    opened->server = conformance_server_of_module();
    app = opened;
    return 0;
}

/* Whole once it has its name. */
static int write_about(const char *folder)
{
    char from[PATH_BYTES], to[PATH_BYTES];

    if (put_path(from, folder, "about.new") != 0 || put_path(to, folder, "about") != 0)
        return CMW_ERR_LIMIT;
    FILE *file = fopen(from, "w");
    if (!file)
        return CMW_ERR_IO;
    conformance_print_server(file, app->server);
    return fclose(file) == 0 && rename(from, to) == 0 ? 0 : CMW_ERR_IO;
}

static int open_shared(cmw_engine *engine, const struct config *config, cmw_diag *diag)
{
    if (!config || !config->folder)
        return cmw_diag_set(diag, CMW_ERR_ARG, "counter: no folder");
    if (!app && open_app(config->folder) != 0)
        return cmw_diag_set(diag, CMW_ERR_IO, "counter: folder: its files cannot be made");
    app->request_ms = cmw_engine_limits(engine)->request_ms;
    if (app->server->host->capabilities & CMW_CAP_TIME_BODY) {
        app->body_ms = (uint64_t)config->body_ms;
        app->body_idle_ms = (uint64_t)config->body_idle_ms;
    }
    if (app->server->host->capabilities & CMW_CAP_TIME_HEAD)
        app->head_ms = (uint64_t)config->head_ms;
    const int rc = conformance_declare(app, engine);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "counter: slots: %s", cmw_error_text(rc));
    return write_about(config->folder) == 0
               ? 0
               : cmw_diag_set(diag, CMW_ERR_IO, "counter: folder: about: cannot be written");
}

/* ---- Kinds -------------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    if (strcmp(middleware->name, "counter") == 0) {
        const int rc = open_shared(engine, config, diag);
        if (rc != 0)
            return rc;
    }
    if (!app)
        return cmw_diag_set(diag, CMW_ERR_STATE, "%s: 'counter' comes first", middleware->name);
    for (size_t i = 0; i < CONFORMANCE_PIECES; i++)
        if (strcmp(middleware->name, conformance_pieces[i].name) == 0)
            conformance_pieces[i].describe(app, middleware);
    return 0;
}

static void config_init(void *config)
{
    struct config *ours = config;

    memset(ours, 0, sizeof *ours);
    ours->size = sizeof *ours;
}

static const cmw_option options[] = {
    {.name = "folder",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct config, folder),
     .flags = CMW_OPTION_REQUIRED,
     .help = "Where the suite looks"},
    {.name = "head_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct config, head_ms),
     .help = "Milliseconds for a head, where the server can measure it"},
    {.name = "body_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct config, body_ms),
     .help = "Milliseconds for a body, where the server can measure it"},
    {.name = "body_idle_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct config, body_idle_ms),
     .help = "For each piece of it"},
};

CMW_API cmw_plugin_init_fn cmw_plugin_init;

int cmw_plugin_init(cmw_engine *engine, cmw_diag *diag)
{
    static cmw_kind kinds[CONFORMANCE_PIECES];
    int rc = 0;
    (void)diag;

    for (size_t i = 0; i < CONFORMANCE_PIECES && rc == 0; i++) {
        kinds[i] = (cmw_kind){.size = sizeof(cmw_kind),
                              .name = conformance_pieces[i].name,
                              .summary = "Of the conformance suite",
                              .create = create};
        if (i == 0) {
            kinds[i].options = options;
            kinds[i].option_count = LEN(options);
            kinds[i].config_size = sizeof(struct config);
            kinds[i].config_init = config_init;
        }
        rc = cmw_kind_register(engine, &kinds[i]);
    }
    return rc;
}
