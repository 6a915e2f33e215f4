/* SPDX-License-Identifier: MIT */
/*
 * catzilla-mw serve: a chain from a file, on a server, until a signal says stop.
 *
 * Signals are blocked before there are threads and taken by the main thread, which polls the engine
 * in between: SIGTERM and SIGINT drain, SIGHUP reads the file again, and it and SIGUSR1 open access
 * logs anew.
 */
#include "tool.h"

#include "address.h"
#include "backend.h"
#include "server.h"

#include <catzilla/builtin/access_log.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* How long requests in flight may take to finish once no new connection is taken. */
enum { GRACE_STEPS = 1000, GRACE_STEP_NS = 10000000 };

/* Between two polls of the engine. */
enum { POLL_NS = 50000000 };

struct service {
    const char *file;
    const struct server *server;
    void *running;
    struct server_config config;
    struct loaded loaded;  /* what is served now */
    pthread_rwlock_t lock; /* of `backend`, which a reload replaces */
    struct backend backend;
    atomic_uint in_flight;
};

/* ---- Requests in flight ----------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct service *const service = self;

    (void)ctx;
    atomic_fetch_add_explicit(&service->in_flight, 1, memory_order_relaxed);
    return CMW_CONTINUE;
}

/* One that its limits refused never entered. */
static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct service *const service = self;

    (void)reason;
    if (cmw_ctx_was_entered(ctx))
        atomic_fetch_sub_explicit(&service->in_flight, 1, memory_order_relaxed);
}

static int add_gauge(struct service *service, cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware gauge;

    cmw_middleware_init(&gauge);
    gauge.name = "catzilla-mw.in_flight";
    gauge.kind = "in_flight";
    gauge.priority = 0;
    gauge.self = service;
    gauge.pre_route = on_pre_route;
    gauge.complete = on_complete;
    return cmw_chain_add(chain, &gauge, diag);
}

static int handle(void *self, cmw_ctx *ctx)
{
    struct service *const service = self;

    (void)pthread_rwlock_rdlock(&service->lock);
    const int rc = service->backend.answer(&service->backend, ctx);
    (void)pthread_rwlock_unlock(&service->lock);
    return rc;
}

/* ---- Installing ------------------------------------------------------------------------- */

/* Make what was loaded the one that is served. An exit code. */
static int install(struct service *service, struct loaded *loaded)
{
    struct backend backend;
    cmw_diag diag = {.code = 0};

    int rc = add_gauge(service, loaded->chain, &diag);
    if (rc == 0) {
        cmw_plan_release(loaded->plan);
        loaded->plan = NULL;
        rc = cmw_chain_compile(loaded->chain, &loaded->plan, &diag);
    }
    if (rc == 0)
        rc = cmw_engine_install(loaded->engine, loaded->plan, &diag);
    if (rc == 0)
        rc = backend_parse(&backend, loaded->settings.backend, &diag);
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", service->file, diag.message);
        return EXIT_BAD_FILE;
    }
    backend_find_slots(&backend, loaded->engine);
    (void)pthread_rwlock_wrlock(&service->lock);
    service->backend = backend;
    (void)pthread_rwlock_unlock(&service->lock);
    return EXIT_GOOD;
}

/* The new file, for the engine that is there. */
static int load_again(struct service *service, struct loaded *next)
{
    memset(next, 0, sizeof *next);
    const int document_rc = load_document(next, service->file);
    if (!next->document)
        return report_failure("reading the file", document_rc);
    next->engine = service->loaded.engine;
    const int chain_rc = load_chain(next);
    int rc = document_rc ? document_rc : chain_rc;
    if (rc == 0)
        rc = load_plan(next);
    return rc == 0 ? EXIT_GOOD : load_report(next, rc);
}

static void note_what_stays(const struct service *service, const struct loaded *next)
{
    if (strcmp(service->loaded.settings.listen, next->settings.listen) != 0)
        fprintf(stderr, "%s: \"listen\" changes with the next start, not now\n", service->file);
}

static void reload(struct service *service)
{
    struct loaded next;
    int code = load_again(service, &next);

    if (code == EXIT_GOOD)
        code = install(service, &next);
    if (code == EXIT_GOOD) {
        note_what_stays(service, &next);
        service->loaded.engine = NULL; /* `next` has it now */
        load_free(&service->loaded);
        service->loaded = next;
        fprintf(stderr, "%s: read again\n", service->file);
        return;
    }
    next.engine = NULL;
    load_free(&next);
    fprintf(stderr, "%s: not taken; what was there goes on\n", service->file);
}

/* ---- Running ---------------------------------------------------------------------------- */

static void block_signals(sigset_t *taken)
{
    (void)sigemptyset(taken);
    (void)sigaddset(taken, SIGINT);
    (void)sigaddset(taken, SIGTERM);
    (void)sigaddset(taken, SIGHUP);
    (void)sigaddset(taken, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, taken, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* A log that was moved away is opened anew by the poll that follows. */
static void reopen_logs(struct service *service)
{
    const int rc = cmw_access_log_reopen(service->loaded.engine);

    (void)cmw_engine_poll(service->loaded.engine);
    if (rc != 0)
        fprintf(stderr, "%s: access logs: %s\n", service->file, cmw_error_text(rc));
    else
        fprintf(stderr, "%s: access logs opened anew\n", service->file);
}

static void run(struct service *service, const sigset_t *taken)
{
    const struct timespec step = {0, POLL_NS};

    for (;;) {
        const int received = sigtimedwait(taken, NULL, &step);
        if (received == SIGHUP)
            reload(service);
        if (received == SIGHUP || received == SIGUSR1)
            reopen_logs(service);
        else if (received > 0 || (errno != EAGAIN && errno != EINTR))
            return;
        (void)cmw_engine_poll(service->loaded.engine);
    }
}

static void drain(struct service *service)
{
    const struct timespec step = {0, GRACE_STEP_NS};

    service->server->quiesce(service->running);
    for (int i = 0; i < GRACE_STEPS && atomic_load(&service->in_flight) > 0; i++) {
        (void)nanosleep(&step, NULL); /* cut short: one look more */
        (void)cmw_engine_poll(service->loaded.engine);
    }
    service->server->stop(service->running);
    (void)cmw_engine_poll(service->loaded.engine);
}

static int start(struct service *service)
{
    char where[ADDRESS_PORT_CAP];
    cmw_diag diag;

    service->config.engine = service->loaded.engine;
    service->config.body_bytes = service->loaded.body_bytes;
    service->config.handler = handle;
    service->config.self = service;
    if (service->server->start(&service->running, &service->config, &diag) != 0) {
        fprintf(stderr, "%s: %s: %s\n", service->file, service->loaded.settings.listen,
                diag.message);
        return EXIT_SYSTEM;
    }
    address_format(&service->config.address, where);
    printf("listening on http://%s\n", where);
    (void)fflush(stdout); /* a closed stdout does not stop a server */
    return EXIT_GOOD;
}

static int check_address(struct service *service)
{
    struct loaded *const loaded = &service->loaded;

    if (address_parse(&service->config.address, loaded->settings.listen) == 0)
        return EXIT_GOOD;
    return load_report(loaded, cmw_document_refuse(loaded->document, "listen", CMW_ERR_INVALID,
                                                   "'%s' is not an address and a port",
                                                   loaded->settings.listen));
}

static int serve(struct service *service)
{
    sigset_t taken;

    block_signals(&taken);
    int code = load_file(&service->loaded, service->file, tool_allocator());
    if (code == EXIT_GOOD)
        code = check_address(service);
    if (code == EXIT_GOOD)
        code = install(service, &service->loaded);
    if (code == EXIT_GOOD)
        code = start(service);
    if (code == EXIT_GOOD) {
        run(service, &taken);
        drain(service);
    }
    load_free(&service->loaded);
    return code;
}

/* ---- The command line ------------------------------------------------------------------- */

static int parse_arguments(struct service *service, int argc, char **argv)
{
    char names[SERVER_NAMES_CAP];

    service->server = server_find(NULL);
    for (int i = 0; i < argc; i++) {
        const int has_value = i + 1 < argc;
        if (strcmp(argv[i], "--server") == 0 && has_value) {
            service->server = server_find(argv[++i]);
            if (!service->server)
                return refuse_usage("serve: there is no server '%s' in this build; there is: %s",
                                    argv[i], server_names(names));
        } else if (strcmp(argv[i], "--threads") == 0 && has_value) {
            const long threads = strtol(argv[++i], NULL, 10);
            if (threads < 1 || threads > 256)
                return refuse_usage("serve: --threads must be in 1..256, not '%s'", argv[i]);
            service->config.threads = (unsigned)threads;
        } else if (argv[i][0] == '-' || service->file) {
            return refuse_usage("serve: unexpected '%s'", argv[i]);
        } else {
            service->file = argv[i];
        }
    }
    if (service->config.threads == 0)
        service->config.threads = service->server->default_threads;
    return service->file ? EXIT_GOOD : refuse_usage("serve: which file?");
}

int command_serve(int argc, char **argv)
{
    static struct service service; /* zeroed; as long as the process */

    int code = parse_arguments(&service, argc, argv);
    if (code != EXIT_GOOD)
        return code;
    if (pthread_rwlock_init(&service.lock, NULL) != 0)
        return report_failure("making a lock", CMW_ERR_NOMEM);
    code = serve(&service);
    (void)pthread_rwlock_destroy(&service.lock);
    return code;
}
