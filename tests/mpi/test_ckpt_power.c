/* Loss of power during a save. What a save does to its files is recorded; then, for every moment,
 * the states that a disk may be in are made, in which what was not synced is there, or missing, or
 * zero, or there in part; entries of a folder that was not synced come in their order or not at
 * all, and those of one folder know nothing of those of another. In each state a checkpoint is
 * found, bit by bit; once the save has returned, it is that of the save.
 *
 * The record is of one rank: others add files of the same kind beside its own.
 *
 *     test_mpi_ckpt_power [STRIDE]    every STRIDE-th state (1: all)
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "support/ckpt_world.h"
#include "support/interpose.h"

enum { NODES_MAX = 128, ENTRIES_MAX = 24, PENDING_MAX = 64, FDS_MAX = 4096, NAME_BYTES = 96 };

/* One write or one change of length (data NULL) that was not synced yet. */
struct pending_write {
    char *data;
    int64_t at, bytes;
};

/* A name of a folder: node, or -1 for a name that goes. */
struct entry {
    char name[NAME_BYTES];
    int node;
};

/* One change of a folder: up to two names at once, as a rename does. */
struct pending_entry {
    struct entry entries[2];
    int n;
};

static struct node {
    bool is_folder;
    char *synced; /* of a file: what is on the disk for certain */
    int64_t synced_bytes;
    struct pending_write writes[PENDING_MAX];
    struct entry entries[ENTRIES_MAX]; /* of a folder: the same */
    int n_entries;
    struct pending_entry changes[PENDING_MAX];
    int n_pending;
} nodes[NODES_MAX];
static int n_nodes, node_of_fd[FDS_MAX];

/* How unsynced writes of files turn out. */
enum loss { ALL_THERE, NONE_THERE, ZEROS, FIRST_HALF, EVERY_OTHER, N_LOSSES };

static struct comm *comm;
static char root[64] = "/dev/shm/ft-power-XXXXXX", replay[72];
static int64_t stride = 1, n_states, n_tried, n_lost, oldest, newest;

static struct entry *find_entry(struct entry *entries, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

static void set_entry(struct entry *entries, int *n, const struct entry *change)
{
    struct entry *old = find_entry(entries, *n, change->name);
    if (old && change->node < 0)
        *old = entries[--*n];
    else if (old)
        old->node = change->node;
    else if (change->node >= 0 && *n < ENTRIES_MAX)
        entries[(*n)++] = *change;
}

/* The entries of a folder with the first n_changes of its changes. */
static int entries_after(struct entry out[ENTRIES_MAX], const struct node *folder, int n_changes)
{
    int n = folder->n_entries;
    memcpy(out, folder->entries, sizeof folder->entries);
    for (int i = 0; i < n_changes; i++)
        for (int k = 0; k < folder->changes[i].n; k++)
            set_entry(out, &n, &folder->changes[i].entries[k]);
    return n;
}

static int new_node(bool is_folder)
{
    CHECK(n_nodes < NODES_MAX);
    nodes[n_nodes] = (struct node){.is_folder = is_folder};
    return n_nodes++;
}

/* The node of a path below root, as the process sees it; -1: none. *folder: the node it is in. */
static int walk(const char *path, int *folder, const char **name)
{
    int at = 0;
    const char *part = path + strlen(root);
    *folder = -1;
    *name = "";
    while (at >= 0 && *part) {
        struct entry entries[ENTRIES_MAX];
        char text[NAME_BYTES];
        part += strspn(part, "/");
        const size_t n = strcspn(part, "/");
        if (n == 0)
            break;
        (void)snprintf(text, sizeof text, "%.*s", (int)n, part);
        const int n_entries = entries_after(entries, &nodes[at], nodes[at].n_pending);
        const struct entry *found = find_entry(entries, n_entries, text);
        *folder = at;
        *name = part;
        at = found ? found->node : -1;
        part += n;
    }
    return at;
}

static void change_folder(int folder, const char *name, int node, const char *other, int other_node)
{
    CHECK(folder >= 0 && nodes[folder].n_pending < PENDING_MAX);
    struct pending_entry *change = &nodes[folder].changes[nodes[folder].n_pending++];
    change->n = other ? 2 : 1;
    change->entries[0].node = node;
    (void)snprintf(change->entries[0].name, NAME_BYTES, "%s", name);
    if (other) {
        change->entries[1].node = other_node;
        (void)snprintf(change->entries[1].name, NAME_BYTES, "%s", other);
    }
}

static void grow(char **data, int64_t *bytes, int64_t wanted)
{
    if (wanted <= *bytes)
        return;
    char *grown = realloc(*data, (size_t)wanted);
    CHECK(grown != NULL);
    memset(grown + *bytes, 0, (size_t)(wanted - *bytes));
    *data = grown;
    *bytes = wanted;
}

static void apply_write(char **data, int64_t *bytes, const struct pending_write *write,
                        bool is_zero)
{
    if (!write->data) {
        grow(data, bytes, write->at);
        *bytes = write->at;
        return;
    }
    grow(data, bytes, write->at + write->bytes);
    if (!is_zero)
        memcpy(*data + write->at, write->data, (size_t)write->bytes);
}

static void sync_node(struct node *node)
{
    for (int i = 0; i < node->n_pending && !node->is_folder; i++) {
        apply_write(&node->synced, &node->synced_bytes, &node->writes[i], false);
        free(node->writes[i].data);
    }
    if (node->is_folder)
        node->n_entries = entries_after(node->entries, node, node->n_pending);
    node->n_pending = 0;
}

static void add_write(struct node *node, const void *data, size_t bytes, int64_t at)
{
    CHECK(node->n_pending < PENDING_MAX);
    struct pending_write *write = &node->writes[node->n_pending++];
    *write = (struct pending_write){.at = at, .bytes = (int64_t)bytes};
    if (!data)
        return;
    write->data = malloc(bytes + 1);
    CHECK(write->data != NULL);
    memcpy(write->data, data, bytes);
}

/* One file of the state, with what is lost lost. */
static void put_file(const struct node *node, const char *path, enum loss loss)
{
    char *data = NULL;
    int64_t bytes = 0;
    const int n = loss == NONE_THERE   ? 0
                  : loss == FIRST_HALF ? node->n_pending / 2
                                       : node->n_pending;
    grow(&data, &bytes, node->synced_bytes);
    if (bytes > 0)
        memcpy(data, node->synced, (size_t)bytes);
    for (int i = 0; i < n; i++)
        if (loss != EVERY_OTHER || i % 2 == 0)
            apply_write(&data, &bytes, &node->writes[i], loss == ZEROS);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, data ? data : "", (size_t)bytes) == (ssize_t)bytes);
    CHECK(close(fd) == 0);
    free(data);
}

/* Folder `chosen` has n_changes of its pending changes, the others all or none. */
static void put_folder(int folder, const char *path, enum loss loss, int chosen, int n_changes,
                       bool others)
{
    struct entry entries[ENTRIES_MAX];
    const int all = others ? nodes[folder].n_pending : 0;
    const int n = entries_after(entries, &nodes[folder], folder == chosen ? n_changes : all);
    CHECK(mkdir(path, 0700) == 0);
    for (int i = 0; i < n; i++) {
        char name[FILE_PATH_MAX];
        CHECK_STATUS(file_join(name, path, entries[i].name), FT_OK);
        if (nodes[entries[i].node].is_folder)
            put_folder(entries[i].node, name, loss, chosen, n_changes, others);
        else
            put_file(&nodes[entries[i].node], name, loss);
    }
}

static void judge(const char *what)
{
    int64_t found = 0;
    struct world world;
    log_set_speaking(false);
    const ft_status finding = ckpt_find(comm, replay, &found);
    bool is_lost = finding != FT_OK || found < oldest || found > newest;
    if (!is_lost) {
        world_init(&world, 0, 1, found, 0);
        is_lost = ckpt_load(comm, replay, found, &world.state) != FT_OK ||
                  !world_equals(&world, 0, 1, found);
    }
    log_set_speaking(true);
    n_tried++;
    n_lost += is_lost;
    if (is_lost)
        (void)printf("lost: %s: step %lld: %s\n", what, (long long)found,
                     finding == FT_OK ? "" : ft_error_text());
}

static void try_state(enum loss loss, int chosen, int n_changes, bool others)
{
    char what[100];
    if (n_states++ % stride != 0)
        return;
    CHECK_STATUS(file_remove_folder(replay), FT_OK);
    put_folder(0, replay, loss, chosen, n_changes, others);
    (void)snprintf(what, sizeof what,
                   "state %lld (files %d, folder %d: %d of its changes, others %d)",
                   (long long)n_states, (int)loss, chosen, n_changes, others);
    judge(what);
}

/* All states of the present moment. */
static void try_moment(void)
{
    for (int loss = 0; loss < N_LOSSES; loss++)
        for (int others = 0; others < 2; others++) {
            try_state((enum loss)loss, -1, 0, others);
            for (int i = 0; i < n_nodes; i++)
                for (int n = 0; nodes[i].is_folder && n <= nodes[i].n_pending; n++)
                    if (nodes[i].n_pending > 0)
                        try_state((enum loss)loss, i, n, others);
        }
}

static void rename_node(const struct interposed_change *change, int folder, const char *name,
                        int node)
{
    int to_folder;
    const char *to_name;
    const int to_node = walk(change->to, &to_folder, &to_name);
    CHECK(folder == to_folder); /* a save renames within a folder only */
    change_folder(folder, to_name, node, name, change->flags & RENAME_EXCHANGE ? to_node : -1);
}

static void on_change(const struct interposed_change *change)
{
    int folder = -1;
    const char *name = "";
    int node = change->path ? walk(change->path, &folder, &name) : -1;
    struct node *of_fd = change->path ? NULL : &nodes[node_of_fd[change->fd]];
    switch (change->call) {
    case CALL_MKDIR:
        change_folder(folder, name, new_node(true), NULL, 0);
        break;
    case CALL_OPEN:
        if (node < 0)
            change_folder(folder, name, node = new_node(false), NULL, 0);
        node_of_fd[change->fd] = node;
        return; /* the next change shows the state, too */
    case CALL_WRITE:
    case CALL_PWRITE:
        add_write(of_fd, change->data, change->bytes, change->at);
        break;
    case CALL_FTRUNCATE:
        add_write(of_fd, NULL, 0, change->at);
        break;
    case CALL_FSYNC:
        sync_node(of_fd);
        break;
    case CALL_RENAME:
    case CALL_RENAMEAT2:
        rename_node(change, folder, name, node);
        break;
    case CALL_UNLINK:
    case CALL_RMDIR:
        change_folder(folder, name, -1, NULL, 0);
        break;
    default:
        return;
    }
    interpose_record(NULL);
    try_moment();
    interpose_record(on_change);
}

/* What is there before the save is on the disk. */
static int scan(const char *path)
{
    const int at = new_node(true);
    DIR *entries = opendir(path);
    CHECK(entries != NULL);
    for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        char name[FILE_PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        struct entry *here = &nodes[at].entries[nodes[at].n_entries++];
        CHECK_STATUS(file_join(name, path, entry->d_name), FT_OK);
        (void)snprintf(here->name, NAME_BYTES, "%.95s", entry->d_name);
        here->node = file_is_folder(name) ? scan(name) : new_node(false);
        if (!nodes[here->node].is_folder) {
            char *data = NULL;
            size_t bytes = 0;
            CHECK_STATUS(file_read_all(&data, &bytes, name, 1 << 26), FT_OK);
            grow(&nodes[here->node].synced, &nodes[here->node].synced_bytes, (int64_t)bytes);
            memcpy(nodes[here->node].synced, data, bytes);
            mem_free(data);
        }
    }
    if (entries)
        (void)closedir(entries);
    return at;
}

static void forget(void)
{
    for (int i = 0; i < n_nodes; i++) {
        free(nodes[i].synced);
        for (int k = 0; k < nodes[i].n_pending && !nodes[i].is_folder; k++)
            free(nodes[i].writes[k].data);
    }
    n_nodes = 0;
}

/* Steps 1 and 2 are there; `step` is saved. */
static void test_save(int64_t step)
{
    struct world world;
    CHECK_STATUS(file_remove_folder(root), FT_OK);
    for (int64_t s = 1; s <= 2; s++)
        CHECK_STATUS(world_write(root, s, 1), FT_OK);
    (void)scan(root);
    oldest = 2;
    newest = step;
    world_init(&world, 0, 1, step, 1);
    interpose_record(on_change);
    CHECK_STATUS(ckpt_save(comm, root, &world.state, 2), FT_OK);
    interpose_record(NULL);
    oldest = step; /* it has returned */
    try_moment();
    forget();
}

int main(int argc, char **argv)
{
    if (comm_open(&comm, &argc, &argv) != FT_OK || !mkdtemp(root))
        return 1;
    stride = argc > 1 ? strtoll(argv[1], NULL, 10) : 1;
    CHECK(stride > 0);
    (void)snprintf(replay, sizeof replay, "%s.replay", root);
    interpose_below(root);
    if (stride > 0) {
        test_save(3);
        test_save(2);
    }
    (void)printf("power lost: %lld states tried, %lld lost\n", (long long)n_tried,
                 (long long)n_lost);
    CHECK(n_tried > 0 && n_lost == 0);
    CHECK_STATUS(file_remove_folder(root), FT_OK);
    CHECK_STATUS(file_remove_folder(replay), FT_OK);
    comm_close(&comm);
    return check_end();
}
