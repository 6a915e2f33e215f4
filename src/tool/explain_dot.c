/* SPDX-License-Identifier: MIT */
/*
 * The explained plan as a graph: request, pre_route, handler, post_route, response, complete from
 * top to bottom, a box for each step; dashed, who reads what another sets.
 *
 * It is drawn from what cmw_plan_explain writes as JSON, so that it can say nothing else.
 */
#include "explain_dot.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- Names ------------------------------------------------------------------------------ */

static void put_quoted(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const json_t *find_middleware(const json_t *plan, const char *name)
{
    const json_t *const list = json_object_get(plan, "middleware");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text_of(json_array_get(list, i), "name"), name) == 0)
            return json_array_get(list, i);
    return NULL;
}

/* ---- Steps ------------------------------------------------------------------------------ */

static void put_conditions(FILE *out, const json_t *step)
{
    static const char *const members[][2] = {
        {"methods", ""}, {"hosts", ""}, {"paths", ""}, {"not_paths", "not "}};
    const json_t *const conditions = json_object_get(step, "conditions");

    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *const condition = json_array_get(conditions, i);
        for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
            const json_t *const list = json_object_get(condition, members[k][0]);
            for (size_t n = 0; n < json_array_size(list); n++) {
                fprintf(out, "%s%s", n > 0 ? " or " : "\\nif ", members[k][1]);
                put_quoted(out, json_string_value(json_array_get(list, n)));
            }
        }
        if (json_is_true(json_object_get(condition, "predicate")))
            fputs("\\nif its predicate says so", out);
    }
}

static void put_call(FILE *out, const json_t *plan, const json_t *step, int is_post)
{
    const char *const name = text_of(step, "name");
    const json_t *const middleware = find_middleware(plan, name);
    const json_t *const priority =
        json_object_get(middleware, is_post ? "post_priority" : "priority");

    put_quoted(out, name);
    fprintf(out, "\\n%lld", (long long)json_integer_value(priority));
    put_conditions(out, step);
    if (json_is_true(json_object_get(step, "if_entered")))
        fputs("\\nif entered", out);
    if (json_is_true(json_object_get(step, "shadowed")))
        fputs("\\nshadowed", out);
}

static void put_step(FILE *out, const json_t *plan, const json_t *step, size_t phase, size_t number,
                     int is_post)
{
    const char *const what = text_of(step, "step");

    fprintf(out, "    p%zu_%zu [label=\"", phase, number);
    if (strcmp(what, "call") == 0) {
        put_call(out, plan, step, is_post);
        fputs(json_is_true(json_object_get(step, "shadowed")) ? "\", style=dashed];\n" : "\"];\n",
              out);
    } else if (strcmp(what, "fields") == 0) {
        fprintf(out, "%lld constant fields",
                (long long)json_integer_value(json_object_get(step, "count")));
        put_conditions(out, step);
        fputs("\", style=dotted];\n", out);
    } else {
        fputs("conditions are decided\", shape=plaintext];\n", out);
    }
}

static void put_phase(FILE *out, const json_t *plan, const json_t *phase, size_t index)
{
    const json_t *const steps = json_object_get(phase, "steps");
    const json_t *const route = json_object_get(phase, "route");
    const char *const name = text_of(phase, "phase");
    const size_t count = json_array_size(steps);

    if (count == 0)
        return;
    fprintf(out, "  subgraph cluster_%zu {\n    label=\"%s", index, name);
    if (route)
        fprintf(out, " of route %lld", (long long)json_integer_value(route));
    fputs("\";\n", out);
    for (size_t i = 0; i < count; i++)
        put_step(out, plan, json_array_get(steps, i), index, i, strcmp(name, "post_route") == 0);
    for (size_t i = 1; i < count; i++)
        fprintf(out, "    p%zu_%zu -> p%zu_%zu;\n", index, i - 1, index, i);
    fputs("  }\n", out);
}

/* ---- Between phases --------------------------------------------------------------------- */

/* Where a phase stands in a request's life. */
static const struct {
    const char *phase, *before, *after, *style;
} places[] = {
    {"pre_route", "request", "handler", ""},
    {"request_body", "request", "handler", " [style=dashed]"},
    {"post_route", "handler", "response", ""},
    {"response_body", "handler", "response", " [style=dashed]"},
    {"error", "fault", "response", " [style=dashed]"},
    {"complete", "response", "end", ""},
};

static void put_links(FILE *out, const json_t *phase, size_t index)
{
    const size_t count = json_array_size(json_object_get(phase, "steps"));

    for (size_t i = 0; i < sizeof places / sizeof *places && count > 0; i++)
        if (strcmp(places[i].phase, text_of(phase, "phase")) == 0)
            fprintf(out, "  \"%s\" -> p%zu_0%s;\n  p%zu_%zu -> \"%s\"%s;\n", places[i].before,
                    index, places[i].style, index, count - 1, places[i].after, places[i].style);
}

/* A phase in which nothing runs is passed by. */
static void put_shortcuts(FILE *out, const json_t *phases)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t steps = 0;
        for (size_t k = 0; k < json_array_size(phases); k++)
            if (strcmp(places[i].phase, text_of(json_array_get(phases, k), "phase")) == 0)
                steps += json_array_size(json_object_get(json_array_get(phases, k), "steps"));
        if (steps == 0 && *places[i].style == '\0')
            fprintf(out, "  \"%s\" -> \"%s\";\n", places[i].before, places[i].after);
    }
}

/* ---- Facts ------------------------------------------------------------------------------ */

static int has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return 1;
    return 0;
}

/* The first step of a middleware, as "p1_2"; 0 if it has none. */
static int find_step(const json_t *plan, const char *name, size_t *phase, size_t *number)
{
    const json_t *const phases = json_object_get(plan, "phases");

    for (*phase = 0; *phase < json_array_size(phases); ++*phase) {
        const json_t *const steps = json_object_get(json_array_get(phases, *phase), "steps");
        for (*number = 0; *number < json_array_size(steps); ++*number) {
            const char *const step = text_of(json_array_get(steps, *number), "name");
            if (step && strcmp(step, name) == 0)
                return 1;
        }
    }
    return 0;
}

static void put_fact(FILE *out, const json_t *plan, const json_t *giver, const json_t *reader,
                     const char *fact)
{
    size_t phase, number;

    if (!find_step(plan, text_of(giver, "name"), &phase, &number))
        return;
    const size_t giver_phase = phase, giver_number = number;
    if (!find_step(plan, text_of(reader, "name"), &phase, &number))
        return;
    fprintf(out, "  p%zu_%zu -> p%zu_%zu [style=dashed, constraint=false, label=\"", giver_phase,
            giver_number, phase, number);
    put_quoted(out, fact);
    fputs("\"];\n", out);
}

static void put_facts_of(FILE *out, const json_t *plan, const json_t *giver, const char *relation)
{
    const json_t *const all = json_object_get(plan, "middleware");
    const json_t *const given = json_object_get(giver, relation);

    for (size_t i = 0; i < json_array_size(given); i++) {
        const char *const fact = json_string_value(json_array_get(given, i));
        for (size_t k = 0; k < json_array_size(all); k++) {
            const json_t *const reader = json_array_get(all, k);
            if (reader != giver && (has_text(json_object_get(reader, "requires"), fact) ||
                                    has_text(json_object_get(reader, "uses"), fact)))
                put_fact(out, plan, giver, reader, fact);
        }
    }
}

static void put_facts(FILE *out, const json_t *plan)
{
    const json_t *const all = json_object_get(plan, "middleware");

    for (size_t i = 0; i < json_array_size(all); i++) {
        put_facts_of(out, plan, json_array_get(all, i), "provides");
        put_facts_of(out, plan, json_array_get(all, i), "refines");
    }
}

/* ---- The graph -------------------------------------------------------------------------- */

static void put_graph(FILE *out, const json_t *plan)
{
    const json_t *const phases = json_object_get(plan, "phases");

    fputs("digraph plan {\n  node [shape=box];\n", out);
    fputs("  request, handler, response, end [shape=oval];\n", out);
    for (size_t i = 0; i < json_array_size(phases); i++)
        put_phase(out, plan, json_array_get(phases, i), i);
    for (size_t i = 0; i < json_array_size(phases); i++)
        put_links(out, json_array_get(phases, i), i);
    put_shortcuts(out, phases);
    put_facts(out, plan);
    fputs("}\n", out);
}

struct text {
    char *data;
    size_t len;
};

static int keep(void *self, const char *piece, size_t len)
{
    struct text *const text = self;
    char *const data = len < SIZE_MAX - text->len ? realloc(text->data, text->len + len) : NULL;

    if (!data)
        return CMW_ERR_NOMEM;
    memcpy(data + text->len, piece, len);
    text->data = data;
    text->len += len;
    return 0;
}

int explain_dot(const cmw_plan *plan, FILE *out)
{
    struct text text = {NULL, 0};

    int rc = cmw_plan_explain(plan, CMW_FORMAT_JSON, keep, &text);
    json_t *const json = rc == 0 ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    free(text.data);
    if (rc == 0 && !json)
        rc = CMW_ERR_NOMEM;
    if (json)
        put_graph(out, json);
    json_decref(json);
    return rc == 0 && ferror(out) ? CMW_ERR_IO : rc;
}
