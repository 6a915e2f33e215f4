/* SPDX-License-Identifier: MIT */
/*
 * Foreign text in a log line: escaped so that it stays in its place, secrets of its query left out.
 *
 * Pure. Whatever the bytes are, what is written has no control byte, no DEL, no quote and no
 * backslash that is not part of an escape, and in JSON it is valid UTF-8.
 */
#ifndef CMW_BUILTIN_LOG_TEXT_H
#define CMW_BUILTIN_LOG_TEXT_H

#include <catzilla/base.h>

enum cmw__log_escape {
    CMW__LOG_QUOTED, /* between quotes: \" \\ \xHH; only printable ASCII is left */
    CMW__LOG_BARE,   /* the same, and blanks are \x20 */
    CMW__LOG_JSON    /* of a string: \" \\ \u00HH, \ufffd for what is no UTF-8 */
};

/* The most that a byte becomes, and what may be written behind the end. */
enum { CMW__LOG_GROWTH = 6, CMW__LOG_SLACK = 32 };

/* Write text at `to`, which has room for CMW__LOG_GROWTH * len + CMW__LOG_SLACK bytes; returns the
 * end. */
char *cmw__log_text(char *to, cmw_str text, enum cmw__log_escape escape);

/* The longest name of a query parameter that is a secret. */
enum { CMW__LOG_KEY_CAP = 64 };

/* Names of such parameters, in lower case, 1 to CMW__LOG_KEY_CAP bytes each. */
struct cmw__log_keys {
    const cmw_str *names;
    size_t count;
    uint64_t lengths; /* bit n: one has n + 1 bytes */
};

/* The same for a URL, and for a query without its "?": the values of these parameters become
 * "[redacted]". A name counts in any case and percent-encoding. */
char *cmw__log_url(char *to, cmw_str url, enum cmw__log_escape escape,
                   const struct cmw__log_keys *keys);
char *cmw__log_query(char *to, cmw_str query, enum cmw__log_escape escape,
                     const struct cmw__log_keys *keys);

/* 1 if such a parameter is in a URL. */
int cmw__log_url_hides(cmw_str url, const struct cmw__log_keys *keys);

/* What stands for a secret. */
#define CMW__LOG_REDACTED "[redacted]"

#endif /* CMW_BUILTIN_LOG_TEXT_H */
