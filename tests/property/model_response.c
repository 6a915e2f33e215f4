/* SPDX-License-Identifier: MIT */
/* The model's response: fields in a list, and what of it a fault drops. */
#include "model_response.h"

int same_name(const char *a, const char *b)
{
    return cmw_str_equals_fold(cmw_str_cstr(a), cmw_str_cstr(b));
}

int find_field(const struct model_response *response, const char *name)
{
    for (int i = 0; i < response->count; i++)
        if (same_name(response->fields[i].name, name))
            return i;
    return ABSENT;
}

static void remove_at(struct model_response *response, int index)
{
    response->count--;
    for (int i = index; i < response->count; i++)
        response->fields[i] = response->fields[i + 1];
}

void remove_fields(struct model_response *response, const char *name)
{
    int at;
    while ((at = find_field(response, name)) != ABSENT)
        remove_at(response, at);
}

void append_field(struct model_response *response, const char *name, const char *value,
                  int is_handlers)
{
    struct model_field *field = &response->fields[response->count++];

    *field = (struct model_field){.name = name, .is_handlers = is_handlers};
    (void)snprintf(field->value, sizeof field->value, "%s", value);
}

void remove_inferred(struct model_response *response)
{
    for (int i = 0; i < response->count; i++)
        if (response->fields[i].is_inferred)
            remove_at(response, i--);
}

void infer_text(struct model_response *response, int is_handlers)
{
    const int at = find_field(response, "Content-Type");
    if (at != ABSENT) {
        response->fields[at].is_handlers |= response->fields[at].is_inferred && is_handlers;
        if (response->fields[at].is_inferred)
            response->fields[at].is_handlers = is_handlers;
        return;
    }
    append_field(response, "Content-Type", "text/plain; charset=utf-8", is_handlers);
    response->fields[response->count - 1].is_inferred = 1;
}

void make_plain(struct model_response *response, int status)
{
    const cmw_str reason = cmw_status_reason(status);
    response->status = status;
    (void)snprintf(response->body, sizeof response->body, "%.*s", (int)reason.len, reason.data);
    infer_text(response, 0);
}

static int is_representation(const char *name)
{
    static const char *const others[] = {"ETag", "Last-Modified", "Accept-Ranges", "Set-Cookie"};
    for (int i = 0; i < 4; i++)
        if (same_name(name, others[i]))
            return 1;
    return strncmp(name, "Content-", 8) == 0;
}

void drop_for_fault(struct model_response *response)
{
    response->status = 0;
    response->body[0] = '\0';
    for (int i = 0; i < response->count; i++)
        if (response->fields[i].is_handlers || is_representation(response->fields[i].name))
            remove_at(response, i--);
}
