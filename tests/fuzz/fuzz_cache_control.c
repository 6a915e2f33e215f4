/* SPDX-License-Identifier: MIT */
/*
 * Cache-Control: whatever stands in it, numbers are in their range, and what is said once more
 * makes nothing stay longer. The input is a field's value.
 */
#include "fuzz.h"

#include "cache_rules.h"

static int is_second(int64_t number)
{
    return number >= -1 && number <= INT64_C(2147483648);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cmw_str field = cmw_str_make(size > 0 ? (const char *)data : "", size);
    struct cmw__cache_control once, twice;

    cmw__cache_control_init(&once);
    cmw__cache_control_read(&once, field);
    FUZZ_CHECK(is_second(once.max_age) && is_second(once.s_maxage));
    FUZZ_CHECK(is_second(once.stale_while_revalidate) && is_second(once.stale_if_error));
    twice = once;
    cmw__cache_control_read(&twice, field);
    FUZZ_CHECK(twice.flags == once.flags && twice.max_age == once.max_age);
    cmw__cache_control_read(&twice, CMW_STR("no-store, max-age=0"));
    FUZZ_CHECK((twice.flags & CMW__CACHE_NO_STORE) && twice.max_age == 0);
    return 0;
}
