/* SPDX-License-Identifier: MIT */
/* access_log: what lines hold, which requests get one, and that nobody injects into them. */
#include "access_log_fixture.h"

#include <stdio.h>

#include "json_check.h"

/* ---- What lines hold -------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *format;
    const char *method, *target;
    const char *field, *value; /* of the request; or NULL */
    const char *want;
};

#define AT "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] "

static const struct row rows[] = {
    {"common", "common", "GET", "/a", NULL, NULL, AT "\"GET /a HTTP/1.1\" 200 2\n"},
    {"combined", "combined", "GET", "/a?b=c", "User-Agent", "curl/8",
     AT "\"GET /a?b=c HTTP/1.1\" 200 2 \"-\" \"curl/8\"\n"},
    {"combined is the default", NULL, "POST", "/", "Referer", "https://a.example/x?y=z",
     AT "\"POST / HTTP/1.1\" 200 2 \"https://a.example/x?y=z\" \"-\"\n"},
    {"json", "json", "GET", "/a", "Host", "A.example:8080",
     "{\"time\":\"2026-01-01T00:00:00.000Z\",\"client\":\"192.0.2.1\",\"user\":null,"
     "\"method\":\"GET\",\"host\":\"a.example\",\"target\":\"/a\",\"protocol\":\"HTTP/1.1\","
     "\"status\":200,\"reason\":\"sent\",\"bytes\":2,\"duration_us\":0,\"referer\":null,"
     "\"user_agent\":null,\"request_id\":null,\"route\":null}\n"},
    {"logfmt", "logfmt", "GET", "/a b", "User-Agent", "x=\"y\"",
     "time=2026-01-01T00:00:00.000Z client=192.0.2.1 user=- method=\"GET\" host=- "
     "target=\"/a b\" protocol=HTTP/1.1 status=200 reason=sent bytes=2 duration_us=0 referer=- "
     "user_agent=\"x=\\\"y\\\"\" request_id=- route=-\n"},
    {"each directive of time", "%t %{iso}t %{sec}t %{msec}t %{usec}t", "GET", "/", NULL, NULL,
     "[01/Jan/2026:00:00:00 +0000] 2026-01-01T00:00:00.000Z 1767225600 1767225600000 "
     "1767225600000000\n"},
    {"each directive of duration", "%D %T %{s}T %{ms}T %{us}T", "GET", "/", NULL, NULL,
     "0 0 0 0 0\n"},
    {"each directive of the request", "%m %U %q %H %V %{target}r \"%r\" %{Host}i", "GET",
     "/x//y?z=1", "Host", "H.example",
     "GET /x//y ?z=1 HTTP/1.1 h.example /x//y?z=1 "
     "\"GET /x//y?z=1 HTTP/1.1\" H.example\n"},
    {"each directive of who and what became of it",
     "%h %a %{c}a %l %u %s %>s %{response}s %b %B "
     "%X %L %R %%",
     "GET", "/", NULL, NULL, "192.0.2.1 192.0.2.1 192.0.2.1 - - 200 200 200 2 2 sent - - %\n"},
    {"a field of the response", "%{Content-Type}o|%{X-None}o", "GET", "/", NULL, NULL,
     "text/plain;\\x20charset=utf-8|-\n"},
    {"a literal longer than a piece", "0123456789abcdef0123456789abcdef0 %m end", "GET", "/", NULL,
     NULL, "0123456789abcdef0123456789abcdef0 GET end\n"},
    {"literal text with UTF-8", "\xc2\xbb%m", "GET", "/", NULL, NULL, "\xc2\xbbGET\n"},

    {"a quote cannot end a text", "combined", "GET", "/", "User-Agent", "\" 200 1 \"",
     AT "\"GET / HTTP/1.1\" 200 2 \"-\" \"\\\" 200 1 \\\"\"\n"},
    {"a line end cannot begin a line", "combined", "GET", "/", "User-Agent", "a\r\n" AT,
     AT "\"GET / HTTP/1.1\" 200 2 \"-\" "
        "\"a\\x0d\\x0a192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"\n"},
    {"a method cannot, either", "common", "GE\"T\n", "/", NULL, NULL,
     AT "\"GE\\\"T\\x0a / HTTP/1.1\" 200 2\n"},
    {"a bare text has no blanks", "%{X-A}i %s", "GET", "/", "X-A", "1 2\n3", "1\\x202\\x0a3 200\n"},
    {"an empty bare text is a dash", "%{X-A}i %s", "GET", "/", "X-A", "", "- 200\n"},
    {"an empty quoted text is empty", "\"%{X-A}i\" %s", "GET", "/", "X-A", "", "\"\" 200\n"},

    {"Authorization is left out", "%{Authorization}i", "GET", "/", "Authorization", "Bearer abc",
     "[redacted]\n"},
    {"Cookie is left out, in any case", "%{cOOKIE}i", "GET", "/", "cookie", "a=b", "[redacted]\n"},
    {"X-API-Key is left out", "%{X-Api-Key}i", "GET", "/", "X-API-Key", "s", "[redacted]\n"},
    {"Proxy-Authorization is left out", "%{Proxy-Authorization}i", "GET", "/",
     "Proxy-Authorization", "Basic x", "[redacted]\n"},
    {"a secret that did not come is a dash", "%{Authorization}i", "GET", "/", NULL, NULL, "-\n"},
    {"secrets of the query are left out", "\"%r\" %q %{target}r", "GET", "/?a=1&Access_Token=s",
     NULL, NULL,
     "\"GET /?a=1&Access_Token=[redacted] HTTP/1.1\" ?a=1&Access_Token=[redacted] "
     "/?a=1&Access_Token=[redacted]\n"},
    {"secrets of the referring page are left out", "\"%{Referer}i\"", "GET", "/", "Referer",
     "https://a.example/?p%61ssword=x", "\"https://a.example/?p%61ssword=[redacted]\"\n"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_access_log_config config = config_of(row->format);
    cmw_test *test = open_bench("access_log", &config);

    cmw_test_request(test, row->method, row->target);
    if (row->field)
        cmw_test_header(test, row->field, row->value);
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), row->want);
    assert_no_allocation(test);
    close_bench(test);
}

static void the_time_is_that_of_the_beginning(void **state)
{
    const cmw_access_log_config config = config_of("%{iso}t %D %{ms}T");
    cmw_ctx *ctx = NULL;
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_advance_ns(test, UINT64_C(123456789) + UINT64_C(86400000000000) * 59);
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(test), &ctx, cmw_test_view(test)), 0);
    (void)cmw_ctx_run(ctx);
    cmw_test_advance_ns(test, 2500000);
    cmw_ctx_end(ctx, CMW_END_ERROR);
    assert_string_equal(logged(test), "2026-03-01T00:00:00.123Z 2500 2\n");
    close_bench(test);
}

static void days_are_those_of_the_calendar(void **state)
{
    static const struct {
        uint64_t day; /* since 2026-01-01 */
        const char *want;
    } days[] = {{31, "2026-02-01"},    {58, "2026-02-28"},    {59, "2026-03-01"},
                {364, "2026-12-31"},   {365, "2027-01-01"},   {789, "2028-02-29"},
                {790, "2028-03-01"},   {27086, "2100-02-28"}, {27087, "2100-03-01"},
                {136599, "2399-12-31"}};

    (void)state;
    for (size_t i = 0; i < LEN(days); i++) {
        const cmw_access_log_config config = config_of("%{iso}t");
        cmw_test *test = open_bench("access_log", &config);
        cmw_test_request(test, "GET", "/");
        cmw_test_advance_ns(test, days[i].day * UINT64_C(86400000000000));
        (void)cmw_test_send(test);
        assert_memory_equal(logged(test), days[i].want, 10);
        close_bench(test);
    }
}

static void addresses_are_written_as_they_are(void **state)
{
    static const char *const peers[] = {"0.0.0.0", "10.200.30.4", "255.255.255.255", "2001:db8::1"};
    const cmw_access_log_config config = config_of("%h");
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    for (size_t i = 0; i < LEN(peers); i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_peer(test, peers[i]);
        (void)cmw_test_send(test);
        const char *line = logged(test);
        assert_int_equal(strlen(line), strlen(peers[i]) + 1);
        assert_memory_equal(line, peers[i], strlen(peers[i]));
    }
    cmw_test_view(test)->peer.family = CMW_ADDRESS_NONE;
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), "-\n");
    close_bench(test);
}

static int answer_large(void *self, cmw_ctx *ctx)
{
    const size_t *len = self;
    static char body[100001];
    memset(body, 'x', sizeof body);
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200, cmw_str_make(body, *len));
}

static void bytes_are_those_of_the_body(void **state)
{
    static const size_t lengths[] = {0, 9, 10, 99, 100, 999, 1000, 12345, 100001};
    const cmw_access_log_config config = config_of("%B");
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    for (size_t i = 0; i < LEN(lengths); i++) {
        char want[32];
        size_t len = lengths[i];
        (void)snprintf(want, sizeof want, "%zu\n", len);
        cmw_test_set_handler(test, answer_large, &len);
        cmw_test_request(test, "GET", "/");
        (void)cmw_test_send(test);
        assert_string_equal(logged(test), want);
        cmw_test_request(test, "HEAD", "/");
        (void)cmw_test_send(test);
        assert_string_equal(logged(test), "0\n");
    }
    close_bench(test);
}

/* ---- How requests end ------------------------------------------------------------------- */

struct end_row {
    const char *name;
    cmw_end_reason reason;
    const char *want;
};

static const struct end_row end_rows[] = {
    {"sent", CMW_END_SENT, "200 200 sent 2 2\n"},
    {"the client left", CMW_END_CLIENT_GONE, "499 200 client_gone - -\n"},
    {"a deadline passed", CMW_END_DEADLINE, "- 200 deadline - -\n"},
    {"the server failed", CMW_END_ERROR, "- 200 error - -\n"},
    {"the server closed", CMW_END_SHUTDOWN, "- 200 shutdown - -\n"},
};

static void check_end(void **state)
{
    const struct end_row *row = *state;
    const cmw_access_log_config config = config_of("%s %{response}s %X %b %B");
    cmw_test *test = open_bench("access_log", &config);

    cmw_test_set_end_reason(test, row->reason);
    cmw_test_request(test, "GET", "/");
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), row->want);
    close_bench(test);
}

static int send_a_part(void *self, cmw_ctx *ctx)
{
    (void)self;
    cmw_ctx_set_body_sent(ctx, 1);
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static void what_the_host_sent_counts(void **state)
{
    const cmw_access_log_config config = config_of("%s %b");
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    cmw_test_set_handler(test, send_a_part, NULL);
    cmw_test_set_end_reason(test, CMW_END_CLIENT_GONE);
    cmw_test_request(test, "GET", "/");
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), "499 1\n");
    cmw_test_set_handler(test, NULL, NULL);
    cmw_test_set_end_reason(test, CMW_END_SENT);
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), "200 2\n"); /* nothing of the last request is left */
    close_bench(test);
}

static void a_request_over_its_limits_is_logged(void **state)
{
    const cmw_access_log_config config = config_of("common");
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_non_null(strstr(logged(test), "\"GET / HTTP/1.1\" 431 "));
    close_bench(test);
}

/* ---- Which requests --------------------------------------------------------------------- */

static int answer_status(void *self, cmw_ctx *ctx)
{
    const int *status = self;
    return cmw_response_empty(cmw_ctx_response(ctx), *status);
}

static void the_status_filter_lets_some_pass(void **state)
{
    static const char *const wanted[] = {"404", "5xx", "300-302"};
    static const struct {
        int status, is_logged;
    } cases[] = {{200, 0}, {299, 0}, {300, 1}, {302, 1}, {303, 0}, {404, 1},
                 {405, 0}, {500, 1}, {599, 1}, {600, 0}, {100, 0}};
    cmw_access_log_config config = config_of("%s");
    int status = 0;

    (void)state;
    config.status = wanted;
    config.status_count = LEN(wanted);
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_set_handler(test, answer_status, &status);
    for (size_t i = 0; i < LEN(cases); i++) {
        status = cases[i].status;
        cmw_test_request(test, "GET", "/");
        (void)cmw_test_send(test);
        (void)logged(test);
        assert_int_equal(lines.count, cases[i].is_logged);
    }
    cmw_test_set_end_reason(test, CMW_END_ERROR);
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), "-\n"); /* what failed is never filtered out */
    close_bench(test);
}

static void one_in_so_many_is_logged_and_every_failure(void **state)
{
    cmw_access_log_config config = config_of("%s");
    int status = 200;
    size_t of_200 = 0;

    (void)state;
    config.sample = 10;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_set_handler(test, answer_status, &status);
    for (int i = 0; i < 100; i++) {
        status = i % 20 == 7 ? 503 : 200;
        cmw_test_request(test, "GET", "/");
        (void)cmw_test_send(test);
        const char *line = logged(test);
        if (status == 503)
            assert_string_equal(line, "503\n");
        of_200 += status == 200 && lines.count == 1;
    }
    assert_int_equal(of_200, 9); /* of 95 */
    close_bench(test);
}

static int is_health(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_str_equals(cmw_request_path(cmw_ctx_request(ctx)), CMW_STR("/livez"));
}

static void a_predicate_skips(void **state)
{
    cmw_access_log_config config = config_of("%U");

    (void)state;
    config.skip = is_health;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", "/livez");
    (void)cmw_test_send(test);
    cmw_test_request(test, "GET", "/api");
    (void)cmw_test_send(test);
    assert_string_equal(logged(test), "/api\n");
    close_bench(test);
}

/* ---- With other middleware -------------------------------------------------------------- */

static int be_alice(void *self, cmw_ctx *ctx)
{
    cmw_principal *principal = cmw_ctx_set_slot(ctx, *(const cmw_slot *)self);
    if (!principal)
        return CMW_ERROR;
    principal->id = CMW_STR("al\"ice b");
    return CMW_CONTINUE;
}

static cmw_test *open_chain(const cmw_access_log_config *config, cmw_slot *principal)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware mw;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "access_log", config, NULL), 0);
    assert_int_equal(cmw_principal_slot(cmw_test_engine(test), principal), 0);
    cmw_middleware_init(&mw);
    mw.name = "alice";
    mw.self = principal;
    mw.pre_route = be_alice;
    cmw_middleware_provides(&mw, *principal);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static void a_line_knows_user_and_request_id(void **state)
{
    static const char *const formats[] = {"%u %L", "\"%u\" %L"};
    static const char *const users[] = {"al\\\"ice\\x20b ", "\"al\\\"ice b\" "};

    (void)state;
    for (size_t i = 0; i < LEN(formats); i++) {
        const cmw_access_log_config config = config_of(formats[i]);
        cmw_slot principal;
        cmw_test *test = open_chain(&config, &principal);
        cmw_test_request(test, "GET", "/");
        (void)cmw_test_send(test);
        const char *line = logged(test);
        assert_memory_equal(line, users[i], strlen(users[i]));
        const char *id = cmw_test_response_field(test, "X-Request-ID");
        assert_memory_equal(line + strlen(users[i]), id, strlen(id));
        close_bench(test);
    }
}

static int refine(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

static void who_refines_the_client_must_come_before(void **state)
{
    const cmw_access_log_config config = config_of("common");
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware mw;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "access_log", &config, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = "proxy";
    mw.priority = 120;
    mw.pre_route = refine;
    cmw_middleware_refines(&mw, CMW_FACT_CLIENT_ADDRESS);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "access_log"));
    assert_int_equal(cmw_chain_set_priority(chain, "proxy", 50), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void members_are_added_to_json_and_logfmt(void **state)
{
    static const cmw_option_text fields[] = {{"auth", "%{Authorization}i"}, {"x-a", "%{X-A}i"}};
    cmw_access_log_config config = config_of("json");

    (void)state;
    config.fields = fields;
    config.field_count = LEN(fields);
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic x");
    cmw_test_header(test, "X-A", "1\n\xff");
    (void)cmw_test_send(test);
    const char *line = logged(test);
    assert_non_null(strstr(line, ",\"auth\":\"[redacted]\",\"x-a\":\"1\\u000a\\ufffd\"}\n"));
    assert_true(json_check_object(line, strlen(line) - 1));
    close_bench(test);

    config = config_of("logfmt");
    config.fields = fields;
    config.field_count = LEN(fields);
    test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", "/");
    (void)cmw_test_send(test);
    assert_non_null(strstr(logged(test), " auth=- x-a=-\n"));
    close_bench(test);
}

static void lists_add_to_what_is_redacted(void **state)
{
    static const char *const headers[] = {"X-Secret"};
    static const char *const query[] = {"PIN"};
    cmw_access_log_config config = config_of("%{X-Secret}i %{Cookie}i %{target}r");

    (void)state;
    config.redact_headers = headers;
    config.redact_header_count = 1;
    config.redact_query = query;
    config.redact_query_count = 1;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", "/?pin=1&token=2&x=3");
    cmw_test_header(test, "X-Secret", "s");
    cmw_test_header(test, "Cookie", "c");
    (void)cmw_test_send(test);
    assert_string_equal(logged(test),
                        "[redacted] [redacted] /?pin=[redacted]&token=[redacted]&x=3\n");
    close_bench(test);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    struct CMUnitTest ends[LEN(end_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_time_is_that_of_the_beginning),
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(addresses_are_written_as_they_are),
        cmocka_unit_test(bytes_are_those_of_the_body),
        cmocka_unit_test(what_the_host_sent_counts),
        cmocka_unit_test(a_request_over_its_limits_is_logged),
        cmocka_unit_test(the_status_filter_lets_some_pass),
        cmocka_unit_test(one_in_so_many_is_logged_and_every_failure),
        cmocka_unit_test(a_predicate_skips),
        cmocka_unit_test(a_line_knows_user_and_request_id),
        cmocka_unit_test(who_refines_the_client_must_come_before),
        cmocka_unit_test(members_are_added_to_json_and_logfmt),
        cmocka_unit_test(lists_add_to_what_is_redacted),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(end_rows); i++)
        ends[i] = ROW_TEST(&end_rows[i], check_end);
    return cmocka_run_group_tests_name("access_log, lines", tests, NULL, NULL) +
           cmocka_run_group_tests_name("access_log, ends", ends, NULL, NULL) +
           cmocka_run_group_tests_name("access_log", others, NULL, NULL);
}
