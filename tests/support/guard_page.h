/* SPDX-License-Identifier: MIT */
/*
 * Input between two pages that may not be touched: a byte read beyond either end crashes the test.
 */
#ifndef CMW_TESTS_GUARD_PAGE_H
#define CMW_TESTS_GUARD_PAGE_H

#include <catzilla/base.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* `start` to `end` may be read and written; the pages before and behind may not. */
struct guard_page {
    char *start;
    char *end;
};

/* Room for at least `cap` bytes, rounded up to whole pages. */
static inline void guard_page_open(struct guard_page *page, size_t cap)
{
    const size_t unit = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = cap ? (cap + unit - 1) / unit * unit : unit;
    char *all = mmap(NULL, room + 2 * unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED || mprotect(all + unit, room, PROT_READ | PROT_WRITE) != 0)
        abort();
    page->start = all + unit;
    page->end = page->start + room;
}

static inline void guard_page_close(struct guard_page *page)
{
    const size_t unit = (size_t)sysconf(_SC_PAGESIZE);

    if (munmap(page->start - unit, (size_t)(page->end - page->start) + 2 * unit) != 0)
        abort();
}

/* A copy of the text that begins at `place`. */
static inline cmw_str guard_page_copy(const struct guard_page *page, char *place, cmw_str text)
{
    if (text.len > (size_t)(page->end - page->start))
        abort();
    if (text.len > 0)
        memcpy(place, text.data, text.len);
    return cmw_str_make(place, text.len);
}

/* A copy of the text whose last byte is the last that may be read. */
static inline cmw_str guard_page_put(struct guard_page *page, cmw_str text)
{
    return guard_page_copy(page, page->end - text.len, text);
}

/* A copy of the text whose first byte is the first that may be read. */
static inline cmw_str guard_page_put_first(struct guard_page *page, cmw_str text)
{
    return guard_page_copy(page, page->start, text);
}

#endif /* CMW_TESTS_GUARD_PAGE_H */
