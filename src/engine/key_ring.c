/* SPDX-License-Identifier: MIT */
/* Rings of keys over the engine's provider of codes. */
#include <catzilla/key_ring.h>

#include "engine_state.h"

struct cmw_key_ring {
    const cmw_mac_provider *provider;
    size_t count;
    size_t stride; /* of a key, a multiple of 16 */
    char *keys;
};

static void *key_at(const cmw_key_ring *ring, size_t index)
{
    return ring->keys + index * ring->stride;
}

/* ---- The provider ----------------------------------------------------------------------- */

int cmw_engine_set_mac_provider(cmw_engine *engine, const cmw_mac_provider *provider)
{
    if (!engine || !provider || provider->size < sizeof *provider || provider->key_bytes == 0 ||
        !provider->prepare || !provider->sign || !provider->wipe)
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int is_taken = engine->mac_provider && engine->mac_provider != provider;
    if (!is_taken)
        engine->mac_provider = provider;
    cmw__mutex_unlock(&engine->lock);
    return is_taken ? CMW_ERR_EXISTS : 0;
}

const cmw_mac_provider *cmw_engine_mac_provider(cmw_engine *engine)
{
    cmw__mutex_lock(&engine->lock);
    const cmw_mac_provider *const provider = engine->mac_provider;
    cmw__mutex_unlock(&engine->lock);
    return provider;
}

/* ---- Rings ------------------------------------------------------------------------------ */

static void wipe_keys(void *object)
{
    const cmw_key_ring *const ring = object;

    for (size_t i = 0; i < ring->count; i++)
        ring->provider->wipe(key_at(ring, i));
}

static int check_secrets(const char *const *secrets, size_t count, cmw_diag *diag)
{
    if (count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "the ring has no secret");
    if (count > CMW_KEY_RING_KEYS_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "%zu secrets are more than %d", count,
                            CMW_KEY_RING_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!secrets[i] || secrets[i][0] == '\0')
            return cmw_diag_set(diag, CMW_ERR_INVALID, "secret %zu is empty", i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(secrets[i], secrets[k]) == 0)
                return cmw_diag_set(diag, CMW_ERR_EXISTS, "secrets %zu and %zu are equal", k + 1,
                                    i + 1);
    }
    return 0;
}

static int prepare_keys(cmw_key_ring *ring, const char *const *secrets, size_t count,
                        cmw_diag *diag)
{
    for (; ring->count < count; ring->count++) {
        const int rc =
            ring->provider->prepare(key_at(ring, ring->count), cmw_str_cstr(secrets[ring->count]));
        if (rc != 0)
            return cmw_diag_set(diag, rc, "secret %zu: %s", ring->count + 1, cmw_error_text(rc));
    }
    return 0;
}

int cmw_key_ring_create(cmw_key_ring **out, cmw_arena *arena, cmw_engine *engine,
                        const char *const *secrets, size_t count, cmw_diag *diag)
{
    if (!out || !arena || !engine)
        return CMW_ERR_ARG;
    const cmw_mac_provider *const provider = cmw_engine_mac_provider(engine);
    if (!provider)
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "the engine knows nobody who makes codes: call cmw_crypto_install "
                            "(libcatzilla-mw-crypto)");
    int rc = check_secrets(secrets, count, diag);
    if (rc != 0)
        return rc;
    const size_t stride = (provider->key_bytes + 15) & ~(size_t)15;
    cmw_key_ring *const ring = cmw_arena_alloc(arena, sizeof *ring);
    char *const keys = cmw_arena_alloc(arena, count * stride);
    if (!ring || !keys)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for the keys");
    *ring = (cmw_key_ring){.provider = provider, .stride = stride, .keys = keys};
    if (cmw_arena_defer(arena, wipe_keys, ring) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for the keys");
    rc = prepare_keys(ring, secrets, count, diag);
    if (rc == 0)
        *out = ring;
    return rc;
}

void cmw_key_ring_sign(const cmw_key_ring *ring, unsigned char mac[CMW_MAC_LEN],
                       const cmw_str *parts, size_t part_count)
{
    ring->provider->sign(key_at(ring, 0), mac, parts, part_count);
}

int cmw_key_ring_verify(const cmw_key_ring *ring, const unsigned char mac[CMW_MAC_LEN],
                        const cmw_str *parts, size_t part_count)
{
    const cmw_str wanted = cmw_str_make((const char *)mac, CMW_MAC_LEN);
    unsigned char made[CMW_MAC_LEN];
    int found = -1;

    for (size_t i = 0; i < ring->count; i++) {
        ring->provider->sign(key_at(ring, i), made, parts, part_count);
        if (cmw_str_equals_secret(cmw_str_make((const char *)made, sizeof made), wanted))
            found = (int)i;
    }
    return found;
}
