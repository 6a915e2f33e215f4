/* SPDX-License-Identifier: MIT */
/* Cells: taken, armed, resumed from any thread, given back. */
#include "suspend.h"

#include "ctx_state.h"
#include "flow.h"
#include "run.h"
#include "shadow.h"

struct cmw__cell {
    _Atomic uint64_t word; /* generation << 8 | verdict << 3 | state */
    union {
        void *data;     /* written by who claims the cell, read by the worker */
        uint32_t index; /* its own, once it is drained */
    };
    cmw_ctx *ctx; /* the worker's: who waits; NULL: nobody any more */
    union {
        struct cmw__cell *next; /* in the list of those that were resumed */
        uint32_t next_free;     /* index + 1 in the list of those that are free, or 0 */
    };
};

struct cmw__cell_chunk {
    cmw_worker *worker;
    struct cmw__cell cells[CMW__CELLS_CHUNK];
};

struct cmw__cell_page {
    _Atomic(struct cmw__cell_chunk *) chunks[CMW__CELLS_PAGE];
};

_Static_assert(sizeof(struct cmw__cell) <= 32, "a cell outgrew what the design allows");

enum cell_state { IDLE, ARMED, CLAIMED, RESUMED, DRAINED };

/* A verdict that is none, as three bits can say it. */
enum { NO_VERDICT = 7 };

static uint64_t word_of(uint64_t generation, int verdict, enum cell_state state)
{
    return generation << 8 | (uint64_t)verdict << 3 | (uint64_t)state;
}

static enum cell_state state_of(uint64_t word)
{
    return (enum cell_state)(word & 7);
}

static int verdict_of(uint64_t word)
{
    return (int)(word >> 3 & 7);
}

/* ---- The table -------------------------------------------------------------------------- */

int cmw__cells_init(struct cmw__cells *cells)
{
    return cmw__mutex_init(&cells->lock);
}

static struct cmw__cell_page *page_at(struct cmw__cells *cells, uint32_t page)
{
    return atomic_load_explicit(&cells->pages[page], memory_order_acquire);
}

static struct cmw__cell_chunk *chunk_of(struct cmw__cells *cells, uint32_t cell)
{
    const uint32_t chunk = cell / CMW__CELLS_CHUNK;

    if (chunk >= CMW__CELLS_PAGE * CMW__CELLS_PAGES)
        return NULL;
    struct cmw__cell_page *page = page_at(cells, chunk / CMW__CELLS_PAGE);
    return page ? atomic_load_explicit(&page->chunks[chunk % CMW__CELLS_PAGE], memory_order_acquire)
                : NULL;
}

static struct cmw__cell *cell_of(cmw_engine *engine, uint32_t index)
{
    struct cmw__cell_chunk *chunk = chunk_of(&engine->cells, index);
    return chunk ? &chunk->cells[index % CMW__CELLS_CHUNK] : NULL;
}

void cmw__cells_destroy(cmw_engine *engine)
{
    cmw_pool *pool = engine->pools[CMW_POOL_CONTEXT];

    for (uint32_t p = 0; p < CMW__CELLS_PAGES; p++) {
        struct cmw__cell_page *page = page_at(&engine->cells, p);
        for (uint32_t i = 0; page && i < CMW__CELLS_PAGE; i++)
            cmw_pool_free(pool, atomic_load_explicit(&page->chunks[i], memory_order_relaxed),
                          sizeof(struct cmw__cell_chunk), 64);
        cmw_pool_free(pool, page, sizeof *page, 64);
    }
    cmw__mutex_destroy(&engine->cells.lock);
}

/* The page that the next chunk goes into, made if need be. Under the lock. */
static struct cmw__cell_page *open_page(cmw_engine *engine, uint32_t page_index)
{
    struct cmw__cell_page *page = page_at(&engine->cells, page_index);

    if (page)
        return page;
    page = cmw_pool_alloc(engine->pools[CMW_POOL_CONTEXT], sizeof *page, 64);
    if (!page)
        return NULL;
    for (uint32_t i = 0; i < CMW__CELLS_PAGE; i++)
        atomic_init(&page->chunks[i], NULL);
    atomic_store_explicit(&engine->cells.pages[page_index], page, memory_order_release);
    return page;
}

static void fill_chunk(struct cmw__cell_chunk *chunk, cmw_worker *worker, uint32_t first)
{
    chunk->worker = worker;
    for (uint32_t i = 0; i < CMW__CELLS_CHUNK; i++) {
        struct cmw__cell *cell = &chunk->cells[i];
        atomic_init(&cell->word, word_of(1, 0, IDLE));
        cell->data = NULL;
        cell->ctx = NULL;
        cell->next_free = worker->waits.free_cells;
        worker->waits.free_cells = first + i + 1;
    }
}

/* A chunk more for a worker: 0, CMW_ERR_LIMIT, CMW_ERR_NOMEM. */
static int add_chunk_locked(cmw_engine *engine, cmw_worker *worker)
{
    const uint32_t index = engine->cells.chunk_count;

    if (index == CMW__CELLS_PAGE * CMW__CELLS_PAGES)
        return CMW_ERR_LIMIT;
    struct cmw__cell_page *page = open_page(engine, index / CMW__CELLS_PAGE);
    if (!page)
        return CMW_ERR_NOMEM;
    struct cmw__cell_chunk *chunk =
        cmw_pool_alloc(engine->pools[CMW_POOL_CONTEXT], sizeof *chunk, 64);
    if (!chunk)
        return CMW_ERR_NOMEM;
    fill_chunk(chunk, worker, index * CMW__CELLS_CHUNK);
    atomic_store_explicit(&page->chunks[index % CMW__CELLS_PAGE], chunk, memory_order_release);
    engine->cells.chunk_count++;
    return 0;
}

static CMW__NOINLINE int add_chunk(cmw_worker *worker)
{
    cmw_engine *engine = worker->engine;

    cmw__mutex_lock(&engine->cells.lock);
    const int rc = add_chunk_locked(engine, worker);
    cmw__mutex_unlock(&engine->cells.lock);
    return rc;
}

static void free_cell(cmw_worker *worker, struct cmw__cell *cell, uint32_t index)
{
    cell->ctx = NULL;
    cell->next_free = worker->waits.free_cells;
    worker->waits.free_cells = index + 1;
}

/* ---- A worker's part -------------------------------------------------------------------- */

int cmw__waits_init(struct cmw__waits *waits)
{
    return cmw__mutex_init(&waits->host_lock);
}

void cmw__waits_destroy(cmw_worker *worker)
{
    struct cmw__waits *waits = &worker->waits;

    cmw_pool_free(worker->engine->pools[CMW_POOL_CONTEXT], waits->timers,
                  waits->timer_cap * sizeof *waits->timers, 16);
    cmw__mutex_destroy(&waits->host_lock);
}

void cmw__worker_set_host(cmw_worker *worker, const cmw_host *host, void *host_self)
{
    cmw__mutex_lock(&worker->waits.host_lock);
    worker->host = host;
    worker->host_self = host_self;
    worker->waits.armed_at = 0;
    cmw__mutex_unlock(&worker->waits.host_lock);
    /* What was resumed meanwhile woke nobody. */
    if (host && host->wake &&
        atomic_load_explicit(&worker->waits.resumed, memory_order_acquire) != NULL)
        host->wake(host_self);
}

uint32_t cmw_worker_suspended(const cmw_worker *worker)
{
    return worker->waits.parked_count;
}

/* ---- Suspending ------------------------------------------------------------------------- */

static const cmw_middleware *middleware_at(const cmw_ctx *ctx, const struct cmw__program *program,
                                           const struct cmw__entry *entry)
{
    if (!program)
        return NULL;
    const struct cmw__entry_info *info = &program->info[entry - program->entries];
    if (info->kind != CMW__ENTRY_CALL)
        return NULL;
    return &ctx->plan->middleware[info->middleware].instance->mw;
}

/* The program that runs, if its callbacks may suspend. */
static const struct cmw__program *suspending_program(const cmw_ctx *ctx)
{
    const cmw_phase phase = cmw__ctx_phase(ctx);

    if (phase == CMW_PHASE_PRE_ROUTE && ctx->route != CMW_NONE)
        return &ctx->plan->routes[ctx->route].pre;
    return phase == CMW_PHASE_PRE_ROUTE || phase == CMW_PHASE_POST_ROUTE ||
                   phase == CMW_PHASE_REQUEST_BODY
               ? &ctx->plan->programs[phase]
               : NULL;
}

/* 1 if the middleware of the entry may suspend in its phase. */
static int may_suspend(const cmw_ctx *ctx, const struct cmw__program *program,
                       const struct cmw__entry *entry)
{
    const cmw_middleware *mw = middleware_at(ctx, program, entry);
    return mw && (mw->suspend_phases >> program->phase & 1);
}

static int take_cell(cmw_ctx *ctx)
{
    cmw_worker *worker = ctx->worker;

    if (worker->waits.free_cells == 0) {
        const int rc = add_chunk(worker);
        if (rc != 0)
            return rc;
    }
    const uint32_t index = worker->waits.free_cells - 1;
    struct cmw__cell *cell = cell_of(worker->engine, index);
    worker->waits.free_cells = cell->next_free;
    cell->ctx = ctx;
    ctx->parked.cell = index;
    ctx->parked.generation = atomic_load_explicit(&cell->word, memory_order_relaxed) >> 8;
    atomic_store_explicit(&cell->word, word_of(ctx->parked.generation, 0, ARMED),
                          memory_order_release);
    return 0;
}

int cmw_ctx_suspend(cmw_ctx *ctx, cmw_token *token)
{
    const int is_source = ctx->body_out && ctx->body_out->is_asking;
    const struct cmw__program *program = is_source ? NULL : suspending_program(ctx);
    const struct cmw__entry *entry = is_source ? NULL : cmw__ctx_at(ctx);

    if (!is_source && (!program || !entry || !may_suspend(ctx, program, entry)))
        return CMW_ERR_STATE;
    if (ctx->traces & CMW__CTX_CANCELLED) /* nothing would end its waiting a second time */
        return CMW_ERR_CANCELLED;
    if (cmw__ctx_in_shadow(ctx)) { /* nothing waits: the token is stale from the beginning */
        ctx->flags |= CMW__CTX_WOULD_SUSPEND;
        *token = (cmw_token){0, 0, 0};
        return 0;
    }
    cmw__ctx_disarm(ctx); /* of one that went on without waiting */
    const int rc = take_cell(ctx);
    if (rc != 0)
        return rc;
    ctx->traces |= CMW__CTX_ARMED;
    ctx->parked.program = program;
    ctx->parked.entry = entry;
    *token = (cmw_token){ctx->parked.generation, ctx->parked.cell, 0};
    return 0;
}

int cmw__ctx_may_park(const cmw_ctx *ctx, const struct cmw__entry *entry)
{
    return (ctx->traces & CMW__CTX_ARMED) && ctx->parked.entry == entry;
}

int cmw__ctx_park(cmw_ctx *ctx, const struct cmw__program *program, const struct cmw__entry *entry)
{
    if (!cmw__ctx_may_park(ctx, entry))
        return 0;
    const struct cmw__entry_info *info = &program->info[entry - program->entries];
    cmw__count(ctx, info->counters + CMW__ENTRY_SUSPENSIONS);
    ctx->traces |= CMW__CTX_PARKED;
    ctx->worker->waits.parked_count++;
    return 1;
}

int cmw__ctx_park_source(cmw_ctx *ctx)
{
    if (!(ctx->traces & CMW__CTX_ARMED) || ctx->parked.program)
        return 0;
    ctx->traces |= CMW__CTX_PARKED;
    ctx->worker->waits.parked_count++;
    return 1;
}

static void unpark(cmw_ctx *ctx)
{
    if (!(ctx->traces & CMW__CTX_PARKED))
        return;
    ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_PARKED);
    ctx->worker->waits.parked_count--;
}

static void drop(cmw_ctx *ctx, void *data)
{
    const cmw_middleware *mw = middleware_at(ctx, ctx->parked.program, ctx->parked.entry);
    if (mw && mw->dropped)
        mw->dropped(mw->self, data);
}

/* A resume has won. Whoever claimed the cell is between two stores: a few instructions, unless the
 * system has taken the processor from it. */
static void wait_for_data(const struct cmw__cell *cell)
{
    while (state_of(atomic_load_explicit(&cell->word, memory_order_acquire)) == CLAIMED)
        cmw__yield();
}

void cmw__ctx_disarm(cmw_ctx *ctx)
{
    if (!(ctx->traces & CMW__CTX_ARMED))
        return;
    struct cmw__cell *cell = cell_of(ctx->worker->engine, ctx->parked.cell);
    uint64_t expected = word_of(ctx->parked.generation, 0, ARMED);

    unpark(ctx);
    ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_ARMED);
    if (atomic_compare_exchange_strong_explicit(&cell->word, &expected,
                                                word_of(ctx->parked.generation + 1, 0, IDLE),
                                                memory_order_acq_rel, memory_order_acquire)) {
        free_cell(ctx->worker, cell, ctx->parked.cell);
        return;
    }
    wait_for_data(cell);
    cell->ctx = NULL;
    atomic_store_explicit(&cell->word, word_of(ctx->parked.generation, 0, DRAINED),
                          memory_order_relaxed); /* the worker's own: it is in its list */
    void *data = cell->data;
    cell->index = ctx->parked.cell;
    drop(ctx, data);
}

/* ---- Resuming, on any thread ------------------------------------------------------------ */

static int stale(cmw_engine *engine)
{
    atomic_fetch_add_explicit(&engine->cells.stale, 1, memory_order_relaxed);
    return CMW_ERR_STALE;
}

/* Put a cell in front of its worker's list: 1 if the list was empty. */
static int push_resumed(struct cmw__waits *waits, struct cmw__cell *cell)
{
    struct cmw__cell *head = atomic_load_explicit(&waits->resumed, memory_order_relaxed);

    do
        cell->next = head;
    while (!atomic_compare_exchange_weak_explicit(&waits->resumed, &head, cell,
                                                  memory_order_release, memory_order_relaxed));
    return head == NULL;
}

/* Once for any number of resumes that wait: the host does not change meanwhile. */
static void wake(cmw_worker *worker)
{
    cmw__mutex_lock(&worker->waits.host_lock);
    if (worker->host && worker->host->wake)
        worker->host->wake(worker->host_self);
    cmw__mutex_unlock(&worker->waits.host_lock);
}

int cmw_resume(cmw_engine *engine, cmw_token token, int verdict, void *data)
{
    if (!engine)
        return CMW_ERR_ARG;
    struct cmw__cell_chunk *chunk = chunk_of(&engine->cells, token.cell);
    if (!chunk)
        return stale(engine);
    struct cmw__cell *cell = &chunk->cells[token.cell % CMW__CELLS_CHUNK];
    uint64_t expected = word_of(token.generation, 0, ARMED);

    if (!atomic_compare_exchange_strong_explicit(&cell->word, &expected,
                                                 word_of(token.generation, 0, CLAIMED),
                                                 memory_order_acq_rel, memory_order_relaxed))
        return stale(engine);
    const int known = verdict >= CMW_CONTINUE && verdict <= CMW_ERROR ? verdict : NO_VERDICT;
    cell->data = data;
    atomic_store_explicit(&cell->word, word_of(token.generation, known, RESUMED),
                          memory_order_release);
    cmw_worker *worker = chunk->worker;
    if (push_resumed(&worker->waits, cell))
        wake(worker);
    return 0;
}

/* ---- Handing over, on the worker -------------------------------------------------------- */

static void proceed(cmw_worker *worker, cmw_ctx *ctx, cmw_next next)
{
    if (next != CMW_TO_SUSPENDED && worker->host && worker->host->proceed)
        worker->host->proceed(worker->host_self, ctx, (int)next);
}

/* Tell the middleware, and go on with what it says. 1: the request went on. */
static int deliver(cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__parked parked = ctx->parked;
    const cmw_middleware *mw = middleware_at(ctx, parked.program, parked.entry);

    unpark(ctx);
    if (!parked.program) {
        proceed(ctx->worker, ctx, CMW_TO_RESPOND);
        return 1;
    }
    const cmw_next next = cmw__ctx_resume(ctx, parked.program, parked.entry, mw, verdict, data);
    proceed(ctx->worker, ctx, next);
    return next != CMW_TO_SUSPENDED;
}

static int hand_over(cmw_worker *worker, struct cmw__cell *cell)
{
    const uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
    cmw_ctx *ctx = cell->ctx;
    void *data = cell->data;
    const uint32_t index = ctx ? ctx->parked.cell : cell->index;

    atomic_store_explicit(&cell->word, word_of((word >> 8) + 1, 0, IDLE), memory_order_release);
    free_cell(worker, cell, index);
    if (!ctx) /* drained: the request ended first */
        return 0;
    ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_ARMED);
    if (ctx->traces & CMW__CTX_PARKED)
        return deliver(ctx, verdict_of(word), data);
    drop(ctx, data);
    return 0;
}

/* The cells that were resumed, the oldest first; each `next` leads on. */
static struct cmw__cell *take_resumed(cmw_worker *worker)
{
    struct cmw__cell *head =
        atomic_exchange_explicit(&worker->waits.resumed, NULL, memory_order_acquire);
    struct cmw__cell *reversed = NULL;

    while (head) {
        struct cmw__cell *next = head->next;
        head->next = reversed;
        reversed = head;
        head = next;
    }
    return reversed;
}

static size_t run_resumed(cmw_worker *worker)
{
    struct cmw__cell *at = take_resumed(worker);
    size_t count = 0;

    while (at) {
        struct cmw__cell *next = at->next;
        count += (size_t)hand_over(worker, at);
        at = next;
    }
    return count;
}

size_t cmw_worker_run(cmw_worker *worker, uint64_t now_ns)
{
    const uint64_t now = now_ns ? now_ns : cmw__engine_clock(worker->engine);
    size_t count = 0;

    if (atomic_load_explicit(&worker->waits.resumed, memory_order_relaxed) != NULL)
        count = run_resumed(worker);
    count += cmw__worker_run_deadlines(worker, now);
    return count;
}
