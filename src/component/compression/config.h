/* SPDX-License-Identifier: MIT */
/* What the `create` functions of both kinds share. */
#ifndef CMW_COMPRESSION_CONFIG_H
#define CMW_COMPRESSION_CONFIG_H

#include <catzilla/mw.h>

/* A list of codings as it was configured, and what an empty one means. */
struct coding_list {
    const char *const *names;
    size_t count;
    const uint8_t *usual;
    size_t usual_count;
};

/* Read it into `to`, which has room for all codings. 0 or CMW_ERR_ARG, with `option` in front. */
int config_codings(uint8_t *to, size_t *to_count, const struct coding_list *list,
                   const char *option, cmw_diag *diag);

/* Zeroed memory in an arena of its own; NULL without any. */
void *config_alloc(cmw_engine *engine, cmw_arena **arena, size_t bytes);

#endif /* CMW_COMPRESSION_CONFIG_H */
