/* SPDX-License-Identifier: MIT */
/*
 * libcatzilla-mw-crypto: HMAC-SHA256 from OpenSSL's libcrypto, for signed cookies and whatever else
 * has a key ring.
 */
#ifndef CATZILLA_COMPONENT_CRYPTO_H
#define CATZILLA_COMPONENT_CRYPTO_H

#include <catzilla/engine.h>

CMW_BEGIN_DECLS

/**
 * Have an engine's key rings use libcrypto. Call it once, before chains are built.
 *
 * @return  what cmw_engine_set_mac_provider returned
 * Threads: any
 * Cost:    O(1); a code costs two blocks of SHA-256 and those of its message, and no allocation
 * Source:  RFC 2104; FIPS 180-4
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_crypto_install(cmw_engine *engine);

CMW_END_DECLS

#endif /* CATZILLA_COMPONENT_CRYPTO_H */
