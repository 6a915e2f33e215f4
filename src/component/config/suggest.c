/* SPDX-License-Identifier: MIT */
/*
 * Which name was meant: the one with the fewest letters changed, added, left out or swapped with
 * their neighbour.
 */
#include "document_state.h"

#include <stdio.h>

/* A longer name is not compared: the row of distances has this much room. */
enum { LONGEST = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the table of distances, the oldest for swaps. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LONGEST + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        const size_t *const older = rows[(i + 1) % 3];
        const size_t *const above = rows[(i - 1) % 3];
        size_t *const row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], older[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

/* A third of the letters may be wrong: beyond that it is another word. */
void cmw__suggest_init(struct suggestion *suggestion, const char *wrong)
{
    suggestion->wrong = wrong;
    suggestion->best = NULL;
    suggestion->distance = strlen(wrong) / 3 + 1;
}

void cmw__suggest_add(struct suggestion *suggestion, const char *name)
{
    const size_t wrong_len = strlen(suggestion->wrong);
    const size_t name_len = strlen(name);

    if (wrong_len > LONGEST || name_len > LONGEST)
        return;
    const size_t found = distance(suggestion->wrong, wrong_len, name, name_len);
    if (found > suggestion->distance || (found == suggestion->distance && suggestion->best))
        return;
    suggestion->best = name;
    suggestion->distance = found;
}

const char *cmw__suggest_text(const struct suggestion *suggestion, char text[SUGGESTION_CAP])
{
    text[0] = '\0';
    if (suggestion->best)
        (void)snprintf(text, SUGGESTION_CAP, "; did you mean '%s'?", suggestion->best);
    return text;
}
