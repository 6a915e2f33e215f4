/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <stdio.h>

static int parse_port(const char *text, uint16_t *port)
{
    const size_t len = strlen(text);
    unsigned value = 0;

    if (len == 0 || len > 5)
        return CMW_ERR_INVALID;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return CMW_ERR_INVALID;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > UINT16_MAX)
        return CMW_ERR_INVALID;
    *port = (uint16_t)value;
    return 0;
}

int address_parse(cmw_address *address, const char *text)
{
    const char *const colon = strrchr(text, ':');
    cmw_address parsed;
    uint16_t port;

    if (!colon || parse_port(colon + 1, &port) != 0)
        return CMW_ERR_INVALID;
    cmw_str host = cmw_str_make(text, (size_t)(colon - text));
    const int has_brackets = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (has_brackets)
        host = cmw_str_make(host.data + 1, host.len - 2);
    if (cmw_address_parse(&parsed, host) != 0 || has_brackets != (parsed.family == CMW_ADDRESS_V6))
        return CMW_ERR_INVALID;
    parsed.port = port;
    *address = parsed;
    return 0;
}

void address_format(const cmw_address *address, char text[ADDRESS_PORT_CAP])
{
    char host[CMW_ADDRESS_TEXT_CAP];

    (void)cmw_address_format(address, host);
    (void)snprintf(text, ADDRESS_PORT_CAP, address->family == CMW_ADDRESS_V6 ? "[%s]:%u" : "%s:%u",
                   host, (unsigned)address->port);
}
