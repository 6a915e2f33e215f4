/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

#include "header_table.h"

enum { MANY = 10000 };

/* The ids of an array of headers, padded to a multiple of 16 with what must be ignored. */
static void fill_ids(uint8_t *ids, const cmw_header *headers, size_t count)
{
    for (size_t i = 0; i < (count + 15) / 16 * 16; i++)
        ids[i] = i < count ? (uint8_t)cmw_header_id_find(headers[i].name) : CMW_HDR_COOKIE;
}

static void known_names_are_letters_digits_and_dashes(void **state)
{
    (void)state;

    /* What the comparison by letter bits relies on. */
    for (unsigned id = 1; id < CMW_HDR_LIMIT; id++) {
        const cmw_str lower = cmw__header_id_table[id].lower;
        for (size_t i = 0; i < lower.len; i++) {
            const char c = lower.data[i];
            assert_true((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
        }
        assert_true(lower.len < 128);
    }
}

static const cmw_header browser[] = {
    {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")},
    {CMW_STR_INIT("USER-AGENT"), CMW_STR_INIT("agent")},
    {CMW_STR_INIT("accept"), CMW_STR_INIT("*/*")},
    {CMW_STR_INIT("Accept-Language"), CMW_STR_INIT("en")},
    {CMW_STR_INIT("Accept-Encoding"), CMW_STR_INIT("gzip")},
    {CMW_STR_INIT("X-Custom"), CMW_STR_INIT("first")},
    {CMW_STR_INIT("Cookie"), CMW_STR_INIT("a=1")},
    {CMW_STR_INIT("TE"), CMW_STR_INIT("trailers")},
    {CMW_STR_INIT("cookie"), CMW_STR_INIT("b=2")},
    {CMW_STR_INIT("Upgrade-Insecure-Requests"), CMW_STR_INIT("1")},
    {CMW_STR_INIT("x-CUSTOM"), CMW_STR_INIT("second")},
    {CMW_STR_INIT("Age"), CMW_STR_INIT("0")},
};

static void check_browser(cmw_request *request)
{
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_HOST), &browser[0]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_USER_AGENT), &browser[1]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_ACCEPT), &browser[2]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING), &browser[4]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_TE), &browser[7]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_AGE), &browser[11]);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_UPGRADE_INSECURE_REQUESTS), &browser[9]);
    assert_null(cmw_request_header(request, CMW_HDR_AUTHORIZATION));
    assert_null(cmw_request_header(request, CMW_HDR_VIA));
    assert_null(cmw_request_header(request, CMW_HDR_OTHER));
    assert_null(cmw_request_header(request, (cmw_header_id)127));

    const cmw_header *cookie = cmw_request_header(request, CMW_HDR_COOKIE);
    assert_ptr_equal(cookie, &browser[6]);
    cookie = cmw_request_next_header(request, CMW_HDR_COOKIE, cookie);
    assert_ptr_equal(cookie, &browser[8]);
    assert_null(cmw_request_next_header(request, CMW_HDR_COOKIE, cookie));
    assert_null(cmw_request_next_header(request, CMW_HDR_COOKIE, NULL));
    assert_null(cmw_request_next_header(request, CMW_HDR_COOKIE, browser + LEN(browser)));

    assert_ptr_equal(cmw_request_header_named(request, CMW_STR("hoST")), &browser[0]);
    assert_ptr_equal(cmw_request_header_named(request, CMW_STR("X-custom")), &browser[5]);
    assert_null(cmw_request_header_named(request, CMW_STR("X-Custom2")));
    assert_null(cmw_request_header_named(request, CMW_STR("")));
}

static void fields_are_found_with_and_without_ids(void **state)
{
    struct fixture fixture;
    uint8_t ids[16];
    size_t count;
    (void)state;

    fixture_open(&fixture, 0);
    fixture.view.headers = browser;
    fixture.view.header_count = LEN(browser);
    cmw_request *request = fixture_request(&fixture);
    check_browser(request);
    assert_ptr_equal(cmw_request_headers(request, &count), browser);
    assert_int_equal(count, LEN(browser));
    assert_int_equal(cmw__request_header_bytes(request), 158);

    fill_ids(ids, browser, LEN(browser));
    fixture.view.header_ids = ids;
    check_browser(fixture_request(&fixture));
    fixture_close(&fixture);
}

static void no_fields_are_no_fields(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    cmw_request *request = fixture_request(&fixture);
    for (unsigned id = 0; id < CMW_HDR_LIMIT; id++)
        assert_null(cmw_request_header(request, (cmw_header_id)id));
    assert_null(cmw_request_header_named(request, CMW_STR("host")));
    assert_int_equal(cmw__request_header_bytes(request), 0);
    fixture_close(&fixture);
}

static void names_are_read_to_their_end_only(void **state)
{
    struct guard_page page;
    struct fixture fixture;
    (void)state;

    guard_page_open(&page, 256);
    for (unsigned id = 1; id < CMW_HDR_LIMIT; id++) {
        const cmw_str name = cmw_header_id_name((cmw_header_id)id);
        if (name.len == 0)
            continue;
        const cmw_header header = {guard_page_put(&page, name), CMW_STR_INIT("v")};
        fixture_open(&fixture, 64);
        fixture.view.headers = &header;
        fixture.view.header_count = 1;
        cmw_request *request = fixture_request(&fixture);
        for (unsigned other = 0; other < CMW_HDR_LIMIT; other++) {
            const cmw_header *found = cmw_request_header(request, (cmw_header_id)other);
            assert_ptr_equal(found, other == id ? &header : NULL);
        }
        fixture_close(&fixture);
    }
    guard_page_close(&page);
}

/* CR is '-' without bit 0x20, and '@' is '`' with it: a careless fold takes them for equal. */
static void bytes_that_differ_by_the_case_bit_are_different(void **state)
{
    struct fixture fixture;
    (void)state;

    for (unsigned id = 1; id < CMW_HDR_LIMIT; id++) {
        const cmw_str name = cmw_header_id_name((cmw_header_id)id);
        for (size_t i = 0; i < name.len; i++) {
            char twisted[64];
            const cmw_header header = {{twisted, name.len}, CMW_STR_INIT("v")};
            memcpy(twisted, name.data, name.len);
            twisted[i] = (char)(twisted[i] ^ 0x20);
            const char folded = (char)(name.data[i] | 0x20);
            const int is_letter = folded >= 'a' && folded <= 'z';
            fixture_open(&fixture, 64);
            fixture.view.headers = &header;
            fixture.view.header_count = 1;
            const cmw_header *found =
                cmw_request_header(fixture_request(&fixture), (cmw_header_id)id);
            assert_ptr_equal(found, is_letter ? &header : NULL);
            fixture_close(&fixture);
        }
    }
}

/* Every place of large arrays, with and without ids, against a walk. */
#define SAME_IN_LINE(constant, number, name)                                                       \
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_##constant),                              \
                     (cmw_request_header)(request, CMW_HDR_##constant));

/* With a constant id a lookup is in line; in parentheses it is the library's function. */
static void expect_the_same_in_line(cmw_request *request)
{
    CMW_HEADER_LIST(SAME_IN_LINE)
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_OTHER),
                     (cmw_request_header)(request, CMW_HDR_OTHER));
}

static void fields_are_found_at_every_place(void **state)
{
    static cmw_header headers[70];
    static uint8_t ids[80];
    uint64_t seed = 5;
    (void)state;

    for (int round = 0; round < 400; round++) {
        struct fixture fixture;
        const size_t count = next_random(&seed) % LEN(headers);
        for (size_t i = 0; i < count; i++) {
            const unsigned id = next_random(&seed) % 110;
            headers[i].name = id ? cmw_header_id_name((cmw_header_id)id) : CMW_STR("X-Other");
            headers[i].value = CMW_STR("v");
        }
        fill_ids(ids, headers, count);
        fixture_open(&fixture, 0);
        fixture.view.headers = headers;
        fixture.view.header_count = (uint32_t)count;
        fixture.view.header_ids = round % 2 ? ids : NULL;
        cmw_request *request = fixture_request(&fixture);
        for (unsigned id = 1; id < 110; id++) {
            const cmw_header *found = cmw_request_header(request, (cmw_header_id)id);
            for (size_t i = 0; i < count; i++) {
                if (ids[i] != id)
                    continue;
                assert_ptr_equal(found, &headers[i]);
                found = cmw_request_next_header(request, (cmw_header_id)id, found);
            }
            assert_null(found);
        }
        expect_the_same_in_line(request);
        fixture_close(&fixture);
    }
}

static void ten_thousand_fields_are_no_trouble(void **state)
{
    static cmw_header headers[MANY];
    struct fixture fixture;
    (void)state;

    for (size_t i = 0; i < MANY; i++) {
        headers[i].name = CMW_STR("Xost");
        headers[i].value = CMW_STR("v");
    }
    headers[MANY - 1].name = CMW_STR("host");
    fixture_open(&fixture, 0);
    fixture.view.headers = headers;
    fixture.view.header_count = MANY;
    cmw_request *request = fixture_request(&fixture);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_HOST), &headers[MANY - 1]);
    assert_null(cmw_request_header(request, CMW_HDR_COOKIE));
    fixture_close(&fixture);
}

static void over_long_names_are_nothing_known(void **state)
{
    static char name[1000];
    static const size_t lengths[] = {127, 128, 255, 256, 260, 262, 1000};
    struct fixture fixture;
    (void)state;

    memset(name, 'a', sizeof name);
    for (size_t i = 0; i < LEN(lengths); i++) {
        const cmw_header headers[] = {{{name, lengths[i]}, CMW_STR_INIT("v")},
                                      {CMW_STR_INIT("host"), CMW_STR_INIT("h")}};
        fixture_open(&fixture, 64);
        fixture.view.headers = headers;
        fixture.view.header_count = 2;
        cmw_request *request = fixture_request(&fixture);
        for (unsigned id = 0; id < CMW_HDR_LIMIT; id++)
            assert_ptr_equal(cmw_request_header(request, (cmw_header_id)id),
                             id == CMW_HDR_HOST ? &headers[1] : NULL);
        assert_ptr_equal(cmw_request_header_named(request, headers[0].name), &headers[0]);
        fixture_close(&fixture);
    }
}

static void without_memory_for_lengths_fields_are_found_all_the_same(void **state)
{
    static cmw_header headers[40];
    struct fixture fixture;
    (void)state;

    for (size_t i = 0; i < LEN(headers); i++)
        headers[i].name = CMW_STR("Cookie");
    headers[30].name = CMW_STR("Host");
    fixture_open(&fixture, 0);
    fixture.refuses = 1;
    fixture.view.headers = headers;
    fixture.view.header_count = LEN(headers);
    cmw_request *request = fixture_request(&fixture);
    assert_ptr_equal(cmw_request_header(request, CMW_HDR_HOST), &headers[30]);
    assert_ptr_equal(cmw_request_next_header(request, CMW_HDR_COOKIE, &headers[29]), &headers[31]);
    assert_null(cmw_request_header(request, CMW_HDR_VIA));
    fixture_close(&fixture);
}

/* ---- Bearer tokens ---------------------------------------------------------------------- */

struct bearer_row {
    const char *name;
    const char *value;
    int rc;
    const char *token;
};

static const struct bearer_row bearer_rows[] = {
    {"the RFC's example", "Bearer mF_9.B5f-4.1JqM", 0, "mF_9.B5f-4.1JqM"},
    {"every character", "Bearer AbCdEf0123-._~+/==", 0, "AbCdEf0123-._~+/=="},
    {"scheme in any case", "bEARER abc", 0, "abc"},
    {"several spaces", "Bearer   abc", 0, "abc"},
    {"another scheme", "Basic abc", CMW_ERR_NOT_FOUND, NULL},
    {"scheme that begins alike", "BearerX abc", CMW_ERR_NOT_FOUND, NULL},
    {"tab behind the scheme", "Bearer\tabc", CMW_ERR_NOT_FOUND, NULL},
    {"empty value", "", CMW_ERR_NOT_FOUND, NULL},
    {"scheme alone", "Bearer", CMW_ERR_INVALID, NULL},
    {"scheme and a space", "Bearer ", CMW_ERR_INVALID, NULL},
    {"two tokens", "Bearer abc def", CMW_ERR_INVALID, NULL},
    {"quoted token", "Bearer \"abc\"", CMW_ERR_INVALID, NULL},
    {"parameter", "Bearer token=abc", CMW_ERR_INVALID, NULL},
    {"padding in front", "Bearer =abc", CMW_ERR_INVALID, NULL},
    {"padding alone", "Bearer ==", CMW_ERR_INVALID, NULL},
    {"padding inside", "Bearer ab=c", CMW_ERR_INVALID, NULL},
    {"list", "Bearer abc,", CMW_ERR_INVALID, NULL},
    {"bytes above ASCII", "Bearer \xc3\xa9", CMW_ERR_INVALID, NULL},
    {"space behind the token", "Bearer abc ", CMW_ERR_INVALID, NULL},
};

static void check_bearer(void **state)
{
    const struct bearer_row *row = *state;
    struct guard_page page;
    struct fixture fixture;
    cmw_str token = CMW_STR_INIT("untouched");

    fixture_open(&fixture, 256);
    guard_page_open(&page, 256);
    const cmw_header header = {CMW_STR_INIT("authorization"),
                               guard_page_put(&page, cmw_str_cstr(row->value))};
    fixture.view.headers = &header;
    fixture.view.header_count = 1;
    assert_int_equal(cmw_request_bearer(fixture_request(&fixture), &token), row->rc);
    assert_cstr(token, row->token ? row->token : "untouched");
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("bearer tokens", bearer_rows, check_bearer)

static void bearer_needs_exactly_one_field(void **state)
{
    const cmw_header headers[] = {{CMW_STR_INIT("Authorization"), CMW_STR_INIT("Bearer abc")},
                                  {CMW_STR_INIT("authorization"), CMW_STR_INIT("Bearer abc")}};
    struct fixture fixture;
    cmw_str token;
    (void)state;

    fixture_open(&fixture, 256);
    fixture.view.headers = headers;
    assert_int_equal(cmw_request_bearer(fixture_request(&fixture), &token), CMW_ERR_NOT_FOUND);
    fixture.view.header_count = 2;
    assert_int_equal(cmw_request_bearer(fixture_request(&fixture), &token), CMW_ERR_INVALID);
    fixture_close(&fixture);
}

/* ---- Credentials of any scheme ---------------------------------------------------------- */

struct credentials_row {
    const char *name;
    const char *scheme;
    const char *value;
    int rc;
    const char *credentials;
};

static const struct credentials_row credentials_rows[] = {
    {"a scheme of three bytes", "mac", "MAC id=\"a\"", 0, "id=\"a\""},
    {"a scheme of four", "dpop", "DPoP abc", 0, "abc"},
    {"a scheme of five", "basic", "Basic abc", 0, "abc"},
    {"a scheme of eight", "mutually", "MutuAlly abc", 0, "abc"},
    {"a scheme of nine", "negotiate", "Negotiate abc", 0, "abc"},
    {"a scheme with dashes and digits", "scram-sha-1", "SCRAM-SHA-1 abc", 0, "abc"},
    {"blanks before are not part of them", "basic", "Basic   a b", 0, "a b"},
    {"blanks behind are", "basic", "Basic a ", 0, "a "},
    {"the scheme alone has none", "basic", "Basic", 0, ""},
    {"blanks alone are none", "basic", "Basic  ", 0, ""},
    {"any bytes", "basic", "Basic \xc3\xa9\x01", 0, "\xc3\xa9\x01"},
    {"a beginning of the scheme", "basic", "Basi", CMW_ERR_NOT_FOUND, NULL},
    {"a longer scheme", "basic", "Basics abc", CMW_ERR_NOT_FOUND, NULL},
    {"another first byte", "basic", "Casic abc", CMW_ERR_NOT_FOUND, NULL},
    {"another last byte", "basic", "Basid abc", CMW_ERR_NOT_FOUND, NULL},
    {"another middle byte of a long one", "negotiate", "Negodiate abc", CMW_ERR_NOT_FOUND, NULL},
    {"a byte that differs by the case bit", "dpop-1", "DPoP\r1 abc", CMW_ERR_NOT_FOUND, NULL},
    {"a tab", "basic", "Basic\tabc", CMW_ERR_NOT_FOUND, NULL},
    {"a blank before the scheme", "basic", " Basic abc", CMW_ERR_NOT_FOUND, NULL},
    {"nothing", "basic", "", CMW_ERR_NOT_FOUND, NULL},
};

/* With ids and without, between guard pages. */
static void check_credentials(void **state)
{
    const struct credentials_row *row = *state;
    struct guard_page page;

    guard_page_open(&page, 256);
    const cmw_header header = {CMW_STR_INIT("authorization"),
                               guard_page_put(&page, cmw_str_cstr(row->value))};
    for (int has_ids = 0; has_ids <= 1; has_ids++) {
        uint8_t ids[16] = {CMW_HDR_AUTHORIZATION, CMW_HDR_AUTHORIZATION};
        cmw_str credentials = CMW_STR_INIT("untouched");
        struct fixture fixture;
        fixture_open(&fixture, 256);
        fixture.view.headers = &header;
        fixture.view.header_ids = has_ids ? ids : NULL;
        fixture.view.header_count = 1;
        assert_int_equal(cmw_request_credentials(fixture_request(&fixture), &credentials,
                                                 cmw_str_cstr(row->scheme)),
                         row->rc);
        assert_cstr(credentials, row->credentials ? row->credentials : "untouched");
        fixture_close(&fixture);
    }
    guard_page_close(&page);
}

RUN_ROWS("credentials", credentials_rows, check_credentials)

/* One field at each of 40 places, then a second one at each other place. */
static void credentials_are_in_one_field_only(void **state)
{
    enum { COUNT = 40 };
    cmw_header headers[COUNT];
    uint8_t ids[48] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        headers[i] = (cmw_header){CMW_STR("x-other"), CMW_STR("Basic no")};
    for (size_t first = 0; first < COUNT; first++) {
        for (size_t second = first; second < COUNT; second++) {
            struct fixture fixture;
            cmw_str credentials;
            headers[first] = headers[second] =
                (cmw_header){CMW_STR("Authorization"), CMW_STR("Basic yes")};
            ids[first] = ids[second] = CMW_HDR_AUTHORIZATION;
            fixture_open(&fixture, 256);
            fixture.view.headers = headers;
            fixture.view.header_ids = second % 2 ? ids : NULL;
            fixture.view.header_count = (uint32_t)(second < 16 ? 16 : COUNT);
            assert_int_equal(
                cmw_request_credentials(fixture_request(&fixture), &credentials, CMW_STR("basic")),
                first == second ? 0 : CMW_ERR_INVALID);
            fixture_close(&fixture);
            headers[first] = headers[second] =
                (cmw_header){CMW_STR("x-other"), CMW_STR("Basic no")};
            ids[first] = ids[second] = 0;
        }
    }
}

/* In both orders, in line and not. */
#define check_either(request, id, other, expected)                                                 \
    do {                                                                                           \
        assert_int_equal(cmw_request_has_either(request, id, other), expected);                    \
        assert_int_equal(cmw_request_has_either(request, other, id), expected);                    \
        assert_int_equal((cmw_request_has_either)(request, id, other), expected);                  \
        assert_int_equal((cmw_request_has_either)(request, other, id), expected);                  \
    } while (0)

/* With ids, without, behind the sixteenth place, and where padding looks like one. */
static void a_field_that_comes_again_is_known(void **state)
{
    cmw_header headers[40];
    uint8_t ids[48];
    struct fixture fixture;
    (void)state;

    for (size_t count = 0; count <= LEN(headers); count++) {
        for (size_t again = 0; again <= count; again++) {
            for (size_t i = 0; i < count; i++)
                headers[i] = (cmw_header){CMW_STR("X-Other"), CMW_STR("")};
            if (count > 0)
                headers[0].name = CMW_STR("Cookie");
            if (again < count)
                headers[again].name = CMW_STR("cookie");
            fill_ids(ids, headers, count);
            for (int with_ids = 0; with_ids < 2; with_ids++) {
                const int expected = again > 0 && again < count;
                fixture_open(&fixture, 256);
                fixture.view.headers = headers;
                fixture.view.header_count = (uint32_t)count;
                fixture.view.header_ids = with_ids ? ids : NULL;
                cmw_request *request = fixture_request(&fixture);
                assert_int_equal(cmw_request_is_repeated(request, CMW_HDR_COOKIE), expected);
                assert_int_equal((cmw_request_is_repeated)(request, CMW_HDR_COOKIE), expected);
                assert_int_equal(cmw_request_is_repeated(request, CMW_HDR_HOST), 0);
                const cmw_header *const sole = count > 0 && !expected ? &headers[0] : NULL;
                assert_ptr_equal(cmw_request_sole_header(request, CMW_HDR_COOKIE), sole);
                assert_ptr_equal((cmw_request_sole_header)(request, CMW_HDR_COOKIE), sole);
                assert_null(cmw_request_sole_header(request, CMW_HDR_HOST));
                assert_null((cmw_request_sole_header)(request, CMW_HDR_HOST));
                check_either(request, CMW_HDR_COOKIE, CMW_HDR_HOST, count > 0);
                check_either(request, CMW_HDR_RANGE, CMW_HDR_HOST, 0);
                fixture_close(&fixture);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_names_are_letters_digits_and_dashes),
        cmocka_unit_test(fields_are_found_with_and_without_ids),
        cmocka_unit_test(no_fields_are_no_fields),
        cmocka_unit_test(names_are_read_to_their_end_only),
        cmocka_unit_test(bytes_that_differ_by_the_case_bit_are_different),
        cmocka_unit_test(fields_are_found_at_every_place),
        cmocka_unit_test(ten_thousand_fields_are_no_trouble),
        cmocka_unit_test(over_long_names_are_nothing_known),
        cmocka_unit_test(without_memory_for_lengths_fields_are_found_all_the_same),
        cmocka_unit_test(bearer_needs_exactly_one_field),
        cmocka_unit_test(a_field_that_comes_again_is_known),
        cmocka_unit_test(credentials_are_in_one_field_only),
    };
    return run_check_bearer() + run_check_credentials() +
           cmocka_run_group_tests_name("request fields", tests, NULL, NULL);
}
