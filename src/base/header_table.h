/* SPDX-License-Identifier: MIT */
/*
 * The known header fields by id, in the spellings that a response is written in.
 */
#ifndef CMW_BASE_HEADER_TABLE_H
#define CMW_BASE_HEADER_TABLE_H

#include <catzilla/header_id.h>

/* Known names are shorter; header_table.inc is checked against it when it compiles. */
#define CMW__HEADER_NAME_MAX 40

/* Static strings. Both are empty for an id that is not known. */
struct cmw__header_entry {
    cmw_str name;  /* "Content-Type" */
    cmw_str lower; /* "content-type", as HTTP/2 and HTTP/3 want it */
};

/* "Content-Type: ", the beginning of an HTTP/1.1 line, with room to copy 48 bytes of it at once. */
struct cmw__header_prefix {
    char text[47];
    uint8_t len; /* 0: no such id */
};

/* A known name in lower case, and 0x20 for each of its letters. A byte may be either case of the
 * letter there exactly if setting that bit gives the lower one; other bytes must be the same. */
struct cmw__header_spelling {
    char lower[CMW__HEADER_NAME_MAX];
    char mask[CMW__HEADER_NAME_MAX - 1];
    uint8_t len; /* 0: no such id */
};

/*
 * What a lookup by name compares first, in one cache line: sixteen lengths at once, then two words
 * that cover a name of 4 to 16 bytes. They are its first and last eight bytes, or four where it has
 * less than eight. Other names have the length 255 here, and `len` 0: they are found nowhere.
 */
struct cmw__header_probe {
    _Alignas(64) uint8_t lengths[16];
    char first[8];
    char last[8];
    char first_mask[8];
    char last_mask[8];
    uint8_t len;
};

/* By id, from 0 to CMW_HDR_LIMIT - 1. */
extern const struct cmw__header_entry cmw__header_id_table[CMW_HDR_LIMIT];
extern const struct cmw__header_prefix cmw__header_prefixes[CMW_HDR_LIMIT];
extern const struct cmw__header_spelling cmw__header_spellings[CMW_HDR_LIMIT];
extern const struct cmw__header_probe cmw__header_probes[CMW_HDR_LIMIT];

#endif /* CMW_BASE_HEADER_TABLE_H */
