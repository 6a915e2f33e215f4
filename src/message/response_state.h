/* SPDX-License-Identifier: MIT */
/*
 * The inside of a response, and blocks of constant fields.
 *
 *   segments   [block "X-Frame-Options: DENY\r\n..." 12 fields] [line "Vary: Origin\r\n"] ...
 *
 * A segment is a block or one line, both as HTTP/1.1 bytes: writing the head is one memcpy a
 * segment. `ids` has a bit for each known field that is present, bit 0 for any other name: testing,
 * and adding where nothing collides, needs no walk.
 */
#ifndef CMW_MESSAGE_RESPONSE_STATE_H
#define CMW_MESSAGE_RESPONSE_STATE_H

#include <string.h>

#include <catzilla/arena.h>
#include <catzilla/json.h>
#include <catzilla/response.h>

/* One field of a block. */
struct cmw__block_field {
    uint32_t line;     /* offset of the line in the block's bytes */
    uint32_t line_len; /* with CRLF */
    uint16_t name_len;
    uint8_t id;
    uint8_t reserved;
    uint32_t lower; /* offset of the lower-case name, behind the lines */
};

/* Bits of cmw__segment.flags. */
enum {
    CMW__SEGMENT_BLOCK = 1,    /* `bytes` is a const struct cmw_header_block * */
    CMW__SEGMENT_HANDLER = 2,  /* set by the handler: a fault drops it */
    CMW__SEGMENT_INFERRED = 4, /* a content type that followed the kind of body */
    CMW__SEGMENT_STATIC = 8    /* the bytes are not followed by the lower-case name */
};

/*
 * A line: "Name: value\r\n", then, if the id is 0 and the segment not static, the name in lower
 * case. One that is not static is memory of the request alone, and may be written while it is read.
 * Or a run of fields of a block: all of them, unless some were removed or replaced later.
 */
struct cmw__segment {
    const void *bytes;
    uint32_t len;      /* of the line(s) */
    uint16_t name_len; /* the value begins at name_len + 2 and ends at len - 2. Of a run: the index
                          of its first field */
    uint8_t id;
    uint8_t flags;
};

/* Constant fields, made when a chain compiles. Immutable. */
struct cmw_header_block {
    uint64_t ids[2];
    struct cmw__segment whole; /* what is pushed for all of it */
    const char *bytes;         /* all lines, then the lower-case names */
    uint32_t len;              /* of the lines */
    uint32_t count;
    const struct cmw__block_field *fields;
    const cmw_field *shown; /* the same, as readers see them */
    size_t alloc_bytes;     /* of the one piece that holds it all */
    int if_absent;          /* yields to fields that are there */
};

/* Bits of cmw_response.flags. */
enum {
    CMW__RESPONSE_FROZEN = 1,     /* committed */
    CMW__RESPONSE_HEAD_ONLY = 2,  /* the request was HEAD: a length, no body */
    CMW__RESPONSE_CONSTANT = 4,   /* frozen, and its fields are those of `constants` alone */
    CMW__RESPONSE_STREAM = 8,     /* `body` is a length without bytes: a source has them */
    CMW__RESPONSE_NO_LENGTH = 16, /* and that is not known */
    CMW__RESPONSE_PASSES = 32     /* with STREAM: the host has them, and nobody reads them here */
};

#define CMW__SEGMENTS_INLINE 12

struct cmw_response {
    uint64_t ids[2]; /* first: what is in line in the public header reads them; of CONSTANT too */
    struct cmw__segment *segments;
    uint16_t segment_cap;
    uint16_t segment_count;
    uint16_t status;
    uint8_t flags;
    uint8_t origin; /* CMW__SEGMENT_HANDLER while the handler runs, else 0 */
    cmw_str body;
    cmw_json *json;   /* unfinished JSON body, or NULL */
    cmw_arena *arena; /* NULL: the overload response, which is frozen */
    /* What its plan adds to every response and nothing else does, or NULL. A response without other
     * fields is frozen without a segment for them. */
    const struct cmw_header_block *constants;
};

/* Empty a response without an unfinished JSON body, as a committed one is; arena and segments,
 * which are those that it began with, stay. Inline: it is on the hot path, where storing `cap`
 * again makes one store of eight bytes of what follows. */
static inline void cmw__response_restart(cmw_response *response, unsigned cap)
{
    memset(response->ids, 0, sizeof response->ids);
    response->segment_cap = (uint16_t)cap;
    response->segment_count = 0;
    response->status = 0;
    response->flags = 0;
    response->origin = 0;
    memset(&response->body, 0, sizeof response->body);
}

static inline void cmw__response_init(cmw_response *response, cmw_arena *arena,
                                      struct cmw__segment *segments, unsigned cap)
{
    response->segments = segments;
    response->arena = arena;
    response->constants = NULL;
    response->json = NULL;
    cmw__response_restart(response, cap);
}

/* Build a block from fields, in their order; a name that appears twice stays twice. Checks names
 * and values as cmw_response_append would. One pool piece holds all. 0, CMW_ERR_INVALID or
 * CMW_ERR_ARG
 * (`*bad` is the index of the field), CMW_ERR_NOMEM. */
int cmw__header_block_create(struct cmw_header_block **out, cmw_pool *pool,
                             const cmw_header *fields, size_t count, int if_absent, size_t *bad);
void cmw__header_block_destroy(struct cmw_header_block *block, cmw_pool *pool);

/* Set all fields of a block: one push when no field of it is there; else those that are there are
 * replaced, or skipped if the block is if_absent. 0 or CMW_ERR_NOMEM. */
int cmw__response_add_block(cmw_response *response, const struct cmw_header_block *block);

/* Add `constants` as the last step before freezing, behind the fields that are there: 0; or 1, and
 * nothing was done, where that is not quick: a field of the same name is there, or there is no
 * room. To a response without fields nothing is added: see CMW__RESPONSE_CONSTANT. */
static inline int cmw__response_add_constants(cmw_response *response)
{
    const struct cmw_header_block *const block = response->constants;

    if (((response->ids[0] & block->ids[0]) | (response->ids[1] & block->ids[1])) != 0 ||
        response->segment_count >= response->segment_cap)
        return 1;
    response->segments[response->segment_count++] = block->whole;
    response->ids[0] |= block->ids[0];
    response->ids[1] |= block->ids[1];
    return 0;
}

/* Be the constants alone: what freezing a response without other fields does. */
static inline void cmw__response_take_constants(cmw_response *response)
{
    memcpy(response->ids, response->constants->ids, sizeof response->ids);
    response->flags |= CMW__RESPONSE_CONSTANT;
}

/* A fault: drop status, body, Content-*, ETag, Last-Modified, Accept-Ranges, Set-Cookie and what
 * the handler set. Never fails; calls no allocator unless a block is split and the arena is full.
 * Where that memory is refused, constants in blocks stay. */
void cmw__response_drop_for_fault(cmw_response *response);

/* A plain answer from static bytes: status, its reason as text/plain. Never fails or allocates
 * beyond one segment; without room for it the content type is left out. */
void cmw__response_plain(cmw_response *response, int status);

/* Add a field that is the library's, of which there is none yet: CMW_HDR_TRAILER. 0,
 * CMW_ERR_INVALID or CMW_ERR_NOMEM. */
int cmw__response_set_managed(cmw_response *response, cmw_header_id id, cmw_str value);

/* 1 if a body follows the head: not for HEAD, nor for a status that has none. */
int cmw__response_sends_body(const cmw_response *response);

/* Finish an unfinished JSON body: 0, or the writer's error. */
int cmw__response_finish_json(cmw_response *response);

/* Finish an unfinished JSON body, and make the response immutable. 0, or the writer's error: then
 * nothing is frozen. */
int cmw__response_freeze(cmw_response *response);

/* Remember everything, to undo a callback's changes: a copy of the struct and, in the arena, of the
 * segments. 0 or CMW_ERR_NOMEM. */
struct cmw__response_saved {
    cmw_response response;
    struct cmw__segment *segments;
    cmw_json json; /* the state of an unfinished body */
};
int cmw__response_save(const cmw_response *response, struct cmw__response_saved *saved);
void cmw__response_restore(cmw_response *response, const struct cmw__response_saved *saved);

#endif /* CMW_MESSAGE_RESPONSE_STATE_H */
