/* SPDX-License-Identifier: MIT */
/* A set of host names, found from their end. */
#include "host_set.h"

/* FNV-1a, one byte at a time: the hash of a longer name continues that of its end. */
static const uint32_t hash_start = 2166136261u;

/* ---- Texts ------------------------------------------------------------------------------ */

static int is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~';
}

int cmw__host_is_name(cmw_str host)
{
    char before = '.';

    if (host.len == 0 || host.len > CMW__HOST_NAME_LIMIT)
        return 0;
    for (size_t i = 0; i < host.len; i++) {
        const char c = host.data[i];
        if (!is_label_byte(c) && (c != '.' || before == '.'))
            return 0;
        before = c;
    }
    return before != '.';
}

int cmw__host_is_literal(cmw_str host)
{
    cmw_address address;

    if (host.len < 4 || host.data[0] != '[' || host.data[host.len - 1] != ']')
        return 0;
    const cmw_str inner = cmw_str_make(host.data + 1, host.len - 2);
    return memchr(inner.data, ':', inner.len) && cmw_address_parse(&address, inner) == 0;
}

/* ---- Sets ------------------------------------------------------------------------------- */

static uint32_t hash_byte(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 16777619u;
}

static uint32_t hash_name(cmw_str name)
{
    uint32_t hash = hash_start;
    for (size_t i = name.len; i-- > 0;)
        hash = hash_byte(hash, name.data[i]);
    return hash;
}

/* The entry of a name, or the empty place where it would be. */
static struct cmw__host_entry *find(const struct cmw__host_set *set, cmw_str name, uint32_t hash)
{
    for (uint32_t at = hash & set->mask;; at = (at + 1) & set->mask) {
        struct cmw__host_entry *entry = &set->entries[at];
        if (!entry->name.data || (entry->hash == hash && cmw_str_equals(entry->name, name)))
            return entry;
    }
}

int cmw__host_set_init(struct cmw__host_set *set, cmw_arena *arena, size_t count)
{
    size_t places = 4;

    while (places < 2 * count) /* half of them stay empty: every search ends */
        places *= 2;
    if (count > UINT32_MAX / 4)
        return CMW_ERR_NOMEM;
    set->entries = cmw_arena_alloc(arena, places * sizeof *set->entries);
    if (!set->entries)
        return CMW_ERR_NOMEM;
    memset(set->entries, 0, places * sizeof *set->entries);
    set->mask = (uint32_t)places - 1;
    return 0;
}

void cmw__host_set_add(struct cmw__host_set *set, cmw_str name, int is_pattern)
{
    const uint32_t hash = hash_name(name);
    struct cmw__host_entry *entry = find(set, name, hash);

    entry->name = name;
    entry->hash = hash;
    if (is_pattern)
        entry->is_pattern = 1;
    else
        entry->is_exact = 1;
}

int cmw__host_set_contains(const struct cmw__host_set *set, cmw_str host)
{
    uint32_t hash = hash_start;

    for (size_t at = host.len; at-- > 0;) {
        if (host.data[at] == '.') {
            const cmw_str end = cmw_str_make(host.data + at + 1, host.len - at - 1);
            if (find(set, end, hash)->is_pattern)
                return 1;
        }
        hash = hash_byte(hash, host.data[at]);
    }
    return find(set, host, hash)->is_exact;
}
