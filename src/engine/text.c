/* SPDX-License-Identifier: MIT */
/* Names, copies in lower case, methods. */
#include "text.h"

int cmw__name_is_valid(const char *name)
{
    if (!name || !name[0])
        return 0;
    for (size_t i = 0; name[i]; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (i == 128 || !(cmw__is_alnum(c) || strchr("_-.#", c)))
            return 0;
    }
    return 1;
}

int cmw__arena_dup_lower(cmw_arena *arena, cmw_str *out, cmw_str text)
{
    cmw_str copy;
    if (cmw_arena_dup(arena, &copy, text) != 0)
        return CMW_ERR_NOMEM;
    char *bytes = (char *)(uintptr_t)copy.data; /* ours: just copied */
    for (size_t i = 0; i < copy.len; i++)
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] = (char)(bytes[i] + ('a' - 'A'));
    *out = copy;
    return 0;
}

char *cmw__arena_dup_cstr(cmw_arena *arena, const char *cstr)
{
    cmw_str copy;
    if (cmw_arena_dup(arena, &copy, cmw_str_cstr(cstr)) != 0)
        return NULL;
    return (char *)(uintptr_t)copy.data; /* ours: just copied */
}

cmw_method cmw__method_find(cmw_str name)
{
    static const char *const names[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cmw_str_equals(name, cmw_str_cstr(names[i])))
            return (cmw_method)(i + 1);
    return CMW_METHOD_OTHER;
}
