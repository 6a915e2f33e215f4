/* SPDX-License-Identifier: MIT */
/* The installed core signs by the installed libcrypto component. */
#include <catzilla/builtin/cookies.h>
#include <catzilla/component/crypto.h>
#include <catzilla/mw.h>

int main(void)
{
    static const char *const secrets[] = {"luna"};
    cmw_engine *engine = NULL;
    cmw_arena *arena = NULL;
    cmw_key_ring *ring = NULL;
    cmw_cookie cookie;
    char room[64];
    size_t len;

    cookie.name = CMW_STR("sid");
    cookie.value = CMW_STR("hello");
    if (cmw_engine_create(&engine, NULL) != 0 || cmw_crypto_install(engine) != 0 ||
        cmw_arena_create(&arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) != 0 ||
        cmw_key_ring_create(&ring, arena, engine, secrets, 1, NULL) != 0 ||
        cmw_cookie_sign(&len, room, sizeof room, ring, &cookie, CMW_COOKIE_SIGNATURE) != 0)
        return 1;
    if (!cmw_str_equals(cmw_str_make(room, len),
                        CMW_STR("hello.WJDhcPjvHQmTXozZ1c0Mgt6tA2pOYlRd5ERzEIF5Wr4")))
        return 1;
    cmw_arena_destroy(arena);
    return cmw_engine_destroy(engine) == 0 ? 0 : 1;
}
