/* SPDX-License-Identifier: MIT */
/*
 * A warm request calls no allocator. Not the engine's count is asked, but everyone's: this program
 * stands in for malloc and its like, for jemalloc's own functions and for mmap, and counts.
 *
 * CMW_TEST_REQUESTS sets another number of requests than 1,000,000.
 */
#include "actor.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef CMW_TEST_JEMALLOC
#include <catzilla/component/jemalloc.h>
#endif

/* ---- Counting ------------------------------------------------------------------------------ */

static atomic_ullong calls; /* of whatever gives, takes back or maps memory */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *piece, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *piece);

void *malloc(size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(count, bytes);
}

void *realloc(void *piece, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(piece, bytes);
}

void free(void *piece)
{
    if (piece) /* nothing happens to NULL */
        atomic_fetch_add(&calls, 1);
    __libc_free(piece);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(align, bytes);
}

void *memalign(size_t align, size_t bytes);
void *memalign(size_t align, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    void *piece = __libc_memalign(align, bytes);
    if (!piece)
        return ENOMEM;
    *out = piece;
    return 0;
}

void *mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    atomic_fetch_add(&calls, 1);
    return (void *)syscall(SYS_mmap, at, bytes, access, flags, file, offset); /* NOLINT */
}

int munmap(void *at, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return (int)syscall(SYS_munmap, at, bytes);
}

#ifdef CMW_TEST_JEMALLOC
/* The library's own function of that name, behind ours. */
static void (*find_next(const char *name))(void)
{
    void *found = dlsym(RTLD_NEXT, name);
    void (*function)(void) = NULL;

    if (!found)
        abort();
    memcpy(&function, &found, sizeof function);
    return function;
}

void *mallocx(size_t bytes, int flags);
void *mallocx(size_t bytes, int flags)
{
    static void (*next)(void);
    if (!next)
        next = find_next("mallocx");
    atomic_fetch_add(&calls, 1);
    return ((void *(*)(size_t, int))next)(bytes, flags);
}

void sdallocx(void *piece, size_t bytes, int flags);
void sdallocx(void *piece, size_t bytes, int flags)
{
    static void (*next)(void);
    if (!next)
        next = find_next("sdallocx");
    atomic_fetch_add(&calls, 1);
    ((void (*)(void *, size_t, int))next)(piece, bytes, flags);
}

void dallocx(void *piece, int flags);
void dallocx(void *piece, int flags)
{
    static void (*next)(void);
    if (!next)
        next = find_next("dallocx");
    atomic_fetch_add(&calls, 1);
    ((void (*)(void *, int))next)(piece, flags);
}
#endif

/* ---- The chain ------------------------------------------------------------------------------ */

struct app {
    cmw_slot user, trace;
    uint64_t destroyed;
};

static struct app app;

static void destroy_user(void *value)
{
    app.destroyed += *(unsigned char *)value;
}

static int trace(void *self, cmw_ctx *ctx)
{
    const struct app *of = self;
    uint64_t *id = cmw_ctx_set_slot(ctx, of->trace);
    if (!id)
        return CMW_ERROR;
    *id = cmw_ctx_begin_ns(ctx);
    return cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Trace"), CMW_STR("abc")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static int cors(void *self, cmw_ctx *ctx)
{
    const cmw_header *origin = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_ORIGIN);
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;
    if (cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Origin")) != 0)
        return CMW_ERROR;
    if (origin &&
        cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_ORIGIN, origin->value) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static int auth(void *self, cmw_ctx *ctx)
{
    const struct app *of = self;
    cmw_str token;
    unsigned char *user = cmw_ctx_set_slot(ctx, of->user);

    if (!user)
        return CMW_ERROR;
    *user = 1;
    if (cmw_request_bearer(cmw_ctx_request(ctx), &token) != 0)
        return cmw_respond_problem(ctx, 401, "a bearer token is needed");
    return cmw_str_equals_secret(token, CMW_STR("good"))
               ? CMW_CONTINUE
               : cmw_respond_problem(ctx, 403, "unknown token");
}

static int limit(void *self, cmw_ctx *ctx)
{
    (void)self;
    if (!cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Too-Many")))
        return CMW_CONTINUE;
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, CMW_STR("1")) != 0)
        return CMW_ERROR;
    return cmw_respond_text(ctx, 429, CMW_STR("slow down"));
}

static int stamp(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;
    return cmw_response_append(response, CMW_HDR_LINK, CMW_STR("</a>")) == 0 &&
                   cmw_response_append(response, CMW_HDR_LINK, CMW_STR("</b>")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static int on_error(void *self, cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);
    (void)self;
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), fault->status);
    if (!json)
        return CMW_ERROR;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("status"));
    cmw_json_int(json, fault->status);
    cmw_json_object_end(json);
    return CMW_STOP;
}

static uint64_t completed;

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)self;
    (void)reason;
    completed += cmw_ctx_slot(ctx, app.trace) != NULL;
}

static int handle(void *self, cmw_ctx *ctx)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;

    if (cmw_str_equals(path, CMW_STR("/api/empty")))
        return cmw_response_empty(response, 204);
    if (cmw_str_equals(path, CMW_STR("/api/broken")))
        return -1;
    cmw_json *json = cmw_response_json(response, 200);
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("len"));
    cmw_json_int(json, (int64_t)cmw_request_body(cmw_ctx_request(ctx)).len);
    cmw_json_key(json, CMW_STR("path"));
    cmw_json_string(json, path);
    cmw_json_object_end(json);
    return 0;
}

static void add(struct bench *bench, cmw_middleware *mw, const char *name, int32_t priority)
{
    mw->name = name;
    mw->priority = priority;
    mw->self = &app;
    cmw_diag diag;
    if (cmw_chain_add(bench->chain, mw, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_middleware_init(mw);
}

static void build(struct bench *bench)
{
    static const cmw_header secure[] = {
        {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")},
        {CMW_STR_INIT("X-Content-Type-Options"), CMW_STR_INIT("nosniff")}};
    static const char *const paths[] = {"/api/*", "!/api/open"};
    static const char *const methods[] = {"GET", "POST"};
    cmw_condition guarded, limited;
    cmw_middleware mw;

    assert_int_equal(cmw_slot_declare(bench->engine, &app.user, "user", 16, destroy_user), 0);
    assert_int_equal(cmw_slot_declare(bench->engine, &app.trace, "trace", 8, NULL), 0);
    cmw_condition_init(&guarded);
    guarded.paths = paths;
    guarded.path_count = LEN(paths);
    cmw_condition_init(&limited);
    limited.methods = methods;
    limited.method_count = LEN(methods);
    cmw_middleware_init(&mw);

    mw.fields = secure;
    mw.field_count = LEN(secure);
    add(bench, &mw, "secure", 10);
    mw.pre_route = trace;
    mw.complete = on_complete;
    cmw_middleware_provides(&mw, app.trace);
    add(bench, &mw, "trace", 20);
    mw.post_route = cors;
    add(bench, &mw, "cors", 30);
    mw.pre_route = auth;
    mw.condition = &guarded;
    cmw_middleware_provides(&mw, app.user);
    add(bench, &mw, "auth", 40);
    mw.pre_route = limit;
    mw.condition = &limited;
    add(bench, &mw, "limit", 50);
    mw.post_route = stamp;
    mw.flags = CMW_IF_ENTERED;
    mw.pre_route = cors;
    mw.failure = CMW_FAIL_OPEN;
    add(bench, &mw, "stamp", 60);
    mw.error = on_error;
    add(bench, &mw, "errors", 70);
    mw.complete = on_complete;
    add(bench, &mw, "log", 80);
    bench_install(bench);
    cmw_test_set_handler(bench->test, handle, NULL);
}

/* ---- Requests ------------------------------------------------------------------------------- */

struct request {
    const char *method;
    const char *target;
    const char *token;
    const char *too_many;
    uint64_t declared;
    const char *body;
    int status;
};

static const struct request requests[] = {
    {"GET", "/api/users?x=1", "Bearer good", NULL, 0, NULL, 200},
    {"GET", "/api//a/../us%65rs", "Bearer good", NULL, 0, NULL, 200},
    {"DELETE", "/api/empty", "Bearer good", NULL, 0, NULL, 204},
    {"GET", "/api/users", NULL, NULL, 0, NULL, 401},
    {"GET", "/api/users", "Bearer bad", NULL, 0, NULL, 403},
    {"POST", "/api/users", "Bearer good", NULL, UINT64_C(1) << 30, NULL, 413},
    {"GET", "/api/users", "Bearer good", "1", 0, NULL, 429},
    {"GET", "/api/broken", "Bearer good", NULL, 0, NULL, 500},
    {"GET", "/%zz", "Bearer good", NULL, 0, NULL, 400},
    {"GET", "/open", NULL, NULL, 0, NULL, 200},
    {"POST", "/api/users", "Bearer good", NULL, 0, "a body that is uploaded", 200},
};

static void fill(struct bench *bench, const struct request *request)
{
    cmw_test_request(bench->test, request->method, request->target);
    cmw_test_header(bench->test, "Host", "a.example");
    cmw_test_header(bench->test, "Origin", "https://b.example");
    if (request->token)
        cmw_test_header(bench->test, "Authorization", request->token);
    if (request->too_many)
        cmw_test_header(bench->test, "X-Too-Many", request->too_many);
    if (request->body)
        cmw_test_body(bench->test, cmw_str_cstr(request->body));
    if (request->declared)
        cmw_test_view(bench->test)->content_length = request->declared;
}

static uint64_t request_count(void)
{
    const char *text = getenv("CMW_TEST_REQUESTS");
    return text ? strtoull(text, NULL, 10) : 1000000;
}

/* Warm each request, then send all of them round by round and see that nobody was called. */
static void count_calls(const cmw_allocator *allocator, uint32_t sample_every)
{
    struct bench bench;
    cmw_engine_config config;
    const uint64_t rounds = request_count() / LEN(requests) / 100 + 1;
    unsigned long long seen = 0;
    uint64_t sent = 0;

    cmw_engine_config_init(&config);
    config.allocator = allocator;
    config.sample_every = sample_every;
    bench_open(&bench, &config);
    build(&bench);
    for (size_t i = 0; i < LEN(requests); i++) {
        fill(&bench, &requests[i]);
        assert_int_equal(cmw_test_send_quick(bench.test), requests[i].status);
    }
    completed = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < LEN(requests); i++) {
            fill(&bench, &requests[i]); /* may call: it is not counted */
            const unsigned long long before = atomic_load(&calls);
            int wrong = 0;
            for (int k = 0; k < 100; k++)
                wrong += cmw_test_send_quick(bench.test) != requests[i].status;
            seen += atomic_load(&calls) - before;
            assert_int_equal(wrong, 0);
            sent += 100;
        }
    }
    print_message("%s: %llu allocator calls in %llu requests\n",
                  allocator ? allocator->name : "system", seen, (unsigned long long)sent);
    assert_int_equal(seen, 0);
    /* `trace` and `log` saw every request, but for what failed at the match, before `trace` ran. */
    assert_int_equal(completed, 2 * (sent - sent / LEN(requests)));
    bench_close(&bench);
}

static void the_counter_counts(void **state)
{
    const unsigned long long before = atomic_load(&calls);
    (void)state;
    void *volatile piece = malloc(16);
    free(piece);
    assert_int_equal(atomic_load(&calls) - before, 2);
}

static void warm_requests_call_no_allocator(void **state)
{
    (void)state;
    count_calls(NULL, 64);
}

static void warm_requests_call_no_allocator_when_each_is_timed(void **state)
{
    (void)state;
    count_calls(NULL, 1);
}

#ifdef CMW_TEST_JEMALLOC
static void warm_requests_call_no_jemalloc(void **state)
{
    (void)state;
    const cmw_allocator *allocator = cmw_allocator_jemalloc();
    assert_non_null(allocator);
    const unsigned long long before = atomic_load(&calls);
    cmw_pool *pool = NULL;
    assert_int_equal(cmw_pool_create(&pool, allocator, CMW_POOL_CONTEXT, 0), 0);
    assert_true(atomic_load(&calls) > before); /* the stand-ins are in the way */
    cmw_pool_destroy(pool);
    count_calls(allocator, 64);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(warm_requests_call_no_allocator),
        cmocka_unit_test(warm_requests_call_no_allocator_when_each_is_timed),
#ifdef CMW_TEST_JEMALLOC
        cmocka_unit_test(warm_requests_call_no_jemalloc),
#endif
    };
    return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
