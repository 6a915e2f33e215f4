/* SPDX-License-Identifier: MIT */
/* How long the body of an HTTP/1 request is, by its header fields. */
#include <catzilla/request.h>

static int parse_length(uint64_t *length, cmw_str digits)
{
    uint64_t sum = 0;

    if (digits.len == 0)
        return CMW_ERR_INVALID;
    for (size_t i = 0; i < digits.len; i++) {
        const unsigned digit = (unsigned)(unsigned char)digits.data[i] - '0';
        if (digit > 9 || sum > (CMW_LENGTH_UNKNOWN - 1 - digit) / 10)
            return CMW_ERR_INVALID;
        sum = sum * 10 + digit;
    }
    *length = sum;
    return 0;
}

static int begins_with(cmw_str name, cmw_str what)
{
    return name.len >= what.len && cmw_str_equals_fold(cmw_str_make(name.data, what.len), what);
}

/* One field: how many more there are of those that say a length; -1: it cannot be. */
static int read_field(uint64_t *length, const cmw_header *field, uint16_t http_version)
{
    if (!cmw_header_name_is_valid(field->name) || !cmw_header_value_is_valid(field->value))
        return -1;
    const int is_length = begins_with(field->name, CMW_STR("Content-Length"));
    if (!is_length && !begins_with(field->name, CMW_STR("Transfer-Encoding")))
        return 0;
    if (field->name.len != (is_length ? sizeof "Content-Length" : sizeof "Transfer-Encoding") - 1)
        return -1;
    if (is_length)
        return parse_length(length, field->value) == 0 ? 1 : -1;
    if (http_version != 0x0101 || !cmw_str_equals_fold(field->value, CMW_STR("chunked")))
        return -1;
    *length = CMW_LENGTH_UNKNOWN;
    return 1;
}

int cmw_request_view_read_length(cmw_request_view *view)
{
    const cmw_header *const headers = view->headers;
    uint64_t found = 0;
    int fields = 0;

    for (uint32_t i = 0; i < view->header_count; i++) {
        const int more = read_field(&found, &headers[i], view->http_version);
        fields += more;
        if (more < 0 || fields > 1)
            return CMW_ERR_INVALID;
    }
    view->content_length = found;
    return 0;
}
