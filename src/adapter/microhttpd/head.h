/* SPDX-License-Identifier: MIT */
/* What libmicrohttpd has read of a request, as the engine takes it: its head, and its trailers. */
#ifndef CMW_MICROHTTPD_HEAD_H
#define CMW_MICROHTTPD_HEAD_H

#include "seat.h"

/* 1 if the connection is one of TLS. */
int cmw__mhd_has_tls(struct MHD_Connection *connection);

/*
 * Fill the view, whose fields lie in the request's room. 0 or CMW_ERR_NOMEM.
 *
 * `*framing` is not 0 if the fields leave doubt of where the request ends.
 */
int cmw__mhd_fill_view(struct request *req, cmw_request_view *view, const char *method,
                       const char *version, int *framing);

/* Those of a chunked body, which libmicrohttpd keeps apart. What is wrong with them fails the
 * request. */
void cmw__mhd_receive_trailers(struct request *req);

#endif /* CMW_MICROHTTPD_HEAD_H */
