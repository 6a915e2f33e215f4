/* SPDX-License-Identifier: MIT */
/* A request whose Authorization fields are the lines of the input: it passes, or is challenged. */
#ifndef CMW_TESTS_FUZZ_AUTHORIZATION_H
#define CMW_TESTS_FUZZ_AUTHORIZATION_H

#include "fuzz.h"

static inline void fuzz_authorization(cmw_test *test, const uint8_t *data, size_t size)
{
    enum { MOST = 50 };
    char *text = fuzz_text(data, size);
    char *rest = text;
    int count = 0;

    cmw_test_request(test, "GET", "/");
    do {
        cmw_test_header(test, "Authorization", fuzz_next_line(&rest));
    } while (*rest != '\0' && ++count < MOST);
    const int status = cmw_test_send(test);
    FUZZ_CHECK(status == 200 || (status >= 400 && status < 500));
    if (status == 400 || status == 401)
        FUZZ_CHECK(cmw_test_response_count(test, "WWW-Authenticate") == 1);
    free(text);
}

#endif /* CMW_TESTS_FUZZ_AUTHORIZATION_H */
