/* SPDX-License-Identifier: MIT */
/*
 * Middleware of one's own in a server that is configured, not programmed (nginx, Apache httpd): a
 * shared object that registers its kinds with each engine of the server.
 *
 *     int cmw_plugin_init(cmw_engine *engine, cmw_diag *diag)
 *     {
 *         return cmw_kind_register(engine, &kind);
 *     }
 *
 * The object is linked with the shared libcatzilla-mw, and is never unloaded.
 */
#ifndef CATZILLA_PLUGIN_H
#define CATZILLA_PLUGIN_H

#include <catzilla/base.h>
#include <catzilla/chain.h>
#include <catzilla/export.h>

CMW_BEGIN_DECLS

/** The name of the function that a plugin exports. */
#define CMW_PLUGIN_INIT "cmw_plugin_init"

/**
 * Register kinds, declare slots, define services. Called for each engine, before its first chain.
 *
 * @return 0, or an error with `diag`: the server's configuration is refused
 * Threads: one at a time, before the server serves
 */
typedef int cmw_plugin_init_fn(cmw_engine *engine, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_PLUGIN_H */
