/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct row {
    const char *name;
    const char *text;
    const char *canonical; /* NULL: refused */
};

static const struct row rows[] = {
    {"dotted quad", "192.0.2.1", "192.0.2.1"},
    {"all ones", "255.255.255.255", "255.255.255.255"},
    {"all zeros", "0.0.0.0", "0.0.0.0"},
    {"leading zero is refused", "127.0.0.01", NULL},
    {"leading zero in the last octet is refused", "1.2.3.04", NULL},
    {"octet above 255 is refused", "1.2.3.256", NULL},
    {"two parts are refused", "127.1", NULL},
    {"one number is refused", "2130706433", NULL},
    {"hexadecimal octet is refused", "0x7f.0.0.1", NULL},
    {"five octets are refused", "1.2.3.4.5", NULL},
    {"final dot is refused", "1.2.3.4.", NULL},
    {"empty octet is refused", "1..3.4", NULL},
    {"empty text is refused", "", NULL},
    {"space before is refused", " 1.2.3.4", NULL},
    {"port is refused", "1.2.3.4:80", NULL},
    {"prefix is refused", "10.0.0.0/8", NULL},
    {"line end is refused", "1.2.3.4\r\n", NULL},
    {"loopback", "::1", "::1"},
    {"unspecified", "::", "::"},
    {"upper case is lowered", "2001:DB8::A", "2001:db8::a"},
    {"leading zeros go", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
    {"the longest run of zeros is cut", "1:0:0:2:0:0:0:3", "1:0:0:2::3"},
    {"the first of equal runs is cut", "1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
    {"one zero group is not cut", "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
    {"gap at the end", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"gap at the front", "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"mapped IPv4 becomes IPv4", "::ffff:127.0.0.1", "127.0.0.1"},
    {"mapped IPv4 in hex becomes IPv4", "::ffff:7f00:1", "127.0.0.1"},
    {"embedded IPv4 that is not mapped", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"embedded IPv4 behind a gap", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    {"embedded IPv4 too far behind is refused", "1:2:3:4:5:6:7:1.2.3.4", NULL},
    {"embedded IPv4 in the middle is refused", "1.2.3.4::1", NULL},
    {"zone is refused", "fe80::1%eth0", NULL},
    {"brackets are refused", "[::1]", NULL},
    {"five digits are refused", "12345::1", NULL},
    {"five digits with zeros are refused", "00001::1", NULL},
    {"seven groups are refused", "1:2:3:4:5:6:7", NULL},
    {"nine groups are refused", "1:2:3:4:5:6:7:8:9", NULL},
    {"two gaps are refused", "1::2::3", NULL},
    {"gap beside eight groups is refused", "1:2:3:4::5:6:7:8", NULL},
    {"three colons are refused", ":::", NULL},
    {"single colon at the front is refused", ":1", NULL},
    {"single colon at the end is refused", "1::2:", NULL},
    {"other letters are refused", "::g", NULL},
    {"over-long text is refused",
     "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page;
    cmw_address address = {{7}, 9, 9, 9};
    const cmw_address untouched = address;
    char text[CMW_ADDRESS_TEXT_CAP];

    guard_page_open(&page, 256);
    const int rc = cmw_address_parse(&address, guard_page_put(&page, cmw_str_cstr(row->text)));
    if (row->canonical) {
        cmw_address again;
        assert_int_equal(rc, 0);
        assert_int_equal(cmw_address_format(&address, text), strlen(row->canonical));
        assert_string_equal(text, row->canonical);
        assert_int_equal(cmw_address_parse(&again, cmw_str_cstr(text)), 0);
        assert_true(cmw_address_equals(&again, &address));
    } else {
        assert_int_equal(rc, CMW_ERR_INVALID);
        assert_memory_equal(&address, &untouched, sizeof address);
    }
    guard_page_close(&page);
}

RUN_ROWS("address text", rows, check_row)

/* The C library is a second opinion on every text of this alphabet that it can write. */
static void text_agrees_with_the_system(void **state)
{
    static const char alphabet[] = "0123456789abcfF:::...";
    uint64_t seed = 1;
    (void)state;

    for (int round = 0; round < 200000; round++) {
        char text[40], ours[CMW_ADDRESS_TEXT_CAP], theirs[INET6_ADDRSTRLEN];
        uint8_t bytes[16];
        cmw_address address;
        const size_t len = next_random(&seed) % 20;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[next_random(&seed) % (sizeof alphabet - 1)];
        text[len] = '\0';
        const int family = strchr(text, ':') ? AF_INET6 : AF_INET;
        const int expected = inet_pton(family, text, bytes) == 1;
        assert_int_equal(cmw_address_parse(&address, cmw_str_make(text, len)) == 0, expected);
        if (!expected || (family == AF_INET6 && address.family == CMW_ADDRESS_V4))
            continue;
        assert_memory_equal(address.bytes, bytes, family == AF_INET ? 4 : 16);
        (void)cmw_address_format(&address, ours);
        assert_non_null(inet_ntop(family, bytes, theirs, sizeof theirs));
        if (!strchr(theirs, '.') || family == AF_INET) /* it writes ::1.2.3.4 for deprecated ones */
            assert_string_equal(ours, theirs);
    }
}

static void families_without_bytes_have_a_text(void **state)
{
    char text[CMW_ADDRESS_TEXT_CAP] = "x";
    cmw_address none = {.family = CMW_ADDRESS_NONE};
    cmw_address local = {.family = CMW_ADDRESS_UNIX};
    (void)state;

    assert_int_equal(cmw_address_format(&none, text), 0);
    assert_string_equal(text, "");
    assert_int_equal(cmw_address_format(&local, text), 4);
    assert_string_equal(text, "unix");
    assert_false(cmw_address_equals(&none, &local));
    assert_true(cmw_address_equals(&local, &local));
}

static void equality_ignores_ports_and_unused_bytes(void **state)
{
    cmw_address a, b;
    (void)state;

    assert_int_equal(cmw_address_parse(&a, CMW_STR("192.0.2.1")), 0);
    b = a;
    b.port = 80;
    b.bytes[15] = 1;
    assert_true(cmw_address_equals(&a, &b));
    b.bytes[3] = 2;
    assert_false(cmw_address_equals(&a, &b));
}

static void sockaddr_in_is_taken_over(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(8080)};
    cmw_address address;
    char text[CMW_ADDRESS_TEXT_CAP];
    (void)state;

    in.sin_addr.s_addr = htonl(0xc0000201);
    cmw_address_from_sockaddr(&address, &in, sizeof in);
    assert_int_equal(address.port, 8080);
    (void)cmw_address_format(&address, text);
    assert_string_equal(text, "192.0.2.1");
    cmw_address_from_sockaddr(&address, &in, sizeof in - 1);
    assert_int_equal(address.family, CMW_ADDRESS_NONE);
}

static void sockaddr_in6_is_taken_over_and_mapped_ones_become_ipv4(void **state)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    cmw_address address;
    (void)state;

    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
    cmw_address_from_sockaddr(&address, &in6, sizeof in6);
    assert_int_equal(address.family, CMW_ADDRESS_V6);
    assert_int_equal(address.port, 443);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    cmw_address_from_sockaddr(&address, &in6, sizeof in6);
    assert_int_equal(address.family, CMW_ADDRESS_V4);
    assert_int_equal(address.port, 443);
}

static void other_sockaddrs_are_named_or_unknown(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr other = {.sa_family = 250};
    cmw_address address;
    (void)state;

    cmw_address_from_sockaddr(&address, &local, sizeof(sa_family_t));
    assert_int_equal(address.family, CMW_ADDRESS_UNIX);
    cmw_address_from_sockaddr(&address, &other, sizeof other);
    assert_int_equal(address.family, CMW_ADDRESS_NONE);
    cmw_address_from_sockaddr(&address, NULL, 100);
    assert_int_equal(address.family, CMW_ADDRESS_NONE);
    cmw_address_from_sockaddr(&address, &local, 1);
    assert_int_equal(address.family, CMW_ADDRESS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_agrees_with_the_system),
        cmocka_unit_test(families_without_bytes_have_a_text),
        cmocka_unit_test(equality_ignores_ports_and_unused_bytes),
        cmocka_unit_test(sockaddr_in_is_taken_over),
        cmocka_unit_test(sockaddr_in6_is_taken_over_and_mapped_ones_become_ipv4),
        cmocka_unit_test(other_sockaddrs_are_named_or_unknown),
    };
    return run_check_row() + cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
