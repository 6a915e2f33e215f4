/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP/1.1 server: blocking sockets, a thread for each connection. It stands for a server
 * of your own and knows nothing of middleware; own_adapter.c connects it.
 */
#ifndef OWN_HTTP_H
#define OWN_HTTP_H

#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_CAP = 64 << 10, /* bytes of a head; beyond: 431 */
    HTTP_PIECE_CAP = 8 << 10, /* of a body that are in memory at once */
    HTTP_FIELD_CAP = 128,     /* fields of a head; beyond: 431 */
    HTTP_TRAILER_CAP = 32,    /* fields behind chunks, and their bytes; beyond: malformed */
    HTTP_TRAILER_BYTES = 4 << 10
};

#define HTTP_CHUNKED UINT64_MAX /* a body's length, where chunks say it */

/* What reading and sending return below 0. */
enum { HTTP_LOST = -1, HTTP_TIMED_OUT = -2, HTTP_MALFORMED = -3 };

struct http_text {
    const char *data;
    size_t len;
};

struct http_field {
    struct http_text name, value; /* the value without the blanks around it */
};

/* A connection with the request that it is at; all texts live until the next one is read. */
struct http_conn {
    struct http_server *server;
    struct http_conn *next, **at; /* in the server's list */
    int fd;
    struct sockaddr_in peer;
    void *user; /* what the program's `open` gave */
    struct http_text method, target;
    struct http_field fields[HTTP_FIELD_CAP];
    size_t field_count;
    int minor;      /* HTTP/1.<minor> */
    int must_close; /* after this request; may be set */
    uint64_t left;  /* of the body, or of the chunk */
    int is_chunked;
    int is_in_chunks;                        /* the first one was begun */
    int has_patience;                        /* of its own: http_set_patience */
    size_t head_len, begin, end;             /* of `in`: the head, and what was read behind it */
    char in[HTTP_HEAD_CAP + HTTP_PIECE_CAP]; /* the head, then pieces of the body */
    struct http_field trailers[HTTP_TRAILER_CAP]; /* once the body has ended */
    size_t trailer_count, trailer_bytes;
    char trailer_text[HTTP_TRAILER_BYTES];
    char out[HTTP_HEAD_CAP]; /* room for the head of an answer */
};

/* The server; what is above the line is filled in before it starts. */
struct http_server {
    unsigned idle_s; /* a client may take so long for its next byte */
    void *self;      /* handed to the functions */
    void *(*open)(void *self);
    void (*close)(void *self, void *user);
    /* How long a head may take from its first byte on, in milliseconds; 0: no limit. */
    uint64_t (*head_ms)(void *self, void *user);
    /* A head is in, or what came is none: `error` is then 400, 408 or 431. Answers it. */
    void (*serve)(void *self, struct http_conn *conn, int error);
    /* ---- */
    int listening;
    int is_ending; /* under lock, as what follows */
    unsigned conn_count;
    struct http_conn *conns;
    pthread_mutex_t lock;
    pthread_cond_t is_empty;
    pthread_t thread;
};

/* Listen on 127.0.0.1 and serve in threads; a port of 0 is replaced by one that is free. 0 or -1.
 */
int http_start(struct http_server *server, uint16_t *port);

/* Take no more connections, break those that are there, wait for their threads. */
void http_stop(struct http_server *server);

int http_is_ending(struct http_server *server);

/* A field's value by its name, NULL if it is not there. */
const struct http_text *http_find(const struct http_conn *conn, const char *name);

/* 1 if the client sends a body once it is told 100 Continue (RFC 9110, 10.1.1). */
int http_awaits_continue(const struct http_conn *conn);

/* How long the body is; HTTP_CHUNKED: chunks say it. Before it is read. */
void http_expect_body(struct http_conn *conn, uint64_t length);

/* How long the client may take for its next byte, if that is less than `idle_s`; 0: `idle_s`. */
void http_set_patience(struct http_conn *conn, uint64_t ms);

/* The next piece of the body: its length, 0 at the end, or what is wrong. */
int http_read_body(struct http_conn *conn, const char **piece);

/* 0, HTTP_LOST or HTTP_TIMED_OUT. */
int http_send(struct http_conn *conn, const char *data, size_t len);

/* "Date: ...\r\n" and "Connection: ...\r\n\r\n", behind a head in `to`. The length. */
#define HTTP_TAIL_CAP 80
size_t http_write_tail(const struct http_conn *conn, char to[HTTP_TAIL_CAP]);

#endif /* OWN_HTTP_H */
