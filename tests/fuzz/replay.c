/* SPDX-License-Identifier: MIT */
/*
 * The main function of a fuzz target as an ordinary test: every file of a corpus as it is, then
 * variants of it. The variants are drawn from a generator with a fixed seed: all runs are equal.
 *
 *     replay_<name> FOLDER|FILE...
 *
 * Each input lies in a piece of memory of just its size, so that a sanitizer sees a byte read
 * beyond it. The names are printed as they are read: what stands last when a run crashes is the
 * culprit, and "variant N" is made again by the next run.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { VARIANTS = 300, MOST_EDITS = 5, MOST_BYTES = 1 << 16 };

struct input {
    uint8_t *bytes; /* room for MOST_BYTES */
    size_t len;
};

static uint64_t seed;

static size_t draw(size_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return below ? (size_t)(seed >> 33) % below : 0;
}

static void die(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2);
}

/* ---- Variants --------------------------------------------------------------------------- */

/* A byte that readers of HTTP look at, or any. */
static uint8_t draw_byte(void)
{
    static const char telling[] = ",;:=\"\\[]()<>@/?#%&*._-+ \t\r\n0129afAFxXzZ\x7f\x80\xff";
    const size_t at = draw(sizeof telling + 40);
    return at < sizeof telling ? (uint8_t)telling[at] : (uint8_t)draw(256);
}

static void cut(struct input *input)
{
    const size_t at = draw(input->len);
    const size_t len = 1 + draw(input->len - at > 16 ? 16 : input->len - at);
    const size_t gone = len < input->len - at ? len : input->len - at;

    memmove(input->bytes + at, input->bytes + at + gone, input->len - at - gone);
    input->len -= gone;
}

static void insert(struct input *input, const uint8_t *bytes, size_t len)
{
    const size_t at = draw(input->len + 1);

    if (len > MOST_BYTES - input->len)
        return;
    memmove(input->bytes + at + len, input->bytes + at, input->len - at);
    memcpy(input->bytes + at, bytes, len);
    input->len += len;
}

/* A piece of the input a second time. */
static void repeat(struct input *input)
{
    uint8_t piece[64];
    const size_t at = draw(input->len);
    const size_t most = input->len - at < sizeof piece ? input->len - at : sizeof piece;
    const size_t len = 1 + draw(most);

    memcpy(piece, input->bytes + at, len < most ? len : most);
    insert(input, piece, len < most ? len : most);
}

static void edit(struct input *input)
{
    const uint8_t byte = draw_byte();

    if (input->len == 0) {
        insert(input, &byte, 1);
        return;
    }
    switch (draw(4)) {
    case 0:
        input->bytes[draw(input->len)] = byte;
        break;
    case 1:
        insert(input, &byte, 1);
        break;
    case 2:
        cut(input);
        break;
    default:
        repeat(input);
        break;
    }
}

/* ---- Running ---------------------------------------------------------------------------- */

static void run(const struct input *input)
{
    uint8_t *exact = malloc(input->len + !input->len);

    if (!exact)
        die("malloc");
    memcpy(exact, input->bytes, input->len);
    (void)LLVMFuzzerTestOneInput(exact, input->len);
    free(exact);
}

static void run_variants(const struct input *original)
{
    struct input variant = {.bytes = malloc(MOST_BYTES)};

    if (!variant.bytes)
        die("malloc");
    for (int i = 0; i < VARIANTS; i++) {
        memcpy(variant.bytes, original->bytes, original->len);
        variant.len = original->len;
        for (size_t edits = 1 + draw(MOST_EDITS); edits > 0; edits--)
            edit(&variant);
        run(&variant);
    }
    free(variant.bytes);
}

static void run_file(const char *path)
{
    struct input input = {.bytes = malloc(MOST_BYTES)};
    FILE *file = fopen(path, "rb");

    if (!file || !input.bytes)
        die(path);
    printf("%s\n", path);
    fflush(stdout);
    input.len = fread(input.bytes, 1, MOST_BYTES, file);
    if (ferror(file))
        die(path);
    fclose(file);
    seed = 1; /* a file's variants do not depend on the others */
    run(&input);
    run_variants(&input);
    free(input.bytes);
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
    struct dirent **entries;
    char path[4096];
    const int count = scandir(folder, &entries, is_file, alphasort);

    if (count < 0)
        die(folder);
    for (int i = 0; i < count; i++) {
        const int len = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (len < 0 || (size_t)len >= sizeof path) {
            errno = ENAMETOOLONG;
            die(entries[i]->d_name);
        }
        run_file(path);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    const struct input nothing = {.bytes = (uint8_t[1]){0}};
    int files = 0;

    run(&nothing);
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) != 0)
            die(argv[i]);
        if (S_ISDIR(status.st_mode)) {
            files += run_folder(argv[i]);
        } else {
            run_file(argv[i]);
            files++;
        }
    }
    if (files == 0) {
        fprintf(stderr, "no input: replay FOLDER|FILE...\n");
        return 2;
    }
    return 0;
}
