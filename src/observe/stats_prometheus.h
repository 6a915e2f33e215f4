/* SPDX-License-Identifier: MIT */
/* CMW_FORMAT_PROMETHEUS of statistics. */
#ifndef CMW_OBSERVE_STATS_PROMETHEUS_H
#define CMW_OBSERVE_STATS_PROMETHEUS_H

#include <catzilla/stats.h>

/* 0, or what `write` returned. */
int cmw__stats_write_prometheus(const cmw_stats *stats, cmw_write_fn *write, void *self);

#endif /* CMW_OBSERVE_STATS_PROMETHEUS_H */
