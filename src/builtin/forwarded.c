/* SPDX-License-Identifier: MIT */
/* Forwarding fields, read from the right. */
#include "forwarded.h"

/* ---- Names ------------------------------------------------------------------------------ */

static const struct {
    cmw_str suffix;
    enum cmw__forwarding field;
} suffixes[] = {
    {CMW_STR_INIT("for"), CMW__FORWARDED_FOR},       {CMW_STR_INIT("proto"), CMW__FORWARDED_PROTO},
    {CMW_STR_INIT("host"), CMW__FORWARDED_HOST},     {CMW_STR_INIT("port"), CMW__FORWARDED_PORT},
    {CMW_STR_INIT("prefix"), CMW__FORWARDED_PREFIX},
};

static int is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

static int has_alias_byte(cmw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '_' || name.data[i] == '.')
            return 1;
    return 0;
}

/* 1 if `name` has `word` at `at`, in any case. */
static int has_word(cmw_str name, size_t at, cmw_str word)
{
    return name.len - at >= word.len &&
           cmw_str_equals_fold(cmw_str_make(name.data + at, word.len), word);
}

/* What follows "X-Forwarded-". */
static enum cmw__forwarding of_suffix(cmw_str suffix)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const cmw_str known = suffixes[i].suffix;
        if (suffix.len == known.len && cmw_str_equals_fold(suffix, known))
            return suffixes[i].field;
    }
    return has_alias_byte(suffix) ? CMW__FORWARDED_ALIAS : CMW__FORWARDED_OTHER;
}

/* A name of nine bytes or more that begins with "x". */
static enum cmw__forwarding of_x_name(cmw_str name)
{
    enum cmw__forwarding field;
    char second;

    if (!is_separator(name.data[1]))
        return CMW__NOT_FORWARDING;
    if (name.len > 12 && has_word(name, 2, CMW_STR("forwarded")) && is_separator(name.data[11])) {
        second = name.data[11];
        field = of_suffix(cmw_str_make(name.data + 12, name.len - 12));
    } else if (name.len == 9 && has_word(name, 2, CMW_STR("real")) && is_separator(name.data[6]) &&
               has_word(name, 7, CMW_STR("ip"))) {
        second = name.data[6];
        field = CMW__FORWARDED_REAL_IP;
    } else {
        return CMW__NOT_FORWARDING;
    }
    return name.data[1] == '-' && second == '-' ? field : CMW__FORWARDED_ALIAS;
}

enum cmw__forwarding cmw__forwarding_of_candidate(cmw_str name)
{
    if ((name.data[0] | 0x20) == 'x')
        return of_x_name(name);
    return cmw_str_equals_fold(name, CMW_STR("forwarded")) ? CMW__FORWARDED : CMW__NOT_FORWARDING;
}

/* ---- Lists ------------------------------------------------------------------------------ */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void drop_blanks(cmw_str *text)
{
    while (text->len > 0 && is_blank(text->data[text->len - 1]))
        text->len--;
}

static char last_byte(cmw_str text)
{
    return text.data[text.len - 1];
}

int cmw__list_take_last(cmw_str *list, cmw_str *element)
{
    for (;;) {
        drop_blanks(list);
        if (list->len == 0)
            return 0;
        if (last_byte(*list) != ',')
            break;
        list->len--;
    }
    const size_t end = list->len;
    while (list->len > 0 && last_byte(*list) != ',')
        list->len--;
    size_t start = list->len;
    while (is_blank(list->data[start])) /* its last byte is none */
        start++;
    *element = cmw_str_make(list->data + start, end - start);
    return 1;
}

/* ---- Forwarded -------------------------------------------------------------------------- */

/* RFC 9110, 5.6.2. Bits by value, from 0x20 on. */
static int is_tchar(char c)
{
    static const uint32_t bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};
    const unsigned char byte = (unsigned char)c;
    return bits[byte / 32] >> byte % 32 & 1;
}

/* Take a token off the end; empty: there is none. */
static cmw_str take_token(cmw_str *text)
{
    const size_t end = text->len;

    while (text->len > 0 && is_tchar(last_byte(*text)))
        text->len--;
    return cmw_str_make(text->data + text->len, end - text->len);
}

/* How many backslashes stand right before `at`. */
static size_t backslashes_before(const char *data, size_t at)
{
    size_t count = 0;
    while (count < at && data[at - 1 - count] == '\\')
        count++;
    return count;
}

/* Take a quoted-string off the end, which is a quote. Between its quotes every other one has an odd
 * number of backslashes before it, and the last quote an even one. */
static int take_quoted(cmw_str *text, struct cmw__forwarded_value *out)
{
    const size_t close = text->len - 1;
    size_t at = close;
    size_t escapes = backslashes_before(text->data, close);

    if (escapes % 2 == 1)
        return CMW_ERR_INVALID;
    out->has_escapes = escapes > 0;
    while (at > 0) {
        const char c = text->data[--at];
        if (c == '\\')
            out->has_escapes = 1;
        if (c != '"')
            continue;
        escapes = backslashes_before(text->data, at);
        if (escapes % 2 == 0) {
            out->text = cmw_str_make(text->data + at + 1, close - at - 1);
            text->len = at;
            return 0;
        }
        out->has_escapes = 1;
        at -= escapes;
    }
    return CMW_ERR_INVALID;
}

static int take_value(cmw_str *text, struct cmw__forwarded_value *out)
{
    if (last_byte(*text) == '"')
        return take_quoted(text, out);
    out->text = take_token(text);
    out->has_escapes = 0;
    return out->text.len > 0 ? 0 : CMW_ERR_INVALID;
}

/* Where a parameter goes; NULL: an extension, which is nothing to us. */
static struct cmw__forwarded_value *place_of(struct cmw__forwarded_element *element, cmw_str name)
{
    if (cmw_str_equals_fold(name, CMW_STR("for")))
        return &element->node;
    if (cmw_str_equals_fold(name, CMW_STR("proto")))
        return &element->proto;
    if (cmw_str_equals_fold(name, CMW_STR("host")))
        return &element->host;
    return cmw_str_equals_fold(name, CMW_STR("by")) ? &element->by : NULL;
}

/* Take `token "=" value` off the end. */
static int take_pair(cmw_str *text, struct cmw__forwarded_element *element)
{
    struct cmw__forwarded_value value;

    if (take_value(text, &value) != 0 || text->len == 0 || last_byte(*text) != '=')
        return CMW_ERR_INVALID;
    text->len--;
    const cmw_str name = take_token(text);
    if (name.len == 0)
        return CMW_ERR_INVALID;
    struct cmw__forwarded_value *place = place_of(element, name);
    if (!place)
        return 0;
    if (place->text.data)
        return CMW_ERR_INVALID;
    *place = value;
    return 0;
}

int cmw__forwarded_take_last(cmw_str *list, struct cmw__forwarded_element *out)
{
    int has_pair = 0;     /* of this element */
    int is_separated = 1; /* what comes next may be a pair */

    memset(out, 0, sizeof *out);
    for (;;) {
        drop_blanks(list);
        if (list->len == 0)
            return has_pair;
        const char last = last_byte(*list);
        if (last == ',' && has_pair)
            return 1; /* it stays: the next call skips it */
        if (last == ',' || last == ';') {
            list->len--;
            is_separated = 1;
            continue;
        }
        if (!is_separated || take_pair(list, out) != 0)
            return CMW_ERR_INVALID;
        has_pair = 1;
        is_separated = 0;
    }
}

size_t cmw__forwarded_unescape(char *out, cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\' && i + 1 < text.len)
            i++;
        out[len++] = text.data[i];
    }
    return len;
}

/* ---- Nodes ------------------------------------------------------------------------------ */

/* RFC 7239, 6: port = 1*5DIGIT, or obfport = "_" 1*(ALPHA / DIGIT / "." / "_" / "-"), which is as
 * good as none. `text` begins behind the address. */
static int read_port(uint16_t *port, cmw_str text)
{
    unsigned value = 0;

    *port = 0;
    if (text.len == 0)
        return 1;
    if (text.data[0] != ':' || text.len < 2)
        return 0;
    if (text.data[1] == '_')
        return text.len > 2;
    if (text.len > 6)
        return 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static int read_address(cmw_address *out, cmw_str *text, cmw_str host, cmw_str rest)
{
    cmw_address address;
    uint16_t port;

    if (cmw_address_parse(&address, host) != 0 || !read_port(&port, rest))
        return 0;
    *out = address;
    out->port = port;
    *text = host;
    return 1;
}

static int read_bracketed(cmw_address *out, cmw_str *text, cmw_str node)
{
    const char *close = memchr(node.data, ']', node.len);

    if (!close)
        return 0;
    const size_t len = (size_t)(close - node.data) - 1;
    const cmw_str host = cmw_str_make(node.data + 1, len);
    if (len == 0 || !memchr(host.data, ':', len))
        return 0; /* brackets are for IPv6 */
    return read_address(out, text, host, cmw_str_make(close + 1, node.len - len - 2));
}

int cmw__node_read(cmw_address *out, cmw_str *text, cmw_str node)
{
    if (node.len == 0)
        return 0;
    if (node.data[0] == '[')
        return read_bracketed(out, text, node);
    const char *colon = memchr(node.data, ':', node.len);
    const size_t len = colon ? (size_t)(colon - node.data) : node.len;
    return read_address(out, text, cmw_str_make(node.data, len),
                        cmw_str_make(node.data + len, node.len - len));
}

int cmw__node_read_loosely(cmw_address *out, cmw_str *text, cmw_str node)
{
    if (cmw_address_parse(out, node) != 0)
        return cmw__node_read(out, text, node);
    *text = node;
    return 1;
}

/* ---- Other values ----------------------------------------------------------------------- */

uint16_t cmw__forwarded_port(cmw_str text)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 5)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    return value <= UINT16_MAX ? (uint16_t)value : 0;
}

/* pchar and "/" (RFC 3986, 3.3) but the escapes of what would be another path for some readers. */
static int is_path_byte(char c)
{
    const char folded = (char)(c | 0x20);
    return (folded >= 'a' && folded <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("/-._~!$&'()*+;=:@", c) != NULL);
}

int cmw__forwarded_is_prefix(cmw_str text)
{
    size_t start = 1;

    if (text.len == 0 || text.data[0] != '/')
        return 0;
    for (size_t i = 1; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '/') {
            if (!is_path_byte(text.data[i]))
                return 0;
            continue;
        }
        const cmw_str segment = cmw_str_make(text.data + start, i - start);
        if ((segment.len == 0 && i < text.len) || cmw_str_equals(segment, CMW_STR(".")) ||
            cmw_str_equals(segment, CMW_STR("..")))
            return 0;
        start = i + 1;
    }
    return 1;
}
