/* SPDX-License-Identifier: MIT */
/*
 * Heads that come too slowly.
 *
 * libmicrohttpd says when a connection begins and ends, when a head is whole and when a request is
 * over, but not when the first byte of the next head has come. The system does: it counts the bytes
 * that a socket received. The thread that deadlines need looks at the connections that wait for a
 * head, four times in the time that one may take, and at least once a second:
 *
 *   waits, nothing came ──more bytes than there were──> its time runs ──> over: shutdown, and
 *     ^                                                  │                libmicrohttpd closes
 *     │                                                  v
 *   request over <──────────────────────────────── the head is whole
 *
 * So no head is cut off early, and one late by two looks at most. While bytes lie there that
 * libmicrohttpd has not read, it is the server that is slow: the time begins anew.
 *
 * A connection is listed from MHD_CONNECTION_NOTIFY_STARTED to _CLOSED, which comes before its
 * socket is closed: no descriptor is touched that may be another's.
 */
#ifndef CMW_MICROHTTPD_WATCH_H
#define CMW_MICROHTTPD_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <catzilla/adapter/microhttpd.h>

struct seats;

/* What the adapter can do for it on this system. */
#ifdef __linux__
#define CMW__WATCH_CAPABILITIES CMW_CAP_TIME_HEAD
#else
#define CMW__WATCH_CAPABILITIES 0
#endif

struct watched;

struct watch {
    pthread_mutex_t lock;   /* of the lists; nothing else is locked under it */
    struct watched *listed; /* open connections, of all daemons */
    struct watched *spare;
    atomic_int is_on; /* heads have been limited since some time: connections say where they are */
};

/* 0 or CMW_ERR_IO. */
int cmw__watch_init(struct watch *watch);
void cmw__watch_deinit(struct seats *all);

/* 1: the next three are of use. In line, since it is asked for each request. */
static inline int cmw__watch_is_on(const struct watch *watch)
{
    return atomic_load_explicit(&watch->is_on, memory_order_relaxed);
}

/* Heads are limited, and were not before. */
void cmw__watch_begin(struct seats *all);

/* For MHD_OPTION_NOTIFY_CONNECTION; `self` are the seats. */
void cmw__watch_notify(void *self, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);

/* The head is whole. MHD_NO: too late, the connection is being closed. */
enum MHD_Result cmw__watch_head(struct MHD_Connection *connection);

/* The request is over, and the connection may send another one. */
void cmw__watch_next(struct MHD_Connection *connection);

/* Look at all that wait, and end what is late. When to look again; 0: not. */
uint64_t cmw__watch_look(struct seats *all, uint64_t now_ns);

#endif /* CMW_MICROHTTPD_WATCH_H */
