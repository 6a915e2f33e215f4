/* SPDX-License-Identifier: MIT */
/*
 * Groups with a path each, of which one matches: few of them and many; and groups of ten whose
 * members have a path each, too.
 */
#include <stdio.h>

#include "life.h"
#include "noop.h"

static struct life few, many, empty;

static void add_groups(cmw_chain *chain, int count)
{
    for (int i = 0; i < count; i++) {
        char path[48], name[16];
        const char *const paths[] = {path};
        cmw_condition condition;
        cmw_group_config config;
        cmw_group *group;
        cmw_middleware middleware;
        cmw_diag diag = {0};

        snprintf(path, sizeof path, i == count / 2 ? "/articles/*" : "/part%05d/*", i);
        snprintf(name, sizeof name, "part%05d", i);
        cmw_condition_init(&condition);
        condition.paths = paths;
        condition.path_count = 1;
        cmw_group_config_init(&config);
        config.name = name;
        config.condition = &condition;
        life_check(cmw_chain_add_group(chain, &group, NULL, &config, &diag), &diag);

        cmw_middleware_init(&middleware);
        middleware.name = name;
        middleware.pre_route = noops[i % NOOP_COUNT];
        life_add(chain, group, &middleware);
    }
}

static void fill_few(cmw_chain *chain)
{
    add_groups(chain, 10);
}

static void fill_many(cmw_chain *chain)
{
    add_groups(chain, 10000);
}

static void open_few(struct sides *sides)
{
    life_open(&few, fill_few);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &few};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void close_few(void)
{
    life_close(&few);
    life_close(&empty);
}

static void open_many(struct sides *sides)
{
    open_few(sides);
    life_open(&many, fill_many);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &many};
    sides->at[SIDE_FLOOR] = (struct side){life_run_empty, &few};
    sides->at[SIDE_FLOOR_BASE] = (struct side){life_run_empty, &empty};
}

static void close_many(void)
{
    life_close(&many);
    close_few();
}

/* ---- Conditions in groups ----------------------------------------------------------------- */

static void add_member(cmw_chain *chain, cmw_group *group, int part, int member)
{
    static const char *const matching[] = {"/articles/*", "/*", "/articles/{id}", "/{kind}/*"};
    char path[48], name[32];
    const char *const paths[] = {path};
    cmw_condition condition;
    cmw_middleware middleware;

    if (part == 0 && member < (int)LEN(matching))
        snprintf(path, sizeof path, "%s", matching[member]);
    else
        snprintf(path, sizeof path, "/part%05d/item%d/*", part, member);
    snprintf(name, sizeof name, "part%05d.item%d", part, member);
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = 1;
    cmw_middleware_init(&middleware);
    middleware.name = name;
    middleware.condition = &condition;
    middleware.pre_route = noops[member];
    life_add(chain, group, &middleware);
}

/* Ten members to a group. Of the first group four match, of the others none. */
static void add_members(cmw_chain *chain, int group_count)
{
    for (int i = 0; i < group_count; i++) {
        char path[48], name[16];
        const char *const paths[] = {path};
        cmw_condition condition;
        cmw_group_config config;
        cmw_group *group;
        cmw_diag diag = {0};

        snprintf(path, sizeof path, i == 0 ? "/articles/*" : "/part%05d/*", i);
        snprintf(name, sizeof name, "part%05d", i);
        cmw_condition_init(&condition);
        condition.paths = paths;
        condition.path_count = 1;
        cmw_group_config_init(&config);
        config.name = name;
        config.condition = &condition;
        life_check(cmw_chain_add_group(chain, &group, NULL, &config, &diag), &diag);
        for (int k = 0; k < 10; k++)
            add_member(chain, group, i, k);
    }
}

static void fill_one_group(cmw_chain *chain)
{
    add_members(chain, 1);
}

static void fill_groups(cmw_chain *chain)
{
    add_members(chain, 1000);
}

static void open_groups(struct sides *sides)
{
    life_open(&few, fill_one_group);
    life_open(&many, fill_groups);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &many};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
    sides->at[SIDE_FLOOR] = (struct side){life_run_empty, &few};
    sides->at[SIDE_FLOOR_BASE] = (struct side){life_run_empty, &empty};
}

/* The chain, the plan and one worker's statistics, which are most of it: a histogram a call. */
static double count_condition_bytes(const struct options *options)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    (void)options;
    life_open(&many, fill_groups);
    life_check(cmw_pool_get_stats(cmw_engine_pool(many.engine, CMW_POOL_PLAN), &stats), NULL);
    life_close(&many);
    return (double)stats.in_use_bytes / 10000;
}

const struct row bench_condition_rows[] = {
    {.name = "conditions_10", .open = open_few, .close = close_few},
    {.name = "conditions_10000",
     .targets = {{.of = TARGET_RATIO, .max = 2}},
     .open = open_many,
     .close = close_many},
    {.name = "conditions_10000_in_1000",
     .targets = {{.of = TARGET_RATIO, .max = 2}},
     .open = open_groups,
     .close = close_many},
    {.name = "condition_bytes", .unit = "bytes", .count = count_condition_bytes},
    {.name = NULL},
};
