/* SPDX-License-Identifier: MIT */
/*
 * The jemalloc allocator, in a library of its own (libcatzilla-mw-jemalloc).
 *
 * The core does not link jemalloc: Debian's uses initial-exec TLS and cannot be loaded with dlopen,
 * so that a program links it and a module or a binding does not. What
 * linking it means for the host's own malloc is in docs/reference.md.
 */
#ifndef CATZILLA_COMPONENT_JEMALLOC_H
#define CATZILLA_COMPONENT_JEMALLOC_H

#include <catzilla/allocator.h>

CMW_BEGIN_DECLS

/**
 * An allocator that opens one jemalloc arena for each pool, without thread caches.
 *
 * @return  static; give it to cmw_engine_config.allocator
 * Threads: any
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API const cmw_allocator *cmw_allocator_jemalloc(void);

CMW_END_DECLS

#endif /* CATZILLA_COMPONENT_JEMALLOC_H */
