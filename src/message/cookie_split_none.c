/* SPDX-License-Identifier: MIT */
/* For compilers without AVX2. */
#include "cookie_split.h"

int cmw__cookie_has_avx2(void)
{
    return 0;
}

size_t cmw__cookie_split_avx2(cmw_str *rest, cmw_cookie *cookies, size_t cap)
{
    return cmw__cookie_split(rest, cookies, cap);
}
