/* SPDX-License-Identifier: MIT */
/* A kind of the test plugin that looks at bodies. */
#ifndef CMW_TEST_MODULES_BODIES_H
#define CMW_TEST_MODULES_BODIES_H

#include <catzilla/mw.h>

/* 0 or an error. */
int bodies_register(cmw_engine *engine);

#endif /* CMW_TEST_MODULES_BODIES_H */
