/* SPDX-License-Identifier: MIT */
/*
 * The known header fields by id, in the spellings that a response is written in.
 */
#ifndef CMW_BASE_HEADER_TABLE_H
#define CMW_BASE_HEADER_TABLE_H

#include <catzilla/header_id.h>

/* No known name is longer; header_table.inc is checked against it when it compiles. */
#define CMW__HEADER_NAME_MAX 40

/* Static strings. All three are empty for an id that is not known. */
struct cmw__header_entry {
    cmw_str name;   /* "Content-Type" */
    cmw_str lower;  /* "content-type", as HTTP/2 and HTTP/3 want it */
    cmw_str prefix; /* "Content-Type: ", the beginning of its HTTP/1.1 line */
};

/* By id, from 0 to CMW_HDR_LIMIT - 1. */
extern const struct cmw__header_entry cmw__header_id_table[CMW_HDR_LIMIT];

#endif /* CMW_BASE_HEADER_TABLE_H */
