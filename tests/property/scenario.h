/* SPDX-License-Identifier: MIT */
/*
 * Random chains and requests for the property test: plain data, made from a seed, that the engine
 * and the model both carry out.
 */
#ifndef CMW_TESTS_SCENARIO_H
#define CMW_TESTS_SCENARIO_H

#include <catzilla/mw.h>

#include <stdio.h>

#define MIDDLEWARE_MAX 14
#define GROUP_MAX 5
#define CONDITION_MAX 6
#define ACTION_MAX 3
#define LIST_MAX 3
#define SLOT_COUNT 3
#define PREDICATE_COUNT 3
#define ABSENT (-1)

/* SplitMix64. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);
/* In 0..limit-1. */
int random_below(struct random *random, int limit);
/* 1 in `percent` of all calls. */
int random_chance(struct random *random, int percent);

/* ---- What is done in a callback --------------------------------------------------------- */

enum action_kind {
    ACTION_SET,    /* field `which` to value `number` */
    ACTION_APPEND, /* likewise */
    ACTION_REMOVE, /* field `which` */
    ACTION_TEXT,   /* a text body with status `number` */
    ACTION_EMPTY,  /* no body, status `number` */
    ACTION_STATUS, /* the status alone */
    ACTION_SLOT,   /* set slot `which` */
    ACTION_TARGET, /* rewrite the target to target `which`; for refiners, in pre_route */
    ACTION_HOST,   /* likewise the host */
    ACTION_KINDS
};

struct action {
    int kind;
    int which;
    int number;
};

struct script {
    int is_there; /* 0: the middleware lacks the callback */
    int action_count;
    struct action actions[ACTION_MAX];
    int verdict;
};

/* ---- Chains ----------------------------------------------------------------------------- */

/* Indices into the pools below. */
struct list {
    int count;
    int items[LIST_MAX];
};

struct scenario_condition {
    struct list methods, hosts;
    struct list paths; /* positive ones first */
    int predicate;     /* or ABSENT */
};

struct scenario_group {
    int parent;    /* or ABSENT */
    int condition; /* or ABSENT */
    int route;     /* its own, or ABSENT */
};

/* Slots of the scenario, then facts of the engine. */
enum { SUBJECT_PATH = SLOT_COUNT, SUBJECT_HOST, SUBJECT_COUNT };

struct scenario_relation {
    int relation; /* cmw_relation */
    int subject;
};

struct scenario_field {
    int which;
    int number;
};

struct scenario_middleware {
    int priority, post_priority;
    unsigned flags;
    int failure, failure_status;
    int is_disabled;
    int is_shadowed;
    int group;     /* or ABSENT */
    int condition; /* or ABSENT */
    int before;    /* another middleware, or ABSENT */
    int after;     /* likewise */
    int relation_count;
    struct scenario_relation relations[2];
    int field_count;
    struct scenario_field fields[3];
    struct script pre, post, error;
    int has_complete;
};

struct scenario {
    int is_onion;
    int rejects_targets; /* CMW_TARGET_REJECT */
    int is_sampled;
    int condition_count, group_count, middleware_count;
    struct scenario_condition conditions[CONDITION_MAX];
    struct scenario_group groups[GROUP_MAX];
    struct scenario_middleware middleware[MIDDLEWARE_MAX];
};

void scenario_make(struct scenario *scenario, struct random *random);
void scenario_print(const struct scenario *scenario, FILE *file);

/* The route that a group is in, or ABSENT. */
int scenario_route(const struct scenario *scenario, int group);

/* ---- Requests --------------------------------------------------------------------------- */

#define HEADER_LIMIT 4
#define BODY_LIMIT 1000

struct scenario_request {
    int method, target, host; /* in the pools */
    int header_count;         /* more than HEADER_LIMIT: over the limits */
    int body_len;             /* more than BODY_LIMIT: over the limits */
    int is_length_declared;
    unsigned predicates;   /* bit i: what predicate i says */
    int route;             /* to be entered, or ABSENT */
    struct script handler; /* its verdict: a status to fail with, or 0 */
    int is_abandoned;      /* ended before it is committed */
    cmw_end_reason reason;
};

void scenario_request_make(struct scenario_request *request, struct random *random);
void scenario_request_print(const struct scenario_request *request, FILE *file);

/* ---- The pools -------------------------------------------------------------------------- */

struct pool_target {
    const char *text;
    const char *path; /* its canonical path; NULL: it has none */
    int is_canonical; /* the raw path is the canonical one */
    const char *host; /* of absolute-form: it goes before the Host field */
};

struct pool_host {
    const char *text;
    const char *canonical;
};

extern const char *const pool_methods[];
extern const char *const pool_host_patterns[];
extern const char *const pool_path_patterns[];
extern const char *const pool_fields[];
extern const struct pool_target pool_targets[];
extern const struct pool_host pool_hosts[];

/* The first targets are in origin-form with a canonical path: a refiner may set them. */
#define POOL_SETTABLE_TARGETS 6

#endif /* CMW_TESTS_SCENARIO_H */
