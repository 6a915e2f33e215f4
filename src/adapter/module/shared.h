/* SPDX-License-Identifier: MIT */
/* Memory that a process shares with those that are forked from it. */
#ifndef CMW_MODULE_SHARED_H
#define CMW_MODULE_SHARED_H

#include <catzilla/allocator.h>

/* For cmw_engine_config.shared_allocator: pieces aligned to 4096 are mapped shared, others come
 * from the system's allocator. Static. */
const cmw_allocator *shared_allocator(void);

#endif /* CMW_MODULE_SHARED_H */
