/* SPDX-License-Identifier: MIT */
/*
 * The access log: decides whether a request that ended gets a line, and makes it in the ring of the
 * worker. What a line holds is in log_format.c and log_value.c, where it goes in log_sink.c.
 */
#include <catzilla/builtin/access_log.h>

#include "builtins.h"
#include "log_format.h"
#include "log_scan.h"
#include "log_sink.h"
#include "log_system.h"

/* What nginx logs when the client left: there is no such status in HTTP. */
enum { STATUS_CLIENT_GONE = 499 };

struct access_log {
    cmw_arena *arena;
    struct cmw__log_sink *sink;
    cmw__log_rings *rings; /* the sink's */
    struct cmw__log_format format;
    uint64_t sample;
    cmw_predicate_fn *skip;
    void *skip_self;
    uint8_t chooses; /* some requests get no line: a filter, a sample, a predicate */
    uint8_t has_status_filter;
    uint8_t statuses[500 / 8 + 1]; /* bit of status - 100 */
};

static cmw_complete_fn on_complete;

/* ---- Requests --------------------------------------------------------------------------- */

/* A response that did not reach the client is not logged as if it had: 499 if the client left, no
 * status if the server gave up. */
static inline int status_of(const cmw_response *response, cmw_end_reason reason)
{
    if (reason == CMW_END_SENT)
        return cmw_response_status(response);
    return reason == CMW_END_CLIENT_GONE ? STATUS_CLIENT_GONE : 0;
}

/* 1 if the filter names the status. What has none passes: it is what one looks for in a log. */
static int passes_filter(const struct access_log *log, int status)
{
    const unsigned bit = (unsigned)status - 100;

    if (!log->has_status_filter || status == 0)
        return 1;
    return bit < 500 && log->statuses[bit / 8] >> bit % 8 & 1;
}

/* Failures are always in the sample. */
static int is_sampled(const struct access_log *log, struct cmw__log_ring *ring, int status)
{
    if (log->sample == 1 || status == 0 || status >= 400)
        return 1;
    if (++ring->skipped < log->sample)
        return 0;
    ring->skipped = 0;
    return 1;
}

/* 1 if the request gets a line. */
static CMW__BUILTIN_NOINLINE int is_chosen(const struct access_log *log, struct cmw__log_ring *ring,
                                           cmw_ctx *ctx, int status)
{
    return passes_filter(log, status) && !(log->skip && log->skip(log->skip_self, ctx)) &&
           is_sampled(log, ring, status);
}

static inline struct cmw__log_ring *ring_of(const struct access_log *log, cmw_ctx *ctx)
{
    const uint32_t worker = cmw_worker_index(cmw_ctx_worker(ctx));
    struct cmw__log_ring *const ring =
        atomic_load_explicit(&log->rings[worker], memory_order_relaxed);

    return ring ? ring : cmw__log_sink_add_ring(log->sink, worker);
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct access_log *log = self;
    const cmw_response *response = cmw_ctx_response(ctx);
    const int status = status_of(response, reason);
    struct cmw__log_ring *const ring = ring_of(log, ctx);

    if (!ring || (log->chooses && !is_chosen(log, ring, ctx, status)))
        return;
    const struct cmw__log_line line = {
        .format = &log->format,
        .ctx = ctx,
        .request = cmw_ctx_request(ctx),
        .response = response,
        .clock = &ring->clock,
        .reason = reason,
        .status = status,
    };
    char *begin = cmw__log_ring_begin(ring);
    const char *end = log->format.write(begin, &line);
    if (!end)
        end = cmw__log_format_write(begin, &line);
    (void)cmw__log_ring_commit(ring, begin, (size_t)(end - begin)); /* a lost line is counted */
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct access_log *log = self;
    cmw__log_sink_release(log->sink);
    cmw_arena_destroy(log->arena);
}

/* Read three digits; -1: they are none, or not from 100 to 599. */
static int read_status(const char *text)
{
    int status = 0;

    for (int i = 0; i < 3; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        status = status * 10 + (text[i] - '0');
    }
    return status >= 100 && status <= 599 ? status : -1;
}

/* Read "404", "5xx" or "400-499". */
static int read_statuses(const char *text, int *first, int *last)
{
    const size_t len = text ? strlen(text) : 0;

    if (len == 3 && text[0] >= '1' && text[0] <= '5' && strcmp(text + 1, "xx") == 0) {
        *first = (text[0] - '0') * 100;
        *last = *first + 99;
        return 0;
    }
    if (len != 3 && !(len == 7 && text[3] == '-'))
        return -1;
    *first = read_status(text);
    *last = len == 3 ? *first : read_status(text + 4);
    return *first < 0 || *last < *first ? -1 : 0;
}

static int take_statuses(struct access_log *log, const cmw_access_log_config *config,
                         cmw_diag *diag)
{
    int first, last;

    for (size_t i = 0; i < config->status_count; i++) {
        if (read_statuses(config->status[i], &first, &last) != 0)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "access_log: status: '%s' is not like 404, 5xx or 400-499",
                                config->status[i] ? config->status[i] : "");
        for (int status = first; status <= last; status++)
            log->statuses[(status - 100) / 8] |= (uint8_t)(1u << (status - 100) % 8);
    }
    log->has_status_filter = config->status_count > 0;
    return 0;
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "access_log: %s: %lld is not in %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check_numbers(const cmw_access_log_config *config, cmw_diag *diag)
{
    int rc = check_range("bytes", config->bytes, 4096, INT64_C(1) << 30, diag);
    if (rc == 0)
        rc = check_range("max_text", config->max_text, 16, 65536, diag);
    if (rc == 0)
        rc = check_range("sample", config->sample, 1, INT64_MAX, diag);
    if (rc == 0)
        rc = check_range("fd", config->fd, -1, INT32_MAX, diag);
    if (rc == 0)
        rc =
            check_range("writer", config->writer, CMW_ACCESS_LOG_POLL, CMW_ACCESS_LOG_THREAD, diag);
    return rc;
}

static int check_names(const cmw_access_log_config *config, cmw_diag *diag)
{
    for (size_t i = 0; i < config->redact_header_count; i++)
        if (!cmw_header_name_is_valid(cmw_str_cstr(config->redact_headers[i])))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "access_log: redact_headers: '%s' is not the name of a field",
                                config->redact_headers[i] ? config->redact_headers[i] : "");
    return 0;
}

/* Where to. */
static int take_target(struct cmw__log_sink_config *sink, const cmw_access_log_config *config,
                       cmw_diag *diag)
{
    const int count = (config->file != NULL) + (config->fd >= 0) + (config->syslog != NULL) +
                      (config->write != NULL);

    if (count > 1)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "access_log: file, fd, syslog, write: only one of them");
    sink->path = "";
    sink->number = config->fd >= 0 ? (int)config->fd : 1;
    sink->target = CMW__LOG_FD;
    if (config->file) {
        sink->target = CMW__LOG_FILE;
        sink->path = config->file;
    } else if (config->write) {
        sink->target = CMW__LOG_CALLBACK;
        sink->write = config->write;
        sink->write_self = config->write_self;
    } else if (config->syslog) {
        sink->target = CMW__LOG_SYSLOG;
        sink->number = cmw__log_facility(config->syslog);
    }
    if (config->file && !*config->file)
        return cmw_diag_set(diag, CMW_ERR_ARG, "access_log: file: it has no name");
    if (sink->number < 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "access_log: syslog: '%s' is not daemon, user or local0 to local7",
                            config->syslog);
    return 0;
}

static size_t round_up(int64_t bytes)
{
    size_t power = 4096;
    while (power < (size_t)bytes)
        power *= 2;
    return power;
}

/* A ring has room for the longest line, always: nobody makes their line vanish by its length. */
static int check_room(const struct cmw__log_format *format, size_t ring_bytes, cmw_diag *diag)
{
    if (format->worst <= cmw__log_ring_line_cap(ring_bytes))
        return 0;
    return cmw_diag_set(diag, CMW_ERR_LIMIT,
                        "access_log: bytes: a line of this format may have %zu, and a ring of %zu "
                        "holds no more than %zu: raise bytes or lower max_text",
                        format->worst, ring_bytes, cmw__log_ring_line_cap(ring_bytes));
}

static int open_sink(struct access_log *log, cmw_engine *engine, const char *name,
                     const cmw_access_log_config *config, cmw_diag *diag)
{
    struct cmw__log_sink_config sink = {
        .engine = engine,
        .name = name ? name : "access_log",
        .ring_bytes = round_up(config->bytes),
        .writer = config->writer,
        .style = log->format.style,
    };
    int why = 0;

    int rc = take_target(&sink, config, diag);
    if (rc == 0)
        rc = check_room(&log->format, sink.ring_bytes, diag);
    if (rc != 0)
        return rc;
    rc = cmw__log_sink_retain(&log->sink, &sink, &why);
    if (rc == CMW_ERR_IO)
        return cmw_diag_set(diag, rc, "access_log: file: '%s' cannot be opened (error %d)",
                            config->file, why);
    if (rc == 0)
        log->rings = cmw__log_sink_rings(log->sink);
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "access_log: no memory");
}

static int fill(struct access_log *log, cmw_engine *engine, const char *name,
                const cmw_access_log_config *config, cmw_diag *diag)
{
    int rc = check_numbers(config, diag);
    if (rc == 0)
        rc = check_names(config, diag);
    if (rc == 0)
        rc = take_statuses(log, config, diag);
    if (rc == 0)
        rc = cmw__log_format_compile(&log->format, engine, log->arena, config, diag);
    if (rc == 0)
        rc = open_sink(log, engine, name, config, diag);
    log->sample = (uint64_t)config->sample;
    log->skip = config->skip;
    log->skip_self = config->skip_self;
    log->chooses = log->has_status_filter || log->skip || log->sample != 1;
    return rc;
}

int cmw_access_log_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_access_log_config *config, cmw_diag *diag)
{
    cmw_access_log_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_access_log_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "access_log: the config is of a newer version");
    struct access_log *log = cmw__builtin_alloc(engine, &arena, sizeof *log, "access_log", diag);
    if (!log)
        return CMW_ERR_NOMEM;
    log->arena = arena;
    const int rc = fill(log, engine, middleware->name, &ours, diag);
    if (rc != 0) {
        destroy(log);
        return rc;
    }

    middleware->kind = "access_log";
    middleware->priority = 110;
    middleware->self = log;
    middleware->destroy = destroy;
    middleware->flags |= CMW_KEEPS_BEGIN_TIME; /* a line's time is that of the beginning */
    middleware->complete = on_complete;
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    if (log->format.reads_host)
        cmw_middleware_uses(middleware, CMW_FACT_HOST);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_access_log_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_access_log_config_init(config);
}

#define OPTION(option, kind, member, text)                                                         \
    {                                                                                              \
        .name = (option), .type = (kind), .offset = offsetof(cmw_access_log_config, member),       \
        .help = (text)                                                                             \
    }
#define NUMBER(option, member, low, high, text)                                                    \
    {                                                                                              \
        .name = (option), .type = CMW_OPTION_INT,                                                  \
        .offset = offsetof(cmw_access_log_config, member), .min = (low), .max = (high),            \
        .help = (text)                                                                             \
    }

static const cmw_option options[] = {
    OPTION("format", CMW_OPTION_TEXT, format,
           "common, combined, json, logfmt, or a text with directives"),
    OPTION("fields", CMW_OPTION_TEXT_MAP, fields,
           "Members more for json and logfmt: name and one directive"),
    OPTION("file", CMW_OPTION_TEXT, file, "File that lines are appended to"),
    NUMBER("fd", fd, -1, INT32_MAX, "Descriptor that lines are written to; -1: none"),
    OPTION("syslog", CMW_OPTION_TEXT, syslog, "Facility of syslog: daemon, user, local0 to local7"),
    {.name = "writer",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_access_log_config, writer),
     .choices = "poll|thread",
     .help = "Who writes: the host's loop, or a thread of the log's own"},
    NUMBER("bytes", bytes, 4096, INT64_C(1) << 30, "Bytes of each worker's ring"),
    NUMBER("max_text", max_text, 16, 65536, "Bytes of a text of the request that a line holds"),
    NUMBER("sample", sample, 1, INT64_MAX, "Log one request in so many, and all that failed"),
    OPTION("status", CMW_OPTION_TEXT_LIST, status, "Log only these: 404, 5xx, 400-499"),
    OPTION("redact_headers", CMW_OPTION_TEXT_LIST, redact_headers,
           "Names of fields more whose values are secrets"),
    OPTION("redact_query", CMW_OPTION_TEXT_LIST, redact_query,
           "Names of query parameters more whose values are secrets"),
};

const cmw_kind cmw__kind_access_log = {
    .size = sizeof(cmw_kind),
    .name = "access_log",
    .summary = "A line for each request, to a file, a descriptor, syslog or a callback",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_access_log_config),
    .config_init = config_init,
    .create = create,
};
