/* SPDX-License-Identifier: MIT */
/* csrf: what passes is safe, says that it is not of another site, or says nothing. */
#include "fuzz.h"

#include <catzilla/builtin/csrf.h>

static int has_value(cmw_request *request, cmw_header_id id, cmw_str value)
{
    const cmw_header *const field = cmw_request_header(request, id);
    return field && cmw_str_equals(field->value, value);
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    const cmw_method method = cmw_request_method_id(request);
    const cmw_header *const origin = cmw_request_header(request, CMW_HDR_ORIGIN);

    if (next != CMW_TO_HANDLER || method == CMW_METHOD_GET || method == CMW_METHOD_HEAD ||
        method == CMW_METHOD_OPTIONS || method == CMW_METHOD_TRACE)
        return;
    if (has_value(request, CMW_HDR_SEC_FETCH_SITE, CMW_STR("cross-site")) && origin)
        FUZZ_CHECK(cmw_str_equals(origin->value, CMW_STR("https://trusted.example")));
    FUZZ_CHECK(!has_value(request, CMW_HDR_ORIGIN, CMW_STR("null")) ||
               cmw_request_header(request, CMW_HDR_SEC_FETCH_SITE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const trusted[] = {"https://trusted.example"};
    static struct fuzz_request request;
    static cmw_test *test;
    cmw_csrf_config config;

    if (!test) {
        cmw_csrf_config_init(&config);
        config.trusted_origins = trusted;
        config.trusted_origin_count = 1;
        test = fuzz_open("csrf", &config);
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
