/* SPDX-License-Identifier: MIT */
/* A chain from a document: the installed config component on the installed core. */
#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <stdio.h>

static int build(cmw_engine *engine, cmw_chain *chain, cmw_document *document, cmw_plan **plan)
{
    static const char text[] = "{\"middleware\": [{\"use\": \"request_id\"}]}";
    int rc = cmw_document_parse(document, "chain.json", cmw_str_cstr(text));

    if (rc == 0)
        rc = cmw_document_apply(document, engine, chain);
    if (rc == 0)
        rc = cmw_document_compile(document, chain, plan);
    (void)cmw_document_report(document, cmw_write_file, stderr);
    return rc;
}

static int count(void *self, const char *text, size_t len)
{
    (void)text;
    *(size_t *)self += len;
    return 0;
}

int main(void)
{
    cmw_document *document = NULL;
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    size_t schema_len = 0;

    int rc = cmw_document_create(&document, NULL);
    if (rc == 0 && (rc = cmw_engine_create(&engine, NULL)) == 0 &&
        (rc = cmw_chain_create(engine, &chain, 0)) == 0 &&
        (rc = build(engine, chain, document, &plan)) == 0)
        rc = cmw_schema_write(engine, NULL, count, &schema_len);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    cmw_document_destroy(document);
    if (rc == 0)
        rc = cmw_engine_destroy(engine);
    printf("config: %s, a schema of %u bytes\n", cmw_error_text(rc), (unsigned)schema_len);
    return rc != 0 || schema_len == 0;
}
