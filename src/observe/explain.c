/* SPDX-License-Identifier: MIT */
/* Explaining a plan: what will run, in which order, when. */
#include <stdio.h>

#include "engine_state.h"
#include "plan_state.h"
#include "print.h"

/* ---- What both formats ask --------------------------------------------------------------- */

static const struct cmw__slot *slot_of(const cmw_plan *plan, cmw_slot slot)
{
    cmw__mutex_lock(&plan->engine->lock);
    const struct cmw__slot *found = cmw__engine_slot(plan->engine, slot);
    cmw__mutex_unlock(&plan->engine->lock);
    return found;
}

/* Those attached stay where they are; others may be attached meanwhile. */
static const struct cmw__attached_host *first_host(const cmw_plan *plan)
{
    cmw__mutex_lock(&plan->engine->lock);
    const struct cmw__attached_host *first = plan->engine->hosts;
    cmw__mutex_unlock(&plan->engine->lock);
    return first;
}

/* 1 if streamed responses are made whole at commit, before the host sends them. */
static int makes_whole(const cmw_host *host)
{
    return !(host->capabilities & CMW_CAP_STREAM_RESPONSE_BODY);
}

static const char *host_name(const cmw_host *host)
{
    return host->name ? host->name : "a host";
}

static int wants_whole(const struct cmw__planned *planned)
{
    return planned->instance->mw.body_demand == CMW_BODY_FULL && !planned->is_shadowed;
}

static const char *relation_name(uint32_t relation)
{
    static const char *const names[] = {"",     "provides",      "refines",  "requires",
                                        "uses", "post_provides", "post_uses"};
    return names[relation];
}

static const char *failure_name(int32_t failure)
{
    static const char *const names[] = {"closed", "open", "status"};
    return names[failure];
}

/* ---- Text ------------------------------------------------------------------------------- */

static void print_list(struct cmw__printer *to, const char *word, const cmw_str *list,
                       uint32_t count, const char *prefix)
{
    for (uint32_t i = 0; i < count; i++)
        cmw__print(to, "%s%s%.*s", i ? "|" : word, prefix, (int)list[i].len, list[i].data);
}

static void print_condition(struct cmw__printer *to, const struct cmw__condition *condition)
{
    print_list(to, " method ", condition->methods, condition->method_count, "");
    print_list(to, " host ", condition->hosts, condition->host_count, "");
    print_list(to, " path ", condition->paths, condition->path_count, "");
    print_list(to, " not path ", condition->paths + condition->path_count, condition->negated_count,
               "");
    if (condition->predicate)
        cmw__print(to, " predicate");
}

static void print_class(struct cmw__printer *to, const cmw_plan *plan, uint32_t index)
{
    const struct cmw__class *klass = &plan->classes[index];

    if (klass->route != CMW_NONE)
        cmw__print(to, "  if route %u", (unsigned)plan->routes[klass->route].id);
    for (uint32_t i = 0; i < klass->condition_count; i++) {
        cmw__print(to, i == 0 && klass->route == CMW_NONE ? "  if" : " and");
        print_condition(to, klass->conditions[i]);
    }
}

static void print_entry(struct cmw__printer *to, const cmw_plan *plan,
                        const struct cmw__entry_info *info, uint32_t phase)
{
    const struct cmw__planned *planned = &plan->middleware[info->middleware];

    if (info->kind == CMW__ENTRY_BLOCK)
        cmw__print(to, "  %5s  [%u constant field%s, %u bytes]", "", (unsigned)info->block->count,
                   info->block->count == 1 ? "" : "s", (unsigned)info->block->len);
    else
        cmw__print(
            to, "  %5d  %s%s",
            (int)(phase == CMW_PHASE_POST_ROUTE ? planned->post_priority : planned->priority),
            planned->instance->mw.name, planned->is_shadowed ? "  SHADOWED" : "");
    print_class(to, plan, info->klass);
    if (info->needs_entered)
        cmw__print(to, "  if entered");
    cmw__print(to, "\n");
}

static void print_program(struct cmw__printer *to, const cmw_plan *plan,
                          const struct cmw__program *program)
{
    cmw__print(to, "%s", cmw_phase_name((cmw_phase)program->phase));
    if (program->route != CMW_NONE)
        cmw__print(to, " of route %u", (unsigned)plan->routes[program->route].id);
    cmw__print(to, program->count <= 1 ? "  (nothing)\n" : "\n");
    for (uint32_t i = 0; i < program->count; i++) {
        const struct cmw__entry_info *info = &program->info[i];
        if (info->kind == CMW__ENTRY_MATCH)
            cmw__print(to, "         -- conditions are decided here --\n");
        else if (info->kind == CMW__ENTRY_CALL || info->kind == CMW__ENTRY_BLOCK)
            print_entry(to, plan, info, program->phase);
    }
}

static void print_slots(struct cmw__printer *to, const cmw_plan *plan)
{
    cmw__print(to, "slots  %zu bytes\n", plan->slot_bytes);
    for (cmw_slot i = 0; i < plan->slot_limit; i++)
        if (plan->slots[i].size > 0)
            cmw__print(to, "         %-20s %u bytes at %u\n", slot_of(plan, i)->name,
                       (unsigned)plan->slots[i].size, (unsigned)plan->slots[i].offset);
}

static void print_middleware(struct cmw__printer *to, const cmw_plan *plan)
{
    cmw__print(to, "middleware\n");
    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const struct cmw__planned *planned = &plan->middleware[i];
        const struct cmw__instance *instance = planned->instance;
        cmw__print(to, "  %5d  %s (%s)  fails %s", (int)planned->priority, instance->mw.name,
                   instance->mw.kind, failure_name(instance->mw.failure));
        if (planned->is_shadowed)
            cmw__print(to, "  SHADOWED");
        for (uint32_t k = 0; k < instance->mw.relation_count; k++)
            cmw__print(to, "  %s %s", relation_name(instance->mw.relations[k].relation),
                       slot_of(plan, instance->mw.relations[k].slot)->name);
        for (uint32_t k = 0; k < instance->waived_count; k++)
            cmw__print(to, "  WAIVED %s", slot_of(plan, instance->waived[k])->name);
        cmw__print(to, "\n");
    }
}

/* What a body that could be streamed is collected for, whoever it is. */
static void print_bodies(struct cmw__printer *to, const cmw_plan *plan)
{
    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const cmw_middleware *mw = &plan->middleware[i].instance->mw;
        if (!wants_whole(&plan->middleware[i]))
            continue;
        cmw__print(to, "body   of a request is collected: %s wants all of it", mw->name);
        if (mw->body_demand_bytes != 0)
            cmw__print(to, ", up to %llu bytes", (unsigned long long)mw->body_demand_bytes);
        cmw__print(to, "\n");
    }
    for (const struct cmw__attached_host *at = first_host(plan); at; at = at->next)
        if (makes_whole(at->host))
            cmw__print(to, "body   of a response is made whole at commit: %s does not stream\n",
                       host_name(at->host));
}

static int write_text(const cmw_plan *plan, cmw_write_fn *write, void *self)
{
    struct cmw__printer printer = {write, self, 0};
    const struct cmw__program *program;

    cmw__print(&printer, "plan  %u middleware, %u conditions, %u path patterns, %u routes\n",
               (unsigned)plan->middleware_count, (unsigned)plan->class_count - 1,
               (unsigned)plan->pattern_count, (unsigned)plan->route_count);
    print_middleware(&printer, plan);
    for (uint32_t p = 0; (program = cmw__plan_program(plan, p)) != NULL; p++)
        print_program(&printer, plan, program);
    print_slots(&printer, plan);
    print_bodies(&printer, plan);
    return printer.error;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void json_text(cmw_json *json, const char *key, const char *text)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_string(json, cmw_str_cstr(text));
}

static void json_number(cmw_json *json, const char *key, int64_t number)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_int(json, number);
}

static void json_list(cmw_json *json, const char *key, const cmw_str *list, uint32_t count)
{
    if (count == 0)
        return;
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_array_begin(json);
    for (uint32_t i = 0; i < count; i++)
        cmw_json_string(json, list[i]);
    cmw_json_array_end(json);
}

static void json_conditions(cmw_json *json, const struct cmw__class *klass)
{
    cmw_json_key(json, CMW_STR("conditions"));
    cmw_json_array_begin(json);
    for (uint32_t i = 0; i < klass->condition_count; i++) {
        const struct cmw__condition *at = klass->conditions[i];
        cmw_json_object_begin(json);
        json_list(json, "methods", at->methods, at->method_count);
        json_list(json, "hosts", at->hosts, at->host_count);
        json_list(json, "paths", at->paths, at->path_count);
        json_list(json, "not_paths", at->paths + at->path_count, at->negated_count);
        cmw_json_key(json, CMW_STR("predicate"));
        cmw_json_bool(json, at->predicate != NULL);
        cmw_json_object_end(json);
    }
    cmw_json_array_end(json);
}

static void json_entry(cmw_json *json, const cmw_plan *plan, const struct cmw__entry_info *info)
{
    if (info->kind == CMW__ENTRY_GUARD || info->kind == CMW__ENTRY_END)
        return;
    cmw_json_object_begin(json);
    if (info->kind == CMW__ENTRY_MATCH) {
        json_text(json, "step", "match");
        cmw_json_object_end(json);
        return;
    }
    json_text(json, "step", info->kind == CMW__ENTRY_CALL ? "call" : "fields");
    if (info->kind == CMW__ENTRY_CALL) {
        json_text(json, "name", plan->middleware[info->middleware].instance->mw.name);
        cmw_json_key(json, CMW_STR("shadowed"));
        cmw_json_bool(json, plan->middleware[info->middleware].is_shadowed);
    } else {
        json_number(json, "count", info->block->count);
        cmw_json_key(json, CMW_STR("bytes"));
        cmw_json_string(json, cmw_str_make(info->block->bytes, info->block->len));
    }
    json_conditions(json, &plan->classes[info->klass]);
    cmw_json_key(json, CMW_STR("if_entered"));
    cmw_json_bool(json, info->needs_entered);
    cmw_json_object_end(json);
}

static void json_programs(cmw_json *json, const cmw_plan *plan)
{
    const struct cmw__program *program;

    cmw_json_key(json, CMW_STR("phases"));
    cmw_json_array_begin(json);
    for (uint32_t p = 0; (program = cmw__plan_program(plan, p)) != NULL; p++) {
        cmw_json_object_begin(json);
        json_text(json, "phase", cmw_phase_name((cmw_phase)program->phase));
        if (program->route != CMW_NONE)
            json_number(json, "route", plan->routes[program->route].id);
        cmw_json_key(json, CMW_STR("steps"));
        cmw_json_array_begin(json);
        for (uint32_t i = 0; i < program->count; i++)
            json_entry(json, plan, &program->info[i]);
        cmw_json_array_end(json);
        cmw_json_object_end(json);
    }
    cmw_json_array_end(json);
}

static void json_middleware(cmw_json *json, const cmw_plan *plan)
{
    cmw_json_key(json, CMW_STR("middleware"));
    cmw_json_array_begin(json);
    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const struct cmw__planned *planned = &plan->middleware[i];
        const struct cmw__instance *instance = planned->instance;
        cmw_json_object_begin(json);
        json_text(json, "name", instance->mw.name);
        json_text(json, "kind", instance->mw.kind);
        json_number(json, "priority", planned->priority);
        json_number(json, "post_priority", planned->post_priority);
        json_text(json, "fails", failure_name(instance->mw.failure));
        cmw_json_key(json, CMW_STR("shadowed"));
        cmw_json_bool(json, planned->is_shadowed);
        for (uint32_t relation = CMW_PROVIDES; relation <= CMW_POST_USES; relation++) {
            cmw_json_key(json, cmw_str_cstr(relation_name(relation)));
            cmw_json_array_begin(json);
            for (uint32_t k = 0; k < instance->mw.relation_count; k++)
                if (instance->mw.relations[k].relation == relation)
                    cmw_json_string(
                        json, cmw_str_cstr(slot_of(plan, instance->mw.relations[k].slot)->name));
            cmw_json_array_end(json);
        }
        cmw_json_key(json, CMW_STR("waived"));
        cmw_json_array_begin(json);
        for (uint32_t k = 0; k < instance->waived_count; k++)
            cmw_json_string(json, cmw_str_cstr(slot_of(plan, instance->waived[k])->name));
        cmw_json_array_end(json);
        cmw_json_object_end(json);
    }
    cmw_json_array_end(json);
}

static void json_slots(cmw_json *json, const cmw_plan *plan)
{
    cmw_json_key(json, CMW_STR("slots"));
    cmw_json_array_begin(json);
    for (cmw_slot i = 0; i < plan->slot_limit; i++) {
        if (plan->slots[i].size == 0)
            continue;
        cmw_json_object_begin(json);
        json_text(json, "name", slot_of(plan, i)->name);
        json_number(json, "size", plan->slots[i].size);
        json_number(json, "offset", plan->slots[i].offset);
        cmw_json_object_end(json);
    }
    cmw_json_array_end(json);
}

static void json_bodies(cmw_json *json, const cmw_plan *plan)
{
    cmw_json_key(json, CMW_STR("whole_requests"));
    cmw_json_array_begin(json);
    for (uint32_t i = 0; i < plan->middleware_count; i++)
        if (wants_whole(&plan->middleware[i]))
            cmw_json_string(json, cmw_str_cstr(plan->middleware[i].instance->mw.name));
    cmw_json_array_end(json);
    cmw_json_key(json, CMW_STR("whole_responses"));
    cmw_json_array_begin(json);
    for (const struct cmw__attached_host *at = first_host(plan); at; at = at->next)
        if (makes_whole(at->host))
            cmw_json_string(json, cmw_str_cstr(host_name(at->host)));
    cmw_json_array_end(json);
}

static int write_json(const cmw_plan *plan, cmw_write_fn *write, void *self)
{
    cmw_arena *arena = NULL;
    cmw_json json;
    cmw_str text = {NULL, 0};

    int rc = cmw_arena_create(&arena, plan->engine->pools[CMW_POOL_PLAN], 0);
    if (rc != 0)
        return rc;
    cmw_json_init(&json, arena);
    cmw_json_object_begin(&json);
    json_middleware(&json, plan);
    json_programs(&json, plan);
    json_slots(&json, plan);
    json_bodies(&json, plan);
    cmw_json_object_end(&json);
    rc = cmw_json_finish(&json, &text);
    if (rc == 0)
        rc = write(self, text.data, text.len);
    cmw_arena_destroy(arena);
    return rc;
}

int cmw_plan_explain(const cmw_plan *plan, cmw_format format, cmw_write_fn *write, void *self)
{
    if (!plan || !write || (format != CMW_FORMAT_TEXT && format != CMW_FORMAT_JSON))
        return CMW_ERR_ARG;
    return format == CMW_FORMAT_JSON ? write_json(plan, write, self)
                                     : write_text(plan, write, self);
}
