/* SPDX-License-Identifier: MIT */
/* States that outlive plans, and polls. */
#include "keep.h"

#include <assert.h>

#include "engine_state.h"

/* One kept object. The three texts lie behind the struct. */
struct cmw__state {
    struct cmw__state *next;
    void *object;
    size_t holders;
    void (*destroy)(void *self, void *object);
    void *self;
    size_t bytes; /* of this piece */
    size_t kind_len, name_len, shape_len;
    char texts[];
};

struct cmw__poll {
    struct cmw__poll *next;
    cmw_poll_fn *poll;
    void *self;
};

int cmw__keep_init(struct cmw__keep *keep)
{
    if (cmw__mutex_init(&keep->state_lock) != 0)
        return CMW_ERR_NOMEM;
    if (cmw__mutex_init(&keep->poll_lock) == 0)
        return 0;
    cmw__mutex_destroy(&keep->state_lock);
    return CMW_ERR_NOMEM;
}

void cmw__keep_destroy(struct cmw__keep *keep)
{
    assert(!keep->states && !keep->polls);
    cmw__mutex_destroy(&keep->poll_lock);
    cmw__mutex_destroy(&keep->state_lock);
}

/* ---- States ----------------------------------------------------------------------------- */

static int state_matches(const struct cmw__state *state, const cmw_state_config *config)
{
    const char *at = state->texts;
    const cmw_str kind = cmw_str_make(at, state->kind_len);
    const cmw_str name = cmw_str_make(at + state->kind_len, state->name_len);
    const cmw_str shape = cmw_str_make(name.data + state->name_len, state->shape_len);

    return cmw_str_equals(kind, cmw_str_cstr(config->kind)) &&
           cmw_str_equals(name, cmw_str_cstr(config->name)) &&
           cmw_str_equals(shape, cmw_str_make(config->shape, config->shape_len));
}

static struct cmw__state *create_state(cmw_engine *engine, const cmw_state_config *config)
{
    const size_t kind_len = strlen(config->kind);
    const size_t name_len = strlen(config->name);
    const size_t bytes = sizeof(struct cmw__state) + kind_len + name_len + config->shape_len;
    struct cmw__state *state = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 0);

    if (!state)
        return NULL;
    *state = (struct cmw__state){.holders = 1,
                                 .destroy = config->destroy,
                                 .self = config->self,
                                 .bytes = bytes,
                                 .kind_len = kind_len,
                                 .name_len = name_len,
                                 .shape_len = config->shape_len};
    memcpy(state->texts, config->kind, kind_len);
    memcpy(state->texts + kind_len, config->name, name_len);
    if (config->shape_len > 0)
        memcpy(state->texts + kind_len + name_len, config->shape, config->shape_len);
    return state;
}

static int retain_locked(cmw_engine *engine, void **object, const cmw_state_config *config)
{
    struct cmw__keep *keep = &engine->keep;

    for (struct cmw__state *at = keep->states; at; at = at->next) {
        if (state_matches(at, config)) {
            at->holders++;
            *object = at->object;
            return 0;
        }
    }
    struct cmw__state *state = create_state(engine, config);
    if (!state)
        return CMW_ERR_NOMEM;
    const int rc = config->create(config->self, &state->object);
    if (rc != 0) {
        cmw_pool_free(engine->pools[CMW_POOL_PLAN], state, state->bytes, 0);
        return rc;
    }
    state->next = keep->states;
    keep->states = state;
    *object = state->object;
    return 0;
}

int cmw_state_retain(cmw_engine *engine, void **object, const cmw_state_config *config)
{
    if (!engine || !object || !config || config->size != sizeof *config || !config->kind ||
        !config->name || !config->create || (!config->shape && config->shape_len > 0))
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->keep.state_lock);
    const int rc = retain_locked(engine, object, config);
    cmw__mutex_unlock(&engine->keep.state_lock);
    return rc;
}

/* Count down; the state that nobody holds any more leaves the list. */
static struct cmw__state *drop_locked(struct cmw__keep *keep, const void *object)
{
    for (struct cmw__state **at = &keep->states; *at; at = &(*at)->next) {
        struct cmw__state *state = *at;
        if (state->object != object)
            continue;
        if (--state->holders > 0)
            return NULL;
        *at = state->next;
        return state;
    }
    return NULL;
}

void cmw_state_release(cmw_engine *engine, void *object)
{
    if (!engine || !object)
        return;
    cmw__mutex_lock(&engine->keep.state_lock);
    struct cmw__state *state = drop_locked(&engine->keep, object);
    cmw__mutex_unlock(&engine->keep.state_lock);
    if (!state)
        return;
    if (state->destroy)
        state->destroy(state->self, state->object);
    cmw_pool_free(engine->pools[CMW_POOL_PLAN], state, state->bytes, 0);
}

/* ---- Polls ------------------------------------------------------------------------------ */

int cmw_engine_add_poll(cmw_engine *engine, cmw_poll_fn *poll, void *self)
{
    if (!engine || !poll)
        return CMW_ERR_ARG;
    struct cmw__poll *entry = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], sizeof *entry, 0);
    if (!entry)
        return CMW_ERR_NOMEM;
    cmw__mutex_lock(&engine->keep.poll_lock);
    *entry = (struct cmw__poll){engine->keep.polls, poll, self};
    engine->keep.polls = entry;
    cmw__mutex_unlock(&engine->keep.poll_lock);
    return 0;
}

static struct cmw__poll *take_poll(struct cmw__keep *keep, cmw_poll_fn *poll, const void *self)
{
    for (struct cmw__poll **at = &keep->polls; *at; at = &(*at)->next) {
        struct cmw__poll *entry = *at;
        if (entry->poll != poll || entry->self != self)
            continue;
        *at = entry->next;
        return entry;
    }
    return NULL;
}

void cmw_engine_remove_poll(cmw_engine *engine, cmw_poll_fn *poll, void *self)
{
    if (!engine)
        return;
    cmw__mutex_lock(&engine->keep.poll_lock);
    struct cmw__poll *entry = take_poll(&engine->keep, poll, self);
    cmw__mutex_unlock(&engine->keep.poll_lock);
    cmw_pool_free(engine->pools[CMW_POOL_PLAN], entry, sizeof *entry, 0);
}

size_t cmw_engine_poll(cmw_engine *engine)
{
    size_t done = 0;

    if (!engine)
        return 0;
    cmw__mutex_lock(&engine->keep.poll_lock);
    for (const struct cmw__poll *at = engine->keep.polls; at; at = at->next)
        done += at->poll(at->self);
    cmw__mutex_unlock(&engine->keep.poll_lock);
    return done;
}
