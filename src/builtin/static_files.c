/* SPDX-License-Identifier: MIT */
/* Files below one folder: from a path to what is sent. */
#include <catzilla/builtin/static_files.h>

#include <stdio.h>

#include <catzilla/http_date.h>

#include "builtins.h"
#include "path_rule.h"
#include "static_name.h"
#include "static_state.h"

static cmw_phase_fn on_pre_route;

/* ---- Finding it ------------------------------------------------------------------------- */

/* The path below the prefix; 0: it is not there. */
static int below_prefix(const struct cmw__static_files *files, cmw_str *path)
{
    const cmw_str prefix = files->prefix;

    if (path->len < prefix.len || memcmp(path->data, prefix.data, prefix.len) != 0)
        return 0;
    *path = cmw_str_make(path->data + prefix.len, path->len - prefix.len);
    return path->len > 0 && path->data[0] == '/';
}

static cmw_str type_of(const struct cmw__static_files *files, cmw_str name)
{
    const cmw_str extension = cmw__static_extension(name);

    for (size_t i = 0; i < files->type_count; i++)
        if (cmw_str_equals_fold(files->types[i].extension, extension))
            return files->types[i].type;
    const cmw_str known = cmw__static_type(name);
    return known.len > 0 ? known : CMW_STR("application/octet-stream");
}

/* Open a regular file: 1. */
static int open_file(const struct cmw__static_files *files, const char *name,
                     struct cmw__static_file *file)
{
    if (cmw__static_open(files->root, name, files->by_steps, file) != 0)
        return 0;
    if (!file->is_directory)
        return 1;
    cmw__static_close(file->fd);
    return 0;
}

/* The file in the coding that the client wants most, of those that are there: 1. `name` has room
 * for a suffix. */
static int open_coded(const struct cmw__static_files *files, cmw_ctx *ctx, char *name, size_t len,
                      struct cmw__static_found *found)
{
    int tried = 0; /* a bit for each */

    for (size_t round = 0; round < files->coding_count; round++) {
        int best = 0;
        size_t at = 0;
        for (size_t i = 0; i < files->coding_count; i++) {
            const int wants = cmw__static_wants(cmw_ctx_request(ctx), files->codings[i].name);
            if (!(tried >> i & 1) && wants > best) {
                best = wants;
                at = i;
            }
        }
        if (best == 0)
            return 0;
        tried |= 1 << at;
        const cmw_str suffix = files->codings[at].suffix;
        memcpy(name + len, suffix.data, suffix.len);
        name[len + suffix.len] = '\0';
        const int is_there = open_file(files, name, &found->file);
        name[len] = '\0';
        if (is_there) {
            found->coding = files->codings[at].name;
            return 1;
        }
    }
    return 0;
}

static void make_etag(struct cmw__static_found *found)
{
    const int len =
        snprintf(found->etag, sizeof found->etag, "\"%llx.%lx-%llx%s%.*s\"",
                 (unsigned long long)found->file.modified_s, (unsigned long)found->file.modified_ns,
                 (unsigned long long)found->file.size, found->coding.len > 0 ? "-" : "",
                 (int)found->coding.len, found->coding.len > 0 ? found->coding.data : "");
    found->etag_len = (size_t)len;
}

/* ---- Answers ---------------------------------------------------------------------------- */

static int set_fields(const struct cmw__static_files *files, cmw_ctx *ctx,
                      const struct cmw__static_found *found)
{
    cmw_response *response = cmw_ctx_response(ctx);
    char date[CMW_HTTP_DATE_LEN];

    int rc = cmw_response_set(response, CMW_HDR_ETAG, cmw_str_make(found->etag, found->etag_len));
    if (rc == 0)
        rc = cmw_response_set(response, CMW_HDR_LAST_MODIFIED,
                              cmw_http_date_format(date, found->file.modified_s));
    if (rc == 0 && files->coding_count > 0)
        rc = cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Accept-Encoding"));
    if (rc == 0 && files->cache_control.len > 0)
        rc = cmw_response_set(response, CMW_HDR_CACHE_CONTROL, files->cache_control);
    return rc;
}

static int send_file(const struct cmw__static_files *files, cmw_ctx *ctx,
                     struct cmw__static_found *found)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const int64_t now_s = (int64_t)(cmw_ctx_wall_ns(ctx) / 1000000000);

    make_etag(found);
    const int status = cmw__static_conditions(cmw_ctx_request(ctx), found, now_s);
    int rc = set_fields(files, ctx, found);
    if (rc == 0 && status == 0)
        rc = cmw_response_set(response, CMW_HDR_CONTENT_TYPE, found->type);
    if (rc == 0 && status == 0)
        rc = cmw_response_set(response, CMW_HDR_ACCEPT_RANGES, CMW_STR("bytes"));
    if (rc == 0 && status == 0 && found->coding.len > 0)
        rc = cmw_response_set(response, CMW_HDR_CONTENT_ENCODING, found->coding);
    if (rc == 0 && status == 0)
        return cmw__static_send(ctx, found, now_s);
    cmw__static_close(found->file.fd);
    if (rc != 0)
        return CMW_ERROR;
    return status == 304 ? cmw_respond_empty(ctx, 304)
                         : cmw_respond_problem(ctx, 412, "the file is not what it was");
}

static int miss(const struct cmw__static_files *files, cmw_ctx *ctx)
{
    return files->go_on ? CMW_CONTINUE : cmw_respond_problem(ctx, 404, NULL);
}

/* A folder without its slash: relative links in its index would lead elsewhere. */
static int add_slash(const struct cmw__static_files *files, cmw_ctx *ctx, cmw_str path)
{
    const cmw_str query = cmw_request_query(cmw_ctx_request(ctx));
    char *target = cmw_arena_alloc_text(cmw_ctx_arena(ctx), path.len + 2 + query.len);

    if (!target)
        return CMW_ERROR;
    memcpy(target, path.data, path.len);
    target[path.len] = '/';
    size_t len = path.len + 1;
    if (query.len > 0) {
        target[len++] = '?';
        memcpy(target + len, query.data, query.len);
        len += query.len;
    }
    const cmw_str location = cmw_str_make(target, len);
    if (!cmw__path_target_is_safe(location) ||
        cmw_response_redirect(cmw_ctx_response(ctx), 308, location) != 0)
        return miss(files, ctx);
    return CMW_STOP;
}

/* ---- Requests --------------------------------------------------------------------------- */

/* `name` is a folder's, or a file's; its buffer has room for an index and a suffix. */
static int serve(const struct cmw__static_files *files, cmw_ctx *ctx, char *name, size_t len,
                 int is_folder)
{
    struct cmw__static_found found;

    memset(&found, 0, sizeof found);
    if (is_folder) {
        if (files->index.len == 0)
            return miss(files, ctx);
        if (len > 0)
            name[len++] = '/';
        memcpy(name + len, files->index.data, files->index.len);
        len += files->index.len;
        name[len] = '\0';
    }
    if (!open_coded(files, ctx, name, len, &found)) {
        if (cmw__static_open(files->root, name, files->by_steps, &found.file) != 0)
            return miss(files, ctx);
        if (found.file.is_directory) {
            cmw__static_close(found.file.fd);
            return is_folder || files->index.len == 0
                       ? miss(files, ctx)
                       : add_slash(files, ctx, cmw_request_path(cmw_ctx_request(ctx)));
        }
    }
    found.type = type_of(files, cmw_str_make(name, len));
    return send_file(files, ctx, &found);
}

static int refuse_method(cmw_ctx *ctx)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ALLOW, CMW_STR("GET, HEAD")) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 405, NULL);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__static_files *files = self;
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));
    cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    size_t len = 0;
    int is_folder = 0;

    if (path.len == 0) /* no canonical form: no file */
        return miss(files, ctx);
    if (!below_prefix(files, &path))
        return CMW_CONTINUE;
    if (method != CMW_METHOD_GET && method != CMW_METHOD_HEAD)
        return files->go_on ? CMW_CONTINUE : refuse_method(ctx);
    char *name = cmw_arena_alloc_text(cmw_ctx_arena(ctx), path.len + files->index.len + 16);
    if (!name)
        return CMW_ERROR;
    if (cmw__static_name(name, &len, &is_folder, path) != 0)
        return miss(files, ctx);
    return serve(files, ctx, name, len, is_folder);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct cmw__static_files *files = self;

    if (files->root >= 0)
        cmw__static_close(files->root);
    cmw_arena_destroy(files->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "static_files: no memory");
}

static int check(const cmw_static_files_config *config, cmw_diag *diag)
{
    const cmw_str prefix = cmw_str_cstr(config->prefix);
    const cmw_str index = cmw_str_cstr(config->index);

    if (!config->root || config->root[0] == '\0')
        return cmw_diag_set(diag, CMW_ERR_ARG, "static_files: root: a folder is needed");
    if (prefix.len > 0 && !cmw__path_target_is_safe(prefix))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "static_files: prefix: '%s' is no path",
                            config->prefix);
    if (index.len > 0 && (index.data[0] == '.' || memchr(index.data, '/', index.len) ||
                          memchr(index.data, '\\', index.len)))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "static_files: index: '%s' is not the name of a file", config->index);
    if (config->cache_control && config->cache_control[0] != '\0' &&
        cmw_response_check_field(CMW_STR("Cache-Control"), cmw_str_cstr(config->cache_control)) !=
            0)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "static_files: cache_control: the text cannot stand in a field");
    if ((config->precompressed_count > 0 && !config->precompressed) ||
        (config->type_count > 0 && !config->types))
        return cmw_diag_set(diag, CMW_ERR_ARG, "static_files: a list is missing");
    return 0;
}

static int read_codings(struct cmw__static_files *files, const cmw_static_files_config *config,
                        cmw_diag *diag)
{
    static const struct cmw__static_coding known[CMW__STATIC_CODINGS_MAX] = {
        {CMW_STR_INIT("br"), CMW_STR_INIT(".br")},
        {CMW_STR_INIT("zstd"), CMW_STR_INIT(".zst")},
        {CMW_STR_INIT("gzip"), CMW_STR_INIT(".gz")},
    };
    unsigned seen = 0;

    for (size_t i = 0; i < config->precompressed_count; i++) {
        size_t at = 0;
        while (at < CMW__STATIC_CODINGS_MAX &&
               !cmw_str_equals(cmw_str_cstr(config->precompressed[i]), known[at].name))
            at++;
        if (at == CMW__STATIC_CODINGS_MAX || (seen >> at & 1))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "static_files: precompressed: '%s' is not one of br, zstd and "
                                "gzip, once",
                                config->precompressed[i] ? config->precompressed[i] : "");
        seen |= 1u << at;
        files->codings[files->coding_count++] = known[at];
    }
    return 0;
}

static int copy_types(struct cmw__static_files *files, const cmw_static_files_config *config,
                      cmw_diag *diag)
{
    files->types = cmw_arena_alloc(files->arena, config->type_count * sizeof *files->types);
    if (!files->types)
        return no_memory(diag);
    for (size_t i = 0; i < config->type_count; i++) {
        const cmw_str extension = cmw_str_cstr(config->types[i].name);
        const cmw_str type = cmw_str_cstr(config->types[i].text);
        if (extension.len == 0 || memchr(extension.data, '.', extension.len) || type.len == 0 ||
            cmw_response_check_field(CMW_STR("Content-Type"), type) != 0)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "static_files: types: '%s' is not an extension with a media type",
                                config->types[i].name ? config->types[i].name : "");
        if (cmw_arena_dup(files->arena, &files->types[i].extension, extension) != 0 ||
            cmw_arena_dup(files->arena, &files->types[i].type, type) != 0)
            return no_memory(diag);
        files->type_count = i + 1;
    }
    return 0;
}

static int fill(struct cmw__static_files *files, const cmw_static_files_config *config,
                cmw_diag *diag)
{
    cmw_str prefix = cmw_str_cstr(config->prefix);
    int why = 0;

    while (prefix.len > 0 && prefix.data[prefix.len - 1] == '/')
        prefix.len--;
    files->go_on = config->go_on;
    if (cmw_arena_dup(files->arena, &files->prefix, prefix) != 0 ||
        cmw_arena_dup(files->arena, &files->index, cmw_str_cstr(config->index)) != 0 ||
        cmw_arena_dup(files->arena, &files->cache_control, cmw_str_cstr(config->cache_control)) !=
            0)
        return no_memory(diag);
    int rc = read_codings(files, config, diag);
    if (rc == 0)
        rc = copy_types(files, config, diag);
    if (rc != 0)
        return rc;
    files->root = cmw__static_open_root(config->root, &why);
    if (files->root < 0)
        return cmw_diag_set(diag, CMW_ERR_IO, "static_files: root: '%s': %s", config->root,
                            strerror(why));
    files->by_steps = !cmw__static_resolves(files->root);
    return 0;
}

int cmw_static_files_create(cmw_engine *engine, cmw_middleware *middleware,
                            const cmw_static_files_config *config, cmw_diag *diag)
{
    cmw_static_files_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_static_files_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "static_files: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct cmw__static_files *files =
        cmw__builtin_alloc(engine, &arena, sizeof *files, "static_files", diag);
    if (!files)
        return CMW_ERR_NOMEM;
    files->arena = arena;
    files->root = -1;
    rc = fill(files, &ours, diag);
    if (rc != 0) {
        destroy(files);
        return rc;
    }

    middleware->kind = "static_files";
    middleware->priority = 850;
    middleware->self = files;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_static_files_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_static_files_config_init(config);
}

static const cmw_option options[] = {
    {.name = "root",
     .type = CMW_OPTION_TEXT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_static_files_config, root),
     .help = "The folder"},
    {.name = "prefix",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_static_files_config, prefix),
     .help = "Of the paths that are served; taken off them"},
    {.name = "index",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_static_files_config, index),
     .help = "Served for a folder; empty: folders are not served"},
    {.name = "cache_control",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_static_files_config, cache_control),
     .help = "Value of Cache-Control"},
    {.name = "precompressed",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_static_files_config, precompressed),
     .help = "Any of br, zstd, gzip: files beside the others that are served in their place"},
    {.name = "types",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_static_files_config, types),
     .help = "Extensions and their media types, before those that are known"},
    {.name = "go_on",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_static_files_config, go_on),
     .help = "What is not found goes on to the handler; else 404"},
};

const cmw_kind cmw__kind_static_files = {
    .size = sizeof(cmw_kind),
    .name = "static_files",
    .summary = "Files below one folder: ranges, conditions, precompressed",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_static_files_config),
    .config_init = config_init,
    .create = create,
};
