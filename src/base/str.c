/* SPDX-License-Identifier: MIT */
/*
 * Comparing strings, and their lower case.
 */
#include "str.h"

/* Fewer than eight bytes. */
static int short_equals_fold(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (cmw__lower(a[i]) != cmw__lower(b[i]))
            return 0;
    }
    return 1;
}

int cmw_str_equals_fold(cmw_str a, cmw_str b)
{
    if (a.len != b.len)
        return 0;
    if (a.len < 8)
        return short_equals_fold(a.data, b.data, a.len);

    /* The last word may overlap the one before: no tail is left. */
    const size_t last = a.len - 8;
    for (size_t i = 0; i < last; i += 8) {
        if (cmw__lower8(cmw__load8(a.data + i)) != cmw__lower8(cmw__load8(b.data + i)))
            return 0;
    }
    return cmw__lower8(cmw__load8(a.data + last)) == cmw__lower8(cmw__load8(b.data + last));
}

int cmw_str_equals_secret(cmw_str a, cmw_str b)
{
    return a.len == b.len && cmw__equals_secret(a.data, b.data, a.len);
}

void cmw__lower_copy(char *out, cmw_str text)
{
    size_t i = 0;

    for (; text.len - i >= 8; i += 8)
        cmw__store8(out + i, cmw__lower8(cmw__load8(text.data + i)));
    for (; i < text.len; i++)
        out[i] = cmw__lower(text.data[i]);
}
