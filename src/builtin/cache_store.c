/* SPDX-License-Identifier: MIT */
/* Shards, buckets, and lists by last use. */
#include "cache_store.h"

#include "builtins.h"
#include "spin.h"

enum { PURGES = 64 };
enum { SHARDS = 8, BUCKETS_LEAST = 64, BYTES_A_BUCKET = 2048 };

struct cmw__cache_shard {
    _Alignas(64) struct cmw__spin lock;
    struct cmw__cache_store *store;
    struct cmw__cache_entry **buckets;
    struct cmw__cache_entry *newest, *oldest;
    size_t entries;
    size_t limit;
    _Atomic uint32_t purges[PURGES]; /* by hash; written under the lock */
    _Atomic size_t bytes;            /* of entries, also of those that are only sent any more */
};

struct cmw__cache_store {
    struct cmw__cache_shard shards[SHARDS];
    cmw_pool *pool;
    cmw_hash_key hash_key;
    uint64_t mask;      /* buckets of a shard - 1 */
    size_t whole_bytes; /* of this piece, with the buckets */
};

/* ---- The store -------------------------------------------------------------------------- */

static uint64_t buckets_for(size_t bytes)
{
    uint64_t buckets = BUCKETS_LEAST;

    while (buckets * BYTES_A_BUCKET * SHARDS * 2 <= bytes)
        buckets *= 2;
    return buckets;
}

static size_t table_bytes(uint64_t buckets)
{
    return sizeof(struct cmw__cache_store) + SHARDS * (size_t)buckets * sizeof(void *);
}

size_t cmw__cache_store_least(void)
{
    return 4 * table_bytes(BUCKETS_LEAST);
}

struct cmw__cache_store *cmw__cache_store_create(cmw_pool *pool, size_t bytes)
{
    const uint64_t buckets = buckets_for(bytes);
    const size_t whole = table_bytes(buckets);
    struct cmw__cache_store *store = cmw_pool_alloc(pool, whole, 64);

    if (!store)
        return NULL;
    memset(store, 0, whole);
    store->pool = pool;
    store->mask = buckets - 1;
    store->whole_bytes = whole;
    if (cmw_hash_key_init(&store->hash_key) != 0) {
        cmw_pool_free(pool, store, whole, 64);
        return NULL;
    }
    struct cmw__cache_entry **at = (struct cmw__cache_entry **)(void *)(store + 1);
    for (size_t i = 0; i < SHARDS; i++) {
        store->shards[i].store = store;
        store->shards[i].buckets = at + i * buckets;
        store->shards[i].limit = (bytes - whole) / SHARDS;
    }
    return store;
}

cmw_pool *cmw__cache_pool(const struct cmw__cache_store *store)
{
    return store->pool;
}

const cmw_hash_key *cmw__cache_hash_key(const struct cmw__cache_store *store)
{
    return &store->hash_key;
}

static struct cmw__cache_shard *shard_of(struct cmw__cache_store *store, uint64_t hash)
{
    return &store->shards[hash >> 61];
}

static struct cmw__cache_entry **bucket_of(struct cmw__cache_shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & shard->store->mask];
}

/* ---- Counting --------------------------------------------------------------------------- */

void cmw__cache_release(struct cmw__cache_entry *entry)
{
    if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct cmw__cache_shard *shard = entry->shard;
    cmw_pool *pool = shard->store->pool;
    const size_t block = entry->bytes;
    cmw_header_block_destroy(entry->block, pool);
    cmw_pool_free(pool, entry, (size_t)(entry->body.data - (const char *)entry) + entry->body.len,
                  16);
    atomic_fetch_sub_explicit(&shard->bytes, block, memory_order_relaxed);
}

/* ---- Lists, under the lock -------------------------------------------------------------- */

static void unlink_use(struct cmw__cache_shard *shard, struct cmw__cache_entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        shard->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        shard->oldest = entry->newer;
}

static void link_newest(struct cmw__cache_shard *shard, struct cmw__cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = entry;
    else
        shard->oldest = entry;
    shard->newest = entry;
}

/* Out of the lists, into `*gone`, linked by `next`. */
static void take_out(struct cmw__cache_shard *shard, struct cmw__cache_entry *entry,
                     struct cmw__cache_entry **gone)
{
    struct cmw__cache_entry **at = bucket_of(shard, entry->key.hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    unlink_use(shard, entry);
    entry->is_in = 0;
    shard->entries--;
    entry->next = *gone;
    *gone = entry;
}

/* Not under the lock. */
static void release_all(struct cmw__cache_entry *gone)
{
    while (gone) {
        struct cmw__cache_entry *next = gone->next;
        cmw__cache_release(gone);
        gone = next;
    }
}

/* ---- Finding ---------------------------------------------------------------------------- */

/* A field that comes twice is nobody's word. */
static int reads_same(cmw_request *request, const struct cmw__cache_vary *vary)
{
    size_t count, seen = 0;
    const cmw_header *headers = cmw_request_headers(request, &count);

    for (size_t i = 0; i < count; i++) {
        if (!cmw_str_equals_fold(headers[i].name, vary->name))
            continue;
        if (seen++ > 0 || !cmw_str_equals(headers[i].value, vary->value))
            return 0;
    }
    return (seen > 0) == (vary->is_there != 0);
}

static CMW__BUILTIN_NOINLINE int answers(const struct cmw__cache_entry *entry, cmw_request *request)
{
    for (size_t i = 0; i < entry->vary_count; i++)
        if (!reads_same(request, &entry->vary[i]))
            return 0;
    return 1;
}

/* An entry is `at` or behind it in its bucket. */
static struct cmw__cache_entry *find_from(struct cmw__cache_entry *at,
                                          const struct cmw__cache_key *key, cmw_request *request)
{
    const uint64_t hash = key->hash;

    for (; at; at = at->next)
        if (at->key.hash == hash && cmw__cache_same_uri(&at->key.uri, &key->uri) &&
            (key->uri.is_checked || atomic_load_explicit(&at->is_plain, memory_order_relaxed)) &&
            (at->vary_count == 0 || answers(at, request)))
            return at;
    return NULL;
}

struct cmw__cache_entry *cmw__cache_find(struct cmw__cache_store *store,
                                         const struct cmw__cache_key *key, cmw_request *request)
{
    struct cmw__cache_shard *shard = shard_of(store, key->hash);

    cmw__spin_lock(&shard->lock);
    struct cmw__cache_entry *found = find_from(*bucket_of(shard, key->hash), key, request);
    if (found) {
        atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
        if (shard->newest != found) {
            unlink_use(shard, found);
            link_newest(shard, found);
        }
    }
    cmw__spin_unlock(&shard->lock);
    return found;
}

/* ---- Putting in ------------------------------------------------------------------------- */

/* What an allocator takes for so many: classes of a quarter of the power of two below, and a word
 * or two beside them. */
static size_t taken_for(size_t bytes)
{
    size_t step = 16;

    while (step * 8 <= bytes)
        step *= 2;
    return (bytes / step + 1) * step + 16;
}

/* Count the bytes, and drive out what was used longest ago until they fit: 1, or 0. */
static int make_room(struct cmw__cache_shard *shard, size_t bytes)
{
    struct cmw__cache_entry *gone = NULL;
    size_t freed = 0;

    if (bytes > shard->limit / 4)
        return 0;
    const size_t before = atomic_fetch_add_explicit(&shard->bytes, bytes, memory_order_relaxed);
    const size_t wanted = before + bytes;
    cmw__spin_lock(&shard->lock);
    while (wanted - freed > shard->limit && shard->oldest) {
        freed += shard->oldest->bytes;
        take_out(shard, shard->oldest, &gone);
    }
    cmw__spin_unlock(&shard->lock);
    release_all(gone);
    /* What is still being sent stays: then this one is not stored. */
    if (atomic_load_explicit(&shard->bytes, memory_order_relaxed) <= shard->limit)
        return 1;
    atomic_fetch_sub_explicit(&shard->bytes, bytes, memory_order_relaxed);
    return 0;
}

struct cmw__cache_entry *cmw__cache_make(struct cmw__cache_store *store, uint64_t hash,
                                         size_t text_bytes, size_t block_bytes)
{
    struct cmw__cache_shard *shard = shard_of(store, hash);
    struct cmw__cache_entry *entry = NULL;
    const size_t own = sizeof *entry + text_bytes;
    const size_t bytes = taken_for(own) + taken_for(block_bytes);

    if (!make_room(shard, bytes))
        return NULL;
    entry = cmw_pool_alloc(store->pool, own, 16);
    if (!entry) {
        atomic_fetch_sub_explicit(&shard->bytes, bytes, memory_order_relaxed);
        return NULL;
    }
    memset(entry, 0, sizeof *entry);
    atomic_init(&entry->refs, 1);
    entry->shard = shard;
    entry->bytes = bytes;
    entry->key.hash = hash;
    entry->body = cmw_str_make((char *)entry + own, 0);
    return entry;
}

static int same_variant(const struct cmw__cache_entry *a, const struct cmw__cache_entry *b)
{
    if (a->vary_count != b->vary_count)
        return 0;
    for (size_t i = 0; i < a->vary_count; i++)
        if (!cmw_str_equals_fold(a->vary[i].name, b->vary[i].name) ||
            a->vary[i].is_there != b->vary[i].is_there ||
            !cmw_str_equals(a->vary[i].value, b->vary[i].value))
            return 0;
    return 1;
}

static _Atomic uint32_t *purges_of(struct cmw__cache_shard *shard, uint64_t hash)
{
    return &shard->purges[hash / 64 % PURGES];
}

uint32_t cmw__cache_purges(struct cmw__cache_store *store, uint64_t hash)
{
    return atomic_load_explicit(purges_of(shard_of(store, hash), hash), memory_order_acquire);
}

int cmw__cache_put(struct cmw__cache_store *store, struct cmw__cache_entry *entry, uint32_t purges)
{
    struct cmw__cache_shard *shard = shard_of(store, entry->key.hash);
    struct cmw__cache_entry *gone = NULL, *last = NULL, *next;
    size_t variants = 0;

    cmw__spin_lock(&shard->lock);
    if (*purges_of(shard, entry->key.hash) != purges) {
        cmw__spin_unlock(&shard->lock);
        return 0;
    }
    atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
    for (struct cmw__cache_entry *at = *bucket_of(shard, entry->key.hash); at; at = next) {
        next = at->next;
        if (!cmw__cache_same_key(&at->key, &entry->key))
            continue;
        if (same_variant(at, entry)) {
            take_out(shard, at, &gone);
            continue;
        }
        variants++;
        last = at;
    }
    if (variants >= CMW__CACHE_VARIANTS_MAX) /* strangers choose the values of their fields */
        take_out(shard, last, &gone);
    entry->next = *bucket_of(shard, entry->key.hash);
    *bucket_of(shard, entry->key.hash) = entry;
    link_newest(shard, entry);
    entry->is_in = 1;
    shard->entries++;
    cmw__spin_unlock(&shard->lock);
    release_all(gone);
    return 1;
}

void cmw__cache_drop(struct cmw__cache_store *store, struct cmw__cache_entry *entry)
{
    struct cmw__cache_shard *shard = shard_of(store, entry->key.hash);
    struct cmw__cache_entry *gone = NULL;

    cmw__spin_lock(&shard->lock);
    if (entry->is_in)
        take_out(shard, entry, &gone);
    cmw__spin_unlock(&shard->lock);
    release_all(gone);
}

/* ---- Purging ---------------------------------------------------------------------------- */

size_t cmw__cache_purge(struct cmw__cache_store *store, cmw__cache_match_fn *matches,
                        const void *self)
{
    size_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        struct cmw__cache_shard *shard = &store->shards[i];
        struct cmw__cache_entry *gone = NULL, *older;
        cmw__spin_lock(&shard->lock);
        for (size_t k = 0; k < PURGES; k++)
            shard->purges[k]++;
        for (struct cmw__cache_entry *at = shard->newest; at; at = older) {
            older = at->older;
            if (matches && !matches(self, at))
                continue;
            take_out(shard, at, &gone);
            count++;
        }
        cmw__spin_unlock(&shard->lock);
        release_all(gone);
    }
    return count;
}

size_t cmw__cache_purge_key(struct cmw__cache_store *store, const struct cmw__cache_key *key)
{
    struct cmw__cache_shard *shard = shard_of(store, key->hash);
    struct cmw__cache_entry *gone = NULL, *next;
    size_t count = 0;

    cmw__spin_lock(&shard->lock);
    (*purges_of(shard, key->hash))++;
    for (struct cmw__cache_entry *at = *bucket_of(shard, key->hash); at; at = next) {
        next = at->next;
        if (!cmw__cache_same_key(&at->key, key))
            continue;
        take_out(shard, at, &gone);
        count++;
    }
    cmw__spin_unlock(&shard->lock);
    release_all(gone);
    return count;
}

size_t cmw__cache_bytes(struct cmw__cache_store *store, size_t *entries)
{
    size_t bytes = store->whole_bytes;

    *entries = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        struct cmw__cache_shard *shard = &store->shards[i];
        cmw__spin_lock(&shard->lock);
        *entries += shard->entries;
        cmw__spin_unlock(&shard->lock);
        bytes += atomic_load_explicit(&shard->bytes, memory_order_relaxed);
    }
    return bytes;
}

void cmw__cache_store_destroy(struct cmw__cache_store *store)
{
    (void)cmw__cache_purge(store, NULL, NULL);
    cmw_pool_free(store->pool, store, store->whole_bytes, 64);
}
