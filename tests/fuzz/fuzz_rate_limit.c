/* SPDX-License-Identifier: MIT */
/*
 * Keys that strangers choose: the input, cut at line feeds, is a field by which one limit counts, a
 * target and a host by which another does. Whatever they are, nothing but 200, 400 and 429 comes,
 * and a third request within a second does not pass twice.
 */
#include "fuzz.h"

#include <catzilla/builtin/rate_limit.h>

static cmw_test *open_test(void)
{
    static const char *const by_field[] = {"header:X-Api-Key", "ip"};
    static const char *const by_place[] = {"host", "path", "method"};
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;

    for (size_t i = 0; i < 2; i++) {
        cmw_rate_limit_rule_init(&rules[i]);
        rules[i].limit = 2;
        rules[i].window_ms = 1000;
        rules[i].key = i == 0 ? by_field : by_place;
        rules[i].key_count = i == 0 ? 2 : 3;
    }
    rules[1].algorithm = CMW_RATE_SLIDING_WINDOW;
    cmw_rate_limit_config_init(&config);
    config.limits = rules;
    config.limit_count = 2;
    config.entries = 4096;
    return fuzz_open("rate_limit", &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    char *text = fuzz_text(data, size);
    char *rest = text;

    if (!test)
        test = open_test();
    const char *key = fuzz_next_line(&rest);
    const char *target = fuzz_next_line(&rest);
    const char *host = fuzz_next_line(&rest);
    cmw_test_advance_ns(test, UINT64_C(10000000000)); /* what was taken before is there again */
    for (int i = 0; i < 3; i++) {
        cmw_test_request(test, "GET", target);
        cmw_test_header(test, "X-Api-Key", key);
        cmw_test_header(test, "Host", host);
        const int status = cmw_test_send(test);
        FUZZ_CHECK(status == 200 || status == 429 || status == 400 || status == 431);
        FUZZ_CHECK(i < 2 || status != 200);
        FUZZ_CHECK((cmw_test_response_field(test, "Retry-After") != NULL) == (status == 429));
    }
    free(text);
    return 0;
}
