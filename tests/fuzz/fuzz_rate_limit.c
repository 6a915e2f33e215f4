/* SPDX-License-Identifier: MIT */
/*
 * Keys that strangers choose: the input, cut at line feeds, is a field by which one limit counts, a
 * target and a host by which another does. Whatever they are, nothing but 200, 400 and 429 comes,
 * and a third request within a second does not pass twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/builtin/rate_limit.h>
#include <catzilla/testing.h>

static void check(int holds)
{
    if (!holds)
        abort();
}

static cmw_test *open_test(void)
{
    static const char *const by_field[] = {"header:X-Api-Key", "ip"};
    static const char *const by_place[] = {"host", "path", "method"};
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;
    cmw_test *test;
    cmw_chain *chain;
    cmw_plan *plan;

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
    check(cmw_test_create(&test, NULL) == 0);
    check(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    check(cmw_chain_use(chain, "rate_limit", &config, NULL) == 0);
    check(cmw_chain_compile(chain, &plan, NULL) == 0);
    cmw_chain_destroy(chain);
    check(cmw_test_install(test, plan) == 0);
    return test;
}

/* The next C string of the text, which `*text` moves behind; "" at its end. */
static const char *next_line(char **text)
{
    char *line = *text;
    char *end = strchr(line, '\n');

    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    char *text = malloc(size + 1);
    char *rest = text;

    if (!test)
        test = open_test();
    check(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    const char *key = next_line(&rest);
    const char *target = next_line(&rest);
    const char *host = next_line(&rest);
    cmw_test_advance_ns(test, UINT64_C(10000000000)); /* what was taken before is there again */
    for (int i = 0; i < 3; i++) {
        cmw_test_request(test, "GET", target);
        cmw_test_header(test, "X-Api-Key", key);
        cmw_test_header(test, "Host", host);
        const int status = cmw_test_send(test);
        check(status == 200 || status == 429 || status == 400 || status == 431);
        check(i < 2 || status != 200);
        check((cmw_test_response_field(test, "Retry-After") != NULL) == (status == 429));
    }
    free(text);
    return 0;
}
