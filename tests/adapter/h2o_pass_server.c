/* SPDX-License-Identifier: MIT */
/*
 * A plan in front of H2O's own handlers, for test_h2o_pass.py.
 *
 *     /file/...      files of the folder that is given
 *     /secret/...    another path of the configuration, guarded by the plan
 *     /app/...       a handler of the program's: see routes
 *     others       H2O's 404
 *
 * The field X-Act tells post_route what to do, X-Pre pre_route: see post_acts and pre_acts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/adapter/h2o.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { TOKEN_CAP = 64, REASONS = CMW_END_REASON_COUNT };

static struct app {
    cmw_engine *engine;
    cmw_slot user;
    cmw_token tokens[TOKEN_CAP];
    unsigned token_count;
    unsigned begun, ended;
    unsigned by_reason[REASONS];
    unsigned post_runs; /* of the last request */
} app;

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;
static h2o_socket_t *listener;
static h2o_multithread_receiver_t ending;
static h2o_multithread_message_t end;
static int is_ended;

/* ---- The plan: post_route ----------------------------------------------------------------- */

static int act_status(cmw_ctx *ctx)
{
    return cmw_response_set_status(cmw_ctx_response(ctx), 418);
}

static int act_body(cmw_ctx *ctx)
{
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("from the plan\n"));
}

static int act_empty(cmw_ctx *ctx)
{
    return cmw_response_empty(cmw_ctx_response(ctx), 200);
}

static int act_204(cmw_ctx *ctx)
{
    return cmw_response_empty(cmw_ctx_response(ctx), 204);
}

static int act_304(cmw_ctx *ctx)
{
    return cmw_response_set_status(cmw_ctx_response(ctx), 304);
}

static int act_101(cmw_ctx *ctx)
{
    return cmw_response_set_status(cmw_ctx_response(ctx), 101);
}

static int act_fields(cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_remove_named(response, CMW_STR("X-App"));

    if (rc == 0)
        rc = cmw_response_append(response, CMW_HDR_SET_COOKIE, CMW_STR("plan=1"));
    if (rc == 0)
        rc = cmw_response_set(response, CMW_HDR_CONTENT_TYPE, CMW_STR("text/plain"));
    return rc;
}

static int act_fail(cmw_ctx *ctx)
{
    (void)ctx;
    return CMW_ERR_IO;
}

/* So many bytes, in pieces; the fourth one comes later, or never. */
enum { OTHER_PIECE = 30000, OTHER_PIECES = 6 };
enum { FLOWS, WAITS, FAILS };

struct other {
    int given, manner, has_waited;
    char piece[OTHER_PIECE];
};

static int suspend(cmw_ctx *ctx);

static int read_other(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct other *other = self;

    if (other->given == 3 && other->manner == FAILS)
        return CMW_ERR_IO;
    if (other->given == 3 && other->manner == WAITS && !other->has_waited) {
        other->has_waited = 1;
        return suspend(ctx) == CMW_SUSPEND ? CMW_ERR_AGAIN : CMW_ERR_IO;
    }
    chunk->bytes = cmw_str_make(other->piece, sizeof other->piece);
    chunk->is_last = ++other->given == OTHER_PIECES;
    return 0;
}

static int stream_other(cmw_ctx *ctx, int manner)
{
    struct other *other = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *other);
    cmw_body_source source;

    if (!other)
        return CMW_ERR_NOMEM;
    memset(other, 0, sizeof *other);
    memset(other->piece, 'o', sizeof other->piece);
    other->manner = manner;
    cmw_body_source_init(&source);
    source.read = read_other;
    source.self = other;
    return cmw_ctx_stream(ctx, 200, &source);
}

static int act_stream(cmw_ctx *ctx)
{
    return stream_other(ctx, FLOWS);
}

static int act_stream_waits(cmw_ctx *ctx)
{
    return stream_other(ctx, WAITS);
}

static int act_stream_fails(cmw_ctx *ctx)
{
    return stream_other(ctx, FAILS);
}

static int act_nothing(cmw_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static const struct act {
    cmw_str name;
    int (*run)(cmw_ctx *ctx);
    int waits; /* and then runs, when it is released */
} post_acts[] = {
    {CMW_STR_INIT("status"), act_status, 0},
    {CMW_STR_INIT("body"), act_body, 0},
    {CMW_STR_INIT("empty"), act_empty, 0},
    {CMW_STR_INIT("204"), act_204, 0},
    {CMW_STR_INIT("304"), act_304, 0},
    {CMW_STR_INIT("101"), act_101, 0},
    {CMW_STR_INIT("fields"), act_fields, 0},
    {CMW_STR_INIT("fail"), act_fail, 0},
    {CMW_STR_INIT("stream"), act_stream, 0},
    {CMW_STR_INIT("stream-waits"), act_stream_waits, 0},
    {CMW_STR_INIT("stream-fails"), act_stream_fails, 0},
    {CMW_STR_INIT("wait"), act_nothing, 1},
    {CMW_STR_INIT("wait-body"), act_body, 1},
    {CMW_STR_INIT("wait-fail"), act_fail, 1},
    {CMW_STR_INIT("wait-204"), act_204, 1},
    {CMW_STR_INIT("wait-status"), act_status, 1},
};

static const struct act *find_act(cmw_ctx *ctx)
{
    const cmw_header *field = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Act"));

    for (size_t i = 0; field && i < LEN(post_acts); i++)
        if (cmw_str_equals(post_acts[i].name, field->value))
            return &post_acts[i];
    return NULL;
}

static int suspend(cmw_ctx *ctx)
{
    if (app.token_count == TOKEN_CAP || cmw_ctx_suspend(ctx, &app.tokens[app.token_count]) != 0)
        return CMW_ERROR;
    app.token_count++;
    return CMW_SUSPEND;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct act *act = find_act(ctx);

    (void)self;
    app.post_runs++;
    if (cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Post"), CMW_STR("ran")) != 0)
        return CMW_ERROR;
    if (act && act->waits)
        return suspend(ctx);
    return !act || act->run(ctx) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct act *act = find_act(ctx);

    (void)self;
    (void)data;
    return !act || act->run(ctx) == 0 ? verdict : CMW_ERROR;
}

/* ---- The plan: pre_route ------------------------------------------------------------------ */

static int rewrite(cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    int rc = cmw_request_set_header(request, CMW_STR("X-User"), CMW_STR("mia"));

    if (rc == 0)
        rc = cmw_request_remove_header(request, CMW_STR("X-Remove"));
    if (rc == 0)
        rc = cmw_request_set_target(request, CMW_STR("/app/show?rewritten"));
    if (rc == 0)
        rc = cmw_request_set_host(request, CMW_STR("inner.example:81"));
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const cmw_header *field = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Pre"));
    const char **user = cmw_ctx_set_slot(ctx, app.user);

    (void)self;
    if (!user)
        return CMW_ERROR;
    *user = "mia";
    if (field && cmw_str_equals(field->value, CMW_STR("rewrite")))
        return rewrite(ctx);
    if (field && cmw_str_equals(field->value, CMW_STR("wait")))
        return suspend(ctx);
    if (field && cmw_str_equals(field->value, CMW_STR("fields")) &&
        (cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-App"), CMW_STR("pre")) != 0 ||
         cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Pre"), CMW_STR("pre")) != 0 ||
         cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_SET_COOKIE, CMW_STR("pre=1")) != 0))
        return CMW_ERROR;
    return CMW_CONTINUE;
}

/* The body comes in capitals, and with an end of ours; one that begins with a ! is refused. */
static int shout(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    char *text = cmw_arena_alloc(cmw_ctx_arena(ctx), chunk->bytes.len + 4);

    (void)self;
    if (!text)
        return CMW_ERROR;
    if (chunk->bytes.len > 0 && chunk->bytes.data[0] == '!')
        return cmw_respond_text(ctx, 422, CMW_STR("not so loud\n"));
    for (size_t i = 0; i < chunk->bytes.len; i++)
        text[i] = (char)(chunk->bytes.data[i] & ~0x20);
    memcpy(text + chunk->bytes.len, "!!!!", 4);
    chunk->bytes = cmw_str_make(text, chunk->bytes.len + (chunk->is_last ? 4 : 0));
    return CMW_CONTINUE;
}

static int deny(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_text(ctx, 403, CMW_STR("denied\n"));
}

static int count_begun(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    app.begun++;
    app.post_runs = 0;
    return CMW_CONTINUE;
}

static void count_ended(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)self;
    app.ended += cmw_ctx_was_entered(ctx) != 0;
    app.by_reason[reason]++;
}

/* ---- The chain ---------------------------------------------------------------------------- */

static void describe(cmw_middleware *mw, const char *name, int priority)
{
    cmw_middleware_init(mw);
    mw->name = name;
    mw->priority = priority;
}

static int add_actor(cmw_chain *chain, cmw_diag *diag)
{
    cmw_middleware actor;

    describe(&actor, "actor", 10);
    actor.pre_route = on_pre_route;
    actor.post_route = on_post_route;
    actor.resumed = on_resumed;
    actor.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE | 1u << CMW_PHASE_POST_ROUTE;
    cmw_middleware_provides(&actor, app.user);
    cmw_middleware_refines(&actor, CMW_FACT_CANONICAL_PATH);
    cmw_middleware_refines(&actor, CMW_FACT_HOST);
    return cmw_chain_add(chain, &actor, diag);
}

static int add_shout(cmw_chain *chain, cmw_diag *diag)
{
    static const char *const paths[] = {"/app/shout"};
    cmw_condition condition;
    cmw_middleware loud;

    describe(&loud, "loud", 15);
    loud.request_body = shout;
    loud.body_demand = CMW_BODY_CHUNKS;
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    loud.condition = &condition;
    return cmw_chain_add(chain, &loud, diag);
}

static int add_all(cmw_chain *chain, cmw_diag *diag)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Const"), CMW_STR_INIT("yes")}};
    static const char *const paths[] = {"/secret/*", "/file/secret.txt"};
    cmw_condition condition;
    cmw_middleware counter, guard;

    describe(&counter, "counter", 1);
    counter.pre_route = count_begun;
    counter.complete = count_ended;
    counter.fields = fields;
    counter.field_count = 1;
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    describe(&guard, "guard", 20);
    guard.pre_route = deny;
    guard.flags = CMW_GUARDS_ACCESS;
    guard.condition = &condition;
    int rc = cmw_chain_add(chain, &counter, diag);
    if (rc == 0)
        rc = add_actor(chain, diag);
    if (rc == 0)
        rc = add_shout(chain, diag);
    return rc == 0 ? cmw_chain_add(chain, &guard, diag) : rc;
}

static int install(cmw_engine *engine)
{
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    int rc = cmw_slot_declare(engine, &app.user, "user", sizeof(const char *), NULL);
    if (rc == 0)
        rc = cmw_chain_create(engine, &chain, 0);
    if (rc == 0)
        rc = add_all(chain, &diag);
    if (rc == 0)
        rc = cmw_chain_install(chain, &diag);
    if (rc != 0)
        fprintf(stderr, "%s\n", diag.message);
    cmw_chain_destroy(chain);
    return rc;
}

/* ---- The program's H2O handler ------------------------------------------------------------ */

static void send_text(h2o_req_t *req, int status, const char *text)
{
    req->res.status = status;
    req->res.reason = "Whatever";
    req->res.content_length = strlen(text);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/html"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_SET_COOKIE, NULL, H2O_STRLIT("a=1"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_SET_COOKIE, NULL, H2O_STRLIT("b=2"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-app"), 0, NULL,
                          H2O_STRLIT(" app "));
    h2o_send_inline(req, text, strlen(text));
}

static void say_known(h2o_req_t *req)
{
    send_text(req, 200, "from the app\n");
}

static void say_201(h2o_req_t *req)
{
    send_text(req, 201, "made\n");
}

static void say_404(h2o_req_t *req)
{
    send_text(req, 404, "not in the app\n");
}

static void say_304(h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};

    req->res.status = 304;
    req->res.reason = "Not Modified";
    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void say_error(h2o_req_t *req)
{
    h2o_send_error_503(req, "Busy", "busy\n", 0);
}

static void say_bad_field(h2o_req_t *req)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-bad"), 0, NULL,
                          H2O_STRLIT("a\vb"));
    send_text(req, 200, "bad\n");
}

static void say_user(h2o_req_t *req)
{
    const char **user = cmw_ctx_slot(cmw_h2o_ctx(req), app.user);

    send_text(req, 200, user ? *user : "nobody");
}

static void redirect_inside(h2o_req_t *req)
{
    h2o_reprocess_request(req, req->method, req->scheme, req->hostconf->authority.hostport,
                          h2o_iovec_init(H2O_STRLIT("/app/known")), NULL, 0);
}

/* What H2O's side sees of the request. */
static void show_request(h2o_req_t *req)
{
    char text[2048];
    int len = snprintf(text, sizeof text, "%.*s %.*s %.*s\n", (int)req->authority.len,
                       req->authority.base, (int)req->path.len, req->path.base,
                       (int)req->path_normalized.len, req->path_normalized.base);

    for (size_t i = 0; i < req->headers.size; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%.*s: %.*s\n",
                        (int)req->headers.entries[i].name->len, req->headers.entries[i].name->base,
                        (int)req->headers.entries[i].value.len, req->headers.entries[i].value.base);
    send_text(req, 200, text);
}

static void echo(h2o_req_t *req)
{
    req->res.status = 200;
    req->res.reason = "OK";
    h2o_send_inline(req, req->entity.base, req->entity.len);
}

/* ---- A body in pieces --------------------------------------------------------------------- */

enum { PIECE = 40000, PIECES = 100 };

struct stream {
    h2o_generator_t super;
    unsigned left;
};

static char piece[PIECE];

static void proceed_stream(h2o_generator_t *self, h2o_req_t *req)
{
    struct stream *stream = (struct stream *)self;
    h2o_iovec_t out = h2o_iovec_init(piece, sizeof piece);

    stream->left--;
    h2o_send(req, &out, 1, stream->left ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

static void start_stream(h2o_req_t *req, size_t length)
{
    struct stream *stream = h2o_mem_alloc_pool(&req->pool, sizeof *stream);

    stream->super.proceed = proceed_stream;
    stream->super.stop = NULL;
    stream->left = PIECES;
    req->res.status = 200;
    req->res.content_length = length;
    h2o_start_response(req, &stream->super);
    proceed_stream(&stream->super, req);
}

static void stream_unknown(h2o_req_t *req)
{
    start_stream(req, SIZE_MAX);
}

static void stream_known(h2o_req_t *req)
{
    start_stream(req, (size_t)PIECE * PIECES);
}

/* ---- For the test ------------------------------------------------------------------------- */

static void show_counts(h2o_req_t *req)
{
    char text[256];
    int len = snprintf(text, sizeof text, "{\"begun\": %u, \"ended\": %u, \"post_runs\": %u",
                       app.begun, app.ended, app.post_runs);

    for (int i = 0; i < REASONS; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, ", \"%s\": %u",
                        cmw_end_reason_name((cmw_end_reason)i), app.by_reason[i]);
    (void)snprintf(text + len, sizeof text - (size_t)len, "}");
    send_text(req, 200, text);
}

static void *resume_all(void *self)
{
    unsigned *count = self;

    for (unsigned i = 0; i < app.token_count; i++)
        *count += cmw_resume(app.engine, app.tokens[i], CMW_CONTINUE, NULL) == 0;
    return NULL;
}

/* From another thread, while this one stands still. */
static void release(h2o_req_t *req)
{
    unsigned count = 0;
    char text[16];
    pthread_t thread;

    if (pthread_create(&thread, NULL, resume_all, &count) != 0)
        abort();
    pthread_join(thread, NULL);
    app.token_count = 0;
    (void)snprintf(text, sizeof text, "%u", count);
    send_text(req, 200, text);
}

static const struct route {
    cmw_str path;
    void (*answer)(h2o_req_t *req);
} routes[] = {
    {CMW_STR_INIT("/app/known"), say_known},
    {CMW_STR_INIT("/app/201"), say_201},
    {CMW_STR_INIT("/app/404"), say_404},
    {CMW_STR_INIT("/app/304"), say_304},
    {CMW_STR_INIT("/app/error"), say_error},
    {CMW_STR_INIT("/app/bad-field"), say_bad_field},
    {CMW_STR_INIT("/app/user"), say_user},
    {CMW_STR_INIT("/app/redirect"), redirect_inside},
    {CMW_STR_INIT("/app/show"), show_request},
    {CMW_STR_INIT("/app/echo"), echo},
    {CMW_STR_INIT("/app/shout"), echo},
    {CMW_STR_INIT("/app/stream"), stream_unknown},
    {CMW_STR_INIT("/app/stream-known"), stream_known},
    {CMW_STR_INIT("/app/counts"), show_counts},
    {CMW_STR_INIT("/app/release"), release},
};

static int on_app_request(h2o_handler_t *self, h2o_req_t *req)
{
    const cmw_str path = cmw_str_make(req->path_normalized.base, req->path_normalized.len);

    (void)self;
    for (size_t i = 0; i < LEN(routes); i++) {
        if (cmw_str_equals(path, routes[i].path)) {
            routes[i].answer(req);
            return 0;
        }
    }
    return -1;
}

static int on_secret_request(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    send_text(req, 200, "the secret\n");
    return 0;
}

/* ---- Serving ------------------------------------------------------------------------------ */

static void on_accept(h2o_socket_t *from, const char *error)
{
    h2o_socket_t *socket = error ? NULL : h2o_evloop_socket_accept(from);

    if (socket)
        h2o_accept(&accept_ctx, socket);
}

static void on_end(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    (void)messages;
    h2o_linklist_unlink(&end.link);
    is_ended = 1;
}

static void *wait_for_signal(void *self)
{
    int signal;

    sigwait(self, &signal);
    h2o_multithread_send_message(&ending, &end);
    return NULL;
}

static void open_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

static void configure(const char *folder)
{
    h2o_config_init(&config);
    config.max_request_entity_size = 1 << 20;
    h2o_hostconf_t *host =
        h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *secret = h2o_config_register_path(host, "/secret", 0);
    h2o_create_handler(secret, sizeof(h2o_handler_t))->on_req = on_secret_request;
    h2o_file_register(h2o_config_register_path(host, "/file", 0), folder, NULL, NULL, 0);
    h2o_pathconf_t *root = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(root, sizeof(h2o_handler_t))->on_req = on_app_request;
}

static void run(sigset_t *signals)
{
    pthread_t thread;

    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_ctx.ctx = &context;
    accept_ctx.hosts = config.hosts;
    h2o_multithread_register_receiver(context.queue, &ending, on_end);
    if (pthread_create(&thread, NULL, wait_for_signal, signals) != 0)
        abort();
    open_listener();
    while (!is_ended && (h2o_evloop_run(context.loop, INT32_MAX) == 0 || errno == EINTR))
        ;
    pthread_join(thread, NULL);
    h2o_socket_close(listener);
}

int main(int argc, char **argv)
{
    sigset_t signals;
    cmw_h2o *adapter;

    memset(piece, 's', sizeof piece);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (argc < 2 || cmw_engine_create(&app.engine, NULL) != 0 || install(app.engine) != 0)
        return 1;
    configure(argv[1]);
    if (cmw_h2o_create(&adapter, app.engine, NULL, NULL) != 0 ||
        cmw_h2o_attach(adapter, &config) != 0 || cmw_h2o_attach(adapter, &config) != CMW_ERR_STATE)
        return 1;
    run(&signals);
    if (cmw_h2o_destroy(adapter) != CMW_ERR_STATE) /* its context is not detached */
        return 1;
    cmw_h2o_detach(adapter, &context);
    return cmw_h2o_destroy(adapter) != 0 || cmw_engine_destroy(app.engine) != 0;
}
