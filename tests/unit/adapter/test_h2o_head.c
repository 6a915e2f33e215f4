/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/1 as they came, beside what H2O hands over of them. */
#include "h2o_head.h"

#include <stdio.h>

#include "guard_page.h"
#include "test.h"

enum { FIELD_CAP = 128, TEXT_CAP = 4096 };

static const struct row {
    const char *name;
    const char *head;
    const char *fields; /* "name=value;" for each; NULL: broken */
    int has_body;
} rows[] = {
    {"no field", "GET / HTTP/1.1\r\n\r\n", "", 0},
    {"a field that H2O takes out", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "host=a;", 0},
    {"its place is kept", "GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\nAccept: b\r\n\r\n",
     "x=1;host=a;accept=b;", 0},
    {"two hosts are two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host=a;host=b;", 0},
    {"one host twice is two", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "host=a;host=a;", 0},
    {"two lengths are two", "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
     "content-length=3;content-length=4;", 1},
    {"length and coding are two",
     "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     "content-length=3;transfer-encoding=chunked;", 1},
    {"a coding in any case", "POST / HTTP/1.1\r\ntRANSFER-eNCODING: chunked\r\n\r\n",
     "transfer-encoding=chunked;", 1},
    {"expect and upgrade", "GET / HTTP/1.1\r\nExpect: 100-continue\r\nUpgrade: h2c\r\n\r\n",
     "expect=100-continue;upgrade=h2c;", 0},
    {"blanks around values", "GET / HTTP/1.1\r\nX: \t 1 \t \r\nHost:\ta b \r\n\r\n",
     "x=1;host=a b;", 0},
    {"empty values", "GET / HTTP/1.1\r\nX:\r\nHost:\r\nY: \r\n\r\n", "x=;host=;y=;", 0},
    {"lines that end with LF", "GET / HTTP/1.1\nX: 1\nHost: a\n\n", "x=1;host=a;", 0},
    {"an empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "host=a;", 0},
    {"a colon in a value", "GET / HTTP/1.1\r\nHost: a:1\r\nX: :\r\n\r\n", "host=a:1;x=:;", 0},
    {"a name as long as the next one", "GET / HTTP/1.1\r\nHost: a\r\nDate: a\r\n\r\n",
     "host=a;date=a;", 0},
    {"what follows is not looked at", "GET / HTTP/1.1\r\nHost: a\r\n\r\nHost: b\r\n\r\n", "host=a;",
     0},
    {"bytes above 127", "GET / HTTP/1.1\r\nX: \xc3\xa9\r\n\r\n", "x=\xc3\xa9;", 0},
    {"a folded field", "GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n", NULL, 0},
    {"a folded field that H2O takes out", "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", NULL, 0},
};

static void format(char *to, const struct head *head)
{
    *to = '\0';
    for (uint32_t i = 0; i < head->count; i++) {
        const cmw_header *field = &head->fields[i];
        to += sprintf(to, "%.*s=%.*s;", (int)field->name.len, field->name.data,
                      (int)field->value.len, field->value.data);
        assert_int_equal(head->ids[i], cmw_header_id_find(field->name));
    }
}

static void fill_ids(uint8_t *ids)
{
    for (size_t i = 0; i < H2O_MAX_TOKENS; i++)
        ids[i] = (uint8_t)cmw_header_id_find(
            cmw_str_make(h2o__tokens[i].buf.base, h2o__tokens[i].buf.len));
}

/* H2O copies values where a body follows: neither may matter. */
static void copy_values(struct h2o_head *parsed, char *room)
{
    for (size_t i = 0; i < parsed->known.size; i++) {
        h2o_iovec_t *value = &parsed->entries[i].value;
        memcpy(room, value->base, value->len);
        value->base = room;
        room += value->len;
    }
    if (parsed->host.len > 0)
        memcpy(room, parsed->host.base, parsed->host.len);
    parsed->host.base = room;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_header fields[FIELD_CAP];
    uint8_t ids[FIELD_CAP], token_ids[H2O_MAX_TOKENS];
    char text[TEXT_CAP], copies[TEXT_CAP];
    struct guard_page page;
    struct h2o_head parsed;

    fill_ids(token_ids);
    guard_page_open(&page, TEXT_CAP);
    for (int copies_values = 0; copies_values < 2; copies_values++) {
        const cmw_str given = cmw_str_cstr(row->head);
        const cmw_str bytes = guard_page_copy(&page, page.end - given.len, given);
        struct head head = {.fields = fields, .ids = ids, .cap = FIELD_CAP};
        assert_true(h2o_head_parse(&parsed, page.end - given.len, given.len));
        if (copies_values)
            copy_values(&parsed, copies);
        assert_int_equal(cmw__h2o_read_head(&head, bytes, &parsed.known, parsed.host, token_ids),
                         0);
        assert_int_equal(head.is_broken, row->fields == NULL);
        if (row->fields) {
            format(text, &head);
            assert_string_equal(text, row->fields);
            assert_int_equal(head.has_body, row->has_body);
        }
    }
    guard_page_close(&page);
}

static void check_limit(void **state)
{
    char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nHost: b\r\n\r\n";
    cmw_header fields[3];
    uint8_t ids[3], token_ids[H2O_MAX_TOKENS];
    struct head head = {.fields = fields, .ids = ids};
    struct h2o_head parsed;

    (void)state;
    fill_ids(token_ids);
    assert_true(h2o_head_parse(&parsed, bytes, sizeof bytes - 1));
    for (head.cap = 0; head.cap < 3; head.cap++)
        assert_int_equal(cmw__h2o_read_head(&head, cmw_str_make(bytes, sizeof bytes - 1),
                                            &parsed.known, parsed.host, token_ids),
                         CMW_ERR_LIMIT);
    assert_int_equal(cmw__h2o_read_head(&head, cmw_str_make(bytes, sizeof bytes - 1), &parsed.known,
                                        parsed.host, token_ids),
                     0);
    assert_int_equal(head.count, 3);
    assert_int_equal(head.bytes, sizeof bytes - 1);
}

static void check_missing(void **state)
{
    char bytes[] = "GET / HTTP/1.1\r\nX: 1\r\nY: 2\r\n\r\n";
    char copy[] = "9";
    cmw_header fields[FIELD_CAP];
    uint8_t ids[FIELD_CAP], token_ids[H2O_MAX_TOKENS];
    struct head head = {.fields = fields, .ids = ids, .cap = FIELD_CAP};
    struct h2o_head parsed;

    (void)state;
    fill_ids(token_ids);
    assert_true(h2o_head_parse(&parsed, bytes, sizeof bytes - 1));
    parsed.entries[0].value.base = copy; /* not what is there */
    assert_int_equal(cmw__h2o_read_head(&head, cmw_str_make(bytes, sizeof bytes - 1), &parsed.known,
                                        parsed.host, token_ids),
                     0);
    assert_int_equal(head.is_broken, 1);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 2];
    size_t count = 0;

    for (size_t i = 0; i < LEN(rows); i++)
        tests[count++] = ROW_TEST(&rows[i], check_row);
    tests[count++] =
        (struct CMUnitTest){.name = "too little room is told", .test_func = check_limit};
    tests[count++] = (struct CMUnitTest){.name = "a field that H2O has and the head has not",
                                         .test_func = check_missing};
    return cmocka_run_group_tests_name("h2o_head", tests, NULL, NULL);
}
