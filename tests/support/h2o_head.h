/* SPDX-License-Identifier: MIT */
/*
 * A head as H2O 2.2 leaves it: parsed by its own parser, names in lower case in the buffer, and the
 * five fields that it keeps elsewhere taken out.
 */
#ifndef CMW_TESTS_H2O_HEAD_H
#define CMW_TESTS_H2O_HEAD_H

#include "head.h"

#include <string.h>

/* H2O's parser, which its library exports and no header of it declares. */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *bytes, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

struct h2o_head {
    struct phr_header lines[H2O_MAX_HEADERS]; /* all that came */
    size_t line_count;
    h2o_header_t entries[H2O_MAX_HEADERS]; /* what H2O hands over */
    h2o_iovec_t names[H2O_MAX_HEADERS];
    h2o_headers_t known;
    h2o_iovec_t host; /* the last one */
};

/* 1 if H2O takes the bytes for a head; they are changed as it changes them. */
static inline int h2o_head_parse(struct h2o_head *head, char *bytes, size_t len)
{
    const char *method, *path;
    size_t method_len, path_len;
    int minor_version;

    head->line_count = H2O_MAX_HEADERS;
    if (phr_parse_request(bytes, len, &method, &method_len, &path, &path_len, &minor_version,
                          head->lines, &head->line_count, 0) <= 0)
        return 0;
    head->known.entries = head->entries;
    head->known.size = 0;
    head->host = h2o_iovec_init(NULL, 0);
    for (size_t i = 0; i < head->line_count; i++) {
        const struct phr_header *line = &head->lines[i];
        const size_t at = head->known.size;
        if (line->name_len > 0)
            h2o_strtolower((char *)(uintptr_t)line->name, line->name_len);
        const h2o_token_t *token = h2o_lookup_token(line->name, line->name_len);
        if (token == H2O_TOKEN_HOST)
            head->host = h2o_iovec_init(line->value, line->value_len);
        if (token && token->is_init_header_special)
            continue;
        head->names[at] = h2o_iovec_init(line->name, line->name_len);
        head->entries[at].name = token ? (h2o_iovec_t *)(uintptr_t)&token->buf : &head->names[at];
        head->entries[at].value = h2o_iovec_init(line->value, line->value_len);
        head->known.size++;
    }
    return 1;
}

#endif /* CMW_TESTS_H2O_HEAD_H */
