/* Runs the files of a corpus folder through a target: replay FOLDER... */
#include <dirent.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

/* What mutators call; none is called here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data, (void)max_size;
    return size;
}

static int replay_folder(const char *folder)
{
    int n = 0;
    DIR *entries = opendir(folder);
    if (!entries) {
        (void)fprintf(stderr, "cannot open folder %s\n", folder);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[FILE_PATH_MAX], *text;
        size_t bytes;
        if (entry->d_name[0] == '.' || file_join(path, folder, entry->d_name) != FT_OK)
            continue;
        if (file_read_all(&text, &bytes, path, UINT64_C(1) << 30) != FT_OK)
            continue;
        uint8_t *data = malloc(bytes ? bytes : 1); /* so that reading behind the end is seen */
        if (data) {
            memcpy(data, text, bytes);
            mem_free(text);
            (void)LLVMFuzzerTestOneInput(data, bytes);
            n++;
        }
        free(data);
    }
    (void)closedir(entries);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++)
        n += replay_folder(argv[i]);
    (void)printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
