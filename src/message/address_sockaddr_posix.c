/* SPDX-License-Identifier: MIT */
/*
 * Addresses from the system's structures: POSIX.
 */
#include "address_bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Each is copied before it is read: the caller's bytes may be aligned for nothing. */
static void take_v4(cmw_address *out, const void *sockaddr, size_t len)
{
    struct sockaddr_in in;
    uint8_t bytes[4];

    if (len < sizeof in)
        return;
    memcpy(&in, sockaddr, sizeof in);
    memcpy(bytes, &in.sin_addr, sizeof bytes);
    cmw__address_from_v4(out, bytes, ntohs(in.sin_port));
}

static void take_v6(cmw_address *out, const void *sockaddr, size_t len)
{
    struct sockaddr_in6 in6;
    uint8_t bytes[16];

    if (len < sizeof in6)
        return;
    memcpy(&in6, sockaddr, sizeof in6);
    memcpy(bytes, &in6.sin6_addr, sizeof bytes);
    cmw__address_from_v6(out, bytes, ntohs(in6.sin6_port));
}

void cmw_address_from_sockaddr(cmw_address *out, const void *sockaddr, size_t len)
{
    struct sockaddr head;
    const size_t family_end = offsetof(struct sockaddr, sa_family) + sizeof head.sa_family;

    memset(out, 0, sizeof *out);
    if (!sockaddr || len < family_end)
        return;
    memcpy(&head, sockaddr, family_end);
    if (head.sa_family == AF_INET)
        take_v4(out, sockaddr, len);
    else if (head.sa_family == AF_INET6)
        take_v6(out, sockaddr, len);
    else if (head.sa_family == AF_UNIX)
        out->family = CMW_ADDRESS_UNIX;
}
