/* SPDX-License-Identifier: MIT */
/* An API for partners with keys. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_json_text(cmw_ctx_response(ctx), 200, CMW_STR("{\"stock\": 7}"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
