/* SPDX-License-Identifier: MIT */
/* An item of "middleware": an instance of a kind, or a group of items. */
#ifndef CMW_CONFIG_ITEM_H
#define CMW_CONFIG_ITEM_H

#include "document_state.h"

/* A member that the file does not say. */
#define ITEM_UNSET (-1)

struct when {
    const char *const *methods;
    size_t method_count;
    const char *const *hosts;
    size_t host_count;
    const char *const *paths;
    size_t path_count;
    const char *unless;
};

struct item {
    const char *use;
    const char *name;
    const char *group;
    int64_t priority;
    int64_t post_priority;
    int64_t failure_status;
    int64_t route;
    int failure; /* cmw_failure_policy */
    int enabled;
    int shadow;
    const struct when *when;
    const char *const *waive;
    size_t waive_count;
};

/* Read one; what is wrong is noted and left unset. Lists live in the scratch arena. */
void cmw__read_use(cmw_document *document, struct item *item, const json_t *value,
                   const struct step *at);
void cmw__read_group(cmw_document *document, struct item *item, const json_t *value,
                     const struct step *at);

/* Waive the rules that items name, once all of them are in the chain. */
void cmw__apply_waivers(cmw_document *document, cmw_chain *chain);

/* The tables that are read by, for the schema. */
extern const cmw_option cmw__use_options[];
extern const size_t cmw__use_option_count;
extern const cmw_option cmw__group_options[];
extern const size_t cmw__group_option_count;

#endif /* CMW_CONFIG_ITEM_H */
