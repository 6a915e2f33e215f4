/* SPDX-License-Identifier: MIT */
/* getentropy: POSIX 2024, glibc 2.25, the BSDs, macOS. MADV_WIPEONFORK: Linux 4.14. */
#include "random.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catzilla/base.h>

/* What one call of getentropy gives at most. */
enum { ENTROPY_CAP = 256 };

int cmw__random_system(void *to, size_t len)
{
    char *at = to;

    for (size_t left = len; left > 0;) {
        const size_t step = left < ENTROPY_CAP ? left : ENTROPY_CAP;
        if (getentropy(at, step) != 0) {
            memset(to, 0, len - left); /* a part is not to be taken for the whole */
            return CMW_ERR_IO;
        }
        at += step;
        left -= step;
    }
    return 0;
}

#if defined(MADV_WIPEONFORK)
static int wipe_on_fork(void *page)
{
    return madvise(page, CMW__RANDOM_PAGE, MADV_WIPEONFORK);
}
#else
static int wipe_on_fork(void *page)
{
    (void)page;
    return -1;
}
#endif

void *cmw__random_page_create(void)
{
    void *page =
        mmap(NULL, CMW__RANDOM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (wipe_on_fork(page) == 0)
        return page;
    cmw__random_page_destroy(page);
    return NULL;
}

void cmw__random_page_destroy(void *page)
{
    if (page)
        (void)munmap(page, CMW__RANDOM_PAGE); /* our own mapping, whole: it cannot fail */
}
