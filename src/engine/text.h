/* SPDX-License-Identifier: MIT */
/*
 * Small questions about text that several files of the engine ask.
 */
#ifndef CMW_ENGINE_TEXT_H
#define CMW_ENGINE_TEXT_H

#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/request.h>

static inline int cmw__is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* 1 if a segment of a path pattern is "{name}". */
static inline int cmw__segment_is_parameter(cmw_str segment)
{
    return segment.len >= 3 && segment.data[0] == '{' && segment.data[segment.len - 1] == '}' &&
           !memchr(segment.data + 1, '{', segment.len - 2) &&
           !memchr(segment.data + 1, '}', segment.len - 2);
}

/* 1 if text can be a name in a chain: letters, digits, '_', '-', '.', '#', at most 128 bytes. */
int cmw__name_is_valid(const char *name);

/* Go back to a mark of this very arena, which cannot fail. */
static inline void cmw__arena_back(cmw_arena *arena, cmw_arena_mark mark)
{
    const int rc = cmw_arena_rewind(arena, mark);
    (void)rc;
}

/* Copy in lower case (ASCII). 0 or CMW_ERR_NOMEM. */
int cmw__arena_dup_lower(cmw_arena *arena, cmw_str *out, cmw_str text);

/* The copy of a C string, with its NUL; NULL without memory. */
char *cmw__arena_dup_cstr(cmw_arena *arena, const char *cstr);

/* The id of a method's name. */
cmw_method cmw__method_find(cmw_str name);

#endif /* CMW_ENGINE_TEXT_H */
