/* SPDX-License-Identifier: MIT */
#include "todos.h"

#include <pthread.h>
#include <stdlib.h>

enum { TODO_CAP = 100, TITLE_CAP = 120 };

struct todo {
    uint32_t id; /* 0: free */
    int is_done;
    size_t title_len;
    char title[TITLE_CAP];
};

struct todos {
    pthread_mutex_t lock; /* of what follows */
    uint32_t last_id;
    struct todo todos[TODO_CAP];
};

struct todos *todos_create(void)
{
    struct todos *app = calloc(1, sizeof *app);

    if (app && pthread_mutex_init(&app->lock, NULL) != 0) {
        free(app);
        return NULL;
    }
    return app;
}

void todos_destroy(struct todos *app)
{
    if (!app)
        return;
    pthread_mutex_destroy(&app->lock);
    free(app);
}

/* ---- Under the lock --------------------------------------------------------------------- */

static struct todo *find_todo(struct todos *app, uint32_t id)
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

static int list_todos(struct todos *app, cmw_response *response)
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

static int create_todo(struct todos *app, cmw_response *response, cmw_str title)
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

static int handle_todos(struct todos *app, cmw_ctx *ctx)
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

static int handle_todo(struct todos *app, cmw_ctx *ctx, uint32_t id)
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

/* ---- The two resources ------------------------------------------------------------------ */

int todos_handle_list(struct todos *app, cmw_ctx *ctx)
{
    pthread_mutex_lock(&app->lock);
    const int rc = handle_todos(app, ctx);
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

int todos_handle_one(struct todos *app, cmw_ctx *ctx, cmw_str id)
{
    pthread_mutex_lock(&app->lock);
    const int rc = handle_todo(app, ctx, parse_id(id));
    pthread_mutex_unlock(&app->lock);
    return rc;
}
