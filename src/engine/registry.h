/* SPDX-License-Identifier: MIT */
/*
 * What an engine is made of and taken apart by: the pieces that its own file does not hold.
 */
#ifndef CMW_ENGINE_REGISTRY_H
#define CMW_ENGINE_REGISTRY_H

#include "engine_state.h"

/* Declare CMW_FACT_*, whose slots have these numbers. */
int cmw__register_facts(cmw_engine *engine);

/* Register the built-in kinds. In src/builtin, the only call from the engine to there. */
int cmw__register_builtins(cmw_engine *engine);

/* 1 if a worker has contexts in flight. Under the lock. */
int cmw__workers_busy(const cmw_engine *engine);
void cmw__workers_destroy(cmw_engine *engine);
void cmw__installed_destroy_all(cmw_engine *engine);

#endif /* CMW_ENGINE_REGISTRY_H */
