/* SPDX-License-Identifier: MIT */
/*
 * Values by key in memory that is taken once.
 *
 *   part ──> buckets ──> first block of an entry ──> its other blocks
 *                          │ head, key, value: one text, cut at blocks' ends
 *                          └ newer, older: by when it was stored
 */
#include <catzilla/store.h>

#include <catzilla/arena.h>
#include <catzilla/context.h>
#include <catzilla/hash.h>

#include "memory_blocks.h"
#include "spin.h"

enum { PARTS = 8, BUCKETS_LEAST = 16 };
/* How many entries are looked at for what has expired: of those stored longest ago, and from a hand
 * on that goes round, as those may be the ones that last longest. */
enum { LOOKED_AT = 16 };
/* Owners are told apart by so many counts; 0 is nobody's. */
enum { OWNERS = 256 };

/* At the beginning of an entry's first block. */
struct head {
    uint64_t version;
    uint64_t expires_ns;
    uint32_t hash; /* as much of it as chooses a bucket */
    uint32_t next; /* in its bucket */
    uint32_t newer, older;
    uint32_t key_len, value_len;
    uint32_t blocks;
    uint32_t owner;
};

struct part {
    _Alignas(64) struct cmw__spin lock;
    struct cmw__blocks blocks;
    uint32_t newest, oldest;
    uint32_t hand; /* where sweeping goes on; 0: at the oldest */
    uint64_t entries, version, evicted, refused;
    uint32_t *buckets;
    uint32_t owned[OWNERS]; /* blocks by owner */
};

struct cmw_memory_store {
    struct part parts[PARTS];
    cmw_pool *pool;
    cmw_hash_key hash_key;
    uint32_t mask; /* buckets of a part - 1 */
    int evicts;
    uint32_t share; /* blocks of a part that an owner may have */
    size_t whole_bytes, table_bytes;
};

_Static_assert(sizeof(struct head) == 48, "the public header says how much is the store's");

/* ---- The store -------------------------------------------------------------------------- */

/* How a number of bytes is divided. */
struct layout {
    uint32_t buckets, blocks; /* of a part */
    size_t table_bytes;
};

/* Two blocks to a bucket. */
static struct layout lay_out(size_t bytes)
{
    struct layout layout = {BUCKETS_LEAST, 0, 0};

    while (layout.buckets < UINT32_C(1) << 30 &&
           (size_t)layout.buckets * 2 * PARTS * (2 * CMW__BLOCK_BYTES + 4) <= bytes)
        layout.buckets *= 2;
    layout.table_bytes =
        sizeof(struct cmw_memory_store) + PARTS * (size_t)layout.buckets * sizeof(uint32_t);
    const size_t blocks = (bytes - layout.table_bytes) / PARTS / CMW__BLOCK_BYTES;
    layout.blocks = blocks < UINT32_MAX - 1 ? (uint32_t)blocks : UINT32_MAX - 1;
    return layout;
}

static void fill(cmw_memory_store *store, const struct layout *layout)
{
    uint32_t *buckets = (uint32_t *)(void *)(store + 1);
    struct cmw__block *blocks = (void *)((char *)store + layout->table_bytes);

    for (size_t i = 0; i < PARTS; i++) {
        struct part *part = &store->parts[i];
        part->buckets = buckets + i * layout->buckets;
        part->blocks.all = blocks + i * layout->blocks;
        part->blocks.count = layout->blocks;
        part->version = 1;
    }
}

int cmw_memory_store_create(cmw_memory_store **out, cmw_pool *pool,
                            const cmw_memory_store_config *config)
{
    cmw_memory_store_config ours;

    if (!out || !pool)
        return CMW_ERR_ARG;
    cmw_memory_store_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return CMW_ERR_VERSION;
    if (ours.max_bytes < CMW_MEMORY_STORE_BYTES_MIN || ours.max_bytes > CMW_MEMORY_STORE_BYTES_MAX)
        return CMW_ERR_ARG;
    if (ours.max_share < 1 || ours.max_share > 100)
        return CMW_ERR_ARG;
    const struct layout layout = lay_out((size_t)ours.max_bytes);
    const size_t whole = layout.table_bytes + PARTS * (size_t)layout.blocks * CMW__BLOCK_BYTES;
    cmw_memory_store *store = cmw_pool_alloc(pool, whole, 64);
    if (!store)
        return CMW_ERR_NOMEM;
    memset(store, 0, layout.table_bytes);
    store->pool = pool;
    store->mask = layout.buckets - 1;
    store->evicts = ours.evicts != 0;
    store->share = (uint32_t)((uint64_t)layout.blocks * (uint64_t)ours.max_share / 100);
    store->whole_bytes = whole;
    store->table_bytes = layout.table_bytes;
    fill(store, &layout);
    if (cmw_hash_key_init(&store->hash_key) != 0) {
        cmw_memory_store_destroy(store);
        return CMW_ERR_IO;
    }
    *out = store;
    return 0;
}

void cmw_memory_store_destroy(cmw_memory_store *store)
{
    if (store)
        cmw_pool_free(store->pool, store, store->whole_bytes, 64);
}

/* ---- Heads ------------------------------------------------------------------------------ */

/* A head is read and written as a whole: the block's bytes are not aligned for it. */
static struct head head_of(const struct part *part, uint32_t index)
{
    struct head head;

    memcpy(&head, cmw__block_at(&part->blocks, index)->bytes, sizeof head);
    return head;
}

static void set_head(const struct part *part, uint32_t index, const struct head *head)
{
    memcpy(cmw__block_at(&part->blocks, index)->bytes, head, sizeof *head);
}

static size_t blocks_for(size_t text_len)
{
    return (sizeof(struct head) + text_len + CMW__BLOCK_TEXT - 1) / CMW__BLOCK_TEXT;
}

/* Behind the head: the key, then the value. */
static struct cmw__place text_of(const struct part *part, uint32_t entry)
{
    return (struct cmw__place){&part->blocks, entry, sizeof(struct head)};
}

/* ---- Entries, under the lock ------------------------------------------------------------ */

static uint32_t *bucket_of(const cmw_memory_store *store, struct part *part, uint32_t hash)
{
    return &part->buckets[hash & store->mask];
}

static void set_newer(struct part *part, uint32_t entry, uint32_t newer)
{
    if (entry == 0) {
        part->oldest = newer;
        return;
    }
    struct head head = head_of(part, entry);
    head.newer = newer;
    set_head(part, entry, &head);
}

static void set_older(struct part *part, uint32_t entry, uint32_t older)
{
    if (entry == 0) {
        part->newest = older;
        return;
    }
    struct head head = head_of(part, entry);
    head.older = older;
    set_head(part, entry, &head);
}

/* Take an entry out of its bucket and of the list. */
static void unlink_entry(const cmw_memory_store *store, struct part *part, uint32_t entry)
{
    const struct head head = head_of(part, entry);
    uint32_t *bucket = bucket_of(store, part, head.hash);

    if (*bucket == entry) {
        *bucket = head.next;
    } else {
        uint32_t at = *bucket;
        struct head before = head_of(part, at);
        while (before.next != entry) {
            at = before.next;
            before = head_of(part, at);
        }
        before.next = head.next;
        set_head(part, at, &before);
    }
    set_newer(part, head.older, head.newer);
    set_older(part, head.newer, head.older);
    if (part->hand == entry)
        part->hand = head.newer;
    part->owned[head.owner] -= head.blocks;
    part->entries--;
}

static void drop(const cmw_memory_store *store, struct part *part, uint32_t entry)
{
    unlink_entry(store, part, entry);
    cmw__blocks_put(&part->blocks, entry);
}

/* The entry of a key that has not expired, or 0. */
static uint32_t find(const cmw_memory_store *store, struct part *part, uint32_t hash, cmw_str key,
                     uint64_t now_ns)
{
    uint32_t entry = *bucket_of(store, part, hash);

    while (entry != 0) {
        const struct head head = head_of(part, entry);
        struct cmw__place place = text_of(part, entry);
        if (head.hash == hash && head.key_len == key.len && cmw__place_holds(&place, key)) {
            if (head.expires_ns > now_ns)
                return entry;
            drop(store, part, entry);
            return 0;
        }
        entry = head.next;
    }
    return 0;
}

/* Drop what has expired of some, from an entry on; the one behind them. */
static uint32_t sweep_from(const cmw_memory_store *store, struct part *part, uint32_t entry,
                           uint64_t now_ns)
{
    for (unsigned i = 0; i < LOOKED_AT && entry != 0; i++) {
        const struct head head = head_of(part, entry);
        if (head.expires_ns <= now_ns)
            drop(store, part, entry);
        entry = head.newer;
    }
    return entry;
}

static void sweep(const cmw_memory_store *store, struct part *part, uint64_t now_ns)
{
    (void)sweep_from(store, part, part->oldest, now_ns);
    part->hand = sweep_from(store, part, part->hand ? part->hand : part->oldest, now_ns);
}

/* 1 if an owner would have more than its share. Who evicts refuses nobody. */
static int is_over_share(const cmw_memory_store *store, const struct part *part, uint32_t owner,
                         size_t blocks)
{
    return owner != 0 && !store->evicts && blocks + part->owned[owner] > store->share;
}

/* Room for so many blocks of an owner: 0 or CMW_ERR_LIMIT. */
static int make_room(const cmw_memory_store *store, struct part *part, uint32_t owner,
                     size_t blocks, uint64_t now_ns)
{
    if (blocks > cmw__blocks_left(&part->blocks) || is_over_share(store, part, owner, blocks))
        sweep(store, part, now_ns);
    if (blocks > part->blocks.count || is_over_share(store, part, owner, blocks))
        return CMW_ERR_LIMIT;
    while (store->evicts && blocks > cmw__blocks_left(&part->blocks) && part->oldest != 0) {
        drop(store, part, part->oldest);
        part->evicted++;
    }
    return blocks > cmw__blocks_left(&part->blocks) ? CMW_ERR_LIMIT : 0;
}

static uint64_t expiry(const cmw_store_entry *entry)
{
    return entry->ttl_ns < UINT64_MAX - entry->now_ns ? entry->now_ns + entry->ttl_ns : UINT64_MAX;
}

/* Let an entry be found, as the newest one. */
static void link_entry(const cmw_memory_store *store, struct part *part, uint32_t entry,
                       struct head *head)
{
    uint32_t *bucket = bucket_of(store, part, head->hash);

    head->next = *bucket;
    head->newer = 0;
    head->older = part->newest;
    set_head(part, entry, head);
    *bucket = entry;
    set_newer(part, head->older, entry);
    part->newest = entry;
    part->owned[head->owner] += head->blocks;
    part->entries++;
}

/* The count of an owner. */
static uint32_t owner_of(const cmw_memory_store *store, const cmw_store_entry *entry)
{
    if (entry->owner.len == 0)
        return 0;
    return 1 + (uint32_t)(cmw_hash_keyed(&store->hash_key, entry->owner) % (OWNERS - 1));
}

/* An entry that is not there, for which there is room: its version. */
static uint64_t insert(const cmw_memory_store *store, struct part *part, uint32_t hash,
                       const cmw_store_entry *wanted, uint32_t owner)
{
    const uint32_t count = (uint32_t)blocks_for(wanted->key.len + wanted->value.len);
    const uint32_t entry = cmw__blocks_take(&part->blocks, count);
    struct head head = {.version = part->version++,
                        .expires_ns = expiry(wanted),
                        .hash = hash,
                        .key_len = (uint32_t)wanted->key.len,
                        .value_len = (uint32_t)wanted->value.len,
                        .blocks = count,
                        .owner = owner};
    struct cmw__place place = text_of(part, entry);

    cmw__place_write(&place, wanted->key);
    cmw__place_write(&place, wanted->value);
    link_entry(store, part, entry, &head);
    return head.version;
}

/* ---- The interface ---------------------------------------------------------------------- */

static struct part *part_of(cmw_memory_store *store, cmw_str key, uint32_t *hash)
{
    const uint64_t whole = cmw_hash_keyed(&store->hash_key, key);

    *hash = (uint32_t)whole;
    return &store->parts[whole >> 61];
}

static int is_too_long(const cmw_store_entry *entry)
{
    return entry->key.len > UINT32_MAX / 2 || entry->value.len > UINT32_MAX / 2;
}

/* What became of looking at a key under the lock: ADDED, or FOUND and the item's version and length
 * are filled, and its bytes too if there was room for exactly so many; or an error. */
static int add_locked(const cmw_memory_store *store, struct part *part, uint32_t hash,
                      const cmw_store_entry *wanted, cmw_store_item *item, char *to)
{
    const uint32_t entry = find(store, part, hash, wanted->key, wanted->now_ns);

    if (entry != 0) {
        const struct head head = head_of(part, entry);
        struct cmw__place place = text_of(part, entry);
        const int fits = to && head.value_len == item->value.len;
        item->version = head.version;
        item->value = cmw_str_make(fits ? to : NULL, head.value_len);
        if (fits) {
            cmw__place_skip(&place, head.key_len);
            cmw__place_read(&place, to, head.value_len);
        }
        return CMW_STORE_FOUND;
    }
    const uint32_t owner = owner_of(store, wanted);
    if (make_room(store, part, owner, blocks_for(wanted->key.len + wanted->value.len),
                  wanted->now_ns) != 0) {
        part->refused++;
        return CMW_ERR_LIMIT;
    }
    item->version = insert(store, part, hash, wanted, owner);
    return CMW_STORE_ADDED;
}

/* The bytes of a value are handed out in the request's arena, from which nobody takes under the
 * lock: so its length is looked at first, and again if it has changed meanwhile. */
static int add(void *self, cmw_ctx *ctx, const cmw_store_entry *wanted, cmw_store_item *item)
{
    cmw_memory_store *store = self;
    char *to = NULL;
    uint32_t hash;
    struct part *part = part_of(store, wanted->key, &hash);

    if (is_too_long(wanted))
        return CMW_ERR_LIMIT;
    memset(item, 0, sizeof *item);
    for (;;) {
        cmw__spin_lock(&part->lock);
        const int answer = add_locked(store, part, hash, wanted, item, to);
        cmw__spin_unlock(&part->lock);
        item->answer = answer;
        if (answer != CMW_STORE_FOUND || item->value.data)
            return answer;
        to = cmw_arena_alloc_text(cmw_ctx_arena(ctx), item->value.len + 1);
        if (!to)
            return CMW_ERR_NOMEM;
    }
}

/* Under the lock. The entry is not in the list while room is made, so that it does not have to go
 * for its own sake. */
static int replace_locked(const cmw_memory_store *store, struct part *part, uint32_t hash,
                          const cmw_store_entry *wanted, uint64_t version)
{
    const size_t count = blocks_for(wanted->key.len + wanted->value.len);
    const uint32_t entry = find(store, part, hash, wanted->key, wanted->now_ns);

    if (entry == 0 || head_of(part, entry).version != version)
        return CMW_ERR_STALE;
    struct head head = head_of(part, entry);
    if (count > part->blocks.count) { /* nobody else goes for what cannot be */
        part->refused++;
        return CMW_ERR_LIMIT;
    }
    unlink_entry(store, part, entry);
    if (count > head.blocks &&
        (is_over_share(store, part, head.owner, count) ||
         make_room(store, part, 0, count - head.blocks, wanted->now_ns) != 0)) {
        link_entry(store, part, entry, &head);
        part->refused++;
        return CMW_ERR_LIMIT;
    }
    cmw__blocks_put(&part->blocks, entry);
    (void)insert(store, part, hash, wanted, head.owner);
    return 0;
}

static int replace(void *self, const cmw_store_entry *wanted, uint64_t version)
{
    cmw_memory_store *store = self;
    uint32_t hash;
    struct part *part = part_of(store, wanted->key, &hash);

    if (is_too_long(wanted))
        return CMW_ERR_LIMIT;
    cmw__spin_lock(&part->lock);
    const int rc = replace_locked(store, part, hash, wanted, version);
    cmw__spin_unlock(&part->lock);
    return rc;
}

static int remove_key(void *self, cmw_str key, uint64_t version)
{
    cmw_memory_store *store = self;
    uint32_t hash;
    struct part *part = part_of(store, key, &hash);
    int rc = CMW_ERR_STALE;

    cmw__spin_lock(&part->lock);
    const uint32_t entry = find(store, part, hash, key, 0);
    if (entry != 0 && head_of(part, entry).version == version) {
        drop(store, part, entry);
        rc = 0;
    }
    cmw__spin_unlock(&part->lock);
    return rc;
}

cmw_store cmw_memory_store_interface(cmw_memory_store *store)
{
    return (cmw_store){.size = sizeof(cmw_store),
                       .self = store,
                       .add = add,
                       .replace = replace,
                       .remove = remove_key};
}

int cmw_memory_store_get_stats(cmw_memory_store *store, cmw_memory_store_stats *stats)
{
    if (!store || !stats)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    *stats = (cmw_memory_store_stats){.size = sizeof *stats, .bytes = store->table_bytes};
    for (size_t i = 0; i < PARTS; i++) {
        struct part *part = &store->parts[i];
        cmw__spin_lock(&part->lock);
        stats->bytes += (uint64_t)cmw__blocks_in_use(&part->blocks) * CMW__BLOCK_BYTES;
        stats->entries += part->entries;
        stats->evicted += part->evicted;
        stats->refused += part->refused;
        cmw__spin_unlock(&part->lock);
    }
    return 0;
}
