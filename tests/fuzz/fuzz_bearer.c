/* SPDX-License-Identifier: MIT */
/* Bearer tokens in Authorization. */
#include "fuzz_authorization.h"

#include <catzilla/builtin/bearer.h>

static cmw_test *open_test(void)
{
    static const char *const tokens[] = {"abc", "mF_9.B5f-4.1JqM", "x="};
    cmw_bearer_config config;

    cmw_bearer_config_init(&config);
    config.tokens = tokens;
    config.token_count = sizeof tokens / sizeof tokens[0];
    return fuzz_open("bearer", &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;

    if (!test)
        test = open_test();
    fuzz_authorization(test, data, size);
    return 0;
}
