/* SPDX-License-Identifier: MIT */
/* response_cache: what is stored, what is served, and what must never be. */
#include "origin_fixture.h"

#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/request_id.h>
#include <catzilla/builtin/response_cache.h>

#include "cache_rules.h"

#define S UINT64_C(1000000000)

static cmw_test *open_cache(const cmw_response_cache_config *config, struct origin *origin,
                            cmw_middleware *mw)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(mw);
    mw->name = "cache";
    if (cmw_response_cache_create(cmw_test_engine(test), mw, config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_add(chain, mw, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "rate_limit", NULL, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, origin_answer, origin);
    return test;
}

static void ask(cmw_test *test, const char *method, const char *target, const char *name,
                const char *value)
{
    cmw_test_request(test, method, target);
    cmw_test_header(test, "Host", "a.example");
    if (name)
        cmw_test_header(test, name, value);
    (void)cmw_test_send(test);
}

/* ---- One response, asked for twice ------------------------------------------------------ */

struct row {
    const char *name;
    int status;
    const char *fields[8];  /* of the response */
    const char *request[2]; /* a field of both requests */
    uint64_t after_s;
    int hits;
};

#define FRESH "Cache-Control", "max-age=60"

static const struct row rows[] = {
    {"fresh", 200, {FRESH}, {0}, 0, 1},
    {"just fresh", 200, {FRESH}, {0}, 59, 1},
    {"just not", 200, {FRESH}, {0}, 60, 0},
    {"nothing is said", 200, {0}, {0}, 0, 0},
    {"s-maxage before max-age", 200, {"Cache-Control", "max-age=0, s-maxage=60"}, {0}, 0, 1},
    {"s-maxage of nothing", 200, {"Cache-Control", "max-age=60, s-maxage=0"}, {0}, 0, 0},
    {"the smaller of two",
     200,
     {"Cache-Control", "max-age=60", "Cache-Control", "max-age=0"},
     {0},
     0,
     0},
    {"a number between quotes", 200, {"Cache-Control", "max-age=\"60\""}, {0}, 0, 1},
    {"no number", 200, {"Cache-Control", "max-age=soon"}, {0}, 0, 0},
    {"less than nothing", 200, {"Cache-Control", "max-age=-1"}, {0}, 0, 0},
    {"a large number", 200, {"Cache-Control", "max-age=99999999999999999999"}, {0}, 1000, 1},
    {"Expires", 200, {"Expires", "Thu, 01 Jan 2026 00:01:00 GMT"}, {0}, 0, 1},
    {"Expires in the past", 200, {"Expires", "Wed, 31 Dec 2025 23:59:59 GMT"}, {0}, 0, 0},
    {"Expires that is no date", 200, {"Expires", "0"}, {0}, 0, 0},
    {"max-age before Expires", 200, {FRESH, "Expires", "0"}, {0}, 0, 1},
    {"it is old already", 200, {FRESH, "Age", "59"}, {0}, 1, 0},
    {"not so old", 200, {FRESH, "Age", "30"}, {0}, 29, 1},
    {"an age that is none", 200, {FRESH, "Age", "x"}, {0}, 0, 0},
    {"no-store", 200, {"Cache-Control", "no-store, max-age=60"}, {0}, 0, 0},
    {"no-store in any case, with blanks",
     200,
     {"Cache-Control", "max-age=60 , NO-STORE ,x"},
     {0},
     0,
     0},
    {"no-store in another field", 200, {FRESH, "Cache-Control", "no-store"}, {0}, 0, 0},
    {"no-store inside of quotes is text",
     200,
     {"Cache-Control", "x=\", no-store, \", max-age=60"},
     {0},
     0,
     1},
    {"private", 200, {"Cache-Control", "private, max-age=60"}, {0}, 0, 0},
    {"private for some fields", 200, {"Cache-Control", "private=\"x-a\", max-age=60"}, {0}, 0, 0},
    {"no-cache", 200, {"Cache-Control", "no-cache, max-age=60"}, {0}, 0, 0},
    {"Set-Cookie", 200, {FRESH, "Set-Cookie", "sid=1"}, {0}, 0, 0},
    {"Vary by anything", 200, {FRESH, "Vary", "Accept, *"}, {0}, 0, 0},
    {"Vary by what is equal", 200, {FRESH, "Vary", "Accept"}, {"Accept", "text/html"}, 0, 1},
    {"Vary by what is missing", 200, {FRESH, "Vary", "Accept-Language, X-None"}, {0}, 0, 1},
    {"a 404 that says so", 404, {FRESH}, {0}, 0, 1},
    {"a redirect", 301, {FRESH}, {0}, 0, 1},
    {"a 206", 206, {FRESH}, {0}, 0, 0},
    {"a 500", 500, {FRESH}, {0}, 0, 0},
    {"a 410", 410, {FRESH}, {0}, 0, 1},
    /* What a client brings about with a field that is not of the key is not everybody's. */
    {"a 400", 400, {FRESH}, {0}, 0, 0},
    {"a 405", 405, {FRESH}, {0}, 0, 0},
    {"a 412", 412, {FRESH}, {"If-Match", "\"x\""}, 0, 0},
    {"a 415", 415, {FRESH}, {0}, 0, 0},
    {"a 429", 429, {FRESH}, {0}, 0, 0},
    {"a 431", 431, {FRESH}, {0}, 0, 0},
    {"another method is meant", 200, {FRESH}, {"X-HTTP-Method-Override", "DELETE"}, 0, 0},
    {"another method, by another name", 200, {FRESH}, {"x-http-method", "PUT"}, 0, 0},
    {"made long ago, by its Date",
     200,
     {FRESH, "Date", "Wed, 31 Dec 2025 23:59:00 GMT"},
     {0},
     0,
     0},
    {"made half a minute ago", 200, {FRESH, "Date", "Wed, 31 Dec 2025 23:59:30 GMT"}, {0}, 29, 1},
    {"made half a minute ago, and now too old",
     200,
     {FRESH, "Date", "Wed, 31 Dec 2025 23:59:30 GMT"},
     {0},
     30,
     0},
    {"a Date in the future", 200, {FRESH, "Date", "Thu, 01 Jan 2026 09:00:00 GMT"}, {0}, 59, 1},
    {"a Date that is none", 200, {FRESH, "Date", "yesterday"}, {0}, 59, 1},
    {"Age says less than Date",
     200,
     {FRESH, "Age", "1", "Date", "Wed, 31 Dec 2025 23:59:30 GMT"},
     {0},
     30,
     0},
    {"for one connection", 200, {FRESH, "Proxy-Authenticate", "Basic"}, {0}, 0, 0},
    {"for one login", 200, {FRESH, "Authentication-Info", "x=\"1\""}, {0}, 0, 0},
    {"an open quote swallows the rest", 200, {"Cache-Control", "x=\"1, max-age=60"}, {0}, 0, 0},
    {"an open quote swallows no-store",
     200,
     {"Cache-Control", "max-age=60, x=\"1, no-store"},
     {0},
     0,
     0},
    {"a quoted quote", 200, {"Cache-Control", "x=\"\\\"\", no-store, max-age=60"}, {0}, 0, 0},
    {"a name between quotes", 200, {"Cache-Control", "\"no-store\", max-age=60"}, {0}, 0, 1},
    {"no-store with a value", 200, {"Cache-Control", "no-store=0, max-age=60"}, {0}, 0, 0},
    {"two numbers in one field, and one is none",
     200,
     {"Cache-Control", "max-age=60, max-age=x"},
     {0},
     0,
     0},
    {"an age that is too large to add", 200, {FRESH, "Age", "18446744073709551615"}, {0}, 0, 0},
    {"Authorization", 200, {FRESH}, {"Authorization", "Bearer x"}, 0, 0},
    {"Authorization, said to be public",
     200,
     {"Cache-Control", "public, max-age=60"},
     {"Authorization", "Bearer x"},
     0,
     0},
    {"a range", 200, {FRESH}, {"Range", "bytes=0-1"}, 0, 0},
    {"the client wants a new one", 200, {FRESH}, {"Cache-Control", "no-cache"}, 0, 0},
    {"the client wants a new one, by Pragma", 200, {FRESH}, {"Pragma", "no-cache"}, 0, 0},
    {"the client wants none stored", 200, {FRESH}, {"Cache-Control", "no-store"}, 0, 0},
    {"the client wants a younger one", 200, {FRESH}, {"Cache-Control", "max-age=5"}, 6, 0},
    {"young enough for it", 200, {FRESH}, {"Cache-Control", "max-age=5"}, 5, 1},
    {"a cookie of the client is no reason", 200, {FRESH}, {"Cookie", "a=b"}, 0, 1},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct origin origin = {.status = row->status};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    memcpy(origin.fields, row->fields, sizeof origin.fields);
    ask(test, "GET", "/a?b", row->request[0], row->request[1]);
    assert_int_equal(cmw_test_status(test), row->status);
    cmw_test_advance_ns(test, row->after_s * S);
    ask(test, "GET", "/a?b", row->request[0], row->request[1]);
    assert_int_equal(cmw_test_status(test), row->status);
    assert_int_equal(origin.calls, row->hits ? 1 : 2);
    assert_string_equal(cmw_test_response_body(test).data, row->hits ? "1" : "2");
    assert_int_equal(cmw_test_response_count(test, "Age") > 0,
                     row->hits || (row->fields[2] && strcmp(row->fields[2], "Age") == 0));
    close_bench(test);
}

/* ---- What a hit looks like -------------------------------------------------------------- */

static void a_hit_has_the_fields_of_the_handler_and_new_ones_of_others(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH, "X-Own", "yes", "ETag", "\"1\""}};
    cmw_middleware mw;
    char id[64], limit[64];
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", NULL, NULL);
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"),
                        "catzilla; fwd=uri-miss; stored");
    snprintf(id, sizeof id, "%s", cmw_test_response_field(test, "X-Request-ID"));
    snprintf(limit, sizeof limit, "%s", cmw_test_response_field(test, "RateLimit"));
    cmw_test_advance_ns(test, 7 * S);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(cmw_test_status(test), 200);
    assert_string_equal(cmw_test_response_field(test, "X-Own"), "yes");
    assert_string_equal(cmw_test_response_field(test, "ETag"), "\"1\"");
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(cmw_test_response_field(test, "Age"), "7");
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"), "catzilla; hit; ttl=53");
    assert_int_equal(cmw_test_response_count(test, "Cache-Status"), 1);
    assert_int_equal(cmw_test_response_count(test, "X-Request-ID"), 1);
    assert_string_not_equal(cmw_test_response_field(test, "X-Request-ID"), id);
    assert_int_equal(cmw_test_response_count(test, "RateLimit"), 1);
    ask(test, "HEAD", "/", NULL, NULL);
    assert_int_equal(origin.calls, 1);
    assert_non_null(strstr(cmw_test_response_head(test).data, "Content-Length: 1\r\n"));
    assert_no_allocation(test);
    close_bench(test);
}

static void keys_are_not_confused(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/a?b=1", NULL, NULL);
    ask(test, "GET", "/a?b=2", NULL, NULL);
    ask(test, "GET", "/a", NULL, NULL);
    ask(test, "GET", "/a%3Fb=1", NULL, NULL); /* an escaped "?" is of the path */
    ask(test, "GET", "/A?b=1", NULL, NULL);
    assert_int_equal(origin.calls, 5);
    cmw_test_request(test, "GET", "/a");
    cmw_test_header(test, "Host", "b.example");
    (void)cmw_test_send(test);
    cmw_test_request(test, "GET", "/a");
    cmw_test_header(test, "Host", "a.example:8080");
    (void)cmw_test_send(test);
    cmw_test_request(test, "GET", "/a");
    cmw_test_header(test, "Host", "a.example");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    (void)cmw_test_send(test);
    assert_int_equal(origin.calls, 8);
    ask(test, "GET", "/x/../a", NULL, NULL); /* another spelling is the same */
    assert_int_equal(origin.calls, 8);
    /* Two Host fields: nobody's word. */
    cmw_test_request(test, "GET", "/a");
    cmw_test_header(test, "Host", "a.example");
    cmw_test_header(test, "Host", "evil.example");
    (void)cmw_test_send(test);
    (void)cmw_test_send(test);
    assert_int_equal(origin.calls, 10);
    close_bench(test);
}

/* What came as it is meant is found without a look at it; what did not is found all the same, and
 * neither makes the other be found where it is not meant. */
static void every_spelling_finds_the_same(void **state)
{
    static const struct {
        const char *target, *host;
    } spellings[] = {
        {"/x/../a?b", "a.example"}, {"/a?b", "a.example"},   {"/a?b", "A.EXAMPLE"},
        {"/%61?b", "a.example"},    {"//a?b", "a.example."}, {"http://a.example/a?b", "a.example"},
    };
    struct origin origin = {.status = 200, .fields = {FRESH}};

    (void)state;
    for (size_t first = 0; first < LEN(spellings); first++) {
        cmw_middleware mw;
        cmw_test *test = open_cache(NULL, &origin, &mw);
        origin.calls = 0;
        for (size_t i = 0; i < 2 * LEN(spellings) + 1; i++) {
            const size_t which = i == 0 ? first : (i - 1) % LEN(spellings);
            cmw_test_request(test, "GET", spellings[which].target);
            cmw_test_header(test, "Host", spellings[which].host);
            (void)cmw_test_send(test);
        }
        assert_int_equal(origin.calls, 1);
        cmw_test_request(test, "GET", "/a?b");
        cmw_test_header(test, "Host", "a.example:81");
        (void)cmw_test_send(test);
        ask(test, "GET", "/a?", NULL, NULL);
        ask(test, "GET", "/a", NULL, NULL);
        assert_int_equal(origin.calls, 3);
        close_bench(test);
    }
}

static void variants_stand_beside_each_other(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH, "Vary", "Accept-Language"}};
    cmw_response_cache_stats stats = {.size = sizeof stats};
    cmw_middleware mw;
    char language[16];
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", "Accept-Language", "de");
    ask(test, "GET", "/", "Accept-Language", "fr");
    ask(test, "GET", "/", "Accept-Language", "de");
    assert_string_equal(cmw_test_response_body(test).data, "1");
    ask(test, "GET", "/", "Accept-Language", "fr");
    assert_string_equal(cmw_test_response_body(test).data, "2");
    ask(test, "GET", "/", NULL, NULL);
    assert_string_equal(cmw_test_response_body(test).data, "3");
    for (unsigned i = 0; i < 90; i++) { /* strangers do not fill it with variants */
        snprintf(language, sizeof language, "x-%u", i);
        ask(test, "GET", "/", "Accept-Language", language);
    }
    assert_int_equal(cmw_response_cache_get_stats(&mw, &stats), 0);
    assert_in_range(stats.entries, 1, 17);
    close_bench(test);
}

static void the_answer_to_a_principal_is_not_stored(void **state)
{
    static const cmw_option_text users[] = {{"alice", "secret"}};
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_basic_auth_config auth;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    (void)state;
    cmw_basic_auth_config_init(&auth);
    auth.users = users;
    auth.user_count = 1;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "response_cache", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "basic_auth", &auth, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, origin_answer, &origin);
    ask(test, "GET", "/", "Authorization", "Basic YWxpY2U6c2VjcmV0");
    assert_int_equal(cmw_test_status(test), 200);
    ask(test, "GET", "/", "Authorization", "Basic YWxpY2U6c2VjcmV0");
    assert_int_equal(origin.calls, 2);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(cmw_test_status(test), 401);
    close_bench(test);
}

static void what_is_streamed_or_long_is_not_stored(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}, .streams = 1};
    cmw_response_cache_config config;
    cmw_middleware mw;

    (void)state;
    cmw_response_cache_config_init(&config);
    config.max_entry_bytes = 100;
    cmw_test *test = open_cache(&config, &origin, &mw);
    ask(test, "GET", "/", NULL, NULL);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 2);
    origin.streams = 0;
    origin.len = 101;
    ask(test, "GET", "/", NULL, NULL);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 4);
    origin.len = 100;
    ask(test, "GET", "/", NULL, NULL);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 5);
    close_bench(test);
}

/* ---- Stale ------------------------------------------------------------------------------ */

static void one_asks_while_others_get_the_stale_one(void **state)
{
    struct origin origin = {.status = 200,
                            .fields = {"Cache-Control", "max-age=10, stale-while-revalidate=20"}};
    cmw_response_cache_stats stats = {.size = sizeof stats};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", NULL, NULL);
    cmw_test_advance_ns(test, 15 * S);
    origin.status = 0; /* the one who asks gets nothing new */
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 2);
    assert_int_equal(cmw_test_status(test), 500);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(cmw_test_status(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"), "catzilla; hit; ttl=-5");
    assert_int_equal(origin.calls, 2);
    cmw_test_advance_ns(test, 15 * S); /* too stale */
    origin.status = 200;
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 3);
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"),
                        "catzilla; fwd=stale; stored");
    assert_int_equal(cmw_response_cache_get_stats(&mw, &stats), 0);
    assert_int_equal(stats.stale, 1);
    close_bench(test);
}

static void an_error_is_covered_for_a_while(void **state)
{
    static const int failures[] = {0, 503};
    (void)state;

    for (size_t i = 0; i < LEN(failures); i++) {
        struct origin origin = {.status = 200,
                                .fields = {"Cache-Control", "max-age=10, stale-if-error=20"}};
        cmw_middleware mw;
        cmw_test *test = open_cache(NULL, &origin, &mw);
        ask(test, "GET", "/", NULL, NULL);
        cmw_test_advance_ns(test, 29 * S);
        origin.status = failures[i];
        ask(test, "GET", "/", NULL, NULL);
        assert_int_equal(origin.calls, 2);
        assert_int_equal(cmw_test_status(test), 200);
        assert_string_equal(cmw_test_response_body(test).data, "1");
        assert_string_equal(cmw_test_response_field(test, "Age"), "29");
        cmw_test_advance_ns(test, 1 * S);
        ask(test, "GET", "/", NULL, NULL);
        assert_int_equal(cmw_test_status(test), failures[i] ? failures[i] : 500);
        close_bench(test);
    }
}

static void must_revalidate_is_never_stale(void **state)
{
    struct origin origin = {
        .status = 200,
        .fields = {"Cache-Control", "max-age=10, must-revalidate, stale-if-error=20"}};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", NULL, NULL);
    cmw_test_advance_ns(test, 11 * S);
    origin.status = 500;
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(cmw_test_status(test), 500);
    close_bench(test);
}

/* ---- Dropping --------------------------------------------------------------------------- */

static void unsafe_methods_drop_what_is_stored(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/a", NULL, NULL);
    ask(test, "GET", "/b", NULL, NULL);
    origin.status = 403;
    ask(test, "PUT", "/a", NULL, NULL); /* changed nothing */
    ask(test, "GET", "/a", NULL, NULL);
    assert_int_equal(cmw_test_status(test), 200);
    origin.status = 204;
    ask(test, "PUT", "/a", NULL, NULL);
    origin.status = 200;
    ask(test, "GET", "/a", NULL, NULL);
    assert_string_equal(cmw_test_response_body(test).data, "5");
    ask(test, "GET", "/b", NULL, NULL);
    assert_string_equal(cmw_test_response_body(test).data, "2");
    close_bench(test);
}

static void purging_takes_what_it_names(void **state)
{
    static const char *const targets[] = {"/a", "/a?x", "/ab", "/b"};
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_middleware mw;
    size_t count = 0;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    for (size_t i = 0; i < LEN(targets); i++)
        ask(test, "GET", targets[i], NULL, NULL);
    assert_int_equal(cmw_response_cache_purge(&mw, &count, CMW_CACHE_PURGE_TARGET, CMW_STR("/a")),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(cmw_response_cache_purge(&mw, &count, CMW_CACHE_PURGE_PREFIX, CMW_STR("/a")),
                     0);
    assert_int_equal(count, 2);
    assert_int_equal(cmw_response_cache_purge(&mw, &count, CMW_CACHE_PURGE_ALL, CMW_STR("")), 0);
    assert_int_equal(count, 1);
    ask(test, "GET", "/b", NULL, NULL);
    assert_int_equal(origin.calls, 5);
    close_bench(test);
}

static void only_if_cached_asks_nobody(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", "Cache-Control", "only-if-cached");
    assert_int_equal(cmw_test_status(test), 504);
    assert_int_equal(origin.calls, 0);
    close_bench(test);
}

/* ---- Memory ----------------------------------------------------------------------------- */

/* A million bytes in bodies of all lengths: no more than a tenth above the bound, nor below. */
static void a_flood_of_keys_stays_within_the_bound(void **state)
{
    enum { BOUND = 1024 * 1024 };
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_response_cache_stats stats = {.size = sizeof stats};
    cmw_response_cache_config config;
    uint64_t before;
    cmw_middleware mw;
    char target[32];

    (void)state;
    cmw_response_cache_config_init(&config);
    config.max_bytes = BOUND;
    cmw_test *test = open_cache(&config, &origin, &mw);
    before = origin_in_use(test);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(target, sizeof target, "/%u", i);
        origin.len = 1 + i * 7919 % 3000;
        cmw_test_advance_ns(test, S);
        ask(test, "GET", target, NULL, NULL);
        if (i % 100 != 0)
            continue;
        assert_int_equal(cmw_response_cache_get_stats(&mw, &stats), 0);
        assert_true(stats.bytes <= BOUND);
        assert_true(origin_in_use(test) <= before + BOUND / 10 * 11);
    }
    assert_in_range(stats.bytes, BOUND / 10 * 9, BOUND);
    assert_true(stats.entries > 200);
    close_bench(test);
}

/* ---- As a stranger would have it -------------------------------------------------------- */

/* Who may not renew a stale response for others does not keep others from it. */
static void nobody_keeps_the_others_from_a_new_one(void **state)
{
    struct origin origin = {.status = 200,
                            .fields = {"Cache-Control", "max-age=10, stale-while-revalidate=20"}};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", NULL, NULL);
    cmw_test_advance_ns(test, 15 * S);
    ask(test, "HEAD", "/", NULL, NULL);
    ask(test, "GET", "/", "Cache-Control", "only-if-cached");
    assert_int_equal(cmw_test_status(test), 200);
    assert_int_equal(origin.calls, 1);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 2);
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"),
                        "catzilla; fwd=stale; stored");
    close_bench(test);
}

static void what_became_private_is_stale_for_nobody_any_more(void **state)
{
    struct origin origin = {.status = 200,
                            .fields = {"Cache-Control", "max-age=10, stale-while-revalidate=20"}};
    cmw_response_cache_stats stats = {.size = sizeof stats};
    cmw_middleware mw;
    cmw_test *test = open_cache(NULL, &origin, &mw);

    (void)state;
    ask(test, "GET", "/", NULL, NULL);
    origin.fields[1] = "private";
    ask(test, "GET", "/", "Cache-Control", "no-cache"); /* what is fresh stays: a client said so */
    assert_string_equal(cmw_test_response_field(test, "Cache-Status"), "catzilla; fwd=request");
    ask(test, "GET", "/", NULL, NULL);
    assert_string_equal(cmw_test_response_body(test).data, "1");
    cmw_test_advance_ns(test, 15 * S);
    ask(test, "GET", "/", NULL, NULL);
    ask(test, "GET", "/", NULL, NULL);
    assert_string_equal(cmw_test_response_body(test).data, "4");
    assert_int_equal(cmw_response_cache_get_stats(&mw, &stats), 0);
    assert_int_equal(stats.entries, 0);
    close_bench(test);
}

/* Somebody who becomes known only behind the cache: his answer is his own. */
static int recognise(void *self, cmw_ctx *ctx)
{
    cmw_slot slot;

    if (cmw_principal_slot(self, &slot) != 0)
        return CMW_ERROR;
    return cmw_ctx_set_slot(ctx, slot) ? CMW_CONTINUE : CMW_ERROR;
}

static void a_principal_behind_the_cache_is_not_stored_for_all(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    cmw_middleware mw;
    cmw_slot slot;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "response_cache", NULL, NULL), 0);
    assert_int_equal(cmw_principal_slot(cmw_test_engine(test), &slot), 0);
    cmw_middleware_init(&mw);
    mw.name = "late";
    mw.priority = 900;
    mw.self = cmw_test_engine(test);
    mw.pre_route = recognise;
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, origin_answer, &origin);
    ask(test, "GET", "/", NULL, NULL);
    ask(test, "GET", "/", NULL, NULL);
    assert_int_equal(origin.calls, 2);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_response_cache_config config;

    (void)state;
    cmw_response_cache_config_init(&config);
    config.max_bytes = 1000;
    assert_refused("response_cache", &config, CMW_ERR_ARG,
                   "response_cache: max_bytes: 1000 is not 65536 to 1099511627776");
    cmw_response_cache_config_init(&config);
    config.max_entry_bytes = 0;
    assert_refused("response_cache", &config, CMW_ERR_ARG,
                   "response_cache: max_entry_bytes: 0 is not 1 to 16777216");
    cmw_response_cache_config_init(&config);
    config.default_ttl_s = -1;
    assert_refused("response_cache", &config, CMW_ERR_ARG,
                   "response_cache: default_ttl: -1 is not 0 to 31536000");
    cmw_response_cache_config_init(&config);
    config.name = "a;b";
    assert_refused("response_cache", &config, CMW_ERR_INVALID,
                   "response_cache: name: 'a;b' is not a token of at most 64 characters");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("response_cache", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_hit_has_the_fields_of_the_handler_and_new_ones_of_others),
        cmocka_unit_test(keys_are_not_confused),
        cmocka_unit_test(every_spelling_finds_the_same),
        cmocka_unit_test(variants_stand_beside_each_other),
        cmocka_unit_test(the_answer_to_a_principal_is_not_stored),
        cmocka_unit_test(what_is_streamed_or_long_is_not_stored),
        cmocka_unit_test(one_asks_while_others_get_the_stale_one),
        cmocka_unit_test(an_error_is_covered_for_a_while),
        cmocka_unit_test(must_revalidate_is_never_stale),
        cmocka_unit_test(unsafe_methods_drop_what_is_stored),
        cmocka_unit_test(purging_takes_what_it_names),
        cmocka_unit_test(only_if_cached_asks_nobody),
        cmocka_unit_test(a_flood_of_keys_stays_within_the_bound),
        cmocka_unit_test(nobody_keeps_the_others_from_a_new_one),
        cmocka_unit_test(what_became_private_is_stale_for_nobody_any_more),
        cmocka_unit_test(a_principal_behind_the_cache_is_not_stored_for_all),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("response_cache", tests, NULL, NULL) |
           cmocka_run_group_tests_name("response_cache: the rest", others, NULL, NULL);
}
