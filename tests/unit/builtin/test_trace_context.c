/* SPDX-License-Identifier: MIT */
/* trace_context: which traces go on, which begin, and what is sent on. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/trace_context.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define PARENT "00-" TRACE "-" SPAN "-01"

/* What the handler saw. */
struct seen {
    cmw_slot slot;
    int is_set;
    cmw_trace_context trace;
    char state[2048];
    char parent_id[32];
    char request[1024]; /* the request's own fields, as the handler finds them */
};

static int look(void *self, cmw_ctx *ctx)
{
    struct seen *const seen = self;
    const cmw_trace_context *const trace = cmw_ctx_slot(ctx, seen->slot);
    const cmw_header *const field = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_TRACEPARENT);

    seen->is_set = trace != NULL;
    if (trace) {
        seen->trace = *trace;
        snprintf(seen->state, sizeof seen->state, "%.*s", (int)trace->tracestate.len,
                 trace->tracestate.len ? trace->tracestate.data : "");
        snprintf(seen->parent_id, sizeof seen->parent_id, "%.*s", (int)trace->parent_id.len,
                 trace->parent_id.len ? trace->parent_id.data : "");
    }
    snprintf(seen->request, sizeof seen->request, "%.*s", field ? (int)field->value.len : 0,
             field ? field->value.data : "");
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static cmw_test *open_traced(const cmw_trace_context_config *config, struct seen *seen)
{
    cmw_test *const test = open_bench("trace_context", config);

    memset(seen, 0, sizeof *seen);
    seen->slot = cmw_slot_find(cmw_test_engine(test), "trace_context");
    cmw_test_set_handler(test, look, seen);
    cmw_test_request(test, "GET", "/");
    return test;
}

static void assert_is_digits(const char *text, size_t len)
{
    int others = 0;

    for (size_t i = 0; i < len; i++) {
        assert_non_null(strchr("0123456789abcdef", text[i]));
        others |= text[i] != '0';
    }
    assert_true(others);
}

/* Whatever came: what is sent on is well-formed, with an id of our own. */
static void assert_is_good(const struct seen *seen)
{
    const char *const text = seen->trace.traceparent;

    assert_true(seen->is_set);
    assert_memory_equal(text, "00-", 3);
    assert_is_digits(text + 3, 32);
    assert_int_equal(text[35], '-');
    assert_is_digits(text + 36, 16);
    assert_int_equal(text[52], '-');
    assert_int_equal(text[53], '0');
    assert_int_equal(text[54], '0' + seen->trace.flags);
    assert_memory_not_equal(text + 36, SPAN, 16);
}

/* ---- traceparent ------------------------------------------------------------------------ */

struct row {
    const char *name;
    const char *parent; /* NULL: none */
    int goes_on;
    int flags;
};

static const struct row rows[] = {
    {"none", NULL, 0, 3},
    {"a good one", PARENT, 1, 1},
    {"not sampled", "00-" TRACE "-" SPAN "-00", 1, 0},
    {"the random flag stays", "00-" TRACE "-" SPAN "-03", 1, 3},
    {"unknown flags are cleared", "00-" TRACE "-" SPAN "-ff", 1, 3},
    {"a later version", "cc-" TRACE "-" SPAN "-01", 1, 1},
    {"a later version with more", "01-" TRACE "-" SPAN "-01-more", 1, 1},
    {"a later version with a dash", "01-" TRACE "-" SPAN "-01-", 1, 1},
    {"a later version with another byte", "01-" TRACE "-" SPAN "-01.more", 0, 3},
    {"version 00 with more", PARENT "-more", 0, 3},
    {"version ff", "ff-" TRACE "-" SPAN "-01", 0, 3},
    {"a version of no digits", "0g-" TRACE "-" SPAN "-01", 0, 3},
    {"a version in upper case", "CC-" TRACE "-" SPAN "-01", 0, 3},
    {"a trace id of zeros", "00-00000000000000000000000000000000-" SPAN "-01", 0, 3},
    {"a parent id of zeros", "00-" TRACE "-0000000000000000-01", 0, 3},
    {"a trace id in upper case", "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", 0, 3},
    {"a colon for a digit", "00-0af7651916cd43dd8448eb211c80319:-" SPAN "-01", 0, 3},
    {"a slash for a digit", "00-/af7651916cd43dd8448eb211c80319c-" SPAN "-01", 0, 3},
    {"a grave for a letter", "00-0af7651916cd43d`8448eb211c80319c-" SPAN "-01", 0, 3},
    {"a g for a letter", "00-" TRACE "-b7ad6b716920333g-01", 0, 3},
    {"a byte above ASCII", "00-0af7651916cd43dd8448eb211c80319\xb1-" SPAN "-01", 0, 3},
    {"flags of no digits", "00-" TRACE "-" SPAN "-0x", 0, 3},
    {"other separators", "00_" TRACE "_" SPAN "_01", 0, 3},
    {"one separator is another", "00-" TRACE "." SPAN "-01", 0, 3},
    {"one byte short", "00-" TRACE "-" SPAN "-0", 0, 3},
    {"a short trace id", "00-0af7651916cd43dd8448eb211c80319-" SPAN "-01", 0, 3},
    {"a blank inside", "00 -" TRACE "-" SPAN "-01", 0, 3},
    {"nothing", "", 0, 3},
    {"a dash", "-", 0, 3},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct seen seen;
    cmw_test *const test = open_traced(NULL, &seen);

    if (row->parent)
        cmw_test_header(test, "Traceparent", row->parent);
    cmw_test_header(test, "Tracestate", "a=1");
    assert_int_equal(cmw_test_send(test), 200);
    assert_is_good(&seen);
    assert_int_equal(seen.trace.flags, row->flags);
    assert_int_equal(memcmp(seen.trace.traceparent + 3, TRACE, 32) == 0, row->goes_on);
    assert_string_equal(seen.parent_id, row->goes_on ? SPAN : "");
    assert_string_equal(seen.state, row->goes_on ? "a=1" : "");
    assert_string_equal(seen.request, row->parent ? row->parent : "");
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- tracestate ------------------------------------------------------------------------- */

struct state_row {
    const char *name;
    const char *lines[3];
    const char *kept;
};

#define Z64 "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
#define Z256 Z64 Z64 Z64 Z64

static const struct state_row state_rows[] = {
    {"one member", {"a=1"}, "a=1"},
    {"blanks around members", {"a=1 \t, b=2"}, "a=1 \t, b=2"},
    {"lines are joined", {"a=1", "b=2"}, "a=1, b=2"},
    {"an empty line", {"a=1", "", "b=2"}, "a=1, , b=2"},
    {"empty members", {"a=1,,b=2,"}, "a=1,,b=2,"},
    {"commas alone", {", ,"}, ""},
    {"nothing", {""}, ""},
    {"of one key the first stays", {"a=1,b=2,a=3"}, "a=1,b=2"},
    {"on another line too", {"a=1", "a=3,c=4"}, "a=1,c=4"},
    {"a key of all its bytes", {"0a_-*/@z=1"}, "0a_-*/@z=1"},
    {"a value of odd bytes",
     {"a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x"},
     "a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x"},
    {"an upper-case key", {"A=1,b=2"}, ""},
    {"a key that begins with an at sign", {"@a=1"}, ""},
    {"a point in a key", {"a.b=1"}, ""},
    {"no value", {"a="}, ""},
    {"no key", {"=1"}, ""},
    {"no equals sign", {"a"}, ""},
    {"two equals signs", {"a=1=2"}, ""},
    {"a control byte", {"a=1\x01"}, ""},
    {"a byte above ASCII", {"a=\xc3\xbc"}, ""},
    {"a blank in a key", {"a =1"}, ""},
    {"a key of 256", {Z256 "=1"}, Z256 "=1"},
    {"a key of 257", {Z256 "z=1"}, ""},
    {"a value of 256", {"a=" Z256}, "a=" Z256},
    {"a value of 257", {"a=" Z256 "z"}, ""},
};

static void check_state_row(void **state)
{
    const struct state_row *row = *state;
    struct seen seen;
    cmw_test *const test = open_traced(NULL, &seen);

    cmw_test_header(test, "traceparent", PARENT);
    for (size_t i = 0; i < LEN(row->lines) && row->lines[i]; i++)
        cmw_test_header(test, "tracestate", row->lines[i]);
    assert_int_equal(cmw_test_send(test), 200);
    assert_is_good(&seen);
    assert_string_equal(seen.state, row->kept);
    assert_no_allocation(test);
    close_bench(test);
}

static void up_to_32_members_are_kept(void **state)
{
    char text[512];
    size_t len = 0;

    (void)state;
    for (unsigned i = 1; i <= 33; i++) {
        struct seen seen;
        cmw_test *const test = open_traced(NULL, &seen);
        len += (size_t)snprintf(text + len, sizeof text - len, "%sk%u=%u", i > 1 ? "," : "", i, i);
        cmw_test_header(test, "traceparent", PARENT);
        cmw_test_header(test, "tracestate", text);
        assert_int_equal(cmw_test_send(test), 200);
        assert_string_equal(seen.state, i <= 32 ? text : "");
        close_bench(test);
    }
}

/* ---- The rest --------------------------------------------------------------------------- */

static void two_traceparents_are_nobodys_word(void **state)
{
    struct seen seen;
    cmw_test *const test = open_traced(NULL, &seen);

    (void)state;
    cmw_test_header(test, "traceparent", PARENT);
    cmw_test_header(test, "TRACEPARENT", PARENT);
    cmw_test_header(test, "tracestate", "a=1");
    assert_int_equal(cmw_test_send(test), 200);
    assert_is_good(&seen);
    assert_memory_not_equal(seen.trace.traceparent + 3, TRACE, 32);
    assert_string_equal(seen.state, "");
    close_bench(test);
}

static void an_untrusted_edge_begins_anew(void **state)
{
    static const char *const networks[] = {"192.0.2.0/28"};
    static const struct {
        const char *peer;
        int goes_on;
    } peers[] = {{"192.0.2.7", 1}, {"192.0.2.77", 0}, {"::ffff:192.0.2.7", 1}, {"2001:db8::1", 0}};
    cmw_trace_context_config config;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.restart_untrusted = 1;
    config.trust_networks = networks;
    config.trust_network_count = 1;
    config.sample_permille = 0;
    for (size_t i = 0; i < LEN(peers); i++) {
        struct seen seen;
        cmw_test *const test = open_traced(&config, &seen);
        cmw_test_peer(test, peers[i].peer);
        cmw_test_header(test, "traceparent", PARENT);
        cmw_test_header(test, "tracestate", "a=1");
        assert_int_equal(cmw_test_send(test), 200);
        assert_is_good(&seen);
        assert_int_equal(memcmp(seen.trace.traceparent + 3, TRACE, 32) == 0, peers[i].goes_on);
        assert_int_equal(seen.trace.flags, peers[i].goes_on ? 1 : 2);
        assert_string_equal(seen.state, peers[i].goes_on ? "a=1" : "");
        close_bench(test);
    }
}

static void so_many_are_sampled(void **state)
{
    enum { REQUESTS = 4000 };
    cmw_trace_context_config config;
    struct seen seen;
    unsigned sampled = 0;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.sample_permille = 250;
    cmw_test *const test = open_traced(&config, &seen);
    for (unsigned i = 0; i < REQUESTS; i++) {
        (void)cmw_test_send_quick(test);
        sampled += seen.trace.flags & CMW_TRACE_SAMPLED;
    }
    assert_in_range(sampled, REQUESTS / 5, REQUESTS * 3 / 10);
    close_bench(test);
}

static void the_request_is_updated_on_demand(void **state)
{
    cmw_trace_context_config config;
    struct seen seen;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.update_request = 1;
    cmw_test *const test = open_traced(&config, &seen);
    cmw_test_header(test, "traceparent", PARENT);
    cmw_test_header(test, "tracestate", "BAD");
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(strlen(seen.request), CMW_TRACEPARENT_LEN);
    assert_memory_equal(seen.request, seen.trace.traceparent, CMW_TRACEPARENT_LEN);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_memory_equal(seen.request, seen.trace.traceparent, CMW_TRACEPARENT_LEN);
    close_bench(test);
}

static void the_response_has_it_on_demand(void **state)
{
    cmw_trace_context_config config;
    struct seen seen;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.response_header = "traceresponse";
    cmw_test *const test = open_traced(&config, &seen);
    cmw_test_header(test, "traceparent", PARENT);
    assert_int_equal(cmw_test_send(test), 200);
    const char *const field = cmw_test_response_field(test, "traceresponse");
    assert_non_null(field);
    assert_memory_equal(field, seen.trace.traceparent, CMW_TRACEPARENT_LEN);
    assert_no_allocation(test);
    close_bench(test);
}

static void each_request_has_an_id_of_its_own(void **state)
{
    struct seen seen;
    cmw_test *const test = open_traced(NULL, &seen);
    cmw_trace_context first;

    (void)state;
    assert_int_equal(cmw_test_send(test), 200);
    first = seen.trace;
    assert_int_equal(cmw_test_send(test), 200);
    assert_false(cmw_str_equals(cmw_trace_id(&first), cmw_trace_id(&seen.trace)));
    assert_false(cmw_str_equals(cmw_trace_span_id(&first), cmw_trace_span_id(&seen.trace)));
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const networks[] = {"192.0.2.0/28", "192.0.2.0/33"};
    cmw_trace_context_config config;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.sample_permille = 1001;
    assert_refused("trace_context", &config, CMW_ERR_ARG,
                   "trace_context: sample_permille: 1001 is not in 0 to 1000");
    cmw_trace_context_config_init(&config);
    config.trust_networks = networks;
    config.trust_network_count = 1;
    assert_refused("trace_context", &config, CMW_ERR_ARG,
                   "trace_context: trust_networks: everyone is trusted without restart_untrusted");
    cmw_trace_context_config_init(&config);
    config.response_header = "Content-Length";
    assert_refused("trace_context", &config, CMW_ERR_ARG,
                   "trace_context: response_header: 'Content-Length' is the library's own field");
    config.response_header = "a b";
    assert_refused("trace_context", &config, CMW_ERR_INVALID,
                   "trace_context: response_header: 'a b' is not the name of a field");
}

static void failing_memory_is_survived(void **state)
{
    cmw_trace_context_config config;

    (void)state;
    cmw_trace_context_config_init(&config);
    config.response_header = "traceresponse";
    assert_survives_failing_memory("trace_context", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + LEN(state_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(up_to_32_members_are_kept),
        cmocka_unit_test(two_traceparents_are_nobodys_word),
        cmocka_unit_test(an_untrusted_edge_begins_anew),
        cmocka_unit_test(so_many_are_sampled),
        cmocka_unit_test(the_request_is_updated_on_demand),
        cmocka_unit_test(the_response_has_it_on_demand),
        cmocka_unit_test(each_request_has_an_id_of_its_own),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(state_rows); i++)
        tests[LEN(rows) + i] = ROW_TEST(&state_rows[i], check_state_row);
    return cmocka_run_group_tests_name("trace_context", tests, NULL, NULL) |
           cmocka_run_group_tests_name("trace_context: the rest", others, NULL, NULL);
}
