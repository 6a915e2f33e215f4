/* SPDX-License-Identifier: MIT */
/*
 * All path patterns of a plan as one trie over path segments.
 *
 * A path is walked once: at each node the text child is found by one hash probe, the "{name}" child
 * is tried after it. The cost follows the path and the patterns that match, not the number of
 * patterns.
 */
#ifndef CMW_ENGINE_MATCHER_H
#define CMW_ENGINE_MATCHER_H

#include <catzilla/arena.h>

/* Nodes on one way through the trie: patterns with more segments are refused. */
#define CMW__MATCHER_DEPTH 64

struct cmw__matcher_node {
    uint32_t parameter; /* child for any one segment that is not empty, or CMW_NONE */
    uint32_t here;      /* the pattern that ends here, or CMW_NONE */
    uint32_t below;     /* the pattern that takes the rest, likewise */
    uint32_t has_text;  /* 1: there are text children */
};

/* An edge for one text, in the hash table. */
struct cmw__matcher_edge {
    cmw_str text; /* data NULL: the place is free */
    uint32_t parent;
    uint32_t child;
};

/* Immutable once built. */
struct cmw__matcher {
    struct cmw__matcher_node *nodes;
    struct cmw__matcher_edge *edges;
    uint32_t node_count;
    uint32_t edge_mask; /* places in `edges` - 1 */
    uint64_t seed;
};

/* 1 if two patterns match the same paths: "/{id}" and "/{name}" do. The hash goes with it. */
int cmw__pattern_equals(cmw_str a, cmw_str b);
uint64_t cmw__pattern_hash(cmw_str pattern);

/* Build from `count` patterns (canonical, checked, no two equal), whose index is their id. `seed`
 * keys the hash. 0, CMW_ERR_LIMIT for one that is too deep (`*bad`), CMW_ERR_NOMEM. */
int cmw__matcher_build(struct cmw__matcher *matcher, cmw_arena *arena, const cmw_str *patterns,
                       uint32_t count, uint64_t seed, uint32_t *bad);

/* Called for each pattern that matches. */
typedef void cmw__matcher_fn(void *self, uint32_t pattern);

/* Find all patterns that match a canonical path. No allocation. */
void cmw__matcher_run(const struct cmw__matcher *matcher, cmw_str path, cmw__matcher_fn *found,
                      void *self);

#endif /* CMW_ENGINE_MATCHER_H */
