/* SPDX-License-Identifier: MIT */
/*
 * What static_files asks of the system: files below a root, and nothing else.
 *
 * No link below the root is followed, no way leads out of it, and what is opened is a regular file
 * or a directory. Where the system can resolve a whole path under these rules (openat2) it does;
 * elsewhere each component is opened by itself, which is as strict.
 */
#ifndef CMW_BUILTIN_STATIC_SYSTEM_H
#define CMW_BUILTIN_STATIC_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

struct cmw__static_file {
    int fd;
    int is_directory;
    uint64_t size;
    int64_t modified_s;
    uint32_t modified_ns;
};

/* The root's descriptor; -1 and the system's number of the error. Links on the way to it count. */
int cmw__static_open_root(const char *path, int *why);
void cmw__static_close(int fd);
/* 1 if the system resolves whole paths below this root: not in every kernel, nor every sandbox. */
int cmw__static_resolves(int root);

/* Open a path below the root: components without "..", "." or nothing between slashes; "" is the
 * root. `by_steps` asks for the portable way. 0, or -1: it is not there, or not to be had. */
int cmw__static_open(int root, const char *path, int by_steps, struct cmw__static_file *file);

/* Read all of `len` bytes at a place: 0, or -1 for an error and a file that has become shorter. */
int cmw__static_read(int fd, void *to, size_t len, uint64_t at);

#endif /* CMW_BUILTIN_STATIC_SYSTEM_H */
