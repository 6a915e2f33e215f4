/* SPDX-License-Identifier: MIT */
/* cookie_serialize, cookie_sign, cookie_unsign. */
#include <catzilla/builtin/cookies.h>
#include <catzilla/component/crypto.h>
#include <catzilla/mw.h>

#include <stdlib.h>

#include "vectors.h"

enum { SECRET_CAP = 8, ROOM = 16384 };

static cmw_str text_of(const json_t *json, const char *name)
{
    const json_t *const value = json_object_get(json, name);

    return cmw_str_make(json_string_value(value), json_string_length(value));
}

static void put_text(json_t *answer, const char *name, cmw_str text)
{
    json_object_set_new(answer, name, json_stringn(text.data ? text.data : "", text.len));
}

/* ---- cookie_serialize ------------------------------------------------------------------- */

static int same_site_of(const json_t *attrs)
{
    static const struct {
        cmw_str name;
        int value;
    } rows[] = {{CMW_STR_INIT("lax"), CMW_SAME_SITE_LAX},
                {CMW_STR_INIT("strict"), CMW_SAME_SITE_STRICT},
                {CMW_STR_INIT("none"), CMW_SAME_SITE_NONE}};

    if (!json_object_get(attrs, "same_site"))
        return CMW_SAME_SITE_UNSET;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (cmw_str_equals_fold(text_of(attrs, "same_site"), rows[i].name))
            return rows[i].value;
    return -1;
}

static int64_t number_of(const json_t *attrs, const char *name)
{
    const json_t *const value = json_object_get(attrs, name);

    return value ? json_integer_value(value) : CMW_COOKIE_SESSION;
}

void answer_cookie_serialize(const json_t *input, json_t *answer)
{
    const json_t *const attrs = json_object_get(input, "attrs");
    cmw_set_cookie cookie;
    char room[ROOM];
    size_t len;

    cmw_set_cookie_init(&cookie);
    cookie.name = text_of(input, "name");
    cookie.value = text_of(input, "value");
    cookie.path = text_of(attrs, "path");
    cookie.domain = text_of(attrs, "domain");
    cookie.max_age_s = number_of(attrs, "max_age");
    cookie.expires_s = number_of(attrs, "expires");
    cookie.same_site = same_site_of(attrs);
    cookie.secure = json_is_true(json_object_get(attrs, "secure"));
    cookie.http_only = json_is_true(json_object_get(attrs, "http_only"));
    cookie.partitioned = json_is_true(json_object_get(attrs, "partitioned"));
    const int rc = cmw_set_cookie_write(&len, room, sizeof room, &cookie);
    if (rc == 0)
        put_text(answer, "set_cookie", cmw_str_make(room, len));
    else
        put_text(answer, "error", cmw_str_cstr(cmw_error_text(rc)));
}

/* ---- cookie_sign, cookie_unsign --------------------------------------------------------- */

/* An engine and a ring in its arena. */
struct bench {
    cmw_engine *engine;
    cmw_arena *arena;
    cmw_key_ring *ring;
};

static struct bench open_bench(const char *const *secrets, size_t count)
{
    struct bench bench = {NULL, NULL, NULL};

    if (cmw_engine_create(&bench.engine, NULL) != 0 || cmw_crypto_install(bench.engine) != 0 ||
        cmw_arena_create(&bench.arena, cmw_engine_pool(bench.engine, CMW_POOL_PLAN), 0) != 0 ||
        cmw_key_ring_create(&bench.ring, bench.arena, bench.engine, secrets, count, NULL) != 0)
        abort();
    return bench;
}

static void close_bench(const struct bench *bench)
{
    cmw_arena_destroy(bench->arena);
    (void)cmw_engine_destroy(bench->engine);
}

void answer_cookie_sign(const json_t *input, json_t *answer)
{
    const char *const secret = json_string_value(json_object_get(input, "secret"));
    const struct bench bench = open_bench(&secret, 1);
    const cmw_cookie cookie = {CMW_STR("a"), text_of(input, "value")};
    char room[ROOM];
    size_t len;

    if (cmw_cookie_sign(&len, room, sizeof room, bench.ring, &cookie, CMW_COOKIE_SIGNATURE) == 0)
        put_text(answer, "signed", cmw_str_make(room, len));
    close_bench(&bench);
}

void answer_cookie_unsign(const json_t *input, json_t *answer)
{
    const json_t *const list = json_object_get(input, "secrets");
    const char *secrets[SECRET_CAP];
    const json_t *secret;
    size_t index, count = 0;
    cmw_str value;

    json_array_foreach(list, index, secret) if (count < SECRET_CAP) secrets[count++] =
        json_string_value(secret);
    const struct bench bench = open_bench(secrets, count);
    const cmw_cookie cookie = {CMW_STR("a"), text_of(input, "signed")};
    const int rc = cmw_cookie_unsign(&value, bench.ring, &cookie, CMW_COOKIE_SIGNATURE);
    json_object_set_new(answer, "ok", json_boolean(rc == 0));
    if (rc == 0)
        put_text(answer, "value", value);
    close_bench(&bench);
}
