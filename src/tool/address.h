/* SPDX-License-Identifier: MIT */
/* "127.0.0.1:8080", "[::1]:8080". */
#ifndef CMW_TOOL_ADDRESS_H
#define CMW_TOOL_ADDRESS_H

#include <catzilla/address.h>

/* Read an address and a port. 0 or CMW_ERR_INVALID. */
int address_parse(cmw_address *address, const char *text);

/* Room for an address, its brackets and its port. */
#define ADDRESS_PORT_CAP (CMW_ADDRESS_TEXT_CAP + 8)

/* Write both; NUL-terminated. */
void address_format(const cmw_address *address, char text[ADDRESS_PORT_CAP]);

#endif /* CMW_TOOL_ADDRESS_H */
