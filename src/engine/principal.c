/* SPDX-License-Identifier: MIT */
/* The slot of the principal, and what is asked of one. */
#include <catzilla/principal.h>

int cmw_principal_slot(cmw_engine *engine, cmw_slot *slot)
{
    return cmw_slot_declare(engine, slot, "principal", sizeof(cmw_principal), NULL);
}

static int has(const cmw_str *list, size_t count, cmw_str wanted)
{
    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals(list[i], wanted))
            return 1;
    return 0;
}

int cmw_principal_has_role(const cmw_principal *principal, cmw_str role)
{
    return principal && has(principal->roles, principal->role_count, role);
}

int cmw_principal_has_scope(const cmw_principal *principal, cmw_str scope)
{
    return principal && has(principal->scopes, principal->scope_count, scope);
}

int cmw_scope_is_valid(cmw_str scope)
{
    for (size_t i = 0; i < scope.len; i++) {
        const char byte = scope.data[i];
        if (byte <= ' ' || byte > '~' || byte == '"' || byte == '\\')
            return 0;
    }
    return scope.len > 0;
}
