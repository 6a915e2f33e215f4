/* SPDX-License-Identifier: MIT */
/* catzilla-mw: chains of middleware from files. */
#include "tool.h"

#include <stdarg.h>

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    command_fn *run;
};

static const struct command commands[] = {
    {"serve", "FILE [--threads N] [--server NAME]", "serve the file's chain over HTTP",
     command_serve},
    {"check", "FILE...", "say what is wrong with files", command_check},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: catzilla-mw COMMAND ...\n\n");
    for (size_t i = 0; i < LEN(commands); i++)
        fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
                commands[i].summary);
    fprintf(out, "  --help\n  --version\n\n"
                 "Exit codes: 0 good, 1 the file is wrong, 2 the command line is, 3 the system "
                 "refused.\n");
}

int refuse_usage(const char *format, ...)
{
    va_list arguments;

    fputs("catzilla-mw: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\ncatzilla-mw --help shows what there is\n", stderr);
    return EXIT_USAGE;
}

int report_failure(const char *what, int rc)
{
    fprintf(stderr, "catzilla-mw: %s: %s\n", what, cmw_error_text(rc));
    return EXIT_SYSTEM;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return refuse_usage("which command?");
    if (strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("catzilla-mw %s\n", CMW_VERSION_STRING);
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    return refuse_usage("there is no command '%s'", argv[1]);
}
