/* SPDX-License-Identifier: MIT */
/*
 * What an engine keeps beside plans: the states of middleware that outlive them, and the work that
 * cmw_engine_poll does.
 */
#ifndef CMW_ENGINE_KEEP_H
#define CMW_ENGINE_KEEP_H

#include <catzilla/engine.h>

#include "mutex.h"

struct cmw__state; /* keep.c */
struct cmw__poll;

struct cmw__keep {
    cmw__mutex state_lock; /* held while a state is made */
    cmw__mutex poll_lock;  /* held while polls run */
    struct cmw__state *states;
    struct cmw__poll *polls;
};

/* 0 or CMW_ERR_NOMEM. */
int cmw__keep_init(struct cmw__keep *keep);
/* Every state was released and every poll removed: plans and chains are gone. */
void cmw__keep_destroy(struct cmw__keep *keep);

#endif /* CMW_ENGINE_KEEP_H */
