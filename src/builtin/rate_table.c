/* SPDX-License-Identifier: MIT */
/* The table: its memory, a request's way through it, putting in new keys. */
#include "rate_table.h"

#include <catzilla/builtin/rate_limit.h>

#include "rate_wait.h"

_Static_assert(sizeof(struct cmw__rate_bucket) == 64, "a bucket is a line");
_Static_assert(sizeof(struct cmw__rate_head) % 64 == 0, "buckets begin on a line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock of this process means nothing to another");

/* How often a waiter looks before it lets others run, and how often it does that before it takes
 * the one it waits for to be dead: a process that was killed there must not close a bucket. */
enum { LOOKS = 100, TURNS = 20000, LOOKS_AT_MAKING = 1000000 };

/* ---- Memory ----------------------------------------------------------------------------- */

static uint64_t buckets_for(uint64_t entries)
{
    uint64_t buckets = 1;
    while (buckets * CMW__RATE_WAYS < entries)
        buckets *= 2;
    return buckets;
}

size_t cmw__rate_memory_bytes(size_t limits, uint64_t entries)
{
    if (entries > CMW_RATE_ENTRIES_MAX || limits > CMW_RATE_LIMITS_MAX)
        return 0;
    return sizeof(struct cmw__rate_head) +
           limits * (size_t)buckets_for(entries) * sizeof(struct cmw__rate_bucket);
}

static int make_head(struct cmw__rate_head *head, size_t limits, uint64_t entries, uint64_t shape)
{
    cmw_hash_key key;

    if (cmw_hash_key_init(&key) != 0) {
        atomic_store_explicit(&head->stage, 0, memory_order_release);
        return CMW_ERR_IO;
    }
    head->key = key;
    head->limit_count = (uint32_t)limits;
    head->bucket_count = buckets_for(entries);
    head->shape = shape;
    atomic_store_explicit(&head->stage, 2, memory_order_release);
    return 0;
}

int cmw__rate_memory_open(void *memory, size_t limits, uint64_t entries, uint64_t shape)
{
    struct cmw__rate_head *head = memory;
    uint32_t stage = 0;

    if (atomic_compare_exchange_strong_explicit(&head->stage, &stage, 1, memory_order_acq_rel,
                                                memory_order_acquire))
        return make_head(head, limits, entries, shape);
    for (int i = 0; i < LOOKS_AT_MAKING && stage == 1; i++)
        stage = atomic_load_explicit(&head->stage, memory_order_acquire);
    if (stage == 1)
        return CMW_ERR_STATE;
    if (stage != 2 || head->shape != shape || head->limit_count != limits ||
        head->bucket_count != buckets_for(entries))
        return CMW_ERR_CONFLICT;
    return 0;
}

void cmw__rate_table_open(struct cmw__rate_table *table, void *memory, size_t index)
{
    const struct cmw__rate_head *head = memory;
    struct cmw__rate_bucket *first =
        (struct cmw__rate_bucket *)(void *)((char *)memory + sizeof *head);

    table->buckets = first + index * head->bucket_count;
    table->mask = head->bucket_count - 1;
}

/* ---- Steps ------------------------------------------------------------------------------ */

static int make_step(const struct cmw__rate_core *core, struct cmw__rate_step *step, uint64_t state,
                     uint64_t now_ns, uint64_t cost)
{
    if (core->algorithm == CMW_RATE_GCRA)
        return cmw__gcra_step(&core->as.gcra, step, state, now_ns, cost);
    if (core->algorithm == CMW_RATE_FIXED_WINDOW)
        return cmw__fixed_window_step(&core->as.window, step, state, now_ns, cost);
    return cmw__sliding_window_step(&core->as.window, step, state, now_ns, cost);
}

static int is_expired(const struct cmw__rate_core *core, uint64_t state, uint64_t now_ns)
{
    if (core->algorithm == CMW_RATE_GCRA)
        return cmw__gcra_is_expired(&core->as.gcra, state, now_ns);
    if (core->algorithm == CMW_RATE_FIXED_WINDOW)
        return cmw__fixed_window_is_expired(&core->as.window, state, now_ns);
    return cmw__sliding_window_is_expired(&core->as.window, state, now_ns);
}

static uint64_t refunded(const struct cmw__rate_core *core, uint64_t state, uint64_t now_ns,
                         uint64_t cost, const struct cmw__rate_taken *taken)
{
    if (core->algorithm == CMW_RATE_GCRA)
        return cmw__gcra_refund(&core->as.gcra, state, now_ns, cost);
    if (core->algorithm == CMW_RATE_FIXED_WINDOW)
        return cmw__fixed_window_refund(state, taken->state, cost);
    return cmw__sliding_window_refund(&core->as.window, state, taken->state, cost);
}

/* ---- Waiting ---------------------------------------------------------------------------- */

static uint64_t load(_Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static int swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* Wait until a state is not busy. Who made it so and died is helped out: the bit is cleared. */
static void wait_for(_Atomic uint64_t *state)
{
    uint64_t seen = 0;

    for (int turn = 0; turn < TURNS; turn++) {
        for (int look = 0; look < LOOKS; look++) {
            seen = load(state);
            if (!(seen & CMW__RATE_BUSY))
                return;
        }
        cmw__rate_let_others_run();
    }
    (void)swap(state, seen, seen & ~CMW__RATE_BUSY);
}

/* ---- A key that is there ---------------------------------------------------------------- */

enum outcome { DONE_REFUSED = CMW__RATE_REFUSED, DONE_PASSES = CMW__RATE_PASSES, AGAIN = 2 };

/* Step the state of a place that had the tag. AGAIN: something changed under way. */
static enum outcome step_place(const struct cmw__rate_table *table, struct cmw__rate_bucket *bucket,
                               unsigned way, uint64_t tag, uint64_t now_ns, uint64_t cost,
                               struct cmw__rate_step *step)
{
    const uint64_t state = load(&bucket->states[way]);

    if (state & CMW__RATE_BUSY) {
        wait_for(&bucket->states[way]);
        return AGAIN;
    }
    /* The tag, read after the state: an owner that came later has written a larger state. */
    if (atomic_load_explicit(&bucket->tags[way], memory_order_relaxed) != tag)
        return AGAIN;
    const int passes = make_step(&table->core, step, state, now_ns, cost);
    if (step->state != state && !swap(&bucket->states[way], state, step->state))
        return AGAIN;
    return passes ? DONE_PASSES : DONE_REFUSED;
}

/* ---- A key that is not ------------------------------------------------------------------ */

/* Make a place busy whose key may be forgotten; its state as it was, or CMW__RATE_BUSY if it may
 * not be. Place 0 is held already, `held` being its state. Since only who holds the bucket makes
 * others busy, one that is so was left by a process that died. */
static uint64_t empty_place(const struct cmw__rate_table *table, struct cmw__rate_bucket *bucket,
                            unsigned way, uint64_t held, uint64_t now_ns)
{
    const uint64_t seen = load(&bucket->states[way]);
    const uint64_t state = way == 0 ? held : seen & ~CMW__RATE_BUSY;

    if (load(&bucket->tags[way]) != 0 && !is_expired(&table->core, state, now_ns))
        return CMW__RATE_BUSY;
    if (way > 0 && !swap(&bucket->states[way], seen, state | CMW__RATE_BUSY))
        return CMW__RATE_BUSY;
    return state;
}

/* Put the key into the place, with its first step. */
static enum cmw__rate_found fill_place(const struct cmw__rate_table *table,
                                       struct cmw__rate_bucket *bucket, unsigned way, uint64_t tag,
                                       uint64_t before, uint64_t now_ns, uint64_t cost,
                                       struct cmw__rate_step *step)
{
    if (!make_step(&table->core, step, 0, now_ns, cost)) { /* no need to remember it */
        if (way > 0)
            (void)swap(&bucket->states[way], before | CMW__RATE_BUSY, before);
        return CMW__RATE_REFUSED;
    }
    atomic_store_explicit(&bucket->tags[way], tag, memory_order_release);
    (void)swap(&bucket->states[way], before | CMW__RATE_BUSY, step->state);
    return CMW__RATE_PASSES;
}

static enum cmw__rate_found insert_held(const struct cmw__rate_table *table,
                                        struct cmw__rate_bucket *bucket, uint64_t held,
                                        uint64_t tag, uint64_t now_ns, uint64_t cost,
                                        struct cmw__rate_step *step, unsigned *way)
{
    for (*way = 0; *way < CMW__RATE_WAYS; (*way)++) {
        const uint64_t before = empty_place(table, bucket, *way, held, now_ns);
        if (before != CMW__RATE_BUSY)
            return fill_place(table, bucket, *way, tag, before, now_ns, cost, step);
    }
    return CMW__RATE_FULL;
}

/* The bucket's turn to take in a new key: 1, and `*held` is the state of place 0 without its bit.
 */
static int hold(struct cmw__rate_bucket *bucket, uint64_t *held)
{
    *held = load(&bucket->states[0]);
    if (*held & CMW__RATE_BUSY) {
        wait_for(&bucket->states[0]);
        return 0;
    }
    return swap(&bucket->states[0], *held, *held | CMW__RATE_BUSY);
}

static void let_go(struct cmw__rate_bucket *bucket, uint64_t held)
{
    (void)swap(&bucket->states[0], held | CMW__RATE_BUSY, held); /* unless place 0 was filled */
}

/* ---- A request -------------------------------------------------------------------------- */

enum cmw__rate_found cmw__rate_table_take(const struct cmw__rate_table *table, uint64_t hash,
                                          uint64_t now_ns, uint64_t cost,
                                          struct cmw__rate_step *step,
                                          struct cmw__rate_taken *taken)
{
    struct cmw__rate_bucket *const bucket = cmw__rate_bucket_of(table, hash);
    const uint64_t tag = cmw__rate_tag(hash);

    for (;;) {
        uint64_t held;
        unsigned way = cmw__rate_find(bucket, tag);
        if (way < CMW__RATE_WAYS) {
            const enum outcome outcome = step_place(table, bucket, way, tag, now_ns, cost, step);
            if (outcome == AGAIN)
                continue;
            *taken = (struct cmw__rate_taken){bucket, way, step->state};
            return (enum cmw__rate_found)outcome;
        }
        if (!hold(bucket, &held))
            continue;
        if (cmw__rate_find(bucket, tag) < CMW__RATE_WAYS) { /* another was faster */
            let_go(bucket, held);
            continue;
        }
        const enum cmw__rate_found found =
            insert_held(table, bucket, held, tag, now_ns, cost, step, &way);
        let_go(bucket, held);
        *taken = (struct cmw__rate_taken){bucket, way, step->state};
        return found;
    }
}

void cmw__rate_table_refund(const struct cmw__rate_table *table, uint64_t hash, uint64_t now_ns,
                            uint64_t cost, const struct cmw__rate_taken *taken)
{
    _Atomic uint64_t *const word = &taken->bucket->states[taken->way];

    for (;;) {
        const uint64_t state = load(word);
        if (state & CMW__RATE_BUSY) {
            wait_for(word);
            continue;
        }
        if (load(&taken->bucket->tags[taken->way]) != cmw__rate_tag(hash))
            return; /* forgotten: there is nothing to give back */
        if (swap(word, state, refunded(&table->core, state, now_ns, cost, taken)))
            return;
    }
}
