/* SPDX-License-Identifier: MIT */
/* Sets of media types: "text/" and "*", "application/json", "*" and "+json". */
#ifndef CMW_COMPRESSION_MEDIA_H
#define CMW_COMPRESSION_MEDIA_H

#include <catzilla/base.h>

struct media_set {
    const cmw_str *patterns;
    size_t count;
};

/* What is compressed unless something else is said. */
const struct media_set *media_usual(void);
/* The type of a Content-Type, without parameters. */
cmw_str media_type_of(cmw_str field);
int media_has(const struct media_set *set, cmw_str type);
int media_is_event_stream(cmw_str type);
int media_pattern_is_valid(cmw_str pattern);

#endif /* CMW_COMPRESSION_MEDIA_H */
