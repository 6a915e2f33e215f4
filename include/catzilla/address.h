/* SPDX-License-Identifier: MIT */
/*
 * Network addresses as values: who connected, and who that stands for.
 */
#ifndef CATZILLA_ADDRESS_H
#define CATZILLA_ADDRESS_H

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** What kind of address it is. */
enum cmw_address_family {
    CMW_ADDRESS_NONE = 0, /**< unknown */
    CMW_ADDRESS_V4 = 4,   /**< 4 bytes used; IPv4-mapped IPv6 is stored as this */
    CMW_ADDRESS_V6 = 6,   /**< 16 bytes used */
    CMW_ADDRESS_UNIX = 1  /**< a local socket; no bytes used */
};

/** An address and a port. Compare with cmw_address_equals, not with memcmp. */
typedef struct cmw_address {
    uint8_t bytes[16]; /**< network order */
    uint16_t port;     /**< host order; 0: unknown */
    uint8_t family;    /**< enum cmw_address_family */
    uint8_t reserved;  /**< 0 */
} cmw_address;

/** Room for the longest text of an address, its NUL included. */
#define CMW_ADDRESS_TEXT_CAP 48

/**
 * Read an IPv4 or IPv6 address, without brackets, port or zone.
 *
 * Strict: four decimal octets without leading zeros; RFC 4291 text for IPv6. An IPv4-mapped IPv6
 * address becomes an IPv4 one, so that one client has one form.
 *
 * @param[out] out   the address with port 0; unchanged on failure
 * @param      text  the bytes
 * @return           0, or CMW_ERR_INVALID
 * Threads:          any
 * Cost:             O(len), no allocation
 * Source:           RFC 4291, 2.2; RFC 3986, 3.2.2 (dec-octet)
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_address_parse(cmw_address *out, cmw_str text);

/**
 * Write an address in its canonical text.
 *
 * @param[out] buffer  at least CMW_ADDRESS_TEXT_CAP bytes; NUL-terminated
 * @return             the length without the NUL; 0 for CMW_ADDRESS_NONE, "unix" for a local socket
 * Threads:            any
 * Cost:               O(1), no allocation
 * Source:             RFC 5952, 4
 * Since:              0.1
 */
CMW_API size_t cmw_address_format(const cmw_address *address, char *buffer);

/** 1 if family and bytes are equal; ports are not compared. */
CMW_API int cmw_address_equals(const cmw_address *a, const cmw_address *b);

/**
 * Take over a `struct sockaddr` of the system (AF_INET, AF_INET6, AF_UNIX).
 *
 * @param[out] out       the address; CMW_ADDRESS_NONE for another family or a short `len`
 * @param      sockaddr  the structure; NULL gives CMW_ADDRESS_NONE
 * @param      len       its length in bytes
 * Threads:              any
 * Cost:                 O(1), no allocation
 * Since:                0.1
 */
CMW_API void cmw_address_from_sockaddr(cmw_address *out, const void *sockaddr, size_t len);

CMW_END_DECLS

#endif /* CATZILLA_ADDRESS_H */
