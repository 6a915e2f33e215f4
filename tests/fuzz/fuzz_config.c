/* SPDX-License-Identifier: MIT */
/* Documents of any bytes: read, applied, compiled, and their mistakes told. */
#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <stdlib.h>

struct own {
    const char *listen;
    int64_t number;
};

static const cmw_option members[] = {
    {.name = "listen", .type = CMW_OPTION_TEXT, .offset = offsetof(struct own, listen)},
    {.name = "number",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct own, number),
     .min = -1,
     .max = 1},
};

/* One line for each mistake, without bytes that could steer a terminal. */
static int check_line(void *self, const char *text, size_t len)
{
    (void)self;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && !(text[i] == '\n' && i + 1 == len))
            abort();
    return 0;
}

static void check_mistakes(const cmw_document *document, size_t len)
{
    const cmw_mistake *mistake;
    uint32_t line = 0;

    for (size_t i = 0; (mistake = cmw_document_mistake(document, i)) != NULL; i++) {
        if (mistake->code == 0 || mistake->line < line || mistake->line > len + 1 ||
            mistake->text[0] == '\0')
            abort();
        line = mistake->line;
    }
    if (cmw_document_report(document, check_line, NULL) != 0)
        abort();
}

/* A function says 0 exactly if it found no mistake. */
static void expect_agreement(const cmw_document *document, size_t before, int rc)
{
    const int is_good = cmw_document_mistake_count(document) == before;

    if (rc != CMW_ERR_STATE && is_good != (rc == 0))
        abort();
}

static void build(cmw_document *document, cmw_engine *engine, cmw_chain *chain)
{
    cmw_engine_config config;
    struct own own = {"", 0};
    cmw_plan *plan = NULL;

    cmw_engine_config_init(&config);
    size_t before = cmw_document_mistake_count(document);
    expect_agreement(document, before, cmw_document_fill(document, &own));
    before = cmw_document_mistake_count(document);
    expect_agreement(document, before, cmw_document_engine_config(document, &config));
    before = cmw_document_mistake_count(document);
    const int rc = cmw_document_apply(document, engine, chain);
    expect_agreement(document, before, rc);
    before = cmw_document_mistake_count(document);
    if (rc == 0)
        expect_agreement(document, before, cmw_document_compile(document, chain, &plan));
    cmw_plan_release(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cmw_document_config config;
    cmw_document *document = NULL;
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;

    cmw_document_config_init(&config);
    config.members = members;
    config.member_count = sizeof members / sizeof members[0];
    if (cmw_engine_create(&engine, NULL) != 0 || cmw_chain_create(engine, &chain, 0) != 0 ||
        cmw_document_create(&document, &config) != 0)
        abort();
    const cmw_str text = cmw_str_make((const char *)data, size);
    expect_agreement(document, 0, cmw_document_parse(document, "fuzz.json", text));
    build(document, engine, chain);
    check_mistakes(document, size);
    cmw_document_destroy(document);
    cmw_chain_destroy(chain);
    if (cmw_engine_destroy(engine) != 0)
        abort();
    return 0;
}
