/* SPDX-License-Identifier: MIT */
/* Dates: what is read and can be written is read again as the same second. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);
    char again[CMW_HTTP_DATE_LEN];
    int64_t epoch_s, back_s;

    if (cmw_http_date_parse(&epoch_s, text, 1767225600) != 0 || epoch_s < 0 ||
        epoch_s > CMW_HTTP_DATE_MAX)
        return 0;
    FUZZ_CHECK(cmw_http_date_parse(&back_s, cmw_http_date_format(again, epoch_s), 0) == 0);
    FUZZ_CHECK(back_s == epoch_s);
    return 0;
}
