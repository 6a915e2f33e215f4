/* SPDX-License-Identifier: MIT */
/*
 * Copies of requests. A place goes round:
 *
 *   FREE --worker claims--> BUSY --it has copied--> READY --poll takes--> BUSY --handed over-->
 * FREE
 *
 * A worker looks at a few places from a common ticket on; if none is free the request is not
 * copied.
 */
#include <catzilla/builtin/mirror.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "log_system.h"

enum place_state { FREE, BUSY, READY };

/* Places that a worker looks at before it gives up. */
enum { TRIES = 8 };

struct place {
    _Atomic int state;
    cmw_mirror_request copy;
    char *bytes; /* place_bytes of them: the array of fields, then texts */
};

struct mirror {
    cmw_arena *arena;
    cmw_engine *engine;
    struct place *places;
    size_t place_count, place_bytes;
    uint32_t share_permille;
    int body;
    cmw_str *leave_out;
    size_t leave_out_count;
    cmw_mirror_fn *deliver;
    void *deliver_self;
    int fd; /* -1: none */
    int is_polled;
    _Atomic size_t ticket;
    _Atomic uint64_t copied, delivered, full, too_long, failed;
};

static const char *const default_leave_out[] = {"Authorization", "Cookie", "Proxy-Authorization",
                                                "X-API-Key"};

static cmw_complete_fn on_complete;
static cmw_poll_fn drain;

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Copying ---------------------------------------------------------------------------- */

static int is_left_out(const struct mirror *mirror, cmw_str name)
{
    for (size_t i = 0; i < mirror->leave_out_count; i++)
        if (cmw_str_equals_fold(mirror->leave_out[i], name))
            return 1;
    return 0;
}

static size_t add(size_t sum, size_t more)
{
    return more > SIZE_MAX - sum ? SIZE_MAX : sum + more;
}

/* Bytes that a copy takes, and the number of its fields. */
static size_t measure(const struct mirror *mirror, cmw_request *request, size_t *fields)
{
    size_t header_count;
    const cmw_header *headers = cmw_request_headers(request, &header_count);
    size_t sum = add(cmw_request_method(request).len, cmw_request_raw_target(request).len);

    *fields = 0;
    for (size_t i = 0; i < header_count; i++) {
        if (is_left_out(mirror, headers[i].name))
            continue;
        sum = add(sum, add(sizeof(cmw_header), add(headers[i].name.len, headers[i].value.len)));
        ++*fields;
    }
    return mirror->body ? add(sum, cmw_request_body(request).len) : sum;
}

static cmw_str put(char **at, cmw_str text)
{
    char *const to = *at;

    if (text.len > 0)
        memcpy(to, text.data, text.len);
    *at += text.len;
    return cmw_str_make(to, text.len);
}

static void fill_copy(const struct mirror *mirror, struct place *place, cmw_ctx *ctx, size_t fields)
{
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_mirror_request *copy = &place->copy;
    cmw_header *to = (cmw_header *)(void *)place->bytes;
    char *at = place->bytes + fields * sizeof *to;
    size_t count_in;
    const cmw_header *headers = cmw_request_headers(request, &count_in);

    copy->headers = to;
    copy->header_count = fields;
    for (size_t i = 0; i < count_in; i++) {
        if (is_left_out(mirror, headers[i].name))
            continue;
        to->name = put(&at, headers[i].name);
        to->value = put(&at, headers[i].value);
        to++;
    }
    copy->method = put(&at, cmw_request_method(request));
    copy->target = put(&at, cmw_request_raw_target(request));
    copy->body = mirror->body ? put(&at, cmw_request_body(request)) : CMW_STR("");
    copy->client = *cmw_request_client_address(request);
    copy->wall_ns = cmw_ctx_wall_ns(ctx);
    copy->status = cmw_response_status(cmw_ctx_response(ctx));
}

static struct place *claim(struct mirror *mirror)
{
    const size_t first = atomic_fetch_add_explicit(&mirror->ticket, 1, memory_order_relaxed);

    for (size_t i = 0; i < TRIES && i < mirror->place_count; i++) {
        struct place *place = &mirror->places[(first + i) % mirror->place_count];
        int expected = FREE;
        if (atomic_compare_exchange_strong_explicit(&place->state, &expected, BUSY,
                                                    memory_order_acquire, memory_order_relaxed))
            return place;
    }
    return NULL;
}

static int is_chosen(const struct mirror *mirror, cmw_ctx *ctx)
{
    uint32_t drawn;

    if (mirror->share_permille == 1000)
        return 1;
    /* Without random numbers nothing is copied: a request does not fail for its copy. */
    return cmw_ctx_random(ctx, &drawn, sizeof drawn) == 0 && drawn % 1000 < mirror->share_permille;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct mirror *mirror = self;
    size_t fields;

    (void)reason;
    if (!is_chosen(mirror, ctx))
        return;
    if (measure(mirror, cmw_ctx_request(ctx), &fields) > mirror->place_bytes) {
        count(&mirror->too_long);
        return;
    }
    struct place *place = claim(mirror);
    if (!place) {
        count(&mirror->full);
        return;
    }
    fill_copy(mirror, place, ctx, fields);
    count(&mirror->copied);
    atomic_store_explicit(&place->state, READY, memory_order_release);
}

/* ---- Handing over ----------------------------------------------------------------------- */

static int write_all(int fd, cmw_str text)
{
    while (text.len > 0) {
        const long written = cmw__log_write(fd, text);
        if (written <= 0)
            return CMW_ERR_IO;
        text = cmw_str_make(text.data + written, text.len - (size_t)written);
    }
    return 0;
}

/* A request line is cut at spaces. */
static int is_target(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return 0;
    return text.len > 0;
}

/* The fields by which a message is framed are made anew. */
static int frames(cmw_str name)
{
    return cmw_str_equals_fold(name, CMW_STR("content-length")) ||
           cmw_str_equals_fold(name, CMW_STR("transfer-encoding")) ||
           cmw_str_equals_fold(name, CMW_STR("connection"));
}

static int write_fields(int fd, const cmw_mirror_request *copy)
{
    int rc = 0;

    for (size_t i = 0; i < copy->header_count && rc == 0; i++) {
        const cmw_header *header = &copy->headers[i];
        /* What is no token may be a framing field to whoever reads it: "Content-Length " */
        if (frames(header->name) || !cmw_header_name_is_valid(header->name) ||
            !cmw_header_value_is_valid(header->value))
            continue;
        const cmw_str parts[] = {header->name, CMW_STR(": "), header->value, CMW_STR("\r\n")};
        for (size_t k = 0; k < sizeof parts / sizeof *parts && rc == 0; k++)
            rc = write_all(fd, parts[k]);
    }
    return rc;
}

static int write_message(int fd, const cmw_mirror_request *copy)
{
    char length[64];

    if (!cmw_header_name_is_valid(copy->method) || !is_target(copy->target)) /* a token, too */
        return CMW_ERR_INVALID;
    const int len = snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", copy->body.len);
    const cmw_str line[] = {copy->method, CMW_STR(" "), copy->target, CMW_STR(" HTTP/1.1\r\n")};
    int rc = 0;
    for (size_t i = 0; i < sizeof line / sizeof *line && rc == 0; i++)
        rc = write_all(fd, line[i]);
    if (rc == 0)
        rc = write_fields(fd, copy);
    if (rc == 0)
        rc = write_all(fd, cmw_str_make(length, (size_t)len));
    return rc == 0 ? write_all(fd, copy->body) : rc;
}

static void hand_over(struct mirror *mirror, struct place *place)
{
    if (mirror->deliver)
        mirror->deliver(mirror->deliver_self, &place->copy);
    if (mirror->fd >= 0 && write_message(mirror->fd, &place->copy) != 0)
        count(&mirror->failed);
    count(&mirror->delivered);
}

static size_t drain(void *self)
{
    struct mirror *mirror = self;
    size_t done = 0;

    for (size_t i = 0; i < mirror->place_count; i++) {
        struct place *place = &mirror->places[i];
        if (atomic_load_explicit(&place->state, memory_order_acquire) != READY)
            continue;
        hand_over(mirror, place);
        atomic_store_explicit(&place->state, FREE, memory_order_release);
        done++;
    }
    return done;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    struct mirror *mirror = self;

    if (mirror->is_polled) {
        cmw_engine_remove_poll(mirror->engine, drain, mirror);
        (void)drain(mirror); /* what still waits */
    }
    if (mirror->fd >= 0)
        cmw__log_close(mirror->fd);
    cmw_arena_destroy(mirror->arena);
}

void cmw_mirror_config_init_sized(cmw_mirror_config *config, size_t size)
{
    const cmw_mirror_config defaults = {
        .size = size,
        .share_permille = 10,
        .places = 64,
        .place_bytes = 16384,
        .body = 1,
        .leave_out = default_leave_out,
        .leave_out_count = sizeof default_leave_out / sizeof default_leave_out[0],
    };

    memset(config, 0, size);
    memcpy(config, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static int check(const cmw_mirror_config *config, cmw_diag *diag)
{
    if (config->share_permille < 1 || config->share_permille > 1000)
        return cmw_diag_set(diag, CMW_ERR_ARG, "mirror: share_permille: %lld is not 1 to 1000",
                            (long long)config->share_permille);
    if (config->places < 1 || config->places > CMW_MIRROR_PLACES_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "mirror: places: %lld is not 1 to %d",
                            (long long)config->places, CMW_MIRROR_PLACES_MAX);
    if (config->place_bytes < 256 || config->place_bytes > CMW_MIRROR_PLACE_BYTES_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "mirror: place_bytes: %lld is not 256 to %d",
                            (long long)config->place_bytes, CMW_MIRROR_PLACE_BYTES_MAX);
    if (config->leave_out_count > 0 && !config->leave_out)
        return cmw_diag_set(diag, CMW_ERR_ARG, "mirror: leave_out: the list is missing");
    if (!config->deliver && (!config->output || config->output[0] == '\0'))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "mirror: output: a file is needed, or a callback of the program");
    return 0;
}

static int copy_names(struct mirror *mirror, const cmw_mirror_config *config, cmw_diag *diag)
{
    mirror->leave_out =
        cmw_arena_alloc(mirror->arena, config->leave_out_count * sizeof *mirror->leave_out);
    for (size_t i = 0; mirror->leave_out && i < config->leave_out_count; i++) {
        const cmw_str name = cmw_str_cstr(config->leave_out[i]);
        if (!cmw_header_name_is_valid(name))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "mirror: leave_out: '%s' is no field's name",
                                config->leave_out[i] ? config->leave_out[i] : "");
        if (cmw_arena_dup(mirror->arena, &mirror->leave_out[i], name) != 0)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "mirror: no memory");
    }
    mirror->leave_out_count = config->leave_out_count;
    return mirror->leave_out ? 0 : cmw_diag_set(diag, CMW_ERR_NOMEM, "mirror: no memory");
}

static int make_places(struct mirror *mirror, const cmw_mirror_config *config, cmw_diag *diag)
{
    const size_t places = (size_t)config->places;

    mirror->place_bytes = ((size_t)config->place_bytes + 15) & ~(size_t)15;
    mirror->places = cmw_arena_alloc(mirror->arena, places * sizeof *mirror->places);
    if (!mirror->places)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "mirror: no memory");
    memset(mirror->places, 0, places * sizeof *mirror->places);
    for (size_t i = 0; i < places; i++) {
        mirror->places[i].bytes = cmw_arena_alloc(mirror->arena, mirror->place_bytes);
        if (!mirror->places[i].bytes)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "mirror: no memory for %zu places", places);
        mirror->place_count = i + 1;
    }
    return 0;
}

static int open_output(struct mirror *mirror, const cmw_mirror_config *config, cmw_diag *diag)
{
    int why = 0;

    if (!config->output || config->output[0] == '\0')
        return 0;
    mirror->fd = cmw__log_open(config->output, &why);
    return mirror->fd >= 0 ? 0
                           : cmw_diag_set(diag, CMW_ERR_IO, "mirror: output: '%s': %s",
                                          config->output, strerror(why));
}

static int fill(struct mirror *mirror, const cmw_mirror_config *config, cmw_diag *diag)
{
    mirror->share_permille = (uint32_t)config->share_permille;
    mirror->body = config->body;
    mirror->deliver = config->deliver;
    mirror->deliver_self = config->deliver_self;
    int rc = copy_names(mirror, config, diag);
    if (rc == 0)
        rc = make_places(mirror, config, diag);
    if (rc == 0)
        rc = open_output(mirror, config, diag);
    if (rc == 0 && (rc = cmw_engine_add_poll(mirror->engine, drain, mirror)) != 0)
        return cmw_diag_set(diag, rc, "mirror: no memory");
    mirror->is_polled = rc == 0;
    return rc;
}

int cmw_mirror_create(cmw_engine *engine, cmw_middleware *middleware,
                      const cmw_mirror_config *config, cmw_diag *diag)
{
    cmw_mirror_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_mirror_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "mirror: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct mirror *mirror = cmw__builtin_alloc(engine, &arena, sizeof *mirror, "mirror", diag);
    if (!mirror)
        return CMW_ERR_NOMEM;
    mirror->arena = arena;
    mirror->engine = engine;
    mirror->fd = -1;
    rc = fill(mirror, &ours, diag);
    if (rc != 0) {
        destroy(mirror);
        return rc;
    }

    middleware->kind = "mirror";
    middleware->priority = 950;
    middleware->self = mirror;
    middleware->destroy = destroy;
    middleware->complete = on_complete;
    return 0;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

int cmw_mirror_get_stats(const cmw_middleware *middleware, cmw_mirror_stats *stats)
{
    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    const struct mirror *mirror = middleware->self;
    stats->copied = read_counter(&mirror->copied);
    stats->delivered = read_counter(&mirror->delivered);
    stats->full = read_counter(&mirror->full);
    stats->too_long = read_counter(&mirror->too_long);
    stats->failed = read_counter(&mirror->failed);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_mirror_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_mirror_config_init_sized(config, sizeof(cmw_mirror_config));
}

static const cmw_option options[] = {
    {.name = "share_permille",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_mirror_config, share_permille),
     .min = 1,
     .max = 1000,
     .help = "How many of a thousand requests are copied"},
    {.name = "places",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_mirror_config, places),
     .min = 1,
     .max = CMW_MIRROR_PLACES_MAX,
     .help = "Copies that may wait; more are not made"},
    {.name = "place_bytes",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_mirror_config, place_bytes),
     .min = 256,
     .max = CMW_MIRROR_PLACE_BYTES_MAX,
     .help = "Bytes of one copy; a longer request is not copied"},
    {.name = "body",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_mirror_config, body),
     .help = "The body, too"},
    {.name = "leave_out",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_mirror_config, leave_out),
     .help = "Fields that are not copied"},
    {.name = "output",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_mirror_config, output),
     .help = "A file that copies are added to as HTTP/1.1 messages"},
};

const cmw_kind cmw__kind_mirror = {
    .size = sizeof(cmw_kind),
    .name = "mirror",
    .summary = "Copies a share of the requests to a callback or a file",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_mirror_config),
    .config_init = config_init,
    .create = create,
};
