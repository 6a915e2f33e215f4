/* SPDX-License-Identifier: MIT */
/* For compilers and CPUs without AES instructions. */
#include "keyed_hash.h"

int cmw__hash_aes_is_available(void)
{
    return 0;
}

uint64_t cmw__hash_aes(const cmw_hash_key *key, cmw_str bytes)
{
    (void)key;
    (void)bytes;
    return 0;
}

uint64_t cmw__hash_aes_parts(const cmw_hash_key *key, const cmw_str *parts, size_t count)
{
    (void)key;
    (void)parts;
    (void)count;
    return 0;
}

uint64_t cmw__hash_aes_pair(const cmw_hash_key *key, uint64_t first, uint64_t second)
{
    (void)key;
    (void)first;
    (void)second;
    return 0;
}
