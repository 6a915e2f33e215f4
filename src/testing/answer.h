/* SPDX-License-Identifier: MIT */
/*
 * A copy of a response that outlives its context.
 */
#ifndef CMW_TESTING_ANSWER_H
#define CMW_TESTING_ANSWER_H

#include <catzilla/response.h>

struct answer {
    int status; /* 0: none is kept */
    cmw_str head;
    cmw_str body;
    cmw_header *fields; /* name and value end with a NUL */
    size_t field_count;
    void *
        block; /* holds all of the above; of malloc, so that the engine's calls are not disturbed */
};

/* Copy `response`, over an answer that is empty. Aborts without memory. */
void cmw__answer_keep(struct answer *answer, const cmw_response *response);

/* Free what is kept. */
void cmw__answer_clear(struct answer *answer);

#endif /* CMW_TESTING_ANSWER_H */
