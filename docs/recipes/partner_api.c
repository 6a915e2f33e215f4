/* SPDX-License-Identifier: MIT */
/* An API for partners with keys. An order that comes twice is one: idempotency_key sees to it. */
#include "recipe.h"

#include <stdatomic.h>

static int handle(void *self, cmw_ctx *ctx)
{
    static _Atomic unsigned long stock = 7;
    const int is_order = cmw_request_method_id(cmw_ctx_request(ctx)) == CMW_METHOD_POST;
    unsigned long left = atomic_load(&stock);

    (void)self;
    while (is_order && left > 0 && !atomic_compare_exchange_weak(&stock, &left, left - 1))
        continue;
    if (is_order && left == 0)
        return cmw_response_problem(cmw_ctx_response(ctx), 409, CMW_STR("there is none left"));
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), is_order ? 201 : 200);
    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("stock"));
    cmw_json_uint(json, is_order ? left - 1 : left);
    cmw_json_object_end(json);
    return 0;
}

int main(int argc, char **argv)
{
    return recipe_main(argc, argv, handle);
}
