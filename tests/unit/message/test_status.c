/* SPDX-License-Identifier: MIT */
#include "message_fixture.h"

struct row {
    const char *name;
    int status;
    const char *reason;
};

static const struct row rows[] = {
    {"100", 100, "Continue"},
    {"103", 103, "Early Hints"},
    {"200", 200, "OK"},
    {"204", 204, "No Content"},
    {"226", 226, "IM Used"},
    {"301", 301, "Moved Permanently"},
    {"304", 304, "Not Modified"},
    {"306 is unused", 306, ""},
    {"308", 308, "Permanent Redirect"},
    {"404", 404, "Not Found"},
    {"413", 413, "Content Too Large"},
    {"418 is unused", 418, ""},
    {"422", 422, "Unprocessable Content"},
    {"428", 428, "Precondition Required"},
    {"429", 429, "Too Many Requests"},
    {"431", 431, "Request Header Fields Too Large"},
    {"451", 451, "Unavailable For Legal Reasons"},
    {"500", 500, "Internal Server Error"},
    {"503", 503, "Service Unavailable"},
    {"507", 507, "Insufficient Storage"},
    {"511", 511, "Network Authentication Required"},
    {"512 is not registered", 512, ""},
    {"599 is not registered", 599, ""},
    {"600 is out of range", 600, ""},
    {"99 is out of range", 99, ""},
    {"0 is out of range", 0, ""},
    {"negative is out of range", -404, ""},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_str reason = cmw_status_reason(row->status);

    assert_non_null(reason.data);
    assert_cstr(reason, row->reason);
}

RUN_ROWS("status", rows, check_row)

int main(void)
{
    return run_check_row();
}
