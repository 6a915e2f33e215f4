/* SPDX-License-Identifier: MIT */
/*
 * idempotency_key: whatever comes as a key, a request that was handled with one is not handled
 * again, and what is no key is refused each time.
 *
 * The input is a request (fuzz.h), which is sent twice.
 */
#include "fuzz.h"

#include <catzilla/builtin/idempotency_key.h>

struct outcome {
    int is_handled, status, is_replayed;
};

static struct outcome send_once(cmw_test *test, const struct fuzz_request *request)
{
    struct outcome outcome = {0, 0, 0};
    cmw_ctx *ctx = NULL;

    FUZZ_CHECK(cmw_ctx_begin(cmw_test_worker(test), &ctx, &request->view) == 0);
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
        outcome.is_handled = 1;
        (void)cmw_respond_empty(ctx, 201);
        (void)cmw_ctx_commit(ctx);
    }
    outcome.status = cmw_response_status(cmw_ctx_response(ctx));
    outcome.is_replayed =
        cmw_response_has_named(cmw_ctx_response(ctx), CMW_STR("Idempotency-Replayed"));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return outcome;
}

static int has_key(const struct fuzz_request *request)
{
    for (uint32_t i = 0; i < request->view.header_count; i++)
        if (cmw_str_equals_fold(request->fields[i].name, CMW_STR("Idempotency-Key")))
            return cmw_str_equals(request->view.method, CMW_STR("POST")) ||
                   cmw_str_equals(request->view.method, CMW_STR("PATCH"));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *test;

    if (!test) {
        cmw_idempotency_key_config config;
        cmw_idempotency_key_config_init(&config);
        config.max_bytes = 1 << 20;
        config.when_full = CMW_IDEMPOTENCY_FULL_EVICT;
        test = fuzz_open("idempotency_key", &config);
    }
    fuzz_request_read(&request, data, size);
    const struct outcome first = send_once(test, &request);
    const struct outcome second = send_once(test, &request);
    FUZZ_CHECK(!first.is_replayed || !first.is_handled);
    if (has_key(&request) && first.status == 201) {
        FUZZ_CHECK(!second.is_handled && second.is_replayed && second.status == 201);
        return 0;
    }
    FUZZ_CHECK(second.status == first.status && second.is_handled == first.is_handled);
    FUZZ_CHECK(!second.is_replayed || first.is_replayed);
    return 0;
}
