/* SPDX-License-Identifier: MIT */
/* A page for browsers, with a cookie of its own. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_response_append(response, CMW_HDR_SET_COOKIE,
                            CMW_STR("__Host-theme=dark; Path=/; Secure; HttpOnly; SameSite=Lax")) !=
        0)
        return -1;
    return cmw_response_html(response, 200, CMW_STR("<!doctype html><title>Shop</title>"));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
