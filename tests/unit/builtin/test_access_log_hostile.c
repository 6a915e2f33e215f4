/* SPDX-License-Identifier: MIT */
/* access_log: requests that are hostile, and configs that mean nothing. */
#include "access_log_fixture.h"

#include <stdio.h>

#include "json_check.h"

/* ---- Hostile requests ------------------------------------------------------------------- */

static void a_text_that_is_too_long_is_cut_where_one_sees_it(void **state)
{
    static char target[100000];
    char want[128];
    cmw_access_log_config config = config_of("%{target}r|%s");

    (void)state;
    memset(target, 'a', sizeof target - 1);
    target[0] = '/';
    config.max_text = 16;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", target);
    (void)cmw_test_send(test);
    (void)snprintf(want, sizeof want, "%.16s...|200\n", target);
    assert_string_equal(logged(test), want);
    target[16] = '\0';
    cmw_test_request(test, "GET", target);
    (void)cmw_test_send(test);
    (void)snprintf(want, sizeof want, "%.16s|200\n", target);
    assert_string_equal(logged(test), want);
    close_bench(test);
}

/* The worst that every text of every format can be: no line is lost, and each fits its room. */
static void nobody_makes_a_line_vanish_by_its_length(void **state)
{
    static const char *const formats[] = {"common", "combined", "json", "logfmt"};
    static char hostile[8192];

    (void)state;
    memset(hostile, '\x01', sizeof hostile - 1);
    for (size_t i = 0; i < LEN(formats); i++) {
        const cmw_access_log_config config = config_of(formats[i]);
        cmw_access_log_counts counts;
        cmw_test *test = open_bench("access_log", &config);
        for (int times = 0; times < 20; times++) {
            cmw_test_request(test, hostile, hostile);
            cmw_test_header(test, "User-Agent", hostile);
            cmw_test_header(test, "Referer", hostile);
            (void)cmw_test_send(test);
            (void)logged(test);
            assert_int_equal(lines.count, 1);
        }
        assert_int_equal(cmw_access_log_count(cmw_test_engine(test), &counts, "access_log"), 0);
        assert_int_equal(counts.lines, 20);
        assert_int_equal(counts.lost, 0);
        close_bench(test);
    }
}

static void json_is_json_whatever_comes(void **state)
{
    const cmw_access_log_config config = config_of("json");
    uint32_t seed = 11;
    char agent[200];
    cmw_test *test = open_bench("access_log", &config);

    (void)state;
    for (int i = 0; i < 3000; i++) {
        const size_t len = (seed >> 8) % sizeof agent;
        for (size_t at = 0; at < len; at++) {
            seed = seed * 1664525u + 1013904223u;
            agent[at] = (char)(seed >> 16);
        }
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "User-Agent", "x");
        cmw_header *header = (cmw_header *)(uintptr_t)cmw_test_view(test)->headers;
        header->value = cmw_str_make(agent, len);
        cmw_test_view(test)->target = cmw_str_make(agent, len / 2);
        cmw_test_view(test)->method = cmw_str_make(agent + len / 2, len / 3);
        (void)cmw_test_send_quick(test);
        const char *line = logged(test);
        assert_int_equal(lines.count, 1);
        assert_true(json_check_object(line, lines.len - 1));
    }
    close_bench(test);
}

static void ten_thousand_parameters_are_gone_through_once(void **state)
{
    enum { COUNT = 10000 };
    static char target[COUNT * 4 + 8];
    cmw_access_log_config config = config_of("%{target}r");

    (void)state;
    memcpy(target, "/?", 2);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(target + 2 + 4 * i, "a=b&", 4);
    config.max_text = 65536;
    config.bytes = 1 << 20;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", target);
    (void)cmw_test_send(test);
    assert_int_equal(strlen(logged(test)), strlen(target) + 1);
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- Usual lines ------------------------------------------------------------------------ */

#define COMMON_TEXT "%h %l %u %t \"%r\" %>s %b"

static uint32_t seed = 7;

static uint32_t draw(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 12) % limit;
}

/* What means something in a URL, secrets and not, and one time in four any bytes. */
static cmw_str draw_text(char *room, uint32_t cap)
{
    static const char *const words[] = {"/",   "a",     "?",     "?", "&",         "=",    "=",
                                        "=1&", "sig",   "token", ";", "%74oken",   "page", "#",
                                        "pwd", "ToKeN", "%",     " ", "session_id"};
    const uint32_t wanted = draw(cap);
    const int is_usual = draw(4) > 0;
    uint32_t len = 0;

    while (len < wanted) {
        const char *word = words[draw(LEN(words))];
        if (!is_usual)
            room[len++] = (char)draw(256);
        else if (len + strlen(word) > cap)
            break;
        else
            for (; *word; word++)
                room[len++] = *word;
    }
    return cmw_str_make(room, len);
}

static void draw_request(cmw_test *test)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "G", "GETS", "\x7f"};
    static const uint16_t versions[] = {0x0101, 0x0101, 0x0101, 0x0100, 0x0200, 0};
    static char texts[3][160];
    cmw_request_view *view = cmw_test_view(test);

    cmw_test_request(test, methods[draw(LEN(methods))], "/");
    if (draw(3) > 0)
        cmw_test_header(test, "User-Agent", "x");
    if (draw(3) > 0)
        cmw_test_header(test, "Referer", "x");
    for (uint32_t i = 0; i < view->header_count; i++)
        ((cmw_header *)(uintptr_t)view->headers)[i].value = draw_text(texts[i], sizeof texts[i]);
    view->target = draw_text(texts[2], sizeof texts[2]);
    view->http_version = versions[draw(LEN(versions))];
    for (size_t i = 0; i < 4; i++)
        view->peer.bytes[i] = (uint8_t)draw(256);
    view->peer.family = (uint8_t)(draw(8) == 0 ? CMW_ADDRESS_V6 : CMW_ADDRESS_V4);
}

/* A format by its name, and the same written out, which is put together piece by piece. */
static void named_formats_say_what_their_texts_say(void **state)
{
    static const char *const formats[][2] = {
        {"common", COMMON_TEXT},
        {"combined", COMMON_TEXT " \"%{Referer}i\" \"%{User-Agent}i\""},
    };
    static struct lines by_name;

    (void)state;
    for (size_t i = 0; i < LEN(formats); i++) {
        cmw_access_log_config named = config_of(formats[i][0]);
        cmw_access_log_config text = config_of(formats[i][1]);
        named.max_text = text.max_text = 100;
        cmw_test *first = open_bench("access_log", &named);
        cmw_test *second = open_bench("access_log", &text);
        for (int times = 0; times < 5000; times++) {
            const uint32_t before = seed;
            draw_request(first);
            (void)cmw_test_send_quick(first);
            (void)logged(first);
            by_name = lines;
            seed = before;
            draw_request(second);
            (void)cmw_test_send_quick(second);
            assert_string_equal(by_name.text, logged(second));
            assert_int_equal(lines.count, 1);
        }
        close_bench(first);
        close_bench(second);
    }
}

/* ---- Configs ---------------------------------------------------------------------------- */

static void formats_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        const char *format, *sentence;
    } bad[] = {
        {"%z", "access_log: format: there is no directive '%z'"},
        {"%h %{x}t", "access_log: format: there is no directive '%{x}t'"},
        {"%{Referer", "access_log: format: there is no directive '%{Referer'"},
        {"100%", "access_log: format: there is no directive '%'"},
        {"%>h", "access_log: format: there is no directive '%>'"},
        {"%i", "access_log: format: there is no directive '%i'"},
        {"%{a b}i", "access_log: format: 'a b' is not the name of a field"},
        {"%{}i", "access_log: format: '' is not the name of a field"},
        {"%h\n%s", "access_log: format: a line holds no control characters"},
    };

    (void)state;
    for (size_t i = 0; i < LEN(bad); i++) {
        const cmw_access_log_config config = config_of(bad[i].format);
        assert_refused("access_log", &config, CMW_ERR_INVALID, bad[i].sentence);
    }
    const cmw_access_log_config config = config_of("combned");
    assert_refused("access_log", &config, CMW_ERR_ARG,
                   "access_log: format: 'combned' is not common, combined, json or logfmt, and has "
                   "no directive");
}

static void options_that_mean_nothing_are_refused(void **state)
{
    static const char *const statuses[] = {"200", "6xx"};
    static const char *const backwards[] = {"500-400"};
    static const char *const bad_name[] = {"a b"};
    static const char *const no_name[] = {""};
    static const cmw_option_text no_directive[] = {{"x", "%h %h"}};
    static const cmw_option_text no_member[] = {{"\"", "%h"}};
    cmw_access_log_config config = config_of("common");

    (void)state;
    config.fd = 2;
    assert_refused("access_log", &config, CMW_ERR_ARG,
                   "access_log: file, fd, syslog, write: only one of them");
    config = config_of("common");
    config.bytes = 100;
    assert_refused("access_log", &config, CMW_ERR_ARG,
                   "access_log: bytes: 100 is not in 4096 to 1073741824");
    config = config_of("common");
    config.sample = 0;
    assert_refused("access_log", &config, CMW_ERR_ARG,
                   "access_log: sample: 0 is not in 1 to 9223372036854775807");
    config = config_of("common");
    config.writer = 2;
    assert_refused("access_log", &config, CMW_ERR_ARG, "access_log: writer: 2 is not in 0 to 1");
    config = config_of("common");
    config.max_text = 65536;
    assert_refused(
        "access_log", &config, CMW_ERR_LIMIT,
        "access_log: bytes: a line of this format may have 1180177, and a ring of 262144 "
        "holds no more than 131072: raise bytes or lower max_text");
    config = config_of("common");
    config.status = statuses;
    config.status_count = 2;
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: status: '6xx' is not like 404, 5xx or 400-499");
    config.status = backwards;
    config.status_count = 1;
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: status: '500-400' is not like 404, 5xx or 400-499");
    config = config_of("common");
    config.redact_headers = bad_name;
    config.redact_header_count = 1;
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: redact_headers: 'a b' is not the name of a field");
    config = config_of("common");
    config.redact_query = no_name;
    config.redact_query_count = 1;
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: redact_query: '' is not a name of 1 to 64 bytes");
    config = config_of("common");
    config.fields = no_directive;
    config.field_count = 1;
    assert_refused("access_log", &config, CMW_ERR_ARG,
                   "access_log: fields: only json and logfmt have members");
    config.format = "json";
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: fields: x: '%h %h' is not one directive");
    config.fields = no_member;
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: fields: '\"' is not a name of 1 to 64 letters, digits, '_', '-' or "
                   "'.'");
}

static void outputs_that_are_not_there_are_refused(void **state)
{
    cmw_access_log_config config;

    (void)state;
    cmw_access_log_config_init(&config);
    config.syslog = "mail";
    assert_refused("access_log", &config, CMW_ERR_INVALID,
                   "access_log: syslog: 'mail' is not daemon, user or local0 to local7");
    cmw_access_log_config_init(&config);
    config.file = "/nowhere/at/all";
    assert_refused("access_log", &config, CMW_ERR_IO,
                   "access_log: file: '/nowhere/at/all' cannot be opened (error 2)");
    config.file = "";
    assert_refused("access_log", &config, CMW_ERR_ARG, "access_log: file: it has no name");
}

static void failing_memory_is_survived(void **state)
{
    const cmw_access_log_config config = config_of("json");

    (void)state;
    assert_survives_failing_memory("access_log", &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_that_is_too_long_is_cut_where_one_sees_it),
        cmocka_unit_test(nobody_makes_a_line_vanish_by_its_length),
        cmocka_unit_test(json_is_json_whatever_comes),
        cmocka_unit_test(ten_thousand_parameters_are_gone_through_once),
        cmocka_unit_test(named_formats_say_what_their_texts_say),
        cmocka_unit_test(formats_that_mean_nothing_are_refused),
        cmocka_unit_test(options_that_mean_nothing_are_refused),
        cmocka_unit_test(outputs_that_are_not_there_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("access_log, hostile", tests, NULL, NULL);
}
