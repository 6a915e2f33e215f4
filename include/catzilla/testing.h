/* SPDX-License-Identifier: MIT */
/*
 * The testing kit: run a chain without a server (libcatzilla-mw-testing, static).
 *
 * A `cmw_test` has an engine of its own with a fake clock and an allocator that counts and can be
 * told to fail. Build a chain on its engine, install it, send requests, look at the answers.
 *
 *     cmw_test *test;
 *     cmw_test_create(&test, NULL);
 *     ... chain on cmw_test_engine(test), compiled into plan ...
 *     cmw_test_install(test, plan);
 *     cmw_test_request(test, "GET", "/users/7");
 *     cmw_test_header(test, "Authorization", "Bearer abc");
 *     assert(cmw_test_send(test) == 403);
 *     assert(strcmp(cmw_test_response_field(test, "X-Frame-Options"), "DENY") == 0);
 */
#ifndef CATZILLA_TESTING_H
#define CATZILLA_TESTING_H

#include <catzilla/mw.h>

CMW_BEGIN_DECLS

/** A test bench. One thread at a time. */
typedef struct cmw_test cmw_test;

/** Answers what the plan lets through; not 0: it failed. */
typedef int cmw_test_handler_fn(void *self, cmw_ctx *ctx);

/**
 * Make a bench with an engine of its own.
 *
 * @param config  for the engine; its clock is replaced, and its allocator wrapped. NULL: defaults
 *                with sample_every 1
 * @return        0 or what cmw_engine_create returned
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_test_create(cmw_test **out, const cmw_engine_config *config);

/**
 * Destroy it with its engine; NULL is ignored.
 *
 * @return 0, or CMW_ERR_STATE if something of the engine is held: nothing is destroyed then
 * Since:  0.1
 */
CMW_API int cmw_test_destroy(cmw_test *test);

/** Its engine and worker. */
CMW_API cmw_engine *cmw_test_engine(cmw_test *test);
CMW_API cmw_worker *cmw_test_worker(cmw_test *test);

/** Install a plan and release the caller's reference. @return what cmw_engine_install returned */
CMW_API CMW_NODISCARD int cmw_test_install(cmw_test *test, cmw_plan *plan);

/** Answer what the plan lets through. Default: 200, text "ok". */
CMW_API void cmw_test_set_handler(cmw_test *test, cmw_test_handler_fn *handler, void *self);

/* ---- Requests: strings are borrowed until the next cmw_test_request ---------------------- */

/**
 * Begin a request: forget the last one and its answer.
 *
 * Without fields or body, HTTP/1.1, by http, from 192.0.2.1.
 */
CMW_API void cmw_test_request(cmw_test *test, const char *method, const char *target);

/** Add a field. More than the bench has room for (1,000) aborts the test with a message. */
CMW_API void cmw_test_header(cmw_test *test, const char *name, const char *value);

/** Give the body; declares its length. */
CMW_API void cmw_test_body(cmw_test *test, cmw_str body);

/** Hand bodies over in pieces of so many bytes; 0, the default: whole. Kept until changed. */
CMW_API void cmw_test_set_chunk_bytes(cmw_test *test, size_t bytes);

/** Who connects ("192.0.2.7", "2001:db8::1"); what is no address aborts the test with a message. */
CMW_API void cmw_test_peer(cmw_test *test, const char *address);

/** By which scheme. */
CMW_API void cmw_test_scheme(cmw_test *test, cmw_scheme scheme);

/** The view that cmw_test_send will use, to change what the functions above do not. */
CMW_API cmw_request_view *cmw_test_view(cmw_test *test);

/** The route that is entered before the handler runs; CMW_NONE: none. Kept until changed. */
CMW_API void cmw_test_route(cmw_test *test, uint32_t route_id);

/**
 * Run the request through the plan and the handler, end it as sent, and keep the answer.
 *
 * @return the status; 0 if the plan made no context (then the answer is the overload response)
 */
CMW_API int cmw_test_send(cmw_test *test);

/**
 * The same, but without keeping an answer beyond its status.
 *
 * @return the status
 * Cost:   calls no allocator itself, so that cmw_test_alloc_calls counts the plan's own
 * Since:  0.1
 */
CMW_API int cmw_test_send_quick(cmw_test *test);

/** How the next requests end; CMW_END_SENT at first. Kept until changed. */
CMW_API void cmw_test_set_end_reason(cmw_test *test, cmw_end_reason reason);

/* ---- Answers: valid until the next cmw_test_request or cmw_test_send ---------------------- */

/** The status of the answer; of the overload response where the plan made no context. */
CMW_API int cmw_test_status(const cmw_test *test);

/** The first value of a field, NUL-terminated; NULL if there is none. */
CMW_API const char *cmw_test_response_field(const cmw_test *test, const char *name);

/** How many fields of a name there are. */
CMW_API size_t cmw_test_response_count(const cmw_test *test, const char *name);

/** The body, and the whole head as HTTP/1.1 bytes; NUL-terminated beyond `len`. */
CMW_API cmw_str cmw_test_response_body(const cmw_test *test);
CMW_API cmw_str cmw_test_response_head(const cmw_test *test);

/* ---- Clock and memory -------------------------------------------------------------------- */

/**
 * The fake clock, which stands still until it is moved. It begins at 1 s, and the wall clock, which
 * goes with it, at 2026-01-01T00:00:00Z.
 */
CMW_API void cmw_test_advance_ns(cmw_test *test, uint64_t ns);

/** Calls of the engine's allocator (alloc) since the bench was made. */
CMW_API uint64_t cmw_test_alloc_calls(const cmw_test *test);

/** Let the next `count` allocations pass and fail the one after, once; CMW_NONE: never fail. */
CMW_API void cmw_test_fail_after(cmw_test *test, uint32_t count);

/** 1 if the failure that cmw_test_fail_after asked for has happened. */
CMW_API int cmw_test_has_failed(const cmw_test *test);

CMW_END_DECLS

#endif /* CATZILLA_TESTING_H */
