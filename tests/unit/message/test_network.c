/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

#include <stdio.h>

#include <catzilla/network.h>

struct row {
    const char *name;
    const char *text;
    const char *canonical; /* NULL: refused */
};

static const struct row rows[] = {
    {"IPv4 network", "10.0.0.0/8", "10.0.0.0/8"},
    {"IPv6 network", "2001:DB8::/32", "2001:db8::/32"},
    {"address alone has all bits", "203.0.113.7", "203.0.113.7/32"},
    {"IPv6 address alone has all bits", "2001:db8::1", "2001:db8::1/128"},
    {"host bits are cleared", "10.1.2.3/8", "10.0.0.0/8"},
    {"host bits are cleared inside a byte", "192.0.2.255/25", "192.0.2.128/25"},
    {"IPv6 host bits are cleared", "2001:db8::f/125", "2001:db8::8/125"},
    {"all of IPv4", "255.1.2.3/0", "0.0.0.0/0"},
    {"all of IPv6", "ffff::1/0", "::/0"},
    {"every bit but one", "192.0.2.3/31", "192.0.2.2/31"},
    {"local sockets", "unix", "unix/0"},
    {"mapped address is IPv4", "::ffff:192.0.2.1", "192.0.2.1/32"},
    {"mapped network is IPv4", "::ffff:10.1.2.3/104", "10.0.0.0/8"},
    {"all mapped addresses are all of IPv4", "::ffff:0:0/96", "0.0.0.0/0"},
    {"mapped network beyond IPv4 stays IPv6", "::ffff:0:0/95", "::fffe:0:0/95"},
    {"mapped text under a short prefix stays IPv6", "::ffff:1.2.3.4/0", "::/0"},
    {"compatible address is IPv6", "::10.0.0.1/128", "::a00:1/128"},
    {"NAT64 is IPv6", "64:ff9b::10.0.0.1/96", "64:ff9b::/96"},
    {"prefix past IPv4 is refused", "10.0.0.0/33", NULL},
    {"prefix of IPv6 with IPv4 is refused", "10.0.0.0/128", NULL},
    {"prefix past IPv6 is refused", "2001:db8::/129", NULL},
    {"prefix that wraps is refused", "10.0.0.0/4294967304", NULL},
    {"prefix of four digits is refused", "10.0.0.0/0008", NULL},
    {"negative prefix is refused", "10.0.0.0/-1", NULL},
    {"signed prefix is refused", "10.0.0.0/+8", NULL},
    {"prefix with a leading zero is refused", "10.0.0.0/08", NULL},
    {"double zero is refused", "10.0.0.0/00", NULL},
    {"empty prefix is refused", "10.0.0.0/", NULL},
    {"letters behind a prefix are refused", "10.0.0.0/8x", NULL},
    {"space behind a prefix is refused", "10.0.0.0/8 ", NULL},
    {"mask is refused", "10.0.0.0/255.0.0.0", NULL},
    {"two prefixes are refused", "10.0.0.0/8/8", NULL},
    {"prefix alone is refused", "/8", NULL},
    {"empty text is refused", "", NULL},
    {"slash is refused", "/", NULL},
    {"octet above 255 is refused", "256.0.0.0/8", NULL},
    {"leading zero in an octet is refused", "010.0.0.0/8", NULL},
    {"short form is refused", "10/8", NULL},
    {"star is refused", "*", NULL},
    {"space before is refused", " 10.0.0.0/8", NULL},
    {"brackets are refused", "[2001:db8::]/32", NULL},
    {"zone is refused", "fe80::1%eth0/64", NULL},
    {"zone behind the prefix is refused", "fe80::/64%eth0", NULL},
    {"port is refused", "10.0.0.1:80", NULL},
    {"name is refused", "localhost", NULL},
    {"prefix of local sockets is refused", "unix/0", NULL},
    {"local sockets in upper case are refused", "UNIX", NULL},
};

static void write_network(char *out, size_t cap, const cmw_network *network)
{
    char address[CMW_ADDRESS_TEXT_CAP];

    (void)cmw_address_format(&network->address, address);
    snprintf(out, cap, "%s/%u", address, (unsigned)network->prefix_bits);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page;
    cmw_network network;
    char text[CMW_ADDRESS_TEXT_CAP + 8];

    memset(&network, 7, sizeof network);
    const cmw_network untouched = network;
    guard_page_open(&page, 256);
    const int rc = cmw_network_parse(&network, guard_page_put(&page, cmw_str_cstr(row->text)));
    if (row->canonical) {
        assert_int_equal(rc, 0);
        write_network(text, sizeof text, &network);
        assert_string_equal(text, row->canonical);
        assert_true(cmw_network_contains(&network, &network.address));
    } else {
        assert_int_equal(rc, CMW_ERR_INVALID);
        assert_memory_equal(&network, &untouched, sizeof network);
    }
    guard_page_close(&page);
}

RUN_ROWS("network text", rows, check_row)

/* ---- Membership ------------------------------------------------------------------------- */

struct member_row {
    const char *name;
    const char *networks; /* with a space between them */
    const char *address;  /* "-": none */
    int is_member;
};

static const struct member_row member_rows[] = {
    {"first address", "10.0.0.0/8", "10.0.0.0", 1},
    {"last address", "10.0.0.0/8", "10.255.255.255", 1},
    {"one before", "10.0.0.0/8", "9.255.255.255", 0},
    {"one behind", "10.0.0.0/8", "11.0.0.0", 0},
    {"empty set", "", "10.0.0.0", 0},
    {"mapped client is the IPv4 client", "10.0.0.0/8", "::ffff:10.0.0.1", 1},
    {"IPv4 client of a mapped network", "::ffff:10.0.0.0/104", "10.0.0.1", 1},
    {"all of IPv6 says nothing of IPv4", "::/0", "10.0.0.1", 0},
    {"nor of a mapped one", "::/0", "::ffff:10.0.0.1", 0},
    {"all of IPv4 says nothing of IPv6", "0.0.0.0/0", "::1", 0},
    {"all of both", "0.0.0.0/0 ::/0", "::1", 1},
    {"compatible address is not IPv4", "10.0.0.0/8", "::10.0.0.1", 0},
    {"NAT64 is not IPv4", "10.0.0.0/8", "64:ff9b::10.0.0.1", 0},
    {"6to4 is not IPv4", "10.0.0.0/8", "2002:a00:1::", 0},
    {"unspecified address is in all of IPv6", "::/0", "::", 1},
    {"a member above members", "10.0.0.0/8 10.1.0.0/16", "10.2.0.1", 1},
    {"a member above members, given later", "10.1.0.0/16 10.0.0.0/8", "10.2.0.1", 1},
    {"all of IPv4 above members, given last", "10.1.0.0/16 10.2.0.0/16 0.0.0.0/0", "8.8.8.8", 1},
    {"a member below members", "10.0.0.0/8 10.1.0.0/16", "10.1.0.1", 1},
    {"duplicates", "10.0.0.1 10.0.0.1/32 10.0.0.1", "10.0.0.1", 1},
    {"neighbours leave the rest out", "10.0.0.1 10.0.0.2", "10.0.0.3", 0},
    {"neighbours leave the base out", "10.0.0.1 10.0.0.2", "10.0.0.0", 0},
    {"a fork is no member", "10.0.0.0/16 10.128.0.0/16", "10.64.0.1", 0},
    {"last bit of IPv6", "2001:db8::1", "2001:db8::", 0},
    {"local socket", "10.0.0.0/8 unix", "unix", 1},
    {"local socket is not all of IPv4", "0.0.0.0/0 ::/0", "unix", 0},
    {"unknown address is in nothing", "0.0.0.0/0 ::/0 unix", "-", 0},
};

enum { SET_CAP = 64 };

/* A set of texts with a space between them. */
static cmw_network_set *make_set(struct fixture *fixture, char *texts)
{
    const char *list[SET_CAP];
    size_t count = 0;
    cmw_network_set *set = NULL;

    for (char *text = strtok(texts, " "); text; text = strtok(NULL, " "))
        list[count++] = text;
    assert_int_equal(cmw_network_set_create(&set, &fixture->arena, list, count, NULL), 0);
    return set;
}

static void check_member(void **state)
{
    const struct member_row *row = *state;
    struct fixture fixture;
    cmw_address address = {.family = CMW_ADDRESS_NONE};
    char texts[128];

    fixture_open(&fixture, 4096);
    snprintf(texts, sizeof texts, "%s", row->networks);
    if (strcmp(row->address, "unix") == 0)
        address.family = CMW_ADDRESS_UNIX;
    else if (strcmp(row->address, "-") != 0)
        assert_int_equal(cmw_address_parse(&address, cmw_str_cstr(row->address)), 0);
    const cmw_network_set *set = make_set(&fixture, texts);
    assert_int_equal(cmw_network_set_contains(set, &address), row->is_member);
    fixture_close(&fixture);
}

RUN_ROWS("members", member_rows, check_member)

/* ---- Against a list --------------------------------------------------------------------- */

/* Few values of few bytes, so that networks meet, nest and repeat. */
static void draw_address(cmw_address *address, uint64_t *seed)
{
    static const uint8_t values[] = {0, 1, 2, 127, 128, 255};
    const size_t len = next_random(seed) % 2 ? 4 : 16;

    memset(address, 0, sizeof *address);
    address->family = len == 4 ? CMW_ADDRESS_V4 : CMW_ADDRESS_V6;
    for (size_t i = 0; i < len; i++)
        address->bytes[i] = values[next_random(seed) % (i % 4 < 2 ? 2 : sizeof values)];
}

static void draw_text(char *text, size_t cap, uint64_t *seed)
{
    char address_text[CMW_ADDRESS_TEXT_CAP];
    cmw_address address;

    draw_address(&address, seed);
    const unsigned width = address.family == CMW_ADDRESS_V4 ? 32 : 128;
    /* Short and long prefixes more often than the rest. */
    const unsigned roll = next_random(seed) % 4;
    const unsigned bits = roll == 0   ? width
                          : roll == 1 ? next_random(seed) % 4
                                      : next_random(seed) % (width + 1);
    (void)cmw_address_format(&address, address_text);
    snprintf(text, cap, "%s/%u", address_text, bits);
}

/* In one of the networks, one after another, bit by bit. */
static int is_in_list(const cmw_network *list, size_t count, const cmw_address *address)
{
    for (size_t i = 0; i < count; i++) {
        unsigned bit = 0;
        if (list[i].address.family != address->family)
            continue;
        while (bit < list[i].prefix_bits &&
               ((list[i].address.bytes[bit / 8] ^ address->bytes[bit / 8]) >> (7 - bit % 8) & 1) ==
                   0)
            bit++;
        if (bit == list[i].prefix_bits)
            return 1;
    }
    return 0;
}

static void a_set_agrees_with_a_list(void **state)
{
    uint64_t seed = 7;
    int members = 0;
    (void)state;

    for (int round = 0; round < 400; round++) {
        struct fixture fixture;
        char texts[SET_CAP][CMW_ADDRESS_TEXT_CAP + 8];
        const char *pointers[SET_CAP];
        cmw_network list[SET_CAP];
        cmw_network_set *set = NULL;
        const size_t count = next_random(&seed) % SET_CAP;

        fixture_open(&fixture, 4096);
        for (size_t i = 0; i < count; i++) {
            draw_text(texts[i], sizeof texts[i], &seed);
            pointers[i] = texts[i];
            assert_int_equal(cmw_network_parse(&list[i], cmw_str_cstr(texts[i])), 0);
        }
        assert_int_equal(cmw_network_set_create(&set, &fixture.arena, pointers, count, NULL), 0);
        for (int i = 0; i < 300; i++) {
            cmw_address address;
            draw_address(&address, &seed);
            const int expected = is_in_list(list, count, &address);
            assert_int_equal(cmw_network_set_contains(set, &address), expected);
            members += expected;
        }
        for (size_t i = 0; i < count; i++)
            assert_true(cmw_network_set_contains(set, &list[i].address));
        fixture_close(&fixture);
    }
    assert_true(members > 1000 && members < 119000); /* both answers were tried */
}

/* ---- Faults ----------------------------------------------------------------------------- */

static void a_text_that_is_no_network_is_named(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8", "10.0.0.0/33"};
    static const char *const no_text[] = {NULL};
    struct fixture fixture;
    cmw_network_set *set = NULL;
    cmw_diag diag;
    (void)state;

    fixture_open(&fixture, 4096);
    assert_int_equal(cmw_network_set_create(&set, &fixture.arena, texts, 2, &diag),
                     CMW_ERR_INVALID);
    assert_string_equal(diag.message, "'10.0.0.0/33' is not an address or a network");
    assert_int_equal(cmw_network_set_create(&set, &fixture.arena, no_text, 1, &diag),
                     CMW_ERR_INVALID);
    assert_int_equal(cmw_network_set_create(&set, &fixture.arena, NULL, 1, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_network_set_create(&set, NULL, texts, 1, &diag), CMW_ERR_ARG);
    assert_int_equal(cmw_network_set_create(NULL, &fixture.arena, texts, 1, &diag), CMW_ERR_ARG);
    assert_null(set);
    fixture_close(&fixture);
}

static void without_memory_there_is_no_set(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"};
    struct fixture fixture;
    cmw_network_set *set = NULL;
    cmw_diag diag;
    (void)state;

    for (size_t room = 0; room < 160; room += 16) {
        fixture_open(&fixture, room + 16);
        fixture.refuses = 1;
        assert_int_equal(cmw_network_set_create(&set, &fixture.arena, texts, 3, &diag),
                         CMW_ERR_NOMEM);
        assert_null(set);
        fixture_close(&fixture);
    }
}

/* What a program fills by hand instead of parsing it. */
static void a_network_that_cannot_be_contains_nothing(void **state)
{
    cmw_network network = {.address = {.family = CMW_ADDRESS_NONE}, .prefix_bits = 0};
    const cmw_address none = {.family = CMW_ADDRESS_NONE};
    (void)state;

    assert_false(cmw_network_contains(&network, &none));
    network.address.family = CMW_ADDRESS_V6;
    network.prefix_bits = 255;
    assert_false(cmw_network_contains(&network, &network.address));
    network.address.family = CMW_ADDRESS_V4;
    network.prefix_bits = 33;
    assert_false(cmw_network_contains(&network, &network.address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_agrees_with_a_list),
        cmocka_unit_test(a_text_that_is_no_network_is_named),
        cmocka_unit_test(without_memory_there_is_no_set),
        cmocka_unit_test(a_network_that_cannot_be_contains_nothing),
    };

    return run_check_row() | run_check_member() |
           cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
