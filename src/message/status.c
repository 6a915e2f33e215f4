/* SPDX-License-Identifier: MIT */
/*
 * Reason phrases of the IANA "HTTP Status Code" registry.
 */
#include <catzilla/response.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Codes without a phrase have an entry of zeros. */
static const cmw_str informational[] = {
    [0] = CMW_STR_INIT("Continue"),
    [1] = CMW_STR_INIT("Switching Protocols"),
    [2] = CMW_STR_INIT("Processing"),
    [3] = CMW_STR_INIT("Early Hints"),
};

static const cmw_str successful[] = {
    [0] = CMW_STR_INIT("OK"),
    [1] = CMW_STR_INIT("Created"),
    [2] = CMW_STR_INIT("Accepted"),
    [3] = CMW_STR_INIT("Non-Authoritative Information"),
    [4] = CMW_STR_INIT("No Content"),
    [5] = CMW_STR_INIT("Reset Content"),
    [6] = CMW_STR_INIT("Partial Content"),
    [7] = CMW_STR_INIT("Multi-Status"),
    [8] = CMW_STR_INIT("Already Reported"),
    [26] = CMW_STR_INIT("IM Used"),
};

static const cmw_str redirection[] = {
    [0] = CMW_STR_INIT("Multiple Choices"),
    [1] = CMW_STR_INIT("Moved Permanently"),
    [2] = CMW_STR_INIT("Found"),
    [3] = CMW_STR_INIT("See Other"),
    [4] = CMW_STR_INIT("Not Modified"),
    [5] = CMW_STR_INIT("Use Proxy"),
    [7] = CMW_STR_INIT("Temporary Redirect"),
    [8] = CMW_STR_INIT("Permanent Redirect"),
};

static const cmw_str client_error[] = {
    [0] = CMW_STR_INIT("Bad Request"),
    [1] = CMW_STR_INIT("Unauthorized"),
    [2] = CMW_STR_INIT("Payment Required"),
    [3] = CMW_STR_INIT("Forbidden"),
    [4] = CMW_STR_INIT("Not Found"),
    [5] = CMW_STR_INIT("Method Not Allowed"),
    [6] = CMW_STR_INIT("Not Acceptable"),
    [7] = CMW_STR_INIT("Proxy Authentication Required"),
    [8] = CMW_STR_INIT("Request Timeout"),
    [9] = CMW_STR_INIT("Conflict"),
    [10] = CMW_STR_INIT("Gone"),
    [11] = CMW_STR_INIT("Length Required"),
    [12] = CMW_STR_INIT("Precondition Failed"),
    [13] = CMW_STR_INIT("Content Too Large"),
    [14] = CMW_STR_INIT("URI Too Long"),
    [15] = CMW_STR_INIT("Unsupported Media Type"),
    [16] = CMW_STR_INIT("Range Not Satisfiable"),
    [17] = CMW_STR_INIT("Expectation Failed"),
    [21] = CMW_STR_INIT("Misdirected Request"),
    [22] = CMW_STR_INIT("Unprocessable Content"),
    [23] = CMW_STR_INIT("Locked"),
    [24] = CMW_STR_INIT("Failed Dependency"),
    [25] = CMW_STR_INIT("Too Early"),
    [26] = CMW_STR_INIT("Upgrade Required"),
    [28] = CMW_STR_INIT("Precondition Required"),
    [29] = CMW_STR_INIT("Too Many Requests"),
    [31] = CMW_STR_INIT("Request Header Fields Too Large"),
    [51] = CMW_STR_INIT("Unavailable For Legal Reasons"),
};

static const cmw_str server_error[] = {
    [0] = CMW_STR_INIT("Internal Server Error"),
    [1] = CMW_STR_INIT("Not Implemented"),
    [2] = CMW_STR_INIT("Bad Gateway"),
    [3] = CMW_STR_INIT("Service Unavailable"),
    [4] = CMW_STR_INIT("Gateway Timeout"),
    [5] = CMW_STR_INIT("HTTP Version Not Supported"),
    [6] = CMW_STR_INIT("Variant Also Negotiates"),
    [7] = CMW_STR_INIT("Insufficient Storage"),
    [8] = CMW_STR_INIT("Loop Detected"),
    [10] = CMW_STR_INIT("Not Extended"),
    [11] = CMW_STR_INIT("Network Authentication Required"),
};

static const struct {
    const cmw_str *phrases;
    size_t count;
} classes[] = {
    {informational, COUNT(informational)}, {successful, COUNT(successful)},
    {redirection, COUNT(redirection)},     {client_error, COUNT(client_error)},
    {server_error, COUNT(server_error)},
};

cmw_str cmw_status_reason(int status)
{
    if (status < 100 || status > 599)
        return CMW_STR("");

    const size_t index = (size_t)status % 100;
    const size_t hundred = (size_t)status / 100 - 1;
    if (index >= classes[hundred].count || !classes[hundred].phrases[index].data)
        return CMW_STR("");
    return classes[hundred].phrases[index];
}
