/* SPDX-License-Identifier: MIT */
/* An access log whose lines a callback keeps. */
#ifndef CMW_ACCESS_LOG_FIXTURE_H
#define CMW_ACCESS_LOG_FIXTURE_H

#include "builtin_fixture.h"

#include <catzilla/builtin/access_log.h>

/* Lines, as the callback got them. */
struct lines {
    char text[262144];
    size_t len, count;
    int refuses;
};

static struct lines lines;

static inline int keep_line(void *self, const char *text, size_t len)
{
    struct lines *kept = self;

    if (kept->refuses)
        return CMW_ERR_IO;
    assert_true(len < sizeof kept->text - kept->len && text[len - 1] == '\n');
    memcpy(kept->text + kept->len, text, len);
    kept->len += len;
    kept->text[kept->len] = '\0';
    kept->count++;
    return 0;
}

static inline cmw_access_log_config config_of(const char *format)
{
    cmw_access_log_config config;

    memset(&lines, 0, sizeof lines);
    cmw_access_log_config_init(&config);
    config.format = format;
    config.write = keep_line;
    config.write_self = &lines;
    return config;
}

/* What was logged since the last look; valid until the next request. */
static inline const char *logged(cmw_test *test)
{
    lines.len = lines.count = 0;
    lines.text[0] = '\0';
    (void)cmw_engine_poll(cmw_test_engine(test));
    return lines.text;
}

#endif /* CMW_ACCESS_LOG_FIXTURE_H */
