/* SPDX-License-Identifier: MIT */
/* The head of a request that H2O's parser takes: every line of it is found, and nothing else. */
#include "h2o_head.h"

#include "fuzz.h"

static void fill_ids(uint8_t *ids)
{
    for (size_t i = 0; i < H2O_MAX_TOKENS; i++)
        ids[i] = (uint8_t)cmw_header_id_find(
            cmw_str_make(h2o__tokens[i].buf.base, h2o__tokens[i].buf.len));
}

static cmw_str trim_end(const char *data, size_t len)
{
    while (len > 0 && (data[len - 1] == ' ' || data[len - 1] == '\t'))
        len--;
    return cmw_str_make(data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t ids[H2O_MAX_HEADERS], token_ids[H2O_MAX_TOKENS];
    cmw_header fields[H2O_MAX_HEADERS];
    struct head head = {.fields = fields, .ids = ids, .cap = H2O_MAX_HEADERS};
    struct h2o_head parsed;
    char *bytes = fuzz_text(data, size);
    int is_folded = 0;

    fill_ids(token_ids);
    if (h2o_head_parse(&parsed, bytes, size)) {
        for (size_t i = 0; i < parsed.line_count; i++)
            is_folded |= parsed.lines[i].name_len == 0;
        const int rc = cmw__h2o_read_head(&head, cmw_str_make(bytes, size), &parsed.known,
                                          parsed.host, token_ids);
        FUZZ_CHECK(rc == 0 && head.is_broken == is_folded);
        FUZZ_CHECK(is_folded || head.count == parsed.line_count);
        for (size_t i = 0; !is_folded && i < parsed.line_count; i++) {
            const struct phr_header *line = &parsed.lines[i];
            FUZZ_CHECK(cmw_str_equals(fields[i].name, cmw_str_make(line->name, line->name_len)));
            FUZZ_CHECK(cmw_str_equals(fields[i].value, trim_end(line->value, line->value_len)));
            FUZZ_CHECK(ids[i] == cmw_header_id_find(fields[i].name));
        }
    }
    free(bytes);
    return 0;
}
