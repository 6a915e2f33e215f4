/* SPDX-License-Identifier: MIT */
/*
 * Compression of responses and decompression of requests, in a library of its own
 * (libcatzilla-mw-compression; zlib, brotli, zstd).
 *
 * Two kinds, to be registered with the engine before they are used by name:
 *
 *     cmw_kind_register(engine, cmw_compression_kind());      "compression"
 *     cmw_kind_register(engine, cmw_decompression_kind());    "decompression"
 */
#ifndef CATZILLA_COMPONENT_COMPRESSION_H
#define CATZILLA_COMPONENT_COMPRESSION_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** When what was compressed so far is handed on. */
typedef enum cmw_compression_flush {
    CMW_COMPRESSION_FLUSH_AUTO = 0, /**< with each piece of a text/event-stream, else when a buffer
                                       is full */
    CMW_COMPRESSION_FLUSH_CHUNK = 1 /**< with each piece of a body that is made while it is sent */
} cmw_compression_flush;

/** Options of "compression". Clear with cmw_compression_config_init. */
typedef struct cmw_compression_config {
    size_t size;                  /**< set by cmw_compression_config_init */
    const char *const *encodings; /**< "br", "zstd", "gzip", "deflate": what is offered; the first
                                     one wins among those that a client wants equally. Default br,
                                     zstd, gzip */
    size_t encoding_count;
    const char *const *types; /**< media types that shrink: "text/" and "*", "application/json", or
                                   "*" and "+json". Default: text, JSON, XML, JavaScript, SVG, wasm
                                 and their like. text/event-stream only if it is named itself */
    size_t type_count;
    int64_t min_size;   /**< shorter bodies are left alone. Default 1,024 */
    int64_t level;      /**< of gzip and deflate, 1..9. Default 6 */
    int64_t br_quality; /**< 0..11. Default 4 */
    int64_t zstd_level; /**< 1..19. Default 3 */
    int flush;          /**< cmw_compression_flush. Default: auto */
} cmw_compression_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_compression_config_init(cmw_compression_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->min_size = 1024;
    config->level = 6;
    config->br_quality = 4;
    config->zstd_level = 3;
}

/**
 * Fill a descriptor that compresses responses.
 *
 * Priority 850, in post_route 20000: behind those that make the body or look at it or its ETag. It
 * can only fail closed; a body for which there is no memory is left as it is.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates. A request that is compressed takes an encoder of its worker's, which is
 *                made once and used again: no allocator call of ours when warm
 * Source:        RFC 9110, 8.4, 8.8.1, 12.5.3, 12.5.5; RFC 1950 to 1952, 7932, 8878
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_compression_create(cmw_engine *engine, cmw_middleware *middleware,
                                                 const cmw_compression_config *config,
                                                 cmw_diag *diag);

/** The kind "compression". Static. */
CMW_API const cmw_kind *cmw_compression_kind(void);

/** Options of "decompression". Clear with cmw_decompression_config_init. */
typedef struct cmw_decompression_config {
    size_t size;                  /**< set by cmw_decompression_config_init */
    const char *const *encodings; /**< what is accepted; others are answered 415. Default br, zstd,
                                       gzip, deflate */
    size_t encoding_count;
    int64_t limit_bytes; /**< that a body may have when it is decoded; 0: the request's own limit,
                            which holds anyway. Default 0 */
    int64_t max_ratio;   /**< bytes out for one byte in, beyond the first 64 KiB out. Default 100 */
} cmw_decompression_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_decompression_config_init(cmw_decompression_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->max_ratio = 100;
}

/**
 * Fill a descriptor that decodes the bodies of requests.
 *
 * Priority 290. Content-Encoding is taken from the request view. A coding that is not accepted, or
 * more than one, is answered 415 with Accept-Encoding; a body that is not what it says 400; one
 * that grows beyond a limit 413.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates. A request that is decoded takes a decoder of its worker's, which is
 *                made once and used again
 * Source:        RFC 9110, 8.4, 12.5.3 and 15.5.16
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_decompression_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_decompression_config *config,
                                                   cmw_diag *diag);

/** The kind "decompression". Static. */
CMW_API const cmw_kind *cmw_decompression_kind(void);

CMW_END_DECLS

#endif /* CATZILLA_COMPONENT_COMPRESSION_H */
