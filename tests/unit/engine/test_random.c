/* SPDX-License-Identifier: MIT */
/* What a context gives beside the request: random bytes, the wall clock, the route, the principal.
 */
#include <catzilla/testing.h>

#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static cmw_test *open_test(cmw_chain **chain)
{
    cmw_test *test = NULL;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), chain, 0), 0);
    return test;
}

static void install(cmw_test *test, cmw_chain *chain)
{
    cmw_plan *plan = NULL;
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
}

static cmw_test *open_empty(cmw_test_handler_fn *handler, void *self)
{
    cmw_chain *chain = NULL;
    cmw_test *test = open_test(&chain);

    install(test, chain);
    cmw_test_set_handler(test, handler, self);
    cmw_test_request(test, "GET", "/");
    return test;
}

/* ---- Random bytes ----------------------------------------------------------------------- */

enum { DRAW_CAP = 5000 };

struct draw {
    size_t len;
    unsigned char bytes[DRAW_CAP];
};

static int take_random(void *self, cmw_ctx *ctx)
{
    struct draw *draw = self;
    return cmw_ctx_random(ctx, draw->bytes, draw->len) != 0 ||
           cmw_response_set_status(cmw_ctx_response(ctx), 200) != 0;
}

static uint64_t next_word(cmw_test *test, struct draw *draw)
{
    uint64_t word;

    draw->len = sizeof word;
    assert_int_equal(cmw_test_send_quick(test), 200);
    memcpy(&word, draw->bytes, sizeof word);
    return word;
}

static int compare_words(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void words_over_many_batches_differ(void **state)
{
    enum { COUNT = 4096 };
    static uint64_t words[COUNT];
    struct draw draw = {0};
    cmw_test *test = open_empty(take_random, &draw);

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        words[i] = next_word(test, &draw);
    qsort(words, COUNT, sizeof *words, compare_words);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(words[i - 1] != words[i]);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* Every length is filled to its end, across batches too, and nothing is written behind it. */
static void every_length_is_filled(void **state)
{
    static const size_t lengths[] = {1, 7, 8, 9, 16, 255, 1000, 1023, 1024, 1025, 4096, 4999};
    struct draw draw = {0};
    cmw_test *test = open_empty(take_random, &draw);

    (void)state;
    for (size_t i = 0; i < LEN(lengths); i++) {
        unsigned seen = 0;
        draw.len = lengths[i];
        for (int tries = 0; tries < 16; tries++) { /* all 0 in 16 tries: once in 2^128 */
            draw.bytes[draw.len - 1] = 0;
            draw.bytes[draw.len] = 0x5a;
            assert_int_equal(cmw_test_send_quick(test), 200);
            seen |= draw.bytes[draw.len - 1];
            assert_int_equal(draw.bytes[draw.len], 0x5a);
        }
        assert_true(seen != 0);
    }
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void random_bytes_need_no_allocation_when_warm(void **state)
{
    struct draw draw = {0};
    cmw_test *test = open_empty(take_random, &draw);

    (void)state;
    (void)next_word(test, &draw);
    const uint64_t before = cmw_test_alloc_calls(test);
    for (int i = 0; i < 1000; i++)
        (void)next_word(test, &draw);
    assert_int_equal(cmw_test_alloc_calls(test), before);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static uint64_t word_of_a_child(cmw_test *test, struct draw *draw)
{
    int ends[2];
    int status = -1;
    uint64_t word = 0;

    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        word = next_word(test, draw);
        const int is_sent = write(ends[1], &word, sizeof word) == (ssize_t)sizeof word;
        _exit(cmw_test_destroy(test) == 0 && is_sent ? 0 : 1);
    }
    assert_int_equal(read(ends[0], &word, sizeof word), sizeof word);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    return word;
}

static void a_forked_child_draws_other_bytes(void **state)
{
    struct draw draw = {0};
    cmw_test *test = open_empty(take_random, &draw);

    (void)state;
    (void)next_word(test, &draw); /* the batch is full: a plain copy of it would repeat */
    const uint64_t a = word_of_a_child(test, &draw);
    const uint64_t b = word_of_a_child(test, &draw);
    const uint64_t ours = next_word(test, &draw);
    assert_true(a != b && a != ours && b != ours);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Wall clock ------------------------------------------------------------------------- */

struct clocks {
    uint64_t now_ns, wall_ns;
    size_t wall_reads;
};

static uint64_t read_clock(void *self)
{
    const struct clocks *clocks = self;
    return clocks->now_ns;
}

static uint64_t read_wall(void *self)
{
    struct clocks *clocks = self;
    clocks->wall_reads++;
    return clocks->wall_ns;
}

/* The first request begins at BASE, when the wall clock says WALL; the clocks are as in the row
 * when the second one asks. */
struct wall_row {
    const char *name;
    uint64_t now_ns, wall_ns;
    uint64_t host_ns; /* when the second began; 0: the host gives no time */
    uint64_t want_ns;
    size_t want_reads;
};

#define S UINT64_C(1000000000)
#define BASE (10000 * S)
#define WALL (1000000 * S)

static const struct wall_row wall_rows[] = {
    {"time that passes is added without another look", BASE + 7, 1, 0, WALL + 7, 1},
    {"after 100 ms the clock is still good", BASE + S / 10, 1, 0, WALL + S / 10, 1},
    {"past 100 ms the clock is read again", BASE + S / 10 + 1, 2 * WALL, 0, 2 * WALL, 2},
    {"the host's time counts", BASE + 9 * S, 1, BASE + 50, WALL + 50, 1},
    {"a request that began before the reading is as old as it is", BASE + S, 1, BASE - 60 * S,
     WALL - 60 * S, 1},
    {"what is read late is not taken for the beginning", BASE + 9 * S, WALL + 9 * S, BASE + 2 * S,
     WALL + 2 * S, 2},
    {"a time that went back by hours has the clock read again", BASE - 5000 * S, WALL + 3 * S,
     BASE - 5000 * S, WALL + 3 * S, 2},
};

static uint64_t wall_of_request(cmw_worker *worker, uint64_t host_ns)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.now_ns = host_ns;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    const uint64_t wall_ns = cmw_ctx_wall_ns(ctx);
    assert_true(cmw_ctx_wall_ns(ctx) == wall_ns);
    cmw_ctx_end(ctx, CMW_END_ERROR);
    return wall_ns;
}

static void check_wall(void **state)
{
    const struct wall_row *row = *state;
    struct clocks clocks = {BASE, WALL, 0};
    cmw_engine_config config;
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    cmw_engine_config_init(&config);
    config.clock_ns = read_clock;
    config.wall_clock_ns = read_wall;
    config.clock_self = &clocks;
    assert_int_equal(cmw_engine_create(&engine, &config), 0);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_install(engine, plan, NULL), 0);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);

    assert_true(wall_of_request(worker, 0) == WALL);
    clocks.now_ns = row->now_ns;
    clocks.wall_ns = row->wall_ns;
    assert_true(wall_of_request(worker, row->host_ns) == row->want_ns);
    assert_int_equal(clocks.wall_reads, row->want_reads);
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* ---- Route and principal ---------------------------------------------------------------- */

static int keep_route(void *self, cmw_ctx *ctx)
{
    uint32_t *route = self;
    *route = cmw_ctx_route(ctx);
    return cmw_response_set_status(cmw_ctx_response(ctx), 200);
}

static void the_route_is_the_one_that_was_entered(void **state)
{
    cmw_group_config config;
    cmw_group *group = NULL;
    cmw_chain *chain = NULL;
    uint32_t route = 0;
    cmw_test *test = open_test(&chain);

    (void)state;
    cmw_group_config_init(&config);
    config.name = "seven";
    config.route_id = 7;
    assert_int_equal(cmw_chain_add_group(chain, &group, NULL, &config, NULL), 0);
    cmw_middleware mw;
    cmw_middleware_init(&mw);
    mw.name = "inside";
    mw.fields = &(const cmw_header){CMW_STR_INIT("X-Inside"), CMW_STR_INIT("1")};
    mw.field_count = 1;
    assert_int_equal(cmw_group_add(group, &mw, NULL), 0);
    install(test, chain);
    cmw_test_set_handler(test, keep_route, &route);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(route, CMW_NONE);
    cmw_test_route(test, 7);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(route, 7);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void a_principal_has_its_roles_and_scopes_byte_for_byte(void **state)
{
    static const cmw_str roles[] = {CMW_STR_INIT("admin"), CMW_STR_INIT("ops")};
    static const cmw_str scopes[] = {CMW_STR_INIT("read")};
    const cmw_principal principal = {
        .roles = roles, .role_count = 2, .scopes = scopes, .scope_count = 1};

    (void)state;
    assert_true(cmw_principal_has_role(&principal, CMW_STR("ops")));
    assert_false(cmw_principal_has_role(&principal, CMW_STR("Ops")));
    assert_false(cmw_principal_has_role(&principal, CMW_STR("op")));
    assert_false(cmw_principal_has_role(&principal, CMW_STR("")));
    assert_false(cmw_principal_has_role(&principal, CMW_STR("read")));
    assert_true(cmw_principal_has_scope(&principal, CMW_STR("read")));
    assert_false(cmw_principal_has_scope(&principal, CMW_STR("admin")));
    assert_false(cmw_principal_has_role(NULL, CMW_STR("ops")));
    assert_false(cmw_principal_has_scope(NULL, CMW_STR("read")));
}

static void the_principals_slot_is_one(void **state)
{
    cmw_slot a = 0;
    cmw_slot b = 0;
    cmw_slot c = 0;
    cmw_chain *chain = NULL;
    cmw_test *test = open_test(&chain);
    cmw_engine *engine = cmw_test_engine(test);

    (void)state;
    assert_int_equal(cmw_principal_slot(engine, &a), 0);
    assert_int_equal(cmw_principal_slot(engine, &b), 0);
    assert_int_equal(a, b);
    assert_int_equal(cmw_slot_find(engine, "principal"), a);
    assert_int_equal(cmw_slot_declare(engine, &c, "principal", 3, NULL), CMW_ERR_CONFLICT);
    assert_int_equal(cmw_principal_slot(NULL, &c), CMW_ERR_ARG);
    assert_int_equal(cmw_principal_slot(engine, NULL), CMW_ERR_ARG);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

int main(void)
{
    struct CMUnitTest walls[LEN(wall_rows)];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_over_many_batches_differ),
        cmocka_unit_test(every_length_is_filled),
        cmocka_unit_test(random_bytes_need_no_allocation_when_warm),
        cmocka_unit_test(a_forked_child_draws_other_bytes),
        cmocka_unit_test(the_route_is_the_one_that_was_entered),
        cmocka_unit_test(a_principal_has_its_roles_and_scopes_byte_for_byte),
        cmocka_unit_test(the_principals_slot_is_one),
    };

    for (size_t i = 0; i < LEN(wall_rows); i++)
        walls[i] = ROW_TEST(&wall_rows[i], check_wall);
    return cmocka_run_group_tests_name("wall clock", walls, NULL, NULL) +
           cmocka_run_group_tests_name("random, route, principal", tests, NULL, NULL);
}
