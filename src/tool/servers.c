/* SPDX-License-Identifier: MIT */
/* The servers that were compiled in, the usual one first. */
#include "server.h"

#include <stdio.h>
#include <string.h>

static const struct server *const servers[] = {
#ifdef CMW_TOOL_MICROHTTPD
    &server_microhttpd,
#endif
#ifdef CMW_TOOL_EVHTTP
    &server_evhttp,
#endif
#ifdef CMW_TOOL_CIVETWEB
    &server_civetweb,
#endif
#ifdef CMW_TOOL_H2O
    &server_h2o,
#endif
};

static const size_t server_count = sizeof servers / sizeof *servers;

const struct server *server_find(const char *name)
{
    if (!name)
        return servers[0];
    for (size_t i = 0; i < server_count; i++)
        if (strcmp(servers[i]->name, name) == 0)
            return servers[i];
    return NULL;
}

const char *server_names(char text[SERVER_NAMES_CAP])
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < server_count && len < SERVER_NAMES_CAP; i++)
        len += (size_t)snprintf(text + len, SERVER_NAMES_CAP - len, "%s%s", i > 0 ? ", " : "",
                                servers[i]->name);
    return text;
}
