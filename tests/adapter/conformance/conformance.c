/* SPDX-License-Identifier: MIT */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

enum { IDLE_S = 10 };

void conformance_say_port(unsigned port)
{
    printf("port %u\n", port);
    fflush(stdout);
}

/* The number of an argument KEY=NUMBER, or what is given. */
static uint64_t read_argument(char **arguments, const char *key, uint64_t otherwise)
{
    const size_t len = strlen(key);

    for (char **each = arguments; *each; each++)
        if (strncmp(*each, key, len) == 0 && (*each)[len] == '=')
            return strtoull(*each + len + 1, NULL, 10);
    return otherwise;
}

static int create_engine(cmw_engine **engine, char **arguments)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.limits.body_bytes = CONFORMANCE_BODY_LIMIT;
    config.limits.memory_bytes = (size_t)4 * CONFORMANCE_BODY_LIMIT;
    config.limits.request_ms = read_argument(arguments, "request_ms", 0);
    config.limits.head_ms = read_argument(arguments, "head_ms", 0);
    config.limits.body_ms = read_argument(arguments, "body_ms", 0);
    config.limits.body_idle_ms = read_argument(arguments, "body_idle_ms", 0);
    config.worker_limit = CONFORMANCE_WORKERS;
    config.context_limit = (uint32_t)read_argument(arguments, "contexts", config.context_limit);
    config.pool_limit_bytes = read_argument(arguments, "pool_bytes", 0);
    return cmw_engine_create(engine, &config);
}

/* SIGTERM is blocked before there are threads: only who waits for it takes it. */
static void block_ending(sigset_t *ending)
{
    sigemptyset(ending);
    sigaddset(ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, ending, NULL);
}

static int run(struct conformance_app *app, const struct conformance_server *server,
               const char *mode, char **arguments)
{
    struct conformance_run run = {.engine = app->engine,
                                  .handler = conformance_handle,
                                  .self = app,
                                  .mode = mode,
                                  .is_overload = read_argument(arguments, "contexts", 0) != 0,
                                  .idle_s = (unsigned)read_argument(arguments, "idle_s", IDLE_S)};
    cmw_diag diag = {0};

    block_ending(&run.ending);
    if (conformance_install(app, server, &diag) != 0) {
        fprintf(stderr, "%s\n", diag.message);
        return 1;
    }
    const int rc = server->serve(&run);
    conformance_print_counts(app);
    return rc;
}

int conformance_main(int argc, char **argv, const struct conformance_server *server)
{
    static struct conformance_app app;

    char **arguments = argv + (argc > 2 ? 2 : argc);

    conformance_print_server(stdout, server);
    app.large = malloc(LARGE_BYTES);
    if (!app.large || pthread_mutex_init(&app.lock, NULL) != 0 ||
        create_engine(&app.engine, arguments) != 0)
        return 1;
    memset(app.large, 'l', LARGE_BYTES);
    app.request_ms = read_argument(arguments, "request_ms", 0);
    int rc = run(&app, server, argc > 1 ? argv[1] : "", arguments);
    if (cmw_engine_destroy(app.engine) != 0) {
        fprintf(stderr, "the engine is still in use\n");
        rc = 1;
    }
    free(app.large);
    return rc;
}
