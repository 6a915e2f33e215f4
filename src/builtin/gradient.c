/* SPDX-License-Identifier: MIT */
/* The gradient of latency, and the limit that follows it. */
#include "gradient.h"

/* How much of a window's average goes into the long one: little while answers are late, or what is
 * late would soon be usual. And how much of a new limit goes into the limit. */
#define LONG_SHARE (1.0 / 100)
#define LATE_SHARE (1.0 / 1000)
#define LIMIT_SHARE 0.2

static double clamp(double number, double min, double max)
{
    return number < min ? min : number > max ? max : number;
}

/* Without libm: enough places for a limit. */
static double square_root(double number)
{
    double root = number > 1 ? number / 2 : 1;

    for (int i = 0; i < 30; i++)
        root = (root + number / root) / 2;
    return root;
}

static void begin_window(struct cmw__gradient *gradient, uint64_t now_ns)
{
    gradient->begin_ns = now_ns;
    gradient->sum_ns = 0;
    gradient->samples = 0;
    gradient->most_in_flight = 0;
}

void cmw__gradient_init(struct cmw__gradient *gradient, const struct cmw__gradient_rules *rules,
                        uint64_t now_ns)
{
    gradient->limit = rules->initial_limit;
    gradient->long_ns = 0;
    begin_window(gradient, now_ns);
}

/* The long average; it comes down quickly when the load that had raised it is over. */
static double follow(double long_ns, double short_ns)
{
    if (long_ns <= 0)
        return short_ns;
    const double share = short_ns > long_ns ? LATE_SHARE : LONG_SHARE;
    const double next = long_ns + (short_ns - long_ns) * share;
    return next > 2 * short_ns ? next * 0.95 : next;
}

static void close_window(struct cmw__gradient *gradient, const struct cmw__gradient_rules *rules)
{
    const double short_ns = gradient->sum_ns / gradient->samples;

    gradient->long_ns = follow(gradient->long_ns, short_ns);
    const double tolerated = gradient->long_ns * rules->tolerance_permille / 1000;
    const double ratio = short_ns > 0 ? clamp(tolerated / short_ns, 0.5, 1) : 1;
    if (ratio >= 1 && gradient->most_in_flight < gradient->limit / 2)
        return;
    const double room = ratio >= 1 ? square_root(gradient->limit) : 0;
    const double wanted = gradient->limit * ratio + room;
    gradient->limit = clamp(gradient->limit + (wanted - gradient->limit) * LIMIT_SHARE,
                            rules->min_limit, rules->max_limit);
}

uint32_t cmw__gradient_sample(struct cmw__gradient *gradient,
                              const struct cmw__gradient_rules *rules, uint64_t now_ns,
                              uint64_t took_ns, uint32_t in_flight)
{
    if (now_ns < gradient->begin_ns) /* backwards */
        begin_window(gradient, now_ns);
    gradient->sum_ns += (double)took_ns;
    gradient->samples++;
    if (in_flight > gradient->most_in_flight)
        gradient->most_in_flight = in_flight;
    if (now_ns - gradient->begin_ns >= rules->window_ns &&
        gradient->samples >= rules->min_samples) {
        close_window(gradient, rules);
        begin_window(gradient, now_ns);
    }
    return (uint32_t)gradient->limit;
}
