/* SPDX-License-Identifier: MIT */
/* Formatting for a person, and the sink for files. */
#include "print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void print_long(struct cmw__printer *printer, size_t len, const char *format, va_list args)
    CMW_PRINTF(3, 0);

/* Longer than the buffer: format it again where it fits. For configuration time, so malloc is fine.
 */
static void print_long(struct cmw__printer *printer, size_t len, const char *format, va_list args)
{
    char *text = malloc(len + 1);
    if (!text) {
        printer->error = CMW_ERR_NOMEM;
        return;
    }
    (void)vsnprintf(text, len + 1, format, args);
    printer->error = printer->write(printer->self, text, len);
    free(text);
}

void cmw__print(struct cmw__printer *printer, const char *format, ...)
{
    char text[512];
    va_list args;

    if (printer->error)
        return;
    va_start(args, format);
    const int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0) {
        printer->error = CMW_ERR_INVALID;
    } else if ((size_t)len < sizeof text) {
        printer->error = printer->write(printer->self, text, (size_t)len);
    } else {
        va_start(args, format);
        print_long(printer, (size_t)len, format, args);
        va_end(args);
    }
}

int cmw_write_file(void *file, const char *text, size_t len)
{
    return fwrite(text, 1, len, file) == len ? 0 : CMW_ERR_IO;
}
