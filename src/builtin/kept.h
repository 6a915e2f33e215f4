/* SPDX-License-Identifier: MIT */
/* Memory of an instance that outlives plans: counts and tables go on when a chain is built again.
 */
#ifndef CMW_BUILTIN_KEPT_H
#define CMW_BUILTIN_KEPT_H

#include <catzilla/mw.h>

struct cmw__kept_config {
    const char *kind, *name; /* of the middleware and its instance */
    const void *shape;       /* only memory of an equal shape is shared */
    size_t shape_len;
    size_t bytes;
    int (*init)(void *self, void *memory); /* fills zeroed memory: 0 or an error; or NULL */
    void *self;
};

/* The memory that is there, counted once more, or a new piece, aligned to 64 bytes. 0,
 * CMW_ERR_NOMEM, or what `init` said. */
int cmw__kept_retain(cmw_engine *engine, void **memory, const struct cmw__kept_config *config);
/* Count it down; the last one frees it. NULL is ignored. */
void cmw__kept_release(cmw_engine *engine, void *memory);

#endif /* CMW_BUILTIN_KEPT_H */
