/* SPDX-License-Identifier: MIT */
/*
 * rewrite: whatever comes as a path, what the server is handed is one path of this server, which
 * means the same when it is read again.
 *
 * The input is a request (fuzz.h).
 */
#include "fuzz.h"

#include <catzilla/builtin/rewrite.h>

#include "path_rule.h"

static const cmw_rewrite_rule rules[] = {
    {"/top/*", "/{*}"},
    {"/one/{a}", "/{a}"},
    {"/two/{a}/{b}", "/{b}{a}?q={a}"},
    {"/deep/*", "/inside/{*}"},
};

static int has_dots(cmw_str path)
{
    for (size_t i = 0; i + 2 < path.len; i++)
        if (memcmp(path.data + i, "/..", 3) == 0 && (i + 3 == path.len || path.data[i + 3] == '/'))
            return 1;
    return 0;
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    static const cmw_str inside = {"/inside/", 8};
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_request_view *view = (const cmw_request_view *)(const void *)request;
    const cmw_str target = view->target; /* as it is rewritten */

    if (next != CMW_TO_HANDLER) {
        FUZZ_CHECK(cmw_response_status(cmw_ctx_response(ctx)) >= 400);
        return;
    }
    if (target.data == cmw_request_raw_target(request).data)
        return;
    FUZZ_CHECK(cmw__path_target_is_safe(target));
    const cmw_str path = cmw_request_path(request);
    FUZZ_CHECK(path.len > 0 && path.data[0] == '/' && !has_dots(path));
    if (target.len >= inside.len && memcmp(target.data, inside.data, inside.len) == 0)
        FUZZ_CHECK(path.len >= inside.len && memcmp(path.data, inside.data, inside.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *test;

    if (!test) {
        cmw_rewrite_config config;
        cmw_rewrite_config_init(&config);
        config.rules = rules;
        config.rule_count = sizeof rules / sizeof *rules;
        test = fuzz_open("rewrite", &config);
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
