/* SPDX-License-Identifier: MIT */
/*
 * Names and sentences of the error codes, and the version.
 */
#include <catzilla/base.h>

struct entry {
    int code;
    const char *name;
    const char *text;
};

#define ENTRY(name, number, sentence) {CMW_ERR_##name, "CMW_ERR_" #name, sentence},

/* The first two are not in the list: success, and what stands for every other number. */
static const struct entry entries[] = {{1, "CMW_ERR_UNKNOWN", "not an error code of this library"},
                                       {CMW_OK, "CMW_OK", "success"},
                                       CMW_ERROR_LIST(ENTRY)};

static const struct entry *find_entry(int code)
{
    for (size_t i = 1; i < sizeof entries / sizeof *entries; i++) {
        if (entries[i].code == code)
            return &entries[i];
    }
    return &entries[0];
}

const char *cmw_error_name(int code)
{
    return find_entry(code)->name;
}

const char *cmw_error_text(int code)
{
    return find_entry(code)->text;
}

uint32_t cmw_version(void)
{
    return CMW_VERSION_MAJOR * 1000000u + CMW_VERSION_MINOR * 1000u + CMW_VERSION_PATCH;
}
