/* SPDX-License-Identifier: MIT */
/* trace_context: whatever comes, what is sent on has the standard's form. */
#include "fuzz.h"

#include <catzilla/builtin/trace_context.h>

static cmw_slot slot;

static void check_digits(const char *text, size_t len)
{
    int others = 0;

    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'));
        others |= text[i] != '0';
    }
    FUZZ_CHECK(others);
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    const cmw_trace_context *const trace = cmw_ctx_slot(ctx, slot);

    if (next != CMW_TO_HANDLER)
        return;
    FUZZ_CHECK(trace != NULL);
    check_digits(trace->traceparent + 3, CMW_TRACE_ID_LEN);
    check_digits(trace->traceparent + 36, CMW_SPAN_ID_LEN);
    FUZZ_CHECK(memcmp(trace->traceparent, "00-", 3) == 0);
    FUZZ_CHECK(trace->traceparent[35] == '-' && memcmp(trace->traceparent + 52, "-0", 2) == 0);
    FUZZ_CHECK(trace->traceparent[54] == '0' + trace->flags && trace->flags <= 3);
    FUZZ_CHECK(trace->parent_id.len == 0 || trace->parent_id.len == CMW_SPAN_ID_LEN);
    FUZZ_CHECK(trace->tracestate.len == 0 || trace->parent_id.len > 0);
    for (size_t i = 0; i < trace->tracestate.len; i++) {
        const char c = trace->tracestate.data[i];
        FUZZ_CHECK(c == '\t' || (c >= ' ' && c <= '~'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *test;

    if (!test) {
        test = fuzz_open("trace_context", NULL);
        slot = cmw_slot_find(cmw_test_engine(test), "trace_context");
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
