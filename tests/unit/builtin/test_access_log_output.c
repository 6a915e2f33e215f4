/* SPDX-License-Identifier: MIT */
/* Where the lines of access_log go: files, descriptors, callbacks that fail, threads, reloads. */
#include "builtin_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catzilla/builtin/access_log.h>

/* ---- A folder of its own ---------------------------------------------------------------- */

struct folder {
    char path[64];
    char file[80], moved[80];
};

static void open_folder(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/cmw-log-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->file, sizeof folder->file, "%s/access.log", folder->path);
    (void)snprintf(folder->moved, sizeof folder->moved, "%s/access.log.1", folder->path);
}

static void close_folder(const struct folder *folder)
{
    (void)unlink(folder->file);
    (void)unlink(folder->moved);
    assert_int_equal(rmdir(folder->path), 0);
}

static void assert_file(const char *path, const char *want)
{
    char text[4096];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, want);
}

/* ---- Requests --------------------------------------------------------------------------- */

static void get(cmw_test *test, const char *target)
{
    cmw_test_request(test, "GET", target);
    assert_int_equal(cmw_test_send_quick(test), 200);
}

static void install_again(cmw_test *test, const cmw_access_log_config *config)
{
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "access_log", config, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
}

static cmw_access_log_counts count(cmw_test *test)
{
    cmw_access_log_counts counts;
    assert_int_equal(cmw_access_log_count(cmw_test_engine(test), &counts, "access_log"), 0);
    return counts;
}

static cmw_access_log_config config_of(const char *format)
{
    cmw_access_log_config config;

    cmw_access_log_config_init(&config);
    config.format = format;
    return config;
}

/* ---- Files ------------------------------------------------------------------------------ */

static void a_file_is_made_and_appended_to(void **state)
{
    struct folder folder;
    struct stat status;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.file;
    for (int i = 0; i < 2; i++) {
        cmw_test *test = open_bench("access_log", &config);
        get(test, "/a");
        (void)cmw_engine_poll(cmw_test_engine(test));
        get(test, "/b");
        close_bench(test); /* writes what is left */
    }
    assert_file(folder.file, "/a\n/b\n/a\n/b\n");
    assert_int_equal(stat(folder.file, &status), 0);
    assert_int_equal(status.st_mode & 07007, 0); /* not for all to read */
    close_folder(&folder);
}

static void reopening_goes_on_in_a_new_file(void **state)
{
    struct folder folder;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.file;
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/1");
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_int_equal(rename(folder.file, folder.moved), 0);
    get(test, "/2"); /* still the old one: nobody asked yet */
    (void)cmw_engine_poll(cmw_test_engine(test));
    get(test, "/3");
    assert_int_equal(cmw_access_log_reopen(cmw_test_engine(test)), 0);
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_file(folder.moved, "/1\n/2\n");
    assert_file(folder.file, "/3\n");
    close_bench(test);
    close_folder(&folder);
}

static void a_file_that_cannot_be_reopened_leaves_the_old_one(void **state)
{
    struct folder folder;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.file;
    cmw_test *test = open_bench("access_log", &config);
    assert_int_equal(rename(folder.file, folder.moved), 0);
    assert_int_equal(mkdir(folder.file, 0700), 0);
    assert_int_equal(cmw_access_log_reopen(cmw_test_engine(test)), 0);
    get(test, "/1");
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_file(folder.moved, "/1\n");
    assert_int_equal(count(test).write_errors, 1);
    close_bench(test);
    assert_int_equal(rmdir(folder.file), 0);
    close_folder(&folder);
}

static void reopening_without_a_log_does_nothing(void **state)
{
    cmw_test *test = open_bench("request_id", NULL);

    (void)state;
    assert_int_equal(cmw_access_log_reopen(cmw_test_engine(test)), 0);
    assert_int_equal(cmw_access_log_reopen(NULL), CMW_ERR_ARG);
    assert_int_equal(count(test).lines, 0);
    close_bench(test);
}

static void a_full_disk_is_counted_and_nothing_waits(void **state)
{
    cmw_access_log_config config = config_of("%U");

    (void)state;
    config.file = "/dev/full";
    cmw_test *test = open_bench("access_log", &config);
    for (int i = 1; i <= 3; i++) {
        get(test, "/a");
        assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
        assert_int_equal(count(test).write_errors, i);
    }
    assert_int_equal(count(test).lines, 3);
    assert_int_equal(count(test).lost, 0);
    assert_int_equal(count(test).written_bytes, 0);
    close_bench(test);
}

/* ---- Reloads ---------------------------------------------------------------------------- */

static void a_reload_keeps_the_ring_and_what_is_in_it(void **state)
{
    struct folder folder;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.file;
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/1");
    config.format = "again %U"; /* another format, the same sink */
    const uint64_t before = count(test).lines;
    install_again(test, &config);
    get(test, "/2");
    assert_int_equal(count(test).lines, before + 1);
    assert_file(folder.file, "");
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_file(folder.file, "/1\nagain /2\n");
    close_bench(test);
    close_folder(&folder);
}

static void a_reload_to_another_file_finishes_the_old_one(void **state)
{
    struct folder folder;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.moved;
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/1");
    config.file = folder.file;
    install_again(test, &config);
    get(test, "/2");
    close_bench(test);
    assert_file(folder.moved, "/1\n");
    assert_file(folder.file, "/2\n");
    close_folder(&folder);
}

/* ---- Descriptors that take a little ----------------------------------------------------- */

struct reader {
    char text[1 << 18];
    size_t len;
};

static int read_some(struct reader *reader, int fd, size_t cap)
{
    const ssize_t len = read(
        fd, reader->text + reader->len,
        cap < sizeof reader->text - reader->len - 1 ? cap : sizeof reader->text - reader->len - 1);
    if (len <= 0)
        return 0;
    reader->len += (size_t)len;
    reader->text[reader->len] = '\0';
    return 1;
}

/* A pipe that is full most of the time: no byte twice, none missing, each line whole. */
static void lines_through_a_slow_pipe_are_never_torn(void **state)
{
    enum { COUNT = 4000 };
    static struct reader reader;
    static struct reader want;
    int ends[2];
    cmw_access_log_config config = config_of("%{target}r 0123456789012345678901234567890123456789");
    char target[16];

    (void)state;
    memset(&reader, 0, sizeof reader);
    memset(&want, 0, sizeof want);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    config.fd = ends[1];
    config.bytes = 1 << 20;
    cmw_test *test = open_bench("access_log", &config);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(target, sizeof target, "/%d", i);
        get(test, target);
        want.len += (size_t)snprintf(want.text + want.len, sizeof want.text - want.len,
                                     "%s 0123456789012345678901234567890123456789\n", target);
        if (i % 16 == 0)
            (void)cmw_engine_poll(cmw_test_engine(test));
        if (i % 64 == 0)
            (void)read_some(&reader, ends[0], 777);
    }
    while (reader.len < want.len) {
        (void)cmw_engine_poll(cmw_test_engine(test));
        assert_true(read_some(&reader, ends[0], 777));
    }
    assert_int_equal(reader.len, want.len);
    assert_memory_equal(reader.text, want.text, want.len);
    assert_true(count(test).write_errors > 0);
    assert_int_equal(count(test).lost, 0);
    close_bench(test);
    close(ends[0]);
    close(ends[1]);
}

/* ---- Callbacks, and lines that find no room --------------------------------------------- */

struct kept {
    char text[8192];
    size_t len;
    int refuses;
};

static int keep(void *self, const char *text, size_t len)
{
    struct kept *kept = self;

    if (kept->refuses)
        return CMW_ERR_IO;
    assert_true(len < sizeof kept->text - kept->len);
    memcpy(kept->text + kept->len, text, len);
    kept->len += len;
    kept->text[kept->len] = '\0';
    return 0;
}

static void a_line_that_is_refused_comes_again(void **state)
{
    struct kept kept = {.refuses = 1};
    cmw_access_log_config config = config_of("%U");

    (void)state;
    config.write = keep;
    config.write_self = &kept;
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/1");
    get(test, "/2");
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    kept.refuses = 0;
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 2);
    assert_string_equal(kept.text, "/1\n/2\n");
    assert_int_equal(count(test).write_errors, 1);
    close_bench(test);
}

struct notice_row {
    const char *name;
    const char *format;
    const char *before, *after; /* the number */
};

static const struct notice_row notice_rows[] = {
    {"text says how many lines were lost", "%s", "# access_log: ", " lines lost\n"},
    {"logfmt says how many lines were lost", "logfmt", "access_log=lost lines=", "\n"},
    {"json says how many lines were lost", "json", "{\"access_log\":\"lost\",\"lines\":", "}\n"},
};

static void check_notice(void **state)
{
    const struct notice_row *row = *state;
    static struct kept kept;
    char want[64];
    cmw_access_log_config config = config_of(row->format);

    memset(&kept, 0, sizeof kept);
    config.write = keep;
    config.write_self = &kept;
    config.bytes = 4096;
    config.max_text = 16;
    cmw_test *test = open_bench("access_log", &config);
    for (int i = 0; i < 2000; i++)
        get(test, "/");
    const cmw_access_log_counts counts = count(test);
    assert_true(counts.lost > 0);
    assert_int_equal(counts.lines + counts.lost, 2000);
    (void)cmw_engine_poll(cmw_test_engine(test));
    (void)snprintf(want, sizeof want, "%s%d%s", row->before, (int)counts.lost, row->after);
    assert_true(kept.len > strlen(want));
    assert_string_equal(kept.text + kept.len - strlen(want), want);
    kept.len = 0;
    get(test, "/");
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_int_equal(count(test).lines, counts.lines + 1); /* there is room again */
    assert_null(strstr(kept.text, "lost"));                /* and nothing is told twice */
    assert_no_allocation(test);
    close_bench(test);
}

static void a_ring_without_memory_loses_the_line_and_says_so(void **state)
{
    struct kept kept = {.len = 0};
    cmw_access_log_config config = config_of("%U");

    (void)state;
    config.write = keep;
    config.write_self = &kept;
    cmw_test *test = open_bench("access_log", &config);
    cmw_test_request(test, "GET", "/1");
    cmw_ctx *ctx = NULL;
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(test), &ctx, cmw_test_view(test)), 0);
    cmw_test_fail_after(test, 0);
    cmw_ctx_end(ctx, CMW_END_ERROR);
    cmw_test_fail_after(test, CMW_NONE);
    assert_int_equal(count(test).lost, 1);
    get(test, "/2");
    (void)cmw_engine_poll(cmw_test_engine(test));
    assert_string_equal(kept.text, "/2\n# access_log: 1 lines lost\n");
    close_bench(test);
}

/* ---- Threads ---------------------------------------------------------------------------- */

static void a_writer_thread_needs_no_poll(void **state)
{
    struct folder folder;
    cmw_access_log_config config = config_of("%U");

    (void)state;
    open_folder(&folder);
    config.file = folder.file;
    config.writer = CMW_ACCESS_LOG_THREAD;
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/1");
    while (count(test).written_bytes < 3)
        (void)sched_yield();
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    get(test, "/2");
    close_bench(test);
    assert_file(folder.file, "/1\n/2\n");
    close_folder(&folder);
}

enum { SERVERS = 4, REQUESTS = 3000 };

struct server {
    cmw_engine *engine;
    int number;
};

static void *serve(void *self)
{
    const struct server *server = self;
    cmw_worker *worker = NULL;
    cmw_request_view view;
    char target[24];

    if (cmw_engine_take_worker(server->engine, &worker, NULL, NULL) != 0)
        return self;
    for (int i = 0; i < REQUESTS; i++) {
        cmw_ctx *ctx = NULL;
        (void)snprintf(target, sizeof target, "/%d/%d", server->number, i);
        cmw_request_view_init(&view);
        view.method = CMW_STR("GET");
        view.target = cmw_str_cstr(target);
        if (cmw_ctx_begin(worker, &ctx, &view) != 0)
            return self;
        (void)cmw_ctx_run(ctx);
        cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    }
    cmw_engine_put_worker(server->engine, worker);
    return NULL;
}

/* Counts, for each server, that its lines come in order. */
static int check_order(void *self, const char *text, size_t len)
{
    int *next = self;
    char *end = NULL;

    assert_true(len > 0 && text[len - 1] == '\n');
    if (text[0] != '/')
        return 0; /* a notice */
    const long number = strtol(text + 1, &end, 10);
    assert_true(number >= 0 && number < SERVERS && *end == '/');
    const long index = strtol(end + 1, &end, 10);
    assert_true(index >= next[number] && *end == '\n');
    next[number] = (int)index + 1;
    return 0;
}

static void many_workers_share_a_log(void **state)
{
    int next[SERVERS] = {0};
    pthread_t threads[SERVERS];
    struct server servers[SERVERS];
    cmw_access_log_config config = config_of("%U");

    (void)state;
    config.write = check_order;
    config.write_self = next;
    config.writer = CMW_ACCESS_LOG_THREAD;
    cmw_test *test = open_bench("access_log", &config);
    for (int i = 0; i < SERVERS; i++) {
        servers[i] = (struct server){cmw_test_engine(test), i};
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &servers[i]), 0);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(cmw_access_log_reopen(cmw_test_engine(test)), 0);
    for (int i = 0; i < SERVERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    const cmw_access_log_counts counts = count(test);
    assert_int_equal(counts.lines + counts.lost, SERVERS * REQUESTS);
    close_bench(test);
    for (int i = 0; i < SERVERS && counts.lost == 0; i++)
        assert_int_equal(next[i], REQUESTS);
}

static void syslog_takes_what_it_gets(void **state)
{
    cmw_access_log_config config = config_of("%s %U");

    (void)state;
    config.syslog = "local7";
    cmw_test *test = open_bench("access_log", &config);
    get(test, "/%n%s");
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    close_bench(test);
}

int main(void)
{
    struct CMUnitTest notices[LEN(notice_rows)];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_made_and_appended_to),
        cmocka_unit_test(reopening_goes_on_in_a_new_file),
        cmocka_unit_test(a_file_that_cannot_be_reopened_leaves_the_old_one),
        cmocka_unit_test(reopening_without_a_log_does_nothing),
        cmocka_unit_test(a_full_disk_is_counted_and_nothing_waits),
        cmocka_unit_test(a_reload_keeps_the_ring_and_what_is_in_it),
        cmocka_unit_test(a_reload_to_another_file_finishes_the_old_one),
        cmocka_unit_test(lines_through_a_slow_pipe_are_never_torn),
        cmocka_unit_test(a_line_that_is_refused_comes_again),
        cmocka_unit_test(a_ring_without_memory_loses_the_line_and_says_so),
        cmocka_unit_test(a_writer_thread_needs_no_poll),
        cmocka_unit_test(many_workers_share_a_log),
        cmocka_unit_test(syslog_takes_what_it_gets),
    };

    for (size_t i = 0; i < LEN(notice_rows); i++)
        notices[i] = ROW_TEST(&notice_rows[i], check_notice);
    return cmocka_run_group_tests_name("access_log, output", tests, NULL, NULL) +
           cmocka_run_group_tests_name("access_log, lost lines", notices, NULL, NULL);
}
