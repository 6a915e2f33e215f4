/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts, and sets of them and of patterns "*.name": immutable once made, read by any
 * thread.
 *
 * One table of hashes over names read from their end, so that one walk over a host meets every
 * pattern that could fit it:
 *
 *     api.eu.a.example       "example", "a.example", "eu.a.example": is there such a pattern?
 *     <--------------        the whole: is there such a name?
 *
 * The table holds what was configured, so that nobody outside can make names collide.
 */
#ifndef CMW_BUILTIN_HOST_SET_H
#define CMW_BUILTIN_HOST_SET_H

#include <catzilla/address.h>
#include <catzilla/arena.h>
#include <catzilla/base.h>

/* Of a name (RFC 1035, 2.3.4), and more than any IPv6 literal has. */
enum { CMW__HOST_NAME_LIMIT = 253 };

/* 1 for labels of letters, digits, "-", "_" and "~" in lower case, with dots between them. */
int cmw__host_is_name(cmw_str host);

/* 1 for an IPv6 address in brackets. */
int cmw__host_is_literal(cmw_str host);

struct cmw__host_entry {
    cmw_str name; /* NULL data: an empty place */
    uint32_t hash;
    uint8_t is_exact;   /* the name itself is in the set */
    uint8_t is_pattern; /* all names below it are */
};

struct cmw__host_set {
    struct cmw__host_entry *entries;
    uint32_t mask; /* places - 1 */
};

/* Room for `count` names. 0 or CMW_ERR_NOMEM. */
int cmw__host_set_init(struct cmw__host_set *set, cmw_arena *arena, size_t count);

/* Add a name in lower case, without a dot at either end; it is borrowed. Never more than there is
 * room for. */
void cmw__host_set_add(struct cmw__host_set *set, cmw_str name, int is_pattern);

/* 1 if a host, in lower case, is in the set. */
int cmw__host_set_contains(const struct cmw__host_set *set, cmw_str host);

#endif /* CMW_BUILTIN_HOST_SET_H */
