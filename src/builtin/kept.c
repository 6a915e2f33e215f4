/* SPDX-License-Identifier: MIT */
/* A head with pool and size in front of the memory. */
#include "kept.h"

struct head {
    cmw_pool *pool;
    size_t bytes; /* with this */
    char pad[64 - sizeof(cmw_pool *) - sizeof(size_t)];
};

_Static_assert(sizeof(struct head) == 64, "what follows is aligned to 64 bytes");

struct wanted {
    cmw_pool *pool;
    const struct cmw__kept_config *config;
};

static int create(void *self, void **object)
{
    const struct wanted *wanted = self;
    const size_t bytes = sizeof(struct head) + wanted->config->bytes;
    struct head *head = cmw_pool_alloc(wanted->pool, bytes, 64);
    int rc = 0;

    if (!head)
        return CMW_ERR_NOMEM;
    memset(head, 0, bytes);
    head->pool = wanted->pool;
    head->bytes = bytes;
    if (wanted->config->init)
        rc = wanted->config->init(wanted->config->self, head + 1);
    if (rc != 0) {
        cmw_pool_free(wanted->pool, head, bytes, 64);
        return rc;
    }
    *object = head;
    return 0;
}

static void destroy(void *self, void *object)
{
    const struct head *head = object;

    (void)self;
    cmw_pool_free(head->pool, object, head->bytes, 64);
}

int cmw__kept_retain(cmw_engine *engine, void **memory, const struct cmw__kept_config *config)
{
    struct wanted wanted = {cmw_engine_pool(engine, CMW_POOL_PLAN), config};
    cmw_state_config state;
    void *object = NULL;

    cmw_state_config_init(&state);
    state.kind = config->kind;
    state.name = config->name ? config->name : config->kind;
    state.shape = config->shape;
    state.shape_len = config->shape_len;
    state.create = create;
    state.destroy = destroy;
    state.self = &wanted;
    const int rc = cmw_state_retain(engine, &object, &state);
    if (rc == 0)
        *memory = (struct head *)object + 1;
    return rc;
}

void cmw__kept_release(cmw_engine *engine, void *memory)
{
    if (memory)
        cmw_state_release(engine, (struct head *)memory - 1);
}
