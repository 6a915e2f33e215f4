/* SPDX-License-Identifier: MIT */
/* A plan as a graph. */
#ifndef CMW_TOOL_EXPLAIN_DOT_H
#define CMW_TOOL_EXPLAIN_DOT_H

#include <catzilla/mw.h>

#include <stdio.h>

/* Write a plan in the language of Graphviz. 0, CMW_ERR_NOMEM or CMW_ERR_IO. */
int explain_dot(const cmw_plan *plan, FILE *out);

#endif /* CMW_TOOL_EXPLAIN_DOT_H */
