/* SPDX-License-Identifier: MIT */
/* A request whose Authorization field is the input; a line feed begins another such field. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/builtin/bearer.h>
#include <catzilla/testing.h>

static void check(int holds)
{
    if (!holds)
        abort();
}

static cmw_test *open_test(void)
{
    static const char *const tokens[] = {"abc", "mF_9.B5f-4.1JqM", "x="};
    cmw_bearer_config config;
    cmw_bearer_config_init(&config);
    config.tokens = tokens;
    config.token_count = sizeof tokens / sizeof tokens[0];
    cmw_test *test;
    cmw_chain *chain;
    cmw_plan *plan;

    check(cmw_test_create(&test, NULL) == 0);
    check(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    check(cmw_chain_use(chain, "bearer", &config, NULL) == 0);
    check(cmw_chain_compile(chain, &plan, NULL) == 0);
    cmw_chain_destroy(chain);
    check(cmw_test_install(test, plan) == 0);
    return test;
}

/* The fields, each a C string in `text`. */
static void add_fields(cmw_test *test, char *text)
{
    for (int i = 0; i < 50 && text; i++) {
        char *end = strchr(text, '\n');
        if (end)
            *end = '\0';
        cmw_test_header(test, "Authorization", text);
        text = end ? end + 1 : NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    char *text = malloc(size + 1);

    if (!test)
        test = open_test();
    check(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    cmw_test_request(test, "GET", "/");
    add_fields(test, text);
    const int status = cmw_test_send(test);
    check(status == 200 || (status >= 400 && status < 500));
    if (status == 400 || status == 401)
        check(cmw_test_response_count(test, "WWW-Authenticate") == 1);
    free(text);
    return 0;
}
