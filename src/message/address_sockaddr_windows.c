/* SPDX-License-Identifier: MIT */
/*
 * Addresses from the system's structures: Windows.
 */
#include "address_bytes.h"

#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

/* Network order, without ntohs: it would need the socket library linked. */
static uint16_t port_of(const void *field)
{
    uint8_t bytes[2];
    memcpy(bytes, field, sizeof bytes);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Each is copied before it is read: the caller's bytes may be aligned for nothing. */
static void take_v4(cmw_address *out, const void *sockaddr, size_t len)
{
    struct sockaddr_in in;
    uint8_t bytes[4];

    if (len < sizeof in)
        return;
    memcpy(&in, sockaddr, sizeof in);
    memcpy(bytes, &in.sin_addr, sizeof bytes);
    cmw__address_from_v4(out, bytes, port_of(&in.sin_port));
}

static void take_v6(cmw_address *out, const void *sockaddr, size_t len)
{
    struct sockaddr_in6 in6;
    uint8_t bytes[16];

    if (len < sizeof in6)
        return;
    memcpy(&in6, sockaddr, sizeof in6);
    memcpy(bytes, &in6.sin6_addr, sizeof bytes);
    cmw__address_from_v6(out, bytes, port_of(&in6.sin6_port));
}

void cmw_address_from_sockaddr(cmw_address *out, const void *sockaddr, size_t len)
{
    ADDRESS_FAMILY family;

    memset(out, 0, sizeof *out);
    if (!sockaddr || len < sizeof family)
        return;
    memcpy(&family, sockaddr, sizeof family);
    if (family == AF_INET)
        take_v4(out, sockaddr, len);
    else if (family == AF_INET6)
        take_v6(out, sockaddr, len);
    else if (family == AF_UNIX)
        out->family = CMW_ADDRESS_UNIX;
}
