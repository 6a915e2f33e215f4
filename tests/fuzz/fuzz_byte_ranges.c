/* SPDX-License-Identifier: MIT */
/*
 * Range: whatever stands in it, what is found lies in the bytes, and no byte is sent twice.
 *
 *     1000                       how many bytes there are
 *     bytes=0-99, 200-, -50      the field
 */
#include "fuzz.h"

#include "byte_ranges.h"

static uint64_t read_size(cmw_str digits)
{
    uint64_t size = 0;

    for (size_t i = 0; i < digits.len; i++)
        size = size * 10 + ((unsigned char)digits.data[i] & 15);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);
    struct cmw__byte_range ranges[CMW__RANGES_MAX];
    size_t count = 0;
    uint64_t sum = 0;

    const uint64_t bytes = read_size(fuzz_take(&text, '\n'));
    if (cmw__byte_ranges_read(ranges, &count, text, bytes) != CMW__RANGES_FOUND)
        return 0;
    FUZZ_CHECK(count >= 1 && count <= CMW__RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(ranges[i].len > 0 && ranges[i].len <= bytes);
        FUZZ_CHECK(ranges[i].first <= bytes - ranges[i].len);
        sum += ranges[i].len;
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(ranges[i].first >= ranges[k].first + ranges[k].len ||
                       ranges[k].first >= ranges[i].first + ranges[i].len);
    }
    FUZZ_CHECK(sum <= bytes);
    return 0;
}
