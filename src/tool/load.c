/* SPDX-License-Identifier: MIT */
/* A file to a plan, with every mistake told. */
#include "tool.h"

#include "backend.h"

const cmw_option setting_options[] = {
    {.name = "listen",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct settings, listen),
     .help = "Address and port, [::1]:8080; port 0: any free one; 127.0.0.1:8080"},
    {.name = "backend",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(struct settings, backend),
     .help = "What answers behind the middleware: echo, static:TEXT or status:N; echo"},
};

const size_t setting_option_count = LEN(setting_options);

int load_report(const struct loaded *loaded, int rc)
{
    if (cmw_document_report(loaded->document, cmw_write_file, stderr) != 0 || rc == CMW_ERR_NOMEM)
        return report_failure("reading the file", rc);
    return EXIT_BAD_FILE;
}

static int check_settings(struct loaded *loaded)
{
    struct backend backend;
    cmw_diag diag;

    loaded->settings.listen = "127.0.0.1:8080";
    loaded->settings.backend = "echo";
    const int rc = cmw_document_fill(loaded->document, &loaded->settings);
    if (backend_parse(&backend, loaded->settings.backend, &diag) != 0)
        return cmw_document_refuse(loaded->document, "backend", diag.code, "%s", diag.message);
    return rc;
}

void load_document_config(cmw_document_config *config)
{
    cmw_document_config_init(config);
    config->allocator = tool_allocator();
    config->members = setting_options;
    config->member_count = setting_option_count;
}

int load_document(struct loaded *loaded, const char *file)
{
    cmw_document_config config;

    load_document_config(&config);
    int rc = cmw_document_create(&loaded->document, &config);
    if (rc != 0)
        return rc;
    rc = cmw_document_read(loaded->document, file);
    const int settings_rc = check_settings(loaded);
    return rc ? rc : settings_rc;
}

static int make_engine(struct loaded *loaded)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.allocator = loaded->allocator;
    const int limits_rc = cmw_document_engine_config(loaded->document, &config);
    loaded->body_bytes = config.limits.body_bytes;
    int rc = cmw_engine_create(&loaded->engine, &config);
    if (rc == 0)
        rc = tool_install_crypto(loaded->engine);
    if (rc == 0)
        rc = tool_register_kinds(loaded->engine);
    return rc ? rc : limits_rc;
}

int load_chain(struct loaded *loaded)
{
    const int rc = cmw_chain_create(loaded->engine, &loaded->chain, 0);

    return rc ? rc : cmw_document_apply(loaded->document, loaded->engine, loaded->chain);
}

int load_plan(struct loaded *loaded)
{
    return cmw_document_compile(loaded->document, loaded->chain, &loaded->plan);
}

/* All that can be looked at is looked at, so that one run shows all mistakes. */
int load_file(struct loaded *loaded, const char *file, const cmw_allocator *allocator)
{
    memset(loaded, 0, sizeof *loaded);
    loaded->allocator = allocator;
    int rc = load_document(loaded, file);
    if (!loaded->document)
        return report_failure("reading the file", rc);
    const int engine_rc = make_engine(loaded);
    if (!loaded->engine)
        return report_failure("making the engine", engine_rc);
    const int chain_rc = load_chain(loaded);
    if (rc == 0)
        rc = engine_rc ? engine_rc : chain_rc;
    if (rc == 0)
        rc = load_plan(loaded);
    return rc == 0 ? EXIT_GOOD : load_report(loaded, rc);
}

void load_free(struct loaded *loaded)
{
    cmw_plan_release(loaded->plan);
    cmw_chain_destroy(loaded->chain);
    cmw_document_destroy(loaded->document);
    (void)cmw_engine_destroy(loaded->engine); /* the process ends, or the engine is another's */
    memset(loaded, 0, sizeof *loaded);
}
