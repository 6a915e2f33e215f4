/* SPDX-License-Identifier: MIT */
/* Chains from documents: what each type of option takes, and what is said of a bad document. */
#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <stdio.h>

#include "test.h"
#include "test_allocator.h"

/* ---- A kind with every type of option --------------------------------------------------- */

struct inner {
    int64_t count;
    const char *label;
};

struct sample_config {
    size_t size;
    int flag;
    int64_t number;
    const char *text;
    const char *const *texts;
    size_t text_count;
    int choice;
    const char *switched;
    const cmw_option_text *map;
    size_t map_count;
    const cmw_option_list *lists;
    size_t list_count;
    const struct inner *object;
    const struct inner *objects;
    size_t object_count;
    const char *const *trusted; /* the other form of `flag` */
    size_t trusted_count;
};

static struct sample_config seen; /* what `create` was given last */
static void (*look)(const struct sample_config *config);

static void inner_init(void *object)
{
    struct inner *const inner = object;

    inner->count = 7;
}

static const cmw_option inner_options[] = {
    {.name = "count",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct inner, count),
     .flags = CMW_OPTION_REQUIRED},
    {.name = "label", .type = CMW_OPTION_TEXT, .offset = offsetof(struct inner, label)},
};

#define INNER                                                                                      \
    .members = inner_options, .member_count = LEN(inner_options),                                  \
    .object_size = sizeof(struct inner), .object_init = inner_init

static const cmw_option sample_options[] = {
    {.name = "flag", .type = CMW_OPTION_BOOL, .offset = offsetof(struct sample_config, flag)},
    {.name = "flag",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct sample_config, trusted)},
    {.name = "number",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct sample_config, number),
     .min = -5,
     .max = 10},
    {.name = "text", .type = CMW_OPTION_TEXT, .offset = offsetof(struct sample_config, text)},
    {.name = "texts",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct sample_config, texts)},
    {.name = "choice",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(struct sample_config, choice),
     .choices = "keep|strip|add"},
    {.name = "switched",
     .type = CMW_OPTION_SWITCH,
     .offset = offsetof(struct sample_config, switched)},
    {.name = "switched",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct sample_config, switched)},
    {.name = "map", .type = CMW_OPTION_TEXT_MAP, .offset = offsetof(struct sample_config, map)},
    {.name = "lists", .type = CMW_OPTION_LIST_MAP, .offset = offsetof(struct sample_config, lists)},
    {.name = "object",
     .type = CMW_OPTION_OBJECT,
     .offset = offsetof(struct sample_config, object),
     INNER},
    {.name = "objects",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(struct sample_config, objects),
     INNER},
};

static void sample_init(void *config)
{
    memset(config, 0, sizeof(struct sample_config));
    ((struct sample_config *)config)->size = sizeof(struct sample_config);
    ((struct sample_config *)config)->number = 3;
}

static int sample_create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                         cmw_diag *diag)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Sample"), CMW_STR_INIT("yes")}};
    const struct sample_config *const given = config;

    (void)engine;
    if (given->text && strcmp(given->text, "refuse") == 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, "sample: text: 'refuse' is refused");
    if (given->text && strcmp(given->text, "silent") == 0)
        return CMW_ERR_IO;
    middleware->fields = fields;
    middleware->field_count = LEN(fields);
    seen = *given;
    if (look)
        look(given);
    return 0;
}

static const cmw_kind sample = {
    .size = sizeof(cmw_kind),
    .name = "sample",
    .options = sample_options,
    .option_count = LEN(sample_options),
    .config_size = sizeof(struct sample_config),
    .config_init = sample_init,
    .create = sample_create,
};

/* Reads the principal that nobody provides, or after it. */
static int reader_create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                         cmw_diag *diag)
{
    cmw_slot slot;

    (void)config;
    (void)diag;
    if (cmw_principal_slot(engine, &slot) != 0)
        return CMW_ERR_NOMEM;
    cmw_middleware_requires(middleware, slot);
    return 0;
}

static const cmw_kind reader = {
    .size = sizeof(cmw_kind),
    .name = "reader",
    .config_size = sizeof(size_t),
    .create = reader_create,
};

/* ---- Running a document ----------------------------------------------------------------- */

struct own {
    const char *listen;
    int64_t depth;
};

static const cmw_option own_members[] = {
    {.name = "listen", .type = CMW_OPTION_TEXT, .offset = offsetof(struct own, listen)},
    {.name = "depth",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct own, depth),
     .min = 1,
     .max = 9},
};

struct report {
    char text[4096];
    size_t len;
};

static int append(void *self, const char *text, size_t len)
{
    struct report *const report = self;

    assert_true(len < sizeof report->text - report->len);
    memcpy(report->text + report->len, text, len);
    report->len += len;
    report->text[report->len] = '\0';
    return 0;
}

struct run {
    struct test_allocator allocator;
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_document *document;
    cmw_plan *plan;
    struct own own;
    struct report report;
};

static void begin(struct run *run)
{
    cmw_document_config config;

    memset(run, 0, sizeof *run);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(cmw_engine_create(&run->engine, NULL), 0);
    assert_int_equal(cmw_kind_register(run->engine, &sample), 0);
    assert_int_equal(cmw_kind_register(run->engine, &reader), 0);
    assert_int_equal(cmw_chain_create(run->engine, &run->chain, 0), 0);
    test_allocator_init(&run->allocator);
    cmw_document_config_init(&config);
    config.allocator = &run->allocator.vtable;
    config.members = own_members;
    config.member_count = LEN(own_members);
    assert_int_equal(cmw_document_create(&run->document, &config), 0);
}

static void end(struct run *run)
{
    look = NULL;
    cmw_plan_release(run->plan);
    cmw_chain_destroy(run->chain);
    cmw_document_destroy(run->document);
    assert_int_equal(cmw_engine_destroy(run->engine), 0);
    assert_int_equal(run->allocator.live, 0);
}

/* Read, fill, apply, compile: as far as it goes. */
static int run_text(struct run *run, const char *text)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    int rc = cmw_document_parse(run->document, "f.json", cmw_str_cstr(text));
    if (rc == 0 || rc == CMW_ERR_INVALID) {
        const int steps[] = {cmw_document_fill(run->document, &run->own),
                             cmw_document_engine_config(run->document, &config),
                             cmw_document_apply(run->document, run->engine, run->chain)};
        for (size_t i = 0; i < LEN(steps) && rc == 0; i++)
            rc = steps[i];
    }
    if (rc == 0)
        rc = cmw_document_compile(run->document, run->chain, &run->plan);
    assert_int_equal(cmw_document_report(run->document, append, &run->report), 0);
    return rc;
}

/* ---- Bad documents ---------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *text;
    const char *report;
};

#define OPTIONS(options) "{\"middleware\": [{\"use\": \"sample\",\n\"options\": {" options "}}]}"
#define ITEM(members) "{\"middleware\": [\n{\"use\": \"sample\", " members "}]}"

static const struct row rows[] = {
    {"a syntax error has its line", "{\"middleware\": [\n}",
     "f.json:2:1: middleware: unexpected token near '}'\n"},
    {"a duplicate key is a mistake", "{\"middleware\": [],\n\"middleware\": []}",
     "f.json:2:12: middleware: duplicate object key near '\"middleware\"'\n"},
    {"a duplicate key deep inside has its path",
     "{\"middleware\": [{\"group\": \"a,{[\\\"\", \"middleware\": []},\n"
     "{\"use\": \"sample\", \"options\": {\"a b\": [1, {}], \"a b\": 2}}]}",
     "f.json:2:51: middleware[1].options[\"a b\"]: duplicate object key near '\"a b\"'\n"},
    {"a member without a colon has the path of its key", "{\"engine\": {\n\"body_bytes\" 1}}",
     "f.json:2:14: engine.body_bytes: ':' expected near '1'\n"},
    {"a text that does not end has its path", "{\"middleware\": [1, \"use",
     "f.json:1:23: middleware[1]: premature end of input near '\"use'\n"},
    {"an empty file is a mistake", "", "f.json:1:1: unexpected token near end of file\n"},
    {"a document that is a list", "[]", "f.json:1:1: a document must be an object, not a list\n"},
    {"a document without middleware", "{}", "f.json:1:1: 'middleware' is missing\n"},
    {"middleware that is no list", "{\"middleware\": {}}",
     "f.json:1:2: middleware: must be a list of objects, not an object\n"},
    {"an unknown member of the document", "{\"middleware\": [],\n  \"lisen\": \"a\"}",
     "f.json:2:3: lisen: unknown member; did you mean 'listen'?\n"},
    {"a name too far from all gets no suggestion", "{\"middleware\": [], \"zzz\": 1}",
     "f.json:1:20: zzz: unknown member\n"},
    {"a member of the program's own with a wrong type", "{\"listen\": 1, \"middleware\": []}",
     "f.json:1:2: listen: must be text, not a whole number\n"},
    {"a member of the program's own out of range", "{\"depth\": 10, \"middleware\": []}",
     "f.json:1:2: depth: must be in 1..9, not 10\n"},
    {"an unknown limit of the engine", "{\"engine\": {\"body_byte\": 1}, \"middleware\": []}",
     "f.json:1:13: engine.body_byte: unknown member of 'engine'; did you mean 'body_bytes'?\n"},
    {"a context that is no power of two",
     "{\"engine\": {\"context_bytes\": 3000}, \"middleware\": []}",
     "f.json:1:13: engine.context_bytes: must be a power of two, not 3000\n"},
    {"an item that is no object", "{\"middleware\": [\n 1]}",
     "f.json:2:2: middleware[0]: must be an object, not a whole number\n"},
    {"an item without a kind", "{\"middleware\": [\n{\"name\": \"a\"}]}",
     "f.json:2:1: middleware[0]: 'use' is missing\n"},
    {"an unknown kind", "{\"middleware\": [{\"use\": \"smaple\"}]}",
     "f.json:1:18: middleware[0].use: there is no kind of middleware named 'smaple'; did you mean "
     "'sample'?\n"},
    {"an unknown option", OPTIONS("\"txet\": \"a\""),
     "f.json:2:13: middleware[0].options.txet: unknown option of 'sample'; did you mean "
     "'text'?\n"},
    {"options that are no object", ITEM("\"options\": []"),
     "f.json:2:19: middleware[0].options: must be an object, not a list\n"},
    {"a number where text is due", OPTIONS("\"text\": 1"),
     "f.json:2:13: middleware[0].options.text: must be text, not a whole number\n"},
    {"null is not a way to leave something out", OPTIONS("\"text\": null"),
     "f.json:2:13: middleware[0].options.text: must be text, not null\n"},
    {"a fraction where a whole number is due", OPTIONS("\"number\": 1.0"),
     "f.json:2:13: middleware[0].options.number: must be a whole number, not a number with a "
     "fraction\n"},
    {"a number below its range", OPTIONS("\"number\": -6"),
     "f.json:2:13: middleware[0].options.number: must be in -5..10, not -6\n"},
    {"a number beyond all ranges", OPTIONS("\"number\": 99999999999999999999"),
     "f.json:2:42: middleware[0].options.number: too big integer near '99999999999999999999'\n"},
    {"a union that takes neither form", OPTIONS("\"flag\": 1"),
     "f.json:2:13: middleware[0].options.flag: must be true or false or a list of texts, not a "
     "whole number\n"},
    {"a choice that is none", OPTIONS("\"choice\": \"stripp\""),
     "f.json:2:13: middleware[0].options.choice: must be one of keep|strip|add, not 'stripp'; did "
     "you mean 'strip'?\n"},
    {"a list with something else in it", OPTIONS("\"texts\": [\"a\",\n\n 2]"),
     "f.json:4:2: middleware[0].options.texts[1]: must be text, not a whole number\n"},
    {"a map with something else in it", OPTIONS("\"map\": {\"X-A\": \"b\", \"X-B\": 2}"),
     "f.json:2:33: middleware[0].options.map[\"X-B\"]: must be text, not a whole number\n"},
    {"a map of lists with something else in it", OPTIONS("\"lists\": {\"a\": 1}"),
     "f.json:2:23: middleware[0].options.lists.a: must be text or a list of texts, not a whole "
     "number\n"},
    {"an object without what it requires", OPTIONS("\"object\": {}"),
     "f.json:2:13: middleware[0].options.object: 'count' is missing\n"},
    {"an unknown member of an object", OPTIONS("\"object\": {\"count\": 1, \"lable\": \"a\"}"),
     "f.json:2:36: middleware[0].options.object.lable: unknown member of 'object'; did you mean "
     "'label'?\n"},
    {"a list of objects with something else in it", OPTIONS("\"objects\": [{\"count\": 1}, 5]"),
     "f.json:2:39: middleware[0].options.objects[1]: must be an object, not a whole number\n"},
    {"what create refuses is told at the option", OPTIONS("\"number\": 1,\n\"text\": \"refuse\""),
     "f.json:3:1: middleware[0].options.text: sample: text: 'refuse' is refused\n"},
    {"a create without a sentence", OPTIONS("\"text\": \"silent\""),
     "f.json:1:17: middleware[0]: the system refused to read or write\n"},
    {"a priority out of range", ITEM("\"priority\": 65536"),
     "f.json:2:19: middleware[0].priority: must be in 0..65535, not 65536\n"},
    {"an unknown failure policy", ITEM("\"failure\": \"opened\""),
     "f.json:2:19: middleware[0].failure: must be one of closed|open|status, not 'opened'; did you "
     "mean 'open'?\n"},
    {"a status policy without its status", ITEM("\"failure\": \"status\""),
     "f.json:2:1: middleware[0]: 'failure_status' is missing, which \"failure\": \"status\" "
     "needs\n"},
    {"a failure status without its policy", ITEM("\"failure_status\": 503"),
     "f.json:2:19: middleware[0].failure_status: has a meaning only beside \"failure\": "
     "\"status\"\n"},
    {"an unknown condition", ITEM("\"when\": {\"path\": \"/a\"}"),
     "f.json:2:28: middleware[0].when.path: unknown member of 'when'; did you mean 'paths'?\n"},
    {"a name that is taken", "{\"middleware\": [{\"use\": \"sample\"},\n {\"use\": \"sample\"}]}",
     "f.json:2:2: middleware[1]: the chain has a middleware named 'sample' already\n"},
    {"a waiver of something unknown", ITEM("\"waive\": [\"nothing\"]"),
     "f.json:2:29: middleware[0].waive[0]: no middleware of this engine has to do with a slot or "
     "fact named 'nothing'\n"},
    {"a member of an instance in a group",
     "{\"middleware\": [{\"group\": \"g\", \"middleware\": [],\n\"use\": \"sample\"}]}",
     "f.json:2:1: middleware[0].use: unknown member of a 'group'\n"},
    {"a group without middleware", "{\"middleware\": [{\"group\": \"g\"}]}",
     "f.json:1:17: middleware[0]: 'middleware' is missing\n"},
    {"a mistake inside groups",
     "{\"middleware\": [{\"group\": \"g\", \"middleware\": [{\"group\": \"h\",\n"
     "\"middleware\": [{\"use\": \"sample\"}, {\"use\": \"sampl\"}]}]}]}",
     "f.json:2:36: middleware[0].middleware[0].middleware[1].use: there is no kind of middleware "
     "named 'sampl'; did you mean 'sample'?\n"},
    {"all mistakes are told, in the order of the text",
     "{\"lisen\": 1,\n\"middleware\": [{\"use\": \"smple\"},\n"
     "{\"use\": \"sample\", \"options\": {\"number\": 11, \"text\": 2}},\n"
     "{\"use\": \"sample\", \"priority\": -1}]}",
     "f.json:1:2: lisen: unknown member; did you mean 'listen'?\n"
     "f.json:2:17: middleware[0].use: there is no kind of middleware named 'smple'; did you mean "
     "'sample'?\n"
     "f.json:3:31: middleware[1].options.number: must be in -5..10, not 11\n"
     "f.json:3:45: middleware[1].options.text: must be text, not a whole number\n"
     "f.json:4:19: middleware[2].priority: must be in 0..65535, not -1\n"},
    {"control bytes of a key do not reach the report", "{\"middleware\": [], \"a\\u001b[1m\": 1}",
     "f.json:1:20: [\"a?[1m\"]: unknown member\n"},
    {"escapes and brackets in texts do not shift the place",
     "{\"listen\": \"a\\\"}]{[\\\\\", \"middleware\": [{\"use\": \"sample\",\n\"nam\": \"x\"}]}",
     "f.json:2:1: middleware[0].nam: unknown member; did you mean 'name'?\n"},
    {"a broken order rule is told at who breaks it",
     "{\"middleware\": [{\"use\": \"sample\"},\n{\"use\": \"reader\"}]}",
     "f.json:2:1: middleware[1]: 'reader' (priority 1000) reads slot 'principal', which no "
     "middleware of the chain provides\n"},
};

static void check_report(void **state)
{
    const struct row *const row = *state;
    struct run run;

    begin(&run);
    const int rc = run_text(&run, row->text);
    assert_string_equal(run.report.text, row->report);
    assert_int_not_equal(rc, 0);
    assert_null(run.plan);
    end(&run);
}

/* ---- Good documents --------------------------------------------------------------------- */

/* Run a document of one sample with these options; `check` sees the config as `create` does. */
static void check_options(const char *options, void (*check)(const struct sample_config *config))
{
    char text[1024];
    struct run run;

    (void)snprintf(text, sizeof text, "{\"middleware\": [{\"use\": \"sample\", \"options\": %s}]}",
                   options);
    begin(&run);
    look = check;
    const int rc = run_text(&run, text);
    assert_string_equal(run.report.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(seen.size, sizeof seen);
    end(&run);
}

static void see_defaults(const struct sample_config *config)
{
    assert_int_equal(config->number, 3);
    assert_null(config->text);
    assert_null(config->texts);
    assert_null(config->object);
}

static void see_all(const struct sample_config *config)
{
    assert_int_equal(config->flag, 1);
    assert_int_equal(config->number, -5);
    assert_string_equal(config->text, "t");
    assert_int_equal(config->text_count, 2);
    assert_string_equal(config->texts[1], "b");
    assert_int_equal(config->choice, 1);
    assert_string_equal(config->switched, "");
    assert_int_equal(config->map_count, 1);
    assert_string_equal(config->map[0].name, "X-A");
    assert_string_equal(config->map[0].text, "1");
    assert_int_equal(config->list_count, 2);
    assert_string_equal(config->lists[1].name, "m");
    assert_int_equal(config->lists[1].count, 1);
    assert_string_equal(config->lists[1].texts[0], "z");
    assert_int_equal(config->object->count, 1);
    assert_string_equal(config->object->label, "l");
    assert_int_equal(config->object_count, 2);
    assert_int_equal(config->objects[1].count, 5);
}

static void see_other_forms(const struct sample_config *config)
{
    assert_int_equal(config->flag, 0);
    assert_int_equal(config->trusted_count, 1);
    assert_string_equal(config->trusted[0], "10.0.0.0/8");
    assert_string_equal(config->switched, "on");
    assert_int_equal(config->text_count, 1);
    assert_string_equal(config->texts[0], "one");
}

static void see_empty_lists(const struct sample_config *config)
{
    assert_int_equal(config->text_count, 0);
    assert_non_null(config->texts);
    assert_int_equal(config->object_count, 0);
    assert_non_null(config->objects);
}

static void what_is_not_said_keeps_its_default(void **state)
{
    (void)state;
    check_options("{}", see_defaults);
}

static void every_type_of_option_is_filled(void **state)
{
    (void)state;
    check_options("{\"flag\": true, \"number\": -5, \"text\": \"t\", \"texts\": [\"a\", \"b\"],"
                  "\"choice\": \"strip\", \"switched\": false, \"map\": {\"X-A\": \"1\"},"
                  "\"lists\": {\"n\": [\"x\", \"y\"], \"m\": \"z\"},"
                  "\"object\": {\"count\": 1, \"label\": \"l\"},"
                  "\"objects\": [{\"count\": 4}, {\"count\": 5}]}",
                  see_all);
}

static void a_value_goes_to_the_row_of_its_type(void **state)
{
    (void)state;
    check_options("{\"flag\": \"10.0.0.0/8\", \"switched\": \"on\", \"texts\": \"one\"}",
                  see_other_forms);
}

static void an_empty_list_is_not_the_absence_of_one(void **state)
{
    (void)state;
    check_options("{\"texts\": [], \"objects\": []}", see_empty_lists);
}

static void the_program_reads_its_own_members(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    run.own.depth = 4;
    assert_int_equal(run_text(&run, "{\"listen\": \"x\", \"middleware\": []}"), 0);
    assert_string_equal(run.own.listen, "x");
    assert_int_equal(run.own.depth, 4);
    end(&run);
}

static void limits_that_are_not_said_stay(void **state)
{
    cmw_engine_config config;
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(run_text(&run, "{\"engine\": {\"header_count\": 12, \"target_policy\": "
                                    "\"reject\"}, \"middleware\": []}"),
                     0);
    cmw_engine_config_init(&config);
    config.limits.body_bytes = 5;
    assert_int_equal(cmw_document_engine_config(run.document, &config), 0);
    assert_int_equal(config.limits.header_count, 12);
    assert_int_equal(config.limits.body_bytes, 5);
    assert_int_equal(config.target_policy, CMW_TARGET_REJECT);
    end(&run);
}

static void explain_into(struct run *run)
{
    run->report.len = 0;
    assert_int_equal(cmw_plan_explain(run->plan, CMW_FORMAT_TEXT, append, &run->report), 0);
}

static void items_groups_and_conditions_reach_the_plan(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    const int rc = run_text(
        &run, "{\"middleware\": [{\"use\": \"sample\", \"name\": \"first\", \"priority\": 77},"
              "{\"use\": \"sample\", \"name\": \"off\", \"enabled\": false},"
              "{\"use\": \"sample\", \"name\": \"tried\", \"shadow\": true},"
              "{\"use\": \"sample\", \"name\": \"both\", \"shadow\": true, \"enabled\": false},"
              "{\"group\": \"api\", \"when\": {\"paths\": [\"/api/*\"]}, \"middleware\": ["
              "{\"use\": \"sample\", \"name\": \"inner\", \"when\": {\"methods\": \"PUT\"}}]}]}");
    assert_string_equal(run.report.text, "");
    assert_int_equal(rc, 0);
    explain_into(&run);
    assert_non_null(strstr(run.report.text, "first"));
    assert_non_null(strstr(run.report.text, "77"));
    assert_non_null(strstr(run.report.text, "tried (sample)  fails closed  SHADOWED"));
    assert_null(strstr(run.report.text, "both"));
    assert_non_null(strstr(run.report.text, "/api/*"));
    assert_non_null(strstr(run.report.text, "PUT"));
    end(&run);
}

/* The order of the list decides nothing: who decides may stand behind. */
static void unless_names_an_instance_of_skip(void **state)
{
    static const char skip[] = "{\"use\": \"skip\", \"name\": \"inside\", \"options\": "
                               "{\"networks\": \"10.0.0.0/8\"}}";
    static const char listener[] =
        "{\"use\": \"sample\", \"when\": {\"methods\": \"PUT\", \"unless\": \"inside\"}}";
    char text[512];
    struct run run;

    (void)state;
    begin(&run);
    snprintf(text, sizeof text, "{\"middleware\": [%s, %s]}", listener, skip);
    const int rc = run_text(&run, text);
    assert_string_equal(run.report.text, "");
    assert_int_equal(rc, 0);
    end(&run);
    begin(&run);
    snprintf(text, sizeof text, "{\"middleware\": [%s]}", listener);
    assert_int_equal(run_text(&run, text), CMW_ERR_ORDER);
    assert_non_null(strstr(run.report.text, "'skip.inside', which no middleware of the chain"));
    end(&run);
    begin(&run);
    assert_int_not_equal(
        run_text(&run,
                 "{\"middleware\": [{\"use\": \"sample\", \"when\": {\"unless\": \"a b\"}}]}"),
        0);
    assert_non_null(strstr(run.report.text, "unless: 'a b'"));
    end(&run);
}

static void a_waived_rule_is_no_mistake(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(
        run_text(&run, "{\"middleware\": [{\"use\": \"reader\", \"waive\": \"principal\"}]}"), 0);
    end(&run);
}

/* A second document, as a route beside one that has the same names. */
static void a_documents_middleware_may_be_a_routes(void **state)
{
    static const char text[] = "{\"middleware\": [{\"use\": \"sample\"}, {\"use\": \"reader\", "
                               "\"waive\": \"principal\"}]}";
    cmw_document *document;
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(cmw_document_create(&document, NULL), 0);
    assert_int_equal(cmw_document_apply_route(document, run.engine, run.chain, "r", 1),
                     CMW_ERR_STATE);
    assert_int_equal(cmw_document_parse(document, "r.json", cmw_str_cstr(text)), 0);
    assert_int_equal(cmw_document_apply_route(document, run.engine, run.chain, "", 1), CMW_ERR_ARG);
    assert_int_equal(cmw_document_apply_route(document, run.engine, run.chain, "r", CMW_NONE),
                     CMW_ERR_ARG);
    assert_int_equal(cmw_document_apply_route(document, run.engine, run.chain, "r", 1), 0);
    cmw_document_destroy(document);
    assert_int_equal(run_text(&run, text), 0);
    explain_into(&run);
    assert_non_null(strstr(run.report.text, "r.sample"));
    assert_non_null(strstr(run.report.text, "r.reader"));
    end(&run);
}

static void a_routes_document_has_no_routes(void **state)
{
    cmw_document *document;
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(cmw_document_create(&document, NULL), 0);
    assert_int_equal(
        cmw_document_parse(document, "r.json",
                           CMW_STR("{\"middleware\": [{\"group\": \"g\", \"route\": 3, "
                                   "\"middleware\": [{\"use\": \"sample\"}]}]}")),
        0);
    assert_int_equal(cmw_document_apply_route(document, run.engine, run.chain, "r", 1),
                     CMW_ERR_INVALID);
    const cmw_mistake *mistake = cmw_document_mistake(document, 0);
    assert_string_equal(mistake->path, "middleware[0]");
    assert_int_equal(mistake->code, CMW_ERR_CONFLICT);
    cmw_document_destroy(document);
    end(&run);
}

static void an_unread_document_gives_nothing(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(cmw_document_fill(run.document, &run.own), CMW_ERR_STATE);
    assert_int_equal(cmw_document_apply(run.document, run.engine, run.chain), CMW_ERR_STATE);
    assert_int_equal(cmw_document_compile(run.document, run.chain, &run.plan), CMW_ERR_STATE);
    end(&run);
}

static void a_document_is_read_once(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(run_text(&run, "{\"middleware\": []}"), 0);
    assert_int_equal(cmw_document_parse(run.document, "g.json", CMW_STR("{}")), CMW_ERR_STATE);
    end(&run);
}

static void a_file_that_is_not_there_is_a_mistake(void **state)
{
    struct run run;

    (void)state;
    begin(&run);
    assert_int_equal(cmw_document_read(run.document, "no/such/file"), CMW_ERR_IO);
    assert_int_equal(cmw_document_report(run.document, append, &run.report), 0);
    assert_string_equal(run.report.text,
                        "no/such/file: the file cannot be read: No such file or directory\n");
    end(&run);
}

static void more_mistakes_than_are_listed_are_counted(void **state)
{
    static char text[64 << 10] = "{\"middleware\": [";
    struct run run;

    (void)state;
    for (size_t i = 0; i < CMW_MISTAKE_CAP + 5; i++)
        (void)strcat(text, "1,");
    (void)strcat(text, "2]}");
    begin(&run);
    assert_int_equal(cmw_document_parse(run.document, "f.json", cmw_str_cstr(text)), 0);
    assert_int_equal(cmw_document_apply(run.document, run.engine, run.chain), CMW_ERR_INVALID);
    assert_int_equal(cmw_document_mistake_count(run.document), CMW_MISTAKE_CAP + 6);
    assert_non_null(cmw_document_mistake(run.document, CMW_MISTAKE_CAP - 1));
    assert_null(cmw_document_mistake(run.document, CMW_MISTAKE_CAP));
    end(&run);
}

static void groups_may_not_nest_without_end(void **state)
{
    static char text[8 << 10] = "{\"middleware\": [";
    struct run run;

    (void)state;
    for (int i = 0; i < 40; i++)
        (void)strcat(text, "{\"group\": \"g\", \"middleware\": [");
    for (int i = 0; i < 40; i++)
        (void)strcat(text, "]}");
    (void)strcat(text, "]}");
    begin(&run);
    assert_int_equal(run_text(&run, text), CMW_ERR_INVALID);
    assert_non_null(strstr(run.report.text, ": groups nest deeper than 32\n"));
    end(&run);
}

/* Each of the document's allocations fails once: an error, and nothing is lost. */
static void lack_of_memory_is_survived(void **state)
{
    static const char text[] = "{\"middleware\": [{\"use\": \"sample\", \"options\": {\"texts\": "
                               "[\"a\"]}}, {\"use\": \"smple\"}]}";
    int is_through = 0;

    (void)state;
    for (unsigned fail_at = 1; !is_through; fail_at++) {
        struct run run;
        begin(&run);
        run.allocator.fail_at = run.allocator.calls + fail_at;
        const int rc = run_text(&run, text);
        assert_true(rc == CMW_ERR_NOMEM || rc == CMW_ERR_INVALID);
        is_through = run.allocator.calls < run.allocator.fail_at;
        end(&run);
    }
}

static const struct CMUnitTest good[] = {
    cmocka_unit_test(what_is_not_said_keeps_its_default),
    cmocka_unit_test(every_type_of_option_is_filled),
    cmocka_unit_test(a_value_goes_to_the_row_of_its_type),
    cmocka_unit_test(an_empty_list_is_not_the_absence_of_one),
    cmocka_unit_test(the_program_reads_its_own_members),
    cmocka_unit_test(limits_that_are_not_said_stay),
    cmocka_unit_test(items_groups_and_conditions_reach_the_plan),
    cmocka_unit_test(unless_names_an_instance_of_skip),
    cmocka_unit_test(a_waived_rule_is_no_mistake),
    cmocka_unit_test(an_unread_document_gives_nothing),
    cmocka_unit_test(a_document_is_read_once),
    cmocka_unit_test(a_documents_middleware_may_be_a_routes),
    cmocka_unit_test(a_routes_document_has_no_routes),
    cmocka_unit_test(a_file_that_is_not_there_is_a_mistake),
    cmocka_unit_test(more_mistakes_than_are_listed_are_counted),
    cmocka_unit_test(groups_may_not_nest_without_end),
    cmocka_unit_test(lack_of_memory_is_survived),
};

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + LEN(good)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_report);
    memcpy(tests + LEN(rows), good, sizeof good);
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
