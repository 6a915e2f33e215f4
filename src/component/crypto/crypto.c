/* SPDX-License-Identifier: MIT */
/*
 * HMAC-SHA256 over libcrypto.
 *
 *     code = H(key ^ opad | H(key ^ ipad | message))
 *
 * Both first blocks are hashed when a key is prepared; a code copies these states. That takes the
 * functions that OpenSSL 3 calls deprecated: those that it recommends allocate for each message.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <catzilla/component/crypto.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <catzilla/key_ring.h>

enum { BLOCK_BYTES = 64 };

struct key {
    SHA256_CTX inner;
    SHA256_CTX outer;
};

static void begin(SHA256_CTX *state, const unsigned char *secret, unsigned char pad)
{
    unsigned char block[BLOCK_BYTES];

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = secret[i] ^ pad;
    (void)SHA256_Init(state);
    (void)SHA256_Update(state, block, sizeof block);
    OPENSSL_cleanse(block, sizeof block);
}

static int prepare(void *to, cmw_str secret)
{
    struct key *const key = to;
    unsigned char block[BLOCK_BYTES] = {0};

    if (secret.len > sizeof block)
        (void)SHA256((const unsigned char *)secret.data, secret.len, block);
    else if (secret.len > 0)
        memcpy(block, secret.data, secret.len);
    begin(&key->inner, block, 0x36);
    begin(&key->outer, block, 0x5c);
    OPENSSL_cleanse(block, sizeof block);
    return 0;
}

static void sign(const void *with, unsigned char mac[CMW_MAC_LEN], const cmw_str *parts,
                 size_t part_count)
{
    const struct key *const key = with;
    SHA256_CTX state = key->inner;
    unsigned char inner[CMW_MAC_LEN];

    for (size_t i = 0; i < part_count; i++)
        (void)SHA256_Update(&state, parts[i].data, parts[i].len);
    (void)SHA256_Final(inner, &state);
    state = key->outer;
    (void)SHA256_Update(&state, inner, sizeof inner);
    (void)SHA256_Final(mac, &state);
}

static void wipe(void *key)
{
    OPENSSL_cleanse(key, sizeof(struct key));
}

int cmw_crypto_install(cmw_engine *engine)
{
    static const cmw_mac_provider provider = {
        .size = sizeof(cmw_mac_provider),
        .key_bytes = sizeof(struct key),
        .prepare = prepare,
        .sign = sign,
        .wipe = wipe,
    };

    return cmw_engine_set_mac_provider(engine, &provider);
}
