/* SPDX-License-Identifier: MIT */
/* A bench whose chain is one built-in. */
#ifndef CMW_BUILTIN_FIXTURE_H
#define CMW_BUILTIN_FIXTURE_H

#include "test.h"

#include <catzilla/testing.h>

static inline cmw_test *open_bench_of(const char *kind, const void *config,
                                      const cmw_engine_config *engine)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, engine), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, kind, config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static inline cmw_test *open_bench(const char *kind, const void *config)
{
    return open_bench_of(kind, config, NULL);
}

/* A config is refused with this sentence, and nothing is kept. */
static inline void assert_refused(const char *kind, const void *config, int code,
                                  const char *sentence)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, kind, config, &diag), code);
    assert_int_equal(diag.code, code);
    assert_string_equal(diag.message, sentence);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* Creating a kind with each of its allocations failing once: an error, and no leak. */
static inline void assert_survives_failing_memory(const char *kind, const void *config)
{
    int rc = -1;

    for (uint32_t i = 0; rc != 0; i++) {
        cmw_test *test = NULL;
        cmw_chain *chain = NULL;
        cmw_diag diag = {0};

        assert_true(i < 1000);
        assert_int_equal(cmw_test_create(&test, NULL), 0);
        assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
        cmw_test_fail_after(test, i);
        rc = cmw_chain_use(chain, kind, config, &diag);
        if (cmw_test_has_failed(test))
            assert_true(rc == CMW_ERR_NOMEM && diag.code == CMW_ERR_NOMEM);
        else
            assert_int_equal(rc, 0);
        cmw_test_fail_after(test, CMW_NONE);
        cmw_chain_destroy(chain);
        assert_int_equal(cmw_test_destroy(test), 0);
    }
}

/* The bench's request, sent warm, calls no allocator. */
static inline void assert_no_allocation(cmw_test *test)
{
    (void)cmw_test_send_quick(test);
    (void)cmw_test_send_quick(test);
    const uint64_t before = cmw_test_alloc_calls(test);
    (void)cmw_test_send_quick(test);
    assert_int_equal(cmw_test_alloc_calls(test), before);
}

static inline void close_bench(cmw_test *test)
{
    assert_int_equal(cmw_test_destroy(test), 0);
}

#endif /* CMW_BUILTIN_FIXTURE_H */
