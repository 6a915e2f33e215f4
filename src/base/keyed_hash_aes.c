/* SPDX-License-Identifier: MIT */
/*
 * The keyed hash by AES instructions. This file alone is compiled for them; cmw_hash_key_init asks
 * the CPU once.
 *
 * Each block of 16 bytes is added to a secret state, which four rounds then mix: after two, every
 * bit depends on every other; after four, no difference of inputs cancels out with more than a
 * negligible probability. What ends a message is told apart so that no two messages give the same
 * blocks:
 *
 *   0..15 bytes   one block, zeros behind the bytes, the length in the last byte; begins with half
 * A of the key 16 bytes      one block; begins with half B more          blocks of 16, the last one
 * overlapping the one before, then the length as a block
 *
 * Nothing is read outside of the bytes.
 */
#include "keyed_hash.h"

#include <wmmintrin.h>

#include "str.h"

/* Both halves of the key. */
struct halves {
    __m128i a, b;
};

static inline struct halves load_key(const cmw_hash_key *key)
{
    return (struct halves){_mm_loadu_si128((const __m128i *)(const void *)&key->words[0]),
                           _mm_loadu_si128((const __m128i *)(const void *)&key->words[2])};
}

static inline __m128i load16(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline __m128i mix(__m128i state, const struct halves *key)
{
    state = _mm_aesenc_si128(state, key->b);
    state = _mm_aesenc_si128(state, key->a);
    state = _mm_aesenc_si128(state, key->b);
    return _mm_aesenc_si128(state, key->a);
}

static inline uint64_t byte_at(const char *at, size_t index)
{
    return (uint64_t)(unsigned char)at[index] << 8 * index;
}

/* Up to 15 bytes as a block: the first eight, then the others below the length. Loads overlap, and
 * what is read twice comes to lie in the same place. */
static inline __m128i load_short(cmw_str bytes)
{
    const char *const at = bytes.data;
    const size_t len = bytes.len;
    uint64_t low = 0;
    uint64_t high = (uint64_t)len << 56;

    if (len >= 8) {
        low = cmw__load8(at);
        high |= cmw__load8(at + len - 8) >> 8 * (15 - len) >> 8; /* by 8 to 64: never at once */
    } else if (len >= 4) {
        low = cmw__load4(at) | (uint64_t)cmw__load4(at + len - 4) << 8 * (len - 4);
    } else if (len > 0) {
        low = byte_at(at, 0) | byte_at(at, len / 2) | byte_at(at, len - 1);
    }
    return _mm_set_epi64x((long long)high, (long long)low);
}

/* Sixteen bytes or more, behind what `state` has seen. */
static inline __m128i add_long(__m128i state, const struct halves *key, cmw_str bytes)
{
    const char *const last = bytes.data + bytes.len - 16;
    const char *at = bytes.data;

    do /* once at least */
        state = mix(_mm_xor_si128(state, load16(at)), key);
    while ((at += 16) < last);
    state = mix(_mm_xor_si128(state, load16(last)), key);
    return mix(_mm_xor_si128(state, _mm_cvtsi64_si128((long long)bytes.len)), key);
}

int cmw__hash_aes_is_available(void)
{
    return __builtin_cpu_supports("aes") != 0;
}

uint64_t cmw__hash_aes(const cmw_hash_key *key, cmw_str bytes)
{
    const struct halves halves = load_key(key);
    __m128i state;

    if (bytes.len > 16)
        return (uint64_t)_mm_cvtsi128_si64(add_long(halves.a, &halves, bytes));
    if (bytes.len < 16)
        state = _mm_xor_si128(load_short(bytes), halves.a);
    else
        state = _mm_xor_si128(load16(bytes.data), halves.b);
    return (uint64_t)_mm_cvtsi128_si64(mix(state, &halves));
}

/* The last block tells a short piece, which has its length on top, from the length of a long one,
 * and with that where the piece began: no two lists of pieces give the same blocks. */
uint64_t cmw__hash_aes_parts(const cmw_hash_key *key, const cmw_str *parts, size_t count)
{
    const struct halves halves = load_key(key);
    __m128i state = halves.a;

    for (size_t i = 0; i < count; i++) {
        const cmw_str bytes = parts[i];
        if (bytes.len >= 16)
            state = add_long(state, &halves, bytes);
        else
            state = mix(_mm_xor_si128(state, load_short(bytes)), &halves);
    }
    return (uint64_t)_mm_cvtsi128_si64(state);
}

uint64_t cmw__hash_aes_pair(const cmw_hash_key *key, uint64_t first, uint64_t second)
{
    const struct halves halves = load_key(key);
    const __m128i block = _mm_set_epi64x((long long)second, (long long)first);

    return (uint64_t)_mm_cvtsi128_si64(mix(_mm_xor_si128(block, halves.b), &halves));
}
