/* SPDX-License-Identifier: MIT */
/* Our response as libmicrohttpd's. */
#ifndef CMW_MICROHTTPD_RESPOND_H
#define CMW_MICROHTTPD_RESPOND_H

#include "seat.h"

/*
 * The plan's ready-made 503, or a bare one. It may be gone before it is sent: its body is copied.
 * `scratch`, of `pool`, is for one field at a time.
 */
enum MHD_Result cmw__mhd_queue_overload(struct MHD_Connection *connection, struct room *scratch,
                                        cmw_pool *pool, cmw_worker *worker);

/*
 * Commit, unless that is done, and hand the response over. MHD_YES also where it waits, which with
 * `must_block` it does in here; MHD_NO: it cannot be sent, and the connection is to be closed.
 */
enum MHD_Result cmw__mhd_answer(struct request *req, int must_block);

/*
 * It has been answered, as far as the engine goes, since its body is late: libmicrohttpd takes no
 * answer in the middle of an upload, so the bytes go past it, and it closes the connection. Of what
 * it sends itself nothing is on its way then; under TLS the connection ends without an answer.
 */
enum MHD_Result cmw__mhd_send_late(struct request *req);

#endif /* CMW_MICROHTTPD_RESPOND_H */
