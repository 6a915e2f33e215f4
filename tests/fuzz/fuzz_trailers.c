/* SPDX-License-Identifier: MIT */
/*
 * Trailers both ways. The first line is what a client says of them (TE), the others are fields:
 * handed over behind the body of a request, and promised and added behind that of its response.
 */
#include "fuzz.h"

struct input {
    cmw_header te;
    cmw_header fields[FUZZ_FIELD_CAP];
    size_t count;
};

static const cmw_host host = {.size = sizeof host,
                              .name = "fuzz",
                              .capabilities = CMW_CAP_STREAM_REQUEST_BODY |
                                              CMW_CAP_REQUEST_TRAILERS | CMW_CAP_RESPONSE_TRAILERS};

static void read_input(struct input *input, const uint8_t *data, size_t size)
{
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);

    input->te = (cmw_header){CMW_STR("TE"), fuzz_trim(fuzz_take(&text, '\n'))};
    for (input->count = 0; text.len > 0 && input->count < FUZZ_FIELD_CAP; input->count++) {
        cmw_str line = fuzz_take(&text, '\n');
        input->fields[input->count].name = fuzz_take(&line, ':');
        input->fields[input->count].value = fuzz_trim(line);
    }
}

static void check_fields(const cmw_header *fields, size_t count, size_t cap)
{
    static const char *const never[] = {"content-length", "transfer-encoding", "host",
                                        "authorization",  "content-type",      "trailer"};

    FUZZ_CHECK(count <= cap && (fields != NULL) == (count > 0));
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(cmw_header_name_is_valid(fields[i].name));
        FUZZ_CHECK(cmw_header_value_is_valid(fields[i].value));
        for (size_t k = 0; k < sizeof never / sizeof *never; k++)
            FUZZ_CHECK(!cmw_str_equals_fold(fields[i].name, cmw_str_cstr(never[k])));
    }
}

/* Everything is tried, and what is refused is refused. */
static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct input *input = self;

    for (size_t i = 0; i < input->count; i++)
        (void)!cmw_ctx_add_trailer(ctx, input->fields[i].name, input->fields[i].value);
    chunk->is_last = 1;
    return 0;
}

static void answer(struct input *input, cmw_ctx *ctx)
{
    cmw_body_source source;

    for (size_t i = 0; i < input->count; i++)
        (void)!cmw_ctx_promise_trailer(ctx, input->fields[i].name, (unsigned)i & 1);
    cmw_body_source_init(&source);
    source.read = on_read;
    source.self = input;
    FUZZ_CHECK(cmw_ctx_stream(ctx, 200, &source) == 0);
}

/* The head names them, as a list of tokens; without any it names none. */
static void check_head(cmw_ctx *ctx)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    int named = 0;

    while (cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0)) {
        if (!cmw_str_equals(field.name, CMW_STR("Trailer")))
            continue;
        named++;
        for (cmw_str list = field.value; list.len > 0;)
            FUZZ_CHECK(cmw_header_name_is_valid(fuzz_trim(fuzz_take(&list, ','))));
    }
    FUZZ_CHECK(named == (cmw_ctx_sends_trailers(ctx) != 0));
}

static void run(cmw_worker *worker, struct input *input)
{
    const cmw_chunk last = {CMW_STR("body"), 1, 0};
    cmw_request_view view;
    size_t count;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.http_version = 0x0101;
    view.content_length = CMW_LENGTH_UNKNOWN;
    view.headers = &input->te;
    view.header_count = 1;
    FUZZ_CHECK(cmw_ctx_begin(worker, &ctx, &view) == 0);
    cmw_next next = cmw_ctx_run(ctx);
    if (next == CMW_TO_HANDLER) {
        (void)cmw_ctx_receive_trailers(ctx, input->fields, input->count);
        next = cmw_ctx_feed_body(ctx, &last);
    }
    if (next == CMW_TO_HANDLER) {
        const cmw_header *fields = cmw_ctx_trailers(ctx, &count);
        check_fields(fields, count, input->count);
        answer(input, ctx);
        next = cmw_ctx_commit(ctx);
    }
    FUZZ_CHECK(next == CMW_TO_RESPOND);
    check_head(ctx);
    const cmw_header *fields = cmw_ctx_response_trailers(ctx, &count);
    check_fields(fields, count, input->count);
    cmw_ctx_end(ctx, CMW_END_SENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    static cmw_worker *worker;
    struct input input;

    if (!test) {
        test = fuzz_open(NULL, NULL);
        FUZZ_CHECK(cmw_engine_take_worker(cmw_test_engine(test), &worker, &host, NULL) == 0);
    }
    read_input(&input, data, size);
    run(worker, &input);
    return 0;
}
