/* SPDX-License-Identifier: MIT */
/*
 * url_path with each of its rules: the first byte picks them, the rest is the target. What is
 * canonical
 *
 *   stays as it is when it is made canonical again, by the same rules and by the default ones,
 *   never leaves the root, and has no dot segment, escaped or not,
 *   means what the target meant: the same segments, decoded, as a naive reading finds.
 */
#include "fuzz.h"

#include <catzilla/builtin/url_path.h>

enum { SEGMENT_CAP = 8192 };

static cmw_url_path_config pick_rules(unsigned bits)
{
    cmw_url_path_config config;

    cmw_url_path_config_init(&config);
    config.merge_slashes = !(bits & 1);
    config.dot_segments = bits & 2 ? CMW_DOT_SEGMENTS_REJECT : CMW_DOT_SEGMENTS_REMOVE;
    config.encoded_slash = bits & 4 ? CMW_ENCODED_SLASH_REJECT : CMW_ENCODED_SLASH_KEEP;
    config.trailing_slash = (int)(bits >> 3) % 3;
    return config;
}

/* ---- A naive reading -------------------------------------------------------------------- */

struct reading {
    char *bytes; /* of all segments, decoded */
    cmw_str segments[SEGMENT_CAP];
    size_t count;
    int has_dots, has_separator, is_bad;
};

static int digit(char c)
{
    const char *const digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decode a segment into `to`: its length. */
static size_t decode(struct reading *reading, char *to, cmw_str segment)
{
    size_t len = 0;

    for (size_t i = 0; i < segment.len; i++) {
        unsigned char byte = (unsigned char)segment.data[i];
        reading->is_bad |= byte < 0x20 || byte == 0x7f || byte == '\\';
        if (byte == '%') {
            const int high = segment.len - i > 2 ? digit(segment.data[i + 1]) : -1;
            const int low = high >= 0 ? digit(segment.data[i + 2]) : -1;
            if (low < 0 || high + low == 0) {
                reading->is_bad = 1;
                return len;
            }
            byte = (unsigned char)(high * 16 + low);
            reading->has_separator |= byte == '/' || byte == '\\';
            i += 2;
        }
        to[len++] = (char)byte;
    }
    return len;
}

static void push(struct reading *reading, cmw_str segment)
{
    FUZZ_CHECK(reading->count < SEGMENT_CAP);
    reading->segments[reading->count++] = segment;
}

/* One segment after the other; the last one says whether there is a slash at the end. */
static void add_segment(struct reading *reading, cmw_str segment, int is_last, int merges)
{
    const int is_dot = cmw_str_equals(segment, CMW_STR("."));
    const int is_dot_dot = cmw_str_equals(segment, CMW_STR(".."));

    reading->has_dots |= is_dot || is_dot_dot;
    if (is_dot_dot && reading->count > 0)
        reading->count--;
    if (is_dot || is_dot_dot)
        segment.len = 0;
    if (is_last || (!is_dot && !is_dot_dot && (segment.len > 0 || !merges)))
        push(reading, segment);
}

static void read_path(struct reading *reading, cmw_str path, int merges)
{
    char *to = reading->bytes;
    int is_last;

    reading->count = 0;
    reading->has_dots = reading->has_separator = reading->is_bad = 0;
    if (path.len == 0 || path.data[0] != '/') {
        reading->is_bad = 1;
        return;
    }
    (void)fuzz_take(&path, '/');
    do {
        const size_t before = path.len;
        const cmw_str raw = fuzz_take(&path, '/');
        is_last = raw.len == before;
        const size_t len = decode(reading, to, raw);
        add_segment(reading, cmw_str_make(to, len), is_last, merges);
        to += len;
    } while (!is_last && !reading->is_bad);
}

static void end_reading(struct reading *reading, int trailing_slash)
{
    static const cmw_str nothing = {"", 0};

    if (trailing_slash == CMW_TRAILING_SLASH_ADD && reading->count > 0 &&
        reading->segments[reading->count - 1].len > 0)
        push(reading, nothing);
    while (trailing_slash == CMW_TRAILING_SLASH_STRIP && reading->count > 1 &&
           reading->segments[reading->count - 1].len == 0)
        reading->count--;
}

/* ---- What came of it -------------------------------------------------------------------- */

static char seen[1 << 16];
static size_t seen_len;
static int is_passed;

static void look(cmw_ctx *ctx, cmw_next next)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));

    is_passed = next == CMW_TO_HANDLER;
    FUZZ_CHECK(is_passed || cmw_response_status(cmw_ctx_response(ctx)) == 400);
    FUZZ_CHECK(path.len <= sizeof seen && (path.len > 0) == is_passed);
    memcpy(seen, path.data ? path.data : "", path.len);
    seen_len = path.len;
}

static void send(cmw_test *test, cmw_str target)
{
    struct fuzz_request request;

    cmw_request_view_init(&request.view);
    request.view.http_version = 0x0101;
    request.view.method = CMW_STR("GET");
    request.view.target = target;
    is_passed = 0;
    fuzz_send(test, &request, look);
}

/* It is canonical by itself: the same again. */
static void check_again(cmw_test *test, cmw_str path)
{
    send(test, path);
    FUZZ_CHECK(is_passed && cmw_str_equals(cmw_str_make(seen, seen_len), path));
}

static void check_meaning(const struct reading *target, const struct reading *path)
{
    FUZZ_CHECK(!path->is_bad && !path->has_dots && target->count == path->count);
    for (size_t i = 0; i < path->count; i++)
        FUZZ_CHECK(cmw_str_equals(target->segments[i], path->segments[i]));
}

static void check(cmw_test *const tests[2], cmw_str target, const cmw_url_path_config *config)
{
    static struct reading meant, made;
    char *const room = malloc(2 * target.len + 2);
    char *const path = malloc(target.len + 2);

    FUZZ_CHECK(room && path);
    meant.bytes = room;
    made.bytes = room + target.len;
    read_path(&meant, fuzz_take(&(cmw_str){target.data, target.len}, '?'), config->merge_slashes);
    const int is_good = !meant.is_bad &&
                        !(meant.has_dots && config->dot_segments == CMW_DOT_SEGMENTS_REJECT) &&
                        !(meant.has_separator && config->encoded_slash == CMW_ENCODED_SLASH_REJECT);
    send(tests[0], target);
    FUZZ_CHECK(is_passed == is_good);
    if (is_good) {
        FUZZ_CHECK(seen_len <= target.len + 1); /* and the slash that may be added */
        memcpy(path, seen, seen_len);
        const cmw_str canonical = cmw_str_make(path, seen_len);
        read_path(&made, canonical, 0);
        end_reading(&meant, config->trailing_slash);
        check_meaning(&meant, &made);
        check_again(tests[0], canonical);
        if (config->merge_slashes)
            check_again(tests[1], canonical);
    }
    free(path);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *by_rules[24], *by_default;
    const unsigned bits = size > 0 ? data[0] % 24u : 0;
    const cmw_url_path_config config = pick_rules(bits);

    if (!by_default)
        by_default = fuzz_open("url_path", NULL);
    if (!by_rules[bits])
        by_rules[bits] = fuzz_open("url_path", &config);
    if (size < 2 || size > SEGMENT_CAP || data[1] != '/')
        return 0; /* "*", "a:80" and "http://a/" have forms of their own: fuzz_request */
    check((cmw_test *[]){by_rules[bits], by_default},
          cmw_str_make((const char *)data + 1, size - 1), &config);
    return 0;
}
