/* SPDX-License-Identifier: MIT */
/* Random bytes for requests: a worker's batch of the system's. */
#include "random.h"

#include <catzilla/hash.h>

#include "ctx_state.h"
#include "platform.h"

/* Bytes are used from the end to the front and cleared: none is handed out twice. A child of fork
 * finds `left` 0. */
struct cmw__random_batch {
    size_t left;
    unsigned char bytes[1024];
};

_Static_assert(sizeof(struct cmw__random_batch) <= CMW__RANDOM_PAGE, "a batch outgrew its page");

/* The worker's batch, full; what was left in it is lost. NULL: ask the system each time. */
static struct cmw__random_batch *fill(cmw_worker *worker)
{
    if (!worker->random)
        worker->random = cmw__random_page_create();
    struct cmw__random_batch *batch = worker->random;
    if (!batch)
        return NULL;
    batch->left = 0;
    if (cmw__random_system(batch->bytes, sizeof batch->bytes) != 0)
        return NULL;
    batch->left = sizeof batch->bytes;
    return batch;
}

static CMW__ALWAYS_INLINE void draw(struct cmw__random_batch *batch, void *to, size_t len)
{
    batch->left -= len;
    memcpy(to, batch->bytes + batch->left, len);
    memset(batch->bytes + batch->left, 0, len);
}

/* Any length, and where the batch has not got it. */
static CMW__NOINLINE int draw_slowly(cmw_worker *worker, void *to, size_t len)
{
    struct cmw__random_batch *batch = worker->random;

    if (!batch || len > batch->left)
        batch = len <= sizeof batch->bytes ? fill(worker) : NULL;
    if (!batch)
        return cmw__random_system(to, len);
    draw(batch, to, len);
    return 0;
}

/* The lengths that ids and nonces have, without a call. */
int cmw_ctx_random(cmw_ctx *ctx, void *to, size_t len)
{
    struct cmw__random_batch *batch = ctx->worker->random;

    if (CMW_UNLIKELY(!batch || len > batch->left))
        return draw_slowly(ctx->worker, to, len);
    if (len == 8)
        draw(batch, to, 8);
    else if (len == 16)
        draw(batch, to, 16);
    else
        return draw_slowly(ctx->worker, to, len);
    return 0;
}

void cmw__worker_close_random(cmw_worker *worker)
{
    cmw__random_page_destroy(worker->random);
    worker->random = NULL;
}

int cmw_random_bytes(void *to, size_t len)
{
    return to || len == 0 ? cmw__random_system(to, len) : CMW_ERR_ARG;
}
