/* SPDX-License-Identifier: MIT */
/* A hash of a body, the same on every machine and in every version. */
#ifndef CMW_BUILTIN_BODY_HASH_H
#define CMW_BUILTIN_BODY_HASH_H

#include <catzilla/base.h>

/* 128 bits of MurmurHash3 (x64, seed 0). Not for what an attacker may choose. O(body.len). */
void cmw__body_hash(uint64_t hash[2], cmw_str body);

#endif /* CMW_BUILTIN_BODY_HASH_H */
