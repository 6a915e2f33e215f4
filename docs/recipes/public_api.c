/* SPDX-License-Identifier: MIT */
/* A public JSON API: answers with the path that it was asked for. */
#include "recipe.h"

static int handle(void *self, cmw_ctx *ctx)
{
    (void)self;
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), 200);

    if (!json)
        return -1;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("path"));
    cmw_json_string(json, cmw_request_path(cmw_ctx_request(ctx)));
    cmw_json_object_end(json);
    return 0;
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
