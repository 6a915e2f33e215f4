/* SPDX-License-Identifier: MIT */
/*
 * Networks, and sets of them: one radix tree for each family, in which a node says which bits its
 * subtree shares and how many.
 *
 *        10.0.0.0/8 (member)
 *        `- bit 8 clear: 10.1.0.0/16 (member)      `- bit 8 set: 10.128.0.0/9 ...
 *
 * Reading goes down one fork at a time to the only member that is possible. What would lie below a
 * member is in it anyway, so a member never gets children.
 */
#include <catzilla/network.h>

struct node {
    uint8_t bytes[16];
    uint8_t bits; /* how many of `bytes` all below share */
    uint8_t is_member;
    struct node *children[2]; /* by the bit at index `bits` */
};

struct cmw_network_set {
    cmw_arena *arena;
    struct node *v4, *v6;
    int has_unix;
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- One network ------------------------------------------------------------------------ */

static unsigned width_of(uint8_t family)
{
    switch (family) {
    case CMW_ADDRESS_V4:
        return 32;
    case CMW_ADDRESS_V6:
        return 128;
    default:
        return 0;
    }
}

/* A decimal number of 0 to 128 without leading zeros; -1: it is none. */
static int read_bits(cmw_str text)
{
    int value = 0;

    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.data[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value <= 128 ? value : -1;
}

static void clear_tail(uint8_t bytes[16], unsigned bits)
{
    if (bits < 128)
        bytes[bits / 8] = (uint8_t)(bytes[bits / 8] & (0xff00u >> bits % 8));
    for (unsigned i = bits / 8 + 1; i < 16; i++)
        bytes[i] = 0;
}

/* Whether the text is of IPv6, which cmw_address_parse no longer tells of a mapped address. */
static int is_v6_text(cmw_str text)
{
    return memchr(text.data, ':', text.len) != NULL;
}

/* A prefix of a mapped address below 96 bits would reach beyond IPv4: it stays IPv6. */
static int unmap(cmw_address *address, unsigned bits)
{
    uint8_t v4[4];

    memcpy(v4, address->bytes, sizeof v4);
    memcpy(address->bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(address->bytes + sizeof mapped_prefix, v4, sizeof v4);
    address->family = CMW_ADDRESS_V6;
    return (int)bits;
}

static int prefix_of(cmw_address *address, cmw_str text, int bits)
{
    if (address->family != CMW_ADDRESS_V4 || !is_v6_text(text))
        return (unsigned)bits <= width_of(address->family) ? bits : -1;
    return bits >= 96 ? bits - 96 : unmap(address, (unsigned)bits);
}

int cmw_network_parse(cmw_network *out, cmw_str text)
{
    cmw_network network = {0};
    const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
    const cmw_str host = slash ? cmw_str_make(text.data, (size_t)(slash - text.data)) : text;

    if (cmw_str_equals(text, CMW_STR("unix"))) {
        out->address = (cmw_address){.family = CMW_ADDRESS_UNIX};
        out->prefix_bits = 0;
        return 0;
    }
    if (cmw_address_parse(&network.address, host) != 0)
        return CMW_ERR_INVALID;
    int bits = (int)width_of(network.address.family);
    if (slash) {
        bits = read_bits(cmw_str_make(slash + 1, text.len - host.len - 1));
        bits = bits < 0 ? bits : prefix_of(&network.address, host, bits);
    }
    if (bits < 0)
        return CMW_ERR_INVALID;
    network.prefix_bits = (uint8_t)bits;
    clear_tail(network.address.bytes, (unsigned)bits);
    *out = network;
    return 0;
}

/* 1 if the first `bits` bits agree. */
static int shares(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return 0;
    return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

int cmw_network_contains(const cmw_network *network, const cmw_address *address)
{
    const uint8_t family = network->address.family;

    if (family == CMW_ADDRESS_NONE || network->prefix_bits > width_of(family))
        return 0; /* not one that cmw_network_parse makes */
    return family == address->family &&
           shares(network->address.bytes, address->bytes, network->prefix_bits);
}

/* ---- Sets ------------------------------------------------------------------------------- */

static unsigned bit_at(const uint8_t bytes[16], unsigned index)
{
    return (unsigned)bytes[index / 8] >> (7 - index % 8) & 1u;
}

/* How many bits agree, up to `limit`. */
static unsigned common_bits(const uint8_t a[16], const uint8_t b[16], unsigned limit)
{
    unsigned count = 0;
    while (count < limit && bit_at(a, count) == bit_at(b, count))
        count++;
    return count;
}

static struct node *create_node(cmw_arena *arena, const uint8_t bytes[16], unsigned bits)
{
    struct node *node = cmw_arena_alloc(arena, sizeof *node);

    if (!node)
        return NULL;
    memset(node, 0, sizeof *node);
    memcpy(node->bytes, bytes, sizeof node->bytes);
    clear_tail(node->bytes, bits);
    node->bits = (uint8_t)bits;
    return node;
}

/* Where the network goes: below `*at`, in place of it, or beside it under a new fork. */
static int insert(cmw_arena *arena, struct node **at, const cmw_network *network)
{
    const uint8_t *bytes = network->address.bytes;
    const unsigned bits = network->prefix_bits;

    while (*at && (*at)->bits < bits && shares((*at)->bytes, bytes, (*at)->bits)) {
        if ((*at)->is_member)
            return 0;
        at = &(*at)->children[bit_at(bytes, (*at)->bits)];
    }
    struct node *there = *at;
    struct node *node = create_node(arena, bytes, bits);
    if (!node)
        return CMW_ERR_NOMEM;
    node->is_member = 1;
    if (!there || shares(there->bytes, bytes, bits)) { /* covers all that is there */
        *at = node;
        return 0;
    }
    const unsigned fork_bits = common_bits(there->bytes, bytes, bits);
    struct node *fork = create_node(arena, bytes, fork_bits);
    if (!fork)
        return CMW_ERR_NOMEM;
    fork->children[bit_at(bytes, fork_bits)] = node;
    fork->children[bit_at(there->bytes, fork_bits)] = there;
    *at = fork;
    return 0;
}

static int add(cmw_network_set *set, const cmw_network *network)
{
    if (network->address.family == CMW_ADDRESS_UNIX) {
        set->has_unix = 1;
        return 0;
    }
    struct node **root = network->address.family == CMW_ADDRESS_V4 ? &set->v4 : &set->v6;
    return insert(set->arena, root, network);
}

static int add_text(cmw_network_set *set, const char *text, cmw_diag *diag)
{
    cmw_network network;

    if (!text || cmw_network_parse(&network, cmw_str_cstr(text)) != 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, "'%s' is not an address or a network",
                            text ? text : "");
    if (add(set, &network) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for a set of networks");
    return 0;
}

int cmw_network_set_create(cmw_network_set **out, cmw_arena *arena, const char *const *texts,
                           size_t count, cmw_diag *diag)
{
    if (!out || !arena || (!texts && count > 0))
        return cmw_diag_set(diag, CMW_ERR_ARG, "an arena and a list of networks are needed");
    cmw_network_set *set = cmw_arena_alloc(arena, sizeof *set);
    if (!set)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for a set of networks");
    *set = (cmw_network_set){.arena = arena};
    for (size_t i = 0; i < count; i++) {
        const int rc = add_text(set, texts[i], diag);
        if (rc != 0)
            return rc;
    }
    *out = set;
    return 0;
}

/* Members are the only leaves: which one it could be, a bit at each fork says, and only there are
 * the bits compared. */
static int tree_contains(const struct node *node, const uint8_t bytes[16])
{
    while (node && !node->is_member)
        node = node->children[bit_at(bytes, node->bits)];
    return node && shares(node->bytes, bytes, node->bits);
}

int cmw_network_set_contains(const cmw_network_set *set, const cmw_address *address)
{
    switch (address->family) {
    case CMW_ADDRESS_V4:
        return tree_contains(set->v4, address->bytes);
    case CMW_ADDRESS_V6:
        return tree_contains(set->v6, address->bytes);
    case CMW_ADDRESS_UNIX:
        return set->has_unix;
    default:
        return 0;
    }
}
