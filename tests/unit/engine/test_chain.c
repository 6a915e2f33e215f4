/* SPDX-License-Identifier: MIT */
/* What a chain refuses when something is added to it or compiled, and what it then says. */
#include "engine_fixture.h"

struct row {
    const char *name;
    void (*spoil)(cmw_middleware *mw); /* of one that is right */
    int code;
    const char *sentence;
};

static const cmw_header bad_value[] = {{CMW_STR_INIT("X-Bad"), CMW_STR_INIT("a\r\nb")}};
static const cmw_header managed[] = {{CMW_STR_INIT("Content-Length"), CMW_STR_INIT("1")}};

#define LONG_NAME                                                                                  \
    "0123456789012345678901234567890123456789012345678901234567890123"                             \
    "0123456789012345678901234567890123456789012345678901234567890123"

#define SPOIL(what, statement)                                                                     \
    static void what(cmw_middleware *mw)                                                           \
    {                                                                                              \
        statement;                                                                                 \
    }

SPOIL(keep, (void)mw)
SPOIL(name_none, mw->name = NULL)
SPOIL(name_empty, mw->name = "")
SPOIL(name_blank, mw->name = "a b")
SPOIL(name_long, mw->name = LONG_NAME "x")
SPOIL(name_longest, mw->name = LONG_NAME)
SPOIL(name_taken, mw->name = "taken")
SPOIL(size_wrong, mw->size--)
SPOIL(priority_low, mw->priority = -1)
SPOIL(priority_high, mw->priority = 65536)
SPOIL(priority_highest, mw->priority = 65535)
SPOIL(post_low, mw->post_priority = -2)
SPOIL(post_high, mw->post_priority = 65536)
SPOIL(flags_unknown, mw->flags = 0x8000)
SPOIL(failure_unknown, mw->failure = 3)
SPOIL(failure_negative, mw->failure = -1)
SPOIL(status_low, (mw->failure = CMW_FAIL_STATUS, mw->failure_status = 399))
SPOIL(status_high, (mw->failure = CMW_FAIL_STATUS, mw->failure_status = 600))
SPOIL(status_right, (mw->failure = CMW_FAIL_STATUS, mw->failure_status = 503))
SPOIL(guard_open, (mw->failure = CMW_FAIL_OPEN, mw->flags = CMW_GUARDS_ACCESS))
SPOIL(entered_without_pre, (mw->flags = CMW_IF_ENTERED, mw->pre_route = NULL))
SPOIL(fields_null, mw->field_count = 2)
SPOIL(before_null, mw->before_count = 1)
SPOIL(after_null, mw->after_count = 1)
SPOIL(field_bad, (mw->fields = bad_value, mw->field_count = 1))
SPOIL(field_managed, (mw->fields = managed, mw->field_count = 1))
SPOIL(slot_unknown, cmw_middleware_requires(mw, 99))
SPOIL(relation_unknown, cmw_middleware_relate(mw, (cmw_relation)9, SLOT_USER))
SPOIL(fact_provided, cmw_middleware_provides(mw, CMW_FACT_HOST))
SPOIL(pre_of_response, cmw_middleware_uses(mw, CMW_FACT_PLAIN_BODY))
SPOIL(post_of_request, cmw_middleware_post_uses(mw, CMW_FACT_HOST))
SPOIL(relations_many,
      for (int i = 0; i < CMW_RELATION_CAP + 5; i++) cmw_middleware_uses(mw, SLOT_USER))
SPOIL(relations_most, for (int i = 0; i < CMW_RELATION_CAP; i++) cmw_middleware_uses(mw, SLOT_USER))

#define NAME_RULE "a middleware's name is 1 to 128 letters, digits, '_', '-', '.' or '#': "

static const struct row rows[] = {
    {"a right descriptor is taken", keep, 0, NULL},
    {"no name is refused", name_none, CMW_ERR_ARG, NAME_RULE "'(null)' is not"},
    {"an empty name is refused", name_empty, CMW_ERR_ARG, NAME_RULE "'' is not"},
    {"a name with a blank is refused", name_blank, CMW_ERR_ARG, NAME_RULE "'a b' is not"},
    {"a name of 129 bytes is refused", name_long, CMW_ERR_ARG, NAME_RULE "'" LONG_NAME "x' is not"},
    {"a name of 128 bytes is taken", name_longest, 0, NULL},
    {"a name that is taken is refused", name_taken, CMW_ERR_EXISTS,
     "the chain has a middleware named 'taken' already"},
    {"another size is refused", size_wrong, CMW_ERR_VERSION,
     "the descriptor's size is not that of this library; call cmw_middleware_init"},
    {"a negative priority is refused", priority_low, CMW_ERR_ARG,
     "'new': priority -1 is not in 0..65535"},
    {"a priority of 65,536 is refused", priority_high, CMW_ERR_ARG,
     "'new': priority 65536 is not in 0..65535"},
    {"the highest priority is taken", priority_highest, 0, NULL},
    {"a negative post_priority is refused", post_low, CMW_ERR_ARG,
     "'new': post_priority -2 is not in 0..65535"},
    {"a post_priority of 65,536 is refused", post_high, CMW_ERR_ARG,
     "'new': post_priority 65536 is not in 0..65535"},
    {"a flag without a meaning is refused", flags_unknown, CMW_ERR_ARG,
     "'new': flags 0x8000 has a bit without a meaning"},
    {"an unknown failure policy is refused", failure_unknown, CMW_ERR_ARG,
     "'new': 3 is no failure policy"},
    {"a negative failure policy is refused", failure_negative, CMW_ERR_ARG,
     "'new': -1 is no failure policy"},
    {"a failure status below 400 is refused", status_low, CMW_ERR_ARG,
     "'new': failure_status 399 is not in 400..599"},
    {"a failure status above 599 is refused", status_high, CMW_ERR_ARG,
     "'new': failure_status 600 is not in 400..599"},
    {"a failure status of 503 is taken", status_right, 0, NULL},
    {"what guards access cannot fail open", guard_open, CMW_ERR_CONFLICT,
     "'new' guards access and so cannot fail open"},
    {"nothing can be entered without a pre_route", entered_without_pre, CMW_ERR_CONFLICT,
     "'new' has CMW_IF_ENTERED but no pre_route to enter"},
    {"counted fields need an array", fields_null, CMW_ERR_ARG,
     "'new': fields is NULL but field_count is 2"},
    {"counted names before need an array", before_null, CMW_ERR_ARG,
     "'new': before or after is NULL but counted"},
    {"counted names after need an array", after_null, CMW_ERR_ARG,
     "'new': before or after is NULL but counted"},
    {"a value with a line break is refused", field_bad, CMW_ERR_INVALID,
     "'new': field 'X-Bad' has a name or a value that HTTP does not allow"},
    {"a field of the library's is refused", field_managed, CMW_ERR_ARG,
     "'new': field 'Content-Length' is the library's or the server's to set"},
    {"a slot that was never declared is refused", slot_unknown, CMW_ERR_NOT_FOUND,
     "'new' names slot 99, which the engine does not know: declare it with cmw_slot_declare"},
    {"an unknown relation is refused", relation_unknown, CMW_ERR_ARG, "'new': 9 is no relation"},
    {"what the engine provides cannot be provided again", fact_provided, CMW_ERR_CONFLICT,
     "'new' provides a fact that the engine provides: it can refine it"},
    {"a fact of responses has no order in pre_route", pre_of_response, CMW_ERR_CONFLICT,
     "'new' relates to a fact of the engine's in a phase in which it has no order: of requests in "
     "pre_route, of responses in post_route"},
    {"a fact of requests has none in post_route", post_of_request, CMW_ERR_CONFLICT,
     "'new' relates to a fact of the engine's in a phase in which it has no order: of requests in "
     "pre_route, of responses in post_route"},
    {"one relation too many is refused", relations_many, CMW_ERR_ARG,
     "'new' has more than 16 relations to slots and facts"},
    {"as many relations as there is room for are taken", relations_most, 0, NULL},
};

static void count_destroy(void *self)
{
    ++*(int *)self;
}

/* `self` is the chain's only if it was taken: then it is destroyed once. */
static void check_row(void **state)
{
    const struct row *row = *state;
    const struct part taken = {.name = "taken"};
    struct fixture fixture;
    cmw_middleware mw;
    int destroyed = 0;

    fixture_open(&fixture, NULL);
    assert_int_equal(fixture_add(&fixture, &taken), 0);
    cmw_middleware_init(&mw);
    mw.name = "new";
    mw.self = &destroyed;
    mw.destroy = count_destroy;
    mw.pre_route = fixture_pass;
    row->spoil(&mw);
    fixture_expect(&fixture, cmw_chain_add(fixture.chain, &mw, &fixture.diag), row->code,
                   row->sentence);
    assert_int_equal(cmw_chain_add(fixture.chain, &mw, NULL),
                     row->code ? row->code : CMW_ERR_EXISTS);
    assert_int_equal(fixture_compile(&fixture), 0);
    fixture_close(&fixture);
    assert_int_equal(destroyed, row->code == 0);
}

/* ---- Groups ----------------------------------------------------------------------------- */

static void groups_are_refused_with_a_sentence(void **state)
{
    struct fixture fixture, other;
    cmw_group_config config;
    cmw_group *group = NULL;

    (void)state;
    fixture_open(&fixture, NULL);
    fixture_open(&other, NULL);
    cmw_group_config_init(&config);
    fixture_expect(&fixture,
                   cmw_chain_add_group(fixture.chain, &group, NULL, &config, &fixture.diag),
                   CMW_ERR_ARG,
                   "a group's name is 1 to 128 letters, digits, '_', '-', '.' or '#': '(null)' is "
                   "not");
    config.name = "new";
    config.route_id = 8;
    fixture_expect(&fixture,
                   cmw_chain_add_group(fixture.chain, &group, fixture.groups[IN_INNER], &config,
                                       &fixture.diag),
                   CMW_ERR_CONFLICT, "group 'new' names route 8 inside group 'inner' of route 7");
    fixture_expect(
        &fixture,
        cmw_chain_add_group(fixture.chain, &group, other.groups[IN_API], &config, &fixture.diag),
        CMW_ERR_ARG, "group 'new' is in another chain than its parent");
    config.size++;
    fixture_expect(&fixture,
                   cmw_chain_add_group(fixture.chain, &group, NULL, &config, &fixture.diag),
                   CMW_ERR_VERSION,
                   "the group's size is not that of this library; call cmw_group_config_init");
    assert_null(group);
    fixture_close(&other);
    fixture_close(&fixture);
}

/* ---- By name ----------------------------------------------------------------------------- */

static void what_is_not_there_is_not_found(void **state)
{
    const struct part part = {.name = "a"};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    assert_int_equal(fixture_add(&fixture, &part), 0);
    assert_int_equal(cmw_chain_enable(fixture.chain, "b"), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_disable(fixture.chain, "b"), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_set_priority(fixture.chain, "b", 1), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_set_priority(fixture.chain, "a", -1), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_set_priority(fixture.chain, "a", 65536), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_waive(fixture.chain, "b", "user"), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_waive(fixture.chain, "a", "nothing"), CMW_ERR_NOT_FOUND);
    fixture_close(&fixture);
}

/* ---- Compiling --------------------------------------------------------------------------- */

static void declare(struct fixture *fixture, const char *name, size_t size)
{
    cmw_slot slot = 0;
    cmw_middleware mw;

    assert_int_equal(cmw_slot_declare(fixture->engine, &slot, name, size, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = name;
    cmw_middleware_provides(&mw, slot);
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, &fixture->diag), 0);
}

static void slots_of_more_than_half_a_context_are_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    declare(&fixture, "half", 2048);
    assert_int_equal(fixture_compile(&fixture), 0);
    declare(&fixture, "more", 1);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_LIMIT,
                   "the chain's slots take 2064 bytes, more than half of a context (4096 bytes): "
                   "set the engine's context_bytes higher");
    assert_int_equal(cmw_chain_disable(fixture.chain, "more"), 0);
    assert_int_equal(fixture_compile(&fixture), 0);
    fixture_close(&fixture);
}

static void the_largest_slots_do_not_overflow_their_sum(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    declare(&fixture, "one", 65535);
    declare(&fixture, "two", 65535);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_LIMIT,
                   "the chain's slots take 131072 bytes, more than half of a context (4096 bytes): "
                   "set the engine's context_bytes higher");
    fixture_close(&fixture);
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    (void)self;
    (void)ctx;
    (void)data;
    return verdict;
}

SPOIL(with_body_suspend, mw->suspend_phases = 1u << CMW_PHASE_RESPONSE_BODY)
SPOIL(with_lonely_resumed, mw->resumed = on_resumed)

static void suspending_that_contradicts_itself_is_refused(void **state)
{
    static const struct {
        void (*spoil)(cmw_middleware *mw);
        const char *sentence;
    } cases[] = {
        {with_body_suspend, "'new' declares to suspend in a phase other than pre_route, "
                            "request_body and post_route"},
        {with_lonely_resumed, "'new' has a callback for being resumed, and declares no phase in "
                              "which it suspends"},
    };

    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        struct fixture fixture;
        cmw_middleware mw;
        fixture_open(&fixture, NULL);
        cmw_middleware_init(&mw);
        mw.name = "new";
        cases[i].spoil(&mw);
        assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
        fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_CONFLICT, cases[i].sentence);
        fixture_close(&fixture);
    }
}

static void a_pattern_with_too_many_segments_is_refused_when_compiled(void **state)
{
    char path[2 * 65 + 1] = "";
    const char *paths[] = {path};
    char sentence[256] = "a path pattern has more than 64 segments: '";
    struct fixture fixture;
    cmw_condition condition;
    cmw_middleware mw;

    (void)state;
    for (int i = 0; i < 65; i++)
        strcat(path, "/a");
    strcat(sentence, path);
    strcat(sentence, "'");
    fixture_open(&fixture, NULL);
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = 1;
    cmw_middleware_init(&mw);
    mw.name = "deep";
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_LIMIT, sentence);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(groups_are_refused_with_a_sentence),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(slots_of_more_than_half_a_context_are_refused),
        cmocka_unit_test(the_largest_slots_do_not_overflow_their_sum),
        cmocka_unit_test(suspending_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_pattern_with_too_many_segments_is_refused_when_compiled),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
