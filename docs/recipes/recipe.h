/* SPDX-License-Identifier: MIT */
/* What the programs of the recipes share: a chain from a file, served by libmicrohttpd. */
#ifndef CMW_RECIPE_H
#define CMW_RECIPE_H

#include <catzilla/adapter/microhttpd.h>
#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <stdio.h>

static inline int recipe_install(cmw_document *document, cmw_engine *engine, cmw_chain *chain)
{
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    if (cmw_document_apply(document, engine, chain) != 0 ||
        cmw_document_compile(document, chain, &plan) != 0) {
        (void)cmw_document_report(document, cmw_write_file, stderr);
        return -1;
    }
    const int rc = cmw_engine_install(engine, plan, &diag);
    cmw_plan_release(plan);
    if (rc != 0)
        fprintf(stderr, "%s\n", diag.message);
    return rc;
}

/* Read the file, make engine and chain, serve until a signal. The exit code. */
static inline int recipe_main(int argc, char **argv, cmw_mhd_handler_fn *handler)
{
    cmw_engine_config config;
    cmw_document *document = NULL;
    cmw_engine *engine = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};
    int rc;

    if (argc != 3) {
        fprintf(stderr, "usage: %s FILE ADDRESS:PORT\n", argv[0]);
        return 2;
    }
    cmw_engine_config_init(&config);
    if (cmw_document_create(&document, NULL) != 0)
        return 3;
    if (cmw_document_read(document, argv[1]) != 0 ||
        cmw_document_engine_config(document, &config) != 0) {
        (void)cmw_document_report(document, cmw_write_file, stderr);
        cmw_document_destroy(document);
        return 1;
    }
    rc = cmw_engine_create(&engine, &config);
    if (rc == 0)
        rc = cmw_chain_create(engine, &chain, 0);
    if (rc == 0)
        rc = recipe_install(document, engine, chain);
    cmw_document_destroy(document);
    if (rc == 0 && (rc = cmw_mhd_serve(engine, argv[2], handler, NULL, &diag)) != 0)
        fprintf(stderr, "%s\n", diag.message);
    cmw_chain_destroy(chain);
    (void)cmw_engine_destroy(engine);
    return rc == 0 ? 0 : 1;
}

#endif /* CMW_RECIPE_H */
