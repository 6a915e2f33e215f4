/* SPDX-License-Identifier: MIT */
/*
 * libcatzilla-mw: a middleware engine for any C HTTP server. This header includes the core.
 *
 * Adapters are in <catzilla/adapter/>, components that need a library of their own in
 * <catzilla/component/>, the testing kit in <catzilla/testing.h>.
 */
#ifndef CATZILLA_MW_H
#define CATZILLA_MW_H

#include <catzilla/address.h>
#include <catzilla/allocator.h>
#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/body.h>
#include <catzilla/chain.h>
#include <catzilla/context.h>
#include <catzilla/cookie.h>
#include <catzilla/encoding.h>
#include <catzilla/engine.h>
#include <catzilla/hash.h>
#include <catzilla/header_id.h>
#include <catzilla/http_date.h>
#include <catzilla/json.h>
#include <catzilla/key_ring.h>
#include <catzilla/middleware.h>
#include <catzilla/negotiate.h>
#include <catzilla/network.h>
#include <catzilla/precondition.h>
#include <catzilla/principal.h>
#include <catzilla/request.h>
#include <catzilla/response.h>
#include <catzilla/secret.h>
#include <catzilla/service.h>
#include <catzilla/stats.h>
#include <catzilla/store.h>
#include <catzilla/structured_field.h>
#include <catzilla/switch.h>

#endif /* CATZILLA_MW_H */
