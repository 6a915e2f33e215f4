/* SPDX-License-Identifier: MIT */
/*
 * A request and a response over one arena, as a context has them, and an allocator that can be told
 * to refuse.
 */
#ifndef CMW_TESTS_MESSAGE_FIXTURE_H
#define CMW_TESTS_MESSAGE_FIXTURE_H

#include "test.h"

#include "arena_state.h"
#include "request_state.h"
#include "response_state.h"

/* Make one CMocka test of each row of `rows`, which begins with `const char *name`. */
#define RUN_ROWS(group, rows, check)                                                               \
    static int run_##check(void)                                                                   \
    {                                                                                              \
        struct CMUnitTest tests[LEN(rows)];                                                        \
        for (size_t i = 0; i < LEN(rows); i++)                                                     \
            tests[i] = (struct CMUnitTest){.name = rows[i].name,                                   \
                                           .test_func = check,                                     \
                                           .initial_state = (void *)(uintptr_t)&rows[i]};          \
        return cmocka_run_group_tests_name(group, tests, NULL, NULL);                              \
    }

#define assert_str(text, expected)                                                                 \
    do {                                                                                           \
        const cmw_str got_ = (text);                                                               \
        const cmw_str want_ = (expected);                                                          \
        assert_int_equal(got_.len, want_.len);                                                     \
        if (want_.len > 0)                                                                         \
            assert_memory_equal(got_.data, want_.data, want_.len);                                 \
    } while (0)

#define assert_cstr(text, expected) assert_str(text, cmw_str_cstr(expected))

/* Content that a first chunk of `chunk_bytes` holds; beyond it the allocator is asked. */
struct fixture {
    cmw_allocator allocator;
    int refuses;
    cmw_pool *pool;
    struct cmw__block_list blocks;
    char *chunk;
    cmw_arena arena;
    cmw_request_view view;
    cmw_request request;
    cmw_response response;
    struct cmw__segment segments[CMW__SEGMENTS_INLINE];
};

static inline void *fixture_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    const struct fixture *fixture = self;

    (void)heap;
    if (fixture->refuses)
        return NULL;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static inline void fixture_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    (void)bytes;
    (void)align;
    free(piece);
}

/* A chunk of its own, so that a sanitizer sees its end. */
static inline void fixture_open(struct fixture *fixture, size_t chunk_bytes)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->allocator.size = sizeof fixture->allocator;
    fixture->allocator.name = "test";
    fixture->allocator.self = fixture;
    fixture->allocator.alloc = fixture_alloc;
    fixture->allocator.free = fixture_free;
    assert_int_equal(cmw_pool_create(&fixture->pool, &fixture->allocator, CMW_POOL_CONTEXT, 0), 0);
    cmw__block_list_init(&fixture->blocks, fixture->pool);
    fixture->chunk = aligned_alloc(16, chunk_bytes + 16 - chunk_bytes % 16);
    assert_non_null(fixture->chunk);
    cmw__arena_init(&fixture->arena, &fixture->blocks, fixture->chunk, fixture->chunk + chunk_bytes,
                    SIZE_MAX);
    cmw_request_view_init(&fixture->view);
    fixture->view.method = CMW_STR("GET");
    fixture->view.target = CMW_STR("/");
    cmw__request_init(&fixture->request, &fixture->view, &fixture->arena);
    cmw__response_init(&fixture->response, &fixture->arena, fixture->segments,
                       CMW__SEGMENTS_INLINE);
}

/* Begin again with the view as it is now. */
static inline cmw_request *fixture_request(struct fixture *fixture)
{
    cmw__request_init(&fixture->request, &fixture->view, &fixture->arena);
    return &fixture->request;
}

static inline void fixture_close(struct fixture *fixture)
{
    fixture->refuses = 0;
    cmw__arena_reset(&fixture->arena);
    cmw__block_list_trim(&fixture->blocks);
    cmw_pool_destroy(fixture->pool);
    cmw__unpoison(fixture->chunk, (size_t)(fixture->arena.first_end - fixture->chunk));
    free(fixture->chunk);
}

/* Numbers that are the same in every run. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

#endif /* CMW_TESTS_MESSAGE_FIXTURE_H */
