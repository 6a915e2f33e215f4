/* SPDX-License-Identifier: MIT */
/* Descriptors: defaults, relations, and the names of phases and reasons. */
#include <catzilla/middleware.h>

void cmw_middleware_init_sized(cmw_middleware *middleware, size_t size)
{
    memset(middleware, 0, size < sizeof *middleware ? size : sizeof *middleware);
    middleware->size = size;
    middleware->priority = CMW_PRIORITY_DEFAULT;
    middleware->post_priority = CMW_PRIORITY_INHERIT;
}

void cmw_middleware_relate(cmw_middleware *middleware, cmw_relation relation, cmw_slot slot)
{
    const uint32_t at = middleware->relation_count;
    if (at > CMW_RELATION_CAP)
        return; /* one too many is enough for cmw_chain_add to refuse it */
    middleware->relation_count = at + 1;
    if (at == CMW_RELATION_CAP)
        return;
    middleware->relations[at].slot = slot;
    middleware->relations[at].relation = (uint32_t)relation;
}

void cmw_middleware_provides(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_PROVIDES, slot);
}

void cmw_middleware_refines(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_REFINES, slot);
}

void cmw_middleware_requires(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_REQUIRES, slot);
}

void cmw_middleware_uses(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_USES, slot);
}

void cmw_middleware_post_provides(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_POST_PROVIDES, slot);
}

void cmw_middleware_post_uses(cmw_middleware *middleware, cmw_slot slot)
{
    cmw_middleware_relate(middleware, CMW_POST_USES, slot);
}

const char *cmw_phase_name(cmw_phase phase)
{
    static const char *const names[CMW_PHASE_COUNT] = {
        "pre_route", "post_route", "error", "complete", "request_body", "response_body"};
    return (unsigned)phase < CMW_PHASE_COUNT ? names[phase] : "unknown";
}

const char *cmw_end_reason_name(cmw_end_reason reason)
{
    static const char *const names[CMW_END_REASON_COUNT] = {"sent", "client_gone", "deadline",
                                                            "error", "shutdown"};
    return (unsigned)reason < CMW_END_REASON_COUNT ? names[reason] : "unknown";
}
