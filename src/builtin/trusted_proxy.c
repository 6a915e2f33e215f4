/* SPDX-License-Identifier: MIT */
/*
 * Whom a request comes from, behind proxies. Most requests carry no forwarding field and cost one
 * look at their names. For the others: learn what trusted proxies say, apply it, then remove what
 * was not believed.
 *
 *     X-Forwarded-For: evil, 203.0.113.7, 10.0.0.2        peer 10.0.0.1, trust 10.0.0.0/8
 *                            ^ the client  ^ read first, trusted: go on
 *     kept:            203.0.113.7, 10.0.0.2
 */
#include <catzilla/builtin/trusted_proxy.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "forwarded.h"

/* Longer than any node or host with a port (RFC 1035, 2.3.4), escapes included. */
enum { TEXT_CAP = 600 };

struct trusted_proxy {
    cmw_arena *arena;
    cmw_network_set *trust;
    cmw_slot slot;
    uint32_t hops; /* 0: `trust` decides */
    enum cmw__forwarding list;
    int takes_proto, takes_host, takes_port, takes_prefix;
};

/* The forwarding fields of a request. */
struct scan {
    const cmw_header *fields;
    size_t count;
    uint32_t lines[CMW__FORWARDING_COUNT]; /* how many there are of each */
    size_t end[CMW__FORWARDING_COUNT];     /* behind the last one; defined where there is one */
};

/* Where a walk over the lines of one field stands, from the last one on. */
struct walk {
    const struct scan *scan;
    enum cmw__forwarding field;
    size_t at;     /* in scan->fields: the line that `rest` is of */
    uint32_t line; /* which of the field's lines that is */
    cmw_str rest;  /* what of it has not been taken */
};

/* What of a field may stay. */
struct kept {
    uint32_t line; /* in this line: */
    cmw_str value; /* this part; NULL data: nothing at all */
    int is_list;   /* and all lines behind it */
};

/* An element of the list that was read. */
struct element {
    struct cmw__forwarded_value node, proto, host;
};

struct learned {
    int trusts_peer;
    int has_client;
    cmw_address client;
    struct element edge; /* the leftmost one that a trusted proxy wrote */
    cmw_forwarded said;
    struct kept kept[CMW__FORWARDING_COUNT];
};

static cmw_phase_fn on_pre_route;

/* ---- Lists over several lines ----------------------------------------------------------- */

/* 1 if a request has forwarding fields at all. */
static int has_forwarding(const cmw_header *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cmw__forwarding_of(fields[i].name) != CMW__NOT_FORWARDING)
            return 1;
    return 0;
}

static void scan_fields(struct scan *scan, const cmw_header *fields, size_t count)
{
    memset(scan->lines, 0, sizeof scan->lines);
    scan->fields = fields;
    scan->count = count;
    for (size_t i = 0; i < count; i++) {
        const enum cmw__forwarding field = cmw__forwarding_of(fields[i].name);
        scan->lines[field]++;
        scan->end[field] = i + 1;
    }
}

static struct walk begin_walk(const struct scan *scan, enum cmw__forwarding field)
{
    const uint32_t lines = scan->lines[field];
    return (struct walk){
        .scan = scan, .field = field, .at = lines > 0 ? scan->end[field] : 0, .line = lines};
}

/* Go to the line before; 0: there is none. */
static int next_line(struct walk *walk)
{
    while (walk->line > 0 && walk->at > 0) {
        const cmw_header *field = &walk->scan->fields[--walk->at];
        if (cmw__forwarding_of(field->name) != walk->field)
            continue;
        walk->line--;
        walk->rest = field->value;
        return 1;
    }
    return 0;
}

/* Take the last element of all lines: 1, 0 where there is none, or CMW_ERR_INVALID. */
static int take_element(struct walk *walk, struct element *out)
{
    struct cmw__forwarded_element forwarded;
    int rc;

    memset(out, 0, sizeof *out);
    do {
        if (walk->field != CMW__FORWARDED) {
            rc = cmw__list_take_last(&walk->rest, &out->node.text);
        } else {
            rc = cmw__forwarded_take_last(&walk->rest, &forwarded);
            *out = (struct element){forwarded.node, forwarded.proto, forwarded.host};
        }
    } while (rc == 0 && next_line(walk));
    return rc;
}

/* From what was taken last on, all lines may stay. */
static void keep_from(struct kept *kept, const struct walk *walk)
{
    const cmw_str value = walk->scan->fields[walk->at].value;
    size_t start = walk->rest.len;

    while (start < value.len &&
           (value.data[start] == ',' || value.data[start] == ' ' || value.data[start] == '\t'))
        start++;
    *kept = (struct kept){walk->line, {value.data + start, value.len - start}, 1};
}

/* ---- Learning --------------------------------------------------------------------------- */

/* What a value means; empty where it is longer than anything that we take. */
static cmw_str plain_text(const struct cmw__forwarded_value *value, char buffer[TEXT_CAP])
{
    if (!value->has_escapes)
        return value->text;
    if (value->text.len > TEXT_CAP)
        return CMW_STR("");
    return cmw_str_make(buffer, cmw__forwarded_unescape(buffer, value->text));
}

/* 1 if the element names an address. */
static int read_client(const struct trusted_proxy *proxy, const struct element *element,
                       struct learned *learned)
{
    char buffer[TEXT_CAP];
    const cmw_str node = plain_text(&element->node, buffer);
    cmw_str text;

    const int has_client = proxy->list == CMW__FORWARDED
                               ? cmw__node_read(&learned->client, &text, node)
                               : cmw__node_read_loosely(&learned->client, &text, node);
    if (!has_client)
        return 0;
    learned->has_client = 1;
    learned->said.client = element->node.has_escapes ? CMW_STR("") : text;
    return 1;
}

static int trusts(const struct trusted_proxy *proxy, const cmw_address *address)
{
    return proxy->hops > 0 || cmw_network_set_contains(proxy->trust, address);
}

/* Walk the list from the right, as long as who wrote the next element is trusted. */
static void learn_client(const struct trusted_proxy *proxy, const struct scan *scan,
                         struct learned *learned)
{
    struct walk walk = begin_walk(scan, proxy->list);
    struct element element;
    int is_believed = 1;

    while (is_believed && take_element(&walk, &element) > 0) {
        learned->edge = element;
        learned->said.hops++;
        is_believed = read_client(proxy, &element, learned);
        if (is_believed || proxy->list == CMW__FORWARDED)
            keep_from(&learned->kept[proxy->list], &walk);
        is_believed = is_believed && trusts(proxy, &learned->client) &&
                      (proxy->hops == 0 || learned->said.hops < proxy->hops);
    }
}

/* The element of another list that the proxy which met the client wrote: as far from the right as
 * the client is, or the leftmost of fewer. Empty where there is none. */
static cmw_str edge_value(const struct scan *scan, enum cmw__forwarding field,
                          struct learned *learned)
{
    struct walk walk = begin_walk(scan, field);
    struct kept *kept = &learned->kept[field];
    struct element element;
    uint32_t distance = 0;

    do {
        if (take_element(&walk, &element) == 0)
            break;
        *kept = (struct kept){walk.line, element.node.text, 0};
    } while (++distance < learned->said.hops);
    return kept->value;
}

/* A value that is none: as if it had not come. */
static void forget(struct learned *learned, enum cmw__forwarding field)
{
    memset(&learned->kept[field], 0, sizeof learned->kept[field]);
}

/* ---- Applying --------------------------------------------------------------------------- */

static int read_scheme(cmw_scheme *out, cmw_str text)
{
    /* The schemes of WebSocket begin as HTTP over the same connection (RFC 6455, 1.2). */
    static const struct {
        cmw_str name;
        cmw_scheme scheme;
    } schemes[] = {
        {CMW_STR_INIT("https"), CMW_SCHEME_HTTPS},
        {CMW_STR_INIT("http"), CMW_SCHEME_HTTP},
        {CMW_STR_INIT("wss"), CMW_SCHEME_HTTPS},
        {CMW_STR_INIT("ws"), CMW_SCHEME_HTTP},
    };

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (cmw_str_equals_fold(text, schemes[i].name)) {
            *out = schemes[i].scheme;
            return 1;
        }
    }
    return 0;
}

static int apply_scheme(const struct trusted_proxy *proxy, const struct scan *scan,
                        struct learned *learned, cmw_request *request)
{
    char buffer[TEXT_CAP];
    cmw_scheme scheme;

    if (!proxy->takes_proto)
        return 0;
    const cmw_str text = proxy->list == CMW__FORWARDED
                             ? plain_text(&learned->edge.proto, buffer)
                             : edge_value(scan, CMW__FORWARDED_PROTO, learned);
    if (read_scheme(&scheme, text))
        return cmw_request_set_scheme(request, scheme);
    forget(learned, CMW__FORWARDED_PROTO);
    return 0;
}

static int apply_host(const struct trusted_proxy *proxy, const struct scan *scan,
                      struct learned *learned, cmw_request *request, int *has_port)
{
    char buffer[TEXT_CAP];

    if (!proxy->takes_host)
        return 0;
    const cmw_str text = proxy->list == CMW__FORWARDED
                             ? plain_text(&learned->edge.host, buffer)
                             : edge_value(scan, CMW__FORWARDED_HOST, learned);
    const int rc = cmw_request_set_host(request, text);
    if (rc == 0)
        *has_port = cmw_request_port(request) != 0;
    else
        forget(learned, CMW__FORWARDED_HOST);
    return rc == CMW_ERR_INVALID ? 0 : rc;
}

/* Give the host that is known another port. */
static int set_port(cmw_request *request, cmw_arena *arena, uint16_t port)
{
    const cmw_str host = cmw_request_host(request);
    char digits[5];
    size_t count = 0;

    if (host.len == 0)
        return 0;
    for (unsigned rest = port; rest > 0; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    char *text = cmw_arena_alloc(arena, host.len + 1 + count);
    if (!text)
        return CMW_ERR_NOMEM;
    memcpy(text, host.data, host.len);
    text[host.len] = ':';
    for (size_t i = 0; i < count; i++)
        text[host.len + 1 + i] = digits[count - 1 - i];
    return cmw_request_set_host(request, cmw_str_make(text, host.len + 1 + count));
}

static int apply_port(const struct trusted_proxy *proxy, const struct scan *scan,
                      struct learned *learned, cmw_ctx *ctx, int has_port)
{
    if (!proxy->takes_port)
        return 0;
    learned->said.port = cmw__forwarded_port(edge_value(scan, CMW__FORWARDED_PORT, learned));
    if (learned->said.port == 0)
        forget(learned, CMW__FORWARDED_PORT);
    if (learned->said.port == 0 || has_port)
        return 0;
    return set_port(cmw_ctx_request(ctx), cmw_ctx_arena(ctx), learned->said.port);
}

static void learn_prefix(const struct trusted_proxy *proxy, const struct scan *scan,
                         struct learned *learned)
{
    if (!proxy->takes_prefix)
        return;
    const cmw_str prefix = edge_value(scan, CMW__FORWARDED_PREFIX, learned);
    if (cmw__forwarded_is_prefix(prefix))
        learned->said.prefix = prefix;
    else
        forget(learned, CMW__FORWARDED_PREFIX);
}

/* 0, or why the request cannot go on. */
static int learn_and_apply(const struct trusted_proxy *proxy, const struct scan *scan,
                           struct learned *learned, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    int has_port = 0, rc = 0;

    learn_client(proxy, scan, learned);
    learn_prefix(proxy, scan, learned);
    if (learned->has_client)
        rc = cmw_request_set_client_address(request, &learned->client);
    if (rc == 0)
        rc = apply_scheme(proxy, scan, learned, request);
    if (rc == 0)
        rc = apply_host(proxy, scan, learned, request, &has_port);
    if (rc == 0)
        rc = apply_port(proxy, scan, learned, ctx, has_port);
    if (rc != 0)
        return rc;
    cmw_forwarded *slot = cmw_ctx_set_slot(ctx, proxy->slot);
    if (!slot)
        return CMW_ERR_NOMEM;
    *slot = learned->said;
    return 0;
}

/* ---- Removing --------------------------------------------------------------------------- */

struct removal {
    const struct learned *learned;
    uint32_t lines[CMW__FORWARDING_COUNT]; /* seen so far */
};

static int keep_believed(void *self, cmw_header *header)
{
    struct removal *removal = self;
    const enum cmw__forwarding field = cmw__forwarding_of(header->name);
    const struct kept *kept = &removal->learned->kept[field];
    const uint32_t line = removal->lines[field]++;

    if (field == CMW__NOT_FORWARDING)
        return 1;
    if (field == CMW__FORWARDED_OTHER)
        return removal->learned->trusts_peer;
    if (!kept->value.data || line < kept->line)
        return 0;
    if (line > kept->line)
        return kept->is_list;
    header->value = kept->value;
    return 1;
}

/* 1 if all lines of a field stay as they are. */
static int is_kept_whole(const struct scan *scan, const struct learned *learned,
                         enum cmw__forwarding field)
{
    const struct kept *kept = &learned->kept[field];

    if (field == CMW__FORWARDED_OTHER)
        return learned->trusts_peer;
    if (!kept->value.data || scan->lines[field] != 1)
        return 0;
    const cmw_str value = scan->fields[scan->end[field] - 1].value;
    return kept->value.data == value.data && kept->value.len == value.len;
}

/* 1 if nothing is to be removed: what proxies that replace the fields send. */
static int is_clean(const struct scan *scan, const struct learned *learned)
{
    for (int field = CMW__NOT_FORWARDING + 1; field < CMW__FORWARDING_COUNT; field++)
        if (scan->lines[field] > 0 && !is_kept_whole(scan, learned, (enum cmw__forwarding)field))
            return 0;
    return 1;
}

static int read_fields(const struct trusted_proxy *proxy, cmw_ctx *ctx, const cmw_header *fields,
                       size_t count)
{
    cmw_request *request = cmw_ctx_request(ctx);
    struct scan scan;

    scan_fields(&scan, fields, count);
    struct learned learned = {.trusts_peer = trusts(proxy, cmw_request_peer(request))};
    if (learned.trusts_peer && learn_and_apply(proxy, &scan, &learned, ctx) != 0)
        return CMW_ERROR;
    if (is_clean(&scan, &learned))
        return CMW_CONTINUE;
    struct removal removal = {.learned = &learned};
    return cmw_request_filter_headers(request, keep_believed, &removal) == 0 ? CMW_CONTINUE
                                                                             : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    size_t count;
    const cmw_header *fields = cmw_request_headers(cmw_ctx_request(ctx), &count);

    if (!has_forwarding(fields, count))
        return CMW_CONTINUE;
    return read_fields(self, ctx, fields, count);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct trusted_proxy *proxy = self;
    cmw_arena_destroy(proxy->arena);
}

static int check_config(const cmw_trusted_proxy_config *config, cmw_diag *diag)
{
    if (config->header != CMW_PROXY_HEADER_X_FORWARDED_FOR &&
        config->header != CMW_PROXY_HEADER_FORWARDED)
        return cmw_diag_set(diag, CMW_ERR_ARG, "trusted_proxy: header: %d is no such field",
                            config->header);
    if (config->hops < 0 || config->hops > 1000)
        return cmw_diag_set(diag, CMW_ERR_ARG, "trusted_proxy: hops: %lld is not 0 to 1000",
                            (long long)config->hops);
    if (config->hops > 0 && config->trust_count > 0)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "trusted_proxy: hops: %lld, but trust names the proxies too: give one",
                            (long long)config->hops);
    return 0;
}

static int fill(struct trusted_proxy *proxy, const cmw_trusted_proxy_config *config,
                cmw_engine *engine, cmw_diag *diag)
{
    const int rc = cmw_forwarded_slot(engine, &proxy->slot);

    if (rc != 0)
        return cmw_diag_set(diag, rc, "trusted_proxy: slot 'forwarded': %s", cmw_error_text(rc));
    proxy->hops = (uint32_t)config->hops;
    proxy->list =
        config->header == CMW_PROXY_HEADER_FORWARDED ? CMW__FORWARDED : CMW__FORWARDED_FOR;
    proxy->takes_proto = config->forwarded_proto;
    proxy->takes_host = config->forwarded_host;
    proxy->takes_port = config->forwarded_port;
    proxy->takes_prefix = config->forwarded_prefix;
    return cmw__builtin_networks(&proxy->trust, proxy->arena, "trusted_proxy: trust", config->trust,
                                 config->trust_count, diag);
}

static void describe(cmw_middleware *middleware, const struct trusted_proxy *proxy)
{
    middleware->kind = "trusted_proxy";
    middleware->priority = 50;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_refines(middleware, CMW_FACT_CLIENT_ADDRESS);
    if (proxy->takes_proto)
        cmw_middleware_refines(middleware, CMW_FACT_SCHEME);
    if (proxy->takes_host || proxy->takes_port)
        cmw_middleware_refines(middleware, CMW_FACT_HOST);
    cmw_middleware_provides(middleware, proxy->slot);
}

int cmw_forwarded_slot(cmw_engine *engine, cmw_slot *slot)
{
    return cmw_slot_declare(engine, slot, "forwarded", sizeof(cmw_forwarded), NULL);
}

int cmw_trusted_proxy_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_trusted_proxy_config *config, cmw_diag *diag)
{
    cmw_trusted_proxy_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_trusted_proxy_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "trusted_proxy: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct trusted_proxy *proxy =
        cmw__builtin_alloc(engine, &arena, sizeof *proxy, "trusted_proxy", diag);
    if (!proxy)
        return CMW_ERR_NOMEM;
    proxy->arena = arena;
    rc = fill(proxy, &ours, engine, diag);
    if (rc != 0) {
        destroy(proxy);
        return rc;
    }
    describe(middleware, proxy);
    middleware->self = proxy;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_trusted_proxy_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_trusted_proxy_config_init(config);
}

static const cmw_option options[] = {
    {.name = "header",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_trusted_proxy_config, header),
     .choices = "x-forwarded-for|forwarded",
     .help = "The field that is believed"},
    {.name = "trust",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_trusted_proxy_config, trust),
     .help = "Addresses and networks of the proxies"},
    {.name = "hops",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_trusted_proxy_config, hops),
     .max = 1000,
     .help = "In place of trust: how many proxies every request passes"},
    {.name = "forwarded_proto",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trusted_proxy_config, forwarded_proto),
     .help = "The proxies say the scheme"},
    {.name = "forwarded_host",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trusted_proxy_config, forwarded_host),
     .help = "The proxies say the host"},
    {.name = "forwarded_port",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trusted_proxy_config, forwarded_port),
     .help = "The proxies say the port, by X-Forwarded-Port"},
    {.name = "forwarded_prefix",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_trusted_proxy_config, forwarded_prefix),
     .help = "The proxies say the path below which they offer the service, by X-Forwarded-Prefix"},
};

const cmw_kind cmw__kind_trusted_proxy = {
    .size = sizeof(cmw_kind),
    .name = "trusted_proxy",
    .summary = "The client's address, scheme and host behind proxies of one's own",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_trusted_proxy_config),
    .config_init = config_init,
    .create = create,
};
