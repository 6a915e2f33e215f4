/* SPDX-License-Identifier: MIT */
/* From a canonical path to the name of a file, and from that to its type. Pure. */
#ifndef CMW_BUILTIN_STATIC_NAME_H
#define CMW_BUILTIN_STATIC_NAME_H

#include <catzilla/base.h>

/*
 * Write the name that a path means: decoded, without the slash at its front, with a NUL.
 *
 * `to` has room for path.len + 1 bytes. A slash at the end is left out, and `*is_folder` says so.
 * -1: no name: a segment that is empty or begins with a dot, or has, decoded, a slash, a backslash,
 * a colon or a control byte.
 */
int cmw__static_name(char *to, size_t *len, int *is_folder, cmw_str path);

/* The media type by what stands behind the last dot of a name; empty: unknown. */
cmw_str cmw__static_type(cmw_str name);
/* What stands behind the last dot, without it; empty: nothing. */
cmw_str cmw__static_extension(cmw_str name);

#endif /* CMW_BUILTIN_STATIC_NAME_H */
