/* SPDX-License-Identifier: MIT */
/* Values of security fields: choices, Referrer-Policy, Permissions-Policy, HSTS. */
#include "security_values.h"

#include <stdio.h>

#define KIND "security_headers: "

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, KIND "no memory");
}

static int keep(cmw_arena *arena, cmw_str *out, cmw_str value, cmw_diag *diag)
{
    return cmw_arena_dup(arena, out, value) == 0 ? 0 : no_memory(diag);
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* The text up to a separator, trimmed, and the rest behind: 1, or 0 at the end. Start with a rest
 * that has data: an empty text has one empty part. */
static int next_part(cmw_str *rest, char separator, cmw_str *part)
{
    if (!rest->data)
        return 0;
    const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    const size_t len = end ? (size_t)(end - rest->data) : rest->len;

    *part = trim(cmw_str_make(rest->data, len));
    *rest = end ? cmw_str_make(end + 1, rest->len - len - 1) : cmw_str_make(NULL, 0);
    return 1;
}

/* The choice that a word is, as it stands in "a|b|c"; empty: none. */
static cmw_str find_choice(const char *choices, cmw_str word)
{
    cmw_str rest = cmw_str_cstr(choices), choice;

    while (word.len > 0 && next_part(&rest, '|', &choice))
        if (cmw_str_equals_fold(choice, word))
            return choice;
    return cmw_str_make(NULL, 0);
}

int cmw__security_choice(cmw_arena *arena, cmw_str *out, const char *option, const char *choices,
                         int has_parameters, const char *text, cmw_diag *diag)
{
    const cmw_str whole = trim(cmw_str_cstr(text));
    const char *end = has_parameters && whole.len > 0 ? memchr(whole.data, ';', whole.len) : NULL;
    const size_t len = end ? (size_t)(end - whole.data) : whole.len;
    const cmw_str choice = find_choice(choices, trim(cmw_str_make(whole.data, len)));
    const cmw_str parameters = cmw_str_make(whole.data + len, whole.len - len);

    if (!choice.data || !cmw_header_value_is_valid(parameters))
        return cmw_diag_set(diag, CMW_ERR_INVALID, KIND "%s: '%s' is not one of %s", option, text,
                            choices);
    char *value = cmw_arena_alloc_text(arena, choice.len + parameters.len);
    if (!value)
        return no_memory(diag);
    memcpy(value, choice.data, choice.len);
    memcpy(value + choice.len, parameters.data, parameters.len);
    *out = cmw_str_make(value, choice.len + parameters.len);
    return 0;
}

/* ---- Referrer-Policy ---------------------------------------------------------------------- */

static const char referrer_policies[] =
    "no-referrer|no-referrer-when-downgrade|same-origin|origin|strict-origin|"
    "origin-when-cross-origin|strict-origin-when-cross-origin|unsafe-url";

/* Append the policies of one text to a value that has room for them. */
static int add_policies(char *value, size_t *len, const char *text, cmw_diag *diag)
{
    cmw_str rest = cmw_str_cstr(text ? text : ""), part;

    while (next_part(&rest, ',', &part)) {
        const cmw_str policy = find_choice(referrer_policies, part);
        if (!policy.data)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                KIND "referrer_policy: '%.*s' is not one of "
                                     "%s",
                                (int)part.len, part.data, referrer_policies);
        if (*len > 0)
            value[(*len)++] = ',';
        memcpy(value + *len, policy.data, policy.len);
        *len += policy.len;
    }
    return 0;
}

int cmw__security_referrer(cmw_arena *arena, cmw_str *out, const char *const *texts, size_t count,
                           cmw_diag *diag)
{
    size_t room = 1, len = 0;
    int rc = 0;

    if (count == 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, KIND "referrer_policy: the list is empty");
    for (size_t i = 0; i < count; i++)
        room += texts[i] ? strlen(texts[i]) + 1 : 0;
    char *value = cmw_arena_alloc_text(arena, room);
    if (!value)
        return no_memory(diag);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_policies(value, &len, texts[i], diag);
    if (rc == 0)
        *out = cmw_str_make(value, len);
    return rc;
}

/* ---- Permissions-Policy ------------------------------------------------------------------- */

static int is_feature(cmw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (i > 0 && (c == '-' || (c >= '0' && c <= '9')))))
            return 0;
    }
    return name.len > 0;
}

/* An origin, written as a string of structured fields: nothing in it may end that. */
static int is_quotable(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("\"\\'(),;", text.data[i]))
            return 0;
    return text.len > 0 && strstr(text.data, "://") != NULL;
}

static int is_token(cmw_str text)
{
    return cmw_str_equals(text, CMW_STR("self")) || cmw_str_equals(text, CMW_STR("src")) ||
           cmw_str_equals(text, CMW_STR("*"));
}

/* Legacy syntax ("camera 'none'") says nothing to a browser, and nobody notices. */
int cmw__security_permissions_text(cmw_arena *arena, cmw_str *out, const char *text, cmw_diag *diag)
{
    const cmw_str whole = trim(cmw_str_cstr(text));
    cmw_str rest = whole, part;

    if (!cmw_header_value_is_valid(whole))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            KIND "permissions_policy: the text has bytes that no field can have");
    while (next_part(&rest, ',', &part)) {
        const char *equals = part.len > 0 ? memchr(part.data, '=', part.len) : NULL;
        const size_t len = equals ? (size_t)(equals - part.data) : 0;
        if (!is_feature(cmw_str_make(part.data, len)))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                KIND "permissions_policy: '%.*s' is not feature=(allowlist)",
                                (int)part.len, part.data);
    }
    return keep(arena, out, whole, diag);
}

static char *put(char *at, cmw_str text)
{
    memcpy(at, text.data, text.len);
    return at + text.len;
}

static int check_permission(const cmw_option_list *item, cmw_diag *diag)
{
    if (!is_feature(cmw_str_cstr(item->name)))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            KIND "permissions_policy: '%s' is no name of a feature",
                            item->name ? item->name : "");
    for (size_t i = 0; i < item->count; i++) {
        const cmw_str text = cmw_str_cstr(item->texts[i]);
        if (!is_token(text) && !is_quotable(text))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                KIND "permissions_policy: %s: '%s' is not self, src, * or an "
                                     "origin without quotes",
                                item->name, item->texts[i] ? item->texts[i] : "");
    }
    return 0;
}

/* feature=(self "https://a.example"); a "*" alone goes without parentheses. */
static char *put_permission(char *at, const cmw_option_list *item)
{
    const int is_any = item->count == 1 && strcmp(item->texts[0], "*") == 0;

    at = put(at, cmw_str_cstr(item->name));
    at = put(at, is_any ? CMW_STR("=*") : CMW_STR("=("));
    for (size_t i = 0; !is_any && i < item->count; i++) {
        const cmw_str text = cmw_str_cstr(item->texts[i]);
        const cmw_str quote = is_token(text) ? CMW_STR("") : CMW_STR("\"");
        at = put(at, i > 0 ? CMW_STR(" ") : CMW_STR(""));
        at = put(at, quote);
        at = put(at, text);
        at = put(at, quote);
    }
    return is_any ? at : put(at, CMW_STR(")"));
}

int cmw__security_permissions(cmw_arena *arena, cmw_str *out, const cmw_option_list *list,
                              size_t count, cmw_diag *diag)
{
    size_t room = 1;

    for (size_t i = 0; i < count; i++) {
        const int rc = check_permission(&list[i], diag);
        if (rc != 0)
            return rc;
        room += strlen(list[i].name) + 5;
        for (size_t k = 0; k < list[i].count; k++)
            room += strlen(list[i].texts[k]) + 3;
    }
    char *text = cmw_arena_alloc_text(arena, room);
    char *at = text;
    if (!text)
        return no_memory(diag);
    for (size_t i = 0; i < count; i++) {
        at = put(at, i > 0 ? CMW_STR(", ") : CMW_STR(""));
        at = put_permission(at, &list[i]);
    }
    *out = cmw_str_make(text, (size_t)(at - text));
    return 0;
}

/* ---- Strict-Transport-Security -------------------------------------------------------------- */

#define HSTS KIND "strict_transport_security: "

/* What browsers' lists take in (hstspreload.org): to be built in is hard to undo. */
static int check_hsts(const cmw_hsts *hsts, cmw_diag *diag)
{
    if (hsts->max_age_s < 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, HSTS "max_age: %lld is negative",
                            (long long)hsts->max_age_s);
    if (hsts->preload && hsts->max_age_s < 31536000)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            HSTS "preload needs a max_age of 31536000 at least, and it is %lld",
                            (long long)hsts->max_age_s);
    if (hsts->preload && !hsts->include_subdomains)
        return cmw_diag_set(diag, CMW_ERR_INVALID, HSTS "preload needs include_subdomains");
    return 0;
}

int cmw__security_hsts(cmw_arena *arena, cmw_str *out, const cmw_hsts *hsts, cmw_diag *diag)
{
    char text[96];
    const int rc = check_hsts(hsts, diag);

    if (rc != 0)
        return rc;
    const int len = snprintf(text, sizeof text, "max-age=%lld%s%s", (long long)hsts->max_age_s,
                             hsts->include_subdomains ? "; includeSubDomains" : "",
                             hsts->preload ? "; preload" : "");
    return keep(arena, out, cmw_str_make(text, (size_t)len), diag);
}

/* The number of "max-age=N", also "max-age=\"N\""; -1: it is none. */
static int64_t parse_max_age(cmw_str part)
{
    static const char name[] = "max-age=";
    const size_t len = sizeof name - 1;
    int64_t number = 0;

    if (part.len <= len || !cmw_str_equals_fold(cmw_str_make(part.data, len), CMW_STR("max-age=")))
        return -1;
    cmw_str digits = cmw_str_make(part.data + len, part.len - len);
    if (digits.len > 2 && digits.data[0] == '"' && digits.data[digits.len - 1] == '"')
        digits = cmw_str_make(digits.data + 1, digits.len - 2);
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || number > INT64_MAX / 10 - 9)
            return -1;
        number = number * 10 + (digits.data[i] - '0');
    }
    return number;
}

/* RFC 6797, 6.1: max-age once; what is not known is refused here, since browsers would ignore it.
 */
int cmw__security_hsts_text(cmw_arena *arena, cmw_str *out, const char *text, cmw_diag *diag)
{
    cmw_hsts hsts = {-1, 0, 0};
    cmw_str rest = cmw_str_cstr(text), part;

    while (next_part(&rest, ';', &part)) {
        const int64_t max_age = parse_max_age(part);
        if (max_age >= 0 && hsts.max_age_s < 0)
            hsts.max_age_s = max_age;
        else if (cmw_str_equals_fold(part, CMW_STR("includeSubDomains")) &&
                 !hsts.include_subdomains)
            hsts.include_subdomains = 1;
        else if (cmw_str_equals_fold(part, CMW_STR("preload")) && !hsts.preload)
            hsts.preload = 1;
        else
            return cmw_diag_set(diag, CMW_ERR_INVALID, HSTS "'%.*s' is not expected in it",
                                (int)part.len, part.data);
    }
    if (hsts.max_age_s < 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, HSTS "'%s' has no max-age", text);
    return cmw__security_hsts(arena, out, &hsts, diag);
}
