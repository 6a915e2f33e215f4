/* SPDX-License-Identifier: MIT */
/* Bytes of fields and targets, which need not be UTF-8, as text for a JSON document. */
#include "backend.h"
#include "utf8.h"

static int is_utf8(cmw_str text)
{
    const unsigned char *const bytes = (const unsigned char *)text.data;
    size_t len;

    for (size_t at = 0; at < text.len; at += len) {
        len = bytes[at] < 0x80 ? 1 : cmw__utf8_len(bytes + at, text.len - at);
        if (len == 0)
            return 0;
    }
    return 1;
}

cmw_str octets_as_text(cmw_ctx *ctx, cmw_str octets)
{
    if (is_utf8(octets))
        return octets;
    char *const text = cmw_arena_alloc_text(cmw_ctx_arena(ctx), 2 * octets.len);
    size_t len = 0;

    if (!text)
        return octets;
    for (size_t i = 0; i < octets.len; i++) {
        const unsigned char byte = (unsigned char)octets.data[i];
        if (byte >= 0x80)
            text[len++] = (char)(0xc0 | byte >> 6);
        text[len++] = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
    }
    return cmw_str_make(text, len);
}
