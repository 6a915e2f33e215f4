/* SPDX-License-Identifier: MIT */
/*
 * What the example servers share: listening on 127.0.0.1 until someone says stop.
 */
#ifndef CATZILLA_EXAMPLE_SERVE_H
#define CATZILLA_EXAMPLE_SERVE_H

#include <catzilla/adapter/microhttpd.h>

/*
 * Serve `handler` behind the engine's plan; print "listening on http://127.0.0.1:<port>" when
 * ready.
 *
 * port 0 takes a free one. Returns 0 after SIGINT or SIGTERM, when the requests in flight have
 * ended; 1, and says why on stderr, if it could not begin.
 */
int serve(cmw_engine *engine, cmw_mhd_handler_fn *handler, void *self, uint16_t port);

/* Build failed: print the sentence. Returns 1. */
int report(const char *program, int rc, const cmw_diag *diag);

/* The number after `--port`, or alone; 0 if there is none. */
uint16_t port_argument(int argc, char **argv);

#endif /* CATZILLA_EXAMPLE_SERVE_H */
