/* SPDX-License-Identifier: MIT */
/*
 * The answer of static_files: a whole file, a range, or several in one body.
 *
 * What is sent is a list of pieces, texts and ranges of the file. A short one is read at once; a
 * long one is a source that reads it piece by piece while the client takes it, unless the host
 * sends it from the file.
 */
#include <stdio.h>

#include <catzilla/body.h>
#include <catzilla/encoding.h>
#include <catzilla/http_date.h>

#include "static_state.h"

enum { AT_ONCE = 64 * 1024, PIECES_MAX = 2 * CMW__RANGES_MAX + 1, HEAD_CAP = 256 };

struct piece {
    cmw_str text; /* data NULL: of the file */
    uint64_t first, len;
};

/* In the request's arena. */
struct sending {
    int fd;
    cmw_body_file file; /* of a source that is one piece of it */
    char *buffer;       /* AT_ONCE bytes, of a source that is read; NULL: not yet */
    struct piece pieces[PIECES_MAX];
    size_t count, at;
    uint64_t done; /* of the piece at `at` */
    uint64_t len;  /* of all */
};

static cmw_body_read_fn read_next;

/* ---- Pieces ----------------------------------------------------------------------------- */

static void add_text(struct sending *sending, cmw_str text)
{
    sending->pieces[sending->count++] = (struct piece){text, 0, text.len};
    sending->len += text.len;
}

static void add_range(struct sending *sending, uint64_t first, uint64_t len)
{
    if (len > 0)
        sending->pieces[sending->count++] = (struct piece){cmw_str_make(NULL, 0), first, len};
    sending->len += len;
}

static int copy_piece(const struct sending *sending, const struct piece *piece, uint64_t done,
                      char *to, size_t len)
{
    if (!piece->text.data)
        return cmw__static_read(sending->fd, to, len, piece->first + done);
    memcpy(to, piece->text.data + done, len);
    return 0;
}

/* ---- A source --------------------------------------------------------------------------- */

static int read_next(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct sending *sending = self;
    size_t filled = 0;

    if (!sending->buffer)
        sending->buffer = cmw_arena_alloc_text(cmw_ctx_arena(ctx), AT_ONCE);
    if (!sending->buffer)
        return CMW_ERR_NOMEM;
    while (filled < AT_ONCE && sending->at < sending->count) {
        const struct piece *piece = &sending->pieces[sending->at];
        const uint64_t left = piece->len - sending->done;
        const size_t len = left < AT_ONCE - filled ? (size_t)left : AT_ONCE - filled;
        if (copy_piece(sending, piece, sending->done, sending->buffer + filled, len) != 0)
            return CMW_ERR_IO; /* it became shorter: what was promised cannot be sent */
        filled += len;
        sending->done += len;
        if (sending->done == piece->len) {
            sending->at++;
            sending->done = 0;
        }
    }
    chunk->bytes = cmw_str_make(sending->buffer, filled);
    chunk->is_last = sending->at == sending->count;
    return 0;
}

static void close_file(void *self)
{
    const struct sending *sending = self;
    cmw__static_close(sending->fd);
}

static int stream(cmw_ctx *ctx, int status, struct sending *sending)
{
    const struct piece *const first = &sending->pieces[0];
    cmw_body_source source;

    cmw_body_source_init(&source);
    source.length = sending->len;
    source.read = read_next;
    source.close = close_file;
    source.self = sending;
    if (sending->count == 1 && !first->text.data) {
        sending->file = (cmw_body_file){sending->fd, first->first};
        source.file = &sending->file;
    }
    const int rc = cmw_ctx_stream(ctx, status, &source);
    if (rc != 0)
        close_file(sending);
    return rc;
}

/* Short: read now. */
static int read_whole(cmw_ctx *ctx, int status, struct sending *sending)
{
    const size_t len = (size_t)sending->len;
    char *body = cmw_arena_alloc_text(cmw_ctx_arena(ctx), len);
    size_t at = 0;
    int rc = body ? 0 : CMW_ERR_NOMEM;

    for (size_t i = 0; i < sending->count && rc == 0; i++) {
        rc = copy_piece(sending, &sending->pieces[i], 0, body + at, (size_t)sending->pieces[i].len);
        at += (size_t)sending->pieces[i].len;
    }
    close_file(sending);
    return rc == 0 ? cmw_response_bytes_ref(cmw_ctx_response(ctx), status, cmw_str_make(body, len))
                   : CMW_ERR_IO;
}

static int deliver(cmw_ctx *ctx, int status, struct sending *sending)
{
    const int rc =
        sending->len <= AT_ONCE ? read_whole(ctx, status, sending) : stream(ctx, status, sending);
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

/* ---- Ranges ----------------------------------------------------------------------------- */

static int set_content_range(cmw_ctx *ctx, const struct cmw__byte_range *range, uint64_t size)
{
    char text[96];
    const int len = range ? snprintf(text, sizeof text, "bytes %llu-%llu/%llu",
                                     (unsigned long long)range->first,
                                     (unsigned long long)(range->first + range->len - 1),
                                     (unsigned long long)size)
                          : snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);

    return cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_CONTENT_RANGE,
                            cmw_str_make(text, (size_t)len));
}

/* A boundary that no file foretells. */
static int draw_boundary(cmw_ctx *ctx, char *boundary, size_t cap)
{
    unsigned char random[16];
    size_t len = 0;

    if (cmw_ctx_random(ctx, random, sizeof random) != 0)
        return CMW_ERR_IO;
    const int rc =
        cmw_hex_encode(&len, boundary, cap - 1, cmw_str_make((const char *)random, sizeof random));
    boundary[len] = '\0';
    return rc;
}

static int add_part(cmw_ctx *ctx, struct sending *sending, const char *boundary, cmw_str type,
                    const struct cmw__byte_range *range, uint64_t size)
{
    char *head = cmw_arena_alloc_text(cmw_ctx_arena(ctx), HEAD_CAP + type.len);

    if (!head)
        return CMW_ERR_NOMEM;
    const int len =
        snprintf(head, HEAD_CAP + type.len,
                 "\r\n--%s\r\nContent-Type: %.*s\r\nContent-Range: bytes "
                 "%llu-%llu/%llu\r\n\r\n",
                 boundary, (int)type.len, type.data, (unsigned long long)range->first,
                 (unsigned long long)(range->first + range->len - 1), (unsigned long long)size);
    add_text(sending, cmw_str_make(head, (size_t)len));
    add_range(sending, range->first, range->len);
    return 0;
}

/* multipart/byteranges (RFC 9110, 14.6). */
static int add_parts(cmw_ctx *ctx, const struct cmw__static_found *found, struct sending *sending,
                     const struct cmw__byte_range *ranges, size_t count)
{
    char boundary[40], text[96];
    cmw_str end;

    if (draw_boundary(ctx, boundary, sizeof boundary) != 0)
        return CMW_ERR_IO;
    for (size_t i = 0; i < count; i++)
        if (add_part(ctx, sending, boundary, found->type, &ranges[i], found->file.size) != 0)
            return CMW_ERR_NOMEM;
    int len = snprintf(text, sizeof text, "\r\n--%s--\r\n", boundary);
    if (cmw_arena_dup(cmw_ctx_arena(ctx), &end, cmw_str_make(text, (size_t)len)) != 0)
        return CMW_ERR_NOMEM;
    add_text(sending, end);
    len = snprintf(text, sizeof text, "multipart/byteranges; boundary=%s", boundary);
    return cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_CONTENT_TYPE,
                            cmw_str_make(text, (size_t)len));
}

static int send_ranges(cmw_ctx *ctx, const struct cmw__static_found *found, struct sending *sending,
                       const struct cmw__byte_range *ranges, size_t count)
{
    int rc;

    if (count == 1) {
        add_range(sending, ranges[0].first, ranges[0].len);
        rc = set_content_range(ctx, &ranges[0], found->file.size);
    } else {
        rc = add_parts(ctx, found, sending, ranges, count);
    }
    if (rc == 0)
        return deliver(ctx, 206, sending);
    close_file(sending);
    return CMW_ERROR;
}

/* ---- The answer ------------------------------------------------------------------------- */

static enum cmw__ranges_outcome read_ranges(cmw_ctx *ctx, const struct cmw__static_found *found,
                                            int64_t now_s, struct cmw__byte_range *ranges,
                                            size_t *count)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *header = cmw_request_header(request, CMW_HDR_RANGE);

    if (!header || cmw_request_is_repeated(request, CMW_HDR_RANGE) ||
        cmw_request_method_id(request) != CMW_METHOD_GET ||
        !cmw__static_range_holds(request, found, now_s))
        return CMW__RANGES_IGNORED;
    return cmw__byte_ranges_read(ranges, count, header->value, found->file.size);
}

static int refuse_ranges(cmw_ctx *ctx, const struct cmw__static_found *found)
{
    cmw_response *response = cmw_ctx_response(ctx);

    cmw__static_close(found->file.fd);
    if (cmw_response_remove(response, CMW_HDR_CONTENT_TYPE) != 0 ||
        cmw_response_remove(response, CMW_HDR_CONTENT_ENCODING) != 0 ||
        set_content_range(ctx, NULL, found->file.size) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 416, "the file has no such ranges");
}

int cmw__static_send(cmw_ctx *ctx, const struct cmw__static_found *found, int64_t now_s)
{
    struct cmw__byte_range ranges[CMW__RANGES_MAX];
    struct sending *sending = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *sending);
    size_t count = 0;

    if (!sending) {
        cmw__static_close(found->file.fd);
        return CMW_ERROR;
    }
    memset(sending, 0, sizeof *sending);
    sending->fd = found->file.fd;
    const enum cmw__ranges_outcome outcome = read_ranges(ctx, found, now_s, ranges, &count);
    if (outcome == CMW__RANGES_UNSATISFIED)
        return refuse_ranges(ctx, found);
    if (outcome == CMW__RANGES_FOUND)
        return send_ranges(ctx, found, sending, ranges, count);
    add_range(sending, 0, found->file.size);
    return deliver(ctx, 200, sending);
}
