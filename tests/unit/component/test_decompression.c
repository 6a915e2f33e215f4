/* SPDX-License-Identifier: MIT */
/* decompression: what is accepted, what is too much, what is not what it says; cut at every place.
 */
#include "compression_fixture.h"

static struct bytes received;
static int saw_encoding;

static int on_handler(void *self, cmw_ctx *ctx)
{
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));

    (void)self;
    received.len = body.len;
    received.data = realloc(received.data, body.len + 1);
    if (body.len > 0)
        memcpy(received.data, body.data, body.len);
    saw_encoding = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_CONTENT_ENCODING) != NULL;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static cmw_test *open_bench(const cmw_decompression_config *config, uint64_t body_bytes)
{
    cmw_engine_config engine_config;

    cmw_engine_config_init(&engine_config);
    engine_config.limits.body_bytes = body_bytes;
    cmw_test *test = open_component("decompression", config, &engine_config);
    cmw_test_set_handler(test, on_handler, NULL);
    return test;
}

static int send(cmw_test *test, const char *coding, cmw_str body, size_t step)
{
    cmw_test_request(test, "POST", "/");
    if (coding)
        cmw_test_header(test, "Content-Encoding", coding);
    cmw_test_body(test, body);
    cmw_test_set_chunk_bytes(test, step);
    received.len = SIZE_MAX;
    return cmw_test_send(test);
}

static void expect_received(const struct bytes *plain)
{
    assert_int_equal(received.len, plain->len);
    assert_memory_equal(received.data, plain->data, plain->len);
    assert_int_equal(saw_encoding, 0);
}

static const char *const codings[] = {"br", "zstd", "gzip", "deflate"};

/* ---- Good bodies
 * --------------------------------------------------------------------------------- */

static void bodies_are_decoded_however_they_are_cut(void **state)
{
    static const size_t lengths[] = {0, 1, 100, 40000};
    static const size_t steps[] = {1, 2, 3, 7, 100, 0};
    cmw_test *test = open_bench(NULL, 1 << 20);

    (void)state;
    for (size_t i = 0; i < LEN(codings); i++)
        for (size_t k = 0; k < LEN(lengths); k++)
            for (int shrinks = 0; shrinks < 2; shrinks++) {
                struct bytes plain = bytes_make(lengths[k], shrinks);
                struct bytes coded = encode(cmw_str_make(plain.data, plain.len), codings[i]);
                for (size_t s = 0; s < LEN(steps); s++) {
                    const int status =
                        send(test, codings[i], cmw_str_make(coded.data, coded.len), steps[s]);
                    assert_int_equal(status, 200);
                    expect_received(&plain);
                }
                free(coded.data);
                free(plain.data);
            }
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* RFC 1952, 2.2; RFC 8878, 3. */
static void several_members_are_one_body(void **state)
{
    static const char *const able[] = {"gzip", "zstd"};
    cmw_test *test = open_bench(NULL, 1 << 20);
    struct bytes plain = bytes_make(3 * 1000, 1);

    (void)state;
    for (size_t i = 0; i < LEN(able); i++) {
        struct bytes all = bytes_new(65536);
        for (size_t k = 0; k < 3; k++) {
            struct bytes one = encode(cmw_str_make(plain.data + k * 1000, 1000), able[i]);
            memcpy(all.data + all.len, one.data, one.len);
            all.len += one.len;
            free(one.data);
        }
        for (size_t step = 0; step < 60; step++) {
            assert_int_equal(send(test, able[i], cmw_str_make(all.data, all.len), step), 200);
            expect_received(&plain);
        }
        free(all.data);
    }
    free(plain.data);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void what_is_not_coded_passes(void **state)
{
    cmw_test *test = open_bench(NULL, 1 << 20);

    (void)state;
    assert_int_equal(send(test, NULL, CMW_STR("plain"), 0), 200);
    assert_memory_equal(received.data, "plain", 5);
    assert_int_equal(send(test, "Identity", CMW_STR("plain"), 0), 200);
    assert_memory_equal(received.data, "plain", 5);
    assert_int_equal(send(test, "gzip", CMW_STR(""), 0), 200); /* nothing, in whichever coding */
    assert_int_equal(received.len, 0);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Refused by their head
 * ------------------------------------------------------------------------ */

static void codings_that_are_not_accepted_are_a_415(void **state)
{
    static const char *const only[] = {"zstd", "gzip"};
    cmw_decompression_config config;

    (void)state;
    cmw_decompression_config_init(&config);
    config.encodings = only;
    config.encoding_count = 2;
    cmw_test *test = open_bench(&config, 1 << 20);
    static const char *const refused[] = {"br",    "lzma",   "gzip, gzip", "gzip,identity",
                                          "gzipx", "*",      "gzip;q=1",   "",
                                          "g zip", "chunked"};
    for (size_t i = 0; i < LEN(refused); i++) {
        assert_int_equal(send(test, refused[i], CMW_STR("body"), 0), 415);
        assert_string_equal(cmw_test_response_field(test, "Accept-Encoding"), "zstd, gzip");
        assert_int_equal(received.len, SIZE_MAX);
    }
    cmw_test_request(test, "POST", "/");
    cmw_test_header(test, "Content-Encoding", "gzip");
    cmw_test_header(test, "Content-Encoding", "gzip");
    cmw_test_body(test, CMW_STR("body"));
    assert_int_equal(cmw_test_send(test), 415);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Not what they say
 * ----------------------------------------------------------------------------- */

static void broken_bodies_are_a_400(void **state)
{
    cmw_test *test = open_bench(NULL, 1 << 20);
    struct bytes plain = bytes_make(500, 1);

    (void)state;
    for (size_t i = 0; i < LEN(codings); i++) {
        struct bytes coded = encode(cmw_str_make(plain.data, plain.len), codings[i]);
        for (size_t len = 1; len < coded.len; len++)
            for (size_t step = 0; step < 2; step++)
                assert_int_equal(send(test, codings[i], cmw_str_make(coded.data, len), step), 400);
        coded.data[coded.len] = 'x'; /* something behind the end: there is room for one more */
        for (size_t step = 0; step < 2; step++)
            assert_int_equal(send(test, codings[i], cmw_str_make(coded.data, coded.len + 1), step),
                             400);
        assert_int_equal(send(test, codings[i], CMW_STR("this is plain text"), 0), 400);
        assert_int_equal(send(test, codings[i], cmw_str_make(coded.data, coded.len), 0), 200);
        free(coded.data);
    }
    free(plain.data);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Too much
 * --------------------------------------------------------------------------------------- */

static void limits_hold_for_what_comes_out(void **state)
{
    cmw_decompression_config config;

    (void)state;
    cmw_decompression_config_init(&config);
    config.limit_bytes = 1000;
    for (int has_own = 0; has_own < 2; has_own++) {
        cmw_test *test = open_bench(has_own ? &config : NULL, has_own ? 1 << 20 : 1000);
        for (size_t i = 0; i < LEN(codings); i++)
            for (size_t len = 999; len <= 1001; len++) {
                struct bytes plain = bytes_make(len, 1);
                struct bytes coded = encode(cmw_str_make(plain.data, plain.len), codings[i]);
                for (size_t step = 0; step < 3; step++)
                    assert_int_equal(
                        send(test, codings[i], cmw_str_make(coded.data, coded.len), step),
                        len <= 1000 ? 200 : 413);
                free(coded.data);
                free(plain.data);
            }
        assert_int_equal(cmw_test_destroy(test), 0);
    }
}

/* 64 MiB of nothing in some kilobytes: it ends long before it is all out. */
static void bombs_are_a_413(void **state)
{
    enum { BOMB = 64 << 20 };
    cmw_decompression_config config;
    char *zeros = calloc(1, BOMB);

    (void)state;
    assert_non_null(zeros);
    cmw_decompression_config_init(&config);
    cmw_test *test = open_bench(&config, (uint64_t)1 << 30);
    for (size_t i = 0; i < LEN(codings); i++) {
        struct bytes coded = encode(cmw_str_make(zeros, BOMB), codings[i]);
        assert_true(coded.len < BOMB / 500);
        for (size_t step = 0; step <= 1000; step += 1000) {
            assert_int_equal(send(test, codings[i], cmw_str_make(coded.data, coded.len), step),
                             413);
            assert_int_equal(received.len, SIZE_MAX);
        }
        free(coded.data);
    }
    free(zeros);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Memory
 * ------------------------------------------------------------------------------------------ */

static void a_warm_body_allocates_nothing(void **state)
{
    cmw_test *test = open_bench(NULL, 1 << 20);
    struct bytes plain = bytes_make(20000, 1);

    (void)state;
    for (size_t i = 0; i < LEN(codings); i++) {
        struct bytes coded = encode(cmw_str_make(plain.data, plain.len), codings[i]);
        uint64_t before = 0;
        for (int k = 0; k < 4; k++) {
            if (k == 2)
                before = cmw_test_alloc_calls(test);
            assert_int_equal(send(test, codings[i], cmw_str_make(coded.data, coded.len), 100), 200);
        }
        assert_int_equal(cmw_test_alloc_calls(test), before);
        free(coded.data);
    }
    free(plain.data);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void without_memory_it_is_a_503(void **state)
{
    struct bytes plain = bytes_make(2000, 1);
    struct bytes coded = encode(cmw_str_make(plain.data, plain.len), "gzip");
    int failed = 1;

    (void)state;
    for (uint32_t after = 0; failed; after++) {
        cmw_test *test = open_bench(NULL, 1 << 20);
        assert_int_equal(send(test, NULL, CMW_STR("warm"), 0), 200);
        cmw_worker_trim(cmw_test_worker(test));
        cmw_test_fail_after(test, after);
        const int status = send(test, "gzip", cmw_str_make(coded.data, coded.len), 0);
        failed = cmw_test_has_failed(test);
        cmw_test_fail_after(test, CMW_NONE);
        assert_int_equal(status, !failed ? 200 : after == 0 ? 0 : 503);
        assert_int_equal(cmw_test_destroy(test), 0);
    }
    free(coded.data);
    free(plain.data);
}

static void bad_configs_are_refused(void **state)
{
    cmw_decompression_config config;

    (void)state;
    cmw_decompression_config_init(&config);
    config.limit_bytes = -1;
    assert_config_refused("decompression", &config,
                          "decompression: limit: -1 is less than nothing");
    cmw_decompression_config_init(&config);
    config.max_ratio = 0;
    assert_config_refused("decompression", &config,
                          "decompression: max_ratio: 0 is not in 1..1000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded_however_they_are_cut),
        cmocka_unit_test(several_members_are_one_body),
        cmocka_unit_test(what_is_not_coded_passes),
        cmocka_unit_test(codings_that_are_not_accepted_are_a_415),
        cmocka_unit_test(broken_bodies_are_a_400),
        cmocka_unit_test(limits_hold_for_what_comes_out),
        cmocka_unit_test(bombs_are_a_413),
        cmocka_unit_test(a_warm_body_allocates_nothing),
        cmocka_unit_test(without_memory_it_is_a_503),
        cmocka_unit_test(bad_configs_are_refused),
    };

    const int failed = cmocka_run_group_tests_name("decompression", tests, NULL, NULL);
    free(received.data);
    return failed;
}
