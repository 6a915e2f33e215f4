/* SPDX-License-Identifier: MIT */
/* What the commands of catzilla-mw share: exit codes, and a file read into an engine. */
#ifndef CMW_TOOL_TOOL_H
#define CMW_TOOL_TOOL_H

#include <catzilla/component/config.h>
#include <catzilla/mw.h>

#include <stdio.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

/* Exit codes, documented in docs/tool.md. */
enum {
    EXIT_GOOD = 0,
    EXIT_BAD_FILE = 1, /* the file has mistakes or cannot be read */
    EXIT_USAGE = 2,    /* the command line is wrong */
    EXIT_SYSTEM = 3    /* no memory, or the system refused something */
};

/* A command: what follows its name on the command line. */
typedef int command_fn(int argc, char **argv);

command_fn command_serve, command_check, command_explain, command_list, command_schema,
    command_bench;

/* Built over jemalloc where the component is, else the system's. */
const cmw_allocator *tool_allocator(void);

/* Let the engine's built-ins sign, where this build has libcrypto. 0, or what the engine said. */
int tool_install_crypto(cmw_engine *engine);

/* Register what components add to the built-in kinds. 0, or what cmw_kind_register says. */
int tool_register_kinds(cmw_engine *engine);

/* Say that the command line is wrong; returns EXIT_USAGE. */
int refuse_usage(const char *format, ...) CMW_PRINTF(1, 2);

/* Say what failed for lack of memory or the like; returns EXIT_SYSTEM. */
int report_failure(const char *what, int rc);

/* The end of a command that writes to stdout: what writing returned, and whether all of it got out.
 * An exit code. */
int end_output(int rc);

/* ---- Files ------------------------------------------------------------------------------ */

/* The members of a file that are the program's. */
struct settings {
    const char *listen;
    const char *backend;
};

extern const cmw_option setting_options[];
extern const size_t setting_option_count;

/* How the program's documents are read. */
void load_document_config(cmw_document_config *config);

/* A file read, and the engine that it asks for. */
struct loaded {
    const cmw_allocator *allocator; /* of the engine; borrowed */
    cmw_document *document;
    struct settings settings; /* texts are the document's */
    cmw_engine *engine;       /* NULL until the document was good enough to make one */
    uint64_t body_bytes;      /* the engine's limit */
    cmw_chain *chain;
    cmw_plan *plan;
};

/* Read a file, make an engine over an allocator, a chain and a plan of it. Mistakes are written to
 * stderr. Returns an exit code; load_free either way. */
int load_file(struct loaded *loaded, const char *file, const cmw_allocator *allocator);
void load_free(struct loaded *loaded);

/* The parts of it, for those who read a file again for an engine that is there. */
int load_document(struct loaded *loaded, const char *file);
int load_chain(struct loaded *loaded);
int load_plan(struct loaded *loaded);

/* Write the document's mistakes to stderr; returns the exit code for them. */
int load_report(const struct loaded *loaded, int rc);

#endif /* CMW_TOOL_TOOL_H */
