/* SPDX-License-Identifier: MIT */
/*
 * Keyed hashing and random bytes, for tables that strangers fill and for secrets.
 */
#ifndef CATZILLA_HASH_H
#define CATZILLA_HASH_H

#include <string.h>

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/**
 * A secret key and the function that goes with it. May lie in memory that processes of one machine
 * share; must not be stored or sent to another machine.
 */
typedef struct cmw_hash_key {
    uint64_t words[4];
    uint32_t algorithm; /**< chosen by cmw_hash_key_init; another number means SipHash */
    uint32_t reserved;  /**< 0 */
} cmw_hash_key;

/**
 * Draw a key from the system's generator and choose the fastest function that this CPU has.
 *
 * @return 0, or CMW_ERR_IO when the system gives no random bytes (`key` is unchanged)
 * Threads: any
 * Cost:    a system call
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_hash_key_init(cmw_hash_key *key);

/**
 * The keyed hash of some bytes: who does not know the key cannot choose bytes that collide.
 *
 * Equal for equal keys and bytes in all processes of one machine. Not a signature, and of no use as
 * one: it is as good as its secrecy.
 *
 * Threads: any
 * Cost:    O(len), no allocation; with AES instructions about 20 instructions for 16 bytes or less
 * Source:  SipHash-1-3 (Aumasson, Bernstein); with AES instructions, four rounds of AES a block, as
 *          in Pelican MAC (Daemen, Rijmen)
 * Since:   0.1
 */
CMW_API uint64_t cmw_hash_keyed(const cmw_hash_key *key, cmw_str bytes);

/**
 * One hash of several pieces, whose ends count: it is another one where what is the same bytes in
 * all was cut elsewhere. Not that of cmw_hash_keyed of their bytes, nor of a single piece.
 *
 * Threads: any
 * Cost:    O(all lengths), no allocation; with AES instructions about 15 instructions a piece and
 *          7 for each 16 bytes
 * Since:   0.1
 */
CMW_API uint64_t cmw_hash_keyed_parts(const cmw_hash_key *key, const cmw_str *parts, size_t count);

/**
 * cmw_hash_keyed of sixteen bytes that are given as two words, in the machine's byte order, `first`
 * being the lower address: for keys of a fixed size. Cost: with AES instructions about 15
 * instructions.
 */
CMW_API uint64_t cmw_hash_keyed_pair(const cmw_hash_key *key, uint64_t first, uint64_t second);

#if defined(__GNUC__) && defined(__x86_64__) && !defined(CMW_NO_INLINE)
/* The number of the function by AES instructions, which are named here as such: a function of a
 * program that is not compiled for them cannot take in one that is. */
#define CMW__HASH_BY_AES 2

typedef long long cmw__words16 __attribute__((vector_size(16)));

static inline uint64_t cmw_hash_keyed_pair_inline(const cmw_hash_key *key, uint64_t first,
                                                  uint64_t second)
{
    cmw__words16 state = {(long long)first, (long long)second}, a, b;

    if (CMW_EXPECT(key->algorithm != CMW__HASH_BY_AES, 0))
        return cmw_hash_keyed_pair(key, first, second);
    memcpy(&a, &key->words[0], sizeof a);
    memcpy(&b, &key->words[2], sizeof b);
    state ^= b;
    __asm__("aesenc {%2, %0|%0, %2}\n\t"
            "aesenc {%1, %0|%0, %1}\n\t"
            "aesenc {%2, %0|%0, %2}\n\t"
            "aesenc {%1, %0|%0, %1}"
            : "+x"(state)
            : "x"(a), "x"(b));
    return (uint64_t)state[0];
}

#define cmw_hash_keyed_pair(key, first, second) cmw_hash_keyed_pair_inline(key, first, second)
#endif

/** 1 if cmw_hash_keyed_pair calls nothing with this key. */
static inline int cmw_hash_is_in_line(const cmw_hash_key *key)
{
#if defined(cmw_hash_keyed_pair)
    return key->algorithm == CMW__HASH_BY_AES;
#else
    (void)key;
    return 0;
#endif
}

/**
 * Bytes of the system's generator, for keys made at configuration time. Requests use
 * cmw_ctx_random.
 *
 * @return 0, CMW_ERR_ARG, CMW_ERR_IO
 * Threads: any
 * Cost:    a system call every 256 bytes
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_random_bytes(void *to, size_t len);

CMW_END_DECLS

#endif /* CATZILLA_HASH_H */
