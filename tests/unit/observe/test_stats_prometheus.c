/* SPDX-License-Identifier: MIT */
/* Statistics in Prometheus' text format: metrics in blocks, labels escaped, shadows by themselves.
 */
#include "stats_prometheus.h"

#include <stdio.h>

#include "snapshot.h"
#include "test.h"

struct text {
    char bytes[16384];
    size_t len;
};

static int keep(void *self, const char *text, size_t len)
{
    struct text *to = self;

    assert_true(len < sizeof to->bytes - to->len);
    memcpy(to->bytes + to->len, text, len);
    to->len += len;
    to->bytes[to->len] = '\0';
    return 0;
}

static int refuse(void *self, const char *text, size_t len)
{
    (void)self;
    (void)text;
    (void)len;
    return CMW_ERR_IO;
}

/* Two middleware, one of which is shadowed. */
static void fill(cmw_stats *stats, cmw_middleware_stats *rows)
{
    memset(stats, 0, sizeof *stats);
    memset(rows, 0, 2 * sizeof *rows);
    rows[0].name = "auth";
    rows[0].kind = "a\"b\\c\nd";
    rows[0].calls = 12;
    rows[0].stops = 3;
    rows[0].durations = (cmw_durations){4, 2500000000, 10, 20, 30, 40};
    rows[1].name = "limit";
    rows[1].kind = "rate_limit";
    rows[1].phase = CMW_PHASE_POST_ROUTE;
    rows[1].is_shadowed = 1;
    rows[1].would_stop = 7;
    rows[1].would_change = 9;
    stats->rows = rows;
    stats->row_count = 2;
    stats->requests.begun = 5;
    stats->requests.overloads = 2;
    stats->requests.late_heads = 3;
    stats->requests.by_class[4] = 1;
    stats->pools[CMW_POOL_PLAN].in_use_bytes = 77;
}

static void every_figure_is_there(void **state)
{
    static const char *const lines[] = {
        "# TYPE catzilla_requests_begun_total counter\ncatzilla_requests_begun_total 5\n",
        "\ncatzilla_requests_ended_total{class=\"4xx\"} 1\n",
        "\ncatzilla_requests_by_reason_total{reason=\"client_gone\"} 0\n",
        "\ncatzilla_overloads_total 2\n",
        "\ncatzilla_late_heads_total 3\n",
        "\ncatzilla_middleware_calls_total{name=\"auth\",kind=\"a\\\"b\\\\c\\nd\",phase=\"pre_"
        "route\"} "
        "12\n",
        "kind=\"a\\\"b\\\\c\\nd\",phase=\"pre_route\",outcome=\"stop\"} 3\n",
        "\ncatzilla_middleware_would_total{name=\"limit\",kind=\"rate_limit\",phase=\"post_route\","
        "outcome=\"stop\"} 7\n",
        ",outcome=\"change\"} 9\n",
        ",quantile=\"0.99\"} 0.000000030\n",
        "\ncatzilla_middleware_duration_seconds_sum{name=\"auth\",kind=\"a\\\"b\\\\c\\nd\",phase="
        "\"pre_"
        "route\"} 10.000000000\n",
        "\ncatzilla_pool_in_use_bytes{pool=\"plan\"} 77\n",
    };
    static struct text text;
    cmw_middleware_stats rows[2];
    cmw_stats stats;

    (void)state;
    fill(&stats, rows);
    assert_int_equal(cmw_stats_write(&stats, CMW_FORMAT_PROMETHEUS, keep, &text), 0);
    for (size_t i = 0; i < LEN(lines); i++)
        if (!strstr(text.bytes, lines[i]))
            fail_msg("no '%s' in:\n%s", lines[i], text.bytes);
    assert_null(strstr(text.bytes, "verdicts_total{name=\"limit\""));
    assert_null(strstr(text.bytes, "would_total{name=\"auth\""));
}

/* A metric that begins twice is refused by who reads it; each line is a comment or a figure. */
static void each_metric_is_one_block(void **state)
{
    static struct text text;
    cmw_middleware_stats rows[2];
    cmw_stats stats;
    char metric[128] = "";

    (void)state;
    fill(&stats, rows);
    assert_int_equal(cmw__stats_write_prometheus(&stats, keep, &text), 0);
    for (char *line = strtok(text.bytes, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_true(sscanf(line + 7, "%127s", metric) == 1);
            continue;
        }
        if (line[0] == '#') {
            assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
            line += 7;
        }
        assert_int_equal(strncmp(line, metric, strlen(metric)), 0);
    }
    assert_string_equal(metric, "catzilla_pool_failures_total");
}

static void what_write_says_is_passed_on(void **state)
{
    cmw_middleware_stats rows[2];
    cmw_stats stats;

    (void)state;
    fill(&stats, rows);
    assert_int_equal(cmw_stats_write(&stats, CMW_FORMAT_PROMETHEUS, refuse, NULL), CMW_ERR_IO);
    assert_int_equal(cmw_stats_write(&stats, (cmw_format)9, keep, NULL), CMW_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_is_there),
        cmocka_unit_test(each_metric_is_one_block),
        cmocka_unit_test(what_write_says_is_passed_on),
    };
    return cmocka_run_group_tests_name("statistics for Prometheus", tests, NULL, NULL);
}
