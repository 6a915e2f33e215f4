/* SPDX-License-Identifier: MIT */
/* catzilla-mw explain: the plan of a file, for people, programs, or Graphviz. */
#include "tool.h"

#include "explain_dot.h"

typedef int write_plan_fn(const cmw_plan *plan);

static int write_text(const cmw_plan *plan)
{
    return cmw_plan_explain(plan, CMW_FORMAT_TEXT, cmw_write_file, stdout);
}

static int write_json(const cmw_plan *plan)
{
    const int rc = cmw_plan_explain(plan, CMW_FORMAT_JSON, cmw_write_file, stdout);

    return rc ? rc : cmw_write_file(stdout, "\n", 1);
}

static int write_dot(const cmw_plan *plan)
{
    return explain_dot(plan, stdout);
}

static int explain(const char *file, write_plan_fn *write)
{
    struct loaded loaded;
    int code = load_file(&loaded, file, tool_allocator());

    if (code == EXIT_GOOD)
        code = end_output(write(loaded.plan));
    load_free(&loaded);
    return code;
}

int command_explain(int argc, char **argv)
{
    write_plan_fn *write = NULL;
    const char *file = NULL;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && !write)
            write = write_json;
        else if (strcmp(argv[i], "--dot") == 0 && !write)
            write = write_dot;
        else if (argv[i][0] == '-' || file)
            return refuse_usage("explain: unexpected '%s'", argv[i]);
        else
            file = argv[i];
    }
    if (!file)
        return refuse_usage("explain: which file?");
    return explain(file, write ? write : write_text);
}
