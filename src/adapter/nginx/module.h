/* SPDX-License-Identifier: MIT */
/*
 * The nginx module: what its files share.
 *
 *     module.c      directives, from configuration to sites; where nginx calls
 *     process.c     what one worker process has of an engine: its worker, wakes, timers
 *     request.c     one request: begin, phases, waiting, answers, end
 *     fields_in.c   what middleware rewrote of a request, written back to nginx
 *     body_in.c     bodies of requests, for plans that look at them
 *     filter.c      every response: head and body filters
 *     body_out.c    bodies that are read from the engine, a piece at a time
 *     fields_out.c  the head of a response, from nginx to the engine and back
 *     joined.c      its fields as one, where nobody looks at single ones
 *     variables.c   what middleware found out, for proxy_set_header and logs
 *
 * One context for each main request. Subrequests are part of it. Strings of nginx are passed on as
 * they lie; they end with no NUL.
 */
#ifndef CMW_NGINX_MODULE_H
#define CMW_NGINX_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <catzilla/mw.h>

#include "site.h"

/* What one process has of an engine. */
struct process {
    cmw_engine *engine;
    cmw_worker *worker;
    struct site *site;        /* whose plan is installed */
    ngx_connection_t *notice; /* an eventfd, written by wakes */
    ngx_event_t deadline;     /* the worker's next one, */
    uint64_t armed_ns;        /*   at this time; 0: none */
    ngx_event_t keeper;       /* keeps the process while requests wait */
    ngx_event_t poll;
    ngx_queue_t seats;   /* of requests in flight */
    ngx_uint_t was_busy; /* since the last poll */
    ngx_uint_t joins;    /* nobody looks at single fields of a response */
};

/* http, server or location: what holds there. */
struct place {
    struct site_file *base;  /* of http or server */
    struct site_file *extra; /* of a location */
    ngx_flag_t has_extras;   /* a server: one of its locations has a file */
    struct site *site;       /* NULL: nothing is done here */
    uint32_t route;          /* of extra */
    ngx_str_t name;          /* of the location, for messages and its route */
};

enum stage {
    STAGE_BEGUN = 0,
    STAGE_WAITING,   /* in pre_route */
    STAGE_READING,   /* nginx reads the body for the plan */
    STAGE_RESUMED,   /* it may go on: `next` */
    STAGE_PASSED,    /* pre_route let it pass */
    STAGE_ANSWERED,  /* by the plan; the response is committed */
    STAGE_COMMITTED, /* nginx's response, decorated */
};

/* One main request. In its pool, like all that is allocated for it. */
struct seat {
    ngx_queue_t queue; /* in process.seats, while it has a context */
    ngx_http_request_t *request;
    struct process *process;
    struct site *site;
    cmw_ctx *ctx;             /* NULL: overload */
    const cmw_header *fields; /* as they came */
    enum stage stage;
    int next; /* a cmw_next, when RESUMED */
    cmw_end_reason reason;
    uint32_t route;       /* that was entered; CMW_NONE */
    off_t received;       /* of the body */
    off_t passed;         /* bytes of the response's body that went on from here */
    ngx_chain_t own_body; /* what replaces nginx's body, and its buffer */
    ngx_buf_t own_buffer;
    ngx_chain_t *feed;       /* of the request's body: what is fed next, */
    off_t feed_at;           /*   from here on in the buffer, */
    u_char *feed_room;       /*   and where pieces of files are read into */
    ngx_chain_t *input;      /* of nginx's body: what the engine has not taken, */
    ngx_buf_t *taken;        /*   and what it has, and may still look at */
    cmw_chunk first;         /* of a streamed body that is not nginx's, when has_first */
    unsigned has_target : 1; /* the target was written back */
    unsigned has_body : 1;   /* nginx has read the request's body, */
    unsigned is_fed : 1;     /*   the plan has seen it, */
    unsigned is_written : 1; /*   and what it made of it was written back */
    unsigned streams : 1;    /* the response's body is read from the engine, */
    unsigned asks : 1;       /*   which asks for nginx's, */
    unsigned has_first : 1;  /*   or has given a piece of another */
    unsigned replaces_body : 1;
    unsigned has_sent_own : 1;
    unsigned has_sent_last : 1;
};

extern ngx_module_t ngx_http_catzilla_mw_module;

static inline cmw_str str_of(ngx_str_t text)
{
    return cmw_str_make((const char *)text.data, text.len);
}

/* process.c */
const cmw_host *process_host(void);
/* This process's part of a site's engine; NULL if it cannot be made, which is logged. */
struct process *process_of(struct site *site, ngx_log_t *log);
/* A request has begun or ended: have the engine polled. */
void process_note(struct process *process);
/* A request waits: have the process stay until none does. */
void process_keep(struct process *process);
void process_close(struct process *process);

/* request.c */
ngx_int_t request_on_server(ngx_http_request_t *r);
ngx_int_t request_on_location(ngx_http_request_t *r);
ngx_int_t request_on_log(ngx_http_request_t *r);
/* The seat of a request or of its main one; NULL: it has none. */
struct seat *request_find(ngx_http_request_t *r);
/* Begin a request: NULL if it cannot be, which is logged where it is not overload. */
struct seat *request_begin(ngx_http_request_t *r, struct site *site, int *refusal);
/* nginx answers before the plan has seen the body, and nothing of that is guarded by it. */
void request_skip_body(struct seat *seat);
void request_proceed(struct seat *seat, int next);
/* The process ends: complete is told. */
void request_abandon(struct seat *seat);

/* fields_in.c: NGX_OK or NGX_ERROR */
ngx_int_t fields_in_write(struct seat *seat);
ngx_int_t fields_in_write_target(struct seat *seat);

/* body_in.c */
/* Feed what nginx has read, as far as the plan takes it. A cmw_next. */
int body_in_feed(struct seat *seat);
/* Give nginx the body as the plan has left it. NGX_OK or NGX_ERROR. */
ngx_int_t body_in_write(struct seat *seat);

/* body_out.c */
typedef ngx_int_t body_send_fn(ngx_http_request_t *r, ngx_chain_t *in);
/* nginx's body, for the engine to ask for. 0 or a CMW_ERR_*. */
int body_out_open(struct seat *seat, cmw_str type, uint64_t length);
/* After commit: whether the body is to be pumped, and whose it is. NGX_OK; NGX_ERROR: it cannot be
 * made. */
ngx_int_t body_out_begin(struct seat *seat);
ngx_int_t body_out_push(struct seat *seat, ngx_chain_t *in);
/* Hand the response's trailers over, before the last buffer is. */
ngx_int_t body_out_end(const struct seat *seat);
/* Send what is there. NGX_OK: all of it; NGX_AGAIN: the client takes no more now; NGX_DECLINED:
 * nothing more is there yet; NGX_ERROR. */
ngx_int_t body_out_pump(struct seat *seat, body_send_fn *send);

/* fields_out.c */
/* Give nginx's response to the engine: its body goes by, unless the plan looks at it. */
ngx_int_t fields_out_export(struct seat *seat, cmw_response *response);
/* Give nginx the committed response: status and fields, not the body. */
ngx_int_t fields_out_import(struct seat *seat, const cmw_response *response);
/* Text of a response for as long as the request: copied where no context keeps it. */
ngx_int_t fields_out_keep(const struct seat *seat, ngx_str_t *to, cmw_str from);
/* Make nginx's head anew: nothing of what is there stays. */
void fields_out_clear(ngx_http_request_t *r);

/* joined.c */
/* 1 if nothing of a configuration looks at single fields of a response. */
int joined_is_safe(volatile ngx_cycle_t *cycle);
/* Put all fields of a committed response into nginx's, whose list is empty. NGX_OK, NGX_ERROR;
 * NGX_DECLINED: one by one, and nothing was done. */
ngx_int_t joined_write(const struct seat *seat, const cmw_response *response);

/* filter.c */
ngx_int_t filter_init(void);

/* variables.c */
ngx_int_t variables_add(ngx_conf_t *cf);

#endif /* CMW_NGINX_MODULE_H */
