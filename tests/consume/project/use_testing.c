/* SPDX-License-Identifier: MIT */
/* The installed testing kit, as a user's own unit test would use it. */
#include <catzilla/testing.h>

#include "serve_once.h"

int main(void)
{
    cmw_test *test = NULL;

    if (cmw_test_create(&test, NULL) != 0 || install_refusal(cmw_test_engine(test)) != 0)
        return 1;
    cmw_test_request(test, "GET", "/");
    const int status = cmw_test_send(test);
    return cmw_test_destroy(test) == 0 && status == 403 ? serve_once(NULL) : 1;
}
