/* SPDX-License-Identifier: MIT */
/* libmicrohttpd: epoll in one thread. */
#include "servers.h"

#include <catzilla/adapter/microhttpd.h>

#include <arpa/inet.h>

static int run(struct MHD_Daemon *daemon, const sigset_t *ending)
{
    int received;

    if (!daemon)
        return CMW_ERR_IO;
    bench_say_port(MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    sigwait(ending, &received);
    MHD_stop_daemon(daemon);
    return 0;
}

static enum MHD_Result hello(void *self, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload_data,
                             size_t *upload_data_size, void **request_data)
{
    static char text[] = HELLO;

    (void)url;
    (void)method;
    (void)version;
    (void)upload_data;
    (void)upload_data_size;
    if (!*request_data) { /* the head; the answer is due with the end of the request */
        *request_data = self;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", HELLO_TYPE);
    const enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static int serve_bare(const sigset_t *ending)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static int something;

    return run(MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, hello, &something,
                                MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END),
               ending);
}

static int serve_plan(cmw_engine *engine, const sigset_t *ending)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cmw_mhd *mhd;

    int rc = cmw_mhd_create(&mhd, engine, bench_hello, NULL, NULL);
    if (rc != 0)
        return rc;
    rc = run(MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, cmw_mhd_on_request, mhd,
                              MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_ARRAY,
                              cmw_mhd_options(mhd), MHD_OPTION_END),
             ending);
    cmw_mhd_destroy(mhd);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct bench_server server = {serve_bare, serve_plan};

    return bench_server_main(argc, argv, &server);
}
