/* SPDX-License-Identifier: MIT */
/*
 * Formats of log lines: compiled once to a list of pieces, each a little literal text and a
 * function that writes a value behind it.
 */
#ifndef CMW_BUILTIN_LOG_FORMAT_H
#define CMW_BUILTIN_LOG_FORMAT_H

#include <catzilla/builtin/access_log.h>
#include <catzilla/mw.h>

#include "log_ring.h"
#include "log_sink.h"
#include "log_text.h"

struct cmw__log_piece;

struct cmw__log_line;

/* Write a line with its line end at `to`, which has room for `worst` bytes; returns the end. */
typedef char *cmw__log_write_fn(char *to, const struct cmw__log_line *line);

struct cmw__log_format {
    struct cmw__log_piece *pieces;
    size_t piece_count;
    enum cmw__log_style style;
    size_t max_text;
    size_t worst; /* bytes of the longest line, with what may be written behind it */
    cmw_slot principal, request_id;
    struct cmw__log_keys keys;
    uint8_t reads_host;       /* it needs CMW_FACT_HOST */
    uint8_t has_fields;       /* combined, not common */
    cmw__log_write_fn *write; /* a usual line, in one go; NULL: the line is not usual, and is
                                     * for cmw__log_format_write */
};

/* What a line is about. */
struct cmw__log_line {
    const struct cmw__log_format *format;
    cmw_ctx *ctx;
    cmw_request *request;
    const cmw_response *response;
    struct cmw__log_clock *clock;
    cmw_end_reason reason;
    int status; /* as it is logged; 0: none */
};

/* Compile what the config says into `arena`. 0, or an error with its sentence. */
int cmw__log_format_compile(struct cmw__log_format *format, cmw_engine *engine, cmw_arena *arena,
                            const cmw_access_log_config *config, cmw_diag *diag);

/* A line of any format. */
cmw__log_write_fn cmw__log_format_write;

/* Those of `common` and `combined` that are usual, and the same for CPUs that have AVX2. */
cmw__log_write_fn cmw__log_plain_write, cmw__log_plain_write_avx2;
int cmw__log_has_avx2(void);

/* ---- The second ------------------------------------------------------------------------- */

enum { CMW__LOG_NS = 1000000000 };

/* Write out a second since 1970. */
void cmw__log_clock_set(struct cmw__log_clock *clock, uint64_t second);

/* The clock, set to the second in which the request began, and the ns within it. */
static inline const struct cmw__log_clock *cmw__log_clock_of(const struct cmw__log_line *line,
                                                             unsigned *ns)
{
    struct cmw__log_clock *const clock = line->clock;
    const uint64_t wall_ns = cmw_ctx_wall_ns(line->ctx);

    if (wall_ns - clock->begin_ns >= CMW__LOG_NS)
        cmw__log_clock_set(clock, wall_ns / CMW__LOG_NS);
    *ns = (unsigned)(wall_ns - clock->begin_ns);
    return clock;
}

/* ---- Between the compiler and the values ------------------------------------------------ */

/* What may stand around a value, and how foreign text in it is escaped. */
enum cmw__log_mode {
    CMW__LOG_MODE_BARE,   /* nothing around it */
    CMW__LOG_MODE_QUOTED, /* the format has quotes around it */
    CMW__LOG_MODE_JSON,   /* a whole JSON value */
    CMW__LOG_MODE_LOGFMT  /* a whole value, in quotes if it is foreign */
};

typedef char *cmw__log_piece_fn(char *to, const struct cmw__log_piece *piece,
                                const struct cmw__log_line *line);

struct cmw__log_piece {
    cmw__log_piece_fn *put; /* NULL: literal text alone */
    char lead[16];          /* literal text before the value */
    uint8_t lead_len;
    uint8_t mode; /* enum cmw__log_mode */
    uint8_t is_secret, is_url;
    cmw_header_id id; /* of a field, or CMW_HDR_OTHER: by its name */
    cmw_str name;
};

/* A directive, "%{argument}letter". */
struct cmw__log_directive {
    cmw__log_piece_fn *put;
    const char *argument; /* NULL: none; "*": the name of a field */
    char letter;
    uint8_t text_count; /* texts of the request in it */
};

/* The one with this letter and argument, or NULL. */
const struct cmw__log_directive *cmw__log_directive_find(char letter, cmw_str argument);

#endif /* CMW_BUILTIN_LOG_FORMAT_H */
