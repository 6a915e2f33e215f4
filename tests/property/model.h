/* SPDX-License-Identifier: MIT */
/*
 * What design.md says of a chain, carried out as it is written: lists are walked, conditions asked
 * one by one, fields kept in a plain list. Knows nothing of the engine.
 */
#ifndef CMW_TESTS_MODEL_H
#define CMW_TESTS_MODEL_H

#include "scenario.h"

#define FIELDS_MAX 256
#define TRACE_MAX 8192
#define NOT_CALLED (-1)

/* What a request did and what came of it. Filled by the model, and by the engine's side. */
struct outcome {
    char trace[TRACE_MAX]; /* "pre:3(0,100) post:4... ": each callback, in order */
    size_t trace_len;
    int after_run, after_route, after_commit; /* cmw_next, or NOT_CALLED */
    int status;
    char body[64];
    int field_count;
    struct {
        char name[32];
        char value[64];
    } fields[FIELDS_MAX];
};

void outcome_init(struct outcome *outcome);

/* Note a callback: who, whether it was entered, the fault's status or 0, which slots are set. */
void outcome_note(struct outcome *outcome, const char *phase, int middleware, int was_entered,
                  int fault_status, unsigned slots);

/* Note what a shadowed middleware would have done. */
void outcome_note_shadow(struct outcome *outcome, int phase, int verdict, int status,
                         const char *name);

/* The value that an action or constant with this number sets. */
void scenario_value(char out[64], int number);

/* 1 if the chain's order keeps the rules, so that it must compile. */
int model_compiles(const struct scenario *scenario);

/* What one request gives; the chain compiles. */
void model_run(const struct scenario *scenario, const struct scenario_request *request,
               struct outcome *outcome);

/* The ready-made 503. */
void model_overload(const struct scenario *scenario, struct outcome *outcome);

#endif /* CMW_TESTS_MODEL_H */
