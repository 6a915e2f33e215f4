/* SPDX-License-Identifier: MIT */
/*
 * Numbers for well-known header fields.
 *
 * A field with an id is found without comparing names, and a response tests its presence with one
 * bit. Names are those of the IANA "HTTP Field Name" registry, plus a few that servers meet daily.
 * Numbers are part of the ABI: they are never reused, and new ones are appended.
 */
#ifndef CATZILLA_HEADER_ID_H
#define CATZILLA_HEADER_ID_H

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** X(constant, number, name): every known field. Numbers stay below 128. */
#define CMW_HEADER_LIST(X)                                                                         \
    X(ACCEPT, 1, "Accept")                                                                         \
    X(ACCEPT_CHARSET, 2, "Accept-Charset")                                                         \
    X(ACCEPT_ENCODING, 3, "Accept-Encoding")                                                       \
    X(ACCEPT_LANGUAGE, 4, "Accept-Language")                                                       \
    X(ACCEPT_RANGES, 5, "Accept-Ranges")                                                           \
    X(ACCESS_CONTROL_ALLOW_CREDENTIALS, 6, "Access-Control-Allow-Credentials")                     \
    X(ACCESS_CONTROL_ALLOW_HEADERS, 7, "Access-Control-Allow-Headers")                             \
    X(ACCESS_CONTROL_ALLOW_METHODS, 8, "Access-Control-Allow-Methods")                             \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, 9, "Access-Control-Allow-Origin")                               \
    X(ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK, 10, "Access-Control-Allow-Private-Network")            \
    X(ACCESS_CONTROL_EXPOSE_HEADERS, 11, "Access-Control-Expose-Headers")                          \
    X(ACCESS_CONTROL_MAX_AGE, 12, "Access-Control-Max-Age")                                        \
    X(ACCESS_CONTROL_REQUEST_HEADERS, 13, "Access-Control-Request-Headers")                        \
    X(ACCESS_CONTROL_REQUEST_METHOD, 14, "Access-Control-Request-Method")                          \
    X(ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK, 15, "Access-Control-Request-Private-Network")        \
    X(AGE, 16, "Age")                                                                              \
    X(ALLOW, 17, "Allow")                                                                          \
    X(ALT_SVC, 18, "Alt-Svc")                                                                      \
    X(AUTHORIZATION, 19, "Authorization")                                                          \
    X(CACHE_CONTROL, 20, "Cache-Control")                                                          \
    X(CACHE_STATUS, 21, "Cache-Status")                                                            \
    X(CLEAR_SITE_DATA, 22, "Clear-Site-Data")                                                      \
    X(CONNECTION, 23, "Connection")                                                                \
    X(CONTENT_DIGEST, 24, "Content-Digest")                                                        \
    X(CONTENT_DISPOSITION, 25, "Content-Disposition")                                              \
    X(CONTENT_ENCODING, 26, "Content-Encoding")                                                    \
    X(CONTENT_LANGUAGE, 27, "Content-Language")                                                    \
    X(CONTENT_LENGTH, 28, "Content-Length")                                                        \
    X(CONTENT_LOCATION, 29, "Content-Location")                                                    \
    X(CONTENT_RANGE, 30, "Content-Range")                                                          \
    X(CONTENT_SECURITY_POLICY, 31, "Content-Security-Policy")                                      \
    X(CONTENT_SECURITY_POLICY_REPORT_ONLY, 32, "Content-Security-Policy-Report-Only")              \
    X(CONTENT_TYPE, 33, "Content-Type")                                                            \
    X(COOKIE, 34, "Cookie")                                                                        \
    X(CROSS_ORIGIN_EMBEDDER_POLICY, 35, "Cross-Origin-Embedder-Policy")                            \
    X(CROSS_ORIGIN_OPENER_POLICY, 36, "Cross-Origin-Opener-Policy")                                \
    X(CROSS_ORIGIN_RESOURCE_POLICY, 37, "Cross-Origin-Resource-Policy")                            \
    X(DATE, 38, "Date")                                                                            \
    X(ETAG, 39, "ETag")                                                                            \
    X(EXPECT, 40, "Expect")                                                                        \
    X(EXPIRES, 41, "Expires")                                                                      \
    X(FORWARDED, 42, "Forwarded")                                                                  \
    X(HOST, 43, "Host")                                                                            \
    X(IDEMPOTENCY_KEY, 44, "Idempotency-Key")                                                      \
    X(IF_MATCH, 45, "If-Match")                                                                    \
    X(IF_MODIFIED_SINCE, 46, "If-Modified-Since")                                                  \
    X(IF_NONE_MATCH, 47, "If-None-Match")                                                          \
    X(IF_RANGE, 48, "If-Range")                                                                    \
    X(IF_UNMODIFIED_SINCE, 49, "If-Unmodified-Since")                                              \
    X(KEEP_ALIVE, 50, "Keep-Alive")                                                                \
    X(LAST_MODIFIED, 51, "Last-Modified")                                                          \
    X(LINK, 52, "Link")                                                                            \
    X(LOCATION, 53, "Location")                                                                    \
    X(ORIGIN, 54, "Origin")                                                                        \
    X(ORIGIN_AGENT_CLUSTER, 55, "Origin-Agent-Cluster")                                            \
    X(PERMISSIONS_POLICY, 56, "Permissions-Policy")                                                \
    X(PRAGMA, 57, "Pragma")                                                                        \
    X(PRIORITY, 58, "Priority")                                                                    \
    X(PROXY_AUTHENTICATE, 59, "Proxy-Authenticate")                                                \
    X(PROXY_AUTHORIZATION, 60, "Proxy-Authorization")                                              \
    X(RANGE, 61, "Range")                                                                          \
    X(RATELIMIT, 62, "RateLimit")                                                                  \
    X(RATELIMIT_POLICY, 63, "RateLimit-Policy")                                                    \
    X(REFERER, 64, "Referer")                                                                      \
    X(REFERRER_POLICY, 65, "Referrer-Policy")                                                      \
    X(RETRY_AFTER, 66, "Retry-After")                                                              \
    X(SEC_CH_UA, 67, "Sec-CH-UA")                                                                  \
    X(SEC_FETCH_DEST, 68, "Sec-Fetch-Dest")                                                        \
    X(SEC_FETCH_MODE, 69, "Sec-Fetch-Mode")                                                        \
    X(SEC_FETCH_SITE, 70, "Sec-Fetch-Site")                                                        \
    X(SEC_FETCH_USER, 71, "Sec-Fetch-User")                                                        \
    X(SERVER, 72, "Server")                                                                        \
    X(SERVER_TIMING, 73, "Server-Timing")                                                          \
    X(SET_COOKIE, 74, "Set-Cookie")                                                                \
    X(STRICT_TRANSPORT_SECURITY, 75, "Strict-Transport-Security")                                  \
    X(TE, 76, "TE")                                                                                \
    X(TRACEPARENT, 77, "traceparent")                                                              \
    X(TRACESTATE, 78, "tracestate")                                                                \
    X(TRAILER, 79, "Trailer")                                                                      \
    X(TRANSFER_ENCODING, 80, "Transfer-Encoding")                                                  \
    X(UPGRADE, 81, "Upgrade")                                                                      \
    X(UPGRADE_INSECURE_REQUESTS, 82, "Upgrade-Insecure-Requests")                                  \
    X(USER_AGENT, 83, "User-Agent")                                                                \
    X(VARY, 84, "Vary")                                                                            \
    X(VIA, 85, "Via")                                                                              \
    X(WWW_AUTHENTICATE, 86, "WWW-Authenticate")                                                    \
    X(X_API_KEY, 87, "X-API-Key")                                                                  \
    X(X_CONTENT_TYPE_OPTIONS, 88, "X-Content-Type-Options")                                        \
    X(X_DNS_PREFETCH_CONTROL, 89, "X-DNS-Prefetch-Control")                                        \
    X(X_DOWNLOAD_OPTIONS, 90, "X-Download-Options")                                                \
    X(X_FORWARDED_FOR, 91, "X-Forwarded-For")                                                      \
    X(X_FORWARDED_HOST, 92, "X-Forwarded-Host")                                                    \
    X(X_FORWARDED_PORT, 93, "X-Forwarded-Port")                                                    \
    X(X_FORWARDED_PREFIX, 94, "X-Forwarded-Prefix")                                                \
    X(X_FORWARDED_PROTO, 95, "X-Forwarded-Proto")                                                  \
    X(X_FRAME_OPTIONS, 96, "X-Frame-Options")                                                      \
    X(X_PERMITTED_CROSS_DOMAIN_POLICIES, 97, "X-Permitted-Cross-Domain-Policies")                  \
    X(X_POWERED_BY, 98, "X-Powered-By")                                                            \
    X(X_RATELIMIT_LIMIT, 99, "X-RateLimit-Limit")                                                  \
    X(X_RATELIMIT_REMAINING, 100, "X-RateLimit-Remaining")                                         \
    X(X_RATELIMIT_RESET, 101, "X-RateLimit-Reset")                                                 \
    X(X_REAL_IP, 102, "X-Real-IP")                                                                 \
    X(X_REQUEST_ID, 103, "X-Request-ID")                                                           \
    X(X_REQUESTED_WITH, 104, "X-Requested-With")                                                   \
    X(X_XSS_PROTECTION, 105, "X-XSS-Protection")

/** A known field. 0 is "none of these". */
typedef enum cmw_header_id {
    CMW_HDR_OTHER = 0,
#define CMW_HEADER_ENUM(constant, number, name) CMW_HDR_##constant = (number),
    CMW_HEADER_LIST(CMW_HEADER_ENUM)
#undef CMW_HEADER_ENUM
        CMW_HDR_LIMIT = 128 /**< every id, now and later, is below this */
} cmw_header_id;

/**
 * The id of a field name, in any case.
 *
 * @return  CMW_HDR_OTHER when it is not a known one
 * Threads: any
 * Cost:    O(name.len), about 40 instructions; no allocation
 * Since:   0.1
 */
CMW_API cmw_header_id cmw_header_id_find(cmw_str name);

/** The registered spelling of an id, static; empty for CMW_HDR_OTHER and unknown ids. */
CMW_API cmw_str cmw_header_id_name(cmw_header_id id);

/** 1 if the bytes are a field name: one or more `tchar`. Source: RFC 9110, 5.1 and 5.6.2. */
CMW_API int cmw_header_name_is_valid(cmw_str name);

/**
 * 1 if the bytes can be a field value: no CR, LF, NUL or other control except HTAB.
 *
 * Bytes above 0x7F are allowed (obs-text). Leading and trailing blanks are allowed here; what
 * stores a value for a response refuses them.
 *
 * Threads: any
 * Cost:    O(len), 16 bytes at a time
 * Source:  RFC 9110, 5.5
 * Since:   0.1
 */
CMW_API int cmw_header_value_is_valid(cmw_str value);

/** A set of known fields: bit `id & 63` of word `id / 64`. All zero: empty. */
typedef struct cmw_header_set {
    uint64_t bits[2];
} cmw_header_set;

/** Put a field into a set; an id that is not below CMW_HDR_LIMIT is left out. Cost: O(1). */
static inline void cmw_header_set_add(cmw_header_set *set, cmw_header_id id)
{
    if ((unsigned)id < CMW_HDR_LIMIT)
        set->bits[(unsigned)id >> 6] |= (uint64_t)1 << ((unsigned)id & 63);
}

/** A field as name and value, both borrowed. */
typedef struct cmw_header {
    cmw_str name;
    cmw_str value;
} cmw_header;

CMW_END_DECLS

#endif /* CATZILLA_HEADER_ID_H */
