/* SPDX-License-Identifier: MIT */
/*
 * Bodies that say they are compressed, and what a client says it takes: the first line of the input
 * is an Accept-Encoding, the second a Content-Encoding, the rest a body. Whatever they are, nothing
 * but 200, 400, 406, 413 and 415 comes, and no more than the limit reaches the handler.
 */
#include "fuzz.h"

#include <catzilla/component/compression.h>

enum { LIMIT = 256 << 10 };

static int on_handler(void *self, cmw_ctx *ctx)
{
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));

    (void)self;
    FUZZ_CHECK(body.len <= LIMIT);
    return cmw_response_text(cmw_ctx_response(ctx), 200, body);
}

static cmw_test *open_test(void)
{
    cmw_engine_config engine_config;
    cmw_compression_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    cmw_engine_config_init(&engine_config);
    engine_config.limits.body_bytes = LIMIT;
    cmw_compression_config_init(&config);
    config.min_size = 0;
    FUZZ_CHECK(cmw_test_create(&test, &engine_config) == 0);
    cmw_engine *engine = cmw_test_engine(test);
    FUZZ_CHECK(cmw_kind_register(engine, cmw_compression_kind()) == 0);
    FUZZ_CHECK(cmw_kind_register(engine, cmw_decompression_kind()) == 0);
    FUZZ_CHECK(cmw_chain_create(engine, &chain, 0) == 0);
    FUZZ_CHECK(cmw_chain_use(chain, "compression", &config, NULL) == 0);
    FUZZ_CHECK(cmw_chain_use(chain, "decompression", NULL, NULL) == 0);
    FUZZ_CHECK(cmw_chain_install(chain, NULL) == 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, on_handler, NULL);
    return test;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {0, 1, 7};
    static cmw_test *test;
    char *text = fuzz_text(data, size);
    char *rest = text;

    if (!test)
        test = open_test();
    const char *accept = fuzz_next_line(&rest);
    const char *coding = fuzz_next_line(&rest);
    const cmw_str body = cmw_str_make(rest, size - (size_t)(rest - text));
    int first = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        cmw_test_request(test, "POST", "/");
        cmw_test_header(test, "Accept-Encoding", accept);
        if (*coding)
            cmw_test_header(test, "Content-Encoding", coding);
        cmw_test_body(test, body);
        cmw_test_set_chunk_bytes(test, steps[i]);
        const int status = cmw_test_send(test);
        FUZZ_CHECK(status == 200 || status == 400 || status == 406 || status == 413 ||
                   status == 415 || status == 431);
        if (i == 0)
            first = status;
        /* However it is cut; but that a ratio is passed for a moment may show in small pieces. */
        FUZZ_CHECK(status == first || status == 413 || first == 413);
    }
    free(text);
    return 0;
}
