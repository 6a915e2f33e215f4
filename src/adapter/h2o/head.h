/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP/1 request as it came.
 *
 * H2O takes Host, Content-Length, Transfer-Encoding, Expect and Upgrade out of the fields that it
 * hands over, and keeps one of each: two of a kind cannot be seen there. The bytes are still in the
 * connection's buffer, with names in lower case. What H2O hands over points there, so that most
 * lines are not searched.
 */
#ifndef CMW_H2O_HEAD_H
#define CMW_H2O_HEAD_H

#include "state.h"

/* What was found. */
struct head {
    cmw_header *fields; /* room of the caller's: for those that H2O hands over, and `cap` in all */
    uint8_t *ids;       /* likewise */
    uint32_t cap;
    uint32_t count;
    uint32_t bytes;    /* of the head */
    uint8_t has_body;  /* a field says so: Content-Length, Transfer-Encoding */
    uint8_t is_broken; /* a folded line, or not what H2O has read */
};

/*
 * Read the fields of a head that H2O has parsed.
 *
 * `bytes` may go on behind the head; `host` is the Host that H2O has taken out, wherever that is.
 * 0; CMW_ERR_LIMIT if there are more than `cap`: call again with more room.
 */
int cmw__h2o_read_head(struct head *head, cmw_str bytes, const h2o_headers_t *known,
                       h2o_iovec_t host, const uint8_t *token_ids);

#endif /* CMW_H2O_HEAD_H */
