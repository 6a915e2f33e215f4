/* SPDX-License-Identifier: MIT */
/*
 * The response: status, header fields, body; and the readers by which an adapter sends it.
 *
 * Header fields are kept as HTTP/1.1 bytes, in segments: one for a block of constants that was
 * made when the chain compiled, one for each field set while a request runs. A server takes them as
 * pairs, as pairs with lower-case names (HTTP/2, HTTP/3), as one run of bytes, or as slices.
 */
#ifndef CATZILLA_RESPONSE_H
#define CATZILLA_RESPONSE_H

#include <catzilla/allocator.h>
#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/header_id.h>
#include <catzilla/json.h>

CMW_BEGIN_DECLS

/** A response. Used on its context's worker only. Immutable once the context is committed. */
typedef struct cmw_response cmw_response;

/*
 * What changes a response returns 0, or
 *   CMW_ERR_STATE    after commit,
 *   CMW_ERR_ARG      a status outside 100..999, or a field that is the library's or the server's:
 *                    Content-Length, Transfer-Encoding, Connection, Keep-Alive, Upgrade, Trailer
 *   CMW_ERR_INVALID  a name that is no token; a value with CR, LF, NUL or another control byte, or
 *                    with a blank at its ends (RFC 9110, 5.5),
 *   CMW_ERR_NOMEM    the request's memory is used up,
 * and changes nothing unless it returns 0. Names and values are copied.
 */

/* ---- Status ----------------------------------------------------------------------------- */

/** The status; 0: no response has been made yet. Cost: O(1). */
CMW_API int cmw_response_status(const cmw_response *response);

/** Set the status and keep the rest. Cost: O(1). */
CMW_API CMW_NODISCARD int cmw_response_set_status(cmw_response *response, int status);

/** The reason phrase of a status, "Not Found"; empty for one that is not registered. */
CMW_API cmw_str cmw_status_reason(int status);

/* ---- Header fields ---------------------------------------------------------------------- */

/**
 * Replace all fields of a name by one.
 *
 * Cost:  O(len) if the response does not have the field, else O(fields); arena memory, no allocator
 * Since: 0.1
 */
CMW_API CMW_NODISCARD int cmw_response_set(cmw_response *response, cmw_header_id id, cmw_str value);
CMW_API CMW_NODISCARD int cmw_response_set_named(cmw_response *response, cmw_str name,
                                                 cmw_str value);

/** Add a field and keep those of the same name (Set-Cookie, Link). Cost: O(len). */
CMW_API CMW_NODISCARD int cmw_response_append(cmw_response *response, cmw_header_id id,
                                              cmw_str value);
CMW_API CMW_NODISCARD int cmw_response_append_named(cmw_response *response, cmw_str name,
                                                    cmw_str value);

/** A field whose value a request writes in place. Immutable; any thread. */
typedef struct cmw_value_field cmw_value_field;

/**
 * Prepare a field when configuring, so that requests neither look for its name nor copy its value.
 *
 * @param[out] out  in the arena, which must live until requests that use it have ended; unchanged
 *                  on failure
 * @param      id   a known field, but not Content-Type
 * @return          0, CMW_ERR_ARG for another id, CMW_ERR_NOMEM
 * Threads:         the arena's owner
 * Cost:            arena memory
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_value_field_create(cmw_value_field **out, cmw_arena *arena,
                                                 cmw_header_id id);

/**
 * Room for a value, behind the field's name. Nothing of it is sent unless it is set.
 *
 * @param arena  the request's
 * @param len    of the value at most
 * @return       NULL without memory
 * Ownership:    the arena's
 * Cost:         about 15 instructions; calls no allocator unless a block is needed and none is free
 * Since:        0.1
 */
CMW_API CMW_NODISCARD char *cmw_value_field_room(const cmw_value_field *field, cmw_arena *arena,
                                                 size_t len);

/**
 * Set the field to a value that lies where its room begins: the same as cmw_response_set, without a
 * copy where no field of the name is there. The value is not changed afterwards.
 *
 * @return  as cmw_response_set
 * Cost:    about 45 instructions for 36 bytes
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_response_set_in_place(cmw_response *response,
                                                    const cmw_value_field *field, cmw_str value);

/** A field whose value is constant text with decimal numbers in it. Immutable; any thread. */
typedef struct cmw_field_pattern cmw_field_pattern;

/** The most numbers in a pattern, and the longest text behind a number. */
#define CMW_PATTERN_NUMBERS_MAX 4
#define CMW_PATTERN_TEXT_MAX 15

/**
 * Make a pattern when configuring, so that requests neither look for the field's name nor check its
 * value: "a", "b", "c" around two numbers gives `a7b42c`.
 *
 * @param[out] out    in the arena, which must live until requests that use it have ended; unchanged
 *                    on failure
 * @param      id     a known field, but not Content-Type
 * @param      texts  `number_count` + 1 of them: the first one of any length, the others at most
 *                    CMW_PATTERN_TEXT_MAX bytes
 * @return            0; CMW_ERR_ARG for another id, too many numbers or a long text;
 *                    CMW_ERR_INVALID for bytes that cannot stand in a value; CMW_ERR_NOMEM
 * Threads:           the arena's owner
 * Cost:              O(len); arena memory
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_field_pattern_create(cmw_field_pattern **out, cmw_arena *arena,
                                                   cmw_header_id id, const cmw_str *texts,
                                                   size_t number_count);

/**
 * Have another field added with each one of a pattern: one call for two fields that go together.
 *
 * @param other  a pattern without numbers; or one with a number at its end, if that is what both
 *               are: its number is behind the pattern's own. It must live as long
 * @return       0, or CMW_ERR_ARG if `other` is neither, or one of them is joined already
 * Threads:         the owner of both, before either is used
 * Cost:            O(1)
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_field_pattern_join(cmw_field_pattern *pattern,
                                                 const cmw_field_pattern *other);

/**
 * Add a field by its pattern and its numbers, and keep those of the same name.
 *
 * @param numbers  as many as the pattern has; NULL for none
 * @return         0, CMW_ERR_STATE, CMW_ERR_NOMEM
 * Cost:           about 70 instructions for two numbers below 1,000 with a constant beside them;
 *                 without numbers nothing is copied
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_response_append_pattern(cmw_response *response,
                                                      const cmw_field_pattern *pattern,
                                                      const uint64_t *numbers);

/**
 * The same for a pattern of two numbers.
 *
 * @return  as cmw_response_append_pattern; CMW_ERR_ARG for another pattern
 * Cost:    about 65 instructions for two numbers below 1,000 with a constant beside them
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_response_append_pair(cmw_response *response,
                                                   const cmw_field_pattern *pattern, uint64_t first,
                                                   uint64_t second);

/**
 * Merge a token into a list field (Vary, Allow), unless it is there, in any case.
 *
 * For Vary, "*" swallows every other member.
 *
 * Cost:   O(fields + length of the list)
 * Source: RFC 9110, 5.6.1 and 12.5.5
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_response_add_token(cmw_response *response, cmw_header_id id,
                                                 cmw_str token);

/** Remove all fields of a name; 0 also if there is none. Cost: O(fields). */
CMW_API CMW_NODISCARD int cmw_response_remove(cmw_response *response, cmw_header_id id);
CMW_API CMW_NODISCARD int cmw_response_remove_named(cmw_response *response, cmw_str name);

/** 1 if there is such a field. Cost: one bit test for an id, O(fields) for a name. */
CMW_API int cmw_response_has(const cmw_response *response, cmw_header_id id);
CMW_API int cmw_response_has_named(const cmw_response *response, cmw_str name);

/**
 * The same for all fields of a set: one test where there is none of them.
 *
 * CMW_HDR_OTHER stands for no field here; a set with a field that is the library's is refused.
 *
 * Cost:  O(1); where there is something to remove, O(fields)
 * Since: 0.1
 */
CMW_API int cmw_response_has_any(const cmw_response *response, const cmw_header_set *set);
CMW_API CMW_NODISCARD int cmw_response_remove_any(cmw_response *response,
                                                  const cmw_header_set *set);

#if !defined(CMW_NO_INLINE)
/* A response begins with the set of known fields that it has, and bit 0 for any other. */
static inline int cmw_response_has_any_inline(const cmw_response *response,
                                              const cmw_header_set *set)
{
    const uint64_t *const ids = ((const cmw_header_set *)(const void *)response)->bits;

    return ((ids[0] & set->bits[0] & ~(uint64_t)1) | (ids[1] & set->bits[1])) != 0;
}

static inline int cmw_response_has_inline(const cmw_response *response, cmw_header_id id)
{
    const uint64_t *const ids = ((const cmw_header_set *)(const void *)response)->bits;
    const unsigned index = (unsigned)id;

    return index - 1 < CMW_HDR_LIMIT - 1 && (ids[index >> 6] >> (index & 63) & 1);
}

#define cmw_response_has(response, id) cmw_response_has_inline(response, id)
#define cmw_response_has_any(response, set) cmw_response_has_any_inline(response, set)
#endif

/** The first value of a field; `data` is NULL if there is none. Valid until it is changed. */
CMW_API cmw_str cmw_response_get(const cmw_response *response, cmw_header_id id);
CMW_API cmw_str cmw_response_get_named(const cmw_response *response, cmw_str name);

/**
 * What setting a field would say of it, for those who check a configuration.
 *
 * @return 0; CMW_ERR_ARG for a field that is the library's or the server's; CMW_ERR_INVALID
 * Threads: any
 * Cost:    O(len), no allocation
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_response_check_field(cmw_str name, cmw_str value);

/* ---- Blocks: fields that are known before requests come --------------------------------- */

/** Fields that were checked and written out once. Immutable; any thread. */
typedef struct cmw_header_block cmw_header_block;

/** Bits of a block's flags. */
enum cmw_block_flags {
    CMW_BLOCK_IF_ABSENT = 1 /**< its fields yield to those that are there */
};

/**
 * Make a block. A middleware whose fields never change gives them as `fields` of its descriptor
 * instead; a block is for those that a request chooses between.
 *
 * @param[out] out     unchanged on failure
 * @param      pool    takes the block: cmw_engine_pool(engine, CMW_POOL_PLAN)
 * @param      fields  copied; a name that appears twice stays twice
 * @param      flags   enum cmw_block_flags
 * @return             0; what cmw_response_check_field says of the first bad field; CMW_ERR_NOMEM
 * Ownership:          the caller's; cmw_header_block_destroy. It must outlive every request to
 *                     whose response it was added, as what a middleware's `self` holds does
 * Threads:            any
 * Cost:               O(bytes); allocates
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_header_block_create(cmw_header_block **out, cmw_pool *pool,
                                                  const cmw_header *fields, size_t count,
                                                  unsigned flags);

/** Give it back to its pool; NULL is ignored. */
CMW_API void cmw_header_block_destroy(cmw_header_block *block, cmw_pool *pool);

/**
 * Set all fields of a block, each in place of those of its name; or, if the block yields, those of
 * which the response has none.
 *
 * @param block  borrowed until the request ends
 * @return       0, CMW_ERR_STATE after commit, CMW_ERR_NOMEM
 * Cost:         about 15 instructions, whatever its length, where no field of it is there; else
 *               O(fields)
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_response_add_block(cmw_response *response,
                                                 const cmw_header_block *block);

/**
 * The same, but only if the response has none of a set of fields: what cmw_response_has_any and
 * cmw_response_add_block do together.
 *
 * @param block  borrowed until the request ends
 * @return       0; 1 and nothing was done, if one of them is there; CMW_ERR_STATE after commit,
 *               CMW_ERR_NOMEM
 * Cost:         about 25 instructions, where no field of the block is there
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_response_add_block_unless(cmw_response *response,
                                                        const cmw_header_block *block,
                                                        const cmw_header_set *set);

/* ---- Body ------------------------------------------------------------------------------- */

/*
 * Each sets the status and replaces the body. The content type follows the kind of body unless
 * Content-Type was set by hand, before or after. Content-Length is the library's. Without `_ref`
 * the bytes are copied into the arena; with it they must live until the request ends.
 */

/** No body and no content type. */
CMW_API CMW_NODISCARD int cmw_response_empty(cmw_response *response, int status);

/** `text/plain; charset=utf-8`. */
CMW_API CMW_NODISCARD int cmw_response_text(cmw_response *response, int status, cmw_str text);

/** `text/html; charset=utf-8`. The caller escapes what it puts in. */
CMW_API CMW_NODISCARD int cmw_response_html(cmw_response *response, int status, cmw_str html);

/** `application/octet-stream`. */
CMW_API CMW_NODISCARD int cmw_response_bytes(cmw_response *response, int status, cmw_str bytes);
CMW_API CMW_NODISCARD int cmw_response_bytes_ref(cmw_response *response, int status, cmw_str bytes);

/**
 * An answer that was kept: cmw_response_add_block, a status and a body as it is, whose content type
 * is the block's or none.
 *
 * @param block  borrowed until the request ends, as `body` is
 * @return       0, CMW_ERR_STATE after commit, CMW_ERR_ARG (no status), CMW_ERR_NOMEM
 * Cost:         about 30 instructions, where no field of the block and no body is there
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_response_kept_ref(cmw_response *response, int status,
                                                const cmw_header_block *block, cmw_str body);

/**
 * `application/json`, written by a streaming writer straight into the body.
 *
 * The document is finished when the context is committed; one that is not whole is a fault (500).
 *
 * @return the writer, the response's; NULL after commit, for a bad status or without memory
 * Since:  0.1
 */
CMW_API CMW_NODISCARD cmw_json *cmw_response_json(cmw_response *response, int status);

/** `application/json` from text that is JSON already. */
CMW_API CMW_NODISCARD int cmw_response_json_text(cmw_response *response, int status, cmw_str json);

/**
 * `application/problem+json` with `title` (the reason phrase), `status` and `detail`.
 *
 * @param detail  what went wrong, for a person; empty: left out
 * Source:        RFC 9457
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_response_problem(cmw_response *response, int status, cmw_str detail);

/**
 * A redirect: the status (301, 302, 303, 307, 308) and Location, without a body.
 *
 * @param location  a URI reference; CMW_ERR_INVALID if a byte cannot stand in one. Whether it leads
 *                  to another site is the caller's to judge
 */
CMW_API CMW_NODISCARD int cmw_response_redirect(cmw_response *response, int status,
                                                cmw_str location);

/**
 * A body that the host sends by itself, past the engine: a file, an upstream's. It is dropped where
 * another body takes its place, also that of a fault. For a host with CMW_CAP_PASSES_BODIES, or
 * where nobody looks at it (cmw_ctx_reads_response_body).
 *
 * @param type    its content type, which goes with it; empty: none is set
 * @param length  of the body, or UINT64_MAX if it is not known
 * @return        0, CMW_ERR_STATE after commit, CMW_ERR_ARG, CMW_ERR_INVALID for a bad type,
 *                CMW_ERR_NOMEM
 * Cost:          O(length of the type); arena memory
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_response_pass_body(cmw_response *response, int status, cmw_str type,
                                                 uint64_t length);

/** 1 if the body is still the host's (cmw_response_pass_body). Cost: O(1). */
CMW_API int cmw_response_passes_body(const cmw_response *response);

/** The body's bytes; empty if there is none, or if it is streamed (body.h). Valid until the request
 * ends. Cost: O(1). */
CMW_API cmw_str cmw_response_body(const cmw_response *response);

/**
 * The value that Content-Length has: for HEAD, that of the answer to GET.
 *
 * @return UINT64_MAX where the field must not be (1xx, 204) or cannot be known (304, a body that is
 *         made while it is sent)
 * Cost:   O(1)
 * Source: RFC 9110, 8.6
 * Since:  0.1
 */
CMW_API uint64_t cmw_response_content_length(const cmw_response *response);

/* ---- Readers, for adapters: after commit ------------------------------------------------ */

/** What a reader adds to the fields that were set. */
enum cmw_read_flags {
    CMW_READ_FIELDS = 0,      /**< the fields alone */
    CMW_READ_STATUS_LINE = 1, /**< begin with "HTTP/1.1 200 OK" (bytes and slices) */
    CMW_READ_LENGTH = 2,      /**< add Content-Length where RFC 9110, 8.6 allows it */
    CMW_READ_END = 4,         /**< end with the empty line (bytes and slices) */
    CMW_READ_LOWER_CASE = 8,  /**< names in lower case (pairs) */
    CMW_READ_HEAD = 7         /**< a whole HTTP/1.1 head */
};

/** Where a walk over the fields stands. Start with all members 0. */
typedef struct cmw_header_cursor {
    uint32_t segment;
    uint32_t field;
} cmw_header_cursor;

/**
 * Walk over the fields, one at a time, in the order in which they were set.
 *
 * @param[in,out] cursor  {0, 0} at first
 * @param[out]    header  name and value; valid until the request ends
 * @param         flags   CMW_READ_LOWER_CASE or 0
 * @return                1, or 0 when there are no more
 * Cost:                  O(1) each, no allocation
 * Since:                 0.1
 */
CMW_API int cmw_response_next_header(const cmw_response *response, cmw_header_cursor *cursor,
                                     cmw_header *header, unsigned flags);

/** A field of a response, with its id. */
typedef struct cmw_field {
    cmw_str name;
    cmw_str value;
    const char *lower; /**< the name in lower case, `name.len` bytes */
    cmw_header_id id;  /**< CMW_HDR_OTHER for a name without one */
    int has_nul;       /**< name and value end with a NUL, which their lengths do not count */
} cmw_field;

/** Where a walk over runs of fields stands. Start with all members 0. */
typedef struct cmw_field_cursor {
    size_t segment;
    cmw_field field;
} cmw_field_cursor;

/**
 * Walk over the fields, a run at a time, in the order in which they were set: for adapters that
 * hand them to a server one by one, and want to know them by their ids.
 *
 * A run is as many as lie together: all of a block of constant fields, or one. No text is copied.
 *
 * @code
 *     cmw_field_cursor cursor = {0};
 *     const cmw_field *fields;
 *     size_t count;
 *
 *     while ((count = cmw_response_next_fields(response, &cursor, &fields)) > 0)
 *         for (size_t i = 0; i < count; i++)
 *             my_server_add(connection, fields[i].name, fields[i].value);
 * @endcode
 *
 * @param[in,out] cursor  all members 0 at first
 * @param[out]    fields  the run, valid until the next call; its text until the request ends
 * @return                how many the run has; 0 when there are no more
 * Cost:                  O(1) a run, no allocation
 * Since:                 0.1
 */
CMW_API size_t cmw_response_next_fields(const cmw_response *response, cmw_field_cursor *cursor,
                                        const cmw_field **fields);

/**
 * Is shown a field.
 *
 * @param name, value  C strings, valid and unchanged until this returns
 * @return             0: go on; else what cmw_response_visit_cstr returns, too
 */
typedef int cmw_cstr_field_fn(void *self, const char *name, const char *value);

/**
 * Show all fields as C strings, in the order in which they were set: for adapters to servers that
 * take nothing else, and copy what they are given.
 *
 * While one is shown, its bytes in the response are not those of a line: `fn` must not read the
 * response.
 *
 * @return  0; what `fn` returned, if that was not 0; CMW_ERR_ARG without `fn`; CMW_ERR_STATE for a
 *          response that is not one request's own, such as a plan's answer to overload;
 *          CMW_ERR_NOMEM
 * Threads: the context's worker
 * Cost:    O(fields), about 15 instructions each beside `fn`; a copy of lines that are static. No
 *          allocation, but for static lines of more than 256 bytes from the context's arena
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_response_visit_cstr(cmw_response *response, cmw_cstr_field_fn *fn,
                                                  void *self);

/**
 * Write the head as HTTP/1.1 bytes.
 *
 * @param[out] len     bytes written, or needed when CMW_ERR_LIMIT is returned
 * @param      buffer  room for `cap` bytes; may be NULL when cap is 0
 * @param      flags   enum cmw_read_flags
 * @return             0, or CMW_ERR_LIMIT when `cap` is too small (the buffer's content is then
 *                     undefined)
 * Cost:               one memcpy a segment, no allocation
 * Source:             RFC 9112, 4 and 5
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_response_write_head(const cmw_response *response, size_t *len,
                                                  char *buffer, size_t cap, unsigned flags);

/**
 * The head as slices, to be sent with writev without a copy (cmw_str has the layout of iovec).
 *
 * @param[out] count   slices filled, or needed when CMW_ERR_LIMIT is returned
 * @param      slices  room for `cap` slices. They point into the response and into `scratch`
 * @param      scratch at least CMW_HEAD_SCRATCH bytes, for status line and length; may be NULL
 *                     when neither is asked for
 * @return             0, or CMW_ERR_LIMIT when `cap` is too small
 * Cost:               O(segments), no allocation
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_response_head_slices(const cmw_response *response, size_t *count,
                                                   cmw_str *slices, size_t cap, char *scratch,
                                                   unsigned flags);

/** Room for status line, Content-Length and the empty line of one head. */
#define CMW_HEAD_SCRATCH 128

CMW_END_DECLS

#endif /* CATZILLA_RESPONSE_H */
