/* SPDX-License-Identifier: MIT */
/* What a quota belongs to: reading the parts of a key from a request, and hashing them. */
#ifndef CMW_BUILTIN_RATE_KEY_H
#define CMW_BUILTIN_RATE_KEY_H

#include <catzilla/builtin/rate_limit.h>
#include <catzilla/mw.h>

/* What all keys of a middleware share. */
struct cmw__rate_source {
    cmw_hash_key hash_key;
    uint64_t ipv6_mask[2]; /* in the order of the address's bytes */
    cmw_rate_key_fn *key_fn;
    void *key_self;
};

struct cmw__rate_part;

/* One part of a request's key. `room` has 16 bytes, for those that are not found as they are. 0, or
 * an error that fails the request. */
typedef int cmw__rate_part_fn(const struct cmw__rate_source *source,
                              const struct cmw__rate_part *part, cmw_ctx *ctx, cmw_str *out,
                              char *room);

struct cmw__rate_part {
    cmw__rate_part_fn *read;
    cmw_str name; /* of a field that has no id */
    cmw_header_id id;
    cmw_slot slot;
    size_t slot_size;
};

struct cmw__rate_key {
    struct cmw__rate_part parts[CMW_RATE_KEY_PARTS_MAX];
    size_t count;
};

/* Read texts such as "ip" and "header:X-Api-Key"; relations are noted in the descriptor. `option`
 * names the list in diagnostics. 0 or an error. */
int cmw__rate_key_init(struct cmw__rate_key *key, cmw_engine *engine, cmw_middleware *middleware,
                       cmw_arena *arena, const struct cmw__rate_source *source,
                       const char *const *texts, size_t count, const char *option, cmw_diag *diag);

/* 1 if a part comes from a slot: the limit then stands behind who sets it. */
int cmw__rate_key_reads_slot(const struct cmw__rate_key *key);
/* 1 if the client's address is the whole key. */
int cmw__rate_key_is_client(const struct cmw__rate_key *key);

/* Hash a request's key. 0 or an error. Parts are hashed one by one, and then their hashes: bytes
 * that move from one part to the next make another key. */
int cmw__rate_key_hash(const struct cmw__rate_source *source, const struct cmw__rate_key *key,
                       cmw_ctx *ctx, uint64_t *hash);

/* A request's key as bytes, in its arena: each part after its length. 0 or an error. */
int cmw__rate_key_write(const struct cmw__rate_source *source, const struct cmw__rate_key *key,
                        cmw_ctx *ctx, cmw_str *out);

/* The address's bytes that count: 4, 16, or 1 for a local socket; none for an unknown one. */
static inline cmw_str cmw__rate_client(const struct cmw__rate_source *source, cmw_ctx *ctx,
                                       char *room)
{
    const cmw_address *client = cmw_request_client_address(cmw_ctx_request(ctx));
    uint64_t words[2];

    if (client->family == CMW_ADDRESS_V4)
        return cmw_str_make((const char *)client->bytes, 4);
    if (client->family != CMW_ADDRESS_V6)
        return cmw_str_make("u", client->family == CMW_ADDRESS_UNIX);
    memcpy(words, client->bytes, sizeof words);
    words[0] &= source->ipv6_mask[0];
    words[1] &= source->ipv6_mask[1];
    memcpy(room, words, sizeof words);
    return cmw_str_make(room, sizeof words);
}

/* The hash of a key that is the client's address alone: an IPv4 address as the IPv6 address that it
 * maps to, which no IPv6 client has; others as addresses that nobody has. */
static inline uint64_t cmw__rate_client_hash(const struct cmw__rate_source *source, cmw_ctx *ctx)
{
    const cmw_address *client = cmw_request_client_address(cmw_ctx_request(ctx));
    uint64_t words[2] = {0, client->family};
    uint32_t v4;

    if (CMW_EXPECT(client->family == CMW_ADDRESS_V4, 1)) {
        memcpy(&v4, client->bytes, sizeof v4);
        words[1] = (uint64_t)v4 << 32 | UINT64_C(0xffff0000);
    } else if (client->family == CMW_ADDRESS_V6) {
        memcpy(words, client->bytes, sizeof words);
        words[0] &= source->ipv6_mask[0];
        words[1] &= source->ipv6_mask[1];
    }
    return cmw_hash_keyed_pair(&source->hash_key, words[0], words[1]);
}

#endif /* CMW_BUILTIN_RATE_KEY_H */
