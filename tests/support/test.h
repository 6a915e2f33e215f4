/* SPDX-License-Identifier: MIT */
/*
 * What every unit test begins with: cmocka, in the order in which it wants its headers, LEN, and
 * tests of rows.
 */
#ifndef CMW_TEST_H
#define CMW_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

/* A test of one row of a table, by the row's name: `check` finds the row in its state. */
#define ROW_TEST(row, check)                                                                       \
    ((struct CMUnitTest){                                                                          \
        .name = (row)->name, .test_func = (check), .initial_state = (void *)(uintptr_t)(row)})

#endif /* CMW_TEST_H */
