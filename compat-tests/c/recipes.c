/* Scenarios of a lock and an election whose holder is killed.
 *
 * Debian packages no recipes of the C client, so these are the ones that ZooKeeper's documentation
 * describes: for the lock those who wait stand in line and watch the one before; in the election
 * everybody tries to create one ephemeral znode and watches it. */
#include "scenarios.h"
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTENDERS = 3, HOLDER_MS = 2000 };

/* How many have seen that they must wait. */
static atomic_int waiting;

static int by_number(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void note_waiting(bool *noted) {
    if (!*noted)
        atomic_fetch_add(&waiting, 1);
    *noted = true;
}

/* Waits until a znode is gone, if it is there. */
static void await_end(zhandle_t *zh, const char *path, bool *noted) {
    struct events *gone = calloc(1, sizeof *gone);
    pthread_mutex_init(&gone->mutex, NULL);
    int rc = zoo_wexists(zh, path, note_event, gone, NULL);
    check(rc == ZOK || rc == ZNONODE, "exists: %s", zerror(rc));
    if (rc == ZNONODE)
        return;
    note_waiting(noted);
    eventually(event_count(gone) > 0);
}

/* Takes the lock; the path that is to be deleted to give it back. */
static const char *take_lock(zhandle_t *zh, const char *path) {
    char *own = calloc(1, PATH_SIZE);
    bool noted = false;
    must(zoo_create(zh, join(path, "/lock-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                    ZOO_EPHEMERAL_SEQUENTIAL, own, PATH_SIZE));
    const char *name = own + strlen(path) + 1;
    for (;;) {
        struct String_vector names;
        must(zoo_get_children(zh, path, 0, &names));
        qsort(names.data, names.count, sizeof names.data[0], by_number);
        int place = 0;
        while (place < names.count && strcmp(names.data[place], name) != 0)
            place++;
        check(place < names.count, "%s is not in line", own);
        if (place == 0)
            return own;
        await_end(zh, join(join(path, "/"), names.data[place - 1]), &noted);
        deallocate_String_vector(&names);
    }
}

/* Takes the lead; the path that is to be deleted to give it back. */
static const char *take_lead(zhandle_t *zh, const char *path) {
    const char *leader = join(path, "/leader");
    bool noted = false;
    for (;;) {
        int rc = create(zh, leader, "", ZOO_EPHEMERAL);
        if (rc == ZOK)
            return leader;
        check(rc == ZNODEEXISTS, "create: %s", zerror(rc));
        await_end(zh, leader, &noted);
    }
}

/* An office is called as the last part of its path. */
static const char *take(zhandle_t *zh, const char *path) {
    return strcmp(strrchr(path, '/'), "/lock") == 0 ? take_lock(zh, path) : take_lead(zh, path);
}

void hold(const char *path) {
    // Whoever started it has ended, if this comes.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    zhandle_t *zh = client_of(world.connect, HOLDER_MS, NULL);
    take(zh, path);
    must(create(zh, join(path, "-taken"), "", ZOO_EPHEMERAL));
    printf("held\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* Starts the holder and waits until it has the office. */
static pid_t start_holder(const char *path) {
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    pid_t holder = fork();
    check(holder >= 0, "no process");
    if (holder == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("COMPAT_HOLD", path, 1);
        execl("/proc/self/exe", "scenarios", world.connect, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char said[1024] = "";
    check(read(ends[0], said, sizeof said - 1) > 0 && strcmp(said, "held\n") == 0,
          "the holder says: %s", said);
    close(ends[0]);
    return holder;
}

/* Takes the office, sees that it is alone, counts, and gives the office back. */
static void *serve(void *office) {
    const char *path = office;
    zhandle_t *zh = client();
    const char *own = take(zh, path);
    // If this is there another one holds the office too.
    must(create(zh, join(path, "-taken"), "", ZOO_EPHEMERAL));
    char count[16];
    snprintf(count, sizeof count, "%d", atoi(text_of(zh, join(path, "-count"), NULL)) + 1);
    set_text(zh, join(path, "-count"), count);
    must(zoo_delete(zh, join(path, "-taken"), -1));
    must(zoo_delete(zh, own, -1));
    zookeeper_close(zh);
    return NULL;
}

static void killed_holder(const char *name) {
    const char *path = join(world.root, name), *counter = join(path, "-count");
    zhandle_t *zh = rooted();
    must(create(zh, path, "", ZOO_PERSISTENT));
    must(create(zh, counter, "0", ZOO_PERSISTENT));
    pid_t holder = start_holder(path);
    pthread_t contenders[CONTENDERS];
    for (int at = 0; at < CONTENDERS; at++)
        check(pthread_create(&contenders[at], NULL, serve, (void *)path) == 0, "no thread");
    eventually(atomic_load(&waiting) == CONTENDERS);
    check(strcmp(text_of(zh, counter, NULL), "0") == 0, "somebody was in office beside the holder");
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    for (int at = 0; at < CONTENDERS; at++)
        pthread_join(contenders[at], NULL);
    must(sync_path(zh, counter));
    check(atoi(text_of(zh, counter, NULL)) == CONTENDERS, "%s times in office, not %d",
          text_of(zh, counter, NULL), CONTENDERS);
    zookeeper_close(zh);
}

void lock_killed_holder(void) {
    killed_holder("/lock");
}

void election_killed_holder(void) {
    killed_holder("/election");
}
