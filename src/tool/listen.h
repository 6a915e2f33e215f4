/* SPDX-License-Identifier: MIT */
/* The socket of servers that are given one. */
#ifndef CMW_TOOL_LISTEN_H
#define CMW_TOOL_LISTEN_H

#include <catzilla/mw.h>

/* A socket that listens and does not block, or -1 with errno. Sets the port that was taken. */
int listen_on(cmw_address *address);

#endif /* CMW_TOOL_LISTEN_H */
