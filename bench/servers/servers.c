/* SPDX-License-Identifier: MIT */
/* The plans: none at all, an empty one, that of the benchmark row stack_3, and that of h2o.py. */
#include "servers.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/rate_limit.h>

/* In a minute; more than a client on the loopback sends: nobody is refused. */
enum { REQUESTS_A_WINDOW = 900000 };

void bench_say_port(unsigned port)
{
    printf("port %u\n", port);
    fflush(stdout);
}

int bench_hello(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR(HELLO));
}

static int add_stack_3(cmw_chain *chain, cmw_diag *diag)
{
    static const char *const origins[] = {"https://www.example.com", "https://example.com"};
    cmw_rate_limit_config rate_limit;
    cmw_cors_config cors;

    cmw_cors_config_init(&cors);
    cors.allow_origins = origins;
    cors.allow_origin_count = 2;
    cmw_rate_limit_config_init(&rate_limit);
    rate_limit.limit = REQUESTS_A_WINDOW;
    int rc = cmw_chain_use(chain, "cors", &cors, diag);
    if (rc == 0)
        rc = cmw_chain_use(chain, "security_headers", NULL, diag);
    if (rc == 0)
        rc = cmw_chain_use(chain, "rate_limit", &rate_limit, diag);
    return rc;
}

static int add_two(cmw_chain *chain, cmw_diag *diag)
{
    cmw_access_log_config log;

    cmw_access_log_config_init(&log);
    log.fd = open("/dev/null", O_WRONLY);
    const int rc = cmw_chain_use(chain, "request_id", NULL, diag);
    return rc == 0 ? cmw_chain_use(chain, "access_log", &log, diag) : rc;
}

static int install(cmw_engine *engine, const char *plan, cmw_diag *diag)
{
    cmw_chain *chain;
    int rc = cmw_chain_create(engine, &chain, 0);

    if (rc != 0)
        return rc;
    if (strcmp(plan, "empty") != 0)
        rc = add_stack_3(chain, diag);
    if (rc == 0 && strcmp(plan, "five") == 0)
        rc = add_two(chain, diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc;
}

int bench_server_main(int argc, char **argv, const struct bench_server *server)
{
    const char *const plan = argc > 1 ? argv[1] : "";
    cmw_engine *engine;
    cmw_diag diag = {0};
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(plan, "bare") == 0)
        return server->serve_bare(&ending);
    if (strcmp(plan, "empty") != 0 && strcmp(plan, "stack_3") != 0 && strcmp(plan, "five") != 0) {
        fprintf(stderr, "usage: %s bare|empty|stack_3|five\n", argv[0]);
        return 2;
    }
    int rc = cmw_engine_create(&engine, NULL);
    if (rc != 0)
        return 1;
    rc = install(engine, plan, &diag);
    if (rc == 0)
        rc = server->serve_plan(engine, &ending);
    if (rc != 0)
        fprintf(stderr, "%s: %s\n", argv[0], diag.code ? diag.message : cmw_error_text(rc));
    cmw_engine_destroy(engine);
    return rc != 0;
}
