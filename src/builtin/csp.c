/* SPDX-License-Identifier: MIT */
/*
 * Policies: a list of directives, each a name and values (CSP 3, 2.2).
 *
 *   default-src 'self';img-src 'self' data:;upgrade-insecure-requests
 */
#include "csp.h"

const char cmw__csp_default[] =
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
    "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';"
    "script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests";

#define OPTION "security_headers: content_security_policy: "

struct directive {
    cmw_str name;
    cmw_str value; /* empty: it has none */
};

/* ---- Taking a policy apart -------------------------------------------------------------- */

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* The text up to `separator`, without the blanks around it, and the rest behind: 1, or 0 at the
 * end. */
static int next_part(cmw_str *rest, char separator, cmw_str *part)
{
    if (!rest->data || rest->len == 0)
        return 0;
    const char *end = memchr(rest->data, separator, rest->len);
    const size_t len = end ? (size_t)(end - rest->data) : rest->len;

    *part = trim(cmw_str_make(rest->data, len));
    *rest = cmw_str_make(rest->data + len + (end != NULL), rest->len - len - (end != NULL));
    return 1;
}

/* Empty directives are left out. */
static int next_directive(cmw_str *rest, struct directive *directive)
{
    cmw_str part;

    while (next_part(rest, ';', &part)) {
        if (part.len == 0)
            continue;
        const char *blank = memchr(part.data, ' ', part.len);
        const size_t len = blank ? (size_t)(blank - part.data) : part.len;
        directive->name = cmw_str_make(part.data, len);
        directive->value = trim(cmw_str_make(part.data + len, part.len - len));
        return 1;
    }
    return 0;
}

static int next_source(cmw_str *rest, cmw_str *source)
{
    while (next_part(rest, ' ', source))
        if (source->len > 0)
            return 1;
    return 0;
}

/* ---- Checking --------------------------------------------------------------------------- */

static int starts_with(cmw_str text, const char *prefix)
{
    const size_t len = strlen(prefix);
    return text.len >= len &&
           cmw_str_equals_fold(cmw_str_make(text.data, len), cmw_str_make(prefix, len));
}

static int is_directive_name(cmw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return 0;
    }
    return name.len > 0;
}

/* The values of these are sources; others have words of their own. */
static int has_sources(cmw_str name)
{
    static const char *const others[] = {"base-uri", "form-action", "frame-ancestors"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cmw_str_equals_fold(name, cmw_str_cstr(others[i])))
            return 1;
    for (size_t i = 0; i + 4 <= name.len; i++)
        if (starts_with(cmw_str_make(name.data + i, name.len - i), "-src"))
            return 1;
    return 0;
}

/* A keyword without its quotes is the name of a host, which nobody means. */
static int lacks_quotes(cmw_str source)
{
    static const char *const words[] = {"self",          "none",          "unsafe-inline",
                                        "unsafe-eval",   "unsafe-hashes", "strict-dynamic",
                                        "report-sample", "nonce",         "wasm-unsafe-eval"};
    static const char *const prefixes[] = {"nonce-", "sha256-", "sha384-", "sha512-"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (cmw_str_equals_fold(source, cmw_str_cstr(words[i])))
            return 1;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(source, prefixes[i]))
            return 1;
    return 0;
}

static const char *source_fault(cmw_str source, size_t count)
{
    if (lacks_quotes(source))
        return "needs single quotes around it";
    if (starts_with(source, "'nonce-"))
        return "is the same in every answer and protects nothing: write 'nonce'";
    if (count > 1 && cmw_str_equals_fold(source, CMW_STR("'none'")))
        return "must stand alone";
    return NULL;
}

static int check_sources(const struct directive *directive, cmw_diag *diag)
{
    cmw_str rest = directive->value, source;
    size_t count = 0;

    while (next_source(&rest, &source))
        count++;
    rest = directive->value;
    while (next_source(&rest, &source)) {
        const char *fault = source_fault(source, count);
        if (fault)
            return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "%.*s: %.*s %s",
                                (int)directive->name.len, directive->name.data, (int)source.len,
                                source.data, fault);
    }
    return 0;
}

/* Browsers heed the first one of a name and drop the others. */
static int is_repeated(cmw_str policy, cmw_str name)
{
    struct directive directive;
    size_t count = 0;

    while (next_directive(&policy, &directive))
        count += (size_t)cmw_str_equals_fold(directive.name, name);
    return count > 1;
}

static int check_bytes(cmw_str policy, cmw_diag *diag)
{
    for (size_t i = 0; i < policy.len; i++)
        if (policy.data[i] < ' ' || policy.data[i] > '~' || policy.data[i] == ',')
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                OPTION "a policy is printable ASCII without commas, and byte %zu "
                                       "is 0x%02x",
                                i, (unsigned)(unsigned char)policy.data[i]);
    return 0;
}

int cmw__csp_check(cmw_str policy, cmw_diag *diag)
{
    cmw_str rest = policy;
    struct directive directive;
    size_t count = 0;
    int rc = check_bytes(policy, diag);

    while (rc == 0 && next_directive(&rest, &directive)) {
        const int len = (int)directive.name.len;
        count++;
        if (!is_directive_name(directive.name))
            return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "'%.*s' is no name of a directive",
                                len, directive.name.data);
        if (is_repeated(policy, directive.name))
            return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "%.*s stands twice", len,
                                directive.name.data);
        if (has_sources(directive.name))
            rc = check_sources(&directive, diag);
    }
    if (rc == 0 && count == 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "the policy has no directive");
    return rc;
}

int cmw__csp_next_nonce(cmw_str policy, size_t *at)
{
    const size_t len = sizeof CMW__CSP_NONCE - 1;

    for (; *at + len <= policy.len; ++*at)
        if (memcmp(policy.data + *at, CMW__CSP_NONCE, len) == 0)
            return 1;
    return 0;
}

/* ---- Building: 0, or an error with its sentence ------------------------------------------- */

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "security_headers: no memory");
}

struct policy {
    struct directive *items;
    size_t count;
};

static struct directive *find(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->count; i++)
        if (cmw_str_equals_fold(policy->items[i].name, cmw_str_cstr(name)))
            return &policy->items[i];
    return NULL;
}

/* Two texts with something between; `data` is NULL without memory. */
static cmw_str join(cmw_arena *arena, cmw_str a, const char *between, cmw_str b)
{
    const size_t len = strlen(between);
    char *text = cmw_arena_alloc_text(arena, a.len + len + b.len + 1);

    if (!text)
        return cmw_str_make(NULL, 0);
    if (a.len > 0)
        memcpy(text, a.data, a.len);
    memcpy(text + a.len, between, len);
    if (b.len > 0)
        memcpy(text + a.len + len, b.data, b.len);
    return cmw_str_make(text, a.len + len + b.len);
}

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The name in lower case; "imgSrc", as scripts spell it, is "img-src": to browsers it is nothing.
 * `data` is NULL without memory. */
static cmw_str spell(cmw_arena *arena, cmw_str name)
{
    char *const text = cmw_arena_alloc_text(arena, 2 * name.len);
    size_t len = 0;

    for (size_t i = 0; text && i < name.len; i++) {
        const char c = name.data[i];
        if (i > 0 && is_upper(c) && name.data[i - 1] >= 'a' && name.data[i - 1] <= 'z')
            text[len++] = '-';
        text[len++] = (char)(is_upper(c) ? c | 0x20 : c);
    }
    return cmw_str_make(text, len);
}

/* A given directive: a ";" in it would begin another. */
static int add_given(cmw_arena *arena, struct policy *policy, const cmw_option_list *given,
                     cmw_diag *diag)
{
    struct directive *directive = &policy->items[policy->count];

    directive->name = cmw_str_cstr(given->name);
    directive->value = CMW_STR("");
    if (!is_directive_name(directive->name))
        return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "'%s' is no name of a directive",
                            given->name ? given->name : "");
    directive->name = spell(arena, directive->name);
    if (!directive->name.data)
        return no_memory(diag);
    for (size_t i = 0; i < given->count; i++) {
        const cmw_str text = trim(cmw_str_cstr(given->texts[i]));
        if (text.len == 0 || memchr(text.data, ';', text.len))
            return cmw_diag_set(diag, CMW_ERR_INVALID, OPTION "%s: '%s' is no value", given->name,
                                given->texts[i] ? given->texts[i] : "");
        directive->value = join(arena, directive->value, i > 0 ? " " : "", text);
        if (!directive->value.data)
            return no_memory(diag);
    }
    policy->count++;
    return 0;
}

static void add_defaults(struct policy *policy)
{
    cmw_str rest = cmw_str_cstr(cmw__csp_default);
    const size_t given = policy->count;
    struct directive directive;

    while (next_directive(&rest, &directive)) {
        size_t i = 0;
        while (i < given && !cmw_str_equals_fold(policy->items[i].name, directive.name))
            i++;
        if (i == given)
            policy->items[policy->count++] = directive;
    }
}

/* Let a directive that falls back to default-src have the nonce, beside what it allows. */
static int add_nonce(cmw_arena *arena, struct policy *policy, const char *name, cmw_diag *diag)
{
    const struct directive *fallback = find(policy, "default-src");
    struct directive *directive = find(policy, name);
    size_t at = 0;

    if (!directive) {
        directive = &policy->items[policy->count++];
        directive->name = cmw_str_cstr(name);
        directive->value = fallback ? fallback->value : CMW_STR("");
    }
    if (cmw__csp_next_nonce(directive->value, &at))
        return 0;
    if (cmw_str_equals_fold(directive->value, CMW_STR("'none'")))
        directive->value = CMW_STR("");
    directive->value =
        join(arena, directive->value, directive->value.len > 0 ? " " : "", CMW_STR(CMW__CSP_NONCE));
    return directive->value.data ? 0 : no_memory(diag);
}

static int write_policy(cmw_arena *arena, cmw_str *out, const struct policy *policy, cmw_diag *diag)
{
    size_t room = 1;

    for (size_t i = 0; i < policy->count; i++)
        room += policy->items[i].name.len + policy->items[i].value.len + 2;
    char *text = cmw_arena_alloc_text(arena, room);
    char *at = text;
    if (!text)
        return no_memory(diag);
    for (size_t i = 0; i < policy->count; i++) {
        const struct directive *directive = &policy->items[i];
        if (i > 0)
            *at++ = ';';
        memcpy(at, directive->name.data, directive->name.len);
        at += directive->name.len;
        if (directive->value.len == 0)
            continue;
        *at++ = ' ';
        memcpy(at, directive->value.data, directive->value.len);
        at += directive->value.len;
    }
    *out = cmw_str_make(text, (size_t)(at - text));
    return 0;
}

int cmw__csp_build(cmw_arena *arena, cmw_str *out, const cmw_csp *csp, cmw_diag *diag)
{
    enum { DEFAULTS = 16, NONCES = 2 };
    struct policy policy = {NULL, 0};
    int rc = 0;

    policy.items =
        cmw_arena_alloc(arena, (csp->directive_count + DEFAULTS + NONCES) * sizeof *policy.items);
    if (!policy.items)
        return no_memory(diag);
    for (size_t i = 0; i < csp->directive_count && rc == 0; i++)
        rc = add_given(arena, &policy, &csp->directives[i], diag);
    if (rc == 0 && (csp->use_defaults || csp->directive_count == 0))
        add_defaults(&policy);
    if (rc == 0 && csp->nonce)
        rc = add_nonce(arena, &policy, "script-src", diag);
    if (rc == 0 && csp->nonce)
        rc = add_nonce(arena, &policy, "style-src", diag);
    return rc == 0 ? write_policy(arena, out, &policy, diag) : rc;
}
