/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "codec.h"

static int is_listed(const uint8_t *codings, size_t count, enum coding coding)
{
    for (size_t i = 0; i < count; i++)
        if (codings[i] == coding)
            return 1;
    return 0;
}

int config_codings(uint8_t *to, size_t *to_count, const struct coding_list *list,
                   const char *option, cmw_diag *diag)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->names[i] ? list->names[i] : "";
        const enum coding coding = codec_find(cmw_str_cstr(name));
        if (coding == CODING_COUNT)
            return cmw_diag_set(diag, CMW_ERR_ARG, "%s: '%s' is none of br, zstd, gzip, deflate",
                                option, name);
        if (is_listed(to, count, coding))
            return cmw_diag_set(diag, CMW_ERR_ARG, "%s: '%s' is there twice", option, name);
        to[count++] = (uint8_t)coding;
    }
    if (count == 0) {
        memcpy(to, list->usual, list->usual_count);
        count = list->usual_count;
    }
    *to_count = count;
    return 0;
}

void *config_alloc(cmw_engine *engine, cmw_arena **arena, size_t bytes)
{
    void *state = NULL;

    if (cmw_arena_create(arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) != 0)
        return NULL;
    state = cmw_arena_alloc(*arena, bytes);
    if (state)
        memset(state, 0, bytes);
    else
        cmw_arena_destroy(*arena);
    return state;
}
