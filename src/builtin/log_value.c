/* SPDX-License-Identifier: MIT */
/* The values of log lines: one function for each directive. */
#include "log_format.h"

#include <catzilla/builtin/request_id.h>

#include "log_number.h"

/* ---- How values are written ------------------------------------------------------------- */

static char *put_literal(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

static char *put_missing(char *to, const struct cmw__log_piece *piece)
{
    if (piece->mode == CMW__LOG_MODE_JSON)
        return put_literal(to, CMW_STR("null"));
    *to = '-';
    return to + 1;
}

static enum cmw__log_escape escape_of(const struct cmw__log_piece *piece)
{
    static const enum cmw__log_escape escapes[] = {
        [CMW__LOG_MODE_BARE] = CMW__LOG_BARE,
        [CMW__LOG_MODE_QUOTED] = CMW__LOG_QUOTED,
        [CMW__LOG_MODE_JSON] = CMW__LOG_JSON,
        [CMW__LOG_MODE_LOGFMT] = CMW__LOG_QUOTED,
    };
    return escapes[piece->mode];
}

static char *put_quote_if(char *to, int is_quoted)
{
    *to = '"';
    return to + is_quoted;
}

/* What the library makes itself: it needs no escaping. */
static char *put_token(char *to, cmw_str text, const struct cmw__log_piece *piece)
{
    const int is_quoted = piece->mode == CMW__LOG_MODE_JSON;

    to = put_quote_if(to, is_quoted);
    to = put_literal(to, text);
    return put_quote_if(to, is_quoted);
}

/* Foreign text, cut at the format's limit. */
static char *put_cut(char *to, cmw_str text, int is_url, const struct cmw__log_piece *piece,
                     const struct cmw__log_line *line)
{
    const size_t cap = line->format->max_text;
    const cmw_str shown = cmw_str_make(text.data, text.len < cap ? text.len : cap);

    to = is_url ? cmw__log_url(to, shown, escape_of(piece), &line->format->keys)
                : cmw__log_text(to, shown, escape_of(piece));
    return text.len > cap ? put_literal(to, CMW_STR("...")) : to;
}

static char *put_text(char *to, cmw_str text, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    const int is_quoted = piece->mode >= CMW__LOG_MODE_JSON;

    if (!text.data || (text.len == 0 && piece->mode == CMW__LOG_MODE_BARE))
        return put_missing(to, piece);
    to = put_quote_if(to, is_quoted);
    to = put_cut(to, text, piece->is_url, piece, line);
    return put_quote_if(to, is_quoted);
}

/* ---- Who -------------------------------------------------------------------------------- */

static char *put_address(char *to, const cmw_address *address, const struct cmw__log_piece *piece)
{
    const int is_quoted = piece->mode == CMW__LOG_MODE_JSON;

    if (address->family == CMW_ADDRESS_NONE)
        return put_missing(to, piece);
    to = put_quote_if(to, is_quoted);
    to = address->family == CMW_ADDRESS_V4 ? cmw__put_ipv4(to, address->bytes)
                                           : to + cmw_address_format(address, to);
    return put_quote_if(to, is_quoted);
}

static char *put_client(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    return put_address(to, cmw_request_client_address(line->request), piece);
}

static char *put_peer(char *to, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    return put_address(to, cmw_request_peer(line->request), piece);
}

static char *put_nothing(char *to, const struct cmw__log_piece *piece,
                         const struct cmw__log_line *line)
{
    (void)line;
    return put_missing(to, piece);
}

static char *put_user(char *to, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    const cmw_principal *principal = cmw_ctx_slot(line->ctx, line->format->principal);

    return principal && principal->id.len > 0 ? put_text(to, principal->id, piece, line)
                                              : put_missing(to, piece);
}

static char *put_request_id(char *to, const struct cmw__log_piece *piece,
                            const struct cmw__log_line *line)
{
    const cmw_request_id *id = cmw_ctx_slot(line->ctx, line->format->request_id);

    return id ? put_text(to, cmw_str_make(id->text, id->len), piece, line) : put_missing(to, piece);
}

/* ---- When ------------------------------------------------------------------------------- */

enum { NS = CMW__LOG_NS };

static char *put_year(char *to, unsigned year)
{
    to = cmw__put_digits2(to, year / 100 % 100);
    return cmw__put_digits2(to, year % 100);
}

/* hh:mm:ss */
static char *put_time_of_day(char *to, unsigned second)
{
    to = cmw__put_digits2(to, second / 3600);
    *to++ = ':';
    to = cmw__put_digits2(to, second / 60 % 60);
    *to++ = ':';
    return cmw__put_digits2(to, second % 60);
}

void cmw__log_clock_set(struct cmw__log_clock *clock, uint64_t second)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    cmw_civil_time time;
    char *to = clock->common;

    cmw_civil_time_at(&time, (int64_t)second);
    const unsigned year = (unsigned)time.year, month = (unsigned)time.month;
    const unsigned day = (unsigned)time.day;
    *to++ = '[';
    to = cmw__put_digits2(to, day);
    *to++ = '/';
    to = put_literal(to, cmw_str_make(months + (size_t)3 * (month - 1), 3));
    *to++ = '/';
    to = put_year(to, year);
    *to++ = ':';
    to = put_time_of_day(to, (unsigned)(second % 86400));
    (void)put_literal(to, CMW_STR(" +0000]"));

    to = put_year(clock->iso, year);
    *to++ = '-';
    to = cmw__put_digits2(to, month);
    *to++ = '-';
    to = cmw__put_digits2(to, day);
    *to++ = 'T';
    to = put_time_of_day(to, (unsigned)(second % 86400));
    *to = '.';
    clock->begin_ns = second * NS;
}

static char *put_time(char *to, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    unsigned ns;
    const int is_quoted = piece->mode == CMW__LOG_MODE_JSON;
    const struct cmw__log_clock *clock = cmw__log_clock_of(line, &ns);

    to = put_quote_if(to, is_quoted);
    memcpy(to, clock->common, sizeof clock->common);
    return put_quote_if(to + sizeof clock->common, is_quoted);
}

static char *put_time_iso(char *to, const struct cmw__log_piece *piece,
                          const struct cmw__log_line *line)
{
    const int is_quoted = piece->mode == CMW__LOG_MODE_JSON;
    unsigned ns;
    const struct cmw__log_clock *clock = cmw__log_clock_of(line, &ns);

    to = put_quote_if(to, is_quoted);
    memcpy(to, clock->iso, sizeof clock->iso);
    to = cmw__put_digits3(to + sizeof clock->iso, ns / 1000000);
    *to++ = 'Z';
    return put_quote_if(to, is_quoted);
}

static char *put_wall(char *to, const struct cmw__log_line *line, uint64_t unit_ns)
{
    return cmw__put_number(to, cmw_ctx_wall_ns(line->ctx) / unit_ns);
}

static char *put_time_s(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    (void)piece;
    return put_wall(to, line, NS);
}

static char *put_time_ms(char *to, const struct cmw__log_piece *piece,
                         const struct cmw__log_line *line)
{
    (void)piece;
    return put_wall(to, line, 1000000);
}

static char *put_time_us(char *to, const struct cmw__log_piece *piece,
                         const struct cmw__log_line *line)
{
    (void)piece;
    return put_wall(to, line, 1000);
}

static char *put_elapsed(char *to, const struct cmw__log_line *line, uint64_t unit_ns)
{
    const uint64_t begin = cmw_ctx_begin_ns(line->ctx);
    const uint64_t now = cmw_ctx_now_ns(line->ctx);
    return cmw__put_number(to, now > begin ? (now - begin) / unit_ns : 0);
}

static char *put_elapsed_s(char *to, const struct cmw__log_piece *piece,
                           const struct cmw__log_line *line)
{
    (void)piece;
    return put_elapsed(to, line, NS);
}

static char *put_elapsed_ms(char *to, const struct cmw__log_piece *piece,
                            const struct cmw__log_line *line)
{
    (void)piece;
    return put_elapsed(to, line, 1000000);
}

static char *put_elapsed_us(char *to, const struct cmw__log_piece *piece,
                            const struct cmw__log_line *line)
{
    (void)piece;
    return put_elapsed(to, line, 1000);
}

/* ---- What was asked --------------------------------------------------------------------- */

static char *put_method(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    return put_text(to, cmw_request_method(line->request), piece, line);
}

static char *put_target(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    return put_text(to, cmw_request_raw_target(line->request), piece, line);
}

static char *put_path(char *to, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    return put_text(to, cmw_request_raw_path(line->request), piece, line);
}

static char *put_query(char *to, const struct cmw__log_piece *piece,
                       const struct cmw__log_line *line)
{
    const cmw_str query = cmw_request_query(line->request);

    /* With the "?" before it, of which the target has the byte. */
    return query.len > 0 ? put_text(to, cmw_str_make(query.data - 1, query.len + 1), piece, line)
                         : put_missing(to, piece);
}

/* "HTTP/1.1" */
static inline char *put_version(char *to, const cmw_request *request)
{
    const unsigned version = cmw_request_http_version(request);

    memcpy(to, "HTTP/1.1", 8);
    if (version == 0x0101)
        return to + 8;
    if (version == 0 || (version & 0xff) > 9 || version > 0x9ff)
        return to + 4; /* nobody knows which */
    to[5] = (char)('0' + (version >> 8));
    to[7] = (char)('0' + (version & 0xff));
    return to + 8;
}

static char *put_protocol(char *to, const struct cmw__log_piece *piece,
                          const struct cmw__log_line *line)
{
    const int is_quoted = piece->mode == CMW__LOG_MODE_JSON;

    to = put_quote_if(to, is_quoted);
    to = put_version(to, line->request);
    return put_quote_if(to, is_quoted);
}

/* "GET /a?b HTTP/1.1" */
static char *put_first_line(char *to, const struct cmw__log_piece *piece,
                            const struct cmw__log_line *line)
{
    const int is_quoted = piece->mode >= CMW__LOG_MODE_JSON;

    to = put_quote_if(to, is_quoted);
    to = put_cut(to, cmw_request_method(line->request), 0, piece, line);
    *to++ = ' ';
    to = put_cut(to, cmw_request_raw_target(line->request), 1, piece, line);
    *to++ = ' ';
    to = put_version(to, line->request);
    return put_quote_if(to, is_quoted);
}

static char *put_host(char *to, const struct cmw__log_piece *piece,
                      const struct cmw__log_line *line)
{
    const cmw_str host = cmw_request_host(line->request);
    return host.len > 0 ? put_text(to, host, piece, line) : put_missing(to, piece);
}

static char *put_value(char *to, cmw_str value, const struct cmw__log_piece *piece,
                       const struct cmw__log_line *line)
{
    if (value.data && piece->is_secret)
        return put_token(to, CMW_STR(CMW__LOG_REDACTED), piece);
    return put_text(to, value, piece, line);
}

static char *put_request_field(char *to, const struct cmw__log_piece *piece,
                               const struct cmw__log_line *line)
{
    const cmw_header *header = piece->id != CMW_HDR_OTHER
                                   ? cmw_request_header(line->request, piece->id)
                                   : cmw_request_header_named(line->request, piece->name);

    if (!header)
        return put_missing(to, piece);
    return put_value(to, header->value.data ? header->value : CMW_STR(""), piece, line);
}

static char *put_response_field(char *to, const struct cmw__log_piece *piece,
                                const struct cmw__log_line *line)
{
    const cmw_str value = piece->id != CMW_HDR_OTHER
                              ? cmw_response_get(line->response, piece->id)
                              : cmw_response_get_named(line->response, piece->name);
    return put_value(to, value, piece, line);
}

/* ---- What came of it -------------------------------------------------------------------- */

static char *put_number_or_missing(char *to, unsigned number, const struct cmw__log_piece *piece)
{
    return number > 0 ? cmw__put_small(to, number) : put_missing(to, piece);
}

static char *put_status(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    return put_number_or_missing(to, (unsigned)line->status, piece);
}

static char *put_response_status(char *to, const struct cmw__log_piece *piece,
                                 const struct cmw__log_line *line)
{
    return put_number_or_missing(to, (unsigned)cmw_response_status(line->response), piece);
}

/* As %B, but "-" for none. */
static char *put_bytes_or_dash(char *to, const struct cmw__log_piece *piece,
                               const struct cmw__log_line *line)
{
    const uint64_t bytes = cmw_ctx_body_sent(line->ctx);
    return bytes == 0 || bytes == CMW_LENGTH_UNKNOWN ? put_missing(to, piece)
                                                     : cmw__put_number(to, bytes);
}

static char *put_bytes(char *to, const struct cmw__log_piece *piece,
                       const struct cmw__log_line *line)
{
    const uint64_t bytes = cmw_ctx_body_sent(line->ctx);
    return bytes == CMW_LENGTH_UNKNOWN ? put_missing(to, piece) : cmw__put_number(to, bytes);
}

static char *put_reason(char *to, const struct cmw__log_piece *piece,
                        const struct cmw__log_line *line)
{
    return put_token(to, cmw_str_cstr(cmw_end_reason_name(line->reason)), piece);
}

static char *put_route(char *to, const struct cmw__log_piece *piece,
                       const struct cmw__log_line *line)
{
    const uint32_t route = cmw_ctx_route(line->ctx);
    return route == CMW_NONE ? put_missing(to, piece) : cmw__put_number(to, route);
}

/* ---- The table -------------------------------------------------------------------------- */

static const struct cmw__log_directive directives[] = {
    {put_client, NULL, 'a', 0},
    {put_peer, "c", 'a', 0},
    {put_client, NULL, 'h', 0},
    {put_nothing, NULL, 'l', 0},
    {put_user, NULL, 'u', 1},
    {put_time, NULL, 't', 0},
    {put_time_iso, "iso", 't', 0},
    {put_time_s, "sec", 't', 0},
    {put_time_ms, "msec", 't', 0},
    {put_time_us, "usec", 't', 0},
    {put_first_line, NULL, 'r', 2},
    {put_target, "target", 'r', 1},
    {put_method, NULL, 'm', 1},
    {put_path, NULL, 'U', 1},
    {put_query, NULL, 'q', 1},
    {put_protocol, NULL, 'H', 0},
    {put_host, NULL, 'V', 1},
    {put_status, NULL, 's', 0},
    {put_response_status, "response", 's', 0},
    {put_bytes_or_dash, NULL, 'b', 0},
    {put_bytes, NULL, 'B', 0},
    {put_elapsed_us, NULL, 'D', 0},
    {put_elapsed_s, NULL, 'T', 0},
    {put_elapsed_s, "s", 'T', 0},
    {put_elapsed_ms, "ms", 'T', 0},
    {put_elapsed_us, "us", 'T', 0},
    {put_request_field, "*", 'i', 1},
    {put_response_field, "*", 'o', 1},
    {put_reason, NULL, 'X', 0},
    {put_request_id, NULL, 'L', 1},
    {put_route, NULL, 'R', 0},
};

static int takes(const struct cmw__log_directive *directive, cmw_str argument)
{
    if (!directive->argument || !argument.data)
        return !directive->argument && !argument.data;
    return strcmp(directive->argument, "*") == 0 ||
           cmw_str_equals(cmw_str_cstr(directive->argument), argument);
}

const struct cmw__log_directive *cmw__log_directive_find(char letter, cmw_str argument)
{
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++)
        if (directives[i].letter == letter && takes(&directives[i], argument))
            return &directives[i];
    return NULL;
}
