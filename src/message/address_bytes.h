/* SPDX-License-Identifier: MIT */
/*
 * Addresses from their bytes, in network order.
 */
#ifndef CMW_MESSAGE_ADDRESS_BYTES_H
#define CMW_MESSAGE_ADDRESS_BYTES_H

#include <catzilla/address.h>

void cmw__address_from_v4(cmw_address *out, const uint8_t bytes[4], uint16_t port);
/* An IPv4-mapped one becomes IPv4, so that one client has one form. */
void cmw__address_from_v6(cmw_address *out, const uint8_t bytes[16], uint16_t port);

#endif /* CMW_MESSAGE_ADDRESS_BYTES_H */
