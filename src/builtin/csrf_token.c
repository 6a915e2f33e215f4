/* SPDX-License-Identifier: MIT */
#include "csrf_token.h"

#include "hex.h"

enum { NONCE_DIGITS = 32, CODE_DIGITS = 43 };
_Static_assert(NONCE_DIGITS + 1 + CODE_DIGITS == CMW_CSRF_TOKEN_LEN, "the header says how long");

enum { PART_COUNT = 4 };

/* ---- Tokens ----------------------------------------------------------------------------- */

/* What is signed. The nonce has a fixed length, so that the session's value cannot reach into it.
 */
static void fill_parts(const struct cmw__csrf_token *token, cmw_request *request,
                       cmw_str parts[PART_COUNT], cmw_str nonce)
{
    parts[0] = CMW_STR("csrf");
    parts[1] = nonce;
    parts[2] = CMW_STR("!");
    parts[3] = cmw_str_make("", 0);
    if (token->session_cookie.len > 0 &&
        cmw_request_cookie(request, &parts[3], token->session_cookie) != 0)
        parts[3] = cmw_str_make("", 0);
}

static int is_good(const struct cmw__csrf_token *token, cmw_request *request, cmw_str text)
{
    unsigned char mac[CMW_MAC_LEN];
    cmw_str parts[PART_COUNT];
    size_t len;

    if (text.len != CMW_CSRF_TOKEN_LEN || text.data[NONCE_DIGITS] != '.' ||
        (cmw__not_hex16(text.data) | cmw__not_hex16(text.data + 16)) != 0)
        return 0;
    const cmw_str code = cmw_str_make(text.data + NONCE_DIGITS + 1, CODE_DIGITS);
    if (cmw_base64_decode(&len, (char *)mac, sizeof mac, code,
                          CMW_BASE64_URL | CMW_BASE64_UNPADDED) != 0 ||
        len != sizeof mac)
        return 0;
    fill_parts(token, request, parts, cmw_str_make(text.data, NONCE_DIGITS));
    return cmw_key_ring_verify(token->ring, mac, parts, PART_COUNT) >= 0;
}

static int make(const struct cmw__csrf_token *token, cmw_ctx *ctx, char *to)
{
    unsigned char mac[CMW_MAC_LEN], bytes[NONCE_DIGITS / 2];
    cmw_str parts[PART_COUNT];
    size_t len;

    if (cmw_ctx_random(ctx, bytes, sizeof bytes) != 0)
        return CMW_ERR_IO;
    cmw__hex16(to, bytes);
    to[NONCE_DIGITS] = '.';
    fill_parts(token, cmw_ctx_request(ctx), parts, cmw_str_make(to, NONCE_DIGITS));
    cmw_key_ring_sign(token->ring, mac, parts, PART_COUNT);
    return cmw_base64_encode(&len, to + NONCE_DIGITS + 1, CODE_DIGITS,
                             cmw_str_make((const char *)mac, sizeof mac),
                             CMW_BASE64_URL | CMW_BASE64_UNPADDED);
}

/* ---- Requests --------------------------------------------------------------------------- */

int cmw__csrf_token_prepare(const struct cmw__csrf_token *token, cmw_ctx *ctx)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    cmw_csrf_value value;
    cmw_str known;

    value.is_new =
        cmw_request_cookie(request, &known, token->cookie) != 0 || !is_good(token, request, known);
    if (!value.is_new)
        memcpy(value.text, known.data, CMW_CSRF_TOKEN_LEN);
    else if (make(token, ctx, value.text) != 0)
        return CMW_ERR_IO;
    return cmw_ctx_copy_slot(ctx, token->slot, &value) ? 0 : CMW_ERR_NOMEM;
}

int cmw__csrf_token_is_sent(const struct cmw__csrf_token *token, cmw_ctx *ctx)
{
    const cmw_csrf_value *const value = cmw_ctx_slot(ctx, token->slot);
    size_t count, found = 0;
    const cmw_header *const headers = cmw_request_headers(cmw_ctx_request(ctx), &count);
    int is_equal = 0;

    if (!value || value->is_new)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!cmw_str_equals_fold(headers[i].name, token->header))
            continue;
        is_equal =
            cmw_str_equals_secret(headers[i].value, cmw_str_make(value->text, CMW_CSRF_TOKEN_LEN));
        found++;
    }
    return is_equal && found == 1;
}

/* Scripts of the page read it: that is what it is for. */
int cmw__csrf_token_set(const struct cmw__csrf_token *token, cmw_ctx *ctx)
{
    const cmw_csrf_value *const value = cmw_ctx_slot(ctx, token->slot);
    cmw_set_cookie cookie;

    if (!value || !value->is_new)
        return 0;
    cmw_set_cookie_init(&cookie);
    cookie.name = token->cookie;
    cookie.value = cmw_str_make(value->text, CMW_CSRF_TOKEN_LEN);
    cookie.http_only = 0;
    return cmw_response_set_cookie(cmw_ctx_response(ctx), &cookie);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static int take_name(cmw_str *name, cmw_arena *arena, const char *option, const char *text,
                     cmw_diag *diag)
{
    if (!cmw_header_name_is_valid(cmw_str_cstr(text)))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "csrf: token: %s: '%s' is not a name", option,
                            text);
    if (cmw_arena_dup(arena, name, cmw_str_cstr(text)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "csrf: no memory");
    return 0;
}

int cmw__csrf_token_fill(struct cmw__csrf_token *token, cmw_arena *arena, cmw_engine *engine,
                         const cmw_csrf_token *config, cmw_diag *diag)
{
    cmw_key_ring *ring;
    cmw_diag why = {0};
    int rc = take_name(&token->cookie, arena, "cookie",
                       config->cookie ? config->cookie : "__Host-csrf", diag);

    if (rc == 0)
        rc = take_name(&token->header, arena, "header",
                       config->header ? config->header : "X-CSRF-Token", diag);
    if (rc == 0 && config->session_cookie)
        rc = take_name(&token->session_cookie, arena, "session_cookie", config->session_cookie,
                       diag);
    if (rc != 0)
        return rc;
    rc = cmw_key_ring_create(&ring, arena, engine, config->secrets, config->secret_count, &why);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "csrf: token: secrets: %s", why.message);
    rc = cmw_slot_declare(engine, &token->slot, "csrf_token", sizeof(cmw_csrf_value), NULL);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "csrf: slot 'csrf_token': %s", cmw_error_text(rc));
    token->ring = ring;
    return 0;
}
