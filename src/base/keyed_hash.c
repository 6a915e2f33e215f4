/* SPDX-License-Identifier: MIT */
/*
 * The key, the choice of the function, and SipHash-1-3, which every CPU can: one round a word,
 * three at the end, with a key of 128 bits.
 */
#include "keyed_hash.h"

#include "platform.h"
#include "random.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void mix(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v1;
    sip->v0 += sip->v3;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void absorb(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    mix(sip);
    sip->v0 ^= word;
}

/* Eight bytes, the first one lowest, on any machine. */
static inline uint64_t load_le(const unsigned char *at)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | at[i];
    return word;
}

/* The rest of less than eight bytes, with the length's low byte on top. */
static inline uint64_t last_word(const unsigned char *at, size_t left, size_t len)
{
    uint64_t word = (uint64_t)(len & 0xff) << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

static CMW__NOINLINE uint64_t siphash_1_3(const cmw_hash_key *key, cmw_str bytes)
{
    struct sip sip = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t left = bytes.len;

    for (; left >= 8; left -= 8, at += 8)
        absorb(&sip, load_le(at));
    absorb(&sip, last_word(at, left, bytes.len));
    sip.v2 ^= 0xff;
    mix(&sip);
    mix(&sip);
    mix(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

int cmw_hash_key_init(cmw_hash_key *key)
{
    cmw_hash_key drawn = {{0}, CMW__HASH_SIPHASH_1_3, 0};

    if (cmw__random_system(drawn.words, sizeof drawn.words) != 0)
        return CMW_ERR_IO;
    if (cmw__hash_aes_is_available())
        drawn.algorithm = CMW__HASH_AES;
    *key = drawn;
    return 0;
}

uint64_t cmw_hash_keyed(const cmw_hash_key *key, cmw_str bytes)
{
    if (CMW_LIKELY(key->algorithm == CMW__HASH_AES))
        return cmw__hash_aes(key, bytes);
    return siphash_1_3(key, bytes);
}

static CMW__NOINLINE uint64_t siphash_pair(const cmw_hash_key *key, uint64_t first, uint64_t second)
{
    char bytes[16];

    memcpy(bytes, &first, sizeof first);
    memcpy(bytes + 8, &second, sizeof second);
    return siphash_1_3(key, cmw_str_make(bytes, sizeof bytes));
}

/* In parentheses: a function, not the macro for the form in line. */
uint64_t(cmw_hash_keyed_pair)(const cmw_hash_key *key, uint64_t first, uint64_t second)
{
    if (CMW_LIKELY(key->algorithm == CMW__HASH_AES))
        return cmw__hash_aes_pair(key, first, second);
    return siphash_pair(key, first, second);
}

static CMW__NOINLINE uint64_t siphash_parts(const cmw_hash_key *key, const cmw_str *parts,
                                            size_t count)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < count; i++)
        hash = siphash_pair(key, hash, siphash_1_3(key, parts[i]));
    return hash;
}

uint64_t cmw_hash_keyed_parts(const cmw_hash_key *key, const cmw_str *parts, size_t count)
{
    if (CMW_LIKELY(key->algorithm == CMW__HASH_AES))
        return cmw__hash_aes_parts(key, parts, count);
    return siphash_parts(key, parts, count);
}
