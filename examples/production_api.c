/* SPDX-License-Identifier: MIT */
/*
 * A small API as one would run it: todos in memory, behind eight middleware.
 *
 *     ./production_api 127.0.0.1:8080
 *     curl -i http://127.0.0.1:8080/health
 *     curl -i -H 'Authorization: Bearer editor' -d 'feed the cat' http://127.0.0.1:8080/todos
 *     curl -i -H 'Authorization: Bearer viewer' http://127.0.0.1:8080/todos
 *     curl -i -H 'Authorization: Bearer viewer' -X DELETE http://127.0.0.1:8080/todos/1       403
 *     curl    -H 'Authorization: Bearer editor' http://127.0.0.1:8080/_plan
 *     curl    -H 'Authorization: Bearer editor' http://127.0.0.1:8080/_stats
 *
 * Shown: slots between middleware (request id, user), a group with a condition, a rate limit by
 * client, constant fields on every response, one place that turns each failure into problem+json,
 * a log line for each request, the explained plan and its statistics, a graceful stop on SIGTERM.
 */
#include <catzilla/adapter/microhttpd.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { TODO_CAP = 100, TITLE_CAP = 120, REQUEST_ID_LEN = 16, CLIENT_CELLS = 4096 };

/* Ten requests a second from one client, thirty at once. */
#define REQUEST_INTERVAL_NS 100000000u
#define BURST_NS (30u * (uint64_t)REQUEST_INTERVAL_NS)

struct user {
    const char *token, *name;
    int may_write;
};

struct request_id {
    char text[REQUEST_ID_LEN];
};

struct todo {
    uint32_t id; /* 0: free */
    int is_done;
    size_t title_len;
    char title[TITLE_CAP];
};

struct app {
    cmw_engine *engine;
    cmw_plan *plan; /* for /_plan */
    cmw_slot request_id, user;
    uint64_t seed; /* of ids and of the client table, so that nobody can aim at a cell */
    atomic_uint_least64_t requests;
    atomic_uint_least64_t next_free_ns[CLIENT_CELLS];

    pthread_mutex_t lock; /* of what follows */
    uint32_t last_id;
    struct todo todos[TODO_CAP];
};

static const struct user users[] = {{"editor", "Edda", 1}, {"viewer", "Vito", 0}};

/* ---- Log --------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A byte that could forge a second line or colour the terminal becomes "?". */
static void copy_safely(char *out, size_t cap, cmw_str text)
{
    const size_t len = text.len < cap - 1 ? text.len : cap - 1;

    for (size_t i = 0; i < len; i++)
        out[i] = text.data[i] <= ' ' || text.data[i] > '~' ? '?' : text.data[i];
    out[len] = '\0';
}

static void write_log_line(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct app *app = self;
    const struct request_id *id = cmw_ctx_slot(ctx, app->request_id);
    const struct user *user = cmw_ctx_slot(ctx, app->user);
    char method[16], path[200], client[CMW_ADDRESS_TEXT_CAP];

    copy_safely(method, sizeof method, cmw_request_method(cmw_ctx_request(ctx)));
    copy_safely(path, sizeof path, cmw_request_path(cmw_ctx_request(ctx)));
    cmw_address_format(cmw_request_client_address(cmw_ctx_request(ctx)), client);
    fprintf(stderr, "id=%.*s client=%s user=%s method=%s path=%s status=%d end=%s us=%lu\n",
            id ? REQUEST_ID_LEN : 1, id ? id->text : "-", client, user ? user->name : "-", method,
            path, cmw_response_status(cmw_ctx_response(ctx)), cmw_end_reason_name(reason),
            (unsigned long)((now_ns() - cmw_ctx_begin_ns(ctx)) / 1000));
}

/* ---- Request id -------------------------------------------------------------------------------
 */

/* The finaliser of SplitMix64: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

static const struct request_id *make_request_id(struct app *app, cmw_ctx *ctx)
{
    struct request_id *id = cmw_ctx_set_slot(ctx, app->request_id);

    if (!id)
        return NULL;
    uint64_t bits = mix(app->seed + atomic_fetch_add(&app->requests, 1));
    for (size_t i = 0; i < REQUEST_ID_LEN; i++, bits >>= 4)
        id->text[i] = "0123456789abcdef"[bits & 15];
    return id;
}

static int identify(void *self, cmw_ctx *ctx)
{
    return make_request_id(self, ctx) ? CMW_CONTINUE : CMW_ERROR;
}

/* A request over a limit fails before pre_route: it gets its id here. */
static int show_request_id(void *self, cmw_ctx *ctx)
{
    struct app *app = self;
    const struct request_id *id = cmw_ctx_slot(ctx, app->request_id);

    if (!id)
        id = make_request_id(app, ctx);
    if (!id)
        return CMW_ERROR;
    const cmw_str text = cmw_str_make(id->text, REQUEST_ID_LEN);
    return cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_X_REQUEST_ID, text) == 0 ? CMW_CONTINUE
                                                                                    : CMW_ERROR;
}

/* ---- CORS -------------------------------------------------------------------------------------
 */

static const cmw_str allowed_origin = CMW_STR_INIT("https://app.example");

static int is_allowed_origin(cmw_request *request)
{
    const cmw_header *origin = cmw_request_header(request, CMW_HDR_ORIGIN);

    return origin && cmw_str_equals(origin->value, allowed_origin);
}

static int answer_preflight(void *self, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_request_method_id(request) != CMW_METHOD_OPTIONS ||
        !cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD))
        return CMW_CONTINUE;
    if (is_allowed_origin(request) &&
        (cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_METHODS,
                          CMW_STR("GET, POST, PUT, DELETE")) != 0 ||
         cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_HEADERS,
                          CMW_STR("Authorization, Content-Type")) != 0))
        return CMW_ERROR;
    return cmw_respond_empty(ctx, 204);
}

static int add_cors_fields(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Origin")) != 0)
        return CMW_ERROR;
    if (!is_allowed_origin(cmw_ctx_request(ctx)))
        return CMW_CONTINUE;
    return cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Rate limit (GCRA) ------------------------------------------------------------------------
 */

/*
 * One number a client: when its bucket would be empty. Clients whose addresses fall into the same
 * cell share a limit. Of an IPv6 address the first 64 bits count: the rest is the client's to
 * choose.
 */
static atomic_uint_least64_t *find_cell(struct app *app, const cmw_address *client)
{
    const size_t len = client->family == CMW_ADDRESS_V6 ? 8 : 4;
    uint64_t bits = app->seed ^ client->family;

    for (size_t i = 0; i < len; i++)
        bits = mix(bits + client->bytes[i]);
    return &app->next_free_ns[bits % CLIENT_CELLS];
}

/* How long the client must wait; 0: its request was counted. */
static uint64_t take_turn(atomic_uint_least64_t *next_free_ns, uint64_t now)
{
    uint64_t free_ns = atomic_load(next_free_ns);
    uint64_t start;

    do {
        start = free_ns > now ? free_ns : now;
        if (start - now > BURST_NS)
            return start - now - BURST_NS;
    } while (!atomic_compare_exchange_weak(next_free_ns, &free_ns, start + REQUEST_INTERVAL_NS));
    return 0;
}

static int limit_rate(void *self, cmw_ctx *ctx)
{
    atomic_uint_least64_t *cell = find_cell(self, cmw_request_client_address(cmw_ctx_request(ctx)));

    if (take_turn(cell, cmw_ctx_begin_ns(ctx)) == 0)
        return CMW_CONTINUE;
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, CMW_STR("1")) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 429, "ten requests a second, please");
}

/* ---- Authentication and permissions -----------------------------------------------------------
 */

static int require_token(void *self, cmw_ctx *ctx)
{
    const struct app *app = self;
    cmw_str token;

    if (cmw_request_bearer(cmw_ctx_request(ctx), &token) != 0)
        return cmw_respond_problem(ctx, 401, "a bearer token is needed");
    for (size_t i = 0; i < LEN(users); i++) {
        if (!cmw_str_equals_secret(token, cmw_str_cstr(users[i].token)))
            continue;
        struct user *user = cmw_ctx_set_slot(ctx, app->user);
        if (!user)
            return CMW_ERROR;
        *user = users[i];
        return CMW_CONTINUE;
    }
    return cmw_respond_problem(ctx, 401, "unknown token");
}

static int require_permission(void *self, cmw_ctx *ctx)
{
    const struct app *app = self;
    const struct user *user = cmw_ctx_slot(ctx, app->user);
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));

    if (user->may_write || method == CMW_METHOD_GET || method == CMW_METHOD_HEAD)
        return CMW_CONTINUE;
    return cmw_respond_problem(ctx, 403, "you may read, not write");
}

/* ---- Failures ---------------------------------------------------------------------------------
 */

/* Whatever failed, the client reads problem+json, and nothing about our inside. */
static int answer_fault(void *self, cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);

    (void)self;
    if (fault->status == 413)
        return cmw_respond_problem(ctx, 413, "a title is shorter than that");
    return cmw_respond_problem(ctx, fault->status, "the request failed; its id is in X-Request-ID");
}

/* ---- The chain --------------------------------------------------------------------------------
 */

static const cmw_header security_fields[] = {
    {CMW_STR_INIT("X-Content-Type-Options"), CMW_STR_INIT("nosniff")},
    {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")},
    {CMW_STR_INIT("Referrer-Policy"), CMW_STR_INIT("no-referrer")},
    {CMW_STR_INIT("Content-Security-Policy"), CMW_STR_INIT("default-src 'none'")},
    {CMW_STR_INIT("Cache-Control"), CMW_STR_INIT("no-store")},
};

static int add_public(struct app *app, cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware log, request_id, problems, security, cors, rate_limit;

    cmw_middleware_init(&log);
    log.name = "log";
    log.priority = 100;
    log.self = app;
    log.complete = write_log_line;

    cmw_middleware_init(&request_id);
    request_id.name = "request_id";
    request_id.priority = 110;
    request_id.self = app;
    request_id.pre_route = identify;
    request_id.post_route = show_request_id;
    cmw_middleware_provides(&request_id, app->request_id);

    cmw_middleware_init(&problems);
    problems.name = "problems";
    problems.priority = 120;
    problems.error = answer_fault;

    cmw_middleware_init(&security);
    security.name = "security";
    security.priority = 130;
    security.fields = security_fields;
    security.field_count = LEN(security_fields);

    cmw_middleware_init(&cors);
    cors.name = "cors";
    cors.priority = 200; /* outside of all that refuses, so that a browser may read the refusal */
    cors.pre_route = answer_preflight;
    cors.post_route = add_cors_fields;

    cmw_middleware_init(&rate_limit);
    rate_limit.name = "rate_limit";
    rate_limit.priority = 250;
    rate_limit.self = app;
    rate_limit.pre_route = limit_rate;
    cmw_middleware_requires(&rate_limit, CMW_FACT_CLIENT_ADDRESS);

    const cmw_middleware *const all[] = {&log,      &request_id, &problems,
                                         &security, &cors,       &rate_limit};
    for (size_t i = 0; i < LEN(all); i++) {
        const int rc = cmw_chain_add(chain, all[i], diag);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* All but the health check: whoever asks must be somebody. */
static int add_private(struct app *app, cmw_chain *chain, cmw_diag *diag)
{
    static const char *const paths[] = {"!/health"};
    cmw_condition condition;
    cmw_group_config config;
    cmw_group *group;
    cmw_middleware auth, permissions;

    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    cmw_group_config_init(&config);
    config.name = "private";
    config.condition = &condition;
    int rc = cmw_chain_add_group(chain, &group, NULL, &config, diag);
    if (rc != 0)
        return rc;

    cmw_middleware_init(&auth);
    auth.name = "auth";
    auth.priority = 300;
    auth.flags = CMW_GUARDS_ACCESS;
    auth.self = app;
    auth.pre_route = require_token;
    cmw_middleware_provides(&auth, app->user);

    cmw_middleware_init(&permissions);
    permissions.name = "permissions";
    permissions.priority = 400;
    permissions.flags = CMW_GUARDS_ACCESS;
    permissions.self = app;
    permissions.pre_route = require_permission;
    cmw_middleware_requires(&permissions, app->user);

    rc = cmw_group_add(group, &auth, diag);
    return rc ? rc : cmw_group_add(group, &permissions, diag);
}

static int install_chain(struct app *app, cmw_diag *diag)
{
    cmw_engine *engine = app->engine;
    cmw_chain *chain;
    int rc;

    if ((rc = cmw_slot_declare(engine, &app->request_id, "request_id", sizeof(struct request_id),
                               NULL)) != 0 ||
        (rc = cmw_slot_declare(engine, &app->user, "user", sizeof(struct user), NULL)) != 0 ||
        (rc = cmw_chain_create(engine, &chain, 0)) != 0)
        return rc;
    rc = add_public(app, chain, diag);
    if (rc == 0)
        rc = add_private(app, chain, diag);
    if (rc == 0)
        rc = cmw_chain_compile(chain, &app->plan, diag);
    if (rc == 0)
        rc = cmw_engine_install(engine, app->plan, diag);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- Todos: the caller holds the lock ---------------------------------------------------------
 */

static struct todo *find_todo(struct app *app, uint32_t id)
{
    for (size_t i = 0; i < TODO_CAP; i++)
        if (app->todos[i].id == id)
            return &app->todos[i];
    return NULL;
}

static void write_todo(cmw_json *json, const struct todo *todo)
{
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("id"));
    cmw_json_uint(json, todo->id);
    cmw_json_key(json, CMW_STR("title"));
    cmw_json_string(json, cmw_str_make(todo->title, todo->title_len));
    cmw_json_key(json, CMW_STR("done"));
    cmw_json_bool(json, todo->is_done);
    cmw_json_object_end(json);
}

static int answer_todo(cmw_response *response, int status, const struct todo *todo)
{
    cmw_json *json = cmw_response_json(response, status);

    if (!json)
        return CMW_ERR_NOMEM;
    write_todo(json, todo);
    return 0;
}

static int list_todos(struct app *app, cmw_response *response)
{
    cmw_json *json = cmw_response_json(response, 200);

    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_array_begin(json);
    for (size_t i = 0; i < TODO_CAP; i++)
        if (app->todos[i].id)
            write_todo(json, &app->todos[i]);
    cmw_json_array_end(json);
    return 0;
}

static int create_todo(struct app *app, cmw_response *response, cmw_str title)
{
    if (title.len == 0 || title.len > TITLE_CAP)
        return cmw_response_problem(response, 422, CMW_STR("the body is the title: 1..120 bytes"));
    struct todo *todo = find_todo(app, 0);
    if (!todo)
        return cmw_response_problem(response, 507, CMW_STR("a hundred things to do are enough"));
    todo->id = ++app->last_id;
    todo->is_done = 0;
    todo->title_len = title.len;
    memcpy(todo->title, title.data, title.len);
    return answer_todo(response, 201, todo);
}

static int answer_not_allowed(cmw_response *response, cmw_str allow)
{
    const int rc = cmw_response_set(response, CMW_HDR_ALLOW, allow);

    return rc ? rc : cmw_response_problem(response, 405, CMW_STR(""));
}

static int handle_todos(struct app *app, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    switch (cmw_request_method_id(cmw_ctx_request(ctx))) {
    case CMW_METHOD_GET:
    case CMW_METHOD_HEAD:
        return list_todos(app, response);
    case CMW_METHOD_POST:
        return create_todo(app, response, cmw_request_body(cmw_ctx_request(ctx)));
    default:
        return answer_not_allowed(response, CMW_STR("GET, HEAD, POST"));
    }
}

static int handle_todo(struct app *app, cmw_ctx *ctx, uint32_t id)
{
    cmw_response *response = cmw_ctx_response(ctx);
    struct todo *todo = id ? find_todo(app, id) : NULL;

    if (!todo)
        return cmw_response_problem(response, 404, CMW_STR("there is no such todo"));
    switch (cmw_request_method_id(cmw_ctx_request(ctx))) {
    case CMW_METHOD_GET:
    case CMW_METHOD_HEAD:
        return answer_todo(response, 200, todo);
    case CMW_METHOD_PUT:
        todo->is_done = 1;
        return answer_todo(response, 200, todo);
    case CMW_METHOD_DELETE:
        todo->id = 0;
        return cmw_response_empty(response, 204);
    default:
        return answer_not_allowed(response, CMW_STR("GET, HEAD, PUT, DELETE"));
    }
}

/* ---- What operators look at -------------------------------------------------------------------
 */

/* Text that grows in a request's arena. */
struct page {
    cmw_arena *arena;
    char *text;
    size_t len, cap;
};

static int append(void *self, const char *text, size_t len)
{
    struct page *page = self;

    if (len > page->cap - page->len) {
        const size_t cap = 2 * (page->len + len);
        char *grown = cmw_arena_alloc_text(page->arena, cap);
        if (!grown)
            return CMW_ERR_NOMEM;
        if (page->len)
            memcpy(grown, page->text, page->len);
        page->text = grown;
        page->cap = cap;
    }
    memcpy(page->text + page->len, text, len);
    page->len += len;
    return 0;
}

static int write_stats(cmw_engine *engine, struct page *page)
{
    cmw_stats *stats;

    int rc = cmw_stats_snapshot(engine, &stats);
    if (rc != 0)
        return rc;
    rc = cmw_stats_write(stats, CMW_FORMAT_TEXT, append, page);
    cmw_stats_destroy(stats);
    return rc;
}

static int show_plan(struct app *app, cmw_ctx *ctx)
{
    struct page page = {cmw_ctx_arena(ctx), NULL, 0, 0};
    const int rc = cmw_plan_explain(app->plan, CMW_FORMAT_TEXT, append, &page);

    return rc ? rc
              : cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(page.text, page.len));
}

static int show_stats(struct app *app, cmw_ctx *ctx)
{
    struct page page = {cmw_ctx_arena(ctx), NULL, 0, 0};
    const int rc = write_stats(app->engine, &page);

    return rc ? rc
              : cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(page.text, page.len));
}

static int show_health(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_json_text(cmw_ctx_response(ctx), 200, CMW_STR("{\"status\":\"ok\"}"));
}

/* A handler that fails, to see what becomes of it. */
static int fail(struct app *app, cmw_ctx *ctx)
{
    (void)app;
    (void)ctx;
    return CMW_ERR_IO;
}

/* ---- Routing ----------------------------------------------------------------------------------
 */

static int handle_todos_locked(struct app *app, cmw_ctx *ctx)
{
    pthread_mutex_lock(&app->lock);
    const int rc = handle_todos(app, ctx);
    pthread_mutex_unlock(&app->lock);
    return rc;
}

static int handle_todo_locked(struct app *app, cmw_ctx *ctx, uint32_t id)
{
    pthread_mutex_lock(&app->lock);
    const int rc = handle_todo(app, ctx, id);
    pthread_mutex_unlock(&app->lock);
    return rc;
}

/* 1..9 digits and nothing else; 0: not an id. */
static uint32_t parse_id(cmw_str digits)
{
    uint32_t id = 0;

    if (digits.len > 9)
        return 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return 0;
        id = id * 10 + (uint32_t)(digits.data[i] - '0');
    }
    return id;
}

struct route {
    cmw_str path;
    int (*handle)(struct app *app, cmw_ctx *ctx);
};

static const struct route routes[] = {
    {CMW_STR_INIT("/health"), show_health}, {CMW_STR_INIT("/todos"), handle_todos_locked},
    {CMW_STR_INIT("/_plan"), show_plan},    {CMW_STR_INIT("/_stats"), show_stats},
    {CMW_STR_INIT("/_fail"), fail},
};

/* By the canonical path: what the conditions matched is what is served. */
static int handle(void *self, cmw_ctx *ctx)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    const cmw_str prefix = CMW_STR("/todos/");

    for (size_t i = 0; i < LEN(routes); i++)
        if (cmw_str_equals(path, routes[i].path))
            return routes[i].handle(self, ctx);
    if (path.len > prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0) {
        const cmw_str id = cmw_str_make(path.data + prefix.len, path.len - prefix.len);
        return handle_todo_locked(self, ctx, parse_id(id));
    }
    return cmw_response_problem(cmw_ctx_response(ctx), 404, CMW_STR("there is nothing here"));
}

/* ---- The program ------------------------------------------------------------------------------
 */

static int run(struct app *app, const char *address, cmw_diag *diag)
{
    const int rc = install_chain(app, diag);

    return rc ? rc : cmw_mhd_serve(app->engine, address, handle, app, diag);
}

int main(int argc, char **argv)
{
    static struct app app = {.lock = PTHREAD_MUTEX_INITIALIZER};
    cmw_engine_config config;
    cmw_diag diag = {0};

    if (getentropy(&app.seed, sizeof app.seed) != 0)
        return 1;
    cmw_engine_config_init(&config);
    config.limits.body_bytes = 4096; /* a title is short */
    config.sample_every = 1;         /* time every request: it is a demonstration */
    int rc = cmw_engine_create(&app.engine, &config);
    if (rc == 0)
        rc = run(&app, argc > 1 ? argv[1] : "127.0.0.1:0", &diag);
    if (rc != 0)
        fprintf(stderr, "production_api: %s\n", diag.code ? diag.message : cmw_error_text(rc));
    cmw_plan_release(app.plan);
    return cmw_engine_destroy(app.engine) != 0 || rc != 0;
}
