/* SPDX-License-Identifier: MIT */
/*
 * How long clients may take for the head of a request, and for its body.
 *
 * A filter of the connection: below TLS and all that reads lines, so that it is asked for each
 * piece that comes, and above mod_reqtimeout, whose time is as good. Where a time runs it never
 * blocks in a read, but looks, and waits until there is something or the time is over.
 *
 * A connection has the filter from its begin where heads of its server are timed, else from the
 * first body on that is. A stream of HTTP/2 has no socket to wait for: it is looked at again and
 * again. Its head comes in frames, past this.
 */
#include "module.h"

#include <apr_portable.h>
#include <http_connection.h>
#include <poll.h>

enum { LOOK_MS = 1000, LOOK_AT_STREAM_MS = 10 };

static const uint64_t MS = 1000000;
static const char name[] = "CATZILLA_MW_TIME";

struct line {
    apr_socket_t *socket; /* NULL: a stream of HTTP/2 */
    uint64_t head_ns;     /* how long a head may take; 0: as it likes */
    uint64_t until_ns;    /* for what is awaited; 0: no limit */
    unsigned awaits_head : 1;
    unsigned has_begun : 1; /* the head */
    unsigned is_over : 1;   /* the time */
};

static struct line *line_of(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &catzilla_mw_module);
}

static struct line *open_line(conn_rec *c, request_rec *r)
{
    struct line *line = apr_pcalloc(c->pool, sizeof *line);

    line->socket = c->master ? NULL : ap_get_conn_socket(c);
    ap_set_module_config(c->conn_config, &catzilla_mw_module, line);
    (void)ap_add_input_filter(name, line, r, c);
    return line;
}

/* ---- Waiting ------------------------------------------------------------------------------ */

/* Up to so long, or until there is something to read. */
static void wait_for_bytes(const struct line *line, uint64_t left_ms)
{
    struct pollfd look = {.events = POLLIN};

    if (!line->socket || apr_os_sock_get(&look.fd, line->socket) != APR_SUCCESS)
        apr_sleep(apr_time_from_msec(left_ms < LOOK_AT_STREAM_MS ? left_ms : LOOK_AT_STREAM_MS));
    else
        (void)poll(&look, 1, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS)); /* the read says more */
}

/* When httpd itself gives up who sends nothing (Timeout, KeepAliveTimeout); 0: never. */
static uint64_t end_of_patience(const struct line *line, uint64_t now_ns)
{
    apr_interval_time_t patience_us;

    if (!line->socket || apr_socket_timeout_get(line->socket, &patience_us) != APR_SUCCESS ||
        patience_us < 0)
        return 0;
    return now_ns + (uint64_t)patience_us * 1000;
}

/* The time of a head begins with its first byte, which may have come with all of it: then nobody
 * asks for the time. */
static apr_status_t await(struct line *line, uint64_t *patience_ns)
{
    const uint64_t now_ns = process_now_ns();

    if (line->awaits_head && line->has_begun && line->until_ns == 0)
        line->until_ns = now_ns + line->head_ns;
    if (*patience_ns == 0)
        *patience_ns = end_of_patience(line, now_ns);
    line->is_over = line->until_ns != 0 && line->until_ns <= now_ns;
    if (line->is_over || (*patience_ns != 0 && *patience_ns <= now_ns))
        return APR_TIMEUP;
    uint64_t end_ns = now_ns + LOOK_MS * MS;
    if (line->until_ns != 0 && line->until_ns < end_ns)
        end_ns = line->until_ns;
    if (*patience_ns != 0 && *patience_ns < end_ns)
        end_ns = *patience_ns;
    wait_for_bytes(line, (end_ns - now_ns + MS - 1) / MS);
    return APR_SUCCESS;
}

/* What has come of a line, or of a piece, is all that is asked for: who wants more reads again. */
static apr_status_t on_input(ap_filter_t *f, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                             apr_read_type_e block, apr_off_t bytes)
{
    struct line *line = f->ctx;
    const int is_read = mode == AP_MODE_READBYTES || mode == AP_MODE_GETLINE;
    uint64_t patience_ns = 0;
    apr_status_t rc;

    if (!is_read || block != APR_BLOCK_READ || (line->until_ns == 0 && !line->awaits_head))
        return ap_get_brigade(f->next, brigade, mode, block, bytes);
    do {
        rc = ap_get_brigade(f->next, brigade, mode, APR_NONBLOCK_READ, bytes);
        if (!APR_BRIGADE_EMPTY(brigade)) {
            line->has_begun = 1;
            return APR_STATUS_IS_EAGAIN(rc) ? APR_SUCCESS : rc;
        }
        if (rc == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rc))
            rc = await(line, &patience_ns);
    } while (rc == APR_SUCCESS);
    return rc;
}

void time_in_register(void)
{
    const ap_filter_type type = (ap_filter_type)(AP_FTYPE_CONNECTION + 6); /* TLS: + 5 */

    (void)ap_register_input_filter(name, on_input, NULL, type);
}

/* ---- Heads -------------------------------------------------------------------------------- */

/* The server of the address: which virtual host is meant stands in the head. */
int time_in_on_connection(conn_rec *c, void *socket)
{
    const struct place *place =
        ap_get_module_config(c->base_server->module_config, &catzilla_mw_module);
    const uint64_t head_ms = place->site && !c->master ? site_head_ms(place->site) : 0;
    (void)socket;

    if (head_ms != 0)
        open_line(c, NULL)->head_ns = head_ms * MS;
    return OK;
}

void time_in_on_head(request_rec *r, conn_rec *c)
{
    struct line *line = line_of(c);
    (void)r;

    if (!line || line->head_ns == 0)
        return;
    line->until_ns = 0;
    line->awaits_head = 1;
    line->has_begun = line->is_over = 0;
}

int time_in_end_head(const conn_rec *c)
{
    struct line *line = line_of(c);

    if (!line || !line->awaits_head)
        return 0;
    line->awaits_head = 0;
    line->until_ns = 0;
    return line->is_over;
}

/* ---- Bodies ------------------------------------------------------------------------------- */

void time_in_limit(request_rec *r, uint64_t at_ns)
{
    conn_rec *c = r->connection;
    struct line *line = line_of(c);

    if (!line)
        line = open_line(c, r);
    line->until_ns = at_ns;
}
