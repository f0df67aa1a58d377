/* Scenarios of many requests at a time, by the asynchronous API. */
#include "scenarios.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int replied;
static atomic_int first_error;

static void created(int rc, const char *path, const void *data) {
    (void)path;
    (void)data;
    int none = ZOK;
    if (rc != ZOK)
        atomic_compare_exchange_strong(&first_error, &none, rc);
    atomic_fetch_add(&replied, 1);
}

/* Creates so many children of the path, without waiting for any before all are sent. */
static void create_many(zhandle_t *zh, int count, int mode) {
    atomic_store(&replied, 0);
    for (int at = 0; at < count; at++) {
        char path[PATH_SIZE + 32];
        snprintf(path, sizeof path, "%s/child-%05d", world.root, at);
        must(zoo_acreate(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, created, NULL));
    }
    eventually(atomic_load(&replied) == count);
    check(atomic_load(&first_error) == ZOK, "a create: %s", zerror(atomic_load(&first_error)));
}

static int children_of_root(zhandle_t *zh) {
    must(sync_path(zh, world.root));
    struct String_vector names;
    must(zoo_get_children(zh, world.root, 0, &names));
    int count = names.count;
    deallocate_String_vector(&names);
    return count;
}

void ephemerals_1000(void) {
    zhandle_t *other = rooted(), *zh = client();
    create_many(zh, 1000, ZOO_EPHEMERAL);
    check(children_of_root(other) == 1000, "%d ephemerals", children_of_root(other));
    must(zookeeper_close(zh));
    check(children_of_root(other) == 0, "%d ephemerals outlived their session",
          children_of_root(other));
    zookeeper_close(other);
}

void children_10000(void) {
    zhandle_t *zh = rooted();
    create_many(zh, 10000, ZOO_PERSISTENT);
    struct String_vector names;
    must(zoo_get_children(zh, world.root, 0, &names));
    check(names.count == 10000, "%d children", names.count);
    bool *seen = calloc(10000, sizeof *seen);
    for (int at = 0; at < names.count; at++) {
        int number = -1;
        check(sscanf(names.data[at], "child-%d", &number) == 1 && number >= 0 && number < 10000 &&
              !seen[number], "a child is called %s", names.data[at]);
        seen[number] = true;
    }
    zookeeper_close(zh);
}

/* What came back, in order. */
static struct { pthread_mutex_t mutex; char text[256]; } order = {PTHREAD_MUTEX_INITIALIZER, ""};

static void came(const char *what, int rc) {
    pthread_mutex_lock(&order.mutex);
    size_t length = strlen(order.text);
    snprintf(order.text + length, sizeof order.text - length, "%s:%d ", what, rc);
    pthread_mutex_unlock(&order.mutex);
}

static void string_came(int rc, const char *value, const void *data) {
    (void)value;
    came(data, rc);
}

static void stat_came(int rc, const struct Stat *stat, const void *data) {
    (void)stat;
    came(data, rc);
}

static void data_came(int rc, const char *value, int length, const struct Stat *stat,
                      const void *data) {
    (void)stat;
    came(rc == ZOK && length == 1 && *value == '2' ? "got-2" : data, rc);
}

static void strings_came(int rc, const struct String_vector *strings, const void *data) {
    (void)strings;
    came(data, rc);
}

static void acl_came(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) {
    (void)acl;
    (void)stat;
    came(data, rc);
}

static void void_came(int rc, const void *data) {
    came(data, rc);
}

static bool all_came(void) {
    pthread_mutex_lock(&order.mutex);
    bool found = strstr(order.text, "gone:") != NULL;
    pthread_mutex_unlock(&order.mutex);
    return found;
}

void async_order(void) {
    zhandle_t *zh = rooted();
    const char *node = join(world.root, "/n");
    must(zoo_acreate(zh, node, "1", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, string_came,
                     "create"));
    must(zoo_acreate(zh, node, "1", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, string_came,
                     "again"));
    must(zoo_aset(zh, node, "2", 1, 0, stat_came, "set"));
    must(zoo_aget(zh, node, 0, data_came, "get"));
    must(zoo_aset(zh, node, "3", 1, 0, stat_came, "stale"));
    must(zoo_aexists(zh, node, 0, stat_came, "exists"));
    must(zoo_aget_children(zh, world.root, 0, strings_came, "children"));
    must(zoo_aget_acl(zh, node, acl_came, "acl"));
    must(zoo_async(zh, node, string_came, "sync"));
    must(zoo_adelete(zh, node, -1, void_came, "delete"));
    must(zoo_aexists(zh, node, 0, stat_came, "gone"));
    eventually(all_came());
    const char *expected = "create:0 again:-110 set:0 got-2:0 stale:-103 exists:0 children:0 "
                           "acl:0 sync:0 delete:0 gone:-101 ";
    check(strcmp(order.text, expected) == 0, "%s instead of %s", order.text, expected);
    zookeeper_close(zh);
}
