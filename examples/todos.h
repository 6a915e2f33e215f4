/* SPDX-License-Identifier: MIT */
/*
 * The service of production_api: todos in memory. It knows nothing of the middleware before it.
 */
#ifndef CATZILLA_EXAMPLE_TODOS_H
#define CATZILLA_EXAMPLE_TODOS_H

#include <catzilla/mw.h>

struct todos;

/* NULL without memory. */
struct todos *todos_create(void);
void todos_destroy(struct todos *app);

/* GET, HEAD, POST: all todos, or a new one whose title is the body. */
int todos_handle_list(struct todos *app, cmw_ctx *ctx);
/* GET, HEAD, PUT (done), DELETE: one of them. */
int todos_handle_one(struct todos *app, cmw_ctx *ctx, cmw_str id);

#endif /* CATZILLA_EXAMPLE_TODOS_H */
