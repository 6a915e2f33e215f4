/* SPDX-License-Identifier: MIT */
/* catzilla-mw list and schema: what a file may say. */
#include "tool.h"

/* cmw_kinds_write or cmw_schema_write, over an engine with the built-ins. */
typedef int write_engine_fn(cmw_engine *engine);

static int write_of_engine(write_engine_fn *write)
{
    cmw_engine_config config;
    cmw_engine *engine = NULL;

    cmw_engine_config_init(&config);
    config.allocator = tool_allocator();
    int rc = cmw_engine_create(&engine, &config);
    if (rc != 0)
        return report_failure("making the engine", rc);
    rc = tool_register_kinds(engine);
    if (rc == 0)
        rc = write(engine);
    (void)cmw_engine_destroy(engine); /* nothing of it is held */
    return end_output(rc);
}

static int write_text(cmw_engine *engine)
{
    return cmw_kinds_write(engine, CMW_FORMAT_TEXT, cmw_write_file, stdout);
}

static int write_json(cmw_engine *engine)
{
    return cmw_kinds_write(engine, CMW_FORMAT_JSON, cmw_write_file, stdout);
}

static int write_schema(cmw_engine *engine)
{
    cmw_document_config config;

    load_document_config(&config);
    return cmw_schema_write(engine, &config, cmw_write_file, stdout);
}

int command_list(int argc, char **argv)
{
    if (argc == 0)
        return write_of_engine(write_text);
    if (argc == 1 && strcmp(argv[0], "--json") == 0)
        return write_of_engine(write_json);
    return refuse_usage("list: unexpected '%s'", argv[argc - 1]);
}

int command_schema(int argc, char **argv)
{
    if (argc > 0)
        return refuse_usage("schema: unexpected '%s'", argv[0]);
    return write_of_engine(write_schema);
}
