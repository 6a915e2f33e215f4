/* SPDX-License-Identifier: MIT */
/* Files of a folder; the handler answers what is not there. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_problem(cmw_ctx_response(ctx), 404, CMW_STR("no such page"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
