/* SPDX-License-Identifier: MIT */
/*
 * What every unit test begins with: cmocka, in the order in which it wants its headers, and LEN.
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

#endif /* CMW_TEST_H */
