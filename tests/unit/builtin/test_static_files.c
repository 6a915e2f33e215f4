/* SPDX-License-Identifier: MIT */
/* static_files: what is served, what is not there, and what must not be had. */
#include "builtin_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catzilla/builtin/static_files.h>
#include <catzilla/builtin/url_path.h>

#include "static_state.h"

enum { BIG = 200 * 1024 };

static char folder[64]; /* .../www is the root; .../outside lies beside it */

/* ---- The files -------------------------------------------------------------------------- */

static const char *at(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *content, size_t len)
{
    const struct timespec times[2] = {{784111777, 500}, {784111777, 500}};
    const int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (ssize_t)len);
    assert_int_equal(futimens(fd, times), 0); /* Sun, 06 Nov 1994 08:49:37 GMT */
    close(fd);
}

static void put_text(const char *name, const char *content)
{
    put(name, content, strlen(content));
}

static void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, at(name)), 0);
}

static int make_files(void **state)
{
    static char big[BIG];

    (void)state;
    strcpy(folder, "/tmp/cmw_static_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mkdir(at("www"), 0700), 0);
    assert_int_equal(mkdir(at("www/dir"), 0700), 0);
    assert_int_equal(mkdir(at("www/dir/none"), 0700), 0);
    assert_int_equal(mkdir(at("www/.git"), 0700), 0);
    put_text("outside", "secret");
    put_text("www/index.html", "<h1>index</h1>");
    put_text("www/a.css", "0123456789");
    put_text("www/a.css.br", "brotli");
    put_text("www/a.css.gz", "gzipped!");
    put_text("www/plain.txt", "plain");
    put_text("www/a b.txt", "blank");
    put_text("www/data.foo", "foo");
    put_text("www/noext", "noext");
    put_text("www/empty", "");
    put_text("www/dir/index.html", "dir");
    put_text("www/dir/x.js", "js");
    put_text("www/.secret", "secret");
    put_text("www/dir/.hidden", "secret");
    put_text("www/.git/config", "secret");
    make_link("../outside", "www/link");
    make_link("/etc/passwd", "www/absolute");
    make_link("..", "www/up");
    make_link("plain.txt", "www/inside");
    make_link("dir", "www/dirlink");
    assert_int_equal(mkfifo(at("www/pipe"), 0600), 0);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 26);
    put("www/big.bin", big, sizeof big);
    return 0;
}

static int remove_files(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *const codings[] = {"br", "gzip"};
static const cmw_option_text types[] = {{"foo", "text/x-foo"}};

static void set(cmw_static_files_config *config)
{
    static char root[80];

    snprintf(root, sizeof root, "%s/www", folder);
    cmw_static_files_config_init(config);
    config->root = root;
    config->go_on = 0;
    config->types = types;
    config->type_count = LEN(types);
    config->cache_control = "max-age=60";
}

static cmw_test *open_files(const cmw_static_files_config *config, int by_steps)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_middleware mw;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "files";
    assert_int_equal(cmw_static_files_create(cmw_test_engine(test), &mw, config, NULL), 0);
    ((struct cmw__static_files *)mw.self)->by_steps |= by_steps; /* set where openat2 is missing */
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    return test;
}

/* ---- Paths ------------------------------------------------------------------------------ */

struct row {
    const char *name;
    const char *target;
    int status;
    const char *detail; /* the body; of a redirect its Location */
    const char *type;
};

static const struct row rows[] = {
    {"a file", "/a.css", 200, "0123456789", "text/css; charset=utf-8"},
    {"the index of the root", "/", 200, "<h1>index</h1>", "text/html; charset=utf-8"},
    {"the index of a folder", "/dir/", 200, "dir", "text/html; charset=utf-8"},
    {"a file in a folder", "/dir/x.js?v=1", 200, "js", "text/javascript; charset=utf-8"},
    {"a type of one's own", "/data.foo", 200, "foo", "text/x-foo"},
    {"no type", "/noext", 200, "noext", "application/octet-stream"},
    {"a blank in a name", "/a%20b.txt", 200, "blank", "text/plain; charset=utf-8"},
    {"nothing in it", "/empty", 200, "", "application/octet-stream"},
    {"another spelling", "/x/../%61.css", 200, "0123456789", "text/css; charset=utf-8"},
    {"a folder without its slash", "/dir", 308, "/dir/", NULL},
    {"the query goes along", "/dir?a=b", 308, "/dir/?a=b", NULL},
    {"two slashes do not make a host", "//dir", 308, "/dir/", NULL},
    {"a folder without an index", "/dir/none/", 404, NULL, NULL},
    {"not there", "/nothing", 404, NULL, NULL},
    {"a file is no folder", "/a.css/", 404, NULL, NULL},
    {"nor has it files", "/a.css/b", 404, NULL, NULL},
    {"in another case", "/A.css", 404, NULL, NULL},
    {"climbing", "/../outside", 404, NULL, NULL},
    {"climbing by escapes", "/%2e%2e/outside", 404, NULL, NULL},
    {"climbing by an escaped slash", "/..%2foutside", 404, NULL, NULL},
    {"climbing by two of them", "/dir%2f..%2f..%2foutside", 404, NULL, NULL},
    {"climbing by a backslash", "/..%5coutside", 404, NULL, NULL},
    {"climbing by what is escaped twice", "/%252e%252e/outside", 404, NULL, NULL},
    {"climbing by overlong bytes", "/%c0%ae%c0%ae/outside", 404, NULL, NULL},
    {"an absolute name", "/%2fetc%2fpasswd", 404, NULL, NULL},
    {"a name cut by NUL", "/a.css%00.png", 404, NULL, NULL},
    {"a line end in a name", "/a.css%0a", 404, NULL, NULL},
    {"a stream of another system", "/a.css::$DATA", 404, NULL, NULL},
    {"a name with a dot at its front", "/.secret", 404, NULL, NULL},
    {"one in a folder", "/dir/.hidden", 404, NULL, NULL},
    {"one of a folder", "/.git/config", 404, NULL, NULL},
    {"one by an escape", "/%2egit/config", 404, NULL, NULL},
    {"a link that leads out", "/link", 404, NULL, NULL},
    {"an absolute link", "/absolute", 404, NULL, NULL},
    {"a link to a folder that leads out", "/up/outside", 404, NULL, NULL},
    {"a link inside", "/inside", 404, NULL, NULL},
    {"a link to a folder inside", "/dirlink/x.js", 404, NULL, NULL},
    {"a pipe is not waited for", "/pipe", 404, NULL, NULL},
    {"no path", "*", 404, NULL, NULL},
};

static void check_path(const struct row *row, int by_steps)
{
    cmw_static_files_config config;

    set(&config);
    cmw_test *test = open_files(&config, by_steps);
    cmw_test_request(test, "GET", row->target);
    assert_int_equal(cmw_test_send(test), row->status);
    if (row->status == 200)
        assert_string_equal(cmw_test_response_body(test).data, row->detail);
    if (row->status == 308)
        assert_string_equal(cmw_test_response_field(test, "Location"), row->detail);
    if (row->type) {
        assert_string_equal(cmw_test_response_field(test, "Content-Type"), row->type);
        assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "max-age=60");
        assert_string_equal(cmw_test_response_field(test, "Accept-Ranges"), "bytes");
        assert_string_equal(cmw_test_response_field(test, "Last-Modified"),
                            "Sun, 06 Nov 1994 08:49:37 GMT");
    }
    assert_no_allocation(test);
    close_bench(test);
}

static void check_row(void **state)
{
    check_path(*state, 0);
    check_path(*state, 1);
}

/* ---- Ranges and conditions -------------------------------------------------------------- */

#define TAG "\"2ebc98a1.1f4-a\"" /* 784111777 s, 500 ns, 10 bytes */

struct ask {
    const char *name;
    const char *fields[4]; /* name, value, name, value */
    int status;
    const char *body;
    const char *range; /* Content-Range */
};

static const struct ask asks[] = {
    {"a range", {"Range", "bytes=2-4"}, 206, "234", "bytes 2-4/10"},
    {"the end", {"Range", "bytes=-2"}, 206, "89", "bytes 8-9/10"},
    {"outside", {"Range", "bytes=10-"}, 416, NULL, "bytes */10"},
    {"overlapping", {"Range", "bytes=0-5,3-8"}, 416, NULL, "bytes */10"},
    {"no range", {"Range", "bytes=x"}, 200, "0123456789", NULL},
    {"If-Range by tag", {"If-Range", TAG, "Range", "bytes=0-1"}, 206, "01", "bytes 0-1/10"},
    {"If-Range by another", {"If-Range", "\"x\"", "Range", "bytes=0-1"}, 200, "0123456789", NULL},
    {"If-Range by a weak one",
     {"If-Range", "W/" TAG, "Range", "bytes=0-1"},
     200,
     "0123456789",
     NULL},
    {"If-Range by date",
     {"If-Range", "Sun, 06 Nov 1994 08:49:37 GMT", "Range", "bytes=0-1"},
     206,
     "01",
     "bytes 0-1/10"},
    {"If-Range by a later date",
     {"If-Range", "Sun, 06 Nov 1994 08:49:38 GMT", "Range", "bytes=0-1"},
     200,
     "0123456789",
     NULL},
    {"it has this one", {"If-None-Match", TAG}, 304, "", NULL},
    {"in a list, weak", {"If-None-Match", "\"x\", W/" TAG}, 304, "", NULL},
    {"it has any", {"If-None-Match", "*"}, 304, "", NULL},
    {"it has another", {"If-None-Match", "\"x\""}, 200, "0123456789", NULL},
    {"unchanged since", {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}, 304, "", NULL},
    {"changed since",
     {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"},
     200,
     "0123456789",
     NULL},
    {"no date", {"If-Modified-Since", "yesterday"}, 200, "0123456789", NULL},
    {"the tag is asked before the date",
     {"If-None-Match", "\"x\"", "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"},
     200,
     "0123456789",
     NULL},
    {"only if it is this one", {"If-Match", TAG}, 200, "0123456789", NULL},
    {"only if it is another", {"If-Match", "\"x\""}, 412, NULL, NULL},
    {"a weak one is not it", {"If-Match", "W/" TAG}, 412, NULL, NULL},
    {"only if unchanged",
     {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"},
     412,
     NULL,
     NULL},
    {"a condition before a range", {"If-None-Match", TAG, "Range", "bytes=0-1"}, 304, "", NULL},
};

static void check_ask(void **state)
{
    const struct ask *ask = *state;
    cmw_static_files_config config;

    set(&config);
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "GET", "/a.css");
    for (size_t i = 0; i < 4 && ask->fields[i]; i += 2)
        cmw_test_header(test, ask->fields[i], ask->fields[i + 1]);
    assert_int_equal(cmw_test_send(test), ask->status);
    if (ask->body)
        assert_string_equal(cmw_test_response_body(test).data, ask->body);
    assert_string_equal(cmw_test_response_field(test, "ETag"), TAG);
    const char *range = cmw_test_response_field(test, "Content-Range");
    if (ask->range)
        assert_string_equal(range, ask->range);
    else
        assert_null(range);
    assert_no_allocation(test);
    close_bench(test);
}

static void several_ranges_are_parts(void **state)
{
    cmw_static_files_config config;
    char expected[512], boundary[40];

    (void)state;
    set(&config);
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "GET", "/a.css");
    cmw_test_header(test, "Range", "bytes=8-,0-1");
    assert_int_equal(cmw_test_send(test), 206);
    const char *type = cmw_test_response_field(test, "Content-Type");
    assert_int_equal(sscanf(type, "multipart/byteranges; boundary=%39s", boundary), 1);
    snprintf(expected, sizeof expected,
             "\r\n--%s\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes "
             "8-9/10\r\n\r\n89\r\n--%s\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: "
             "bytes 0-1/10\r\n\r\n01\r\n--%s--\r\n",
             boundary, boundary, boundary);
    assert_string_equal(cmw_test_response_body(test).data, expected);
    assert_null(cmw_test_response_field(test, "Content-Range"));
    close_bench(test);
}

static void a_long_file_comes_whole(void **state)
{
    cmw_static_files_config config;

    (void)state;
    set(&config);
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "GET", "/big.bin");
    assert_int_equal(cmw_test_send(test), 200);
    const cmw_str body = cmw_test_response_body(test);
    assert_int_equal(body.len, BIG);
    for (size_t i = 0; i < BIG; i++)
        assert_int_equal(body.data[i], 'a' + i % 26);
    cmw_test_request(test, "GET", "/big.bin");
    cmw_test_header(test, "Range", "bytes=1-100000,150000-");
    assert_int_equal(cmw_test_send(test), 206);
    assert_true(cmw_test_response_body(test).len > 100000 + BIG - 150000);
    close_bench(test);
}

/* A host that streams. */
static cmw_worker *take_streaming_worker(cmw_test *test)
{
    static const cmw_host host = {.size = sizeof host,
                                  .capabilities = CMW_CAP_STREAM_RESPONSE_BODY};
    cmw_worker *worker = NULL;

    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(test), &worker, &host, NULL), 0);
    return worker;
}

struct piece_row {
    const char *name;
    const char *target;
    const char *range;
    uint64_t first, len; /* of what the host may send from the file; 0: nothing */
};

static const struct piece_row piece_rows[] = {
    {"a long file may be sent by the system", "/big.bin", NULL, 0, BIG},
    {"and a range of it", "/big.bin", "bytes=1000-120999", 1000, 120000},
    {"several ranges are no piece of it", "/big.bin", "bytes=0-99999,120000-", 0, 0},
    {"what is short was read already", "/a.css", NULL, 0, 0},
};

static void check_piece(void **state)
{
    const struct piece_row *row = *state;
    cmw_static_files_config config;
    cmw_request_view view;
    cmw_header range = {CMW_STR("Range"), cmw_str_cstr(row->range)};
    cmw_ctx *ctx;

    set(&config);
    cmw_test *test = open_files(&config, 0);
    cmw_worker *worker = take_streaming_worker(test);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = cmw_str_cstr(row->target);
    view.headers = &range;
    view.header_count = row->range != NULL;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_RESPOND);
    const cmw_body_file *file = cmw_ctx_body_file(ctx);
    int fd = -1;
    if (row->len == 0) {
        assert_null(file);
    } else {
        char first;
        assert_non_null(file);
        fd = file->fd;
        assert_int_equal(file->offset, row->first);
        assert_int_equal(cmw_response_content_length(cmw_ctx_response(ctx)), row->len);
        assert_int_equal(pread(fd, &first, 1, (off_t)file->offset), 1);
        assert_int_equal(first, 'a' + row->first % 26);
    }
    cmw_ctx_end(ctx, CMW_END_SENT);
    if (fd >= 0)
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was closed */
    cmw_engine_put_worker(cmw_test_engine(test), worker);
    close_bench(test);
}

static void other_methods_are_not_answered(void **state)
{
    cmw_static_files_config config;

    (void)state;
    set(&config);
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "POST", "/a.css");
    assert_int_equal(cmw_test_send(test), 405);
    assert_string_equal(cmw_test_response_field(test, "Allow"), "GET, HEAD");
    cmw_test_request(test, "HEAD", "/a.css");
    cmw_test_header(test, "Range", "bytes=0-1"); /* a range is of GET only */
    assert_int_equal(cmw_test_send(test), 200);
    assert_non_null(strstr(cmw_test_response_head(test).data, "Content-Length: 10\r\n"));
    close_bench(test);
    config.go_on = 1;
    test = open_files(&config, 0);
    cmw_test_request(test, "POST", "/a.css");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "ok");
    cmw_test_request(test, "GET", "/.secret");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "ok");
    close_bench(test);
}

static void a_prefix_is_taken_off(void **state)
{
    cmw_static_files_config config;

    (void)state;
    set(&config);
    config.prefix = "/assets/";
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "GET", "/assets/a.css");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "0123456789");
    cmw_test_request(test, "GET", "/assetsa.css");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "ok");
    cmw_test_request(test, "GET", "/assets/dir");
    assert_int_equal(cmw_test_send(test), 308);
    assert_string_equal(cmw_test_response_field(test, "Location"), "/assets/dir/");
    close_bench(test);
}

/* ---- Codings ---------------------------------------------------------------------------- */

struct coding {
    const char *name;
    const char *accepts; /* NULL: no field */
    const char *body;
};

static const struct coding coding_rows[] = {
    {"without the field", NULL, "0123456789"},
    {"br", "br", "brotli"},
    {"gzip", "gzip, deflate", "gzipped!"},
    {"the first of the config where both are wanted", "gzip, br", "brotli"},
    {"the one that is wanted more", "br;q=0.5, gzip;q=0.8", "gzipped!"},
    {"refused", "br;q=0, gzip;q=0.0", "0123456789"},
    {"any", "*", "brotli"},
    {"any but br", "br;q=0, *;q=0.1", "gzipped!"},
    {"another", "zstd", "0123456789"},
    {"in any case", "GZIP", "gzipped!"},
    {"by its old name", "x-gzip", "gzipped!"},
    {"what is not coded is wanted more", "identity, gzip;q=0.5", "0123456789"},
    {"or less", "identity;q=0.4, gzip;q=0.5", "gzipped!"},
    {"or not at all", "identity;q=0, gzip;q=0.1", "gzipped!"},
    {"malformed", "br;q=2, gzip;q=x", "0123456789"},
    {"malformed, and one that is not", "br;q=, gzip", "gzipped!"},
    {"what begins like it", "brx, xgzip", "0123456789"},
};

static void check_coding(void **state)
{
    const struct coding *row = *state;
    cmw_static_files_config config;

    set(&config);
    config.precompressed = codings;
    config.precompressed_count = LEN(codings);
    cmw_test *test = open_files(&config, 0);
    cmw_test_request(test, "GET", "/a.css");
    if (row->accepts)
        cmw_test_header(test, "Accept-Encoding", row->accepts);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, row->body);
    assert_string_equal(cmw_test_response_field(test, "Vary"), "Accept-Encoding");
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "text/css; charset=utf-8");
    const char *coding = cmw_test_response_field(test, "Content-Encoding");
    if (row->body[0] == '0')
        assert_null(coding);
    else
        assert_string_equal(coding, row->body[0] == 'b' ? "br" : "gzip");
    if (row->body[0] == 'b')
        assert_non_null(strstr(cmw_test_response_field(test, "ETag"), "-br\""));
    cmw_test_request(test, "GET", "/plain.txt"); /* has none beside it */
    if (row->accepts)
        cmw_test_header(test, "Accept-Encoding", row->accepts);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "plain");
    assert_null(cmw_test_response_field(test, "Content-Encoding"));
    close_bench(test);
}

/* ---- Configs ---------------------------------------------------------------------------- */

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"gzip", "deflate"};
    static const cmw_option_text type = {".x", "text/plain"};
    cmw_static_files_config config;

    (void)state;
    assert_refused("static_files", NULL, CMW_ERR_ARG, "static_files: root: a folder is needed");
    set(&config);
    config.root = "/nowhere/at/all";
    assert_refused("static_files", &config, CMW_ERR_IO,
                   "static_files: root: '/nowhere/at/all': No such file or directory");
    set(&config);
    config.prefix = "//evil";
    assert_refused("static_files", &config, CMW_ERR_INVALID,
                   "static_files: prefix: '//evil' is no path");
    set(&config);
    config.index = "../index.html";
    assert_refused("static_files", &config, CMW_ERR_INVALID,
                   "static_files: index: '../index.html' is not the name of a file");
    set(&config);
    config.cache_control = "a\nb";
    assert_refused("static_files", &config, CMW_ERR_INVALID,
                   "static_files: cache_control: the text cannot stand in a field");
    set(&config);
    config.precompressed = bad;
    config.precompressed_count = 2;
    assert_refused("static_files", &config, CMW_ERR_INVALID,
                   "static_files: precompressed: 'deflate' is not one of br, zstd and gzip, once");
    set(&config);
    config.types = &type;
    config.type_count = 1;
    assert_refused("static_files", &config, CMW_ERR_INVALID,
                   "static_files: types: '.x' is not an extension with a media type");
}

static void failing_memory_is_survived(void **state)
{
    cmw_static_files_config config;

    (void)state;
    set(&config);
    assert_survives_failing_memory("static_files", &config);
}

#define FILL(rows_, test_)                                                                         \
    for (size_t i = 0; i < LEN(rows_); i++)                                                        \
        tests[count++] = (struct CMUnitTest)                                                       \
        {                                                                                          \
            .name = (rows_)[i].name, .test_func = (test_),                                         \
            .initial_state = (void *)(uintptr_t) & (rows_)[i]                                      \
        }

int main(void)
{
    static struct CMUnitTest tests[LEN(rows) + LEN(asks) + LEN(coding_rows) + LEN(piece_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(several_ranges_are_parts),
        cmocka_unit_test(a_long_file_comes_whole),
        cmocka_unit_test(other_methods_are_not_answered),
        cmocka_unit_test(a_prefix_is_taken_off),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    size_t count = 0;

    FILL(rows, check_row);
    FILL(asks, check_ask);
    FILL(coding_rows, check_coding);
    FILL(piece_rows, check_piece);
    return cmocka_run_group_tests_name("static_files", tests, make_files, remove_files) |
           cmocka_run_group_tests_name("static_files: the rest", others, make_files, remove_files);
}
