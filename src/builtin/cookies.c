/* SPDX-License-Identifier: MIT */
/* Cookies of a request: nothing is done before somebody asks. */
#include <catzilla/builtin/cookies.h>

#include <catzilla/mw.h>

#include "builtins.h"

enum { FIRST_CAP = 16, CODE_DIGITS = 43 /* of 32 bytes in base64, unpadded */ };

struct keeper {
    cmw_arena *arena;
    const cmw_key_ring *ring; /* NULL: no signed cookies */
    cmw_slot slot;
    cmw_cookie_format format;
    int parses;
};

static cmw_phase_fn on_pre_route;

/* ---- Signatures ------------------------------------------------------------------------- */

static unsigned base64_flags(cmw_cookie_format format)
{
    return CMW_BASE64_UNPADDED |
           (format == CMW_COOKIE_BOUND ? CMW_BASE64_URL : CMW_BASE64_STANDARD);
}

/* What the code is made of; a cookie's name has no "=". Returns how many parts there are. */
static size_t signed_parts(cmw_str parts[3], cmw_str name, cmw_str value, cmw_cookie_format format)
{
    if (format == CMW_COOKIE_SIGNATURE) {
        parts[0] = value;
        return 1;
    }
    parts[0] = name;
    parts[1] = CMW_STR("=");
    parts[2] = value;
    return 3;
}

int cmw_cookie_sign(size_t *len, char *to, size_t cap, const cmw_key_ring *ring,
                    const cmw_cookie *cookie, cmw_cookie_format format)
{
    const cmw_str value = cookie->value;
    unsigned char mac[CMW_MAC_LEN];
    cmw_str parts[3];
    size_t digits;

    if (format != CMW_COOKIE_BOUND && format != CMW_COOKIE_SIGNATURE)
        return CMW_ERR_ARG;
    if (value.len > SIZE_MAX - CODE_DIGITS - 1)
        return CMW_ERR_LIMIT;
    *len = value.len + 1 + CODE_DIGITS;
    if (*len > cap)
        return CMW_ERR_LIMIT;
    cmw_key_ring_sign(ring, mac, parts, signed_parts(parts, cookie->name, value, format));
    if (value.len > 0)
        memmove(to, value.data, value.len);
    to[value.len] = '.';
    return cmw_base64_encode(&digits, to + value.len + 1, CODE_DIGITS,
                             cmw_str_make((const char *)mac, sizeof mac), base64_flags(format));
}

/* The code that a signed value carries, and what stands before it: 0 or CMW_ERR_INVALID. */
static int read_signed(cmw_str *plain, unsigned char mac[CMW_MAC_LEN], cmw_str text,
                       cmw_cookie_format format)
{
    size_t len;

    if (text.len < CODE_DIGITS + 1 || text.data[text.len - CODE_DIGITS - 1] != '.')
        return CMW_ERR_INVALID;
    *plain = cmw_str_make(text.data, text.len - CODE_DIGITS - 1);
    const cmw_str digits = cmw_str_make(text.data + plain->len + 1, CODE_DIGITS);
    if (cmw_base64_decode(&len, (char *)mac, CMW_MAC_LEN, digits, base64_flags(format)) != 0 ||
        len != CMW_MAC_LEN)
        return CMW_ERR_INVALID;
    return 0;
}

/* A code for each key. */
static int is_verified(const cmw_key_ring *ring, const unsigned char mac[CMW_MAC_LEN], cmw_str name,
                       cmw_str plain, cmw_cookie_format format)
{
    cmw_str parts[3];

    return cmw_key_ring_verify(ring, mac, parts, signed_parts(parts, name, plain, format)) >= 0;
}

int cmw_cookie_unsign(cmw_str *value, const cmw_key_ring *ring, const cmw_cookie *cookie,
                      cmw_cookie_format format)
{
    unsigned char mac[CMW_MAC_LEN];
    cmw_str plain;

    if (format != CMW_COOKIE_BOUND && format != CMW_COOKIE_SIGNATURE)
        return CMW_ERR_ARG;
    if (read_signed(&plain, mac, cookie->value, format) != 0 ||
        !is_verified(ring, mac, cookie->name, plain, format))
        return CMW_ERR_INVALID;
    *value = plain;
    return 0;
}

/* ---- Requests --------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct keeper *const keeper = self;
    const cmw_cookies cookies = {.ctx = ctx, .self = keeper, .is_split = !keeper->parses};

    return cmw_ctx_copy_slot(ctx, keeper->slot, &cookies) ? CMW_CONTINUE : CMW_ERROR;
}

/* Room for twice as many; what was before is copied, and left in the arena. */
static cmw_cookie *grow(cmw_arena *arena, const cmw_cookie *old, size_t count, size_t *cap)
{
    const size_t wanted = *cap == 0 ? FIRST_CAP : *cap * 2;
    cmw_cookie *const room = cmw_arena_alloc(arena, wanted * sizeof *room);

    if (!room)
        return NULL;
    if (count > 0)
        memcpy(room, old, count * sizeof *room);
    *cap = wanted;
    return room;
}

static void split(cmw_cookies *cookies)
{
    cmw_request *const request = cmw_ctx_request(cookies->ctx);
    cmw_arena *const arena = cmw_ctx_arena(cookies->ctx);
    const cmw_header *field = cmw_request_header(request, CMW_HDR_COOKIE);
    cmw_cookie *at = NULL;
    size_t count = 0, cap = 0;

    cookies->is_split = 1;
    for (; field; field = cmw_request_next_header(request, CMW_HDR_COOKIE, field)) {
        cmw_str rest = field->value;
        while (rest.len > 0) {
            if (count == cap && !(at = grow(arena, at, count, &cap)))
                return; /* the request is out of memory: it has no cookies */
            count += cmw_cookie_split(&rest, at + count, cap - count);
        }
    }
    cookies->at = at;
    cookies->count = count;
}

const cmw_cookie *cmw_cookies_all(cmw_cookies *cookies, size_t *count)
{
    if (!cookies->is_split)
        split(cookies);
    *count = cookies->count;
    return cookies->at;
}

const cmw_cookie *cmw_cookies_find(cmw_cookies *cookies, cmw_str name)
{
    size_t count;
    const cmw_cookie *const all = cmw_cookies_all(cookies, &count);

    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals(all[i].name, name))
            return &all[i];
    return NULL;
}

int cmw_cookies_find_signed(cmw_cookies *cookies, cmw_str *value, cmw_str name)
{
    const struct keeper *const keeper = cookies->self;
    unsigned char mac[CMW_MAC_LEN];
    unsigned tries = 0;
    size_t count;
    cmw_str plain;

    const cmw_cookie *const all = cmw_cookies_all(cookies, &count);
    if (!keeper->ring)
        return CMW_ERR_UNSUPPORTED;
    for (size_t i = 0; i < count && tries < CMW_COOKIE_SIGNED_TRIES; i++) {
        if (!cmw_str_equals(all[i].name, name) || all[i].value.len > CMW_COOKIE_MAX ||
            read_signed(&plain, mac, all[i].value, keeper->format) != 0)
            continue;
        tries++;
        if (is_verified(keeper->ring, mac, name, plain, keeper->format)) {
            *value = plain;
            return 0;
        }
    }
    return CMW_ERR_NOT_FOUND;
}

int cmw_cookies_set_signed(cmw_cookies *cookies, const cmw_set_cookie *cookie)
{
    const struct keeper *const keeper = cookies->self;
    const cmw_cookie plain = {cookie->name, cookie->value};
    cmw_set_cookie sealed;
    size_t len;

    if (!keeper->ring)
        return CMW_ERR_UNSUPPORTED;
    if (cookie->size != sizeof *cookie)
        return CMW_ERR_VERSION;
    if (cookie->value.len > CMW_COOKIE_MAX)
        return CMW_ERR_ARG;
    const size_t cap = cookie->value.len + 1 + CODE_DIGITS;
    char *const text = cmw_arena_alloc_text(cmw_ctx_arena(cookies->ctx), cap);
    if (!text)
        return CMW_ERR_NOMEM;
    const int rc = cmw_cookie_sign(&len, text, cap, keeper->ring, &plain, keeper->format);
    if (rc != 0)
        return rc;
    sealed = *cookie;
    sealed.value = cmw_str_make(text, len);
    return cmw_response_set_cookie(cmw_ctx_response(cookies->ctx), &sealed);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct keeper *const keeper = self;
    cmw_arena_destroy(keeper->arena);
}

static int take_secrets(struct keeper *keeper, cmw_engine *engine,
                        const cmw_cookies_signed *signing, cmw_diag *diag)
{
    cmw_key_ring *ring;
    cmw_diag why = {0};

    if (!signing)
        return 0;
    if (signing->format != CMW_COOKIE_BOUND && signing->format != CMW_COOKIE_SIGNATURE)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "cookies: signed: format: there is none with number %d",
                            signing->format);
    const int rc = cmw_key_ring_create(&ring, keeper->arena, engine, signing->secrets,
                                       signing->secret_count, &why);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "cookies: signed: secrets: %s", why.message);
    keeper->ring = ring;
    keeper->format = (cmw_cookie_format)signing->format;
    return 0;
}

int cmw_cookies_create(cmw_engine *engine, cmw_middleware *middleware,
                       const cmw_cookies_config *config, cmw_diag *diag)
{
    cmw_cookies_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_cookies_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "cookies: the config is of a newer version");
    struct keeper *keeper = cmw__builtin_alloc(engine, &arena, sizeof *keeper, "cookies", diag);
    if (!keeper)
        return CMW_ERR_NOMEM;
    keeper->arena = arena;
    keeper->parses = ours.parse != 0;
    int rc = take_secrets(keeper, engine, ours.signing, diag);
    if (rc == 0) {
        rc = cmw_slot_declare(engine, &keeper->slot, "cookies", sizeof(cmw_cookies), NULL);
        if (rc != 0)
            (void)cmw_diag_set(diag, rc,
                               rc == CMW_ERR_CONFLICT ? "cookies: slot 'cookies' has another shape"
                                                      : "cookies: no memory");
    }
    if (rc != 0) {
        destroy(keeper);
        return rc;
    }

    middleware->kind = "cookies";
    middleware->priority = 380;
    middleware->self = keeper;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_provides(middleware, keeper->slot);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_cookies_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_cookies_config_init(config);
}

static const cmw_option signed_members[] = {
    {.name = "secrets",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_cookies_signed, secrets),
     .help = "Secrets: the first one signs, all of them verify",
     .flags = CMW_OPTION_REQUIRED | CMW_OPTION_SECRET},
    {.name = "format",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_cookies_signed, format),
     .choices = "bound|cookie-signature",
     .help = "How a signed value is written"},
};

static const cmw_option options[] = {
    {.name = "parse",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_cookies_config, parse),
     .help = "Read the request's cookies, when the first is asked for"},
    {.name = "signed",
     .type = CMW_OPTION_OBJECT,
     .offset = offsetof(cmw_cookies_config, signing),
     .help = "Signed cookies",
     .members = signed_members,
     .member_count = sizeof signed_members / sizeof signed_members[0],
     .object_size = sizeof(cmw_cookies_signed)},
};

const cmw_kind cmw__kind_cookies = {
    .size = sizeof(cmw_kind),
    .name = "cookies",
    .summary = "The request's cookies in a slot, plain and signed",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_cookies_config),
    .config_init = config_init,
    .create = create,
};
