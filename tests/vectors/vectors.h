/* SPDX-License-Identifier: MIT */
/* What answers `function` cases: the functions of the files beside vectors.c. */
#ifndef CMW_VECTORS_H
#define CMW_VECTORS_H

#include <jansson.h>

/* Put the answer to `input` into `answer`. */
typedef void function_fn(const json_t *input, json_t *answer);

function_fn answer_sf_parse, answer_sf_serialize;
function_fn answer_cookie_serialize, answer_cookie_sign, answer_cookie_unsign;

#endif /* CMW_VECTORS_H */
