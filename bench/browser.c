/* SPDX-License-Identifier: MIT */
#include "life.h"

const cmw_header browser_headers[BROWSER_HEADER_COUNT] = {
    {CMW_STR_INIT("Host"), CMW_STR_INIT("www.example.com")},
    {CMW_STR_INIT("Connection"), CMW_STR_INIT("keep-alive")},
    {CMW_STR_INIT("Cache-Control"), CMW_STR_INIT("max-age=0")},
    {CMW_STR_INIT("Upgrade-Insecure-Requests"), CMW_STR_INIT("1")},
    {CMW_STR_INIT("User-Agent"),
     CMW_STR_INIT("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                  "Chrome/120.0.0.0 Safari/537.36")},
    {CMW_STR_INIT("Accept"), CMW_STR_INIT("text/html,application/xhtml+xml,application/xml;q=0.9,"
                                          "image/avif,image/webp,*/*;q=0.8")},
    {CMW_STR_INIT("Sec-Fetch-Site"), CMW_STR_INIT("same-origin")},
    {CMW_STR_INIT("Sec-Fetch-Mode"), CMW_STR_INIT("navigate")},
    {CMW_STR_INIT("Sec-Fetch-Dest"), CMW_STR_INIT("document")},
    {CMW_STR_INIT("Accept-Encoding"), CMW_STR_INIT("gzip, deflate, br")},
    {CMW_STR_INIT("Accept-Language"), CMW_STR_INIT("en-GB,en;q=0.9,de;q=0.8")},
    {CMW_STR_INIT("Cookie"), CMW_STR_INIT("session=4f1c9a7e2b6d8035; theme=dark")},
};

void browser_ids(uint8_t *ids)
{
    memset(ids, 0, 16);
    for (size_t i = 0; i < BROWSER_HEADER_COUNT; i++)
        ids[i] = (uint8_t)cmw_header_id_find(browser_headers[i].name);
}
