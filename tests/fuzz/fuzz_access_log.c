/* SPDX-License-Identifier: MIT */
/* Each request gives one line in each format, whatever it holds: an object of JSON, or printable
 * ASCII without a quote that is not escaped. */
#include "fuzz.h"

#include <catzilla/builtin/access_log.h>

#include "json_check.h"

static size_t line_count;

/* Texts of the request stand between quotes, whose number is the format's. */
static void check_text(const char *line, size_t len)
{
    size_t quotes = 0;

    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(line[i] >= 0x20 && line[i] < 0x7f);
        if (line[i] == '\\')
            i++;
        else
            quotes += line[i] == '"';
    }
    FUZZ_CHECK(quotes == 6);
}

static int check_line(void *self, const char *line, size_t len)
{
    (void)self;
    line_count++;
    FUZZ_CHECK(len > 1 && line[len - 1] == '\n' && !memchr(line, '\n', len - 1));
    if (line[0] == '{')
        FUZZ_CHECK(json_check_object(line, len - 1));
    else
        check_text(line, len - 1);
    return 0;
}

static cmw_test *open_log(const char *format)
{
    static const cmw_option_text fields[] = {{"auth", "%{Authorization}i"}, {"a", "%{a}i"}};
    cmw_access_log_config config;

    cmw_access_log_config_init(&config);
    config.format = format;
    config.write = check_line;
    if (strcmp(format, "json") == 0) {
        config.fields = fields;
        config.field_count = 2;
    }
    return fuzz_open("access_log", &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *tests[2];
    struct fuzz_request request;

    if (!tests[0]) {
        tests[0] = open_log("combined");
        tests[1] = open_log("json");
    }
    fuzz_request_read(&request, data, size);
    for (int i = 0; i < 2; i++) {
        line_count = 0;
        fuzz_send(tests[i], &request, NULL);
        (void)cmw_engine_poll(cmw_test_engine(tests[i]));
        FUZZ_CHECK(line_count == 1);
    }
    return 0;
}
