/* SPDX-License-Identifier: MIT */
/* compression: which responses are coded, by what, with which fields; what comes out; what it
 * costs. */
#include "compression_fixture.h"

#include <stdio.h>

/* What the handler answers. */
struct answer {
    int status;
    const char *type;
    cmw_str body;
    const char *name, *value; /* of one more field */
    int streams;
    size_t step, given; /* of the source */
};

static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct answer *answer = self;
    size_t len = answer->body.len - answer->given;

    (void)ctx;
    len = len < answer->step ? len : answer->step;
    chunk->bytes = cmw_str_make(answer->body.data + answer->given, len);
    answer->given += len;
    chunk->is_last = answer->given == answer->body.len;
    return 0;
}

static int on_handler(void *self, cmw_ctx *ctx)
{
    struct answer *answer = self;
    cmw_response *response = cmw_ctx_response(ctx);
    cmw_body_source source;
    int rc;

    answer->given = 0;
    if (answer->streams) {
        cmw_body_source_init(&source);
        source.read = on_read;
        source.self = answer;
        rc = cmw_ctx_stream(ctx, answer->status, &source);
    } else {
        rc = cmw_response_bytes_ref(response, answer->status, answer->body);
    }
    if (rc == 0 && answer->type)
        rc = cmw_response_set(response, CMW_HDR_CONTENT_TYPE, cmw_str_cstr(answer->type));
    if (rc == 0 && answer->name)
        rc = cmw_response_append_named(response, cmw_str_cstr(answer->name),
                                       cmw_str_cstr(answer->value));
    return rc;
}

/* ---- Which, and by what ------------------------------------------------------------------ */

struct row {
    const char *name;
    const char *accept; /* NULL: no such field */
    const char *type;
    size_t len;
    const char *coding; /* NULL: none */
    int varies;
    int status; /* 0: 200 */
    const char *field, *value;
    const char *method; /* NULL: GET */
};

#define TEXT "text/plain; charset=utf-8"

static const struct row rows[] = {
    {"what the server likes best wins", "gzip, br, zstd", TEXT, 2000, "br", 1, 0, NULL, NULL, NULL},
    {"what the client likes best wins", "gzip, br;q=0.5", TEXT, 2000, "gzip", 1, 0, NULL, NULL,
     NULL},
    {"zstd", "zstd", TEXT, 2000, "zstd", 1, 0, NULL, NULL, NULL},
    {"what is not offered is not used", "deflate", TEXT, 2000, NULL, 1, 0, NULL, NULL, NULL},
    {"any is the best of the server's", "*", TEXT, 2000, "br", 1, 0, NULL, NULL, NULL},
    {"x-gzip is gzip", "x-gzip", TEXT, 2000, "gzip", 1, 0, NULL, NULL, NULL},
    {"without the field nothing is coded, and it varies", NULL, TEXT, 2000, NULL, 1, 0, NULL, NULL,
     NULL},
    {"as it is, where that is liked better", "gzip;q=0.5, identity", TEXT, 2000, NULL, 1, 0, NULL,
     NULL, NULL},
    {"nothing is left", "identity;q=0, deflate", TEXT, 2000, NULL, 1, 406, NULL, NULL, NULL},
    {"nothing at all is wanted", "*;q=0", TEXT, 2000, NULL, 1, 406, NULL, NULL, NULL},
    {"a short body is left alone", "gzip", TEXT, 1023, NULL, 1, 0, NULL, NULL, NULL},
    {"the shortest that is not", "gzip", TEXT, 1024, "gzip", 1, 0, NULL, NULL, NULL},
    {"a short one that must not come as it is", "gzip, identity;q=0", TEXT, 1, "gzip", 1, 0, NULL,
     NULL, NULL},
    {"an image that must not come as it is", "gzip, *;q=0", "image/png", 2000, "gzip", 1, 0, NULL,
     NULL, NULL},
    {"an empty body does not become twenty bytes", "gzip", TEXT, 0, NULL, 1, 0, NULL, NULL, NULL},
    {"nor where it must not come as it is", "gzip, identity;q=0", TEXT, 0, NULL, 1, 0, NULL, NULL,
     NULL},
    {"an image does not shrink", "gzip", "image/png", 2000, NULL, 0, 0, NULL, NULL, NULL},
    {"but one of text does", "gzip", "IMAGE/SVG+XML", 2000, "gzip", 1, 0, NULL, NULL, NULL},
    {"what ends in +json does", "gzip", "application/vnd.api+json", 2000, "gzip", 1, 0, NULL, NULL,
     NULL},
    {"events are not held back", "gzip", "text/event-stream", 2000, NULL, 0, 0, NULL, NULL, NULL},
    {"a coded body is not coded twice", "gzip", TEXT, 2000, "br", 0, 0, "Content-Encoding", "br",
     NULL},
    {"nor a part", "gzip", TEXT, 2000, NULL, 0, 206, "Content-Range", "bytes 0-1/3", NULL},
    {"nor what is not to be changed", "gzip", TEXT, 2000, NULL, 0, 0, "Cache-Control",
     "public, No-Transform", NULL},
    {"a directive that only looks like it does not count", "gzip", TEXT, 2000, "gzip", 1, 0,
     "Cache-Control", "no-transformation", NULL},
    {"an error is coded, too", "gzip", TEXT, 2000, "gzip", 1, 500, NULL, NULL, NULL},
    {"HEAD has the fields of GET", "gzip", TEXT, 2000, "gzip", 1, 0, NULL, NULL, "HEAD"},
    {"304 has no body", "gzip", TEXT, 0, NULL, 0, 304, NULL, NULL, NULL},
};

static void check_field(cmw_test *test, const char *name, const char *expected)
{
    const char *value = cmw_test_response_field(test, name);

    if (expected)
        assert_string_equal(value ? value : "(none)", expected);
    else if (value)
        fail_msg("%s: %s", name, value);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct bytes body = bytes_make(row->len, 1);
    struct answer answer = {.status = row->status && row->status != 406 ? row->status : 200,
                            .type = row->type,
                            .body = cmw_str_make(body.data, body.len),
                            .name = row->field,
                            .value = row->value};
    cmw_test *test = open_component("compression", NULL, NULL);

    cmw_test_set_handler(test, on_handler, &answer);
    cmw_test_request(test, row->method ? row->method : "GET", "/");
    if (row->accept)
        cmw_test_header(test, "Accept-Encoding", row->accept);
    assert_int_equal(cmw_test_send(test), row->status ? row->status : 200);
    check_field(test, "Content-Encoding", row->coding);
    check_field(test, "Vary", row->varies ? "Accept-Encoding" : NULL);
    assert_true(cmw_test_response_count(test, "Content-Encoding") <= 1);
    const int is_ours = row->coding && !(row->field && strcmp(row->field, "Content-Encoding") == 0);
    if (is_ours && !row->method) {
        struct bytes plain = decode(cmw_test_response_body(test), row->coding, row->len + 1);
        assert_int_equal(plain.len, row->len);
        assert_memory_equal(plain.data, body.data, row->len);
        free(plain.data);
    } else if (row->status != 406 && row->status != 304 && !row->method) {
        assert_int_equal(cmw_test_response_body(test).len, row->len);
    }
    assert_int_equal(cmw_test_destroy(test), 0);
    free(body.data);
}

/* ---- What comes out ---------------------------------------------------------------------- */

static const char *const codings[] = {"br", "zstd", "gzip", "deflate"};

/* Whatever the coding, the length and the pieces, decoded it is what it was. */
static void what_comes_out_decodes_to_what_went_in(void **state)
{
    static const size_t lengths[] = {1, 100, 32767, 32768, 32769, 70000, 300000};
    cmw_compression_config config;
    struct answer answer = {.status = 200, .type = TEXT};

    (void)state;
    cmw_compression_config_init(&config);
    config.encodings = codings;
    config.encoding_count = 4;
    config.min_size = 0;
    for (int flush = 0; flush < 2; flush++) {
        config.flush = flush;
        cmw_test *test = open_component("compression", &config, NULL);
        cmw_test_set_handler(test, on_handler, &answer);
        for (size_t i = 0; i < LEN(lengths) * 2 * LEN(codings) * 3; i++) {
            const char *coding = codings[i % LEN(codings)];
            const size_t len = lengths[i / LEN(codings) % LEN(lengths)];
            const size_t how = i / LEN(codings) / LEN(lengths);
            struct bytes body = bytes_make(len, how & 1);
            answer.body = cmw_str_make(body.data, len);
            answer.streams = how / 2 > 0;
            answer.step = how / 2 == 1 ? 1000 : 40000;
            cmw_test_request(test, "GET", "/");
            cmw_test_header(test, "Accept-Encoding", coding);
            assert_int_equal(cmw_test_send(test), 200);
            check_field(test, "Content-Encoding", coding);
            struct bytes plain = decode(cmw_test_response_body(test), coding, len + 1);
            assert_int_equal(plain.len, len);
            assert_memory_equal(plain.data, body.data, len);
            free(plain.data);
            free(body.data);
        }
        assert_int_equal(cmw_test_destroy(test), 0);
    }
}

/* ---- Fields ------------------------------------------------------------------------------ */

static void send_with(cmw_test *test, struct answer *answer, const char *name, const char *value)
{
    answer->name = name;
    answer->value = value;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Accept-Encoding", "gzip");
    assert_int_equal(cmw_test_send(test), 200);
    check_field(test, "Content-Encoding", "gzip");
}

static void fields_tell_of_the_bytes_that_are_sent(void **state)
{
    struct bytes body = bytes_make(2000, 1);
    struct answer answer = {.status = 200, .type = TEXT, .body = cmw_str_make(body.data, body.len)};
    cmw_test *test = open_component("compression", NULL, NULL);
    char length[32];

    (void)state;
    cmw_test_set_handler(test, on_handler, &answer);
    send_with(test, &answer, "ETag", "\"strong\"");
    check_field(test, "ETag", "W/\"strong\"");
    send_with(test, &answer, "ETag", "W/\"weak\"");
    check_field(test, "ETag", "W/\"weak\"");
    send_with(test, &answer, "Vary", "Origin, accept-encoding");
    check_field(test, "Vary", "Origin, accept-encoding");
    send_with(test, &answer, "Vary", "Origin");
    check_field(test, "Vary", "Origin, Accept-Encoding");
    send_with(test, &answer, "Vary", "*");
    check_field(test, "Vary", "*");
    send_with(test, &answer, "Accept-Ranges", "bytes");
    check_field(test, "Accept-Ranges", NULL);
    send_with(test, &answer, "Content-Digest", "sha-256=:AA==:");
    check_field(test, "Content-Digest", NULL);
    send_with(test, &answer, "Repr-Digest", "sha-256=:AA==:");
    check_field(test, "Repr-Digest", NULL);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", cmw_test_response_body(test).len);
    assert_non_null(strstr(cmw_test_response_head(test).data, length));
    free(body.data);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static int pass_on(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_pass_body(cmw_ctx_response(ctx), 200, CMW_STR(TEXT), 2000);
}

static void a_body_that_the_host_sends_by_itself_is_left_alone(void **state)
{
    cmw_test *test = open_component("compression", NULL, NULL);

    (void)state;
    cmw_test_set_handler(test, pass_on, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Accept-Encoding", "gzip");
    assert_int_equal(cmw_test_send_quick(test), 200);
    check_field(test, "Content-Encoding", NULL);
    check_field(test, "Vary", NULL);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static void a_warm_response_allocates_nothing(void **state)
{
    struct bytes body = bytes_make(16384, 1);
    struct answer answer = {.status = 200, .type = TEXT, .body = cmw_str_make(body.data, body.len)};

    (void)state;
    for (size_t i = 0; i < LEN(codings); i++) {
        cmw_compression_config config;
        cmw_compression_config_init(&config);
        config.encodings = &codings[i];
        config.encoding_count = 1;
        cmw_test *test = open_component("compression", &config, NULL);
        cmw_test_set_handler(test, on_handler, &answer);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Accept-Encoding", codings[i]);
        assert_int_equal(cmw_test_send_quick(test), 200);
        assert_int_equal(cmw_test_send_quick(test), 200);
        const uint64_t before = cmw_test_alloc_calls(test);
        assert_int_equal(cmw_test_send_quick(test), 200);
        assert_int_equal(cmw_test_alloc_calls(test), before);
        assert_int_equal(cmw_test_destroy(test), 0);
    }
    free(body.data);
}

static void without_memory_the_body_comes_as_it_is(void **state)
{
    struct bytes body = bytes_make(16384, 1);
    struct answer answer = {.status = 200, .type = TEXT, .body = cmw_str_make(body.data, body.len)};
    int failed = 1;

    (void)state;
    for (uint32_t after = 0; failed; after++) {
        cmw_test *test = open_component("compression", NULL, NULL);
        cmw_test_set_handler(test, on_handler, &answer);
        cmw_test_request(test, "GET", "/");
        assert_int_equal(cmw_test_send_quick(test), 200); /* it has a context */
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Accept-Encoding", "gzip");
        cmw_test_fail_after(test, after);
        const int status = cmw_test_send(test);
        failed = cmw_test_has_failed(test);
        cmw_test_fail_after(test, CMW_NONE);
        assert_true(status == 200 || (failed && status == 503));
        check_field(test, "Content-Encoding", failed ? NULL : "gzip");
        assert_int_equal(cmw_test_destroy(test), 0);
    }
    free(body.data);
}

/* ---- Configs ----------------------------------------------------------------------------- */

static const char *const bad_names[] = {"gzip", "lzma"};
static const char *const twice[] = {"gzip", "x-gzip"};
static const char *const bad_types[] = {"text"};

static void bad_configs_are_refused(void **state)
{
    cmw_compression_config config;

    (void)state;
#define REFUSED(change, sentence)                                                                  \
    cmw_compression_config_init(&config);                                                          \
    change;                                                                                        \
    assert_config_refused("compression", &config, sentence)
    REFUSED((config.encodings = bad_names, config.encoding_count = 2),
            "compression: encodings: 'lzma' is none of br, zstd, gzip, deflate");
    REFUSED((config.encodings = twice, config.encoding_count = 2),
            "compression: encodings: 'x-gzip' is there twice");
    REFUSED((config.types = bad_types, config.type_count = 1),
            "compression: types: 'text' is no media type, nor text/* or *+json");
    REFUSED(config.min_size = -1, "compression: min_size: -1 is not in 0..9223372036854775807");
    REFUSED(config.level = 0, "compression: level: 0 is not in 1..9");
    REFUSED(config.br_quality = 12, "compression: br_quality: 12 is not in 0..11");
    REFUSED(config.zstd_level = 20, "compression: zstd_level: 20 is not in 1..19");
    REFUSED(config.flush = 2, "compression: flush: 2 is no such rule");
#undef REFUSED
}

static void it_cannot_be_told_to_fail_open(void **state)
{
    cmw_test *test = NULL;
    cmw_middleware mw;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};
    cmw_plan *plan = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = "compression";
    assert_int_equal(cmw_compression_create(cmw_test_engine(test), &mw, NULL, &diag), 0);
    mw.failure = CMW_FAIL_OPEN;
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_add(chain, &mw, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_CONFLICT);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_comes_out_decodes_to_what_went_in),
        cmocka_unit_test(fields_tell_of_the_bytes_that_are_sent),
        cmocka_unit_test(a_body_that_the_host_sends_by_itself_is_left_alone),
        cmocka_unit_test(a_warm_response_allocates_nothing),
        cmocka_unit_test(without_memory_the_body_comes_as_it_is),
        cmocka_unit_test(bad_configs_are_refused),
        cmocka_unit_test(it_cannot_be_told_to_fail_open),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("compression", tests, NULL, NULL);
}
