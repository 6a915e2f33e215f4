/* SPDX-License-Identifier: MIT */
/* catzilla-mw check: say what is wrong with files, without serving them. */
#include "tool.h"

static int check(const char *file)
{
    struct loaded loaded;
    const int code = load_file(&loaded, file, tool_allocator());

    load_free(&loaded);
    if (code == EXIT_GOOD)
        printf("%s: good\n", file);
    return code;
}

int command_check(int argc, char **argv)
{
    int worst = EXIT_GOOD;

    if (argc == 0)
        return refuse_usage("check: which file?");
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == '-')
            return refuse_usage("check: unexpected '%s'", argv[i]);
    for (int i = 0; i < argc; i++) {
        const int code = check(argv[i]);
        if (code > worst)
            worst = code;
    }
    return worst;
}
