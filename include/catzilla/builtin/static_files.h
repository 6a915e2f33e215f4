/* SPDX-License-Identifier: MIT */
/*
 * `static_files`: files below one folder.
 *
 * Kind name "static_files", priority 850, behind all that guards. It answers GET and HEAD for what
 * it finds; everything else goes on to the handler, unless it is told otherwise.
 */
#ifndef CATZILLA_BUILTIN_STATIC_FILES_H
#define CATZILLA_BUILTIN_STATIC_FILES_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_static_files_config_init. */
typedef struct cmw_static_files_config {
    size_t size;                      /**< set by cmw_static_files_config_init */
    const char *root;                 /**< the folder; needed. Opened once: what is renamed into its
                                           place later is not seen */
    const char *prefix;               /**< of the paths that are served; NULL or "/": all. "/assets"
                                           is taken off "/assets/a.css". Default "/" */
    const char *index;                /**< served for a folder; "": folders are not served. Default
                                           "index.html" */
    const char *cache_control;        /**< value of Cache-Control; NULL or "": none */
    const char *const *precompressed; /**< any of "br", "zstd", "gzip": "a.css.br" in place of
                                         "a.css" for those who accept it. The first one wins where a
                                         client wants several equally. Default: none */
    size_t precompressed_count;       /**< of `precompressed` */
    const cmw_option_text *types; /**< extension without its dot, and its media type; before those
                                       that are known */
    size_t type_count;            /**< of `types` */
    int go_on;                    /**< 1: what is not found goes on to the handler; 0: it is
                                       answered 404, and another method 405. Default 1 */
} cmw_static_files_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_static_files_config_init(cmw_static_files_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->prefix = "/";
    config->index = "index.html";
    config->go_on = 1;
}

/**
 * Fill a descriptor.
 *
 * No link below the root is followed, no name that begins with a dot is served, and nothing else
 * than a regular file. Ranges: at most eight, which do not overlap; else 416. ETag is strong: the
 * time of the last change in nanoseconds, and the size. A file of more than 64 KiB is read while it
 * is sent, where the host streams; elsewhere it takes the request's memory (`limits.memory_bytes`).
 *
 * @return  0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option); CMW_ERR_IO
 *          for a root that cannot be opened; CMW_ERR_NOMEM
 * Cost:    allocates; a request costs some system calls, which may wait for a disk
 * Source:  RFC 9110, 8.8 (validators), 13 (conditions), 14 (ranges), 12.5.3 (Accept-Encoding)
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_static_files_create(cmw_engine *engine, cmw_middleware *middleware,
                                                  const cmw_static_files_config *config,
                                                  cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_STATIC_FILES_H */
