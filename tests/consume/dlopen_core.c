/* SPDX-License-Identifier: MIT */
/*
 * Loads the core with dlopen, as a language runtime's extension would, and calls it.
 *
 * Nothing is set in the environment, and the core must not bring jemalloc with it: a libjemalloc
 * that is loaded late may find no static TLS left.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <catzilla/base.h>

static int find_jemalloc(struct dl_phdr_info *info, size_t size, void *self)
{
    (void)size;
    (void)self;
    return strstr(info->dlpi_name, "/libjemalloc.") != NULL;
}

static int fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail ? detail : "unknown");
    return 1;
}

int main(int argc, char **argv)
{
    uint32_t (*version)(void) = NULL;

    if (argc != 2)
        return fail("usage", "dlopen_core <library>");
    void *core = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!core)
        return fail("dlopen", dlerror());

    /* POSIX lets an object pointer from dlsym hold a function's address; ISO C has no such cast. */
    void *symbol = dlsym(core, "cmw_version");
    if (!symbol)
        return fail("dlsym", dlerror());
    memcpy(&version, &symbol, sizeof version);

    const uint32_t expected =
        CMW_VERSION_MAJOR * 1000000 + CMW_VERSION_MINOR * 1000 + CMW_VERSION_PATCH;
    if (version() != expected)
        return fail("cmw_version", "the library and its header disagree");
    if (dl_iterate_phdr(find_jemalloc, NULL))
        return fail("dependencies", "the core brought libjemalloc");
    if (dlclose(core) != 0)
        return fail("dlclose", dlerror());
    puts("ok");
    return 0;
}
