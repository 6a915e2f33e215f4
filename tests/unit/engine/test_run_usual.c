/* SPDX-License-Identifier: MIT */
/* Programs of every length: the groups that are written out, and what is longer than one. */
#include <catzilla/testing.h>

#include <stdio.h>

#include "test.h"

enum { MOST = 40 };

struct link {
    char name[16];
    struct links *links;
    int verdict; /* of pre_route */
};

struct links {
    struct link at[MOST];
    uint32_t count;
    uint32_t pre, post; /* callbacks so far */
    uint32_t entered;   /* that post_route saw to have been entered */
};

static void check_turn(const struct link *link, cmw_ctx *ctx, uint32_t turn)
{
    assert_ptr_equal(link, &link->links->at[turn]);
    assert_string_equal(cmw_ctx_middleware_name(ctx), link->name);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct link *link = self;

    check_turn(link, ctx, link->links->pre++);
    assert_int_equal(cmw_ctx_was_entered(ctx), 1);
    if (link->verdict == CMW_STOP)
        return cmw_respond_empty(ctx, 403);
    return link->verdict;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    struct link *link = self;

    check_turn(link, ctx, link->links->post++);
    link->links->entered += (uint32_t)cmw_ctx_was_entered(ctx);
    return CMW_CONTINUE;
}

static void add_link(cmw_chain *chain, struct links *links, uint32_t index)
{
    struct link *link = &links->at[index];
    cmw_middleware middleware;

    *link = (struct link){"", links, CMW_CONTINUE};
    snprintf(link->name, sizeof link->name, "m%u", index);
    cmw_middleware_init(&middleware);
    middleware.name = link->name;
    middleware.self = link;
    middleware.pre_route = on_pre_route;
    middleware.post_route = on_post_route;
    assert_int_equal(cmw_chain_add(chain, &middleware, NULL), 0);
}

static cmw_test *open_links(struct links *links, uint32_t count, uint32_t sample_every)
{
    cmw_engine_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    cmw_engine_config_init(&config);
    config.sample_every = sample_every;
    assert_int_equal(cmw_test_create(&test, &config), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    links->count = count;
    for (uint32_t i = 0; i < count; i++)
        add_link(chain, links, i);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static void send(cmw_test *test, struct links *links, int status)
{
    links->pre = links->post = links->entered = 0;
    assert_int_equal(cmw_test_send_quick(test), status);
    assert_int_equal(links->post, links->count); /* for every response */
    assert_int_equal(links->entered, links->pre);
}

static uint64_t calls_of(cmw_test *test, const char *name, int phase)
{
    cmw_stats *stats = NULL;
    const cmw_middleware_stats *row;
    uint64_t calls = 0;

    assert_int_equal(cmw_stats_snapshot(cmw_test_engine(test), &stats), 0);
    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++)
        if (row->phase == phase && strcmp(row->name, name) == 0)
            calls = row->calls;
    cmw_stats_destroy(stats);
    return calls;
}

static void check_length(uint32_t count, uint32_t sample_every)
{
    struct links links;
    cmw_test *test = open_links(&links, count, sample_every);

    send(test, &links, 200);
    assert_int_equal(links.pre, count);
    for (uint32_t i = 0; i < count; i++) {
        links.at[i].verdict = CMW_STOP;
        send(test, &links, 403);
        assert_int_equal(links.pre, i + 1);
        links.at[i].verdict = CMW_ERROR;
        send(test, &links, 500);
        assert_int_equal(links.pre, i + 1);
        links.at[i].verdict = CMW_CONTINUE;
    }
    for (uint32_t i = 0; i < count; i++) { /* two left at each before it */
        const uint64_t sent = 1 + 2 * (uint64_t)count;
        assert_int_equal(calls_of(test, links.at[i].name, CMW_PHASE_PRE_ROUTE),
                         sent - 2 * (uint64_t)i);
        assert_int_equal(calls_of(test, links.at[i].name, CMW_PHASE_POST_ROUTE), sent);
    }
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void programs_of_every_length_run_in_order(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= MOST; count++)
        check_length(count, 0);
}

static void timed_programs_of_every_length_run_in_order(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= MOST; count++)
        check_length(count, 1);
}

/* Too many fields: pre_route does not run, and post_route knows. */
static void what_never_ran_is_neither_entered_nor_counted(void **state)
{
    static cmw_header headers[101];
    struct links links;
    cmw_test *test = open_links(&links, 3, 0);
    cmw_request_view *view = cmw_test_view(test);

    (void)state;
    send(test, &links, 200);
    for (size_t i = 0; i < 101; i++)
        headers[i] = (cmw_header){CMW_STR("X-Many"), CMW_STR("1")};
    const cmw_request_view before = *view;
    view->headers = headers;
    view->header_ids = NULL;
    view->header_count = 101;
    send(test, &links, 431);
    assert_int_equal(links.pre, 0);
    *view = before;
    send(test, &links, 200);
    assert_int_equal(links.entered, 3);
    assert_int_equal(calls_of(test, "m0", CMW_PHASE_PRE_ROUTE), 2);
    assert_int_equal(calls_of(test, "m0", CMW_PHASE_POST_ROUTE), 3);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* Ended before it was run: post_route did not run either. */
static void a_request_that_is_not_run_is_not_counted_as_called(void **state)
{
    struct links links;
    cmw_test *test = open_links(&links, 2, 0);
    cmw_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(test), &ctx, cmw_test_view(test)), 0);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    assert_int_equal(calls_of(test, "m1", CMW_PHASE_PRE_ROUTE), 0);
    send(test, &links, 200);
    assert_int_equal(calls_of(test, "m1", CMW_PHASE_PRE_ROUTE), 1);
    assert_int_equal(cmw_test_destroy(test), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_of_every_length_run_in_order),
        cmocka_unit_test(timed_programs_of_every_length_run_in_order),
        cmocka_unit_test(what_never_ran_is_neither_entered_nor_counted),
        cmocka_unit_test(a_request_that_is_not_run_is_not_counted_as_called),
    };
    return cmocka_run_group_tests_name("run_usual", tests, NULL, NULL);
}
