/* SPDX-License-Identifier: MIT */
/* Patterns: lines of text and numbers, what is refused, what goes the slow way. */
#include "test.h"

#include <stdio.h>

#include "arena_state.h"
#include "response_fields.h"

struct fixture {
    cmw_pool *pool;
    struct cmw__block_list blocks;
    cmw_arena arena, kept;
    cmw_response response;
    struct cmw__segment segments[CMW__SEGMENTS_INLINE];
    _Alignas(16) char chunk[2048];
    _Alignas(16) char kept_chunk[4096];
};

static void open_fixture(struct fixture *fixture, unsigned segment_cap)
{
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(cmw_pool_create(&fixture->pool, NULL, CMW_POOL_CONTEXT, 0), 0);
    cmw__block_list_init(&fixture->blocks, fixture->pool);
    cmw__arena_init(&fixture->arena, &fixture->blocks, fixture->chunk,
                    fixture->chunk + sizeof fixture->chunk, SIZE_MAX);
    cmw__arena_init(&fixture->kept, &fixture->blocks, fixture->kept_chunk,
                    fixture->kept_chunk + sizeof fixture->kept_chunk, SIZE_MAX);
    cmw__response_init(&fixture->response, &fixture->arena, fixture->segments, segment_cap);
}

static void close_fixture(struct fixture *fixture)
{
    cmw__arena_reset(&fixture->arena);
    cmw__arena_reset(&fixture->kept);
    cmw__unpoison(fixture->chunk, sizeof fixture->chunk);
    cmw__unpoison(fixture->kept_chunk, sizeof fixture->kept_chunk);
    cmw__block_list_trim(&fixture->blocks);
    cmw_pool_destroy(fixture->pool);
}

static cmw_field_pattern *rate_limit(struct fixture *fixture, const char *head)
{
    const cmw_str texts[3] = {cmw_str_cstr(head), CMW_STR(";t="), CMW_STR("")};
    const cmw_str policy = CMW_STR("\"default\";q=100;w=60");
    cmw_field_pattern *pattern = NULL, *constant = NULL;

    assert_int_equal(
        cmw_field_pattern_create(&pattern, &fixture->kept, CMW_HDR_RATELIMIT, texts, 2), 0);
    assert_int_equal(
        cmw_field_pattern_create(&constant, &fixture->kept, CMW_HDR_RATELIMIT_POLICY, &policy, 0),
        0);
    assert_int_equal(cmw_field_pattern_join(pattern, constant), 0);
    return pattern;
}

/* ---- Numbers ---------------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *head;
    uint64_t numbers[2];
    const char *value;
};

static const struct row rows[] = {
    {"one digit each", "\"d\";r=", {0, 9}, "\"d\";r=0;t=9"},
    {"two digits each", "\"d\";r=", {10, 99}, "\"d\";r=10;t=99"},
    {"three digits each", "\"d\";r=", {100, 999}, "\"d\";r=100;t=999"},
    {"zeros in the middle stay", "\"d\";r=", {505, 200}, "\"d\";r=505;t=200"},
    {"four digits", "\"d\";r=", {1000, 1}, "\"d\";r=1000;t=1"},
    {"the largest numbers",
     "",
     {UINT64_MAX, UINT64_MAX},
     "18446744073709551615;t=18446744073709551615"},
    {"a long head",
     "\"a policy with a name that is longer than thirty-two\";r=",
     {7, 8},
     "\"a policy with a name that is longer than thirty-two\";r=7;t=8"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;

    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, row->head);
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, row->numbers), 0);
    const cmw_str value = cmw_response_get(&fixture.response, CMW_HDR_RATELIMIT);
    assert_int_equal(value.len, strlen(row->value));
    assert_memory_equal(value.data, row->value, value.len);
    assert_true(cmw_response_has(&fixture.response, CMW_HDR_RATELIMIT_POLICY));
    close_fixture(&fixture);
}

static void every_number_below_ten_thousand_is_written_right(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, "r=");
    for (uint64_t i = 0; i < 10000; i++) {
        const uint64_t numbers[2] = {i, 9999 - i};
        char expected[64];
        snprintf(expected, sizeof expected, "r=%d;t=%d", (int)i, (int)(9999 - i));
        assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers), 0);
        const cmw_str value = cmw_response_get(&fixture.response, CMW_HDR_RATELIMIT);
        assert_true(cmw_str_equals(value, cmw_str_cstr(expected)));
        cmw__response_restart(&fixture.response, CMW__SEGMENTS_INLINE);
        cmw__arena_recycle(&fixture.arena);
    }
    close_fixture(&fixture);
}

static void one_number_at_the_end_is_written_right(void **state)
{
    static const uint64_t numbers[] = {0,      9,       10,      99,      100,        999,
                                       1000,   1001,    1100,    9999,    10000,      86400,
                                       999999, 1000000, 1000001, 9999999, 2147483648, UINT64_MAX};
    static const char *const heads[] = {
        "",
        "a; ttl=",
        "a name that is longer than thirty-two; ttl=",
        "a name so long that its line takes more than sixty-four bytes; ttl=",
    };
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    for (size_t k = 0; k < LEN(heads); k++) {
        const cmw_str texts[] = {cmw_str_cstr(heads[k]), CMW_STR("")};
        cmw_field_pattern *pattern = NULL;
        assert_int_equal(
            cmw_field_pattern_create(&pattern, &fixture.kept, CMW_HDR_CACHE_STATUS, texts, 1), 0);
        for (size_t i = 0; i < LEN(numbers); i++) {
            char expected[160];
            snprintf(expected, sizeof expected, "%s%llu", heads[k], (unsigned long long)numbers[i]);
            assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, &numbers[i]),
                             0);
            assert_true(cmw_response_has(&fixture.response, CMW_HDR_CACHE_STATUS));
            const cmw_str value = cmw_response_get(&fixture.response, CMW_HDR_CACHE_STATUS);
            assert_true(cmw_str_equals(value, cmw_str_cstr(expected)));
            cmw__response_restart(&fixture.response, CMW__SEGMENTS_INLINE);
            cmw__arena_recycle(&fixture.arena);
        }
    }
    close_fixture(&fixture);
}

/* ---- The head --------------------------------------------------------------------------- */

static void assert_head(struct fixture *fixture, const char *expected)
{
    char head[2048];
    size_t len = 0;

    assert_int_equal(cmw_response_write_head(&fixture->response, &len, head, sizeof head, 0), 0);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(head, expected, len);
}

static void fields_are_added_to_those_that_are_there(void **state)
{
    static const uint64_t numbers[2] = {4, 60};
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, "\"default\";r=");
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers), 0);
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers), 0);
    assert_head(&fixture, "RateLimit: \"default\";r=4;t=60\r\n"
                          "RateLimit-Policy: \"default\";q=100;w=60\r\n"
                          "RateLimit: \"default\";r=4;t=60\r\n"
                          "RateLimit-Policy: \"default\";q=100;w=60\r\n");
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_RATELIMIT, CMW_STR("x")), 0);
    assert_int_equal(cmw_response_remove(&fixture.response, CMW_HDR_RATELIMIT_POLICY), 0);
    assert_head(&fixture, "RateLimit: x\r\n");
    close_fixture(&fixture);
}

/* `Age: <n>` and `Cache-Status: a; ttl=<n>`. */
static cmw_field_pattern *two_lines(struct fixture *fixture)
{
    const cmw_str first[] = {CMW_STR(""), CMW_STR("")};
    const cmw_str second[] = {CMW_STR("a; ttl="), CMW_STR("")};
    cmw_field_pattern *pattern = NULL, *other = NULL;

    assert_int_equal(cmw_field_pattern_create(&pattern, &fixture->kept, CMW_HDR_AGE, first, 1), 0);
    assert_int_equal(
        cmw_field_pattern_create(&other, &fixture->kept, CMW_HDR_CACHE_STATUS, second, 1), 0);
    assert_int_equal(cmw_field_pattern_join(pattern, other), 0);
    assert_int_equal(cmw_field_pattern_join(pattern, other), CMW_ERR_ARG);
    return pattern;
}

static void two_fields_with_numbers_go_together(void **state)
{
    static const uint64_t numbers[] = {0,    9,      99,      100,     999,        1000,
                                       1024, 999999, 1000000, 9999999, UINT64_MAX, 5};

    (void)state;
    for (unsigned cap = 1; cap <= 4; cap++) {
        struct fixture fixture;
        open_fixture(&fixture, cap);
        const cmw_field_pattern *pattern = two_lines(&fixture);
        for (size_t i = 0; i + 1 < LEN(numbers); i++) {
            char expected[128];
            assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, &numbers[i]),
                             0);
            snprintf(expected, sizeof expected, "Age: %llu\r\nCache-Status: a; ttl=%llu\r\n",
                     (unsigned long long)numbers[i], (unsigned long long)numbers[i + 1]);
            assert_head(&fixture, expected);
            assert_true(cmw_response_has(&fixture.response, CMW_HDR_AGE));
            assert_true(cmw_response_has(&fixture.response, CMW_HDR_CACHE_STATUS));
            cmw__response_restart(&fixture.response, fixture.response.segment_cap);
        }
        close_fixture(&fixture);
    }
}

/* As much memory as one of the lines takes, or less. */
static void without_memory_neither_of_two_is_added(void **state)
{
    static const uint64_t numbers[] = {UINT64_MAX, UINT64_MAX};

    (void)state;
    for (size_t room = 0; room < 160; room++) {
        struct fixture fixture;
        open_fixture(&fixture, CMW__SEGMENTS_INLINE);
        const cmw_field_pattern *pattern = two_lines(&fixture);
        fixture.arena.limit_bytes = 0;
        fixture.arena.room.end = fixture.arena.room.cursor + room;
        const int rc = cmw_response_append_pattern(&fixture.response, pattern, numbers);
        assert_int_equal(fixture.response.segment_count, rc == 0 ? 2 : 0);
        assert_int_equal(cmw_response_has(&fixture.response, CMW_HDR_AGE), rc == 0);
        close_fixture(&fixture);
    }
}

static void there_is_room_where_segments_or_memory_are_short(void **state)
{
    static const uint64_t numbers[2] = {4, 60};

    (void)state;
    for (unsigned cap = 1; cap <= 3; cap++) {
        struct fixture fixture;
        open_fixture(&fixture, cap);
        const cmw_field_pattern *pattern = rate_limit(&fixture, "\"default\";r=");
        for (int i = 0; i < 100; i++)
            assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers), 0);
        assert_int_equal(fixture.response.segment_count, 200);
        close_fixture(&fixture);
    }
}

static void without_memory_nothing_is_changed(void **state)
{
    static const uint64_t numbers[2] = {4, 60};
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, "\"default\";r=");
    fixture.arena.limit_bytes = 0;
    fixture.arena.room.end = fixture.arena.room.cursor + 16;
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers),
                     CMW_ERR_NOMEM);
    assert_int_equal(fixture.response.segment_count, 0);
    assert_false(cmw_response_has(&fixture.response, CMW_HDR_RATELIMIT));
    close_fixture(&fixture);
}

static void a_handlers_field_is_the_handlers(void **state)
{
    static const uint64_t numbers[2] = {4, 60};
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, "\"default\";r=");
    fixture.response.origin = CMW__SEGMENT_HANDLER;
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers), 0);
    cmw__response_drop_for_fault(&fixture.response); /* and goes with what the handler made */
    assert_int_equal(fixture.response.segment_count, 0);
    close_fixture(&fixture);
}

static void a_frozen_response_takes_none(void **state)
{
    static const uint64_t numbers[2] = {4, 60};
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    const cmw_field_pattern *pattern = rate_limit(&fixture, "\"default\";r=");
    fixture.response.flags |= CMW__RESPONSE_FROZEN;
    assert_int_equal(cmw_response_append_pattern(&fixture.response, pattern, numbers),
                     CMW_ERR_STATE);
    close_fixture(&fixture);
}

/* ---- Making them ------------------------------------------------------------------------ */

static void what_cannot_stand_in_a_value_makes_no_pattern(void **state)
{
    struct bad {
        cmw_header_id id;
        size_t numbers;
        cmw_str texts[3];
        int code;
    };
    const struct bad bad[] = {
        {CMW_HDR_OTHER, 0, {CMW_STR("a")}, CMW_ERR_ARG},
        {CMW_HDR_CONTENT_TYPE, 0, {CMW_STR("a")}, CMW_ERR_ARG},
        {CMW_HDR_CONTENT_LENGTH, 1, {CMW_STR(""), CMW_STR("")}, CMW_ERR_ARG},
        {(cmw_header_id)127, 0, {CMW_STR("a")}, CMW_ERR_ARG},
        {(cmw_header_id)128, 0, {CMW_STR("a")}, CMW_ERR_ARG},
        {CMW_HDR_AGE, 5, {CMW_STR("a")}, CMW_ERR_ARG},
        {CMW_HDR_AGE, 1, {CMW_STR(""), CMW_STR("sixteen bytes...")}, CMW_ERR_ARG},
        {CMW_HDR_AGE, 1, {CMW_STR("a\r\nb: c"), CMW_STR("")}, CMW_ERR_INVALID},
        {CMW_HDR_AGE, 1, {CMW_STR(""), CMW_STR("a\nb")}, CMW_ERR_INVALID},
        {CMW_HDR_AGE, 1, {CMW_STR(" a"), CMW_STR("")}, CMW_ERR_INVALID},
        {CMW_HDR_AGE, 1, {CMW_STR("a"), CMW_STR("b ")}, CMW_ERR_INVALID},
    };
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    for (size_t i = 0; i < LEN(bad); i++) {
        cmw_field_pattern *pattern = NULL;
        assert_int_equal(cmw_field_pattern_create(&pattern, &fixture.kept, bad[i].id, bad[i].texts,
                                                  bad[i].numbers),
                         bad[i].code);
        assert_null(pattern);
    }
    close_fixture(&fixture);
}

static void only_a_constant_is_joined_and_once(void **state)
{
    struct fixture fixture;
    const cmw_str text = CMW_STR("a");
    cmw_field_pattern *constant = NULL;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    cmw_field_pattern *pattern = rate_limit(&fixture, "r=");
    cmw_field_pattern *other = rate_limit(&fixture, "r=");
    assert_int_equal(cmw_field_pattern_create(&constant, &fixture.kept, CMW_HDR_AGE, &text, 0), 0);
    assert_int_equal(cmw_field_pattern_join(pattern, constant), CMW_ERR_ARG);
    assert_int_equal(cmw_field_pattern_join(constant, other), CMW_ERR_ARG);
    assert_int_equal(cmw_field_pattern_join(NULL, constant), CMW_ERR_ARG);
    assert_int_equal(cmw_response_append_pattern(&fixture.response, constant, NULL), 0);
    assert_head(&fixture, "Age: a\r\n");
    close_fixture(&fixture);
}

static void a_pair_is_for_two_numbers(void **state)
{
    const cmw_str texts[] = {CMW_STR("a="), CMW_STR("")};
    struct fixture fixture;
    cmw_field_pattern *single = NULL;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    assert_int_equal(cmw_field_pattern_create(&single, &fixture.kept, CMW_HDR_AGE, texts, 1), 0);
    assert_int_equal(cmw_response_append_pair(&fixture.response, single, 1, 2), CMW_ERR_ARG);
    assert_head(&fixture, "");
    assert_int_equal(cmw_response_append_pair(&fixture.response, rate_limit(&fixture, "r="), 1, 2),
                     0);
    assert_head(&fixture, "RateLimit: r=1;t=2\r\n"
                          "RateLimit-Policy: \"default\";q=100;w=60\r\n");
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(every_number_below_ten_thousand_is_written_right),
        cmocka_unit_test(fields_are_added_to_those_that_are_there),
        cmocka_unit_test(two_fields_with_numbers_go_together),
        cmocka_unit_test(without_memory_neither_of_two_is_added),
        cmocka_unit_test(there_is_room_where_segments_or_memory_are_short),
        cmocka_unit_test(one_number_at_the_end_is_written_right),
        cmocka_unit_test(without_memory_nothing_is_changed),
        cmocka_unit_test(a_handlers_field_is_the_handlers),
        cmocka_unit_test(a_frozen_response_takes_none),
        cmocka_unit_test(what_cannot_stand_in_a_value_makes_no_pattern),
        cmocka_unit_test(only_a_constant_is_joined_and_once),
        cmocka_unit_test(a_pair_is_for_two_numbers),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("response_pattern, numbers", tests, NULL, NULL) +
           cmocka_run_group_tests_name("response_pattern", others, NULL, NULL);
}
