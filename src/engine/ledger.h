/* SPDX-License-Identifier: MIT */
/*
 * Counts that outlive plans: by (name, kind, phase) of middleware, and of requests as a whole.
 *
 *   installation 3 (newest)  rows ──┐
 *   installation 2 (in flight) rows ┼──> ledger entries: "auth", basic_auth, pre_route | counts of
 *                                   │                                                   those gone
 * An installation knows its entries from the beginning, so that what it counted is added without
 * an allocation when it goes, which may be in a request. All of it is under the engine's lock.
 * Durations are those of the installed plan alone.
 */
#ifndef CMW_ENGINE_LEDGER_H
#define CMW_ENGINE_LEDGER_H

#include "plan_state.h"

struct cmw__installed;

/* What one middleware did in one phase. */
struct cmw__tally {
    uint64_t calls;
    uint64_t counters[CMW__ENTRY_COUNTERS];
};

struct cmw__ledger_entry {
    struct cmw__ledger_entry *next; /* of its bucket */
    uint64_t hash;
    uint32_t index; /* among all entries, from 0 on without a gap */
    uint32_t users; /* installations that have it */
    uint32_t phase;
    uint32_t kind_len;
    size_t bytes; /* of this piece */
    struct cmw__tally tally;
    char texts[]; /* kind, NUL, name, NUL */
};

struct cmw__ledger {
    struct cmw__ledger_entry **buckets;
    uint32_t bucket_count; /* a power of two, or 0 */
    uint32_t count;
    uint64_t requests[CMW__COUNT_FIXED];
};

void cmw__ledger_destroy(cmw_engine *engine);

/* Find or make the entries of an installation, before it is installed. 0 or CMW_ERR_NOMEM. */
int cmw__ledger_open_rows(cmw_engine *engine, struct cmw__installed *installed);
/* It goes: add what it counted. */
void cmw__ledger_fold(cmw_engine *engine, const struct cmw__installed *installed);
/* It goes, or was never installed: its entries have a user less. */
void cmw__ledger_close_rows(struct cmw__installed *installed);

/* Count from 0 again. The installations have their baselines. */
void cmw__ledger_clear(cmw_engine *engine);

/* Everything that was counted since the last reset, by the index of entries; `tallies` has room for
 * ledger.count of them, `requests` for CMW__COUNT_FIXED numbers. */
void cmw__ledger_sum(const cmw_engine *engine, struct cmw__tally *tallies, uint64_t *requests);

#endif /* CMW_ENGINE_LEDGER_H */
