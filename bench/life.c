/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "life.h"

static const char *sample_every; /* NULL: the engine's default */

void bench_set_sample_every(const char *number)
{
    sample_every = number;
}

void life_check(int rc, const cmw_diag *diag)
{
    if (rc != 0)
        bench_die(cmw_error_name(rc), diag ? diag->message : cmw_error_text(rc));
}

void life_add(cmw_chain *chain, cmw_group *group, const cmw_middleware *middleware)
{
    cmw_diag diag = {0};

    life_check(group ? cmw_group_add(group, middleware, &diag)
                     : cmw_chain_add(chain, middleware, &diag),
               &diag);
}

static void install(cmw_engine *engine, life_fill_fn *fill)
{
    cmw_diag diag = {0};
    cmw_chain *chain;
    cmw_plan *plan;

    life_check(cmw_chain_create(engine, &chain, 0), NULL);
    if (fill)
        fill(chain);
    life_check(cmw_chain_compile(chain, &plan, &diag), &diag);
    cmw_chain_destroy(chain);
    life_check(cmw_engine_install(engine, plan, &diag), &diag);
    cmw_plan_release(plan);
}

static void fill_view(struct life *life)
{
    cmw_request_view *view = &life->view;

    cmw_request_view_init(view);
    view->method = CMW_STR("GET");
    view->target = CMW_STR("/articles/2024/index.html?page=2");
    view->headers = browser_headers;
    view->header_count = BROWSER_HEADER_COUNT;
    for (size_t i = 0; i < BROWSER_HEADER_COUNT; i++) /* a parser knows how long the head was */
        view->header_bytes +=
            (uint32_t)(browser_headers[i].name.len + browser_headers[i].value.len);
    view->http_version = 0x0101;
    view->peer.family = CMW_ADDRESS_V4;
    memcpy(view->peer.bytes, (const uint8_t[4]){192, 0, 2, 7}, 4);
    view->now_ns = 1000000000; /* a host that reads its clock once an event-loop turn */
    browser_ids(life->ids);
}

void life_open(struct life *life, life_fill_fn *fill)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.allocator = bench_allocator();
    if (sample_every)
        config.sample_every = (uint32_t)strtoul(sample_every, NULL, 10);
    life_check(cmw_engine_create(&life->engine, &config), NULL);
    install(life->engine, fill);
    life_check(cmw_engine_take_worker(life->engine, &life->worker, NULL, NULL), NULL);
    fill_view(life);
}

void life_close(struct life *life)
{
    cmw_engine_put_worker(life->engine, life->worker);
    life_check(cmw_engine_destroy(life->engine), NULL);
}

void life_run_empty(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, life_read_nothing)
}
