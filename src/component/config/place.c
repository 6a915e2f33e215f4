/* SPDX-License-Identifier: MIT */
/*
 * From a value back to its line.
 *
 * jansson tells the line of a syntax error only. Here the text, which jansson has accepted, is
 * walked once more along the steps to the value; whatever lies beside the way is skipped.
 */
#include "document_state.h"

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
        at++;
    return at;
}

/* Past a string whose opening quote `at` stands on. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : at;
}

/* Past any value; objects and arrays by counting brackets, so that depth costs nothing. */
static const char *skip_value(const char *at)
{
    size_t depth = 0;

    do {
        at = skip_space(at);
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && depth > 0)
            depth--;
        else if (*at == ',' || *at == ':' || *at == '}' || *at == ']' || *at == '\0') {
            if (depth == 0 || *at == '\0')
                return at;
        } else {
            while (*at && !strchr(" \t\r\n,:{}[]\"", *at))
                at++;
            continue;
        }
        at++;
    } while (depth > 0);
    return at;
}

static const char *skip_key(const char *at)
{
    at = skip_space(skip_string(at));
    return *at == ':' ? skip_space(at + 1) : at;
}

/* The member or element with an ordinal, in the object or array that `at` stands on. */
static const char *find_child(const char *at, const struct step *step)
{
    at = skip_space(*at ? at + 1 : at);
    for (size_t i = 0; i < step->ordinal && *at && *at != '}' && *at != ']'; i++) {
        at = skip_space(skip_value(step->key ? skip_key(at) : at));
        if (*at == ',')
            at = skip_space(at + 1);
    }
    return at;
}

static const char *find_start(cmw_str text, const struct step *step)
{
    if (!step)
        return skip_space(text.data);
    const char *parent = find_start(text, step->parent);
    if (step->parent && step->parent->key)
        parent = skip_key(parent);
    return find_child(parent, step);
}

struct place cmw__place_of(cmw_str text, const struct step *step)
{
    const char *const start = find_start(text, step);
    struct place place = {1, 1};

    for (const char *at = text.data; at < start; at++) {
        place.column++;
        if (*at == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

struct step cmw__step_to(const json_t *object, const char *key, const struct step *parent)
{
    struct step step = {parent, key, 0};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (strcmp(name, key) == 0)
            break;
        step.ordinal++;
    }
    return step;
}
