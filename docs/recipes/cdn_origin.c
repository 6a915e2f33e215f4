/* SPDX-License-Identifier: MIT */
/* What a CDN asks: says how long an answer is fresh. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_response_set(response, CMW_HDR_CACHE_CONTROL,
                         CMW_STR("public, max-age=60, stale-if-error=600")) != 0)
        return -1;
    return cmw_response_text(response, 200, CMW_STR("catalogue"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
