/* SPDX-License-Identifier: MIT */
/* The functions behind cmw_hash_keyed. keyed_hash_aes.c or keyed_hash_aes_none.c: CMake chooses. */
#ifndef CMW_BASE_KEYED_HASH_H
#define CMW_BASE_KEYED_HASH_H

#include <catzilla/hash.h>

/* Values of cmw_hash_key.algorithm; that of AES is in the public header, too. */
enum { CMW__HASH_SIPHASH_1_3 = 1, CMW__HASH_AES = 2 };

/* 1 if this CPU has the AES instructions; else the others must not be called. */
int cmw__hash_aes_is_available(void);
uint64_t cmw__hash_aes(const cmw_hash_key *key, cmw_str bytes);
uint64_t cmw__hash_aes_parts(const cmw_hash_key *key, const cmw_str *parts, size_t count);
uint64_t cmw__hash_aes_pair(const cmw_hash_key *key, uint64_t first, uint64_t second);

/* cmw_hash_keyed, with one call less. */
static inline uint64_t cmw__hash_in_line(const cmw_hash_key *key, cmw_str bytes)
{
    return CMW_EXPECT(key->algorithm == CMW__HASH_AES, 1) ? cmw__hash_aes(key, bytes)
                                                          : cmw_hash_keyed(key, bytes);
}

#endif /* CMW_BASE_KEYED_HASH_H */
