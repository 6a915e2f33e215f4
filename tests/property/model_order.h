/* SPDX-License-Identifier: MIT */
/* The model's order of a chain, and what it needs to know of conditions. */
#ifndef CMW_TESTS_MODEL_ORDER_H
#define CMW_TESTS_MODEL_ORDER_H

#include "model.h"

struct model_order {
    int count;
    int items[MIDDLEWARE_MAX]; /* as pre_route runs, routes' last */
    int post[MIDDLEWARE_MAX];
    int match_at; /* how many of `items` stand before the match point */
};

/* 0 if the chain breaks a rule. */
int model_order_make(struct model_order *order, const struct scenario *scenario);

/* The conditions of a middleware: its own and its groups'. */
struct condition_list {
    int count;
    const struct scenario_condition *items[GROUP_MAX + 1];
};
void model_conditions(struct condition_list *list, const struct scenario *scenario, int middleware);

/* 1 if a pattern without "!" matches a canonical path. */
int model_pattern_matches(const char *pattern, const char *path);

#endif /* CMW_TESTS_MODEL_ORDER_H */
