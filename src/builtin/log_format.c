/* SPDX-License-Identifier: MIT */
/*
 * Compiling formats. The named ones are texts with directives, too: json and logfmt differ in what
 * their pieces write around a value.
 */
#include "log_format.h"

#include <catzilla/builtin/request_id.h>

#include "builtins.h"

/* ---- Names ------------------------------------------------------------------------------ */

struct named {
    const char *name;
    enum cmw__log_style style;
    const char *text;
    const char *end; /* behind the members that the config adds */
};

#define COMMON "%h %l %u %t \"%r\" %>s %b"

static const struct named formats[] = {
    {"common", CMW__LOG_STYLE_TEXT, COMMON, ""},
    {"combined", CMW__LOG_STYLE_TEXT, COMMON " \"%{Referer}i\" \"%{User-Agent}i\"", ""},
    {"json", CMW__LOG_STYLE_JSON,
     "{\"time\":%{iso}t,\"client\":%a,\"user\":%u,\"method\":%m,\"host\":%V,"
     "\"target\":%{target}r,\"protocol\":%H,\"status\":%s,\"reason\":%X,\"bytes\":%B,"
     "\"duration_us\":%D,\"referer\":%{Referer}i,\"user_agent\":%{User-Agent}i,"
     "\"request_id\":%L,\"route\":%R",
     "}"},
    {"logfmt", CMW__LOG_STYLE_LOGFMT,
     "time=%{iso}t client=%a user=%u method=%m host=%V target=%{target}r protocol=%H status=%s "
     "reason=%X bytes=%B duration_us=%D referer=%{Referer}i user_agent=%{User-Agent}i "
     "request_id=%L route=%R",
     ""},
};

/* Header fields that are secrets, and those that are URLs and may have some in their query. */
static const char *const secret_fields[] = {"Authorization", "Proxy-Authorization", "Cookie",
                                            "Set-Cookie", "X-API-Key"};
static const char *const url_fields[] = {"Referer", "Location", "Content-Location"};

static const char *const secret_keys[] = {
    "access_token",    "api_key",       "apikey",           "api-key",
    "auth_token",      "client_secret", "id_token",         "jwt",
    "passwd",          "password",      "private_key",      "pwd",
    "refresh_token",   "secret",        "session_id",       "sig",
    "signature",       "token",         "x-amz-credential", "x-amz-security-token",
    "x-amz-signature",
};

#define LEN(array) (sizeof(array) / sizeof *(array))

/* ---- The compiler ----------------------------------------------------------------------- */

struct compiler {
    struct cmw__log_format *format;
    cmw_arena *arena;
    const cmw_access_log_config *config;
    cmw_diag *diag;
    size_t piece_cap;
    int is_in_quotes; /* of the format's own */
};

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "access_log: no memory");
}

/* The piece that is being made: its literal text so far, no value yet. */
static struct cmw__log_piece *open_piece(struct compiler *compiler)
{
    return &compiler->format->pieces[compiler->format->piece_count];
}

static void close_piece(struct compiler *compiler, size_t value_bytes)
{
    compiler->format->worst += sizeof open_piece(compiler)->lead + value_bytes;
    compiler->format->piece_count++;
}

static void add_literal(struct compiler *compiler, char c)
{
    if (open_piece(compiler)->lead_len == sizeof open_piece(compiler)->lead)
        close_piece(compiler, 0);
    struct cmw__log_piece *piece = open_piece(compiler);
    piece->lead[piece->lead_len++] = c;
    if (c == '"' && compiler->format->style == CMW__LOG_STYLE_TEXT)
        compiler->is_in_quotes ^= 1;
}

static void add_text(struct compiler *compiler, const char *text)
{
    while (*text)
        add_literal(compiler, *text++);
}

static int list_has(const char *const *list, size_t count, cmw_str name)
{
    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(cmw_str_cstr(list[i]), name))
            return 1;
    return 0;
}

static int take_field(struct compiler *compiler, struct cmw__log_piece *piece, cmw_str name)
{
    const cmw_access_log_config *config = compiler->config;

    if (!cmw_header_name_is_valid(name))
        return cmw_diag_set(compiler->diag, CMW_ERR_INVALID,
                            "access_log: format: '%.*s' is not the name of a field", (int)name.len,
                            name.data);
    if (cmw_arena_dup(compiler->arena, &piece->name, name) != 0)
        return no_memory(compiler->diag);
    piece->id = cmw_header_id_find(name);
    piece->is_url = list_has(url_fields, LEN(url_fields), name) != 0;
    piece->is_secret = list_has(secret_fields, LEN(secret_fields), name) ||
                       list_has(config->redact_headers, config->redact_header_count, name);
    return 0;
}

static enum cmw__log_mode mode_of(const struct compiler *compiler)
{
    if (compiler->format->style == CMW__LOG_STYLE_JSON)
        return CMW__LOG_MODE_JSON;
    if (compiler->format->style == CMW__LOG_STYLE_LOGFMT)
        return CMW__LOG_MODE_LOGFMT;
    return compiler->is_in_quotes ? CMW__LOG_MODE_QUOTED : CMW__LOG_MODE_BARE;
}

/* Room for a value that is no text of the request: an address, a time, a number, with quotes. */
enum { TOKEN_CAP = 64 };

static int add_directive(struct compiler *compiler, const struct cmw__log_directive *directive,
                         cmw_str argument)
{
    struct cmw__log_piece *piece = open_piece(compiler);
    struct cmw__log_format *format = compiler->format;

    if (directive->argument && strcmp(directive->argument, "*") == 0) {
        const int rc = take_field(compiler, piece, argument);
        if (rc != 0)
            return rc;
    }
    piece->put = directive->put;
    piece->mode = (uint8_t)mode_of(compiler);
    piece->is_url |= directive->letter == 'r' || directive->letter == 'q';
    format->reads_host |= directive->letter == 'V';
    close_piece(compiler, TOKEN_CAP + directive->text_count * (CMW__LOG_GROWTH * format->max_text));
    return 0;
}

/* Read "%{argument}letter" at `text`, whose first byte is '%'; `*next` is behind it. */
static const char *parse_directive(cmw_str *argument, char *letter, const char *text)
{
    const char *at = text + 1;

    *argument = cmw_str_make(NULL, 0);
    if (*at == '>' && at[1] == 's')
        at++;
    if (*at == '{') {
        const char *end = strchr(at, '}');
        if (!end)
            return NULL;
        *argument = cmw_str_make(at + 1, (size_t)(end - at) - 1);
        at = end + 1;
    }
    *letter = *at;
    return *at ? at + 1 : NULL;
}

static int refuse_directive(const struct compiler *compiler, const char *text, const char *next)
{
    const size_t len = next ? (size_t)(next - text) : strlen(text);
    return cmw_diag_set(compiler->diag, CMW_ERR_INVALID,
                        "access_log: format: there is no directive '%.*s'", (int)len, text);
}

/* Compile one directive and move behind it. */
static int compile_directive(struct compiler *compiler, const char **text)
{
    cmw_str argument;
    char letter = 0;
    const char *next = parse_directive(&argument, &letter, *text);

    if (next && letter == '%' && !argument.data && next == *text + 2) {
        add_literal(compiler, '%');
    } else {
        const struct cmw__log_directive *directive =
            next ? cmw__log_directive_find(letter, argument) : NULL;
        if (!directive)
            return refuse_directive(compiler, *text, next);
        if (letter == 'l' && compiler->format->style == CMW__LOG_STYLE_TEXT) {
            add_literal(compiler, '-'); /* nobody has an identity of RFC 1413 */
            *text = next;
            return 0;
        }
        const int rc = add_directive(compiler, directive, argument);
        if (rc != 0)
            return rc;
    }
    *text = next;
    return 0;
}

static int compile_text(struct compiler *compiler, const char *text)
{
    while (*text) {
        if (*text == '%') {
            const int rc = compile_directive(compiler, &text);
            if (rc != 0)
                return rc;
        } else if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return cmw_diag_set(compiler->diag, CMW_ERR_INVALID,
                                "access_log: format: a line holds no control characters");
        } else {
            add_literal(compiler, *text++);
        }
    }
    return 0;
}

/* ---- Members that the config adds ------------------------------------------------------- */

static int is_member_name(const char *name)
{
    size_t len = 0;

    for (; name && name[len]; len++) {
        const char c = name[len];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '_' || c == '-' || c == '.'))
            return 0;
    }
    return len > 0 && len <= 64;
}

static int check_member(const struct compiler *compiler, const cmw_option_text *field)
{
    cmw_str argument;
    char letter;

    if (!is_member_name(field->name))
        return cmw_diag_set(compiler->diag, CMW_ERR_INVALID,
                            "access_log: fields: '%s' is not a name of 1 to 64 letters, digits, "
                            "'_', '-' or '.'",
                            field->name ? field->name : "");
    const char *next = field->text && field->text[0] == '%'
                           ? parse_directive(&argument, &letter, field->text)
                           : NULL;
    if (!next || *next || letter == '%')
        return cmw_diag_set(compiler->diag, CMW_ERR_INVALID,
                            "access_log: fields: %s: '%s' is not one directive", field->name,
                            field->text ? field->text : "");
    return 0;
}

static int compile_member(struct compiler *compiler, const cmw_option_text *field)
{
    const int rc = check_member(compiler, field);

    if (rc != 0)
        return rc;
    add_text(compiler, compiler->format->style == CMW__LOG_STYLE_JSON ? ",\"" : " ");
    add_text(compiler, field->name);
    add_text(compiler, compiler->format->style == CMW__LOG_STYLE_JSON ? "\":" : "=");
    return compile_text(compiler, field->text);
}

static int compile_members(struct compiler *compiler)
{
    const cmw_access_log_config *config = compiler->config;

    if (config->field_count > 0 && compiler->format->style == CMW__LOG_STYLE_TEXT)
        return cmw_diag_set(compiler->diag, CMW_ERR_ARG,
                            "access_log: fields: only json and logfmt have members");
    for (size_t i = 0; i < config->field_count; i++) {
        const int rc = compile_member(compiler, &config->fields[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- Query parameters ------------------------------------------------------------------- */

static int add_key(struct cmw__log_format *format, cmw_str *names, cmw_arena *arena,
                   const char *key, cmw_diag *diag)
{
    const size_t len = key ? strlen(key) : 0;

    if (len == 0 || len > CMW__LOG_KEY_CAP)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "access_log: redact_query: '%s' is not a name of 1 to %d bytes",
                            key ? key : "", CMW__LOG_KEY_CAP);
    char *lower = cmw_arena_alloc_text(arena, len);
    if (!lower)
        return no_memory(diag);
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] | 0x20 : key[i]);
    names[format->keys.count++] = cmw_str_make(lower, len);
    format->keys.lengths |= UINT64_C(1) << (len - 1);
    return 0;
}

static int take_keys(struct cmw__log_format *format, cmw_arena *arena,
                     const cmw_access_log_config *config, cmw_diag *diag)
{
    const size_t count = LEN(secret_keys) + config->redact_query_count;
    cmw_str *names = cmw_arena_alloc(arena, count * sizeof *names);
    int rc = 0;

    if (!names)
        return no_memory(diag);
    format->keys.names = names;
    for (size_t i = 0; i < LEN(secret_keys) && rc == 0; i++)
        rc = add_key(format, names, arena, secret_keys[i], diag);
    for (size_t i = 0; i < config->redact_query_count && rc == 0; i++)
        rc = add_key(format, names, arena, config->redact_query[i], diag);
    return rc;
}

/* ---- All of it -------------------------------------------------------------------------- */

static const struct named *find_named(const char *name)
{
    for (size_t i = 0; i < LEN(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

/* No more pieces than bytes of text: a piece begins with a directive or 16 literal bytes. */
static size_t count_pieces(const struct named *named, const cmw_access_log_config *config)
{
    size_t bytes = strlen(named->text) + strlen(named->end) + 2;

    for (size_t i = 0; i < config->field_count; i++)
        bytes += 4 + (config->fields[i].name ? strlen(config->fields[i].name) : 0) +
                 (config->fields[i].text ? strlen(config->fields[i].text) : 0);
    return bytes;
}

static int declare_slots(struct cmw__log_format *format, cmw_engine *engine, cmw_diag *diag)
{
    int rc = cmw_principal_slot(engine, &format->principal);

    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "access_log: slot 'principal' has another shape");
    if (rc == 0)
        rc = cmw_slot_declare(engine, &format->request_id, "request_id", sizeof(cmw_request_id),
                              NULL);
    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "access_log: slot 'request_id' has another shape");
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "access_log: %s", cmw_error_text(rc));
}

/* common or combined, with no field that is a secret. */
static void choose_writer(struct cmw__log_format *format, const char *name)
{
    if (format->style != CMW__LOG_STYLE_TEXT)
        return;
    for (size_t i = 0; i < format->piece_count; i++)
        if (format->pieces[i].is_secret)
            return;
    format->has_fields = strcmp(name, "combined") == 0;
    format->write = cmw__log_has_avx2() ? cmw__log_plain_write_avx2 : cmw__log_plain_write;
}

static int compile_pieces(struct compiler *compiler, const struct named *named)
{
    struct cmw__log_format *format = compiler->format;
    const size_t bytes = count_pieces(named, compiler->config) * sizeof *format->pieces;

    format->pieces = cmw_arena_alloc(compiler->arena, bytes);
    if (!format->pieces)
        return no_memory(compiler->diag);
    memset(format->pieces, 0, bytes);
    format->style = named->style;
    int rc = compile_text(compiler, named->text);
    if (rc == 0)
        rc = compile_members(compiler);
    if (rc != 0)
        return rc;
    add_text(compiler, named->end);
    close_piece(compiler, 1); /* what is left of the literal text, and the line end */
    format->worst += CMW__LOG_SLACK;
    return 0;
}

int cmw__log_format_compile(struct cmw__log_format *format, cmw_engine *engine, cmw_arena *arena,
                            const cmw_access_log_config *config, cmw_diag *diag)
{
    struct compiler compiler = {.format = format, .arena = arena, .config = config, .diag = diag};
    const char *text = config->format ? config->format : "combined";
    const struct named custom = {text, CMW__LOG_STYLE_TEXT, text, ""};
    const struct named *named = find_named(text);

    if (!named && !strchr(text, '%'))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "access_log: format: '%s' is not common, combined, json or logfmt, "
                            "and has no directive",
                            text);
    format->max_text = (size_t)config->max_text;
    int rc = declare_slots(format, engine, diag);
    if (rc == 0)
        rc = take_keys(format, arena, config, diag);
    if (rc == 0)
        rc = compile_pieces(&compiler, named ? named : &custom);
    format->write = cmw__log_format_write;
    if (rc == 0 && named)
        choose_writer(format, named->name);
    return rc;
}

char *cmw__log_format_write(char *to, const struct cmw__log_line *line)
{
    const struct cmw__log_piece *piece = line->format->pieces;
    const struct cmw__log_piece *const last = piece + line->format->piece_count - 1;

    for (; piece < last; piece++) {
        memcpy(to, piece->lead, sizeof piece->lead);
        to += piece->lead_len;
        if (piece->put)
            to = piece->put(to, piece, line);
    }
    memcpy(to, last->lead, sizeof last->lead);
    to += last->lead_len;
    *to = '\n';
    return to + 1;
}
