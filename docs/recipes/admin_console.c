/* SPDX-License-Identifier: MIT */
/* A console for a few people from a few networks. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("console"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
