/* SPDX-License-Identifier: MIT */
/* The members of an item, which are read by the same tables and readers as options. */
#include "item.h"

static const cmw_option when_options[] = {
    {.name = "methods",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct when, methods),
     .help = "Any of these methods"},
    {.name = "hosts",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct when, hosts),
     .help = "Any of these hosts: a.example, or *.a.example for every name below it"},
    {.name = "paths",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct when, paths),
     .help = "Any of these patterns and none that begins with '!': /health, /api/*, /users/{id}"},
    {.name = "unless",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct when, unless),
     .help = "Not where the instance of skip with this name says so"},
};

#define WHEN                                                                                       \
    {                                                                                              \
        .name = "when", .type = CMW_OPTION_OBJECT, .offset = offsetof(struct item, when),          \
        .members = when_options, .member_count = LEN(when_options),                                \
        .object_size = sizeof(struct when),                                                        \
        .help = "Requests that it applies to: all of the members that are given must hold"         \
    }

const cmw_option cmw__use_options[] = {
    {.name = "use",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct item, use),
     .flags = CMW_OPTION_REQUIRED,
     .help = "The kind of middleware"},
    {.name = "name",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct item, name),
     .help = "Of the instance, unique in the chain; else the kind's"},
    {.name = "options", .type = CMW__OPTION_ANY, .help = "Options of the kind"},
    {.name = "priority",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct item, priority),
     .min = 0,
     .max = CMW_PRIORITY_MAX,
     .help = "Lower runs first; else the kind's"},
    {.name = "post_priority",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct item, post_priority),
     .min = 0,
     .max = CMW_PRIORITY_MAX,
     .help = "The same for post_route; else the kind's"},
    {.name = "failure",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(struct item, failure),
     .choices = "closed|open|status",
     .help = "What a fault of its own means: the request fails, goes on, or fails with "
             "failure_status"},
    {.name = "failure_status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct item, failure_status),
     .min = 400,
     .max = 599,
     .help = "The status of failure \"status\""},
    {.name = "enabled",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(struct item, enabled),
     .help = "False: checked, but not run"},
    {.name = "shadow",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(struct item, shadow),
     .help = "True: run without effect; what it would have done is counted"},
    WHEN,
    {.name = "waive",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(struct item, waive),
     .help = "Slots and facts whose order rules it need not keep"},
};

const size_t cmw__use_option_count = LEN(cmw__use_options);

const cmw_option cmw__group_options[] = {
    {.name = "group",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct item, group),
     .flags = CMW_OPTION_REQUIRED,
     .help = "The group's name"},
    WHEN,
    {.name = "route",
     .type = CMW_OPTION_INT,
     .offset = offsetof(struct item, route),
     .min = 0,
     .max = (int64_t)CMW_NONE - 1,
     .help = "Run only when the server enters the route with this id"},
    {.name = "middleware",
     .type = CMW__OPTION_ANY,
     .flags = CMW_OPTION_REQUIRED,
     .help = "What is in the group"},
};

const size_t cmw__group_option_count = LEN(cmw__group_options);

static void clear(struct item *item)
{
    memset(item, 0, sizeof *item);
    item->priority = ITEM_UNSET;
    item->post_priority = ITEM_UNSET;
    item->failure_status = ITEM_UNSET;
    item->route = ITEM_UNSET;
    item->failure = ITEM_UNSET;
    item->enabled = 1;
}

void cmw__read_use(cmw_document *document, struct item *item, const json_t *value,
                   const struct step *at)
{
    const struct table table = {cmw__use_options, LEN(cmw__use_options), "member", NULL, 0};

    clear(item);
    cmw__fill(document, document->scratch, item, &table, value, at);
}

void cmw__read_group(cmw_document *document, struct item *item, const json_t *value,
                     const struct step *at)
{
    const struct table table = {cmw__group_options, LEN(cmw__group_options), "member of a", "group",
                                0};

    clear(item);
    cmw__fill(document, document->scratch, item, &table, value, at);
}
