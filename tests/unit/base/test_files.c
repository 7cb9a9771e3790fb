/* Files and folders that are not what they should be: links, FIFOs, devices, other people's.
 * Nothing blocks, nothing is written through a link, and what a link names outlives the link. */
#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/check.h"

static char folder[] = "/dev/shm/ft-files-XXXXXX";

static const char *at(const char *name)
{
    static char paths[4][FILE_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, FILE_PATH_MAX, "%s/%s", folder, name);
    return path;
}

static int holds(const char *path, const char *expected)
{
    char *text = NULL;
    size_t bytes = 0;
    const int is_same =
        file_read_all(&text, &bytes, path, 1000) == FT_OK && strcmp(text, expected) == 0;
    mem_free(text);
    return is_same;
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    CHECK(lstat(path, &info) == 0);
    return info.st_mode & 07777;
}

static void make_sample(void)
{
    CHECK_STATUS(file_replace(at("text"), "text", 4), FT_OK);
    CHECK(symlink("text", at("link")) == 0);
    CHECK(symlink("nowhere", at("dangling")) == 0);
    CHECK(symlink("loop", at("loop")) == 0);
    CHECK(symlink("/dev/zero", at("zero")) == 0);
    CHECK(mkfifo(at("fifo"), 0600) == 0);
    CHECK(mkdir(at("folder"), 0700) == 0);
}

/* What the user names may be a link; it must end at a regular file. */
static void test_read(void)
{
    int fd = -1;
    uint64_t bytes = 0;
    CHECK_STATUS(file_open_read(&fd, &bytes, at("link")), FT_OK);
    CHECK(bytes == 4 && close(fd) == 0);
    CHECK_FAILS(file_open_read(&fd, &bytes, at("dangling")), FT_ERR_INPUT, "No such file");
    CHECK_FAILS(file_open_read(&fd, &bytes, at("loop")), FT_ERR_INPUT, "symbolic links");
    CHECK_FAILS(file_open_read(&fd, &bytes, at("zero")), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_open_read(&fd, &bytes, at("fifo")), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_open_read(&fd, &bytes, at("folder")), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_open_read(&fd, &bytes, at("text/x")), FT_ERR_INPUT, "Not a directory");
}

/* What the program wrote is never a link. */
static void test_own(void)
{
    uint64_t bytes = 0;
    CHECK_STATUS(file_check_own(at("text"), &bytes), FT_OK);
    CHECK(bytes == 4);
    CHECK_FAILS(file_check_own(at("link"), NULL), FT_ERR_INPUT, "symbolic link");
    CHECK_FAILS(file_check_own(at("dangling"), NULL), FT_ERR_INPUT, "symbolic link");
    CHECK_FAILS(file_check_own(at("fifo"), NULL), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_check_own(at("folder"), NULL), FT_ERR_INPUT, "not a regular file");
    CHECK_FAILS(file_check_own(at("absent"), NULL), FT_ERR_INPUT, "No such file");
}

/* path.tmp may be a link or a FIFO: it is removed, never followed; a folder is an error. */
static void test_write(void)
{
    struct file_draft draft;
    CHECK(symlink("text", at("new.tmp")) == 0);
    CHECK_STATUS(file_replace(at("new"), "new", 3), FT_OK);
    CHECK(holds(at("text"), "text") && holds(at("new"), "new") && !file_exists(at("new.tmp")));
    CHECK(mkfifo(at("new.tmp"), 0600) == 0);
    CHECK_STATUS(file_replace(at("new"), "newer", 5), FT_OK);
    CHECK(holds(at("new"), "newer"));
    CHECK(symlink("text", at("draft.tmp")) == 0);
    CHECK_STATUS(file_draft_open(&draft, at("draft")), FT_OK);
    CHECK_STATUS(file_write_all(draft.fd, "draft", 5, draft.path), FT_OK);
    CHECK_STATUS(file_draft_close(&draft, at("draft"), FT_OK), FT_OK);
    CHECK(holds(at("text"), "text") && holds(at("draft"), "draft"));
    CHECK(symlink("text", at("target")) == 0); /* the link gives way, its target stays */
    CHECK_STATUS(file_replace(at("target"), "mine", 4), FT_OK);
    CHECK(holds(at("text"), "text") && holds(at("target"), "mine"));
    CHECK(mkdir(at("busy.tmp"), 0700) == 0);
    CHECK_FAILS(file_replace(at("busy"), "x", 1), FT_ERR_IO, "busy.tmp");
    CHECK_FAILS(file_replace(at("folder"), "x", 1), FT_ERR_IO, "cannot rename");
    CHECK(!file_exists(at("folder.tmp")));
}

static void test_append(void)
{
    int fd = -1;
    CHECK_STATUS(file_open_append(&fd, at("log")), FT_OK);
    CHECK_STATUS(file_write_all(fd, "a", 1, "log"), FT_OK);
    CHECK(close(fd) == 0);
    CHECK_STATUS(file_open_append(&fd, at("log")), FT_OK);
    CHECK_STATUS(file_write_all(fd, "b", 1, "log"), FT_OK);
    CHECK(close(fd) == 0 && holds(at("log"), "ab"));
    CHECK_FAILS(file_open_append(&fd, at("link")), FT_ERR_IO, "symbolic link");
    CHECK_FAILS(file_open_append(&fd, at("dangling")), FT_ERR_IO, "symbolic link");
    CHECK_FAILS(file_open_append(&fd, at("fifo")), FT_ERR_IO, "not a regular file");
    CHECK_FAILS(file_open_append(&fd, at("folder")), FT_ERR_IO, "Is a directory");
    CHECK(!file_exists(at("nowhere")) && holds(at("text"), "text"));
}

/* A folder is removed with the links in it, and not with what they lead to. */
static void test_remove(void)
{
    CHECK(mkdir(at("kept"), 0700) == 0 && mkdir(at("old"), 0700) == 0);
    CHECK_STATUS(file_replace(at("kept/text"), "kept", 4), FT_OK);
    CHECK(symlink("../kept", at("old/inside")) == 0 && symlink("kept", at("outside")) == 0);
    CHECK(mkfifo(at("old/fifo"), 0600) == 0);
    CHECK_STATUS(file_remove_folder(at("old")), FT_OK);
    CHECK_STATUS(file_remove_folder(at("outside")), FT_OK);
    CHECK_STATUS(file_remove_folder(at("absent")), FT_OK);
    CHECK(!file_exists(at("old")) && !file_exists(at("outside")) && holds(at("kept/text"), "kept"));
}

static void test_modes(void)
{
    static const mode_t masks[] = {0, 022, 027, 077};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char name[32];
        int fd = -1;
        const mode_t before = umask(masks[i]);
        (void)snprintf(name, sizeof name, "mask-%03o/deep", (unsigned)masks[i]);
        CHECK_STATUS(file_make_folders(at(name)), FT_OK);
        CHECK(mode_of(at(name)) == (0777 & ~masks[i]));
        (void)snprintf(name, sizeof name, "mask-%03o/file", (unsigned)masks[i]);
        CHECK_STATUS(file_replace(at(name), "x", 1), FT_OK);
        CHECK(mode_of(at(name)) == (0666 & ~masks[i]));
        (void)snprintf(name, sizeof name, "mask-%03o/log", (unsigned)masks[i]);
        CHECK_STATUS(file_open_append(&fd, at(name)), FT_OK);
        CHECK(close(fd) == 0 && mode_of(at(name)) == (0666 & ~masks[i]));
        (void)umask(before);
    }
}

/* As another user: what cannot be read is an input error where the user named it, and says nothing
 * of the content where the program wrote it. Last, because it gives up root. */
static void test_other_user(void)
{
    int fd = -1;
    CHECK(chmod(folder, 0755) == 0 && chmod(at("text"), 0600) == 0);
    CHECK_STATUS(file_replace(at("shown"), "shown", 5), FT_OK);
    if (geteuid() != 0 || setegid(65534) != 0 || seteuid(65534) != 0)
        return;
    CHECK_FAILS(file_open_read(&fd, NULL, at("text")), FT_ERR_INPUT, "Permission denied");
    CHECK_FAILS(file_replace(at("mine"), "x", 1), FT_ERR_IO, "Permission denied");
    CHECK_FAILS(file_open_append(&fd, at("shown")), FT_ERR_IO, "Permission denied");
    CHECK_FAILS(file_make_folders(at("mine/too")), FT_ERR_OUTPUT, "Permission denied");
    CHECK_FAILS(file_remove_folder(at("kept")), FT_ERR_IO, "Permission denied");
    CHECK(setresuid(65534, 65534, 0) == 0); /* access() asks for the real user */
    CHECK_FAILS(file_check_own(at("text"), NULL), FT_ERR_IO, "Permission denied");
    CHECK(setresuid(0, 0, 0) == 0 && setegid(0) == 0);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    make_sample();
    test_read();
    test_own();
    test_write();
    test_append();
    test_remove();
    test_modes();
    test_other_user();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
