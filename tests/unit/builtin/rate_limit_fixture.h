/* SPDX-License-Identifier: MIT */
/* A bench whose chain is one limiter, of which the descriptor is known. */
#ifndef CMW_RATE_LIMIT_FIXTURE_H
#define CMW_RATE_LIMIT_FIXTURE_H

#include "builtin_fixture.h"

#include <catzilla/builtin/rate_limit.h>

#define MS UINT64_C(1000000)

static inline cmw_test *open_limiter(const cmw_rate_limit_config *config, cmw_middleware *limiter)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(limiter);
    limiter->name = "limiter";
    if (cmw_rate_limit_create(cmw_test_engine(test), limiter, config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_add(chain, limiter, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static inline int get(cmw_test *test)
{
    cmw_test_request(test, "GET", "/");
    return cmw_test_send(test);
}

#endif /* CMW_RATE_LIMIT_FIXTURE_H */
