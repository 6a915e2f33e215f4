/* SPDX-License-Identifier: MIT */
/* A bench whose chain is one built-in. */
#ifndef CMW_BUILTIN_FIXTURE_H
#define CMW_BUILTIN_FIXTURE_H

#include "test.h"

#include <catzilla/testing.h>

static inline cmw_test *open_bench(const char *kind, const void *config)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, kind, config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static inline void close_bench(cmw_test *test)
{
    assert_int_equal(cmw_test_destroy(test), 0);
}

#endif /* CMW_BUILTIN_FIXTURE_H */
