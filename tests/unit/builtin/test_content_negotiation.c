/* SPDX-License-Identifier: MIT */
/* content_negotiation: what is chosen. The weights are tested in test_negotiate.c. */
#include "builtin_fixture.h"

#include <catzilla/builtin/content_negotiation.h>

struct row {
    const char *name;
    const char *accept, *language, *encoding; /* NULL: no field */
    const char *type, *spoken, *coding;       /* what is chosen */
    int status;                               /* if it is strict */
};

static const struct row rows[] = {
    {"nothing is asked", NULL, NULL, NULL, "text/html", "en", "gzip", 200},
    {"the other type", "application/json", NULL, NULL, "application/json", "en", "gzip", 200},
    {"by weight", "text/html;q=0.4,*/*;q=0.5", NULL, NULL, "application/json", "en", "gzip", 200},
    {"the first of equals", "*/*", "*", "*", "text/html", "en", "gzip", 200},
    {"no type fits", "image/png", NULL, NULL, "text/html", "en", "gzip", 406},
    {"a language", NULL, "pt-BR, en;q=0.5", NULL, "text/html", "pt-BR", "gzip", 200},
    {"by its beginning", NULL, "pt", NULL, "text/html", "pt-BR", "gzip", 200},
    {"no language fits", NULL, "fr", NULL, "text/html", "en", "gzip", 406},
    {"a coding", NULL, NULL, "br;q=1, identity;q=0.5, gzip;q=0.2", "text/html", "en", "identity",
     200},
    {"an old name of gzip", NULL, NULL, "x-gzip", "text/html", "en", "gzip", 200},
    {"a coding that is not offered", NULL, NULL, "br", "text/html", "en", "identity", 200},
    {"an empty list", NULL, NULL, "", "text/html", "en", "identity", 200},
    {"no coding at all", NULL, NULL, "identity;q=0, br", "text/html", "en", "gzip", 406},
    {"a star that refuses", NULL, NULL, "*;q=0", "text/html", "en", "gzip", 406},
    {"odd bytes", "\xff;q=x,\";,", "\xff,,;q", "=;;,", "text/html", "en", "identity", 406},
};

struct seen {
    cmw_slot slot;
    cmw_negotiated negotiated;
};

static int look(void *self, cmw_ctx *ctx)
{
    struct seen *const seen = self;
    const cmw_negotiated *const negotiated = cmw_ctx_slot(ctx, seen->slot);

    if (!negotiated)
        return -1;
    seen->negotiated = *negotiated;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static void fill(cmw_content_negotiation_config *config)
{
    static const char *const types[] = {"text/html", "application/json"};
    static const char *const languages[] = {"en", "pt-BR"};
    static const char *const encodings[] = {"gzip", "identity"};

    cmw_content_negotiation_config_init(config);
    config->types = types;
    config->type_count = 2;
    config->languages = languages;
    config->language_count = 2;
    config->encodings = encodings;
    config->encoding_count = 2;
}

static void add(cmw_test *test, const char *name, const char *value)
{
    if (value)
        cmw_test_header(test, name, value);
}

static void check_row(void **state)
{
    const struct row *row = *state;

    for (int strict = 0; strict < 2; strict++) {
        cmw_content_negotiation_config config;
        struct seen seen = {0};

        fill(&config);
        config.strict = strict;
        cmw_test *const test = open_bench("content_negotiation", &config);
        seen.slot = cmw_slot_find(cmw_test_engine(test), "negotiated");
        cmw_test_set_handler(test, look, &seen);
        cmw_test_request(test, "GET", "/");
        add(test, "Accept", row->accept);
        add(test, "Accept-Language", row->language);
        add(test, "Accept-Encoding", row->encoding);
        assert_int_equal(cmw_test_send(test), strict ? row->status : 200);
        assert_string_equal(cmw_test_response_field(test, "Vary"),
                            "Accept, Accept-Language, Accept-Encoding");
        if (cmw_test_status(test) == 200) {
            assert_true(cmw_str_equals(seen.negotiated.type, cmw_str_cstr(row->type)));
            assert_true(cmw_str_equals(seen.negotiated.language, cmw_str_cstr(row->spoken)));
            assert_true(cmw_str_equals(seen.negotiated.encoding, cmw_str_cstr(row->coding)));
        }
        assert_no_allocation(test);
        close_bench(test);
    }
}

static void what_is_not_offered_is_not_looked_at(void **state)
{
    static const char *const types[] = {"text/html"};
    cmw_content_negotiation_config config;
    struct seen seen = {0};

    (void)state;
    cmw_content_negotiation_config_init(&config);
    config.types = types;
    config.type_count = 1;
    config.strict = 1;
    cmw_test *const test = open_bench("content_negotiation", &config);
    seen.slot = cmw_slot_find(cmw_test_engine(test), "negotiated");
    cmw_test_set_handler(test, look, &seen);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Accept-Encoding", "*;q=0");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Vary"), "Accept");
    assert_int_equal(seen.negotiated.encoding.len, 0);
    close_bench(test);
}

static void refuse(const char *const *types, size_t type_count, const char *const *languages,
                   size_t language_count, int rc, const char *sentence)
{
    cmw_content_negotiation_config config;

    cmw_content_negotiation_config_init(&config);
    config.types = types;
    config.type_count = type_count;
    config.languages = languages;
    config.language_count = language_count;
    assert_refused("content_negotiation", &config, rc, sentence);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"text/*", "html", "text/", "a b"};
    static const char *const twice[] = {"text/html", "Text/HTML"};

    (void)state;
    refuse(NULL, 0, NULL, 0, CMW_ERR_ARG,
           "content_negotiation: neither types nor languages nor encodings are offered");
    refuse(bad, 1, NULL, 0, CMW_ERR_INVALID,
           "content_negotiation: types: 'text/*' cannot be offered");
    refuse(bad + 1, 1, NULL, 0, CMW_ERR_INVALID,
           "content_negotiation: types: 'html' cannot be offered");
    refuse(bad + 2, 1, NULL, 0, CMW_ERR_INVALID,
           "content_negotiation: types: 'text/' cannot be offered");
    refuse(NULL, 0, bad + 3, 1, CMW_ERR_INVALID,
           "content_negotiation: languages: 'a b' cannot be offered");
    refuse(twice, 2, NULL, 0, CMW_ERR_EXISTS,
           "content_negotiation: types: 'Text/HTML' stands twice");
}

static void failing_memory_is_survived(void **state)
{
    cmw_content_negotiation_config config;

    (void)state;
    fill(&config);
    assert_survives_failing_memory("content_negotiation", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_is_not_offered_is_not_looked_at),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("content_negotiation", tests, NULL, NULL) |
           cmocka_run_group_tests_name("content_negotiation: the rest", others, NULL, NULL);
}
