/* SPDX-License-Identifier: MIT */
/*
 * The input of a connection is one buffer: the head, then what was read behind it. Pieces of a body
 * are read over each other behind the head, so that the head stays until the next request.
 */
#include "own_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_CAP = 1024, LINGER_STEPS = 16 };

/* ---- Bytes ------------------------------------------------------------------------------ */

/* More of the body's bytes into the empty room behind the head. */
static int fill(struct http_conn *conn)
{
    conn->begin = conn->end = conn->head_len;
    const ssize_t got = recv(conn->fd, conn->in + conn->end, sizeof conn->in - conn->end, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? HTTP_TIMED_OUT : HTTP_LOST;
    conn->end += (size_t)got;
    return 0;
}

/* A line of the framing, without its CR LF: its length. It has neither, nor a NUL, inside. */
static int read_line(struct http_conn *conn, char line[LINE_CAP])
{
    for (int len = 0; len < LINE_CAP; len++) {
        const int rc = conn->begin == conn->end ? fill(conn) : 0;
        if (rc != 0)
            return rc;
        line[len] = conn->in[conn->begin++];
        if (line[len] == '\0' || (len > 0 && line[len - 1] == '\r' && line[len] != '\n'))
            return HTTP_MALFORMED;
        if (line[len] == '\n') {
            if (len == 0 || line[len - 1] != '\r')
                return HTTP_MALFORMED;
            line[len - 1] = '\0';
            return len - 1;
        }
    }
    return HTTP_MALFORMED;
}

int http_send(struct http_conn *conn, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(conn->fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return sent < 0 && errno == EAGAIN ? HTTP_TIMED_OUT : HTTP_LOST;
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

size_t http_write_tail(const struct http_conn *conn, char to[HTTP_TAIL_CAP])
{
    const time_t now = time(NULL);
    struct tm utc;

    (void)gmtime_r(&now, &utc); /* fails in no year that comes */
    return strftime(to, HTTP_TAIL_CAP,
                    conn->must_close
                        ? "Date: %a, %d %b %Y %H:%M:%S GMT\r\nConnection: close\r\n\r\n"
                        : "Date: %a, %d %b %Y %H:%M:%S GMT\r\nConnection: keep-alive\r\n\r\n",
                    &utc);
}

/* ---- Heads ------------------------------------------------------------------------------ */

/* From *at up to `separator`, which is skipped; empty if it is not there. */
static struct http_text cut(const char **at, const char *end, char separator)
{
    const char *begin = *at;
    const char *found = memchr(begin, separator, (size_t)(end - begin));
    struct http_text text = {begin, found ? (size_t)(found - begin) : 0};

    *at = found ? found + 1 : begin;
    return text;
}

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* A name that ends with a blank and a line that begins with one are no fields to all readers. */
static int parse_field(struct http_field *field, struct http_text line)
{
    const char *at = line.data, *end = line.data + line.len;
    const struct http_text name = cut(&at, end, ':');

    if (name.len == 0 || is_blank(name.data[0]) || is_blank(name.data[name.len - 1]))
        return 400;
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    field->name = name;
    field->value.data = at;
    field->value.len = (size_t)(end - at);
    return 0;
}

static int add_field(struct http_conn *conn, struct http_text line)
{
    if (conn->field_count == HTTP_FIELD_CAP)
        return 431;
    const int error = parse_field(&conn->fields[conn->field_count], line);
    conn->field_count += error == 0;
    return error;
}

/* No blanks and no control bytes. */
static int is_visible(struct http_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 127)
            return 0;
    return text.len > 0;
}

/* "GET /path HTTP/1.1" */
static int parse_request_line(struct http_conn *conn, struct http_text line)
{
    const char *at = line.data, *const end = line.data + line.len;

    conn->method = cut(&at, end, ' ');
    conn->target = cut(&at, end, ' ');
    if (!is_visible(conn->method) || !is_visible(conn->target) || end - at != 8 ||
        memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1'))
        return 400;
    conn->minor = at[7] - '0';
    return 0;
}

/* Each line ends with CR LF, and has neither, nor a NUL, inside. */
static int parse_head(struct http_conn *conn)
{
    const char *at = conn->in, *const end = conn->in + conn->head_len - 2;
    int error = 0;

    for (int i = 0; at < end && error == 0; i++) {
        struct http_text line = cut(&at, end, '\n');
        if (line.len < 2 || line.data[--line.len] != '\r' || memchr(line.data, '\r', line.len) ||
            memchr(line.data, '\0', line.len))
            return 400;
        error = i == 0 ? parse_request_line(conn, line) : add_field(conn, line);
    }
    return error;
}

static uint64_t clock_ms(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* the clock exists */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* More of the head: 0, 408 once it is due, or that the connection is at its end. `*due_ms`, once
 * its first byte is here; 0: not yet, or never. */
static int fill_head(struct http_conn *conn, uint64_t head_ms, uint64_t *due_ms)
{
    if (conn->end > 0 && head_ms != 0) {
        const uint64_t now_ms = clock_ms();
        *due_ms = *due_ms ? *due_ms : now_ms + head_ms;
        if (now_ms >= *due_ms)
            return 408;
        http_set_patience(conn, *due_ms - now_ms);
    }
    const ssize_t got = recv(conn->fd, conn->in + conn->end, HTTP_HEAD_CAP - conn->end, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN && *due_ms && clock_ms() >= *due_ms ? 408 : HTTP_LOST;
    conn->end += (size_t)got;
    return 0;
}

/* Move what followed the request to the front, and read until there is an empty line. 0, an HTTP
 * status, or that the connection is at its end. */
static int read_head(struct http_conn *conn)
{
    const uint64_t head_ms = conn->server->head_ms(conn->server->self, conn->user);
    uint64_t due_ms = 0;
    int error = 0;

    memmove(conn->in, conn->in + conn->begin, conn->end - conn->begin);
    conn->end -= conn->begin;
    conn->begin = 0;
    conn->field_count = 0;
    conn->trailer_count = conn->trailer_bytes = 0;
    conn->minor = 1;
    conn->method.len = conn->target.len = 0;
    conn->left = 0;
    conn->is_chunked = conn->is_in_chunks = 0;
    const char *empty = NULL;
    while (error == 0 && (empty = memmem(conn->in, conn->end, "\r\n\r\n", 4)) == NULL)
        error = conn->end >= HTTP_HEAD_CAP ? 431 : fill_head(conn, head_ms, &due_ms);
    http_set_patience(conn, 0);
    if (error != 0)
        return error;
    conn->head_len = conn->begin = (size_t)(empty - conn->in) + 4;
    return parse_head(conn);
}

const struct http_text *http_find(const struct http_conn *conn, const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < conn->field_count; i++)
        if (conn->fields[i].name.len == len &&
            strncasecmp(conn->fields[i].name.data, name, len) == 0)
            return &conn->fields[i].value;
    return NULL;
}

int http_awaits_continue(const struct http_conn *conn)
{
    static const char wanted[] = "100-continue";
    const struct http_text *said = http_find(conn, "Expect");

    return conn->minor > 0 && (conn->left > 0 || conn->is_chunked) && said &&
           said->len == sizeof wanted - 1 && strncasecmp(said->data, wanted, said->len) == 0;
}

/* HTTP/1.1 goes on unless "close" is said; 1.0 ends, since nobody asks it to go on any more. */
static int asks_to_close(const struct http_conn *conn)
{
    const struct http_text *said = http_find(conn, "Connection");

    for (size_t i = 0; said && i + 5 <= said->len; i++)
        if (strncasecmp(said->data + i, "close", 5) == 0)
            return 1;
    return conn->minor == 0;
}

/* ---- Bodies ----------------------------------------------------------------------------- */

void http_expect_body(struct http_conn *conn, uint64_t length)
{
    conn->is_chunked = length == HTTP_CHUNKED;
    conn->left = conn->is_chunked ? 0 : length;
}

/* "1a;extension" into conn->left. */
static int read_chunk_size(struct http_conn *conn)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    char line[LINE_CAP] = "";
    const int len = read_line(conn, line);

    if (len < 0)
        return len;
    const size_t count = strspn(line, "0123456789abcdefABCDEF");
    if (count == 0 || count > 15 || (line[count] != '\0' && line[count] != ';'))
        return HTTP_MALFORMED;
    for (size_t i = 0; i < count; i++)
        conn->left = conn->left * 16 + (uint64_t)((strchr(digits, line[i]) - digits) % 16);
    return 0;
}

/* A line behind the last chunk, in memory of its own: what follows is read over it. */
static int add_trailer(struct http_conn *conn, const char *line, size_t len)
{
    char *to = conn->trailer_text + conn->trailer_bytes;
    const struct http_text text = {to, len};

    if (conn->trailer_count == HTTP_TRAILER_CAP ||
        len > sizeof conn->trailer_text - conn->trailer_bytes)
        return HTTP_MALFORMED;
    memcpy(to, line, len);
    conn->trailer_bytes += len;
    return parse_field(&conn->trailers[conn->trailer_count++], text) == 0 ? 0 : HTTP_MALFORMED;
}

static int read_trailers(struct http_conn *conn)
{
    char line[LINE_CAP];
    int rc = 0;

    while (rc == 0) {
        const int len = read_line(conn, line);
        if (len <= 0)
            return len;
        rc = add_trailer(conn, line, (size_t)len);
    }
    return rc;
}

/* To the next chunk: 0 with conn->left set, or at the end with is_chunked cleared. */
static int next_chunk(struct http_conn *conn)
{
    char line[LINE_CAP];

    int rc = conn->is_in_chunks ? read_line(conn, line) : 0; /* the end of the one before */
    if (rc > 0)
        rc = HTTP_MALFORMED;
    if (rc == 0)
        rc = read_chunk_size(conn);
    conn->is_in_chunks = 1;
    if (rc != 0 || conn->left > 0)
        return rc;
    conn->is_chunked = 0;
    return read_trailers(conn);
}

void http_set_patience(struct http_conn *conn, uint64_t ms)
{
    const uint64_t idle_ms = (uint64_t)conn->server->idle_s * 1000;
    const uint64_t wait_ms = ms != 0 && (idle_ms == 0 || ms < idle_ms) ? ms : idle_ms;
    const struct timeval patience = {(time_t)(wait_ms / 1000),
                                     (suseconds_t)(wait_ms % 1000 * 1000)};

    if (ms == 0 && !conn->has_patience)
        return; /* as it is */
    conn->has_patience = ms != 0;
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

int http_read_body(struct http_conn *conn, const char **piece)
{
    int rc = 0;

    if (conn->left == 0 && conn->is_chunked)
        rc = next_chunk(conn);
    if (rc == 0 && conn->left > 0 && conn->begin == conn->end)
        rc = fill(conn);
    if (rc != 0 || conn->left == 0)
        return rc;
    size_t len = conn->end - conn->begin;
    if (len > conn->left)
        len = (size_t)conn->left;
    *piece = conn->in + conn->begin;
    conn->begin += len;
    conn->left -= len;
    return (int)len;
}

/* ---- Connections ------------------------------------------------------------------------ */

/* A close with bytes unread breaks the connection before its answer is read. */
static void linger(struct http_conn *conn)
{
    const struct timeval patience = {1, 0};

    (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)shutdown(conn->fd, SHUT_WR); /* it may be broken already */
    for (int i = 0; i < LINGER_STEPS && recv(conn->fd, conn->in, sizeof conn->in, 0) > 0; i++)
        ;
}

static void *serve_connection(void *self)
{
    struct http_conn *conn = self;
    struct http_server *server = conn->server;
    int error = 0;

    conn->user = server->open(server->self);
    while (!conn->must_close && (error = read_head(conn)) >= 0) {
        conn->must_close = error != 0 || asks_to_close(conn);
        server->serve(server->self, conn, error);
        conn->must_close |= conn->left > 0 || conn->is_chunked; /* of the body, unread */
    }
    if (conn->must_close)
        linger(conn);
    server->close(server->self, conn->user);
    pthread_mutex_lock(&server->lock);
    *conn->at = conn->next;
    if (conn->next)
        conn->next->at = conn->at;
    (void)close(conn->fd); /* under the lock: http_stop must not break another's */
    if (--server->conn_count == 0)
        (void)pthread_cond_signal(&server->is_empty);
    pthread_mutex_unlock(&server->lock);
    free(conn);
    return NULL;
}

static int start_connection(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    pthread_attr_t detached;
    pthread_t thread;

    if (pthread_attr_init(&detached) != 0)
        return -1;
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_mutex_lock(&server->lock);
    const int rc =
        server->is_ending ? -1 : pthread_create(&thread, &detached, serve_connection, conn);
    if (rc == 0) {
        conn->next = server->conns;
        conn->at = &server->conns;
        if (conn->next)
            conn->next->at = &conn->next;
        server->conns = conn;
        server->conn_count++;
    }
    pthread_mutex_unlock(&server->lock);
    (void)pthread_attr_destroy(&detached);
    return rc;
}

static void take_connection(struct http_server *server, int fd, const struct sockaddr_in *peer)
{
    const struct timeval idle = {.tv_sec = (time_t)server->idle_s};
    const int on = 1;
    struct http_conn *conn = calloc(1, sizeof *conn);

    if (conn) {
        conn->server = server;
        conn->fd = fd;
        conn->peer = *peer;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof idle);
        if (start_connection(conn) == 0)
            return;
    }
    free(conn);
    (void)close(fd); /* nobody can serve it */
}

/* ---- The server ------------------------------------------------------------------------- */

static void *take_connections(void *self)
{
    struct http_server *server = self;

    while (!http_is_ending(server)) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        const int fd = accept(server->listening, (struct sockaddr *)&peer, &len);
        if (fd >= 0)
            take_connection(server, fd, &peer);
    }
    return NULL;
}

int http_start(struct http_server *server, uint16_t *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int on = 1;

    server->listening = socket(AF_INET, SOCK_STREAM, 0);
    if (server->listening < 0)
        return -1;
    server->is_ending = 0;
    server->conn_count = 0;
    server->conns = NULL;
    if (setsockopt(server->listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(server->listening, (struct sockaddr *)&address, len) == 0 &&
        listen(server->listening, SOMAXCONN) == 0 &&
        getsockname(server->listening, (struct sockaddr *)&address, &len) == 0 &&
        pthread_mutex_init(&server->lock, NULL) == 0 &&
        pthread_cond_init(&server->is_empty, NULL) == 0 &&
        pthread_create(&server->thread, NULL, take_connections, server) == 0) {
        *port = ntohs(address.sin_port);
        return 0;
    }
    (void)close(server->listening); /* the program ends */
    return -1;
}

int http_is_ending(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    const int is_ending = server->is_ending;
    pthread_mutex_unlock(&server->lock);
    return is_ending;
}

void http_stop(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_ending = 1;
    (void)shutdown(server->listening, SHUT_RDWR); /* wakes accept */
    for (struct http_conn *each = server->conns; each; each = each->next)
        (void)shutdown(each->fd, SHUT_RDWR); /* wakes its thread */
    while (server->conn_count > 0)
        (void)pthread_cond_wait(&server->is_empty, &server->lock);
    pthread_mutex_unlock(&server->lock);
    (void)pthread_join(server->thread, NULL); /* it was started */
    (void)close(server->listening);           /* nothing is lost that could be reported */
    (void)pthread_cond_destroy(&server->is_empty);
    (void)pthread_mutex_destroy(&server->lock);
}
