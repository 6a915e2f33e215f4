/* SPDX-License-Identifier: MIT */
/*
 * The path matcher: a trie over segments whose text edges share one hash table.
 *
 * Equal patterns are one pattern here, so that a node ends at most one and takes the rest of at
 * most one. The walk is depth first with a stack of the "{name}" branches not yet taken; each way
 * through the trie is at most CMW__MATCHER_DEPTH deep, so the stack has a fixed size.
 */
#include "matcher.h"

#include "hash.h"
#include "text.h"

/* ---- Building --------------------------------------------------------------------------- */

static uint32_t edge_place(const struct cmw__matcher *matcher, uint32_t parent, cmw_str text)
{
    uint64_t hash = cmw__hash(text.data, text.len, matcher->seed + parent);
    uint32_t place = (uint32_t)hash & matcher->edge_mask;

    for (;; place = (place + 1) & matcher->edge_mask) {
        const struct cmw__matcher_edge *edge = &matcher->edges[place];
        if (!edge->text.data || (edge->parent == parent && cmw_str_equals(edge->text, text)))
            return place;
    }
}

static uint32_t add_node(struct cmw__matcher *matcher)
{
    matcher->nodes[matcher->node_count] =
        (struct cmw__matcher_node){CMW_NONE, CMW_NONE, CMW_NONE, 0};
    return matcher->node_count++;
}

static uint32_t add_child(struct cmw__matcher *matcher, uint32_t node, cmw_str segment)
{
    if (cmw__segment_is_parameter(segment)) {
        if (matcher->nodes[node].parameter == CMW_NONE)
            matcher->nodes[node].parameter = add_node(matcher);
        return matcher->nodes[node].parameter;
    }
    struct cmw__matcher_edge *edge = &matcher->edges[edge_place(matcher, node, segment)];
    if (!edge->text.data) {
        *edge = (struct cmw__matcher_edge){segment, node, add_node(matcher)};
        matcher->nodes[node].has_text = 1;
    }
    return edge->child;
}

/* Cut the first segment off; 0 at the end. The bytes of an empty one are not NULL. */
static int next_segment(cmw_str *path, cmw_str *segment)
{
    if (path->len == 0)
        return 0;
    const char *begin = path->data + 1;
    const char *end = path->data + path->len;
    const char *stop = begin;
    while (stop < end && *stop != '/')
        stop++;
    *segment = cmw_str_make(begin, (size_t)(stop - begin));
    *path = cmw_str_make(stop, (size_t)(end - stop));
    return 1;
}

/* What a segment is when the names of parameters do not count. */
static cmw_str nameless(cmw_str segment)
{
    return cmw__segment_is_parameter(segment) ? CMW_STR("{}") : segment;
}

int cmw__pattern_equals(cmw_str a, cmw_str b)
{
    cmw_str from_a, from_b;

    if (a.data[0] != '/' || b.data[0] != '/')
        return cmw_str_equals(a, b);
    while (next_segment(&a, &from_a)) {
        if (!next_segment(&b, &from_b) || !cmw_str_equals(nameless(from_a), nameless(from_b)))
            return 0;
    }
    return b.len == 0;
}

uint64_t cmw__pattern_hash(cmw_str pattern)
{
    cmw_str segment;
    uint64_t hash = 0;

    while (next_segment(&pattern, &segment)) {
        const cmw_str text = nameless(segment);
        hash = cmw__hash(text.data, text.len, hash + 1);
    }
    return hash;
}

static int add_pattern(struct cmw__matcher *matcher, cmw_str pattern, uint32_t id)
{
    uint32_t node = 0;
    uint32_t depth = 0;
    cmw_str segment;

    while (next_segment(&pattern, &segment)) {
        if (pattern.len == 0 && cmw_str_equals(segment, CMW_STR("*"))) {
            matcher->nodes[node].below = id;
            return 0;
        }
        if (++depth > CMW__MATCHER_DEPTH)
            return CMW_ERR_LIMIT;
        node = add_child(matcher, node, segment);
    }
    matcher->nodes[node].here = id;
    return 0;
}

static size_t count_slashes(const cmw_str *patterns, uint32_t count)
{
    size_t slashes = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < patterns[i].len; k++)
            slashes += patterns[i].data[k] == '/';
    return slashes;
}

int cmw__matcher_build(struct cmw__matcher *matcher, cmw_arena *arena, const cmw_str *patterns,
                       uint32_t count, uint64_t seed, uint32_t *bad)
{
    const size_t most = count_slashes(patterns, count) + 1;
    size_t places = 4;

    while (places < most * 2)
        places *= 2;
    memset(matcher, 0, sizeof *matcher);
    matcher->seed = seed;
    matcher->edge_mask = (uint32_t)(places - 1);
    matcher->nodes = cmw_arena_alloc(arena, most * sizeof *matcher->nodes);
    matcher->edges = cmw_arena_alloc(arena, places * sizeof *matcher->edges);
    if (!matcher->nodes || !matcher->edges)
        return CMW_ERR_NOMEM;
    memset(matcher->edges, 0, places * sizeof *matcher->edges);
    add_node(matcher);
    for (uint32_t i = 0; i < count; i++) {
        *bad = i;
        if (patterns[i].data[0] != '/') /* "*": matched by itself, below */
            matcher->nodes[0].here = i;
        else if (add_pattern(matcher, patterns[i], i) != 0)
            return CMW_ERR_LIMIT;
    }
    return 0;
}

/* ---- Matching --------------------------------------------------------------------------- */

/* A place in the walk: a node, and what of the path is left for its children. */
struct place {
    uint32_t node;
    cmw_str rest;
};

static uint32_t find_text_child(const struct cmw__matcher *matcher, uint32_t node, cmw_str segment)
{
    if (!matcher->nodes[node].has_text)
        return CMW_NONE;
    const struct cmw__matcher_edge *edge = &matcher->edges[edge_place(matcher, node, segment)];
    return edge->text.data ? edge->child : CMW_NONE;
}

void cmw__matcher_run(const struct cmw__matcher *matcher, cmw_str path, cmw__matcher_fn *found,
                      void *self)
{
    struct place open[CMW__MATCHER_DEPTH + 1];
    uint32_t open_count = 0;
    struct place at = {0, path};

    if (path.len == 0)
        return;
    if (path.data[0] != '/') { /* only "*" is canonical and has no "/"; the root node keeps it */
        if (matcher->nodes[0].here != CMW_NONE)
            found(self, matcher->nodes[0].here);
        return;
    }
    for (;;) {
        const struct cmw__matcher_node *node = &matcher->nodes[at.node];
        uint32_t next = CMW_NONE;
        cmw_str segment;

        if (node->below != CMW_NONE)
            found(self, node->below);
        if (at.rest.len == 0) {
            if (node->here != CMW_NONE)
                found(self, node->here);
        } else {
            (void)next_segment(&at.rest, &segment);
            next = find_text_child(matcher, at.node, segment);
            if (node->parameter != CMW_NONE && segment.len > 0)
                open[open_count++] = (struct place){node->parameter, at.rest};
        }
        if (next != CMW_NONE)
            at.node = next;
        else if (open_count > 0)
            at = open[--open_count];
        else
            return;
    }
}
