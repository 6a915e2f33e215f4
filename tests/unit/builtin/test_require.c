/* SPDX-License-Identifier: MIT */
/* require: who passes, and that it never stands before what makes them known. */
#include "auth_fixture.h"

#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/bearer.h>
#include <catzilla/builtin/require.h>

static const char *const admin[] = {"admin"};
static const char *const staff[] = {"staff", "admin"};
static const char *const read_scope[] = {"read"};
static const char *const write_scope[] = {"read", "write"};
static const cmw_secret_entry entries[] = {
    {.id = "alice", .secret = "a", .roles = admin, .role_count = 1},
    {.id = "bob", .secret = "b", .roles = staff, .role_count = 2},
    {.id = "carol", .secret = "c", .scopes = read_scope, .scope_count = 1},
    {.id = "dave", .secret = "d", .scopes = write_scope, .scope_count = 2},
};
static const cmw_option_text users[] = {{"eve", "e"}};

/* ---- A chain: bearer, basic_auth and require -------------------------------------------- */

static cmw_chain *begin_chain(cmw_test **test, int is_optional)
{
    cmw_bearer_config bearer;
    cmw_basic_auth_config basic;
    cmw_chain *chain = NULL;

    assert_int_equal(cmw_test_create(test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(*test), &chain, 0), 0);
    cmw_bearer_config_init(&bearer);
    bearer.entries = entries;
    bearer.entry_count = LEN(entries);
    bearer.optional = 1;
    assert_int_equal(cmw_chain_use(chain, "bearer", &bearer, NULL), 0);
    cmw_basic_auth_config_init(&basic);
    basic.users = users;
    basic.user_count = LEN(users);
    basic.optional = is_optional;
    assert_int_equal(cmw_chain_use(chain, "basic_auth", &basic, NULL), 0);
    return chain;
}

static cmw_test *open_chain(const cmw_require_config *config)
{
    cmw_test *test = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};
    cmw_chain *chain = begin_chain(&test, 1);

    assert_int_equal(cmw_chain_use(chain, "require", config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    cmw_test_set_handler(test, tell_principal, cmw_test_engine(test));
    return test;
}

/* ---- Rules ------------------------------------------------------------------------------ */

struct row {
    const char *name;
    cmw_require_config config;
    const char *passes; /* of the letters a to d */
    const char *says;   /* the challenge of the others */
};

static const char *const two_ids[] = {"alice", "dave"};
static const char *const prefix[] = {"ali"};
static const char *const role_a[] = {"nobody", "admin"};
static const char *const scope_any[] = {"write", "delete"};

#define FORBIDDEN "Bearer realm=\"restricted\", error=\"insufficient_scope\""

static const struct row rows[] = {
    {"whoever is known", {.size = sizeof(cmw_require_config)}, "abcd", NULL},
    {"some ids",
     {.size = sizeof(cmw_require_config), .ids = two_ids, .id_count = 2},
     "ad",
     FORBIDDEN},
    {"a beginning of an id is another",
     {.size = sizeof(cmw_require_config), .ids = prefix, .id_count = 1},
     "",
     FORBIDDEN},
    {"one of some roles",
     {.size = sizeof(cmw_require_config), .any_role = role_a, .any_role_count = 2},
     "ab",
     FORBIDDEN},
    {"each of some roles",
     {.size = sizeof(cmw_require_config), .all_roles = staff, .all_role_count = 2},
     "b",
     FORBIDDEN},
    {"one of some scopes",
     {.size = sizeof(cmw_require_config), .any_scope = scope_any, .any_scope_count = 2},
     "d",
     FORBIDDEN},
    {"each of some scopes",
     {.size = sizeof(cmw_require_config), .all_scopes = write_scope, .all_scope_count = 2},
     "d",
     FORBIDDEN ", scope=\"read write\""},
    {"a role and an id",
     {.size = sizeof(cmw_require_config),
      .ids = two_ids,
      .id_count = 2,
      .any_role = admin,
      .any_role_count = 1},
     "a",
     FORBIDDEN},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_chain(&row->config);

    for (const char *letter = "abcd"; *letter; letter++) {
        char field[] = "Bearer ?";
        field[sizeof field - 2] = *letter;
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", field);
        if (strchr(row->passes, *letter))
            assert_int_equal(cmw_test_send(test), 200);
        else
            assert_challenged(test, 403, row->says);
        assert_no_allocation(test);
    }
    close_bench(test);
}

static void strangers_see_each_way_to_become_known(void **state)
{
    cmw_test *test = open_chain(NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 401);
    assert_int_equal(cmw_test_response_count(test, "WWW-Authenticate"), 2);
    const char *head = cmw_test_response_head(test).data;
    assert_non_null(strstr(head, "\r\nWWW-Authenticate: Bearer realm=\"restricted\"\r\n"));
    assert_non_null(strstr(head, "\r\nWWW-Authenticate: Basic realm=\"restricted\"\r\n"));
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer zzz");
    assert_int_equal(cmw_test_send(test), 401);
    assert_int_equal(cmw_test_response_count(test, "WWW-Authenticate"), 2);
    head = cmw_test_response_head(test).data;
    assert_non_null(strstr(
        head, "\r\nWWW-Authenticate: Bearer realm=\"restricted\", error=\"invalid_token\"\r\n"));
    assert_no_allocation(test);
    close_bench(test);
}

static void who_came_otherwise_gets_no_challenge_of_bearers(void **state)
{
    cmw_require_config config;

    (void)state;
    cmw_require_config_init(&config);
    config.any_role = admin;
    config.any_role_count = 1;
    cmw_test *test = open_chain(&config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic ZXZlOmU=");
    assert_int_equal(cmw_test_send(test), 403);
    assert_null(cmw_test_response_field(test, "WWW-Authenticate"));
    close_bench(test);
}

/* ---- A judgement of one's own ----------------------------------------------------------- */

static int judge(void *self, cmw_ctx *ctx)
{
    (void)ctx;
    return *(const int *)self;
}

static void a_function_judges_without_a_principal(void **state)
{
    static const int answers[][2] = {{1, 200}, {2, 200}, {0, 403}, {-1, 403}};
    int answer = 0;
    cmw_require_config config;

    (void)state;
    cmw_require_config_init(&config);
    config.allows = judge;
    config.allows_self = &answer;
    cmw_test *test = open_bench("require", &config);
    for (size_t i = 0; i < LEN(answers); i++) {
        answer = answers[i][0];
        cmw_test_request(test, "GET", "/");
        assert_int_equal(cmw_test_send(test), answers[i][1]);
        assert_no_allocation(test);
    }
    close_bench(test);
}

static void a_function_and_a_role_must_both_hold(void **state)
{
    int answer = 0;
    cmw_require_config config;

    (void)state;
    cmw_require_config_init(&config);
    config.any_role = admin;
    config.any_role_count = 1;
    config.allows = judge;
    config.allows_self = &answer;
    cmw_test *test = open_chain(&config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer a");
    assert_challenged(test, 403, FORBIDDEN);
    answer = 1;
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer c");
    assert_challenged(test, 403, FORBIDDEN);
    close_bench(test);
}

/* ---- Order ------------------------------------------------------------------------------ */

static void refuse_order(cmw_chain *chain, const char *sentence)
{
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_ORDER);
    assert_string_equal(diag.message, sentence);
    assert_null(plan);
}

static void it_never_stands_before_who_makes_known(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = begin_chain(&test, 0);

    (void)state;
    assert_int_equal(cmw_chain_use(chain, "require", NULL, NULL), 0);
    assert_int_equal(cmw_chain_set_priority(chain, "require", 300), 0);
    refuse_order(chain, "'require' (priority 300) reads slot 'principal', which 'bearer' provides "
                        "only at priority 400; give 'require' a priority above 400, such as 401");
    cmw_chain_destroy(chain);
    close_bench(test);
}

static void it_needs_somebody_who_makes_known(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "require", NULL, NULL), 0);
    assert_int_not_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    assert_non_null(strstr(diag.message, "'require'"));
    assert_non_null(strstr(diag.message, "'principal'"));
    cmw_chain_destroy(chain);
    close_bench(test);
}

/* Authentication uses the facts of what must have run before it. */
static void a_fact_that_comes_after_authentication_is_refused(void **state)
{
    static const char *const facts[] = {"cors", "rate_limit"};

    (void)state;
    for (size_t i = 0; i < LEN(facts); i++) {
        cmw_test *test = NULL;
        cmw_plan *plan = NULL;
        cmw_diag diag = {0};
        cmw_middleware late;
        cmw_slot fact;
        cmw_chain *chain = begin_chain(&test, 0);
        assert_int_equal(cmw_slot_declare(cmw_test_engine(test), &fact, facts[i], 0, NULL), 0);
        cmw_middleware_init(&late);
        late.name = "late";
        late.priority = 450;
        late.pre_route = judge;
        cmw_middleware_provides(&late, fact);
        assert_int_equal(cmw_chain_add(chain, &late, NULL), 0);
        assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_ORDER);
        assert_non_null(strstr(diag.message, facts[i]));
        assert_non_null(strstr(diag.message, "'late'"));
        cmw_chain_destroy(chain);
        close_bench(test);
    }
}

/* ---- What is refused when it is configured ---------------------------------------------- */

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const empty[] = {""};
    static const char *const no_scope[] = {"a b"};
    static const cmw_slot slots[9] = {0};
    cmw_require_config config;

    (void)state;
    cmw_require_config_init(&config);
    config.ids = empty;
    assert_refused("require", &config, CMW_ERR_ARG,
                   "require: ids: the list names nobody and nothing");
    config.id_count = 1;
    assert_refused("require", &config, CMW_ERR_INVALID, "require: ids: '' cannot be a name");
    cmw_require_config_init(&config);
    config.all_scopes = no_scope;
    config.all_scope_count = 1;
    assert_refused("require", &config, CMW_ERR_INVALID,
                   "require: all_scopes: 'a b' cannot be a name");
    cmw_require_config_init(&config);
    config.realm = "\x01";
    assert_refused("require", &config, CMW_ERR_INVALID,
                   "require: realm: '\x01' has a control byte");
    cmw_require_config_init(&config);
    config.reads = slots;
    config.read_count = 1;
    assert_refused("require", &config, CMW_ERR_ARG,
                   "require: reads: at most 8, and with allows only");
    config.allows = judge;
    config.read_count = 9;
    assert_refused("require", &config, CMW_ERR_ARG,
                   "require: reads: at most 8, and with allows only");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("require", &rows[LEN(rows) - 1].config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(strangers_see_each_way_to_become_known),
        cmocka_unit_test(who_came_otherwise_gets_no_challenge_of_bearers),
        cmocka_unit_test(a_function_judges_without_a_principal),
        cmocka_unit_test(a_function_and_a_role_must_both_hold),
        cmocka_unit_test(it_never_stands_before_who_makes_known),
        cmocka_unit_test(it_needs_somebody_who_makes_known),
        cmocka_unit_test(a_fact_that_comes_after_authentication_is_refused),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("require", tests, NULL, NULL) |
           cmocka_run_group_tests_name("require: the rest", others, NULL, NULL);
}
