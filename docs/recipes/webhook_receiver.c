/* SPDX-License-Identifier: MIT */
/* Takes what others send, and says how much that was. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    char text[32];
    const int len =
        snprintf(text, sizeof text, "%zu bytes", cmw_request_body(cmw_ctx_request(ctx)).len);

    return cmw_response_text(cmw_ctx_response(ctx), 202, cmw_str_make(text, (size_t)len));
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
