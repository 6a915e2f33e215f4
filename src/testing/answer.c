/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>

/* Where the copies go. */
struct writer {
    char *at;
};

static cmw_str copy(struct writer *writer, cmw_str text)
{
    char *start = writer->at;

    if (text.len)
        memcpy(start, text.data, text.len);
    start[text.len] = '\0';
    writer->at += text.len + 1;
    return cmw_str_make(start, text.len);
}

static size_t measure_head(const cmw_response *response)
{
    size_t len = 0;

    const int rc = cmw_response_write_head(response, &len, NULL, 0, CMW_READ_HEAD);
    return rc == 0 || rc == CMW_ERR_LIMIT ? len : 0;
}

static size_t count_fields(const cmw_response *response, size_t *text_len)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t count = 0;

    *text_len = 0;
    while (cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS)) {
        *text_len += field.name.len + field.value.len + 2;
        count++;
    }
    return count;
}

static void *allocate(size_t bytes)
{
    void *block = malloc(bytes);

    if (!block) {
        fputs("cmw_test: no memory for an answer\n", stderr);
        abort();
    }
    return block;
}

void cmw__answer_keep(struct answer *answer, const cmw_response *response)
{
    size_t text_len;
    size_t head_len = measure_head(response);
    const cmw_str body = cmw_response_body(response);

    answer->status = cmw_response_status(response);
    answer->field_count = count_fields(response, &text_len);
    const size_t fields_bytes = answer->field_count * sizeof *answer->fields;
    answer->block = allocate(fields_bytes + text_len + head_len + 1 + body.len + 1);
    answer->fields = answer->block;

    struct writer writer = {(char *)answer->block + fields_bytes};
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    for (size_t i = 0; i < answer->field_count; i++) {
        if (!cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS))
            break;
        answer->fields[i].name = copy(&writer, field.name);
        answer->fields[i].value = copy(&writer, field.value);
    }
    answer->body = copy(&writer, body);

    const size_t cap = head_len;
    if (cmw_response_write_head(response, &head_len, writer.at, cap, CMW_READ_HEAD) != 0)
        head_len = 0;
    writer.at[head_len] = '\0';
    answer->head = cmw_str_make(writer.at, head_len);
}

void cmw__answer_clear(struct answer *answer)
{
    free(answer->block);
    memset(answer, 0, sizeof *answer);
}
