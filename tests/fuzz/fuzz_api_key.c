/* SPDX-License-Identifier: MIT */
/*
 * api_key: who passes has a field, or a parameter of the query, that is the key to the last byte.
 *
 * The input is a request (fuzz.h).
 */
#include "fuzz.h"

#include <catzilla/builtin/api_key.h>

#define KEY "k-17/+="

/* 1 if the text has it somewhere, also escaped: without it nobody may pass. */
static int may_have_key(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '%' ||
            (text.len - i >= sizeof KEY - 1 && memcmp(text.data + i, KEY, sizeof KEY - 1) == 0))
            return 1;
    return 0;
}

static int has_key_field(const cmw_request_view *view)
{
    for (uint32_t i = 0; i < view->header_count; i++)
        if (cmw_str_equals(view->headers[i].value, CMW_STR(KEY)))
            return 1;
    return 0;
}

static const struct fuzz_request *sent;

static void look(cmw_ctx *ctx, cmw_next next)
{
    if (next == CMW_TO_HANDLER)
        FUZZ_CHECK(has_key_field(&sent->view) || may_have_key(sent->view.target));
    else
        FUZZ_CHECK(cmw_response_status(cmw_ctx_response(ctx)) >= 400);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const cmw_option_text keys[] = {{"one", KEY}};
    static struct fuzz_request request;
    static cmw_test *test;

    if (!test) {
        cmw_api_key_config config;
        cmw_api_key_config_init(&config);
        config.keys = keys;
        config.key_count = 1;
        config.query = "key";
        test = fuzz_open("api_key", &config);
    }
    fuzz_request_read(&request, data, size);
    sent = &request;
    fuzz_send(test, &request, look);
    return 0;
}
