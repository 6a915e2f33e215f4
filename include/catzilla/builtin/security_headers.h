/* SPDX-License-Identifier: MIT */
/*
 * `security_headers`: the response fields by which a browser is told to be careful.
 *
 * Kind name "security_headers", priority 200, in post_route 60,000: the last that touches a
 * response. All fields but two are constants of the plan: Strict-Transport-Security goes out over
 * https only (RFC 6797, 7.2), and a Content-Security-Policy with a nonce is new for each request;
 * then slot "csp_nonce" (cmw_csp_nonce) is provided, for handlers to put into their pages.
 */
#ifndef CATZILLA_BUILTIN_SECURITY_HEADERS_H
#define CATZILLA_BUILTIN_SECURITY_HEADERS_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** What is sent of fields that the config does not name. */
typedef enum cmw_security_profile {
    CMW_SECURITY_HELMET = 0, /**< the fields and values of helmet 8: see the members */
    CMW_SECURITY_GIVEN = 1   /**< nothing */
} cmw_security_profile;

/** What becomes of a field that the response has already. */
typedef enum cmw_security_mode {
    CMW_SECURITY_IF_ABSENT = 0, /**< it stays */
    CMW_SECURITY_FORCE = 1      /**< it is replaced */
} cmw_security_mode;

/** A Content-Security-Policy in parts. Clear with memset. */
typedef struct cmw_csp {
    const cmw_option_list *directives; /**< name and values, "img-src": "'self'", "data:" */
    size_t directive_count;
    int use_defaults; /**< 1: helmet's directives, where no other of the name is given. Without
                           directives they are what is sent */
    int report_only;  /**< 1: in Content-Security-Policy-Report-Only, which forbids nothing */
    int nonce;        /**< 1: as the value 'nonce' in script-src and style-src. One that is not
                           given is made from default-src */
} cmw_csp;

/** A Strict-Transport-Security in parts. Clear with cmw_hsts_init. */
typedef struct cmw_hsts {
    int64_t max_age_s;      /**< default 31,536,000: a year. 0 makes browsers forget */
    int include_subdomains; /**< 1: for all hosts below this one too */
    int preload;            /**< 1: to be built into browsers: a year at least, with subdomains */
} cmw_hsts;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_hsts_init(cmw_hsts *hsts)
{
    memset(hsts, 0, sizeof *hsts);
    hsts->max_age_s = 31536000;
}

/**
 * Fields switched by hand. -1: as text, parts and profile say; 0: not sent; 1: sent with the value
 * of the profile (for those that it does not send: see the members of the config).
 */
typedef struct cmw_security_switches {
    int content_security_policy;
    int cross_origin_embedder_policy;
    int cross_origin_opener_policy;
    int cross_origin_resource_policy;
    int origin_agent_cluster;
    int referrer_policy;
    int strict_transport_security;
    int x_content_type_options;
    int x_dns_prefetch_control;
    int x_download_options;
    int x_frame_options;
    int x_permitted_cross_domain_policies;
    int x_powered_by; /**< 1: removed from responses (by the profile, too); 0: left alone */
    int x_xss_protection;
    int permissions_policy; /**< 0 only: it has no value to be switched on with */
} cmw_security_switches;

/**
 * Options. A text is the value of its field; NULL: as the profile says, which is named beside it;
 * "": the field is not sent. Choices may be in any case. Clear with
 * cmw_security_headers_config_init.
 */
typedef struct cmw_security_headers_config {
    size_t size;                                   /**< set by cmw_security_headers_config_init */
    const char *content_security_policy;           /**< default-src 'self';base-uri 'self';
                                                        font-src 'self' https: data:;
                                                        form-action 'self';
                                                        frame-ancestors 'self';img-src 'self' data:;
                                                        object-src 'none';script-src 'self';
                                                        script-src-attr 'none';
                                                        style-src 'self' https: 'unsafe-inline';
                                                        upgrade-insecure-requests. A source 'nonce'
                                                        stands for the request's nonce */
    const char *cross_origin_embedder_policy;      /**< not sent; by switch require-corp. Or
                                                        credentialless, unsafe-none */
    const char *cross_origin_opener_policy;        /**< same-origin. Or same-origin-allow-popups,
                                                        noopener-allow-popups, unsafe-none */
    const char *cross_origin_resource_policy;      /**< same-origin. Or same-site, cross-origin */
    const char *origin_agent_cluster;              /**< ?1. Or ?0 */
    const char *permissions_policy;                /**< not sent */
    const char *referrer_policy;                   /**< no-referrer. Several: "a, b" */
    const char *strict_transport_security;         /**< max-age=31536000; includeSubDomains */
    const char *x_content_type_options;            /**< nosniff */
    const char *x_dns_prefetch_control;            /**< off. Or on */
    const char *x_download_options;                /**< noopen */
    const char *x_frame_options;                   /**< SAMEORIGIN. Or DENY */
    const char *x_permitted_cross_domain_policies; /**< none. Or master-only, by-content-type,
                                                        by-ftp-filename, all, none-this-response */
    const char *x_xss_protection;                  /**< 0. Or 1; mode=block */

    int profile;                          /**< cmw_security_profile. Since 0.1 */
    int mode;                             /**< cmw_security_mode */
    const cmw_csp *csp;                   /**< in place of the text; or NULL */
    const cmw_hsts *hsts;                 /**< in place of the text; or NULL */
    const char *const *referrer_policies; /**< in place of the text: the last one that a browser
                                               knows counts; or NULL */
    size_t referrer_policy_count;
    const cmw_option_list *permissions; /**< in place of the text: feature and who may use it
                                             ("self", "*", "src", origins; none: nobody) */
    size_t permission_count;
    cmw_security_switches switches;
    int remove_server;    /**< 1: Server is removed from responses. Default 0 */
    int hsts_to_loopback; /**< 1: Strict-Transport-Security also to clients of this machine, which
                               over http are a proxy that ended TLS, or a developer's browser, which
                               ignores it (RFC 6797, 8.1). Default 1 */
} cmw_security_headers_config;

/** Fill the defaults: helmet's. Cost: O(1). */
static inline void cmw_security_headers_config_init(cmw_security_headers_config *config)
{
    memset(config, 0, sizeof *config);
    memset(&config->switches, -1, sizeof config->switches);
    config->size = sizeof *config;
    config->hsts_to_loopback = 1;
}

/** The value of slot "csp_nonce": 128 random bits in base64, new for each request. */
typedef struct cmw_csp_nonce {
    uint32_t len;  /**< 24 */
    char text[28]; /**< NUL-terminated; can stand in an attribute as it is */
} cmw_csp_nonce;

/**
 * Fill a descriptor.
 *
 * @param config  copied; NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a value that its field does not have, or
 *                that is unsafe (`diag` names option and value); CMW_ERR_CONFLICT for slot
 *                "csp_nonce" of another shape; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy; `fields` are in it
 * Cost:          allocates; a request costs one push of a block, one more over https, and with a
 *                nonce the writing of the policy
 * Source:        Fetch, CSP 3, HTML, Permissions Policy, Referrer Policy, RFC 6797; the profile is
 *                that of helmet 8
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_security_headers_create(cmw_engine *engine,
                                                      cmw_middleware *middleware,
                                                      const cmw_security_headers_config *config,
                                                      cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_SECURITY_HEADERS_H */
