/* SPDX-License-Identifier: MIT */
/*
 * Bodies, the content types that follow them, and a response's beginning and end: dropping it for a
 * fault, freezing it, saving and restoring it.
 */
#include "arena_state.h"
#include "response_fields.h"

#define LINE(type)                                                                                 \
    {                                                                                              \
        "Content-Type: " type "\r\n", sizeof("Content-Type: " type "\r\n") - 1                     \
    }

static inline void forget_source(cmw_response *response)
{
    const int rest =
        response->flags & ~(CMW__RESPONSE_STREAM | CMW__RESPONSE_NO_LENGTH | CMW__RESPONSE_PASSES);

    if (response->flags & CMW__RESPONSE_STREAM)
        response->body = CMW_STR("");
    response->flags = (uint8_t)rest;
}

static const struct cmw__static_line text_line = LINE("text/plain; charset=utf-8");
static const struct cmw__static_line html_line = LINE("text/html; charset=utf-8");
static const struct cmw__static_line bytes_line = LINE("application/octet-stream");
static const struct cmw__static_line json_line = LINE("application/json");
static const struct cmw__static_line problem_line = LINE("application/problem+json");

/* Another body takes the place of a source, which its owner closes when the request ends. */
static CMW__NOINLINE int check_unusual(cmw_response *response, int status)
{
    if (response->flags & CMW__RESPONSE_FROZEN)
        return CMW_ERR_STATE;
    if (status < 100 || status > 999)
        return CMW_ERR_ARG;
    forget_source(response);
    return 0;
}

static int check(cmw_response *response, int status)
{
    if (response->flags & (CMW__RESPONSE_FROZEN | CMW__RESPONSE_STREAM))
        return check_unusual(response, status);
    return status < 100 || status > 999 ? CMW_ERR_ARG : 0;
}

/* The last step of all bodies. */
static int put_body(cmw_response *response, int status, cmw_str body,
                    const struct cmw__static_line *type)
{
    if (cmw__response_infer_type(response, type) != 0)
        return CMW_ERR_NOMEM;
    response->status = (uint16_t)status;
    response->body = body;
    response->json = NULL;
    return 0;
}

static int put_copy(cmw_response *response, int status, cmw_str body,
                    const struct cmw__static_line *type)
{
    const int rc = check(response, status);
    cmw_str copy;

    if (rc != 0)
        return rc;
    if (cmw_arena_dup(response->arena, &copy, body) != 0)
        return CMW_ERR_NOMEM;
    return put_body(response, status, copy, type);
}

int cmw_response_empty(cmw_response *response, int status)
{
    const int rc = check(response, status);

    if (rc != 0)
        return rc;
    if (cmw__has_id(response->ids, CMW_HDR_CONTENT_TYPE))
        cmw__response_forget_type(response);
    response->status = (uint16_t)status;
    response->body = CMW_STR("");
    response->json = NULL;
    return 0;
}

/* The line of a type that the host gives, in the arena. */
static int write_type(cmw_response *response, struct cmw__static_line *line, cmw_str type)
{
    const cmw_str name = CMW_STR("Content-Type: ");

    if (!cmw_header_value_is_valid(type) || type.len > UINT16_MAX)
        return CMW_ERR_INVALID;
    char *bytes = cmw_arena_alloc_text(response->arena, name.len + type.len + 2);
    if (!bytes)
        return CMW_ERR_NOMEM;
    memcpy(bytes, name.data, name.len);
    memcpy(bytes + name.len, type.data, type.len);
    memcpy(bytes + name.len + type.len, "\r\n", 2);
    *line = (struct cmw__static_line){bytes, (uint32_t)(name.len + type.len + 2)};
    return 0;
}

int cmw_response_pass_body(cmw_response *response, int status, cmw_str type, uint64_t length)
{
    const int has_length = length <= SIZE_MAX && length != UINT64_MAX;
    const cmw_str body = cmw_str_make(NULL, has_length ? (size_t)length : 0);
    struct cmw__static_line line;
    int rc = check(response, status);

    if (rc == 0 && type.len > 0)
        rc = write_type(response, &line, type);
    if (rc == 0)
        rc = type.len > 0 ? put_body(response, status, body, &line)
                          : cmw_response_empty(response, status);
    if (rc != 0)
        return rc;
    response->body = body;
    response->flags |= CMW__RESPONSE_STREAM | CMW__RESPONSE_PASSES;
    if (!has_length)
        response->flags |= CMW__RESPONSE_NO_LENGTH;
    return 0;
}

int cmw_response_text(cmw_response *response, int status, cmw_str text)
{
    return put_copy(response, status, text, &text_line);
}

int cmw_response_html(cmw_response *response, int status, cmw_str html)
{
    return put_copy(response, status, html, &html_line);
}

int cmw_response_bytes(cmw_response *response, int status, cmw_str bytes)
{
    return put_copy(response, status, bytes, &bytes_line);
}

int cmw_response_bytes_ref(cmw_response *response, int status, cmw_str bytes)
{
    const int rc = check(response, status);
    return rc != 0 ? rc : put_body(response, status, bytes, &bytes_line);
}

static CMW__NOINLINE int put_kept(cmw_response *response, int status, const cmw_header_block *block,
                                  cmw_str body)
{
    int rc = check(response, status);

    if (rc == 0)
        rc = cmw_response_add_block(response, block);
    if (rc != 0)
        return rc;
    cmw__response_forget_type(response);
    response->status = (uint16_t)status;
    response->body = body;
    response->json = NULL;
    return 0;
}

int cmw_response_kept_ref(cmw_response *response, int status, const cmw_header_block *block,
                          cmw_str body)
{
    const uint64_t content_type = (uint64_t)1 << CMW_HDR_CONTENT_TYPE;

    _Static_assert(CMW_HDR_CONTENT_TYPE < 64, "its bit is in the first word");
    if (CMW_UNLIKELY((response->flags & ~CMW__RESPONSE_HEAD_ONLY) || (unsigned)status - 100 > 899 ||
                     ((response->ids[0] & (block->ids[0] | content_type)) |
                      (response->ids[1] & block->ids[1])) != 0 ||
                     block->count == 0 || response->segment_count >= response->segment_cap))
        return put_kept(response, status, block, body);
    cmw__response_push_block(response, block);
    response->status = (uint16_t)status;
    response->body = body;
    response->json = NULL;
    return 0;
}

int cmw_response_json_text(cmw_response *response, int status, cmw_str json)
{
    return put_copy(response, status, json, &json_line);
}

cmw_json *cmw_response_json(cmw_response *response, int status)
{
    if (check(response, status) != 0)
        return NULL;

    cmw_json *json = cmw__arena_alloc(response->arena, sizeof *json);
    if (!json || put_body(response, status, CMW_STR(""), &json_line) != 0)
        return NULL;
    cmw_json_init(json, response->arena);
    response->json = json;
    return json;
}

/* Members that would say nothing are left out (RFC 9457, 3.1). */
static int write_problem(cmw_json *json, cmw_str *out, int status, cmw_str detail)
{
    const cmw_str title = cmw_status_reason(status);

    cmw_json_object_begin(json);
    if (title.len > 0) {
        cmw_json_key(json, CMW_STR("title"));
        cmw_json_string(json, title);
    }
    cmw_json_key(json, CMW_STR("status"));
    cmw_json_int(json, status);
    if (detail.len > 0) {
        cmw_json_key(json, CMW_STR("detail"));
        cmw_json_string(json, detail);
    }
    cmw_json_object_end(json);
    return cmw_json_finish(json, out);
}

int cmw_response_problem(cmw_response *response, int status, cmw_str detail)
{
    cmw_json json;
    cmw_str body;
    int rc = check(response, status);

    if (rc != 0)
        return rc;
    cmw_json_init(&json, response->arena);
    rc = write_problem(&json, &body, status, detail);
    return rc != 0 ? rc : put_body(response, status, body, &problem_line);
}

/* ---- Redirects -------------------------------------------------------------------------- */

static int is_hex(char c)
{
    const char folded = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (folded >= 'a' && folded <= 'f');
}

/* Bytes of a URI reference (RFC 3986, 2): unreserved, reserved, and escapes. */
static int has_uri_bytes(cmw_str text)
{
    /* Bits by value: all but controls, space, '"', '<', '>', '\\', '^', '`', '{', '|', '}', DEL and
     * what is above it. */
    static const uint32_t allowed[8] = {0, 0xaffffffa, 0xafffffff, 0x47fffffe, 0, 0, 0, 0};

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if ((allowed[byte / 32] >> byte % 32 & 1) == 0)
            return 0;
        if (byte == '%' &&
            (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2])))
            return 0;
    }
    return 1;
}

static int is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

int cmw_response_redirect(cmw_response *response, int status, cmw_str location)
{
    int rc = check(response, status);

    if (rc != 0)
        return rc;
    if (!is_redirect(status))
        return CMW_ERR_ARG;
    if (!has_uri_bytes(location))
        return CMW_ERR_INVALID;
    rc = cmw_response_set(response, CMW_HDR_LOCATION, location);
    return rc != 0 ? rc : cmw_response_empty(response, status);
}

/* ---- Faults ----------------------------------------------------------------------------- */

void cmw__response_drop_for_fault(cmw_response *response)
{
    static const uint8_t dropped[] = {
        CMW_HDR_ACCEPT_RANGES,    CMW_HDR_CONTENT_DIGEST,   CMW_HDR_CONTENT_DISPOSITION,
        CMW_HDR_CONTENT_ENCODING, CMW_HDR_CONTENT_LANGUAGE, CMW_HDR_CONTENT_LOCATION,
        CMW_HDR_CONTENT_RANGE,    CMW_HDR_CONTENT_TYPE,     CMW_HDR_ETAG,
        CMW_HDR_LAST_MODIFIED,    CMW_HDR_SET_COOKIE,
    };
    /* Content-Security-Policy has an id and is no representation field: it stays. */
    struct cmw__filter filter = {
        .ids = {1, 0}, .prefix = CMW_STR_INIT("content-"), .flags = CMW__SEGMENT_HANDLER};
    size_t growth;

    for (size_t i = 0; i < sizeof dropped; i++)
        cmw__add_id(filter.ids, dropped[i]);
    response->status = 0;
    forget_source(response);
    response->body = CMW_STR("");
    response->json = NULL;
    if (cmw__response_make_room(response, &filter, &growth, 0) == 0) {
        cmw__response_drop(response, &filter, growth);
        return;
    }
    /* No memory to split a block: drop what is a line. */
    filter.keeps_blocks = 1;
    cmw__response_drop(response, &filter, 0);
}

void cmw__response_plain(cmw_response *response, int status)
{
    response->status = (uint16_t)status;
    response->body = cmw_status_reason(status);
    response->json = NULL;
    (void)cmw__response_infer_type(response, &text_line);
}

/* ---- Commit, save, restore -------------------------------------------------------------- */

int cmw__response_finish_json(cmw_response *response)
{
    if (!response->json)
        return 0;
    const int rc = cmw_json_finish(response->json, &response->body);
    if (rc == 0)
        response->json = NULL;
    return rc;
}

int cmw__response_freeze(cmw_response *response)
{
    const int rc = cmw__response_finish_json(response);
    if (rc == 0)
        response->flags |= CMW__RESPONSE_FROZEN;
    return rc;
}

int cmw__response_save(const cmw_response *response, struct cmw__response_saved *saved)
{
    const size_t bytes = response->segment_count * sizeof *response->segments;
    struct cmw__segment *segments = NULL;

    if (bytes > 0) {
        segments = cmw__arena_alloc(response->arena, bytes);
        if (!segments)
            return CMW_ERR_NOMEM;
        memcpy(segments, response->segments, bytes);
    }
    saved->response = *response;
    saved->segments = segments;
    if (response->json)
        saved->json = *response->json;
    return 0;
}

void cmw__response_restore(cmw_response *response, const struct cmw__response_saved *saved)
{
    *response = saved->response;
    if (saved->segments)
        memcpy(response->segments, saved->segments,
               response->segment_count * sizeof *response->segments);
    /* What was written since lies behind the old text, or in a copy of it. */
    if (response->json)
        *response->json = saved->json;
}
