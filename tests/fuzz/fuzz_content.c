/* SPDX-License-Identifier: MIT */
/* content_negotiation and content_type: what is chosen is an offer, what passes has a type. */
#include "fuzz.h"

#include <catzilla/builtin/content_negotiation.h>
#include <catzilla/builtin/content_type.h>

static cmw_slot slot;

static int is_one_of(cmw_str text, const char *one, const char *two)
{
    return cmw_str_equals(text, cmw_str_cstr(one)) || cmw_str_equals(text, cmw_str_cstr(two));
}

static void look_at_choice(cmw_ctx *ctx, cmw_next next)
{
    const cmw_negotiated *const negotiated = cmw_ctx_slot(ctx, slot);

    if (next != CMW_TO_HANDLER)
        return;
    FUZZ_CHECK(negotiated != NULL);
    FUZZ_CHECK(is_one_of(negotiated->type, "text/html", "application/json"));
    FUZZ_CHECK(is_one_of(negotiated->language, "en", "pt-BR"));
    FUZZ_CHECK(is_one_of(negotiated->encoding, "gzip", "identity"));
}

static void look_at_type(cmw_ctx *ctx, cmw_next next)
{
    const cmw_header *const field = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_CONTENT_TYPE);

    if (next == CMW_TO_HANDLER)
        FUZZ_CHECK(field && field->value.len > 5 &&
                   memchr(field->value.data, '/', field->value.len));
}

static cmw_test *open_negotiation(void)
{
    static const char *const types[] = {"text/html", "application/json"};
    static const char *const languages[] = {"en", "pt-BR"};
    static const char *const encodings[] = {"gzip", "identity"};
    cmw_content_negotiation_config config;

    cmw_content_negotiation_config_init(&config);
    config.types = types;
    config.languages = languages;
    config.encodings = encodings;
    config.type_count = config.language_count = config.encoding_count = 2;
    return fuzz_open("content_negotiation", &config);
}

static cmw_test *open_types(void)
{
    static const char *const allow[] = {"application/json", "text/*", "application/*+json"};
    cmw_content_type_config config;

    cmw_content_type_config_init(&config);
    config.allow = allow;
    config.allow_count = 3;
    return fuzz_open("content_type", &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static cmw_test *negotiation, *types;

    if (!negotiation) {
        negotiation = open_negotiation();
        types = open_types();
        slot = cmw_slot_find(cmw_test_engine(negotiation), "negotiated");
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(negotiation, &request, look_at_choice);
    request.view.content_length = 1;
    fuzz_send(types, &request, look_at_type);
    return 0;
}
