/* SPDX-License-Identifier: MIT */
/* What Cache-Control says (RFC 9111, 5.2; RFC 5861). Pure. */
#ifndef CMW_BUILTIN_CACHE_RULES_H
#define CMW_BUILTIN_CACHE_RULES_H

#include <catzilla/base.h>

enum cmw__cache_flags {
    CMW__CACHE_NO_STORE = 1,
    CMW__CACHE_NO_CACHE = 2, /* with a list of fields, too */
    CMW__CACHE_PRIVATE = 4,  /* likewise */
    CMW__CACHE_PUBLIC = 8,
    CMW__CACHE_MUST_REVALIDATE = 16, /* proxy-revalidate and s-maxage as well */
    CMW__CACHE_ONLY_IF_CACHED = 32
};

/* Seconds; -1: it does not say. A number that cannot be read is 0: stale. */
struct cmw__cache_control {
    unsigned flags;
    int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error;
};

static inline void cmw__cache_control_init(struct cmw__cache_control *control)
{
    control->flags = 0;
    control->max_age = control->s_maxage = -1;
    control->stale_while_revalidate = control->stale_if_error = -1;
}

/* Add what one field says. Of a number that comes twice the smaller one counts; a
 * field whose quotes do not end says no-store, too. */
void cmw__cache_control_read(struct cmw__cache_control *control, cmw_str field);

/* Digits; what is larger than 2^31 is 2^31. -1: no number. */
int64_t cmw__cache_seconds(cmw_str text);

#endif /* CMW_BUILTIN_CACHE_RULES_H */
