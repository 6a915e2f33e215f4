/* SPDX-License-Identifier: MIT */
/*
 * conditional: a response with an ETag and a date. Whatever comes, it is sent, not modified or
 * refused; and a tag is listed where it stands alone.
 */
#include "fuzz.h"

#include <catzilla/builtin/conditional.h>

static void send_tagged(cmw_test *test, const struct fuzz_request *request)
{
    cmw_ctx *ctx = NULL;

    FUZZ_CHECK(cmw_ctx_begin(cmw_test_worker(test), &ctx, &request->view) == 0);
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
        cmw_response *const response = cmw_ctx_response(ctx);
        FUZZ_CHECK(cmw_response_text(response, 200, CMW_STR("x")) == 0);
        FUZZ_CHECK(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("W/\"a\"")) == 0);
        FUZZ_CHECK(cmw_response_set(response, CMW_HDR_LAST_MODIFIED,
                                    CMW_STR("Wed, 15 Nov 1995 04:58:08 GMT")) == 0);
        (void)cmw_ctx_commit(ctx);
        const int status = cmw_response_status(response);
        FUZZ_CHECK(status == 200 || status == 304 || status == 412);
        FUZZ_CHECK(status != 304 || cmw_response_body(response).len == 0);
    }
    cmw_ctx_end(ctx, CMW_END_SENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *test;

    if (!test)
        test = fuzz_open("conditional", NULL);
    fuzz_request_read(&request, data, size);
    send_tagged(test, &request);
    for (uint32_t i = 0; i < request.view.header_count; i++) {
        const cmw_str list = request.fields[i].value;
        if (cmw_etag_is_listed(list, CMW_STR("\"a\""), CMW_ETAG_STRONG))
            FUZZ_CHECK(cmw_etag_is_listed(list, CMW_STR("\"a\""), CMW_ETAG_WEAK));
        if (cmw_etag_is_valid(list))
            FUZZ_CHECK(cmw_etag_is_listed(list, list, CMW_ETAG_WEAK));
    }
    return 0;
}
