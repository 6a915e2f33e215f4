/* SPDX-License-Identifier: MIT */
/* openat2 where the kernel has it, else a step at a time. */
#include "static_system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* A file that would have to be waited for (a pipe) is refused, not waited for. */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

int cmw__static_open_root(const char *path, int *why)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    *why = fd < 0 ? errno : 0;
    return fd;
}

void cmw__static_close(int fd)
{
    (void)close(fd);
}

/* ---- One call --------------------------------------------------------------------------- */

#if defined(SYS_openat2)
/* As in <linux/openat2.h>, which older headers lack. */
struct how {
    uint64_t flags, mode, resolve;
};

enum { NO_MAGIC_LINKS = 0x02, NO_LINKS = 0x04, BENEATH = 0x08 };

static int open_whole(int root, const char *path)
{
    const struct how how = {READ_FLAGS, 0, BENEATH | NO_LINKS | NO_MAGIC_LINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}
#else
static int open_whole(int root, const char *path)
{
    (void)root;
    (void)path;
    errno = ENOSYS;
    return -1;
}
#endif

/* ---- Step by step ----------------------------------------------------------------------- */

/* The component at the front of a path, as a C string; where the next one begins. */
static const char *take(char *name, size_t cap, const char *path)
{
    const char *slash = strchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : strlen(path);

    if (len == 0 || len >= cap)
        return NULL;
    memcpy(name, path, len);
    name[len] = '\0';
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return NULL;
    return path + len + (slash != NULL);
}

static int open_by_steps(int root, const char *path)
{
    char name[256]; /* longer ones no file system has */
    int at = dup(root);

    while (at >= 0 && *path) {
        const char *rest = take(name, sizeof name, path);
        const int flags = READ_FLAGS | O_NOFOLLOW | (rest && *rest ? O_DIRECTORY : 0);
        const int next = rest ? openat(at, name, flags) : -1;
        (void)close(at);
        at = next;
        path = rest ? rest : "";
    }
    return at;
}

/* ---- Both ------------------------------------------------------------------------------- */

static int look(int fd, struct cmw__static_file *file)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0 || (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode)))
        return -1;
    file->fd = fd;
    file->is_directory = S_ISDIR(stat.st_mode);
    file->size = (uint64_t)stat.st_size;
    file->modified_s = (int64_t)stat.st_mtime;
#if defined(__APPLE__)
    file->modified_ns = (uint32_t)stat.st_mtimespec.tv_nsec;
#else
    file->modified_ns = (uint32_t)stat.st_mtim.tv_nsec;
#endif
    return 0;
}

int cmw__static_resolves(int root)
{
    const int fd = open_whole(root, ".");

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

int cmw__static_open(int root, const char *path, int by_steps, struct cmw__static_file *file)
{
    const int fd = by_steps ? open_by_steps(root, path) : open_whole(root, *path ? path : ".");

    if (fd < 0)
        return -1;
    if (look(fd, file) == 0)
        return 0;
    (void)close(fd);
    return -1;
}

int cmw__static_read(int fd, void *to, size_t len, uint64_t at)
{
    char *place = to;

    while (len > 0) {
        const ssize_t got = pread(fd, place, len, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        place += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return 0;
}
