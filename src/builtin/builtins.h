/* SPDX-License-Identifier: MIT */
/* The kinds of this folder. */
#ifndef CMW_BUILTIN_BUILTINS_H
#define CMW_BUILTIN_BUILTINS_H

#include <catzilla/mw.h>

/* Register all of them; called once by cmw_engine_create. */
int cmw__register_builtins(cmw_engine *engine);

#endif /* CMW_BUILTIN_BUILTINS_H */
