/* SPDX-License-Identifier: MIT */
/*
 * What fuzz targets share: a request written as text, so that a corpus can be read and written by
 * hand.
 *
 *     203.0.113.7                  the peer; "-": unknown
 *     GET /a?b                     method and target
 *     Host: a.example              fields, to the end
 *
 * Lines end with "\n"; every other byte is taken as it is. What is missing is empty.
 */
#ifndef CMW_TESTS_FUZZ_H
#define CMW_TESTS_FUZZ_H

#include <catzilla/testing.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that stays in every build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---- Input that is lines ---------------------------------------------------------------- */

/* The input as a C string; free() it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    FUZZ_CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* The next line, as a C string in the text; `*text` moves behind it. "" at the end. */
static inline char *fuzz_next_line(char **text)
{
    char *line = *text;
    char *end = strchr(line, '\n');

    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return line;
}

/* ---- Input that is a request ------------------------------------------------------------ */

enum { FUZZ_FIELD_CAP = 256 };

/* A request of text: slices of it. */
struct fuzz_request {
    cmw_request_view view;
    cmw_header fields[FUZZ_FIELD_CAP];
};

/* Take the bytes up to a mark, and the mark away; all of them where there is none. */
static inline cmw_str fuzz_take(cmw_str *text, char mark)
{
    const char *at = text->len > 0 ? memchr(text->data, mark, text->len) : NULL;
    const cmw_str taken = at ? cmw_str_make(text->data, (size_t)(at - text->data)) : *text;
    const size_t gone = at ? taken.len + 1 : taken.len;

    text->data += gone;
    text->len -= gone;
    return taken;
}

static inline int fuzz_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without blanks at the ends, as a server hands over a field's value. */
static inline cmw_str fuzz_trim(cmw_str text)
{
    while (text.len > 0 && fuzz_is_blank(text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && fuzz_is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

static inline void fuzz_request_read(struct fuzz_request *request, const uint8_t *data, size_t size)
{
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);
    cmw_request_view *view = &request->view;

    cmw_request_view_init(view);
    view->http_version = 0x0101;
    if (cmw_address_parse(&view->peer, fuzz_take(&text, '\n')) != 0)
        view->peer.family = CMW_ADDRESS_NONE;
    cmw_str line = fuzz_take(&text, '\n');
    view->method = fuzz_take(&line, ' ');
    view->target = line;
    view->headers = request->fields;
    while (text.len > 0 && view->header_count < FUZZ_FIELD_CAP) {
        cmw_header *field = &request->fields[view->header_count++];
        line = fuzz_take(&text, '\n');
        field->name = fuzz_take(&line, ':');
        field->value = fuzz_trim(line);
    }
}

/* A bench whose chain is one built-in with a config; it lives as long as the process. */
static inline cmw_test *fuzz_open(const char *kind, const void *config)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    FUZZ_CHECK(cmw_test_create(&test, NULL) == 0);
    FUZZ_CHECK(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    if (kind)
        FUZZ_CHECK(cmw_chain_use(chain, kind, config, &diag) == 0);
    FUZZ_CHECK(cmw_chain_compile(chain, &plan, &diag) == 0);
    cmw_chain_destroy(chain);
    FUZZ_CHECK(cmw_test_install(test, plan) == 0);
    return test;
}

/* Looks at a request that has passed pre_route: `next` says whether it may go on. */
typedef void fuzz_look_fn(cmw_ctx *ctx, cmw_next next);

/* Run one request through a bench's plan, with an empty 200 for what passes. */
static inline void fuzz_send(cmw_test *test, const struct fuzz_request *request, fuzz_look_fn *look)
{
    cmw_ctx *ctx = NULL;

    FUZZ_CHECK(cmw_ctx_begin(cmw_test_worker(test), &ctx, &request->view) == 0);
    const cmw_next next = cmw_ctx_run(ctx);
    if (look)
        look(ctx, next);
    if (next == CMW_TO_HANDLER) {
        (void)cmw_respond_empty(ctx, 200);
        (void)cmw_ctx_commit(ctx);
    }
    cmw_ctx_end(ctx, CMW_END_SENT);
}

#endif /* CMW_TESTS_FUZZ_H */
