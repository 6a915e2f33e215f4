/* SPDX-License-Identifier: MIT */
/*
 * Groups with a path each, of which one matches: few of them and many.
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

const struct row bench_condition_rows[] = {
    {.name = "conditions_10", .open = open_few, .close = close_few},
    {.name = "conditions_10000",
     .targets = {{.of = TARGET_RATIO, .max = 2}},
     .open = open_many,
     .close = close_many},
    {.name = NULL},
};
