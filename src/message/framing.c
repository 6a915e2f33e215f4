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

int cmw_request_view_read_length(cmw_request_view *view)
{
    const cmw_header *const headers = view->headers;
    uint64_t found = 0;
    int fields = 0;

    for (uint32_t i = 0; i < view->header_count; i++) {
        if (cmw_str_equals_fold(headers[i].name, CMW_STR("Content-Length"))) {
            if (parse_length(&found, headers[i].value) != 0)
                return CMW_ERR_INVALID;
            fields++;
        } else if (cmw_str_equals_fold(headers[i].name, CMW_STR("Transfer-Encoding"))) {
            if (!cmw_str_equals_fold(headers[i].value, CMW_STR("chunked")))
                return CMW_ERR_INVALID;
            found = CMW_LENGTH_UNKNOWN;
            fields++;
        }
    }
    if (fields > 1)
        return CMW_ERR_INVALID;
    view->content_length = found;
    return 0;
}
