/* SPDX-License-Identifier: MIT */
/* States and slices of a circuit breaker. */
#include "breaker.h"

#include <string.h>

static void enter(struct cmw__breaker *breaker, enum cmw__breaker_state state)
{
    breaker->state = state;
    breaker->era++;
    breaker->probes_out = 0;
    breaker->probes_well = 0;
    memset(breaker->slices, 0, sizeof breaker->slices);
}

static void open(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                 uint64_t now_ns)
{
    enter(breaker, CMW__BREAKER_OPEN);
    breaker->open_until_ns =
        rules->open_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + rules->open_ns;
}

int cmw__breaker_admit(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                       uint64_t now_ns, uint32_t *era, uint64_t *retry_ns)
{
    if (breaker->state == CMW__BREAKER_OPEN && now_ns >= breaker->open_until_ns)
        enter(breaker, CMW__BREAKER_HALF_OPEN);
    *era = breaker->era;
    if (breaker->state == CMW__BREAKER_CLOSED)
        return 1;
    if (breaker->state == CMW__BREAKER_OPEN) {
        *retry_ns = breaker->open_until_ns - now_ns;
        return 0;
    }
    if (breaker->probes_out + breaker->probes_well < rules->probes) {
        breaker->probes_out++;
        return 1;
    }
    *retry_ns = 0;
    return 0;
}

/* Time that goes backwards counts into a slice of the past, or of nobody. */
static void count(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                  uint64_t now_ns, int failed)
{
    const uint64_t slice = now_ns / (rules->window_ns / CMW__BREAKER_SLICES) + 1;
    const size_t at = slice % CMW__BREAKER_SLICES;

    if (breaker->slices[at].slice > slice)
        return;
    if (breaker->slices[at].slice < slice) {
        breaker->slices[at].slice = slice;
        breaker->slices[at].well = breaker->slices[at].failed = 0;
    }
    if (failed)
        breaker->slices[at].failed++;
    else
        breaker->slices[at].well++;
}

static int has_failed(const struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                      uint64_t now_ns)
{
    const uint64_t slice = now_ns / (rules->window_ns / CMW__BREAKER_SLICES) + 1;
    uint64_t failed = 0, all = 0;

    for (size_t i = 0; i < CMW__BREAKER_SLICES; i++) {
        if (breaker->slices[i].slice + CMW__BREAKER_SLICES <= slice)
            continue;
        failed += breaker->slices[i].failed;
        all += breaker->slices[i].failed + breaker->slices[i].well;
    }
    return all >= rules->min_requests && all > 0 && failed * 1000 >= all * rules->error_permille;
}

static void report_probe(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                         uint64_t now_ns, enum cmw__breaker_outcome outcome)
{
    breaker->probes_out--;
    if (outcome == CMW__BREAKER_FAILED)
        open(breaker, rules, now_ns);
    else if (outcome == CMW__BREAKER_WELL && ++breaker->probes_well >= rules->probes)
        enter(breaker, CMW__BREAKER_CLOSED);
}

void cmw__breaker_report(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                         uint64_t now_ns, uint32_t era, enum cmw__breaker_outcome outcome)
{
    if (era != breaker->era)
        return;
    if (breaker->state == CMW__BREAKER_HALF_OPEN) {
        report_probe(breaker, rules, now_ns, outcome);
        return;
    }
    if (outcome == CMW__BREAKER_UNKNOWN)
        return;
    count(breaker, rules, now_ns, outcome == CMW__BREAKER_FAILED);
    if (outcome == CMW__BREAKER_FAILED && has_failed(breaker, rules, now_ns))
        open(breaker, rules, now_ns);
}
