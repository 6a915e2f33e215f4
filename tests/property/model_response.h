/* SPDX-License-Identifier: MIT */
/* The model's response: a status, a text, and a plain list of fields. */
#ifndef CMW_TESTS_MODEL_RESPONSE_H
#define CMW_TESTS_MODEL_RESPONSE_H

#include "model.h"

/* A response field, and whether the handler set it or it followed the kind of body. */
struct model_field {
    const char *name;
    char value[64];
    int is_handlers;
    int is_inferred;
};

struct model_response {
    int status;
    char body[64];
    int count;
    struct model_field fields[FIELDS_MAX];
};

/* 1 if two names of fields are the same one. */
int same_name(const char *a, const char *b);
/* The first field of a name, or ABSENT. */
int find_field(const struct model_response *response, const char *name);
void remove_fields(struct model_response *response, const char *name);
void append_field(struct model_response *response, const char *name, const char *value,
                  int is_handlers);
/* A content type that followed the kind of body goes with it. */
void remove_inferred(struct model_response *response);
/* The type of a text body, unless one was set by hand. */
void infer_text(struct model_response *response, int is_handlers);
/* What the library answers by itself. */
void make_plain(struct model_response *response, int status);
void drop_for_fault(struct model_response *response);

#endif /* CMW_TESTS_MODEL_RESPONSE_H */
