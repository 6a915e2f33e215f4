/* SPDX-License-Identifier: MIT */
/* What bench.c measures and bench_report.c shows. */
#ifndef CMW_TOOL_BENCH_H
#define CMW_TOOL_BENCH_H

#include "tool.h"

enum { BENCH_HEADERS_MOST = 100, BENCH_ROUNDS_MOST = 99 };

/* One request, sent again and again. */
struct bench_request {
    const char *text; /* "GET /", as it is shown */
    cmw_request_view view;
    cmw_header headers[BENCH_HEADERS_MOST];
};

/* One plan under measurement. */
struct bench_row {
    const char *name;
    cmw_engine *engine; /* borrowed */
    cmw_worker *worker;
    double round_ns[BENCH_ROUNDS_MOST]; /* per request */
    uint64_t alloc_calls;               /* of all rounds */
    uint64_t by_status[600];            /* answers of all rounds; [0]: none */
};

/* Figures for people, on stdout; or JSON. Return 0 or an error to end_output. */
int bench_write_text(const struct bench_request *request, struct bench_row *rows, size_t count,
                     unsigned rounds, const cmw_stats *stats);
int bench_write_json(const struct bench_request *request, struct bench_row *rows, size_t count,
                     unsigned rounds, const cmw_stats *stats);

#endif /* CMW_TOOL_BENCH_H */
