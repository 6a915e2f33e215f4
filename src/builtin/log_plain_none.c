/* SPDX-License-Identifier: MIT */
/* For compilers without AVX2. */
#include "log_format.h"

int cmw__log_has_avx2(void)
{
    return 0;
}

char *cmw__log_plain_write_avx2(char *to, const struct cmw__log_line *line)
{
    (void)to;
    (void)line;
    return NULL;
}
