/* SPDX-License-Identifier: MIT */
/*
 * ip_filter, its networks and its addresses, against the system's own reading of addresses: the
 * first line is who comes, the others are rules, those that begin with "!" of the list `deny`. What
 * is no address is refused by both, and who passes is who a naive comparison of bits lets pass.
 */
#include "fuzz.h"

#include <catzilla/builtin/ip_filter.h>

#include <arpa/inet.h>

enum { RULE_CAP = 64 };

struct rules {
    const char *texts[RULE_CAP];
    size_t count;
    int has_fault; /* one of them is no network */
};

/* ---- The naive side --------------------------------------------------------------------- */

static void map_to_v4(cmw_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (address->family != CMW_ADDRESS_V6 || memcmp(address->bytes, mapped, sizeof mapped) != 0)
        return;
    memmove(address->bytes, address->bytes + 12, 4);
    memset(address->bytes + 4, 0, 12);
    address->family = CMW_ADDRESS_V4;
}

/* 1 if the system reads an address in the text. IPv4-mapped ones stay as they are. */
static int read_plain(cmw_address *out, const char *text)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        out->family = CMW_ADDRESS_V4;
    else if (inet_pton(AF_INET6, text, out->bytes) == 1)
        out->family = CMW_ADDRESS_V6;
    return out->family != CMW_ADDRESS_NONE;
}

static int read_bits(unsigned *out, const char *text, unsigned most)
{
    const size_t len = strlen(text);

    *out = 0;
    if (len < 1 || len > 3 || (len > 1 && text[0] == '0'))
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        *out = *out * 10 + (unsigned)(text[i] - '0');
    }
    return *out <= most;
}

struct naive_network {
    cmw_address address;
    unsigned bits;
};

static int read_network(struct naive_network *out, const char *text)
{
    char address[64];
    const char *slash = strchr(text, '/');
    const size_t len = slash ? (size_t)(slash - text) : strlen(text);

    memset(out, 0, sizeof *out);
    if (strcmp(text, "unix") == 0) {
        out->address.family = CMW_ADDRESS_UNIX;
        return 1;
    }
    if (len >= sizeof address)
        return 0;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!read_plain(&out->address, address))
        return 0;
    const unsigned most = out->address.family == CMW_ADDRESS_V4 ? 32 : 128;
    out->bits = most;
    if (slash && !read_bits(&out->bits, slash + 1, most))
        return 0;
    if (out->bits >= 96) {
        const int family = out->address.family;
        map_to_v4(&out->address);
        out->bits -= out->address.family != family ? 96 : 0;
    }
    return 1;
}

static int is_inside(const struct naive_network *network, const cmw_address *address)
{
    if (network->address.family != address->family || address->family == CMW_ADDRESS_NONE)
        return 0;
    for (unsigned i = 0; i < network->bits; i++)
        if ((network->address.bytes[i / 8] ^ address->bytes[i / 8]) >> (7 - i % 8) & 1)
            return 0;
    return 1;
}

static int is_inside_any(const struct rules *rules, const cmw_address *address)
{
    struct naive_network network;
    int is_in = 0;

    for (size_t i = 0; i < rules->count; i++)
        is_in |= read_network(&network, rules->texts[i]) && is_inside(&network, address);
    return is_in;
}

/* ---- Checks ----------------------------------------------------------------------------- */

/* Both read the same address, and its text is read as the same one again. */
static cmw_address check_address(const char *text)
{
    char room[CMW_ADDRESS_TEXT_CAP];
    cmw_address ours, theirs, again;

    memset(&ours, 0, sizeof ours);
    const int is_good = cmw_address_parse(&ours, cmw_str_cstr(text)) == 0;
    FUZZ_CHECK(is_good == read_plain(&theirs, text));
    if (!is_good) {
        FUZZ_CHECK(ours.family == CMW_ADDRESS_NONE);
        return ours;
    }
    map_to_v4(&theirs);
    FUZZ_CHECK(cmw_address_equals(&ours, &theirs));
    const size_t len = cmw_address_format(&ours, room);
    FUZZ_CHECK(len > 0 && len < sizeof room && room[len] == '\0');
    FUZZ_CHECK(cmw_address_parse(&again, cmw_str_make(room, len)) == 0);
    FUZZ_CHECK(cmw_address_equals(&ours, &again));
    return ours;
}

static void check_network(const char *text, const cmw_address *client)
{
    struct naive_network theirs;
    cmw_network ours;
    const int is_good = cmw_network_parse(&ours, cmw_str_cstr(text)) == 0;

    FUZZ_CHECK(is_good == read_network(&theirs, text));
    if (!is_good)
        return;
    FUZZ_CHECK(ours.prefix_bits == theirs.bits && ours.address.family == theirs.address.family);
    FUZZ_CHECK(cmw_network_contains(&ours, client) == is_inside(&theirs, client));
    FUZZ_CHECK(theirs.address.family == CMW_ADDRESS_UNIX ||
               cmw_network_contains(&ours, &ours.address));
}

static void add_rule(struct rules *rules, const char *text, const cmw_address *client)
{
    struct naive_network network;

    if (rules->count == RULE_CAP)
        return;
    check_network(text, client);
    rules->texts[rules->count++] = text;
    rules->has_fault |= !read_network(&network, text);
}

/* Whether the rules are taken; then the plan that has them is installed. */
static int install(cmw_test *test, const struct rules *allow, const struct rules *deny)
{
    cmw_ip_filter_config config;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    cmw_ip_filter_config_init(&config);
    config.allow = allow->texts;
    config.allow_count = allow->count;
    config.deny = deny->texts;
    config.deny_count = deny->count;
    FUZZ_CHECK(cmw_chain_create(cmw_test_engine(test), &chain, 0) == 0);
    const int rc = cmw_chain_use(chain, "ip_filter", &config, &diag);
    FUZZ_CHECK(rc == 0 || (rc == CMW_ERR_INVALID && diag.message[0] != '\0'));
    if (rc == 0) {
        FUZZ_CHECK(cmw_chain_compile(chain, &plan, &diag) == 0);
        FUZZ_CHECK(cmw_test_install(test, plan) == 0);
    }
    cmw_chain_destroy(chain);
    return rc == 0;
}

static void check_client(cmw_test *test, const struct rules *allow, const struct rules *deny,
                         const cmw_address *client)
{
    const int is_allowed = allow->count == 0 || is_inside_any(allow, client);
    const int has_rules = allow->count + deny->count > 0;
    const int may_pass = client->family == CMW_ADDRESS_NONE
                             ? !has_rules
                             : is_allowed && !is_inside_any(deny, client);

    cmw_test_request(test, "GET", "/");
    cmw_test_view(test)->peer = *client;
    FUZZ_CHECK(cmw_test_send(test) == (may_pass ? 200 : 403));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    struct rules allow = {.count = 0}, deny = {.count = 0};
    char *text = fuzz_text(data, size);
    char *rest = text;

    if (!test)
        test = fuzz_open(NULL, NULL);
    const cmw_address client = check_address(fuzz_next_line(&rest));
    while (*rest != '\0') {
        const char *line = fuzz_next_line(&rest);
        if (line[0] == '!')
            add_rule(&deny, line + 1, &client);
        else
            add_rule(&allow, line, &client);
    }
    const int is_taken = install(test, &allow, &deny);
    FUZZ_CHECK(is_taken == !(allow.has_fault || deny.has_fault));
    if (is_taken)
        check_client(test, &allow, &deny, &client);
    free(text);
    return 0;
}
