/* SPDX-License-Identifier: MIT */
/*
 * What every `create` needs: writing a diagnostic, taking over a config of another size.
 */
#include <catzilla/base.h>

#include <stdarg.h>
#include <stdio.h>

static const char ellipsis[] = "...";

int cmw_diag_set(cmw_diag *diag, int code, const char *format, ...)
{
    if (!diag)
        return code;

    va_list args;
    va_start(args, format);
    const int written = vsnprintf(diag->message, sizeof diag->message, format, args);
    va_end(args);

    diag->code = code;
    diag->full_len = written < 0 ? 0 : (size_t)written;
    if (written < 0)
        diag->message[0] = '\0'; /* what the buffer holds now is not specified */
    if (diag->full_len >= sizeof diag->message)
        memcpy(diag->message + sizeof diag->message - sizeof ellipsis, ellipsis, sizeof ellipsis);
    return code;
}

/* Every config begins with its size. */
static size_t size_of(const void *config)
{
    size_t size;
    memcpy(&size, config, sizeof size);
    return size;
}

int cmw_config_adopt(void *to, const void *from)
{
    const size_t ours = size_of(to);

    if (!from)
        return 0;
    const size_t theirs = size_of(from);
    if (theirs < sizeof(size_t))
        return CMW_ERR_VERSION;
    for (size_t i = ours; i < theirs; i++)
        if (((const unsigned char *)from)[i] != 0)
            return CMW_ERR_VERSION;
    memcpy(to, from, theirs < ours ? theirs : ours);
    memcpy(to, &ours, sizeof ours);
    return 0;
}
