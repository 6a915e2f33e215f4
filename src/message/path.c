/* SPDX-License-Identifier: MIT */
/*
 * The canonical form of a path (RFC 3986, 5.2.4 and 6.2.2), with "//" merged. Pure.
 *
 * Most paths are canonical as they come: cmw__path_canonical_prefix finds that out in one scan, 16
 * bytes at a time, and nothing is written. The others are written segment by segment:
 *
 *   out   /api/users/..
 *              ^    ^  ^
 *         parent  open  end     at "/" or at the end the open segment is closed: ".." takes its
 *                               parent away, "." and nothing leave no trace
 *
 * Escapes are decoded before a segment is looked at, so "%2e%2E" is "..". With rules that keep
 * empty segments, nothing is a segment like any other.
 */
#include "block16.h"
#include "platform.h"
#include "request_state.h"

/* A path being written. */
struct writer {
    char *out;
    size_t end;
    size_t open; /* where the open segment begins: behind a "/" */
    const cmw_path_rules *rules;
    int is_refused; /* by the rules */
};

const cmw_path_rules cmw__path_no_rules = {0, 0, 0, 0};

enum { BAD_ESCAPE = -1, KEEP_ESCAPE = -2 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static int is_unreserved(int byte)
{
    const int folded = byte | 0x20;
    return (folded >= 'a' && folded <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '.' || byte == '_' || byte == '~';
}

/* The escape at `at`: the byte to put in its place, KEEP_ESCAPE, or BAD_ESCAPE (%00 too). */
static int read_escape(cmw_str text, size_t at)
{
    if (text.len - at < 3)
        return BAD_ESCAPE;

    const int high = hex_value(text.data[at + 1]);
    const int low = hex_value(text.data[at + 2]);
    if (high < 0 || low < 0 || (high | low) == 0)
        return BAD_ESCAPE;
    const int byte = high << 4 | low;
    return is_unreserved(byte) ? byte : KEEP_ESCAPE;
}

static int is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* ---- Finding out that nothing is to be done --------------------------------------------- */

/* 1 if the segment behind the slash at `at` neither is empty with one following, nor ".", "..". */
static int segment_is_plain(cmw_str text, size_t at)
{
    const char *segment = text.data + at + 1;
    const size_t left = text.len - at - 1;

    if (left == 0)
        return 1;
    if (segment[0] == '/')
        return 0;
    if (segment[0] != '.')
        return 1;
    const size_t dots = left > 1 && segment[1] == '.' ? 2 : 1;
    return left > dots && segment[dots] != '/';
}

/* 1 if a byte that is worth a look is canonical in its place. */
static int place_is_canonical(cmw_str text, size_t at)
{
    if (text.data[at] == '/')
        return segment_is_plain(text, at);
    if (text.data[at] == '%')
        return read_escape(text, at) == KEEP_ESCAPE && is_upper_hex(text.data[at + 1]) &&
               is_upper_hex(text.data[at + 2]);
    return 0;
}

/* The first place of those from `at` on that is not canonical; text.len: none. */
static inline size_t check_places(cmw_str text, size_t at, unsigned look)
{
    for (; look; look &= look - 1) {
        const size_t place = at + cmw__lowest_bit(look);
        if (!place_is_canonical(text, place))
            return place;
    }
    return text.len;
}

static size_t check_block(cmw_str text, size_t at)
{
    return check_places(text, at, cmw__block16_path(text.data + at));
}

/* In a block that is filled up with bytes that nobody looks at. */
static size_t check_short(cmw_str text)
{
    char block[16];

    memset(block, 'x', sizeof block);
    (void)cmw__copy_short(block, text.data, text.len);
    return check_places(text, 0, cmw__block16_path(block));
}

size_t cmw__path_canonical_prefix(cmw_str text)
{
    if (text.len < 16)
        return check_short(text);

    /* The last block may overlap the one before: no tail is left. */
    const size_t last = text.len - 16;
    for (size_t at = 0; at < last; at += 16) {
        const size_t place = check_block(text, at);
        if (place < text.len)
            return place;
    }
    return check_block(text, last);
}

/* Fewer than sixteen bytes, as a block that goes on with what is plain. */
static size_t plain_len_of_short(cmw_str target)
{
    char block[16];

    memset(block, 'a', sizeof block);
    (void)cmw__copy_short(block, target.data, target.len);
    const unsigned look = cmw__block16_target(block);
    const size_t place = look ? cmw__lowest_bit(look) : target.len;
    return place == target.len || block[place] == '?' ? place : 0;
}

size_t cmw__path_plain_len(cmw_str target)
{
    unsigned look;

    if (target.len < 16)
        return plain_len_of_short(target);
    const size_t last = target.len - 16;
    size_t at = 0;
    /* A "/" and what follows it may stand across the edge of sixteen. */
    while ((look = cmw__block16_target(target.data + at)) == 0 && at < last)
        at = at + 15 < last ? at + 15 : last;
    if (!look)
        return target.len;
    at += cmw__lowest_bit(look);
    return target.data[at] == '?' ? at : 0;
}

/* ---- Writing it ------------------------------------------------------------------------- */

static void leave_parent(struct writer *writer)
{
    size_t parent = writer->open - 1;

    while (parent > 0 && writer->out[parent - 1] != '/')
        parent--;
    writer->open = parent > 0 ? parent : 1; /* ".." at the root stays there */
    writer->end = writer->open;
}

/* End the open segment; 1 if something of it stays. */
static int close_segment(struct writer *writer)
{
    const char *segment = writer->out + writer->open;
    const size_t len = writer->end - writer->open;

    if (len == 0)
        return writer->rules->keep_empty_segments;
    if (segment[0] != '.' || len > 2 || (len == 2 && segment[1] != '.'))
        return 1;
    writer->is_refused |= writer->rules->reject_dot_segments;
    if (len == 1)
        writer->end = writer->open;
    else
        leave_parent(writer);
    return 0;
}

static void put(struct writer *writer, char c)
{
    writer->out[writer->end++] = c;
}

static void put_slash(struct writer *writer)
{
    if (!close_segment(writer))
        return;
    put(writer, '/');
    writer->open = writer->end;
}

/* 1 for an escaped "/" or "\\". */
static int is_separator(cmw_str text, size_t at)
{
    const int byte = hex_value(text.data[at + 1]) << 4 | hex_value(text.data[at + 2]);
    return byte == '/' || byte == '\\';
}

static char upper(char c)
{
    return (char)(c >= 'a' ? c - 0x20 : c);
}

/* The byte or escape at `at`: its length, or 0 where it cannot stand. */
static size_t put_next(struct writer *writer, cmw_str text, size_t at)
{
    const unsigned char byte = (unsigned char)text.data[at];

    if (byte == '/') {
        put_slash(writer);
        return 1;
    }
    if (byte != '%') {
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            return 0;
        put(writer, text.data[at]);
        return 1;
    }
    const int decoded = read_escape(text, at);
    if (decoded == BAD_ESCAPE)
        return 0;
    if (decoded != KEEP_ESCAPE) {
        put(writer, (char)decoded);
        return 3;
    }
    writer->is_refused |= writer->rules->reject_encoded_slash && is_separator(text, at);
    put(writer, '%');
    put(writer, upper(text.data[at + 1]));
    put(writer, upper(text.data[at + 2]));
    return 3;
}

/* What the rules say of the end of a path. */
static void end_path(struct writer *writer)
{
    const int has_slash = writer->out[writer->end - 1] == '/';

    if (writer->rules->trailing_slash == CMW_TRAILING_SLASH_ADD && !has_slash)
        put(writer, '/');
    while (writer->rules->trailing_slash == CMW_TRAILING_SLASH_STRIP && writer->end > 1 &&
           writer->out[writer->end - 1] == '/')
        writer->end--;
}

int cmw__path_canonical(char *out, size_t *len, cmw_str text, const cmw_path_rules *rules)
{
    struct writer writer = {.out = out, .end = 1, .open = 1, .rules = rules};

    if (text.len > 0 && text.data[0] != '/')
        return CMW_ERR_INVALID;
    out[0] = '/'; /* an empty path is "/" (RFC 9110, 4.2.3) */
    for (size_t at = 1; at < text.len;) {
        const size_t taken = put_next(&writer, text, at);
        if (taken == 0)
            return CMW_ERR_INVALID;
        at += taken;
    }
    (void)close_segment(&writer);
    end_path(&writer);
    if (writer.is_refused)
        return CMW_ERR_INVALID;
    *len = writer.end;
    return 0;
}
