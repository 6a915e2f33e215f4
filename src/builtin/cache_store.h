/* SPDX-License-Identifier: MIT */
/*
 * Responses by key, in a bounded number of bytes. Shared by threads.
 *
 * Shards by hash, each with buckets, a list by last use, and a part of the bytes. An entry is
 * counted: by its shard while it is found, and by each request that sends it; its bytes count until
 * nobody holds it. What does not fit drives out what was used longest ago, or is not stored.
 */
#ifndef CMW_BUILTIN_CACHE_STORE_H
#define CMW_BUILTIN_CACHE_STORE_H

#include <stdatomic.h>

#include <catzilla/mw.h>

enum { CMW__CACHE_VARY_MAX = 8, CMW__CACHE_VARIANTS_MAX = 16 };

/* A field of the request that the response depends on. */
struct cmw__cache_vary {
    cmw_str name, value;
    int is_there;
};

/* What a response is stored under, or looked for. Its texts are the request's. */
struct cmw__cache_key {
    uint64_t hash;
    cmw_uri uri;
};

struct cmw__cache_entry {
    /* The store's. */
    _Atomic uint32_t refs;
    struct cmw__cache_entry *next;          /* in its bucket */
    struct cmw__cache_entry *newer, *older; /* by last use */
    struct cmw__cache_shard *shard;
    size_t bytes;
    int is_in; /* it can be found */
    /* Written before it is put in, then immutable. */
    struct cmw__cache_key key; /* its texts are the entry's */
    /* A request for it whose texts were these as they came: one that has the same needs no look at
     * them. */
    _Atomic int is_plain;
    struct cmw__cache_vary vary[CMW__CACHE_VARY_MAX];
    size_t vary_count;
    int status;
    cmw_header_block *block;
    cmw_str body;
    uint64_t stored_ns; /* when it was as old as `age_s` says */
    uint64_t age_s, fresh_s, stale_while_s, stale_if_error_s;
    /* Until when somebody asks for a new one. */
    _Atomic uint64_t asked_until_ns;
};

struct cmw__cache_store;

/* Bytes that a store takes at least. */
size_t cmw__cache_store_least(void);
/* Open one; `bytes` bounds all that it takes. NULL without memory. */
struct cmw__cache_store *cmw__cache_store_create(cmw_pool *pool, size_t bytes);
/* Nobody holds an entry any more. */
void cmw__cache_store_destroy(struct cmw__cache_store *store);
/* What keys are hashed by: the store's. */
const cmw_hash_key *cmw__cache_hash_key(const struct cmw__cache_store *store);

/* Set the hash of a key, by the rest of it. An odd number brings ports of one host into different
 * buckets, which nobody can choose. */
static inline void cmw__cache_set_hash(const cmw_hash_key *hash_key, struct cmw__cache_key *key)
{
    const cmw_str parts[] = {key->uri.host, key->uri.target};
    const uint64_t origin = key->uri.port * 2u + key->uri.scheme;

    key->hash = cmw_hash_keyed_parts(hash_key, parts, 2) ^ origin * UINT64_C(0x9e3779b97f4a7c15);
}

/* What differs of eight bytes, and of sixteen. */
static inline uint64_t cmw__cache_difference8(const char *a, const char *b)
{
    uint64_t words[2];

    memcpy(&words[0], a, 8);
    memcpy(&words[1], b, 8);
    return words[0] ^ words[1];
}

static inline uint64_t cmw__cache_difference16(const char *a, const char *b)
{
    return cmw__cache_difference8(a, b) | cmw__cache_difference8(a + 8, b + 8);
}

/* 1 if `len` bytes are the same, without a call where they are few. The last piece may overlap the
 * one before. */
static inline int cmw__cache_same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t difference = 0;

    if (len < 8 || len > 256)
        return len == 0 || memcmp(a, b, len) == 0;
    if (len < 16)
        return (cmw__cache_difference8(a, b) | cmw__cache_difference8(a + len - 8, b + len - 8)) ==
               0;
    for (size_t i = 0; i < len - 16; i += 16)
        difference |= cmw__cache_difference16(a + i, b + i);
    return (difference | cmw__cache_difference16(a + len - 16, b + len - 16)) == 0;
}

static inline int cmw__cache_same_uri(const cmw_uri *a, const cmw_uri *b)
{
    return a->target.len == b->target.len && a->host.len == b->host.len && a->port == b->port &&
           a->scheme == b->scheme &&
           cmw__cache_same_bytes(a->target.data, b->target.data, a->target.len) &&
           cmw__cache_same_bytes(a->host.data, b->host.data, a->host.len);
}

static inline int cmw__cache_same_key(const struct cmw__cache_key *a,
                                      const struct cmw__cache_key *b)
{
    return a->hash == b->hash && cmw__cache_same_uri(&a->uri, &b->uri);
}

/* The entry for a request, counted up; NULL: none. By a key that is not checked only a plain one is
 * found. */
struct cmw__cache_entry *cmw__cache_find(struct cmw__cache_store *store,
                                         const struct cmw__cache_key *key, cmw_request *request);
void cmw__cache_release(struct cmw__cache_entry *entry);

/* Room for an entry with `text_bytes` behind it, counted once for the caller; NULL: it does not
 * fit, or there is no memory. Bytes of its block are to be in `block_bytes`. */
struct cmw__cache_entry *cmw__cache_make(struct cmw__cache_store *store, uint64_t hash,
                                         size_t text_bytes, size_t block_bytes);
cmw_pool *cmw__cache_pool(const struct cmw__cache_store *store);
/* How often keys with this hash were purged, to be asked before the response is made. */
uint32_t cmw__cache_purges(struct cmw__cache_store *store, uint64_t hash);
/* Let it be found, in place of the one that answers the same requests. Takes no count. 0: something
 * was purged since `purges` was asked, and this may be what was meant. */
int cmw__cache_put(struct cmw__cache_store *store, struct cmw__cache_entry *entry, uint32_t purges);
/* Let it be found no more. */
void cmw__cache_drop(struct cmw__cache_store *store, struct cmw__cache_entry *entry);

/* Drop those of which `matches` says so; how many. */
typedef int cmw__cache_match_fn(const void *self, const struct cmw__cache_entry *entry);
size_t cmw__cache_purge(struct cmw__cache_store *store, cmw__cache_match_fn *matches,
                        const void *self);
/* Those with one key. */
size_t cmw__cache_purge_key(struct cmw__cache_store *store, const struct cmw__cache_key *key);
/* Bytes taken, with the tables; and entries. */
size_t cmw__cache_bytes(struct cmw__cache_store *store, size_t *entries);

#endif /* CMW_BUILTIN_CACHE_STORE_H */
