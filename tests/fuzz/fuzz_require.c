/* SPDX-License-Identifier: MIT */
/*
 * require against a naive reading of its lists. The first three lines are the principal: its id,
 * its roles and its scopes; each other line is an option and the names in its list:
 *
 *     alice
 *     admin,operator
 *     read,write
 *     any_role admin,auditor
 */
#include "fuzz.h"

#include <catzilla/builtin/require.h>

enum { NAME_CAP = 32, LIST_COUNT = 5, IDS = 0, FIRST_SCOPE = 3 };

struct names {
    const char *texts[NAME_CAP];
    cmw_str strings[NAME_CAP];
    size_t count;
    int is_given;
};

/* The names of a line, cut at commas; an empty line has none. */
static struct names read_names(char *line)
{
    struct names names = {.count = 0};
    int is_last = *line == '\0';

    while (!is_last && names.count < NAME_CAP) {
        char *comma = strchr(line, ',');
        is_last = !comma;
        if (comma)
            *comma = '\0';
        names.texts[names.count] = line;
        names.strings[names.count++] = cmw_str_cstr(line);
        line = comma ? comma + 1 : line;
    }
    return names;
}

static int has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->texts[i], name) == 0)
            return 1;
    return 0;
}

static size_t count_common(const struct names *asked, const struct names *held)
{
    size_t common = 0;

    for (size_t i = 0; i < asked->count; i++)
        common += (size_t)has(held, asked->texts[i]);
    return common;
}

/* ---- The principal ---------------------------------------------------------------------- */

struct known {
    cmw_slot slot;
    struct names ids, roles, scopes;
};

static struct known known;

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct known *const it = self;
    cmw_principal *principal;

    if (it->ids.count == 0)
        return CMW_CONTINUE;
    principal = cmw_ctx_set_slot(ctx, it->slot);
    FUZZ_CHECK(principal != NULL);
    principal->id = it->ids.strings[0];
    principal->scheme = CMW_STR("bearer");
    principal->roles = it->roles.strings;
    principal->role_count = it->roles.count;
    principal->scopes = it->scopes.strings;
    principal->scope_count = it->scopes.count;
    return CMW_CONTINUE;
}

/* ---- The lists -------------------------------------------------------------------------- */

static const char *const options[LIST_COUNT] = {"ids", "any_role", "all_roles", "any_scope",
                                                "all_scopes"};

static void read_option(struct names lists[LIST_COUNT], char *line)
{
    char *const blank = strchr(line, ' ');

    if (!blank)
        return;
    *blank = '\0';
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (strcmp(line, options[i]) == 0 && !lists[i].is_given) {
            lists[i] = read_names(blank + 1);
            lists[i].is_given = 1;
        }
    }
}

/* Names of the same list as `index`, which are scopes or any text without control bytes. */
static int is_name(size_t index, const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        const unsigned char c = (unsigned char)*at;
        if (index >= FIRST_SCOPE && (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\'))
            return 0;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return 0;
    }
    return *name != '\0';
}

static int is_good(const struct names lists[LIST_COUNT])
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (lists[i].is_given && lists[i].count == 0)
            return 0;
        for (size_t k = 0; k < lists[i].count; k++)
            if (!is_name(i, lists[i].texts[k]))
                return 0;
    }
    return 1;
}

static int expect_status(const struct names lists[LIST_COUNT])
{
    const struct names *const held[LIST_COUNT] = {&known.ids, &known.roles, &known.roles,
                                                  &known.scopes, &known.scopes};

    if (known.ids.count == 0)
        return 401;
    for (size_t i = 0; i < LIST_COUNT; i++) {
        const size_t common = count_common(&lists[i], held[i]);
        const size_t needed = i == 2 || i == 4 ? lists[i].count : lists[i].count > 0;
        if (common < needed)
            return 403;
    }
    return 200;
}

static int install(cmw_test *test, const struct names lists[LIST_COUNT])
{
    cmw_require_config config;
    cmw_middleware setter;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};
    const char *const *texts[LIST_COUNT];

    for (size_t i = 0; i < LIST_COUNT; i++)
        texts[i] = lists[i].is_given ? lists[i].texts : NULL;
    cmw_require_config_init(&config);
    config.ids = texts[0], config.id_count = lists[0].count;
    config.any_role = texts[1], config.any_role_count = lists[1].count;
    config.all_roles = texts[2], config.all_role_count = lists[2].count;
    config.any_scope = texts[3], config.any_scope_count = lists[3].count;
    config.all_scopes = texts[4], config.all_scope_count = lists[4].count;
    cmw_middleware_init(&setter);
    setter.name = "setter";
    setter.priority = 400;
    setter.self = &known;
    setter.pre_route = on_pre_route;
    cmw_middleware_provides(&setter, known.slot);
    FUZZ_CHECK(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    FUZZ_CHECK(cmw_chain_add(chain, &setter, NULL) == 0);
    const int rc = cmw_chain_use(chain, "require", &config, &diag);
    FUZZ_CHECK(rc == 0 || diag.message[0] != '\0');
    if (rc == 0) {
        FUZZ_CHECK(cmw_chain_compile(chain, &plan, &diag) == 0);
        FUZZ_CHECK(cmw_test_install(test, plan) == 0);
    }
    cmw_chain_destroy(chain);
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    struct names lists[LIST_COUNT] = {{.count = 0}};
    char *text = fuzz_text(data, size);
    char *rest = text;

    if (!test) {
        test = fuzz_open(NULL, NULL);
        FUZZ_CHECK(cmw_principal_slot(cmw_test_engine(test), &known.slot) == 0);
    }
    known.ids = read_names(fuzz_next_line(&rest));
    known.ids.count = known.ids.count > 0; /* one id */
    known.roles = read_names(fuzz_next_line(&rest));
    known.scopes = read_names(fuzz_next_line(&rest));
    while (*rest != '\0')
        read_option(lists, fuzz_next_line(&rest));
    const int is_taken = install(test, lists);
    FUZZ_CHECK(is_taken == is_good(lists));
    if (is_taken) {
        cmw_test_request(test, "GET", "/");
        FUZZ_CHECK(cmw_test_send(test) == expect_status(lists));
        const char *challenge = cmw_test_response_field(test, "WWW-Authenticate");
        FUZZ_CHECK((cmw_test_status(test) == 403) == (challenge != NULL));
    }
    free(text);
    return 0;
}
