/* SPDX-License-Identifier: MIT */
/*
 * `access_log`: one line for each request, when it has ended.
 *
 * Kind name "access_log", priority 110. A line is formatted into a ring of the worker's own,
 * without a lock and without waiting, and written later: by cmw_engine_poll, or by a thread where
 * the config asks for one. Lines that find no room are counted and reported. Rings and the open
 * file outlive reloads.
 */
#ifndef CATZILLA_BUILTIN_ACCESS_LOG_H
#define CATZILLA_BUILTIN_ACCESS_LOG_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Who writes what the rings hold. */
typedef enum cmw_access_log_writer {
    CMW_ACCESS_LOG_POLL = 0,  /**< cmw_engine_poll, which the host calls some times a second */
    CMW_ACCESS_LOG_THREAD = 1 /**< a thread of the log's own, started with the first line */
} cmw_access_log_writer;

/** Options. Fill the defaults with cmw_access_log_config_init. */
typedef struct cmw_access_log_config {
    size_t size;        /**< set by cmw_access_log_config_init */
    const char *format; /**< "common", "combined", "json", "logfmt", or a text with directives
                             (docs/builtins/access_log.md). Default "combined" */
    const cmw_option_text *fields; /**< members more for json and logfmt: name and one directive */
    size_t field_count;

    /* Where to: at most one of the four. None: standard output. */
    const char *file;    /**< appended to; made if it is not there */
    int64_t fd;          /**< borrowed; -1 (the default): none */
    const char *syslog;  /**< facility: "daemon", "user", "local0" ... "local7" */
    cmw_write_fn *write; /**< called by the writer with one line a call, its line end included. Not
                              0: the line is kept and tried again later */
    void *write_self;    /**< must live until the last plan with this log is gone */

    int writer;       /**< cmw_access_log_writer. Default CMW_ACCESS_LOG_POLL */
    int64_t bytes;    /**< of a worker's ring, rounded up to a power of two: 4 KiB to 1 GiB.
                           Default 256 KiB */
    int64_t max_text; /**< bytes of one text of the request (target, field) that a line holds;
                           what is longer ends in "...". 16 to 65,536. Default 2,048 */
    int64_t sample;   /**< log one request in so many, and all that failed. Default 1: all */
    const char *const *status; /**< log only these: "404", "5xx", "400-499". None: all */
    size_t status_count;
    const char *const *redact_headers; /**< names of fields whose values are secrets, beside
                                            Authorization, Proxy-Authorization, Cookie, Set-Cookie
                                            and X-API-Key */
    size_t redact_header_count;
    const char *const *redact_query; /**< names of query parameters whose values are secrets, beside
                                          those that the page lists */
    size_t redact_query_count;
    cmw_predicate_fn *skip; /**< not 0: no line. Called when the request has ended; or NULL */
    void *skip_self;        /**< must live as long as the plan */
} cmw_access_log_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_access_log_config_init(cmw_access_log_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->fd = -1;
    config->bytes = 262144;
    config->max_text = 2048;
    config->sample = 1;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option);
 *                CMW_ERR_IO if the file cannot be opened; CMW_ERR_UNSUPPORTED; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy. What is in the rings when the last such descriptor goes is written then
 * Cost:          allocates; a request costs one line (row access_log of scripts/run_bench.sh),
 *                O(its texts), and no allocation but at a worker's first line
 * Source:        Common Log Format (NCSA), RFC 8259, RFC 3339
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_access_log_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_access_log_config *config,
                                                cmw_diag *diag);

/**
 * Have every access log of an engine open its file anew before it writes on: for log rotation.
 *
 * A file that cannot be opened is counted as a write error, and the old one is written on.
 *
 * @return 0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Threads: any, but not a signal handler
 * Cost:    O(1); the writer opens the files
 * Since:   0.1
 */
CMW_API int cmw_access_log_reopen(cmw_engine *engine);

/** What became of the lines of a log since it was made. */
typedef struct cmw_access_log_counts {
    uint64_t lines; /**< put into rings */
    uint64_t lost;  /**< found no room */
    uint64_t written_bytes;
    uint64_t write_errors; /**< writes and reopenings that the system refused */
} cmw_access_log_counts;

/**
 * Count the lines of the access logs with an instance name.
 *
 * @param[out] counts  all 0 if there is no such log
 * @return             0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Threads:            any
 * Cost:               O(logs and workers); takes locks; for statistics
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_access_log_count(cmw_engine *engine, cmw_access_log_counts *counts,
                                               const char *name);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_ACCESS_LOG_H */
