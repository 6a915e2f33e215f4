/* SPDX-License-Identifier: MIT */
/* A service behind others: tells whom it took the caller for. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    cmw_slot slot;

    if (cmw_principal_slot(cmw_worker_engine(cmw_ctx_worker(ctx)), &slot) != 0)
        return -1;
    const cmw_principal *principal = cmw_ctx_slot(ctx, slot);
    return cmw_response_text(cmw_ctx_response(ctx), 200,
                             principal ? principal->id : CMW_STR("nobody"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
