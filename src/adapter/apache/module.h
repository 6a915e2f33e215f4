/* SPDX-License-Identifier: MIT */
/*
 * The module for Apache httpd: what its files share.
 *
 *     module.c      directives, from configuration to sites; where httpd calls
 *     process.c     what one process has of an engine: its workers, waiting, polls
 *     request.c     one request: begin, phases, answers, end
 *     fields_in.c   what middleware rewrote of a request, written back to httpd
 *     body_in.c     the bodies of requests
 *     time_in.c     how long clients may take for heads and bodies
 *     filter.c      every response
 *     body_out.c    bodies of responses that are read from the engine, a piece at a time
 *     fields_out.c  the head of a response, from httpd to the engine and back
 *
 * One context for each main request; internal redirects and subrequests are part of it. A request
 * may end on another thread than the one that it began on, so each has a worker of its own
 * meanwhile. Strings of httpd are passed on as they lie.
 */
#ifndef CMW_APACHE_MODULE_H
#define CMW_APACHE_MODULE_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <catzilla/mw.h>

#include "site.h"

/* What one process has of an engine. */
struct process {
    cmw_engine *engine;
    pthread_mutex_t lock;  /* of all that follows */
    struct bench *benches; /* all */
    struct bench *free;    /* the one that was used last first */
    cmw_worker *spare;     /* answers overload; under lock */
    pthread_t poller;
    sem_t poll_end;
    int has_poller;
    atomic_int is_ending;
};

/* A worker, and a place to wait. One request at a time. */
struct bench {
    struct bench *next, *next_free;
    struct process *process;
    cmw_worker *worker;
    pthread_mutex_t lock; /* of is_woken */
    pthread_cond_t wake_up;
    int is_woken;
    uint64_t timer_at_ns; /* the worker's next deadline; 0: none */
    int next_step;        /* a cmw_next, once has_gone_on */
    int has_gone_on;
    volatile sig_atomic_t is_asleep; /* its request waits: the engine does not run */
};

/* A file of a directive. */
struct reference {
    const char *path;
    const char *where; /* "apache2.conf:12" */
    const char *name;  /* of the container, for its route */
    uint32_t route;    /* of a container's, in every site */
};

/* A server: what holds there. */
struct place {
    struct reference *base;
    int is_set;        /* also by "off" */
    struct site *site; /* NULL: nothing is done here */
};

/* A container: <Location>, <Directory>. */
struct spot {
    struct reference *extra;
    int is_set;
};

enum stage {
    STAGE_BEGUN = 0,
    STAGE_PASSED,    /* pre_route let it pass */
    STAGE_MADE,      /* the plan's answer is made, and not sent */
    STAGE_ANSWERED,  /* it is on its way */
    STAGE_COMMITTED, /* httpd's response, decorated */
};

/* One main request. In its pool, like all that is allocated for it. */
struct seat {
    request_rec *request; /* the first: internal redirects come behind it */
    request_rec *sender;  /* of which the head was committed */
    struct process *process;
    struct bench *bench; /* NULL: overload */
    struct site *site;
    cmw_ctx *ctx;             /* NULL: overload */
    const cmw_header *fields; /* as they came */
    enum stage stage;
    uint32_t route; /* that was entered; CMW_NONE */
    cmw_end_reason reason;
    uint64_t received;          /* of the body */
    apr_bucket_brigade *made;   /* what the plan made of it, and nobody has read; NULL: not fed */
    apr_bucket_brigade *input;  /* of httpd's body: what the engine has not taken, */
    apr_bucket *taken;          /*   the first of it, at which it may still look, */
    apr_bucket_brigade *output; /*   and room for what goes on */
    ap_filter_t *next;          /*   to here */
    unsigned is_inside : 1; /* the engine runs: a signal that ends the process must not enter it */
    unsigned replaces_body : 1;
    unsigned has_sent_own : 1;
    unsigned is_overload : 1;
    unsigned is_cut : 1;        /* the request's body broke off */
    unsigned is_late : 1;       /* its head did not come in time */
    unsigned is_awaiting : 1;   /* the time of its body runs */
    unsigned has_ended : 1;     /* its body did */
    unsigned is_feeding : 1;    /* it is read for the plan, */
    unsigned is_fed : 1;        /*   which has seen its end */
    unsigned streams : 1;       /* the response's body is read from the engine, */
    unsigned asks : 1;          /*   which asks for httpd's */
    unsigned wants_flush : 1;   /* httpd does */
    unsigned has_sent_last : 1; /* of a streamed body */
    unsigned has_failed : 1;    /* the response was broken off */
    unsigned is_logged : 1;     /* the reason is known */
};

extern module AP_MODULE_DECLARE_DATA catzilla_mw_module;

static inline cmw_str str_or_empty(const char *text)
{
    return text ? cmw_str_cstr(text) : CMW_STR("");
}

/* process.c */
const cmw_host *process_host(void);
/* Of the clock of engines. */
uint64_t process_now_ns(void);
/* This process's part of a site's engine, until the pool ends. */
void process_open(struct site *site, apr_pool_t *pool, server_rec *server);
/* The process ends at once: who waits is given up. Safe in a signal's handler. */
void process_end(struct process *process);
/* A worker for a request; NULL: there is none left. */
struct bench *process_take(struct process *process);
void process_put(struct bench *bench);
/* Wait until the suspended request goes on: what is next. The connection is looked at meanwhile. */
int process_wait(struct bench *bench, cmw_ctx *ctx, conn_rec *connection);

/* request.c: hooks of httpd */
int request_on_read(request_rec *r);
int request_on_quick(request_rec *r, int is_lookup);
int request_on_place(request_rec *r);
int request_on_handler(request_rec *r);
int request_on_log(request_rec *r);
const char *request_on_scheme(const request_rec *r);
apr_port_t request_on_port(const request_rec *r);
/* The seat of a request or of the one that it came of; NULL: it has none. */
struct seat *request_find(const request_rec *r);
/* httpd refused a request by itself before it could begin: NULL if it cannot be decorated. */
struct seat *request_begin_refused(request_rec *r);
int request_settle(struct seat *seat, cmw_next next);
/* A deadline may have passed while httpd was at work. */
void request_catch_up(struct seat *seat);
/* The response cannot be finished: the connection ends, so that nobody takes it for whole. */
void request_break_off(struct seat *seat, request_rec *r);

/* fields_in.c */
/* The fields of a table, as they lie there: an array in the pool. */
const cmw_header *fields_in_list(apr_pool_t *pool, const apr_table_t *table, size_t *count);
void fields_in_write(struct seat *seat);
void fields_in_write_target(struct seat *seat);
void fields_in_write_client(struct seat *seat);

/* body_in.c */
apr_status_t body_in_filter(ap_filter_t *f, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t bytes);
/* The plan looks at the request's body, and has not seen it. */
int body_in_is_due(const struct seat *seat);
/* Feed it, and give httpd what the plan made of it. A cmw_next; `status`: 0, or what httpd answers
 * where it could not be read. */
int body_in_take(struct seat *seat, request_rec *r, int *status);

/* The request's body is not waited for any more. */
void body_in_leave(struct seat *seat);

/* time_in.c */
/* Hooks of httpd: a connection, its heads. */
int time_in_on_connection(conn_rec *c, void *socket);
void time_in_on_head(request_rec *r, conn_rec *c);
/* The head is read, or refused: 1 if it was too late. */
int time_in_end_head(const conn_rec *c);
/* Reads of the request's body end with APR_TIMEUP at a time of the engines' clock; 0: never. */
void time_in_limit(request_rec *r, uint64_t at_ns);
void time_in_register(void);

/* body_out.c */
/* httpd's body, for the engine to ask for. 0 or a CMW_ERR_*. */
int body_out_open(struct seat *seat, request_rec *r, cmw_str type, uint64_t length);
/* After commit: whether the body is to be pumped. */
void body_out_begin(struct seat *seat, request_rec *r);
/* It is still httpd's that the response has. */
int body_out_is_hosts(const struct seat *seat);
/* More of httpd's body. What nobody will ask for is thrown away. */
void body_out_push(const struct seat *seat, apr_bucket_brigade *brigade);
/* Send what there is, as fast as the client takes it. */
apr_status_t body_out_pump(struct seat *seat, ap_filter_t *next);

/* fields_out.c */
/* Give httpd's response to the engine: 0 or an error. `exported`: the fields that it had. */
int fields_out_export(struct seat *seat, request_rec *r, const apr_table_t **exported);
/* Give httpd the committed response: status and fields, not the body. 1: httpd's body is changed
 * on its way, or would be if it were sent. */
int fields_out_import(struct seat *seat, request_rec *r, const cmw_response *response,
                      const apr_table_t *exported);
/* httpd makes another answer than the one that was committed: the plan's fields are on it, too. */
void fields_out_restate(request_rec *r, const cmw_response *response);
/* The answer is whole as it is: no part of it is asked for. */
void fields_out_refuse_ranges(request_rec *r);

/* filter.c */
void filter_register(void);
void filter_insert(request_rec *r);
void filter_insert_error(request_rec *r);
void filter_add_input(struct seat *seat, request_rec *r);
/* Send a committed response of the plan, past the filter. OK. */
void filter_send_head(struct seat *seat, request_rec *r, const cmw_response *response);
int filter_send_body(request_rec *r, cmw_str body);

#endif /* CMW_APACHE_MODULE_H */
