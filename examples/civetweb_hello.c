/* SPDX-License-Identifier: MIT */
/*
 * A plan in front of civetweb: its options and its threads stay what they are.
 *
 *     ./civetweb_hello 8080
 *     curl -i http://127.0.0.1:8080/     200, with a request id and the security fields
 */
#include <catzilla/adapter/civetweb.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static int say_hello(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("hello\n"));
}

static int install(cmw_engine *engine, cmw_diag *diag)
{
    static const char *const names[] = {"request_id", "security_headers"};
    cmw_chain *chain;
    int rc = cmw_chain_create(engine, &chain, 0);

    if (rc != 0)
        return rc;
    rc = cmw_chain_use_builtins(chain, names, 2, diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc;
}

/* The signals are blocked before civetweb has threads: this one takes them, and polls. */
static void poll_until_signal(cmw_engine *engine, const sigset_t *ending)
{
    const struct timespec step = {0, 100000000};

    while (sigtimedwait(ending, NULL, &step) < 0)
        cmw_engine_poll(engine);
}

static int serve(cmw_engine *engine, const char *port, const sigset_t *ending, cmw_diag *diag)
{
    const char *const options[] = {"listening_ports",   port,  "num_threads", "8",
                                   "enable_keep_alive", "yes", NULL};
    struct mg_server_port bound;
    cmw_civetweb_config config;
    cmw_civetweb *server;

    cmw_civetweb_config_init(&config);
    config.handler = say_hello;
    config.options = options;
    const int rc = cmw_civetweb_start(&server, engine, &config, diag);
    if (rc != 0)
        return rc;
    if (mg_get_server_ports(cmw_civetweb_context(server), 1, &bound) == 1)
        printf("listening on http://127.0.0.1:%d\n", bound.port);
    (void)fflush(stdout); /* a closed stdout does not stop a server */
    poll_until_signal(engine, ending);
    cmw_civetweb_stop(server);
    return 0;
}

int main(int argc, char **argv)
{
    cmw_engine *engine = NULL;
    cmw_diag diag = {0};
    sigset_t ending;
    char port[64];

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    (void)snprintf(port, sizeof port, "127.0.0.1:%s", argc > 1 ? argv[1] : "8080");
    mg_init_library(MG_FEATURES_DEFAULT);
    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = install(engine, &diag)) == 0)
        rc = serve(engine, port, &ending, &diag);
    if (rc != 0)
        fprintf(stderr, "civetweb_hello: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_engine_destroy(engine);
    mg_exit_library();
    return rc != 0;
}
