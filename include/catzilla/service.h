/* SPDX-License-Identifier: MIT */
/*
 * Services: objects that middleware asks for by name (dependency injection).
 *
 * A service is declared, which gives its handle, and defined, which says how it is made. Names and
 * cycles are checked when a chain compiles; a request reaches a service by its handle, without
 * hashing.
 */
#ifndef CATZILLA_SERVICE_H
#define CATZILLA_SERVICE_H

#include <catzilla/base.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** A handle, good for the engine's whole life. */
typedef uint32_t cmw_service;

/** How long an object lives. */
typedef enum cmw_service_scope {
    CMW_SERVICE_SINGLETON = 0, /**< made once, when the first plan that needs it compiles; destroyed
                                    with the engine, in reverse order of making */
    CMW_SERVICE_REQUEST = 1,   /**< made on the first ask of a request, destroyed at its end */
    CMW_SERVICE_TRANSIENT = 2  /**< made on every ask, destroyed at the request's end */
} cmw_service_scope;

/** Where a factory finds what it depends on. Valid during the factory's call. */
typedef struct cmw_resolver cmw_resolver;

/**
 * Make an object.
 *
 * Singletons are made on the thread that compiles; others on the context's worker, which
 * cmw_resolver_ctx gives.
 *
 * @param[out] object  not NULL when 0 is returned
 * @return             0, or an error: compiling fails with it, or the ask returns it
 */
typedef int cmw_service_create_fn(void *self, void **object, cmw_resolver *resolver);

/** How a service is made. Clear with cmw_service_config_init. Copied. */
typedef struct cmw_service_config {
    size_t size;   /**< set by cmw_service_config_init */
    int32_t scope; /**< cmw_service_scope */
    cmw_service_create_fn *create;
    void (*destroy)(void *self, void *object); /**< or NULL */
    void *self;                                /**< for both; must outlive the engine */
    const char *const *depends;                /**< names of the services that `create` asks for */
    size_t depend_count;
} cmw_service_config;

static inline void cmw_service_config_init(cmw_service_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * The handle of a name, whether or not it is defined yet.
 *
 * @return  0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Threads: any; before chains that need it are compiled
 * Cost:    O(services); allocates
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_service_declare(cmw_engine *engine, cmw_service *service,
                                              const char *name);

/**
 * Say how a service is made.
 *
 * @return 0; CMW_ERR_EXISTS if it is defined already; CMW_ERR_ARG; CMW_ERR_NOMEM
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_service_define(cmw_engine *engine, const char *name,
                                             const cmw_service_config *config);

/** Define a singleton that exists already; the engine never destroys it. */
CMW_API CMW_NODISCARD int cmw_service_define_object(cmw_engine *engine, const char *name,
                                                    void *object);

/**
 * Say that a chain's middleware asks for a service.
 *
 * Compiling refuses a chain whose services are missing, or where a singleton depends on a
 * shorter-lived one, and while any services of the engine form a cycle. Singletons needed are made
 * then.
 *
 * @return 0, CMW_ERR_NOT_FOUND without such a middleware, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Since:  0.1
 */
struct cmw_chain;
CMW_API CMW_NODISCARD int cmw_chain_needs_service(struct cmw_chain *chain, const char *middleware,
                                                  cmw_service service);

/**
 * The object of a service, for this request.
 *
 * @param[out] object  unchanged on failure
 * @return             0; CMW_ERR_NOT_FOUND if it was not defined when the request's plan compiled;
 *                     CMW_ERR_STATE for a singleton that no chain had needed by then;
 *                     CMW_ERR_NOMEM; what the factory returned
 * Ownership:          the engine's: until its scope ends
 * Threads:            the context's worker
 * Cost:               a load for a singleton; O(request services made) for a request's own
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_service(cmw_ctx *ctx, cmw_service service, void **object);

/** For factories: the object of a service that `depends` names; CMW_ERR_NOT_FOUND otherwise. */
CMW_API CMW_NODISCARD int cmw_resolver_get(cmw_resolver *resolver, const char *name, void **object);

/** For factories: the request, or NULL when a singleton is made. */
CMW_API cmw_ctx *cmw_resolver_ctx(cmw_resolver *resolver);

CMW_END_DECLS

#endif /* CATZILLA_SERVICE_H */
