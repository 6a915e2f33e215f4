/* SPDX-License-Identifier: MIT */
/*
 * Heads as civetweb leaves them: its parser is stood in for by one that cuts as it does, so that
 * the bytes behind the last field are those that the check looks at.
 */
#include "civetweb/head.h"

#include "test.h"

enum { HEAD_CAP = 8192 };

/* Cut the fields as civetweb 1.15 does; their number. */
static int cut_fields(char *at, struct mg_header *fields)
{
    int count = 0;

    while (count<MG_MAX_HEADERS && * at> ' ') {
        fields[count].name = at;
        while (*at != ':' && *at != ' ')
            at++;
        while (*at == ' ')
            *at++ = '\0';
        *at++ = '\0';
        while (*at == ' ' || *at == '\t')
            at++;
        fields[count++].value = at;
        while (*at != '\r' && *at != '\n')
            at++;
        if (*at == '\r')
            *at++ = '\0';
        *at++ = '\0';
        if (*at == '\r' || *at == '\n')
            break;
    }
    return count;
}

static void fill(struct mg_request_info *info, char *room, const char *head)
{
    const size_t len = strlen(head);

    assert_true(len < HEAD_CAP);
    memcpy(room, head, len);
    room[len - 1] = '\0'; /* civetweb ends the head so */
    room[len] = 'G';      /* what follows in its buffer */
    memset(info, 0, sizeof *info);
    info->http_version = "1.1";
    info->num_headers = cut_fields(room, info->http_headers);
}

static const struct check_row {
    const char *name;
    const char *head;
    int status;
} check_rows[] = {
    {"one field", "Host: a\r\n\r\n", 0},
    {"many fields", "Host: a\r\nX: b\r\nY: c d\r\n\r\n", 0},
    {"an empty value", "Host: a\r\nX:\r\n\r\n", 0},
    {"an empty value in the middle", "X:\r\nHost: a\r\n\r\n", 0},
    {"a value of blanks", "X:  \r\nHost: a\r\n\r\n", 0},
    {"lines that end with LF alone", "Host: a\nX: b\r\n\r\n", 400},
    {"a last line that ends with LF alone", "Host: a\r\nX: b\n\n", 400},
    {"a last line that ends with LF alone, then CR LF", "Host: a\r\nX: b\n\r\n", 400},
    {"a blank before the colon", "Host : a\r\n\r\n", 400},
    {"a blank before the colon of an empty value", "Host: a\r\nX :\r\n\r\n", 400},
    {"a folded line hides nothing", "Host: a\r\n b\r\n\r\n", 400},
    {"a folded line hides a length", "X: a\r\n b\r\nContent-Length: 50\r\n\r\n", 400},
    {"a line folded with a tab", "X: a\r\n\tb\r\n\r\n", 400},
};

static void check_head(void **state)
{
    const struct check_row *row = *state;
    struct mg_request_info info;
    char room[HEAD_CAP + 1];

    fill(&info, room, row->head);
    assert_int_equal(cmw__head_check(&info), row->status);
}

static void check_count(void **state)
{
    static const struct {
        int fields, status;
    } rows[] = {{MG_MAX_HEADERS - 1, 0}, {MG_MAX_HEADERS, 0}, {MG_MAX_HEADERS + 1, 431}};
    struct mg_request_info info;
    char head[HEAD_CAP], room[HEAD_CAP + 1];

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        char *at = head;
        for (int field = 0; field < rows[i].fields; field++, at += 6)
            memcpy(at, "X: a\r\n", 6);
        memcpy(at, "\r\n", 3);
        fill(&info, room, head);
        assert_int_equal(cmw__head_check(&info), rows[i].status);
    }
}

static void check_fields(void **state)
{
    cmw_header fields[MG_MAX_HEADERS];
    struct mg_request_info info;
    char room[HEAD_CAP + 1];

    (void)state;
    fill(&info, room, "Host:  a \t \r\nX:\r\n\r\n");
    assert_int_equal(cmw__head_fields(fields, &info), 2);
    assert_true(cmw_str_equals(fields[0].name, CMW_STR("Host")));
    assert_true(cmw_str_equals(fields[0].value, CMW_STR("a")));
    assert_int_equal(fields[1].value.len, 0);
    info.num_headers = -1; /* it could not be parsed */
    assert_int_equal(cmw__head_fields(fields, &info), 0);
}

static const struct keep_row {
    const char *name;
    const char *version;
    const char *connection;
    int keeps;
} keep_rows[] = {
    {"1.1 goes on", "1.1", NULL, 1},
    {"1.0 does not", "1.0", NULL, 0},
    {"no version does not", NULL, NULL, 0},
    {"close is obeyed", "1.1", "close", 0},
    {"keep-alive with 1.0", "1.0", "Keep-Alive", 1},
    {"one of a list", "1.0", "TE ,\tkeep-alive", 1},
    {"another option", "1.1", "TE", 0},
    {"a part of a token is none", "1.1", "keep-alives", 0},
    {"an empty list", "1.1", "", 0},
    {"commas alone", "1.1", ",,", 0},
};

static void check_keeping(void **state)
{
    const struct keep_row *row = *state;
    struct mg_request_info info;

    memset(&info, 0, sizeof info);
    info.http_version = row->version;
    if (row->connection) {
        info.num_headers = 1;
        info.http_headers[0] = (struct mg_header){"connection", row->connection};
    }
    assert_int_equal(cmw__head_keeps_alive(&info), row->keeps);
}

int main(void)
{
    struct CMUnitTest tests[LEN(check_rows) + LEN(keep_rows) + 2];
    size_t count = 0;

    for (size_t i = 0; i < LEN(check_rows); i++)
        tests[count++] = ROW_TEST(&check_rows[i], check_head);
    for (size_t i = 0; i < LEN(keep_rows); i++)
        tests[count++] = ROW_TEST(&keep_rows[i], check_keeping);
    tests[count++] = (struct CMUnitTest){.name = "more fields than civetweb passes on",
                                         .test_func = check_count};
    tests[count++] =
        (struct CMUnitTest){.name = "fields without their blanks", .test_func = check_fields};
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
