/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include "seat.h"
#include "wait.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#ifdef __linux__
#include <linux/tcp.h> /* the C library's lacks the counter */
#endif

enum { SHORTEST_LOOK_MS = 5, LONGEST_LOOK_MS = 1000 };

/* Where a connection is: an even number waits for a head, the odd one behind it has it. */
enum { TURN_UNKNOWN, TURN_LATE, TURN_FIRST };

struct watched {
    struct watched *next;
    struct watched **listed_at; /* what points to it */
    int socket;
    atomic_uint turn;
    /* Of the thread that looks: */
    unsigned seen_turn;
    uint64_t bytes;    /* that had come when it was first seen in this turn */
    uint64_t since_ns; /* more had come; 0: they have not */
};

/* ---- What the system knows of a socket --------------------------------------------------- */

/* Bytes that it received since it was opened; 0 where nobody counts them (Unix sockets). */
static uint64_t received_bytes(int socket)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t len = sizeof info;
    const size_t needed = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);

    memset(&info, 0, sizeof info);
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || len < needed)
        return 0;
    return info.tcpi_bytes_received;
#else
    (void)socket;
    return 0;
#endif
}

static int has_unread(int socket)
{
    int bytes = 0;

    return ioctl(socket, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Both ways: who goes on sending is told so, and libmicrohttpd cannot miss it. 0, unless it had
 * ended by itself. */
static int end_connection(int socket)
{
    return shutdown(socket, SHUT_RDWR);
}

/* ---- The list ---------------------------------------------------------------------------- */

int cmw__watch_init(struct watch *watch)
{
    watch->listed = NULL;
    watch->spare = NULL;
    atomic_init(&watch->is_on, 0);
    return pthread_mutex_init(&watch->lock, NULL) == 0 ? 0 : CMW_ERR_IO;
}

static void free_all(struct watched *first, cmw_pool *pool)
{
    for (struct watched *next, *each = first; each; each = next) {
        next = each->next;
        cmw_pool_free(pool, each, sizeof *each, 0);
    }
}

void cmw__watch_deinit(struct seats *all)
{
    free_all(all->watch.listed, all->scratch_pool);
    free_all(all->watch.spare, all->scratch_pool);
    (void)pthread_mutex_destroy(&all->watch.lock); /* nobody holds it */
}

/* Under the lock, as the next two. NULL without memory. */
static struct watched *take(struct seats *all)
{
    struct watched *one = all->watch.spare;

    if (one)
        all->watch.spare = one->next;
    else
        one = cmw_pool_alloc(all->scratch_pool, sizeof *one, 0);
    return one;
}

static void list(struct watch *watch, struct watched *one)
{
    one->next = watch->listed;
    one->listed_at = &watch->listed;
    if (watch->listed)
        watch->listed->listed_at = &one->next;
    watch->listed = one;
}

static void put(struct watch *watch, struct watched *one)
{
    *one->listed_at = one->next;
    if (one->next)
        one->next->listed_at = one->listed_at;
    one->next = watch->spare;
    watch->spare = one;
}

/* ---- The connections' side --------------------------------------------------------------- */

static uint64_t limit_ms(struct seats *all)
{
    pthread_mutex_lock(&all->lock);
    cmw_worker_idle(all->spare); /* follows the installed plan */
    const uint64_t ms = cmw_worker_head_ms(all->spare);
    pthread_mutex_unlock(&all->lock);
    return ms;
}

void cmw__watch_begin(struct seats *all)
{
    atomic_store(&all->watch.is_on, 1); /* first: the thread is to see it */
    if (cmw__ticker_start(all) != 0)
        atomic_store(&all->watch.is_on, 0); /* tried again with the next request */
}

static void begin(struct seats *all, int socket, void **socket_context)
{
    if (!cmw__watch_is_on(&all->watch) && limit_ms(all) != 0)
        cmw__watch_begin(all);
    const int is_watched = cmw__watch_is_on(&all->watch);
    pthread_mutex_lock(&all->watch.lock);
    struct watched *one = take(all);
    if (one) {
        memset(one, 0, sizeof *one);
        one->socket = socket;
        atomic_init(&one->turn, is_watched ? TURN_FIRST : TURN_UNKNOWN);
        list(&all->watch, one);
    }
    pthread_mutex_unlock(&all->watch.lock);
    *socket_context = one;
    if (!one && is_watched)           /* there is no memory to keep the limit */
        (void)end_connection(socket); /* which has just begun */
}

static void end(struct seats *all, void **socket_context)
{
    struct watched *one = *socket_context;

    if (!one)
        return;
    *socket_context = NULL;
    pthread_mutex_lock(&all->watch.lock);
    put(&all->watch, one);
    pthread_mutex_unlock(&all->watch.lock);
}

void cmw__watch_notify(void *self, struct MHD_Connection *connection, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    struct seats *all = self;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        end(all, socket_context);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        begin(all, info->connect_fd, socket_context);
}

static struct watched *find(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

enum MHD_Result cmw__watch_head(struct MHD_Connection *connection)
{
    struct watched *one = find(connection);

    if (!one)
        return MHD_YES;
    unsigned turn = atomic_load(&one->turn);
    const unsigned has_head = turn == TURN_UNKNOWN ? TURN_FIRST + 1 : turn | 1;
    if (turn == TURN_LATE || !atomic_compare_exchange_strong(&one->turn, &turn, has_head))
        return MHD_NO;
    return MHD_YES;
}

void cmw__watch_next(struct MHD_Connection *connection)
{
    struct watched *one = find(connection);

    if (!one)
        return;
    const unsigned turn = atomic_load(&one->turn);
    if (turn == TURN_UNKNOWN || turn == UINT32_MAX)
        atomic_store(&one->turn, TURN_FIRST + 2);
    else if (turn % 2 == 1 && turn != TURN_LATE)
        atomic_store(&one->turn, turn + 1);
}

/* ---- The looking thread's side ----------------------------------------------------------- */

static int waits(unsigned turn)
{
    return turn % 2 == 0 && turn != TURN_UNKNOWN;
}

/* Since when its head is coming; 0: it is not. */
static uint64_t head_since(struct watched *one, unsigned turn, uint64_t now_ns)
{
    if (turn != one->seen_turn) {
        one->seen_turn = turn;
        one->bytes = turn == TURN_FIRST ? 0 : received_bytes(one->socket);
        one->since_ns = 0;
    }
    const int begins_now =
        one->since_ns == 0 ? received_bytes(one->socket) > one->bytes : has_unread(one->socket);
    if (begins_now)
        one->since_ns = now_ns;
    return one->since_ns;
}

/* 1 if its head is late, and the connection ends. */
static int look_at(struct watched *one, uint64_t now_ns, uint64_t limit_ns)
{
    unsigned turn = atomic_load(&one->turn);

    if (!waits(turn))
        return 0;
    const uint64_t since_ns = head_since(one, turn, now_ns);
    if (since_ns == 0 || now_ns - since_ns < limit_ns)
        return 0;
    if (!atomic_compare_exchange_strong(&one->turn, &turn, TURN_LATE)) /* its head is whole */
        return 0;
    return end_connection(one->socket) == 0;
}

static unsigned look_at_all(struct seats *all, uint64_t now_ns, uint64_t limit_ns)
{
    unsigned late = 0;

    pthread_mutex_lock(&all->watch.lock);
    for (struct watched *each = all->watch.listed; each; each = each->next)
        late += (unsigned)look_at(each, now_ns, limit_ns);
    pthread_mutex_unlock(&all->watch.lock);
    return late;
}

static void count(struct seats *all, unsigned late)
{
    pthread_mutex_lock(&all->lock);
    for (; late > 0; late--)
        cmw_worker_count_late_head(all->spare);
    pthread_mutex_unlock(&all->lock);
}

uint64_t cmw__watch_look(struct seats *all, uint64_t now_ns)
{
    if (!cmw__watch_is_on(&all->watch))
        return 0;
    const uint64_t ms = limit_ms(all);
    uint64_t look_ms = ms / 4;
    if (look_ms < SHORTEST_LOOK_MS)
        look_ms = SHORTEST_LOOK_MS;
    if (ms == 0 || look_ms > LONGEST_LOOK_MS) /* a reload is to be seen, too */
        look_ms = LONGEST_LOOK_MS;
    const unsigned late = ms != 0 ? look_at_all(all, now_ns, ms * UINT64_C(1000000)) : 0;
    if (late > 0)
        count(all, late);
    return now_ns + look_ms * UINT64_C(1000000);
}
