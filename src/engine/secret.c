/* SPDX-License-Identifier: MIT */
/*
 * Tables of secrets: open addressing, at most half full, with the whole keyed hash beside each
 * entry's address, so that nothing of an entry is read unless all 64 bits agree.
 *
 *     slots  [hash|.]  [ ]  [hash|.]  ...       entries  {id or secret, digest, principal}
 *                 |___________|___________________^
 */
#include <catzilla/secret.h>

#include <catzilla/hash.h>

#include "keyed_hash.h"
#include "platform.h"
#include "str.h"

struct entry {
    cmw_str secret; /* or its digest; at least one byte is readable */
    cmw_principal principal;
};

struct slot {
    uint64_t hash;
    const struct entry *entry; /* NULL: free */
};

struct cmw_secret_table {
    cmw_hash_key key;
    size_t mask; /* slots - 1 */
    struct slot *slots;
    size_t longest; /* secret */
    cmw_digest_fn *digest;
    void *digest_self;
    size_t digest_len;
    struct entry *entries;
    struct entry nobody; /* what unknown ids are compared with */
    const char *owner;
    int32_t order;
};

/* ---- Asking ----------------------------------------------------------------------------- */

/* The secret as the table holds it: itself, or its digest, which is put into `room`. 0 or error. */
static int as_kept(const cmw_secret_table *table, cmw_str *secret, unsigned char *room)
{
    if (!table->digest)
        return 0;
    const int rc = table->digest(table->digest_self, room, table->digest_len, *secret);
    *secret = cmw_str_make((const char *)room, table->digest_len);
    return rc;
}

static inline int holds(const struct slot *slot, uint64_t hash, cmw_str secret)
{
    return slot->hash == hash && slot->entry->secret.len == secret.len &&
           cmw__equals_secret(slot->entry->secret.data, secret.data, secret.len);
}

/* Most are in their first place, and nearly all others in the next. */
static CMW__ALWAYS_INLINE const cmw_principal *find_kept(const cmw_secret_table *table,
                                                         cmw_str secret)
{
    const uint64_t hash = cmw__hash_in_line(&table->key, secret);

    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        const struct slot *const slot = &table->slots[i];
        if (CMW_UNLIKELY(!slot->entry))
            return NULL;
        if (CMW_LIKELY(holds(slot, hash, secret)))
            return &slot->entry->principal;
    }
}

static CMW__NOINLINE const cmw_principal *find_digest(const cmw_secret_table *table, cmw_str secret)
{
    unsigned char room[CMW_DIGEST_CAP];

    return as_kept(table, &secret, room) == 0 ? find_kept(table, secret) : NULL;
}

const cmw_principal *cmw_secret_table_find(const cmw_secret_table *table, cmw_str secret)
{
    if (secret.len > table->longest)
        return NULL;
    return CMW_UNLIKELY(table->digest != NULL) ? find_digest(table, secret)
                                               : find_kept(table, secret);
}

/* Compare in a time that depends on `given` alone, which whoever asks knows anyway. */
static size_t difference_of(cmw_str kept, cmw_str given)
{
    const volatile char *left = kept.data;
    volatile size_t difference = kept.len ^ given.len;

    for (size_t i = 0; i < given.len; i++)
        difference |= (unsigned char)(left[i < kept.len ? i : 0] ^ given.data[i]);
    return difference;
}

static int is_entry(const struct entry *entry, cmw_str id, cmw_str secret)
{
    const size_t difference = difference_of(entry->principal.id, id);
    return (difference | difference_of(entry->secret, secret)) == 0;
}

const cmw_principal *cmw_secret_table_check(const cmw_secret_table *table, cmw_str id,
                                            cmw_str secret)
{
    unsigned char room[CMW_DIGEST_CAP];
    const uint64_t hash = cmw_hash_keyed(&table->key, id);
    const struct entry *asked = NULL;

    if (as_kept(table, &secret, room) != 0)
        return NULL;
    for (size_t i = hash & table->mask; table->slots[i].entry; i = (i + 1) & table->mask) {
        if (table->slots[i].hash != hash)
            continue;
        asked = table->slots[i].entry;
        if (is_entry(asked, id, secret))
            return &asked->principal;
    }
    if (!asked) /* the same work; no secret is equal to the dummy's random bytes */
        (void)is_entry(&table->nobody, id, secret);
    return NULL;
}

/* ---- Making ----------------------------------------------------------------------------- */

static int refuse(const cmw_secret_table *table, cmw_diag *diag, int code, const char *id,
                  const char *why)
{
    return cmw_diag_set(diag, code, "%s: '%s' %s", table->owner, id, why);
}

static int no_memory(const cmw_secret_table *table, cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", table->owner);
}

static int has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return 1;
    return 0;
}

static int check_entry(const cmw_secret_table *table, const cmw_secret_entry *entry, cmw_diag *diag)
{
    const char *id = entry->id;

    if (!id || has_control(id))
        return refuse(table, diag, CMW_ERR_INVALID, id ? id : "",
                      id ? "has a control byte" : "is no id");
    if (*id == '\0' && table->order == CMW_SECRET_BY_SECRET)
        return refuse(table, diag, CMW_ERR_INVALID, id, "is no id");
    if (entry->digest && !table->digest)
        return refuse(table, diag, CMW_ERR_CONFLICT, id,
                      "has a digest, and the table has no function to make one");
    if (!entry->secret && !entry->digest)
        return refuse(table, diag, CMW_ERR_INVALID, id, "has no secret");
    /* a password may be empty, but not together with the name */
    if (entry->secret && *entry->secret == '\0' && !entry->digest &&
        (table->order == CMW_SECRET_BY_SECRET || *id == '\0'))
        return refuse(table, diag, CMW_ERR_INVALID, id, "has an empty secret");
    for (size_t i = 0; i < entry->role_count; i++)
        if (!entry->roles[i] || *entry->roles[i] == '\0' || has_control(entry->roles[i]))
            return refuse(table, diag, CMW_ERR_INVALID, id, "has a role that is no name");
    for (size_t i = 0; i < entry->scope_count; i++)
        if (!cmw_scope_is_valid(cmw_str_cstr(entry->scopes[i])))
            return refuse(table, diag, CMW_ERR_INVALID, id, "has a scope that is none");
    return 0;
}

static int copy_list(cmw_arena *arena, const cmw_str **out, const char *const *texts, size_t count)
{
    cmw_str *list = cmw_arena_alloc(arena, count * sizeof *list);
    int rc = list ? 0 : CMW_ERR_NOMEM;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = cmw_arena_dup(arena, &list[i], cmw_str_cstr(texts[i]));
    *out = list;
    return rc;
}

static int copy_principal(cmw_arena *arena, cmw_principal *to, const cmw_secret_entry *from)
{
    int rc = cmw_arena_dup(arena, &to->id, cmw_str_cstr(from->id));

    to->role_count = from->role_count;
    to->scope_count = from->scope_count;
    to->data = from->data;
    if (rc == 0)
        rc = copy_list(arena, &to->roles, from->roles, from->role_count);
    return rc == 0 ? copy_list(arena, &to->scopes, from->scopes, from->scope_count) : rc;
}

/* The secret, or its digest, whichever way it was given. */
static int copy_secret(cmw_secret_table *table, cmw_arena *arena, struct entry *to,
                       const cmw_secret_entry *from, cmw_diag *diag)
{
    unsigned char room[CMW_DIGEST_CAP];
    cmw_str secret = cmw_str_cstr(from->secret);
    int rc = 0;

    if (from->digest)
        secret = cmw_str_make((const char *)from->digest, table->digest_len);
    else
        rc = as_kept(table, &secret, room);
    if (rc != 0)
        return refuse(table, diag, rc, from->id, "has a secret of which no digest can be made");
    if (cmw_arena_dup(arena, &to->secret, secret) != 0)
        return no_memory(table, diag);
    if (to->secret.len > table->longest)
        table->longest = to->secret.len;
    return 0;
}

/* Put an entry into its place. */
static int insert(cmw_secret_table *table, const struct entry *entry, cmw_diag *diag)
{
    const int by_id = table->order == CMW_SECRET_BY_ID;
    const cmw_str key = by_id ? entry->principal.id : entry->secret;
    const uint64_t hash = cmw_hash_keyed(&table->key, key);
    size_t i = hash & table->mask;

    for (; table->slots[i].entry; i = (i + 1) & table->mask) {
        const struct entry *other = table->slots[i].entry;
        if (!cmw_str_equals(by_id ? other->principal.id : other->secret, key))
            continue;
        if (by_id)
            return refuse(table, diag, CMW_ERR_EXISTS, entry->principal.id.data, "stands twice");
        return cmw_diag_set(diag, CMW_ERR_EXISTS, "%s: '%s' has the secret of '%s'", table->owner,
                            entry->principal.id.data, other->principal.id.data);
    }
    table->slots[i] = (struct slot){hash, entry};
    return 0;
}

static int add_entries(cmw_secret_table *table, cmw_arena *arena,
                       const cmw_secret_table_config *config, cmw_str scheme, cmw_diag *diag)
{
    for (size_t i = 0; i < config->entry_count; i++) {
        const cmw_secret_entry *from = &config->entries[i];
        struct entry *entry = &table->entries[i];
        int rc = check_entry(table, from, diag);
        if (rc == 0)
            rc = copy_secret(table, arena, entry, from, diag);
        if (rc != 0)
            return rc;
        if (copy_principal(arena, &entry->principal, from) != 0)
            return no_memory(table, diag);
        entry->principal.scheme = scheme;
        if ((rc = insert(table, entry, diag)) != 0)
            return rc;
    }
    return 0;
}

/* Slots and entries, cleared; a dummy of random bytes; the longest secret so far. */
static int allocate(cmw_secret_table *table, cmw_arena *arena, size_t count, cmw_diag *diag)
{
    enum { DUMMY = 32 };
    char dummy[DUMMY];
    size_t slots = 2;

    while (slots < 2 * count)
        slots *= 2;
    if (cmw_random_bytes(dummy, sizeof dummy) != 0 || cmw_hash_key_init(&table->key) != 0)
        return cmw_diag_set(diag, CMW_ERR_IO, "%s: the system gives no random bytes", table->owner);
    table->mask = slots - 1;
    table->slots = cmw_arena_alloc(arena, slots * sizeof *table->slots);
    table->entries = cmw_arena_alloc(arena, count * sizeof *table->entries);
    if (!table->slots || !table->entries ||
        cmw_arena_dup(arena, &table->nobody.secret, cmw_str_make(dummy, sizeof dummy)) != 0 ||
        cmw_arena_dup(arena, &table->nobody.principal.id, CMW_STR("nobody")) != 0)
        return no_memory(table, diag);
    memset(table->slots, 0, slots * sizeof *table->slots);
    memset(table->entries, 0, count * sizeof *table->entries);
    return 0;
}

static int check_config(const cmw_secret_table_config *config, cmw_diag *diag)
{
    const int has_len = config->digest_len >= 16 && config->digest_len <= CMW_DIGEST_CAP;

    if (!config->owner || !config->scheme || (config->entry_count > 0 && !config->entries) ||
        config->entry_count > SIZE_MAX / 4 / sizeof(struct entry))
        return cmw_diag_set(diag, CMW_ERR_ARG, "a table of secrets needs an owner and a scheme");
    if (config->order != CMW_SECRET_BY_SECRET && config->order != CMW_SECRET_BY_ID)
        return cmw_diag_set(diag, CMW_ERR_ARG, "%s: order: %d is none", config->owner,
                            (int)config->order);
    if (config->digest ? !has_len : config->digest_len != 0)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "%s: digest_len: 16 to %d with a digest, 0 without one, not %zu",
                            config->owner, CMW_DIGEST_CAP, config->digest_len);
    return 0;
}

int cmw_secret_table_create(cmw_secret_table **out, cmw_arena *arena,
                            const cmw_secret_table_config *config, cmw_diag *diag)
{
    cmw_secret_table_config ours;
    cmw_str owner, scheme;

    if (!out || !arena || !config)
        return CMW_ERR_ARG;
    cmw_secret_table_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "a table's config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    cmw_secret_table *table = cmw_arena_alloc(arena, sizeof *table);
    if (!table || cmw_arena_dup(arena, &owner, cmw_str_cstr(ours.owner)) != 0 ||
        cmw_arena_dup(arena, &scheme, cmw_str_cstr(ours.scheme)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", ours.owner);
    memset(table, 0, sizeof *table);
    table->owner = owner.data;
    table->order = ours.order;
    table->digest = ours.digest;
    table->digest_self = ours.digest_self;
    table->digest_len = ours.digest_len;
    rc = allocate(table, arena, ours.entry_count, diag);
    if (rc == 0)
        rc = add_entries(table, arena, &ours, scheme, diag);
    if (table->digest) /* of any secret */
        table->longest = SIZE_MAX;
    if (rc == 0)
        *out = table;
    return rc;
}
