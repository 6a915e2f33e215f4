/* SPDX-License-Identifier: MIT */
/* Cookies: pieces lie in the field and in order; what can be set is one line of one cookie. */
#include "fuzz.h"

static void check_split(cmw_str field, size_t cap)
{
    const char *const end = field.data + field.len;
    const char *last = field.data;
    cmw_cookie cookies[8];
    cmw_str rest = field;

    do {
        const size_t left = rest.len;
        const size_t count = cmw_cookie_split(&rest, cookies, cap);
        FUZZ_CHECK(count <= cap && (count == cap || rest.len == 0));
        FUZZ_CHECK(rest.len < left || left == 0);
        for (size_t i = 0; i < count; i++) {
            const cmw_cookie *const cookie = &cookies[i];
            FUZZ_CHECK(cookie->name.len > 0 && cookie->name.data >= last);
            FUZZ_CHECK(!memchr(cookie->name.data, '=', cookie->name.len));
            FUZZ_CHECK(cookie->value.len == 0 ||
                       !memchr(cookie->value.data, ';', cookie->value.len));
            FUZZ_CHECK(cookie->value.data > cookie->name.data);
            last = cookie->value.data + cookie->value.len;
            FUZZ_CHECK(last <= end);
        }
    } while (rest.len > 0);
}

/* Name and value are split at the first line end; the rest is the path. */
static void check_set(cmw_str text)
{
    cmw_set_cookie cookie;
    char room[8192];
    size_t len;

    cmw_set_cookie_init(&cookie);
    cookie.name = fuzz_take(&text, '\n');
    cookie.value = fuzz_take(&text, '\n');
    cookie.path = text;
    if (cmw_set_cookie_write(&len, room, sizeof room, &cookie) != 0)
        return;
    size_t semicolons = 0;
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(room[i] >= ' ' && room[i] <= '~');
        semicolons += room[i] == ';';
    }
    FUZZ_CHECK(semicolons == 3u + (cookie.path.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);

    check_split(text, 1);
    check_split(text, 8);
    check_set(text);
    return 0;
}
