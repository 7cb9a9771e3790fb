#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool process_read(struct process_info *out, pid_t process)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open || strlen(close) < 4)
        return false;
    *close = '\0'; /* "PID (NAME) STATE PARENT ..." */
    (void)snprintf(out->name, sizeof out->name, "%s", open + 1);
    out->state = close[2];
    out->parent = (pid_t)strtol(close + 4, NULL, 10);
    return true;
}
