/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

const char *bench_self(void)
{
    static char path[4096];
    const ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

    if (len <= 0)
        bench_die("this program's file is not known", NULL);
    path[len] = '\0';
    return path;
}

/* Keep the beginning, read all. */
static void read_all(int fd, char *out, size_t cap)
{
    size_t used = 0;
    char rest[512];

    for (;;) {
        const int is_full = used + 1 >= cap;
        const ssize_t got =
            read(fd, is_full ? rest : out + used, is_full ? sizeof rest : cap - 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!is_full)
            used += (size_t)got;
    }
    out[used] = '\0';
}

int bench_spawn(char *const *argv, char *out, size_t cap)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int ends[2], status = -1;
    pid_t child;

    if (pipe(ends) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    const int failed = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!failed) {
        read_all(ends[0], out, cap);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    return !failed && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
