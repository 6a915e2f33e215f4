/* SPDX-License-Identifier: MIT */
/* catzilla-mw: chains of middleware from files. */
#include "tool.h"

#include "server.h"

#include <stdarg.h>

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *details;
    command_fn *run;
    int names_servers; /* the details end with the servers that there are */
};

static const struct command commands[] = {
    {"serve", "FILE [--threads N] [--server NAME]", "serve the file's chain over HTTP",
     "Prints the address when it listens. SIGTERM and SIGINT let requests in flight finish, then\n"
     "end it. SIGHUP reads the file again; a file with mistakes changes nothing. SIGUSR1 opens\n"
     "the files of access logs anew.\n\n"
     "  --threads N    threads that serve, 1..256; default 1, of civetweb 32, since each of its\n"
     "                 threads has one connection at a time\n"
     "  --server NAME  the server; default the first of those that there are: ",
     command_serve, 1},
    {"check", "FILE...", "say what is wrong with files",
     "Every mistake is a line of stderr: FILE:LINE:COLUMN: PATH: SENTENCE.\n", command_check, 0},
    {"explain", "FILE [--json|--dot]", "show the plan that a file gives",
     "The order of each phase, conditions, constant fields, slots, waivers.\n\n"
     "  --json  as JSON\n"
     "  --dot   as a graph for Graphviz\n",
     command_explain, 0},
    {"list", "[--json]", "show the kinds of middleware and their options",
     "Types, bounds, defaults and what each is for.\n\n"
     "  --json  as JSON\n",
     command_list, 0},
    {"schema", "", "print the JSON Schema of files",
     "For editors: \"$schema\" in a file names it.\n", command_schema, 0},
    {"bench", "FILE [--request 'METHOD TARGET'] [--header 'NAME: VALUE']... [--json]",
     "measure the file's chain without a server",
     "Sends one request again and again through the chain, and through an empty plan beside it.\n"
     "What middleware writes (logs), it writes.\n\n"
     "  --request 'METHOD TARGET'  default 'GET /'\n"
     "  --header 'NAME: VALUE'     a field of it; may be repeated\n"
     "  --peer ADDRESS             who sends it; default 192.0.2.1\n"
     "  --requests N               how many in each round; default 100000\n"
     "  --rounds N                 rounds, of which the median counts; default 9\n"
     "  --json                     as JSON\n",
     command_bench, 0},
};

static const char exit_codes[] =
    "Exit codes: 0 good, 1 the file is wrong, 2 the command line is, 3 the system refused.\n";

static void print_help(void)
{
    printf("usage: catzilla-mw COMMAND ...\n\n");
    for (size_t i = 0; i < LEN(commands); i++)
        printf("  %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    printf("  COMMAND --help\n  --help\n  --version\n\n%s", exit_codes);
}

static void print_command_help(const struct command *command)
{
    char names[SERVER_NAMES_CAP];

    printf("usage: catzilla-mw %s %s\n\n%s", command->name, command->arguments, command->details);
    if (command->names_servers)
        printf("%s\n", server_names(names));
    printf("\n%s", exit_codes);
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

int end_output(int rc)
{
    if (rc == 0 && fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_GOOD;
    return report_failure("writing", rc ? rc : CMW_ERR_IO);
}

static int run(const struct command *command, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_command_help(command);
            return end_output(0);
        }
    }
    return command->run(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return refuse_usage("which command?");
    if (strcmp(argv[1], "--help") == 0) {
        print_help();
        return end_output(0);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("catzilla-mw %s\n", CMW_VERSION_STRING);
        return end_output(0);
    }
    for (size_t i = 0; i < LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 2, argv + 2);
    return refuse_usage("there is no command '%s'", argv[1]);
}
