/* SPDX-License-Identifier: MIT */
/*
 * Switches: named booleans of an engine that a program throws while it serves (maintenance,
 * draining).
 */
#ifndef CATZILLA_SWITCH_H
#define CATZILLA_SWITCH_H

#include <catzilla/base.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** A switch. Any thread may read and throw it. */
typedef struct cmw_switch cmw_switch;

/**
 * The switch with a name, off if it was not there. It goes on, as it stands, until the last one who
 * retained it releases it: a reload does not throw it.
 *
 * @param[out] out   unchanged on failure
 * @param      name  1 to 64 characters
 * @return           0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Threads:          any
 * Cost:             allocates; for configuration time
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_switch_retain(cmw_engine *engine, cmw_switch **out, const char *name);

/** Let go of it. NULL is ignored. */
CMW_API void cmw_switch_release(cmw_engine *engine, cmw_switch *which);

/** Throw it: 0 is off, another number on. Seen by requests that read it afterwards. Cost: O(1). */
CMW_API void cmw_switch_set(cmw_switch *which, int is_on);

/** 1 if it is on. Cost: a load. */
CMW_API int cmw_switch_is_on(const cmw_switch *which);

CMW_END_DECLS

#endif /* CATZILLA_SWITCH_H */
