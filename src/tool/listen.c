/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill_address(union socket_address *to, const cmw_address *from)
{
    memset(to, 0, sizeof *to);
    if (from->family == CMW_ADDRESS_V6) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(from->port);
        memcpy(&to->v6.sin6_addr, from->bytes, 16);
        return sizeof to->v6;
    }
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons(from->port);
    memcpy(&to->v4.sin_addr, from->bytes, 4);
    return sizeof to->v4;
}

int listen_on(cmw_address *address)
{
    union socket_address where;
    socklen_t len = fill_address(&where, address);
    const int on = 1;

    const int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, &where.any, len) == 0 && listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, &where.any, &len) == 0) {
        address->port =
            ntohs(address->family == CMW_ADDRESS_V6 ? where.v6.sin6_port : where.v4.sin_port);
        return fd;
    }
    const int why = errno;
    (void)close(fd); /* nothing came through it */
    errno = why;
    return -1;
}
