/* SPDX-License-Identifier: MIT */
/* The styles of rate limit fields. */
#include "rate_fields.h"

#include "log_number.h"

struct style {
    const char *name;
    unsigned bit;
};

static const struct style styles[] = {
    {"draft-8", CMW__RATE_STYLE_DRAFT_8},
    {"draft-7", CMW__RATE_STYLE_DRAFT_7},
    {"draft-6", CMW__RATE_STYLE_DRAFT_6},
    {"legacy", CMW__RATE_STYLE_LEGACY},
    {"none", 0},
};

/* ---- Configuration ---------------------------------------------------------------------- */

static const struct style *find_style(const char *name)
{
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
        if (strcmp(name, styles[i].name) == 0)
            return &styles[i];
    return NULL;
}

int cmw__rate_fields_set_styles(struct cmw__rate_fields *fields, const char *const *names,
                                size_t count, cmw_diag *diag)
{
    unsigned bits = count == 0 ? CMW__RATE_STYLE_DRAFT_8 : 0;

    for (size_t i = 0; i < count; i++) {
        const struct style *style = find_style(names[i]);
        if (!style)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "rate_limit: header_style: '%s' is none of draft-8, draft-7, "
                                "draft-6, legacy, none",
                                names[i]);
        if (style->bit == 0 && count > 1)
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "rate_limit: header_style: 'none' stands beside another style");
        if ((style->bit & CMW__RATE_STYLE_DRAFTS) && (bits & CMW__RATE_STYLE_DRAFTS))
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "rate_limit: header_style: '%s' and '%s' use the same fields",
                                names[i - 1], names[i]);
        bits |= style->bit;
    }
    fields->styles = bits;
    return 0;
}

/* `"name"` as a structured field's string (RFC 9651, 3.3.3); 0: a byte cannot stand in one. */
static char *put_name(char *at, cmw_str name)
{
    *at++ = '"';
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        if (c < ' ' || c > '~')
            return NULL;
        if (c == '"' || c == '\\')
            *at++ = '\\';
        *at++ = c;
    }
    *at++ = '"';
    return at;
}

int cmw__rate_fields_add(struct cmw__rate_fields *fields, cmw_str name, uint64_t quota,
                         uint64_t window_ns, cmw_diag *diag)
{
    struct cmw__rate_policy *policy = &fields->policy[fields->policy_count];

    if (name.len == 0 || name.len > CMW__RATE_NAME_MAX)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "rate_limit: policy_name: '%s' has not 1 to %d characters", name.data,
                            CMW__RATE_NAME_MAX);
    for (size_t i = 0; i < fields->policy_count; i++)
        if (cmw_str_equals(fields->policy[i].name, name))
            return cmw_diag_set(diag, CMW_ERR_EXISTS, "rate_limit: policy_name: '%s' stands twice",
                                name.data);
    char *at = put_name(policy->item, name);
    if (!at)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "rate_limit: policy_name: '%s' holds a character that is not "
                            "printable ASCII",
                            name.data);
    memcpy(at, ";r=", 3);
    policy->item_len = (size_t)(at + 3 - policy->item);
    policy->name = name;
    policy->quota = quota;
    policy->window_s = cmw__rate_seconds(window_ns);
    fields->policy_count++;
    return 0;
}

static char *put_text(char *at, const char *text)
{
    const size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static char *put_policy(char *at, const struct cmw__rate_policy *policy, int is_named)
{
    if (is_named) {
        memcpy(at, policy->item, policy->item_len - 3);
        at = put_text(at + policy->item_len - 3, ";q=");
    }
    at = cmw__put_number(at, policy->quota);
    return cmw__put_number(put_text(at, ";w="), policy->window_s);
}

static int make_pattern(struct cmw__rate_policy *policy, cmw_arena *arena, unsigned bits)
{
    char head[] = "limit=16777215, remaining=";
    cmw_str texts[3] = {{policy->item, policy->item_len}, CMW_STR(";t="), CMW_STR("")};

    if (bits & CMW__RATE_STYLE_DRAFT_7) {
        const char *end =
            put_text(cmw__put_number(put_text(head, "limit="), policy->quota), ", remaining=");
        texts[0] = cmw_str_make(head, (size_t)(end - head));
        texts[1] = CMW_STR(", reset=");
    }
    return cmw_field_pattern_create(&policy->pattern, arena, CMW_HDR_RATELIMIT, texts, 2);
}

int cmw__rate_fields_finish(struct cmw__rate_fields *fields, cmw_arena *arena)
{
    char text[CMW_RATE_LIMITS_MAX * (sizeof fields->policy[0].item + 48)];
    char *at = text;

    if (!(fields->styles & CMW__RATE_STYLE_DRAFTS))
        return 0;
    for (size_t i = 0; i < fields->policy_count; i++) {
        if (i > 0)
            at = put_text(at, ", ");
        at = put_policy(at, &fields->policy[i], fields->styles & CMW__RATE_STYLE_DRAFT_8);
        if (make_pattern(&fields->policy[i], arena, fields->styles) != 0)
            return CMW_ERR_NOMEM;
    }
    const cmw_str policies = cmw_str_make(text, (size_t)(at - text));
    int rc =
        cmw_field_pattern_create(&fields->policies, arena, CMW_HDR_RATELIMIT_POLICY, &policies, 0);
    for (size_t i = 0; i < fields->policy_count && rc == 0; i++)
        rc = cmw_field_pattern_join(fields->policy[i].pattern, fields->policies);
    return rc;
}

/* ---- Requests --------------------------------------------------------------------------- */

static int set_number(cmw_response *response, cmw_header_id id, uint64_t number)
{
    char text[20];
    return cmw_response_set(response, id,
                            cmw_str_make(text, (size_t)(cmw__put_number(text, number) - text)));
}

static int set_named(cmw_response *response, cmw_str name, uint64_t number)
{
    char text[20];
    return cmw_response_set_named(
        response, name, cmw_str_make(text, (size_t)(cmw__put_number(text, number) - text)));
}

static int set_draft_6(const struct cmw__rate_fields *fields, const struct cmw__rate_policy *policy,
                       cmw_response *response, const struct cmw__rate_step *step)
{
    int rc = set_named(response, CMW_STR("RateLimit-Limit"), policy->quota);

    if (rc == 0)
        rc = set_named(response, CMW_STR("RateLimit-Remaining"), step->remaining);
    if (rc == 0)
        rc = set_named(response, CMW_STR("RateLimit-Reset"), cmw__rate_seconds(step->reset_ns));
    return rc == 0 ? cmw_response_append_pattern(response, fields->policies, NULL) : rc;
}

static int set_legacy(const struct cmw__rate_policy *policy, cmw_ctx *ctx,
                      const struct cmw__rate_step *step)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = set_number(response, CMW_HDR_X_RATELIMIT_LIMIT, policy->quota);

    if (rc == 0)
        rc = set_number(response, CMW_HDR_X_RATELIMIT_REMAINING, step->remaining);
    if (rc == 0)
        rc = set_number(response, CMW_HDR_X_RATELIMIT_RESET,
                        cmw__rate_seconds(cmw_ctx_wall_ns(ctx) + step->reset_ns));
    return rc;
}

int cmw__rate_fields_set(const struct cmw__rate_fields *fields, cmw_ctx *ctx, size_t index,
                         const struct cmw__rate_step *step)
{
    const struct cmw__rate_policy *policy = &fields->policy[index];
    cmw_response *response = cmw_ctx_response(ctx);
    const uint64_t numbers[2] = {step->remaining, cmw__rate_seconds(step->reset_ns)};
    int rc = 0;

    if (fields->styles & (CMW__RATE_STYLE_DRAFT_8 | CMW__RATE_STYLE_DRAFT_7))
        rc = cmw_response_append_pattern(response, policy->pattern, numbers);
    else if (fields->styles & CMW__RATE_STYLE_DRAFT_6)
        rc = set_draft_6(fields, policy, response, step);
    if (rc == 0 && (fields->styles & CMW__RATE_STYLE_LEGACY))
        rc = set_legacy(policy, ctx, step);
    return rc;
}

int cmw__rate_fields_set_retry(cmw_response *response, uint64_t retry_ns)
{
    const uint64_t seconds = cmw__rate_seconds(retry_ns);
    return set_number(response, CMW_HDR_RETRY_AFTER, seconds > 0 ? seconds : 1);
}
