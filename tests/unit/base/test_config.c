/* SPDX-License-Identifier: MIT */
/* Taking over config structs of other versions. */
#include <catzilla/base.h>

#include "test.h"

/* Ours; older versions end after `a`, newer ones have more behind `b`. */
struct config {
    size_t size;
    uint64_t a;
    uint64_t b;
};

struct newer {
    struct config known;
    unsigned char tail[16];
};

struct row {
    const char *name;
    size_t size;   /* of the caller's struct */
    int tail_at;   /* byte of the tail that is not 0; -1: none */
    int code;      /* what is returned */
    uint64_t a, b; /* what we have afterwards; the defaults are 1 and 2, the caller's 11 and 12 */
};

static const struct row rows[] = {
    {"one of our size is copied", sizeof(struct config), -1, 0, 11, 12},
    {"a smaller one leaves the rest at its default", offsetof(struct config, b), -1, 0, 11, 2},
    {"one with nothing but its size gives the defaults", sizeof(size_t), -1, 0, 1, 2},
    {"a larger one with a tail of zeros is copied", sizeof(struct newer), -1, 0, 11, 12},
    {"a larger one with its first byte set is refused", sizeof(struct newer), 0, CMW_ERR_VERSION, 1,
     2},
    {"a larger one with its last byte set is refused", sizeof(struct newer), 15, CMW_ERR_VERSION, 1,
     2},
    {"what is behind a smaller tail does not count", sizeof(struct config) + 8, 8, 0, 11, 12},
    {"a size smaller than a size is refused", 3, -1, CMW_ERR_VERSION, 1, 2},
    {"no size is refused", 0, -1, CMW_ERR_VERSION, 1, 2},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct config ours = {sizeof ours, 1, 2};
    struct newer theirs = {.known = {row->size, 11, 12}};

    if (row->tail_at >= 0)
        theirs.tail[row->tail_at] = 1;
    assert_int_equal(cmw_config_adopt(&ours, &theirs), row->code);
    assert_int_equal(ours.size, sizeof ours);
    assert_int_equal(ours.a, row->a);
    assert_int_equal(ours.b, row->b);
}

static void none_leaves_the_defaults(void **state)
{
    struct config ours = {sizeof ours, 1, 2};

    (void)state;
    assert_int_equal(cmw_config_adopt(&ours, NULL), 0);
    assert_int_equal(ours.size, sizeof ours);
    assert_int_equal(ours.a, 1);
    assert_int_equal(ours.b, 2);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {cmocka_unit_test(none_leaves_the_defaults)};

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("config", tests, NULL, NULL) +
           cmocka_run_group_tests_name("config, none", others, NULL, NULL);
}
