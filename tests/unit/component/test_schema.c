/* SPDX-License-Identifier: MIT */
/* What documents may say, written from the tables: the schema, and the list of kinds. */
#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <jansson.h>
#include <stdlib.h>

#include "test.h"

/* ---- A kind ----------------------------------------------------------------------------- */

struct inner {
    int64_t weight;
};

struct sample_config {
    size_t size;
    int64_t number;
    const char *text;
    const char *off;
    const char *password;
    const char *const *texts;
    size_t text_count;
    int flag;
    int choice;
    const cmw_option_list *lists;
    size_t list_count;
    const struct inner *objects;
    size_t object_count;
};

static void inner_init(void *object)
{
    ((struct inner *)object)->weight = 7;
}

static const cmw_option inner_options[] = {
    {.name = "weight", .type = CMW_OPTION_INT, .offset = offsetof(struct inner, weight)},
};

#define AT(member) .offset = offsetof(struct sample_config, member)

static const cmw_option sample_options[] = {
    {.name = "number", .type = CMW_OPTION_INT, AT(number), .max = 9, .help = "How many"},
    {.name = "text", .type = CMW_OPTION_TEXT, AT(text), .flags = CMW_OPTION_REQUIRED},
    {.name = "off", .type = CMW_OPTION_SWITCH, AT(off)},
    {.name = "off", .type = CMW_OPTION_TEXT, AT(off)},
    {.name = "password", .type = CMW_OPTION_TEXT, AT(password), .flags = CMW_OPTION_SECRET},
    {.name = "trust", .type = CMW_OPTION_BOOL, AT(flag)},
    {.name = "trust", .type = CMW_OPTION_TEXT_LIST, AT(texts)},
    {.name = "trust", .type = CMW_OPTION_LIST_MAP, AT(lists)},
    {.name = "choice", .type = CMW_OPTION_CHOICE, AT(choice), .choices = "keep|strip"},
    {.name = "objects",
     .type = CMW_OPTION_OBJECT_LIST,
     AT(objects),
     .members = inner_options,
     .member_count = LEN(inner_options),
     .object_size = sizeof(struct inner),
     .object_init = inner_init},
};

static void sample_init(void *config)
{
    static const char *const texts[] = {"a", "b"};
    struct sample_config *const sample = config;

    sample->size = sizeof *sample;
    sample->number = 3;
    sample->off = "";
    sample->password = "hunter2";
    sample->texts = texts;
    sample->text_count = LEN(texts);
    sample->choice = 1;
}

static int refuse(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    (void)engine;
    (void)middleware;
    (void)config;
    return cmw_diag_set(diag, CMW_ERR_INVALID, "nobody makes one");
}

static const cmw_kind sample = {
    .size = sizeof(cmw_kind),
    .name = "sample",
    .summary = "A sample",
    .options = sample_options,
    .option_count = LEN(sample_options),
    .config_size = sizeof(struct sample_config),
    .config_init = sample_init,
    .create = refuse,
};

static const cmw_option members[] = {
    {.name = "listen", .type = CMW_OPTION_TEXT, .flags = CMW_OPTION_REQUIRED, .help = "Where"},
};

/* ---- Output ----------------------------------------------------------------------------- */

struct text {
    char data[256 << 10];
    size_t len;
};

static struct text output;

static int append(void *self, const char *piece, size_t len)
{
    struct text *const text = self;

    assert_true(len < sizeof text->data - text->len);
    memcpy(text->data + text->len, piece, len);
    text->len += len;
    text->data[text->len] = '\0';
    return 0;
}

static int refuse_to_write(void *self, const char *piece, size_t len)
{
    (void)self;
    (void)piece;
    (void)len;
    return CMW_ERR_IO;
}

static cmw_engine *make_engine(void)
{
    cmw_engine *engine = NULL;

    output.len = 0;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    assert_int_equal(cmw_kind_register(engine, &sample), 0);
    return engine;
}

static int write_schema(cmw_engine *engine)
{
    cmw_document_config config;

    cmw_document_config_init(&config);
    config.members = members;
    config.member_count = LEN(members);
    return cmw_schema_write(engine, &config, append, &output);
}

static json_t *read_output(void)
{
    json_t *const json = json_loadb(output.data, output.len, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(json);
    return json;
}

/* ---- The schema ------------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *path; /* of object members, by spaces */
    const char *expected;
};

#define OPTION_PATH "$defs options.sample properties "

static const struct row rows[] = {
    {"bounds, default and help of a number", OPTION_PATH "number",
     "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9,\"description\":\"How many\","
     "\"default\":3}"},
    {"a default that is off is false", OPTION_PATH "off",
     "{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"string\",\"default\":false}]}"},
    {"a secret has no default and is marked", OPTION_PATH "password",
     "{\"type\":\"string\",\"writeOnly\":true}"},
    {"each row of a name is a form of it", OPTION_PATH "trust",
     "{\"anyOf\":[{\"type\":\"boolean\",\"default\":false},{\"type\":[\"array\",\"string\"],"
     "\"items\":{\"type\":\"string\"},\"default\":[\"a\",\"b\"]},{\"type\":\"object\","
     "\"additionalProperties\":{\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"}}}"
     "]}"},
    {"a choice is an enumeration", OPTION_PATH "choice",
     "{\"enum\":[\"keep\",\"strip\"],\"default\":\"strip\"}"},
    {"objects in a list have their own members and defaults", OPTION_PATH "objects",
     "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"weight\":{\"type\":"
     "\"integer\",\"default\":7}},\"additionalProperties\":false}}"},
    {"what must be given is required", "$defs options.sample required", "[\"text\"]"},
    {"an unknown option is refused", "$defs options.sample additionalProperties", "false"},
    {"the program's members are there", "properties listen",
     "{\"type\":\"string\",\"description\":\"Where\"}"},
    {"members of a document are required", "required", "[\"listen\",\"middleware\"]"},
    {"an item is a group if it says so", "$defs items items if", "{\"required\":[\"group\"]}"},
    {"a group holds items again", "$defs group properties middleware",
     "{\"description\":\"What is in the group\",\"$ref\":\"#/$defs/items\"}"},
};

static json_t *find(json_t *at, const char *path)
{
    while (*path) {
        const size_t len = strcspn(path, " ");
        char key[64];
        assert_true(len < sizeof key);
        memcpy(key, path, len);
        key[len] = '\0';
        at = json_object_get(at, key);
        path += len + (path[len] == ' ');
    }
    return at;
}

static void check_schema(void **state)
{
    const struct row *const row = *state;
    cmw_engine *const engine = make_engine();

    assert_int_equal(write_schema(engine), 0);
    json_t *const schema = read_output();
    char *const found = json_dumps(find(schema, row->path), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(found);
    assert_string_equal(found, row->expected);
    free(found);
    json_decref(schema);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* The options of a kind hold for the item that uses it. */
static void a_kind_chooses_its_options(void **state)
{
    cmw_engine *const engine = make_engine();
    int is_found = 0;

    (void)state;
    assert_int_equal(write_schema(engine), 0);
    json_t *const schema = read_output();
    const json_t *const choices = find(schema, "$defs use allOf");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        char *const choice = json_dumps(json_array_get(choices, i), JSON_COMPACT);
        is_found |= strcmp(choice, "{\"if\":{\"properties\":{\"use\":{\"const\":\"sample\"}}},"
                                   "\"then\":{\"properties\":{\"options\":{\"$ref\":\"#/$defs/"
                                   "options.sample\"}},\"required\":[\"options\"]}}") == 0;
        free(choice);
    }
    assert_true(is_found);
    json_decref(schema);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* ---- The list of kinds ------------------------------------------------------------------ */

static void kinds_for_people_show_types_and_defaults(void **state)
{
    static const char expected[] = "sample: A sample\n"
                                   "    number  (whole number, 0..9; default 3)\n"
                                   "        How many\n"
                                   "    text  (text; required)\n"
                                   "    off  (true or false)\n"
                                   "    off  (text; default false)\n"
                                   "    password  (text; secret)\n"
                                   "    trust  (true or false; default false)\n"
                                   "    trust  (list of texts; default [\"a\",\"b\"])\n"
                                   "    trust  (object of lists of texts)\n"
                                   "    choice  (one of keep, strip; default \"strip\")\n"
                                   "    objects  (list of objects)\n"
                                   "        weight  (whole number; default 7)\n";
    cmw_engine *const engine = make_engine();

    (void)state;
    assert_int_equal(cmw_kinds_write(engine, CMW_FORMAT_TEXT, append, &output), 0);
    assert_non_null(strstr(output.data, expected));
    assert_null(strstr(output.data, "hunter2"));
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

static void kinds_as_json_have_a_row_for_each_form(void **state)
{
    cmw_engine *const engine = make_engine();

    (void)state;
    assert_int_equal(cmw_kinds_write(engine, CMW_FORMAT_JSON, append, &output), 0);
    json_t *const kinds = read_output();
    const json_t *const last = json_array_get(kinds, json_array_size(kinds) - 1);
    const json_t *const options = json_object_get(last, "options");
    assert_string_equal(json_string_value(json_object_get(last, "name")), "sample");
    assert_int_equal(json_array_size(options), LEN(sample_options));
    char *const row = json_dumps(json_array_get(options, 0), JSON_COMPACT);
    assert_string_equal(row, "{\"name\":\"number\",\"type\":\"int\",\"min\":0,\"max\":9,"
                             "\"default\":3,\"help\":\"How many\"}");
    free(row);
    json_decref(kinds);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* ---- Failures --------------------------------------------------------------------------- */

static void what_write_says_is_passed_on(void **state)
{
    cmw_engine *const engine = make_engine();

    (void)state;
    assert_int_equal(cmw_schema_write(engine, NULL, refuse_to_write, NULL), CMW_ERR_IO);
    assert_int_equal(cmw_kinds_write(engine, CMW_FORMAT_TEXT, refuse_to_write, NULL), CMW_ERR_IO);
    assert_int_equal(cmw_kinds_write(engine, CMW_FORMAT_JSON, refuse_to_write, NULL), CMW_ERR_IO);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* jansson has its allocator for the whole process. */
static unsigned long calls, fail_at;

static void *fail_once(size_t bytes)
{
    return ++calls == fail_at ? NULL : malloc(bytes);
}

typedef int write_fn(cmw_engine *engine);

static int write_kinds(cmw_engine *engine)
{
    return cmw_kinds_write(engine, CMW_FORMAT_TEXT, append, &output);
}

static void check_lack_of_memory(write_fn *write)
{
    int is_through = 0;

    for (unsigned long at = 1; !is_through; at += 1 + at / 16) {
        cmw_engine *const engine = make_engine();
        calls = 0;
        fail_at = at;
        json_set_alloc_funcs(fail_once, free);
        const int rc = write(engine);
        json_set_alloc_funcs(malloc, free);
        is_through = calls < at;
        assert_int_equal(rc, is_through ? 0 : CMW_ERR_NOMEM);
        assert_int_equal(cmw_engine_destroy(engine), 0);
    }
}

static void a_schema_without_memory_is_none(void **state)
{
    (void)state;
    check_lack_of_memory(write_schema);
}

static void a_list_without_memory_is_none(void **state)
{
    (void)state;
    check_lack_of_memory(write_kinds);
}

static const struct CMUnitTest others[] = {
    cmocka_unit_test(a_kind_chooses_its_options),
    cmocka_unit_test(kinds_for_people_show_types_and_defaults),
    cmocka_unit_test(kinds_as_json_have_a_row_for_each_form),
    cmocka_unit_test(what_write_says_is_passed_on),
    cmocka_unit_test(a_schema_without_memory_is_none),
    cmocka_unit_test(a_list_without_memory_is_none),
};

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_schema);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
