/* SPDX-License-Identifier: MIT */
/*
 * Chains from a file (libcatzilla-mw-config): a JSON document names middleware and their options.
 *
 *     cmw_document_create(&doc, NULL);
 *     if (cmw_document_read(doc, "chain.json") != 0 ||
 *         cmw_document_apply(doc, engine, chain) != 0 ||
 *         cmw_document_compile(doc, chain, &plan) != 0)
 *         cmw_document_report(doc, cmw_write_file, stderr);
 *     cmw_document_destroy(doc);
 *
 * The document is an object:
 *
 *     {"engine": {"header_count": 64},
 *      "middleware": [
 *        {"use": "cors", "options": {"allow_origins": ["https://a.example"]}},
 *        {"group": "api", "when": {"paths": ["/api/" "*"]}, "middleware": [{"use": "bearer"}]}]}
 *
 * What options there are, the tables of the kinds say (cmw_option), a program's own kinds among
 * them. docs/config.md has every member. Every mistake is found, not only the first, and told with
 * its line and the path of the member.
 */
#ifndef CATZILLA_COMPONENT_CONFIG_H
#define CATZILLA_COMPONENT_CONFIG_H

#include <catzilla/allocator.h>
#include <catzilla/base.h>
#include <catzilla/chain.h>
#include <catzilla/engine.h>

CMW_BEGIN_DECLS

/** A document: its text, what was read from it, and the mistakes found. One thread at a time. */
typedef struct cmw_document cmw_document;

/** How a document is read. Clear with cmw_document_config_init. */
typedef struct cmw_document_config {
    size_t size;                    /**< set by cmw_document_config_init */
    const cmw_allocator *allocator; /**< borrowed; NULL: the system's. The JSON values themselves
                                         come from jansson's (json_set_alloc_funcs) */
    const cmw_option *members;      /**< top-level members that are the program's own ("listen"),
                                         read by cmw_document_fill. Borrowed. Any other but
                                         "middleware", "engine" and "$schema" is a mistake */
    size_t member_count;
} cmw_document_config;

/** Clear a configuration: no members of one's own. Cost: O(1). */
static inline void cmw_document_config_init(cmw_document_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/** One mistake. Texts are the document's. */
typedef struct cmw_mistake {
    int code;         /**< CMW_ERR_* */
    uint32_t line;    /**< from 1; 0: the file as a whole */
    uint32_t column;  /**< from 1, in bytes */
    const char *path; /**< of the member: "middleware[2].options.max_age"; "": the document */
    const char *text; /**< one sentence without a final full stop */
} cmw_mistake;

/** Mistakes that a document lists; those beyond are counted, and a report says how many. */
#define CMW_MISTAKE_CAP 1000

/**
 * Make an empty document.
 *
 * @param[out] out     the document; unchanged on failure
 * @param      config  NULL: the defaults
 * @return             0, CMW_ERR_ARG, CMW_ERR_VERSION, CMW_ERR_NOMEM
 * Ownership:          the caller's; cmw_document_destroy
 * Threads:            any
 * Cost:               allocates, as all about documents
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_document_create(cmw_document **out,
                                              const cmw_document_config *config);

/** Destroy a document; chains and plans made from it go on. NULL is ignored. */
CMW_API void cmw_document_destroy(cmw_document *document);

/* ---- Reading ---------------------------------------------------------------------------- */

/*
 * What follows returns 0 if it found no mistake; CMW_ERR_INVALID if it added some to the list;
 * CMW_ERR_NOMEM, with which the list may be short; CMW_ERR_STATE for a document that is not read
 * yet, or read already.
 */

/**
 * Read JSON text, once a document, and look at its top level and its "engine".
 *
 * @param name  what reports call the file; copied
 * @param text  copied
 * Source:      RFC 8259
 * Since:       0.1
 */
CMW_API CMW_NODISCARD int cmw_document_parse(cmw_document *document, const char *name,
                                             cmw_str text);

/** The same from a file; one that cannot be read is a mistake, CMW_ERR_IO. */
CMW_API CMW_NODISCARD int cmw_document_read(cmw_document *document, const char *file);

/**
 * Fill the struct that the program's own members describe.
 *
 * @param object  holding its defaults: what the document does not say stays. Texts and lists that
 *                are filled in live as long as the document
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_document_fill(cmw_document *document, void *object);

/** Take over what "engine" says of limits; what it does not say stays. Before the engine is made.
 */
CMW_API CMW_NODISCARD int cmw_document_engine_config(cmw_document *document,
                                                     cmw_engine_config *config);

/**
 * Add the middleware and groups to a chain.
 *
 * @param engine  the chain's. Kinds of the program's own must have been registered
 * @param chain   keeps what was good if something was not: then it is of no use but to be destroyed
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_document_apply(cmw_document *document, cmw_engine *engine,
                                             cmw_chain *chain);

/**
 * The same for a route of the server's, as another document beside the chain's own: its middleware
 * runs where cmw_ctx_enter_route names the route. Instances are called "ROUTE.NAME", so that they
 * may have the names that the chain's own have.
 *
 * @param route     its name, as names of middleware are
 * @param route_id  not CMW_NONE. "route" members of the document are mistakes
 * @return          also CMW_ERR_ARG
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_document_apply_route(cmw_document *document, cmw_engine *engine,
                                                   cmw_chain *chain, const char *route,
                                                   uint32_t route_id);

/**
 * cmw_chain_compile, with a broken rule of order told at the line of the middleware that breaks it.
 *
 * @param[out] out  the plan, as cmw_chain_compile; unchanged on failure
 * @return          also whatever cmw_chain_compile returned
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_document_compile(cmw_document *document, cmw_chain *chain,
                                               cmw_plan **out);

/**
 * Add a mistake that the program found in a member of its own.
 *
 * @param member  of the top level, "listen"; one that the document lacks, or NULL: the document as
 *                a whole
 * @param format  of printf, for one sentence without a final full stop
 * @return        `code`
 * Since:         0.1
 */
CMW_API int cmw_document_refuse(cmw_document *document, const char *member, int code,
                                const char *format, ...) CMW_PRINTF(4, 5);

/* ---- Mistakes --------------------------------------------------------------------------- */

/** The number of mistakes found so far, listed or not. Cost: O(1). */
CMW_API size_t cmw_document_mistake_count(const cmw_document *document);

/** One of them, in the order of their lines; NULL past the last that is listed. Valid until the
 * next call that finds another. Cost: O(1). */
CMW_API const cmw_mistake *cmw_document_mistake(const cmw_document *document, size_t index);

/**
 * Write them, a line each: "chain.json:7:21: middleware[2].options.max_ages: unknown option ...".
 *
 * @return 0, or what `write` returned
 * Since:  0.1
 */
CMW_API int cmw_document_report(const cmw_document *document, cmw_write_fn *write, void *self);

/* ---- What documents may say ------------------------------------------------------------- */

/**
 * Write the JSON Schema (2020-12) of documents for an engine, made from the tables that documents
 * are read by.
 *
 * @param engine  whose kinds a document may use, a program's own among them
 * @param config  as for cmw_document_create: the program's members are in the schema
 * @return        0, CMW_ERR_ARG, CMW_ERR_VERSION, CMW_ERR_NOMEM, or what `write` returned
 * Threads:       any
 * Cost:          allocates
 * Source:        https://json-schema.org/draft/2020-12
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_schema_write(cmw_engine *engine, const cmw_document_config *config,
                                           cmw_write_fn *write, void *self);

/**
 * Write the kinds of an engine and their options: types, bounds, defaults, what they are for.
 *
 * As JSON it is a list of `{"name", "summary", "options": [{"name", "type", ...}]}`; an option that
 * may be given in several forms has a row for each.
 *
 * @return  0, CMW_ERR_ARG, CMW_ERR_NOMEM, or what `write` returned
 * Threads: any
 * Cost:    allocates
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_kinds_write(cmw_engine *engine, cmw_format format,
                                          cmw_write_fn *write, void *self);

CMW_END_DECLS

#endif /* CATZILLA_COMPONENT_CONFIG_H */
