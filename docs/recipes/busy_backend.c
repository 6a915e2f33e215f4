/* SPDX-License-Identifier: MIT */
/* A handler that must not be overrun: every request to /fail fails. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    if (cmw_str_equals(cmw_request_path(cmw_ctx_request(ctx)), CMW_STR("/fail")))
        return -1;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
