/* SPDX-License-Identifier: MIT */
/*
 * Dates of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two older forms that must still be read.
 */
#ifndef CATZILLA_HTTP_DATE_H
#define CATZILLA_HTTP_DATE_H

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** Bytes of a date, without a NUL. */
#define CMW_HTTP_DATE_LEN 29

/** The last second that has four digits of a year: 9999-12-31T23:59:59Z. */
#define CMW_HTTP_DATE_MAX INT64_C(253402300799)

/**
 * Read a date in any of its three forms.
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT      IMF-fixdate
 *     Sunday, 06-Nov-94 08:49:37 GMT     RFC 850
 *     Sun Nov  6 08:49:37 1994           asctime
 *
 * Strict: letters in this case, single blanks, two digits, a day that its month has. The day of the
 * week must be one, but is not compared with the date: nobody else does, and a date that is not
 * understood would void a client's If-Unmodified-Since. Of a year with two digits, it is the last
 * one that is not more than 50 years ahead, or the one a century before it if only that has the day
 * of the week. Second 60, which only a leap second has, is the second after.
 *
 * @param[out] epoch_s  seconds since 1970-01-01 UTC, may be negative; unchanged on failure
 * @param      text     without blanks around it
 * @param      now_s    the present, for years of two digits
 * @return              0, or CMW_ERR_INVALID
 * Threads:             any
 * Cost:                about 120 instructions, no allocation
 * Source:              RFC 9110, 5.6.7
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_http_date_parse(int64_t *epoch_s, cmw_str text, int64_t now_s);

/**
 * Write a date, as IMF-fixdate.
 *
 * @param[out] to       CMW_HTTP_DATE_LEN bytes; no NUL is added
 * @param      epoch_s  0 to CMW_HTTP_DATE_MAX; what is outside becomes the nearer end
 * @return              the date, in `to`
 * Threads:             any
 * Cost:                about 100 instructions, no allocation
 * Source:              RFC 9110, 5.6.7
 * Since:               0.1
 */
CMW_API cmw_str cmw_http_date_format(char *to, int64_t epoch_s);

/** A time of the Gregorian calendar, in UTC. */
typedef struct cmw_civil_time {
    int32_t year;
    int32_t month;    /**< 1 to 12 */
    int32_t day;      /**< 1 to 31 */
    int32_t hour;     /**< 0 to 23 */
    int32_t minute;   /**< 0 to 59 */
    int32_t second;   /**< 0 to 59 */
    int32_t week_day; /**< 0 to 6, 0 is Sunday */
} cmw_civil_time;

/**
 * What calendar and clock say at a time, for formats of one's own.
 *
 * @param epoch_s  0 to CMW_HTTP_DATE_MAX; what is outside becomes the nearer end
 * Threads:        any
 * Cost:           about 60 instructions, no allocation
 * Since:          0.1
 */
CMW_API void cmw_civil_time_at(cmw_civil_time *time, int64_t epoch_s);

/** The last date that was written. Clear it with zeros; one thread at a time. */
typedef struct cmw_http_date_cache {
    uint64_t second; /**< 1 more than the second of `text`; 0: there is none */
    char text[32];
} cmw_http_date_cache;

/**
 * The date at a time, written anew only when the second changes.
 *
 * @param wall_ns  nanoseconds since 1970-01-01 UTC: cmw_ctx_wall_ns
 * @return         CMW_HTTP_DATE_LEN bytes, the cache's; valid until the next call
 * Threads:        the cache's owner
 * Cost:           a division; once a second that of cmw_http_date_format
 * Since:          0.1
 */
CMW_API cmw_str cmw_http_date_at(cmw_http_date_cache *cache, uint64_t wall_ns);

CMW_END_DECLS

#endif /* CATZILLA_HTTP_DATE_H */
