/* SPDX-License-Identifier: MIT */
/*
 * What static_files reads: a path becomes a name below the root or none, and ranges lie in the file
 * and beside each other.
 *
 *     /a/b%20c          a path
 *     bytes=0-9,20-     a Range field
 */
#include "fuzz.h"

#include "byte_ranges.h"
#include "static_name.h"

static void check_name(cmw_str path)
{
    char *name = malloc(path.len + 1);
    size_t len = 0;
    int is_folder = 0;

    FUZZ_CHECK(name != NULL);
    if (cmw__static_name(name, &len, &is_folder, path) == 0) {
        FUZZ_CHECK(strlen(name) == len && len < path.len);
        FUZZ_CHECK(name[0] != '/' && name[0] != '.');
        FUZZ_CHECK(!strstr(name, "//") && !strstr(name, "/.") && !strchr(name, '\\'));
        (void)cmw__static_type(cmw_str_make(name, len));
    }
    free(name);
}

static void check_ranges(cmw_str field, uint64_t size)
{
    struct cmw__byte_range ranges[CMW__RANGES_MAX];
    size_t count = 0;
    uint64_t sum = 0;

    if (cmw__byte_ranges_read(ranges, &count, field, size) != CMW__RANGES_FOUND)
        return;
    FUZZ_CHECK(count > 0 && count <= CMW__RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(ranges[i].len > 0 && ranges[i].first < size);
        FUZZ_CHECK(ranges[i].len <= size - ranges[i].first);
        sum += ranges[i].len;
    }
    FUZZ_CHECK(sum <= size); /* nothing is sent twice */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);

    check_name(fuzz_take(&text, '\n'));
    check_ranges(text, 100);
    check_ranges(text, 0);
    check_ranges(text, UINT64_MAX);
    return 0;
}
