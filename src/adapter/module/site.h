/* SPDX-License-Identifier: MIT */
/*
 * Sites: what the modules for configured servers (nginx, Apache httpd) have in common.
 *
 * A site is the chain of one file, with the files of locations as its routes: an engine and the
 * plan installed in it. The server reads its configuration again and again in one process, from
 * which it forks those that serve:
 *
 *     read files ──> site_begin_reading, site_create, site_add_route, site_compile
 *     accepted   ──> site_accept, and site_sweep once for all
 *     forked     ──> site_install in each process that serves
 *     refused, or replaced later ──> site_destroy
 *
 * Engines outlive configurations: the site of the same file takes over the engine that it had, and
 * with it the tables that outlive plans (cmw_state_retain). They lie in memory that processes
 * share.
 */
#ifndef CMW_MODULE_SITE_H
#define CMW_MODULE_SITE_H

#include <catzilla/component/config.h>
#include <catzilla/mw.h>

struct site;

/* A file of a directive, and what it says. */
struct site_file {
    const char *path;       /* the server's, as long as its configuration */
    const char *where;      /* of the directive, for messages: "nginx.conf:12" */
    cmw_document *document; /* NULL once it is compiled */
};

/* Where mistakes go: one sentence a line, with a final NUL and without a line end. */
typedef void site_tell_fn(void *self, const char *sentence);

/* Read a file. What is wrong is told, and the document is then of no more use. 0 or an error. */
int site_file_read(struct site_file *file, site_tell_fn *tell, void *self);
void site_file_close(struct site_file *file);

/* A configuration is going to be read: engines that it does not take are swept when it is accepted.
 */
void site_begin_reading(void);

/* A shared object whose cmw_plugin_init (plugin.h) is called for engines made from now on. */
int site_add_plugin(const char *path, cmw_diag *diag);

/*
 * Make a site. `base` is the file of its own chain, or NULL: it has routes only. `host` is attached
 * to the engine. 0 or an error, which is told.
 */
int site_create(struct site **out, struct site_file *base, const cmw_host *host, site_tell_fn *tell,
                void *self);

/* A location's file, as a route: its id, which is the number of routes so far. The file is borrowed
 * until the site is compiled. `name` is what its middleware is called by, with what does not stand
 * in names taken out. CMW_ERR_NOMEM. */
int site_add_route(struct site *site, struct site_file *file, const char *name, uint32_t *id);

/* Compile, and install in this process. Closes the files. 0 or an error, which is told. */
int site_compile(struct site *site, site_tell_fn *tell, void *self);

/* The configuration is the one in force: what was installed stays when others are refused. */
void site_accept(struct site *site);
void site_sweep(void);

/* Install the plan in a process that was forked. 0 or an error. */
int site_install(struct site *site);

/* How long heads may take, in milliseconds; 0: no limit. */
uint64_t site_head_ms(const struct site *site);

cmw_engine *site_engine(const struct site *site);

/* Where a server keeps what one process has of the engine, NULL at first. */
void **site_process(const struct site *site);

/* NULL is ignored. */
void site_destroy(struct site *site);

/* ---- Bodies ------------------------------------------------------------------------------- */

/*
 * Give the engine the server's own body, for which it asks by `read`, and its type; empty: it has
 * none. 0 or a CMW_ERR_*: CMW_ERR_INVALID for a type that is none.
 */
int site_stream_body(cmw_ctx *ctx, int status, cmw_str type, uint64_t length,
                     cmw_body_read_fn *read, void *self);

#endif /* CMW_MODULE_SITE_H */
