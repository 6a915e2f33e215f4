/* SPDX-License-Identifier: MIT */
/*
 * response_cache: whatever a request and its answer say, nobody is served what was another's.
 *
 * The input is a request (fuzz.h), an empty line, and the fields of its answer. It is sent twice:
 * once as it is, once by somebody who says nothing of himself.
 */
#include "fuzz.h"

#include <catzilla/builtin/response_cache.h>

static cmw_str answer_fields;

static int names(cmw_str line, const char *name)
{
    return cmw_str_equals_fold(fuzz_take(&line, ':'), cmw_str_cstr(name));
}

static int answer_has(const char *name)
{
    cmw_str rest = answer_fields;

    while (rest.len > 0)
        if (names(fuzz_take(&rest, '\n'), name))
            return 1;
    return 0;
}

/* 1 if all of its fields could be set. */
static int answer(cmw_ctx *ctx)
{
    cmw_str rest = answer_fields;
    int is_whole = 1;

    while (rest.len > 0) {
        cmw_str value = fuzz_take(&rest, '\n');
        const cmw_str name = fuzz_take(&value, ':');
        is_whole &= cmw_response_append_named(cmw_ctx_response(ctx), name, fuzz_trim(value)) == 0;
    }
    (void)cmw_respond_text(ctx, 200, CMW_STR("secret"));
    (void)cmw_ctx_commit(ctx);
    return is_whole;
}

/* 1 if it was served from what was stored. */
static int send_once(cmw_test *test, const struct fuzz_request *request, int *is_whole)
{
    cmw_ctx *ctx = NULL;

    FUZZ_CHECK(cmw_ctx_begin(cmw_test_worker(test), &ctx, &request->view) == 0);
    const int is_handled = cmw_ctx_run(ctx) == CMW_TO_HANDLER;
    if (is_handled)
        *is_whole = answer(ctx);
    const int is_served = !is_handled && cmw_response_status(cmw_ctx_response(ctx)) == 200;
    cmw_ctx_end(ctx, CMW_END_SENT);
    return is_served;
}

static void forget(const cmw_middleware *cache)
{
    FUZZ_CHECK(cmw_response_cache_purge(cache, NULL, CMW_CACHE_PURGE_ALL, CMW_STR("")) == 0);
}

static cmw_test *open_cache(cmw_middleware *cache)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    FUZZ_CHECK(cmw_test_create(&test, NULL) == 0);
    FUZZ_CHECK(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    cmw_middleware_init(cache);
    cache->name = "cache";
    FUZZ_CHECK(cmw_response_cache_create(cmw_test_engine(test), cache, NULL, NULL) == 0);
    FUZZ_CHECK(cmw_chain_add(chain, cache, NULL) == 0);
    FUZZ_CHECK(cmw_chain_install(chain, NULL) == 0);
    cmw_chain_destroy(chain);
    return test;
}

/* Leave of its fields those by which the host is told; 1 if it had Authorization. */
static int says_who(struct fuzz_request *request)
{
    uint32_t kept = 0;
    int said = 0;

    for (uint32_t i = 0; i < request->view.header_count; i++) {
        said |= cmw_str_equals_fold(request->fields[i].name, CMW_STR("Authorization"));
        if (cmw_str_equals_fold(request->fields[i].name, CMW_STR("Host")))
            request->fields[kept++] = request->fields[i];
    }
    request->view.header_count = kept;
    return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_middleware cache;
    static cmw_test *test;
    size_t head = 0;
    int is_whole = 0;

    if (!test)
        test = open_cache(&cache);
    while (head + 1 < size && !(data[head] == '\n' && data[head + 1] == '\n'))
        head++;
    const int has_answer = head + 1 < size;
    answer_fields = has_answer ? cmw_str_make((const char *)data + head + 2, size - head - 2)
                               : cmw_str_make("", 0);
    fuzz_request_read(&request, data, has_answer ? head : size);
    forget(&cache);
    FUZZ_CHECK(!send_once(test, &request, &is_whole)); /* nothing is there */
    const int said = says_who(&request);
    if (!send_once(test, &request, &is_whole) || !is_whole)
        return 0;
    FUZZ_CHECK(!said);
    FUZZ_CHECK(!answer_has("Set-Cookie"));
    FUZZ_CHECK(answer_has("Cache-Control") || answer_has("Expires"));
    return 0;
}
