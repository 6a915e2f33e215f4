/* SPDX-License-Identifier: MIT */
/* libmicrohttpd for the conformance suite; the mode is one of its threading modes. */
#include <catzilla/adapter/microhttpd.h>

#include <arpa/inet.h>
#include <stdint.h>

#include "conformance.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { EXTERNAL_WAIT_MS = 20 };

static const struct mode {
    const char *name;
    unsigned flags;
    unsigned pool_size;
    int is_external;
} modes[] = {
    {"epoll", MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, 0},
    {"select", MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, 0},
    {"poll", MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, 0},
    {"pool", MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 2, 0},
    {"thread", MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, 0},
    {"external", MHD_ALLOW_SUSPEND_RESUME, 0, 1},
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < LEN(modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

static struct MHD_Daemon *start_daemon(const struct mode *mode, cmw_mhd *mhd, unsigned idle_s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)mode->pool_size, NULL},
                                    {MHD_OPTION_END, 0, NULL}};

    if (mode->pool_size == 0)
        pool[0].option = MHD_OPTION_END;
    return MHD_start_daemon(mode->flags, 0, NULL, NULL, cmw_mhd_on_request, mhd,
                            MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONFORMANCE_HEAD_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
                            MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, cmw_mhd_options(mhd),
                            MHD_OPTION_END);
}

static void run_until_signal(struct MHD_Daemon *daemon, const struct mode *mode,
                             const sigset_t *ending)
{
    static const struct timespec at_once = {0, 0};
    int received;

    if (!mode->is_external) {
        sigwait(ending, &received);
        return;
    }
    while (sigtimedwait(ending, NULL, &at_once) < 0)
        MHD_run_wait(daemon, EXTERNAL_WAIT_MS);
}

static int serve(struct conformance_run *run)
{
    const struct mode *mode = find_mode(run->mode);
    cmw_mhd_config config;
    cmw_mhd *mhd;

    cmw_mhd_config_init(&config);
    config.drain_bytes = CONFORMANCE_DRAIN_BYTES;
    if (!mode || cmw_mhd_create(&mhd, run->engine, run->handler, run->self, &config) != 0)
        return 1;
    struct MHD_Daemon *daemon = start_daemon(mode, mhd, run->idle_s);
    if (daemon) {
        conformance_say_port(MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
        run_until_signal(daemon, mode, &run->ending);
        cmw_mhd_give_up_waiting(mhd);
        MHD_stop_daemon(daemon);
    }
    cmw_mhd_destroy(mhd);
    return daemon ? 0 : 1;
}

static int owns_context(cmw_ctx *ctx)
{
    return cmw_mhd_connection(ctx) != NULL;
}

int main(int argc, char **argv)
{
    const char *const mode = argc > 1 ? argv[1] : "";
    const int is_epoll = strcmp(mode, "epoll") == 0 || strcmp(mode, "pool") == 0;
    const int is_thread = strcmp(mode, "thread") == 0;
    const char *const traits[] = {is_epoll    ? "late_client_gone"
                                  : is_thread ? "unsure_of_shutdown"
                                              : NULL,
                                  NULL};
    const struct conformance_server server = {.name = "microhttpd",
                                              .host = cmw_mhd_host(),
                                              .traits = traits,
                                              .owns_context = owns_context,
                                              .serve = serve};

    return conformance_main(argc, argv, &server);
}
