/* SPDX-License-Identifier: MIT */
/*
 * Keys of several parts: two requests have the same key exactly if all of their parts are the same,
 * however bytes could move from one part into the next. The input is two requests, each of an
 * address, a method, a target, a host, and two fields, a line each.
 */
#include "fuzz.h"

#include <catzilla/builtin/rate_limit.h>

enum { PART_COUNT = 6, PART_CAP = 8192, KEY_CAP = PART_COUNT * (PART_CAP + 4) };

/* What counts of a request, and the key that the store was asked for. */
struct seen {
    char parts[PART_COUNT][PART_CAP];
    size_t lens[PART_COUNT];
    char key[KEY_CAP];
    size_t key_len;
    int is_counted;
};

static struct seen *seeing;

static int take(void *self, cmw_ctx *ctx, const cmw_rate_take *takes, cmw_rate_result *results,
                size_t count)
{
    (void)self;
    (void)ctx;
    FUZZ_CHECK(count == 1 && takes[0].key.len <= KEY_CAP && takes[0].cost == 1);
    memcpy(seeing->key, takes[0].key.data, takes[0].key.len);
    seeing->key_len = takes[0].key.len;
    results[0] = (cmw_rate_result){.is_allowed = 1, .remaining = 1};
    return CMW_RATE_TAKEN;
}

static cmw_test *open_test(int has_store)
{
    static const char *const parts[] = {"ip", "method", "path", "host", "header:X-A", "header:X-B"};
    const cmw_rate_store store = {.size = sizeof store, .take = take};
    cmw_rate_limit_config config;

    cmw_rate_limit_config_init(&config);
    config.key = parts;
    config.key_count = PART_COUNT;
    config.limit = 1;
    config.window_ms = 1000;
    config.entries = 4096;
    if (has_store)
        config.store = &store;
    return fuzz_open("rate_limit", &config);
}

static void note(size_t part, cmw_str text)
{
    FUZZ_CHECK(text.len <= PART_CAP);
    if (text.len > 0)
        memcpy(seeing->parts[part], text.data, text.len);
    seeing->lens[part] = text.len;
}

/* The address as its text, which has no bits behind the prefix. */
static void note_client(const cmw_address *client)
{
    char text[CMW_ADDRESS_TEXT_CAP];
    cmw_address prefix = *client;

    if (client->family == CMW_ADDRESS_V6)
        memset(prefix.bytes + 8, 0, 8);
    note(0, cmw_str_make(text, cmw_address_format(&prefix, text)));
}

static cmw_str field_of(cmw_request *request, const char *name)
{
    const cmw_header *field = cmw_request_header_named(request, cmw_str_cstr(name));
    return field ? field->value : cmw_str_make(NULL, 0);
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    cmw_request *request = cmw_ctx_request(ctx);

    seeing->is_counted = next == CMW_TO_HANDLER;
    note_client(cmw_request_client_address(request));
    note(1, cmw_request_method(request));
    note(2, cmw_request_path(request));
    note(3, cmw_request_host(request));
    note(4, field_of(request, "x-a"));
    note(5, field_of(request, "x-b"));
}

static void read_request(struct fuzz_request *request, cmw_str *text)
{
    static const char *const names[] = {"Host", "X-A", "X-B"};
    cmw_request_view *view = &request->view;

    cmw_request_view_init(view);
    view->http_version = 0x0101;
    if (cmw_address_parse(&view->peer, fuzz_take(text, '\n')) != 0)
        view->peer.family = CMW_ADDRESS_NONE;
    view->method = fuzz_take(text, '\n');
    view->target = fuzz_take(text, '\n');
    view->headers = request->fields;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        request->fields[view->header_count++] =
            (cmw_header){cmw_str_cstr(names[i]), fuzz_take(text, '\n')};
}

static int are_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static int have_same_parts(const struct seen *a, const struct seen *b)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        if (!are_same(a->parts[i], a->lens[i], b->parts[i], b->lens[i]))
            return 0;
    return 1;
}

/* Two requests in one window, of which one may pass. */
static void check_table(cmw_test *test, const struct fuzz_request requests[2], int have_same_keys)
{
    static struct seen twice;

    seeing = &twice;
    cmw_test_advance_ns(test, UINT64_C(10000000000)); /* what was taken before is there again */
    fuzz_send(test, &requests[0], look);
    if (!twice.is_counted)
        return;
    fuzz_send(test, &requests[1], look);
    FUZZ_CHECK(twice.is_counted == !have_same_keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request requests[2];
    static struct seen seen[2];
    static cmw_test *by_store, *by_table;
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);

    if (!by_store) {
        by_store = open_test(1);
        by_table = open_test(0);
    }
    if (size > PART_CAP)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        seeing = &seen[i];
        seeing->key_len = 0;
        read_request(&requests[i], &text);
        fuzz_send(by_store, &requests[i], look);
    }
    if (!seen[0].is_counted || !seen[1].is_counted)
        return 0; /* over the limits of a head, or the host is none */
    const int have_same_keys = are_same(seen[0].key, seen[0].key_len, seen[1].key, seen[1].key_len);
    FUZZ_CHECK(have_same_keys == have_same_parts(&seen[0], &seen[1]));
    check_table(by_table, requests, have_same_keys);
    return 0;
}
