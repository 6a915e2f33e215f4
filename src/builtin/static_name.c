/* SPDX-License-Identifier: MIT */
/* Names of files and their types. */
#include "static_name.h"

#include <catzilla/encoding.h>

/* A name that only this file can have: no way out, no stream, no device. */
static int is_name(cmw_str segment)
{
    if (segment.len == 0 || segment.data[0] == '.')
        return 0;
    for (size_t i = 0; i < segment.len; i++) {
        const unsigned char c = (unsigned char)segment.data[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == ':')
            return 0;
    }
    return 1;
}

int cmw__static_name(char *to, size_t *len, int *is_folder, cmw_str path)
{
    size_t end = 0;

    if (path.len == 0 || path.data[0] != '/')
        return -1;
    *is_folder = path.data[path.len - 1] == '/';
    for (size_t at = 1; at < path.len;) {
        const char *slash = memchr(path.data + at, '/', path.len - at);
        const size_t next = slash ? (size_t)(slash - path.data) : path.len;
        size_t written = 0;
        if (cmw_percent_decode(&written, to + end, path.len - end,
                               cmw_str_make(path.data + at, next - at), CMW_PERCENT_URI) != 0 ||
            !is_name(cmw_str_make(to + end, written)))
            return -1;
        end += written;
        at = next + 1;
        if (at < path.len)
            to[end++] = '/';
    }
    to[end] = '\0';
    *len = end;
    return 0;
}

/* ---- Types ------------------------------------------------------------------------------ */

struct type {
    const char *extension;
    const char *type;
};

static const struct type types[] = {
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

cmw_str cmw__static_extension(cmw_str name)
{
    for (size_t i = name.len; i > 0 && name.data[i - 1] != '/'; i--)
        if (name.data[i - 1] == '.')
            return cmw_str_make(name.data + i, name.len - i);
    return CMW_STR("");
}

cmw_str cmw__static_type(cmw_str name)
{
    const cmw_str extension = cmw__static_extension(name);

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (cmw_str_equals_fold(extension, cmw_str_cstr(types[i].extension)))
            return cmw_str_cstr(types[i].type);
    return CMW_STR("");
}
