/* SPDX-License-Identifier: MIT */
/* Old paths that go on working after a move. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_request_path(cmw_ctx_request(ctx)));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
