/* SPDX-License-Identifier: MIT */
/* mirror: what is copied, what is left out, and that nothing waits. */
#include "builtin_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <catzilla/builtin/mirror.h>

struct sink {
    unsigned count;
    char text[1024]; /* of the last copy */
};

static void append(struct sink *sink, cmw_str text)
{
    const size_t len = strlen(sink->text);

    assert_true(len + text.len < sizeof sink->text);
    if (text.len > 0)
        memcpy(sink->text + len, text.data, text.len);
    sink->text[len + text.len] = '\0';
}

static void deliver(void *self, const cmw_mirror_request *copy)
{
    struct sink *sink = self;
    char status[32];

    sink->count++;
    sink->text[0] = '\0';
    append(sink, copy->method);
    append(sink, CMW_STR(" "));
    append(sink, copy->target);
    for (size_t i = 0; i < copy->header_count; i++) {
        append(sink, CMW_STR(" "));
        append(sink, copy->headers[i].name);
        append(sink, CMW_STR("="));
        append(sink, copy->headers[i].value);
    }
    append(sink, CMW_STR(" "));
    append(sink, copy->body);
    snprintf(status, sizeof status, " %d", copy->status);
    append(sink, cmw_str_cstr(status));
}

static void fill(cmw_mirror_config *config, struct sink *sink)
{
    memset(sink, 0, sizeof *sink);
    cmw_mirror_config_init(config);
    config->share_permille = 1000;
    config->places = 2;
    config->place_bytes = 512;
    config->deliver = deliver;
    config->deliver_self = sink;
}

/* The instance is made by hand, to ask it for its counts. */
static cmw_test *open_mirror(const cmw_mirror_config *config, cmw_middleware *mw)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(mw);
    mw->name = "mirror";
    assert_int_equal(cmw_mirror_create(cmw_test_engine(test), mw, config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    return test;
}

static cmw_mirror_stats stats_of(const cmw_middleware *mw)
{
    cmw_mirror_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_mirror_get_stats(mw, &stats), 0);
    return stats;
}

static void a_copy_has_all_but_secrets(void **state)
{
    struct sink sink;
    cmw_mirror_config config;
    cmw_middleware mw;

    (void)state;
    fill(&config, &sink);
    cmw_test *test = open_mirror(&config, &mw);
    cmw_test_request(test, "POST", "/a?b=%41");
    cmw_test_header(test, "Host", "a.example");
    cmw_test_header(test, "authorization", "Bearer secret");
    cmw_test_header(test, "Cookie", "sid=secret");
    cmw_test_header(test, "X-Api-Key", "secret");
    cmw_test_header(test, "Accept", "*/*");
    cmw_test_body(test, CMW_STR("hello"));
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(sink.count, 0); /* not on the way of the request */
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    assert_string_equal(sink.text, "POST /a?b=%41 Host=a.example Accept=*/* hello 200");
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    assert_no_allocation(test);
    close_bench(test);
}

static void what_finds_no_place_is_not_copied(void **state)
{
    struct sink sink;
    cmw_mirror_config config;
    cmw_middleware mw;

    (void)state;
    fill(&config, &sink);
    cmw_test *test = open_mirror(&config, &mw);
    cmw_test_request(test, "GET", "/");
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).copied, 2);
    assert_int_equal(stats_of(&mw).full, 3);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 2);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).copied, 3);
    close_bench(test);
    assert_int_equal(sink.count, 3); /* what waited at the end, too */
}

static void what_is_too_long_is_not_cut(void **state)
{
    char body[513];
    struct sink sink;
    cmw_mirror_config config;
    cmw_middleware mw;

    (void)state;
    fill(&config, &sink);
    cmw_test *test = open_mirror(&config, &mw);
    memset(body, 'b', sizeof body);
    cmw_test_request(test, "PUT", "/");
    cmw_test_body(test, cmw_str_make(body, 512 - 4));
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).copied, 1); /* with "PUT" and "/" it just fits */
    cmw_test_request(test, "PUT", "/");
    cmw_test_body(test, cmw_str_make(body, 512 - 3));
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).too_long, 1);
    assert_int_equal(stats_of(&mw).copied, 1);
    close_bench(test);
}

static void a_share_is_a_share(void **state)
{
    struct sink sink;
    cmw_mirror_config config;
    cmw_middleware mw;

    (void)state;
    fill(&config, &sink);
    config.share_permille = 500;
    cmw_test *test = open_mirror(&config, &mw);
    cmw_test_request(test, "GET", "/");
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(cmw_test_send_quick(test), 200);
        (void)cmw_engine_poll(cmw_test_engine(test));
    }
    /* 2,000 draws: 14 deviations to each side. */
    assert_in_range(sink.count, 700, 1300);
    close_bench(test);
}

static void a_file_gets_messages(void **state)
{
    static const char expected[] =
        "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
        "hello";
    char path[] = "/tmp/cmw_mirror_XXXXXX", text[256] = "";
    struct sink sink;
    cmw_mirror_config config;
    cmw_middleware mw;

    (void)state;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    fill(&config, &sink);
    config.deliver = NULL;
    config.output = path;
    cmw_test *test = open_mirror(&config, &mw);
    cmw_test_request(test, "POST", "/a");
    cmw_test_header(test, "Host", "a.example");
    cmw_test_header(test, "Content-Length", "5");
    cmw_test_header(test, "Transfer-Encoding", "chunked");
    cmw_test_header(test, "X-Split", "a\r\nEvil: b"); /* no server hands this over */
    cmw_test_header(test, "Content-Length ", "0");    /* which somebody may read as the field */
    cmw_test_header(test, "Transfer-Encoding: chunked\r\nX", "y");
    cmw_test_header(test, "", "nameless");
    cmw_test_body(test, CMW_STR("hello"));
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/a HTTP/1.1 /b"); /* no request line of its own */
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
    assert_int_equal(read(fd, text, sizeof text), sizeof expected - 1);
    assert_string_equal(text, expected);
    close(fd);
    unlink(path);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    struct sink sink;
    cmw_mirror_config config;

    (void)state;
    assert_refused("mirror", NULL, CMW_ERR_ARG,
                   "mirror: output: a file is needed, or a callback of the program");
    fill(&config, &sink);
    config.share_permille = 1001;
    assert_refused("mirror", &config, CMW_ERR_ARG, "mirror: share_permille: 1001 is not 1 to 1000");
    fill(&config, &sink);
    config.places = 0;
    assert_refused("mirror", &config, CMW_ERR_ARG, "mirror: places: 0 is not 1 to 65536");
    fill(&config, &sink);
    config.place_bytes = 1;
    assert_refused("mirror", &config, CMW_ERR_ARG, "mirror: place_bytes: 1 is not 256 to 16777216");
    fill(&config, &sink);
    config.output = "/nowhere/at/all";
    assert_refused("mirror", &config, CMW_ERR_IO,
                   "mirror: output: '/nowhere/at/all': No such file or directory");
}

static void failing_memory_is_survived(void **state)
{
    struct sink sink;
    cmw_mirror_config config;

    (void)state;
    fill(&config, &sink);
    assert_survives_failing_memory("mirror", &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_all_but_secrets),
        cmocka_unit_test(what_finds_no_place_is_not_copied),
        cmocka_unit_test(what_is_too_long_is_not_cut),
        cmocka_unit_test(a_share_is_a_share),
        cmocka_unit_test(a_file_gets_messages),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
