/* SPDX-License-Identifier: MIT */
/* The breaker's core: scripts of arrivals and outcomes, with the time written beside them. */
#include "breaker.h"

#include "test.h"

/* Window 100, 10 a slice; five requests at least, half of them failed; pause 50; two probes. */
static const struct cmw__breaker_rules rules = {100, 50, 5, 500, 2};

/*
 * A script: "w" and "f" admit and report well or failed, "u" unknown; "W", "F", "U" report the
 * oldest that was admitted by "a"; "x" must be refused; "+" moves the time by 10, ">" by 50.
 */
struct row {
    const char *name;
    const char *script;
    enum cmw__breaker_state state;
};

static const struct row rows[] = {
    {"nothing happened", "", CMW__BREAKER_CLOSED},
    {"few failures say nothing", "ffff", CMW__BREAKER_CLOSED},
    {"the fifth does", "fffff", CMW__BREAKER_OPEN},
    {"half of them is enough", "wwfff", CMW__BREAKER_OPEN},
    {"less than half is not", "wwwff", CMW__BREAKER_CLOSED},
    {"a success opens nothing", "ffffw", CMW__BREAKER_CLOSED},
    {"old failures are forgotten", "ffff++++++++++wf", CMW__BREAKER_CLOSED},
    {"those of the window are not", "ffff+++++++++f", CMW__BREAKER_OPEN},
    {"who was given up does not count", "ffffuuuu", CMW__BREAKER_CLOSED},
    {"open, nobody passes", "fffffxxx", CMW__BREAKER_OPEN},
    {"nor just before the pause is over", "fffff++++x", CMW__BREAKER_OPEN},
    {"after the pause two are let in", "fffff>aax", CMW__BREAKER_HALF_OPEN},
    {"one that goes well is not enough", "fffff>aaWx", CMW__BREAKER_HALF_OPEN},
    {"two are", "fffff>ww", CMW__BREAKER_CLOSED},
    {"one that fails opens it again", "fffff>wfx", CMW__BREAKER_OPEN},
    {"for as long again", "fffff>f++++x+wwfff", CMW__BREAKER_CLOSED},
    {"a probe that was given up frees its place", "fffff>aaUa", CMW__BREAKER_HALF_OPEN},
    {"probes given up one after the other do not lock it", "fffff>uuuuuuww", CMW__BREAKER_CLOSED},
    {"who was let in before reports to nobody", "aafffffWWx", CMW__BREAKER_OPEN},
    {"a late failure does not open it again", "afffff>wwF", CMW__BREAKER_CLOSED},
    {"closed again it counts from nothing", "fffff>wwffff", CMW__BREAKER_CLOSED},
};

struct play {
    struct cmw__breaker breaker;
    uint64_t now;
    uint32_t eras[16];
    unsigned first, last;
};

static void admit(struct play *play)
{
    uint64_t retry = 0;
    const int is_in = cmw__breaker_admit(&play->breaker, &rules, play->now,
                                         &play->eras[play->last++ % 16], &retry);
    assert_int_equal(is_in, 1);
}

static void report(struct play *play, enum cmw__breaker_outcome outcome)
{
    assert_true(play->first < play->last);
    cmw__breaker_report(&play->breaker, &rules, play->now, play->eras[play->first++ % 16], outcome);
}

static void refuse(struct play *play)
{
    uint64_t retry = UINT64_MAX;
    uint32_t era;

    assert_int_equal(cmw__breaker_admit(&play->breaker, &rules, play->now, &era, &retry), 0);
    assert_true(retry <= rules.open_ns);
}

/* "w" and its like report the youngest: nobody else is meant. */
static void both(struct play *play, enum cmw__breaker_outcome outcome)
{
    admit(play);
    play->last--;
    cmw__breaker_report(&play->breaker, &rules, play->now, play->eras[play->last % 16], outcome);
}

static void step(struct play *play, char what)
{
    static const char outcomes[] = "wfuWFU";
    const char *at = strchr(outcomes, what);

    if (what == 'a')
        admit(play);
    else if (what == 'x')
        refuse(play);
    else if (what == '+' || what == '>')
        play->now += what == '+' ? 10 : 50;
    else if (at - outcomes < 3)
        both(play, (enum cmw__breaker_outcome)(at - outcomes));
    else if (play->first < play->last)
        report(play, (enum cmw__breaker_outcome)(at - outcomes - 3));
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct play play = {.now = 1000000};

    for (const char *at = row->script; *at; at++)
        step(&play, *at);
    assert_int_equal(play.breaker.state, row->state);
}

static void time_that_goes_backwards_harms_nothing(void **state)
{
    struct play play = {.now = 1000};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        both(&play, CMW__BREAKER_FAILED);
    play.now = 10;
    both(&play, CMW__BREAKER_WELL);
    assert_int_equal(play.breaker.state, CMW__BREAKER_CLOSED);
    play.now = UINT64_MAX - 20;
    for (unsigned i = 0; i < 5; i++)
        both(&play, CMW__BREAKER_FAILED);
    assert_int_equal(play.breaker.state, CMW__BREAKER_OPEN);
    refuse(&play);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(time_that_goes_backwards_harms_nothing),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL) |
           cmocka_run_group_tests_name("breaker: the rest", others, NULL, NULL);
}
