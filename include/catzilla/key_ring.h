/* SPDX-License-Identifier: MIT */
/*
 * Message authentication codes under a ring of keys: the first one signs, each of them verifies, so
 * that keys can be replaced while what they signed is still out.
 *
 * The core has no cryptography of its own. HMAC-SHA256 comes from a provider that the engine is
 * told once, as cmw_crypto_install of libcatzilla-mw-crypto does.
 */
#ifndef CATZILLA_KEY_RING_H
#define CATZILLA_KEY_RING_H

#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/engine.h>

CMW_BEGIN_DECLS

/** Bytes of a code (SHA-256). */
#define CMW_MAC_LEN 32

/** The most keys of a ring: verifying costs a code for each of them. */
#define CMW_KEY_RING_KEYS_MAX 16

/**
 * Who makes codes. Static, or living as long as the engine.
 *
 * Its functions are called on any thread; `sign` must not allocate, block or fail.
 */
typedef struct cmw_mac_provider {
    size_t size;      /**< sizeof(cmw_mac_provider) */
    size_t key_bytes; /**< of a prepared key, aligned to 16 */
    /** Prepare a secret of any length. 0, or an error, which refuses the ring. */
    int (*prepare)(void *key, cmw_str secret);
    /** HMAC-SHA256 of the parts, one after the other. */
    void (*sign)(const void *key, unsigned char mac[CMW_MAC_LEN], const cmw_str *parts,
                 size_t part_count);
    /** Overwrite a key, before its memory is given back. */
    void (*wipe)(void *key);
} cmw_mac_provider;

/**
 * Tell an engine who makes codes.
 *
 * @return  0; CMW_ERR_ARG without a whole provider; CMW_ERR_EXISTS if it has another one already
 * Threads: any; before what needs it is created
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_set_mac_provider(cmw_engine *engine,
                                                      const cmw_mac_provider *provider);

/** The engine's provider, or NULL. */
CMW_API const cmw_mac_provider *cmw_engine_mac_provider(cmw_engine *engine);

/** A ring of keys: immutable once made, asked by any thread. */
typedef struct cmw_key_ring cmw_key_ring;

/**
 * Make a ring.
 *
 * @param[out] out      unchanged on failure
 * @param      arena    takes the ring, and wipes its keys when it is rewound past it or reset
 * @param      engine   whose provider is used
 * @param      secrets  C strings, the one that signs first; copied
 * @param[out] diag     why not, without the secret; or NULL
 * @return              0; CMW_ERR_UNSUPPORTED without a provider; CMW_ERR_ARG without a secret,
 *                      or for more than CMW_KEY_RING_KEYS_MAX;
 *                      CMW_ERR_INVALID for an empty one; CMW_ERR_EXISTS for two that are equal;
 *                      CMW_ERR_NOMEM; what the provider returned
 * Threads:             the arena's owner
 * Cost:                O(secrets); arena memory
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_key_ring_create(cmw_key_ring **out, cmw_arena *arena,
                                              cmw_engine *engine, const char *const *secrets,
                                              size_t count, cmw_diag *diag);

/**
 * The code of a message, by the first key.
 *
 * @param parts  the message, in pieces that are taken one after the other: where one ends must show
 *               in the bytes themselves
 * Threads:      any
 * Cost:         that of the provider, no allocation
 * Since:        0.1
 */
CMW_API void cmw_key_ring_sign(const cmw_key_ring *ring, unsigned char mac[CMW_MAC_LEN],
                               const cmw_str *parts, size_t part_count);

/**
 * Whether a code is that of a message, by any of the keys.
 *
 * All keys are tried, and compared in a time that tells nothing.
 *
 * @return  the index of the key; -1: none of them
 * Threads: any
 * Cost:    that of the provider, a key; no allocation
 * Since:   0.1
 */
CMW_API int cmw_key_ring_verify(const cmw_key_ring *ring, const unsigned char mac[CMW_MAC_LEN],
                                const cmw_str *parts, size_t part_count);

CMW_END_DECLS

#endif /* CATZILLA_KEY_RING_H */
