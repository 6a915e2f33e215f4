/* SPDX-License-Identifier: MIT */
/*
 * A plan in front of a server of your own: own_http.c is the server, own_adapter.c connects it.
 *
 *     ./own_hello 8080
 *     curl -i http://127.0.0.1:8080/     200, with a request id and the security fields
 */
#include "own_adapter.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The signals are blocked before there are threads: this one takes them, and polls. */
static int serve(cmw_engine *engine, uint16_t port, const sigset_t *ending)
{
    static struct http_server server = {.idle_s = 30};
    static struct own_adapter adapter;
    const struct timespec step = {0, 100000000};

    int rc = own_adapter_init(&adapter, &server, engine, say_hello, NULL);
    if (rc != 0)
        return rc;
    rc = http_start(&server, &port) == 0 ? 0 : CMW_ERR_IO;
    if (rc == 0) {
        printf("listening on http://127.0.0.1:%u\n", (unsigned)port);
        (void)fflush(stdout); /* a closed stdout does not stop a server */
        while (sigtimedwait(ending, NULL, &step) < 0)
            cmw_engine_poll(engine);
        http_stop(&server);
    }
    own_adapter_deinit(&adapter);
    return rc;
}

int main(int argc, char **argv)
{
    cmw_engine *engine = NULL;
    cmw_diag diag = {0};
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    int rc = cmw_engine_create(&engine, NULL);
    if (rc == 0 && (rc = install(engine, &diag)) == 0)
        rc = serve(engine, (uint16_t)strtoul(argc > 1 ? argv[1] : "8080", NULL, 10), &ending);
    if (rc != 0)
        fprintf(stderr, "own_hello: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_engine_destroy(engine);
    return rc != 0;
}
