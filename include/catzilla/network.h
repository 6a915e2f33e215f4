/* SPDX-License-Identifier: MIT */
/*
 * Networks: addresses by prefix ("10.0.0.0/8"), alone and in sets.
 */
#ifndef CATZILLA_NETWORK_H
#define CATZILLA_NETWORK_H

#include <catzilla/address.h>
#include <catzilla/arena.h>
#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** All addresses that begin with the same bits. */
typedef struct cmw_network {
    cmw_address address; /**< bits past the prefix are 0; CMW_ADDRESS_UNIX: every local socket */
    uint8_t prefix_bits; /**< 0..32 or 0..128 */
} cmw_network;

/**
 * Read "10.0.0.0/8", "2001:db8::/32", an address alone (all its bits), or "unix".
 *
 * Strict, as cmw_address_parse; the prefix is decimal without leading zeros. Bits of the address
 * past the prefix are cleared. An IPv4-mapped IPv6 network of 96 bits or more becomes an IPv4 one.
 *
 * @param[out] out  unchanged on failure
 * @return          0, or CMW_ERR_INVALID
 * Threads:         any
 * Cost:            O(len), no allocation
 * Source:          RFC 4632, 3.1; RFC 4291, 2.3
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_network_parse(cmw_network *out, cmw_str text);

/**
 * 1 if an address is in a network.
 *
 * Families never match each other: "::/0" is every IPv6 client and no IPv4 one. An IPv4-mapped
 * client is an IPv4 one (cmw_address_parse, cmw_address_from_sockaddr). CMW_ADDRESS_NONE is in no
 * network.
 *
 * Threads: any
 * Cost:    O(1), no allocation
 * Source:  RFC 4291, 2.5.5.2
 * Since:   0.1
 */
CMW_API int cmw_network_contains(const cmw_network *network, const cmw_address *address);

/** A set of networks: immutable once made, read by any thread. */
typedef struct cmw_network_set cmw_network_set;

/**
 * Make a set from texts.
 *
 * @param[out] out    the set, in the arena; unchanged on failure
 * @param      arena  borrowed; the set lives as long
 * @param      texts  `count` texts as cmw_network_parse reads them; not kept
 * @param[out] diag   on CMW_ERR_INVALID, a sentence that names the text; or NULL
 * @return            0, CMW_ERR_ARG, CMW_ERR_INVALID, CMW_ERR_NOMEM
 * Threads:           the arena's owner
 * Cost:              O(count); arena memory
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_network_set_create(cmw_network_set **out, cmw_arena *arena,
                                                 const char *const *texts, size_t count,
                                                 cmw_diag *diag);

/**
 * 1 if an address is in one of the networks.
 *
 * Threads: any
 * Cost:    O(bits of the address) at most, whatever the size of the set; no allocation
 * Since:   0.1
 */
CMW_API int cmw_network_set_contains(const cmw_network_set *set, const cmw_address *address);

CMW_END_DECLS

#endif /* CATZILLA_NETWORK_H */
