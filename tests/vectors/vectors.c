/* SPDX-License-Identifier: MIT */
/*
 * catzilla-mw-vectors: answers the `function` cases of the vectors.
 *
 * Reads a JSON line {"id", "fn", "input"} after another and writes {"id", ...answer} for each.
 */
#include <catzilla/mw.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

static cmw_str text_of(const json_t *input, const char *name)
{
    const json_t *const value = json_object_get(input, name);

    return cmw_str_make(json_string_value(value), json_string_length(value));
}

static void answer_ip_parse(const json_t *input, json_t *answer)
{
    char canonical[CMW_ADDRESS_TEXT_CAP];
    cmw_address address;

    const int is_good = cmw_address_parse(&address, text_of(input, "text")) == 0;
    json_object_set_new(answer, "ok", json_boolean(is_good));
    if (is_good && cmw_address_format(&address, canonical) > 0)
        json_object_set_new(answer, "canonical", json_string(canonical));
}

/* Dates of two digits are read as of 2026. */
static void answer_http_date_parse(const json_t *input, json_t *answer)
{
    int64_t epoch_s;

    const int is_good = cmw_http_date_parse(&epoch_s, text_of(input, "text"), 1767225600) == 0;
    json_object_set_new(answer, "ok", json_boolean(is_good));
    if (is_good)
        json_object_set_new(answer, "epoch", json_integer(epoch_s));
}

static void answer_http_date_format(const json_t *input, json_t *answer)
{
    char text[CMW_HTTP_DATE_LEN];
    const json_int_t epoch_s = json_integer_value(json_object_get(input, "epoch"));

    (void)cmw_http_date_format(text, epoch_s);
    json_object_set_new(answer, "text", json_stringn(text, sizeof text));
}

struct function {
    const char *name;
    function_fn *answer;
};

static const struct function functions[] = {
#if VECTORS_SIGN
    {"cookie_serialize", answer_cookie_serialize},
    {"cookie_sign", answer_cookie_sign},
    {"cookie_unsign", answer_cookie_unsign},
#endif
    {"http_date_format", answer_http_date_format},
    {"http_date_parse", answer_http_date_parse},
    {"ip_parse", answer_ip_parse},
    {"sf_parse", answer_sf_parse},
    {"sf_serialize", answer_sf_serialize},
};

static void answer_line(const json_t *question)
{
    const char *const name = json_string_value(json_object_get(question, "fn"));
    json_t *const answer = json_object();
    const struct function *found = NULL;

    for (size_t i = 0; name && i < LEN(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            found = &functions[i];
    json_object_set(answer, "id", json_object_get(question, "id"));
    if (found)
        found->answer(json_object_get(question, "input"), answer);
    else
        json_object_set_new(answer, "unsupported", json_true());
    json_dumpf(answer, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(answer);
}

int main(void)
{
    json_t *question;
    json_error_t error;

    while ((question = json_loadf(stdin, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error)) !=
           NULL) {
        answer_line(question);
        json_decref(question);
    }
    if (json_error_code(&error) == json_error_premature_end_of_input)
        return 0;
    fprintf(stderr, "catzilla-mw-vectors: %s\n", error.text);
    return 1;
}
