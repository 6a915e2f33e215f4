/* SPDX-License-Identifier: MIT */
/* Names and passwords in Authorization. */
#include "fuzz_authorization.h"

#include <catzilla/builtin/basic_auth.h>

static cmw_test *open_test(void)
{
    static const cmw_option_text users[] = {{"Aladdin", "open sesame"}, {"", "x"}, {"y", ""}};
    cmw_basic_auth_config config;

    cmw_basic_auth_config_init(&config);
    config.users = users;
    config.user_count = sizeof users / sizeof users[0];
    return fuzz_open("basic_auth", &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;

    if (!test)
        test = open_test();
    fuzz_authorization(test, data, size);
    return 0;
}
