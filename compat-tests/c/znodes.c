/* Scenarios of znodes: creating, reading, writing, listing, and names and data of all kinds. */
#include "scenarios.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void connect_and_close(void) {
    zhandle_t *zh = rooted(), *other = client();
    struct Stat stat;
    check(strcmp(text_of(zh, "/zookeeper", &stat), "") == 0 && stat.numChildren > 0,
          "/zookeeper has %d bytes and %d children", stat.dataLength, stat.numChildren);
    const char *node = join(world.root, "/ephemeral");
    must(create(zh, node, "", ZOO_EPHEMERAL));
    check(exists(other, node), "another client does not see the ephemeral");
    must(zookeeper_close(zh));
    check(!exists(other, node), "the ephemeral is there after its session was closed");
    zookeeper_close(other);
}

/* Creates a node whose path the server completes, and demands the whole path. */
static const char *numbered(zhandle_t *zh, const char *prefix, int mode, const char *number) {
    char path[PATH_SIZE];
    must(zoo_create(zh, join(world.root, prefix), "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, path,
                    sizeof path));
    const char *expected = join(join(world.root, prefix), number);
    check(strcmp(path, expected) == 0, "%s instead of %s", path, expected);
    return expected;
}

void create_modes(void) {
    zhandle_t *zh = rooted(), *other = client();
    const char *plain = numbered(zh, "/plain", ZOO_PERSISTENT, "");
    numbered(zh, "/s-", ZOO_PERSISTENT_SEQUENTIAL, "0000000001");
    numbered(zh, "/s-", ZOO_PERSISTENT_SEQUENTIAL, "0000000002");
    const char *mortal[] = {
        numbered(zh, "/e", ZOO_EPHEMERAL, ""),
        numbered(zh, "/es-", ZOO_EPHEMERAL_SEQUENTIAL, "0000000004"),
        numbered(zh, "/container", ZOO_CONTAINER, ""),
        join(world.root, "/ttl"),
        NULL,
    };
    for (int at = 0; at < 2; at++) {
        struct Stat stat;
        must(zoo_exists(zh, mortal[at], 0, &stat));
        check(stat.ephemeralOwner == zoo_client_id(zh)->client_id, "%s has another owner",
              mortal[at]);
    }
    expect(ZNOCHILDRENFOREPHEMERALS, create(zh, join(mortal[0], "/child"), "", ZOO_PERSISTENT));
    must(create(zh, join(mortal[2], "/child"), "", ZOO_PERSISTENT));
    must(zoo_delete(zh, join(mortal[2], "/child"), -1));
    char path[PATH_SIZE];
    must(zoo_create_ttl(zh, mortal[3], "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 200,
                        path, sizeof path));
    check(strcmp(path, mortal[3]) == 0, "the path is %s", path);
    must(zoo_create_ttl(zh, join(world.root, "/ttl-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                        ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 200, path, sizeof path));
    // Nodes that were removed meanwhile count as well: the number says how often children changed.
    check(strncmp(path, join(world.root, "/ttl-"), strlen(world.root) + 5) == 0 &&
          strlen(path) == strlen(world.root) + 15, "the path is %s", path);
    mortal[4] = path;
    must(zookeeper_close(zh));
    for (size_t at = 0; at < sizeof mortal / sizeof mortal[0]; at++)
        eventually(!exists(other, mortal[at]));
    check(exists(other, plain), "a persistent node has ended");
    zookeeper_close(other);
}

void read_write(void) {
    zhandle_t *zh = rooted();
    const char *node = join(world.root, "/node"), *missing = join(world.root, "/missing");
    struct Stat first, second;
    char path[PATH_SIZE];
    must(zoo_create2(zh, node, "one", 3, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path,
                     &first));
    check(first.czxid == first.mzxid && first.czxid == first.pzxid && first.ctime == first.mtime &&
          first.version == 0 && first.dataLength == 3 && first.ephemeralOwner == 0,
          "the stat of a new node");
    check(strcmp(text_of(zh, node, &second), "one") == 0, "read something else");
    check(same_stat(&first, &second), "another stat is read");
    must(zoo_set2(zh, node, "second", 6, 0, &second));
    check(second.mzxid > first.mzxid && second.czxid == first.czxid && second.version == 1 &&
          second.dataLength == 6 && second.mtime >= first.mtime, "the stat after a write");
    expect(ZBADVERSION, zoo_set(zh, node, "third", 5, 0));
    must(zoo_set(zh, node, NULL, -1, -1));
    check(strcmp(text_of(zh, node, &second), "") == 0 && second.version == 2, "written nothing");

    char buffer[4];
    int length = sizeof buffer;
    expect(ZNONODE, zoo_get(zh, missing, 0, buffer, &length, NULL));
    expect(ZNONODE, zoo_set(zh, missing, "", 0, -1));
    expect(ZNONODE, zoo_exists(zh, missing, 0, NULL));
    expect(ZNONODE, create(zh, join(missing, "/child"), "", ZOO_PERSISTENT));
    expect(ZNODEEXISTS, create(zh, node, "", ZOO_PERSISTENT));
    must(create(zh, join(node, "/child"), "", ZOO_PERSISTENT));
    expect(ZNOTEMPTY, zoo_delete(zh, node, -1));
    must(zoo_delete(zh, join(node, "/child"), -1));
    expect(ZBADVERSION, zoo_delete(zh, node, 1));
    must(zoo_delete(zh, node, 2));
    expect(ZNONODE, zoo_delete(zh, node, -1));
    zookeeper_close(zh);
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Demands the names of all children. */
static void listed(zhandle_t *zh, const char *path, char **names, int count) {
    struct String_vector found;
    struct Stat stat;
    must(zoo_get_children2(zh, path, 0, &found, &stat));
    check(found.count == count && stat.numChildren == count, "%d children, not %d", found.count,
          count);
    qsort(found.data, count, sizeof found.data[0], by_text);
    qsort(names, count, sizeof names[0], by_text);
    for (int at = 0; at < count; at++)
        check(strcmp(found.data[at], names[at]) == 0, "%s instead of %s", found.data[at],
              names[at]);
    deallocate_String_vector(&found);
}

void children(void) {
    zhandle_t *zh = rooted();
    char *names[] = {"a", "b", "c", "d", "e"};
    for (int at = 0; at < 5; at++)
        must(create(zh, join(join(world.root, "/"), names[at]), "", ZOO_PERSISTENT));
    listed(zh, world.root, names, 5);
    must(zoo_delete(zh, join(world.root, "/e"), -1));
    listed(zh, world.root, names, 4);
    struct Stat stat;
    must(zoo_exists(zh, world.root, 0, &stat));
    check(stat.numChildren == 4 && stat.cversion == 6 && stat.pzxid > stat.mzxid,
          "%d children, cversion %d", stat.numChildren, stat.cversion);
    listed(zh, join(world.root, "/a"), NULL, 0);
    struct String_vector found;
    expect(ZNONODE, zoo_get_children(zh, join(world.root, "/e"), 0, &found));
    zookeeper_close(zh);
}

void chroot_client(void) {
    zhandle_t *outside = rooted();
    zhandle_t *zh = client_of(join(world.connect, world.root), SESSION_MS, NULL);
    struct events created = NO_EVENTS, changed = NO_EVENTS;
    char path[PATH_SIZE];
    expect(ZNONODE, zoo_wexists(zh, "/in", note_event, &created, NULL));
    must(zoo_create(zh, "/in", "x", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path));
    check(strcmp(path, "/in") == 0, "created as %s", path);
    fired_once(&created, ZOO_CREATED_EVENT, "/in");
    check(exists(outside, join(world.root, "/in")), "it is not below the chroot");
    char *names[] = {"in"};
    listed(zh, "/", names, 1);
    must(zoo_wexists(zh, "/in", note_event, &changed, NULL));
    set_text(outside, join(world.root, "/in"), "y");
    fired_once(&changed, ZOO_CHANGED_EVENT, "/in");
    must(sync_path(zh, "/in"));
    check(strcmp(text_of(zh, "/in", NULL), "y") == 0, "read something else");
    must(zoo_delete(zh, "/in", 1));
    zookeeper_close(zh);
    zookeeper_close(outside);
}

void large_values(void) {
    zhandle_t *zh = rooted();
    // xid, type, two lengths and a version are the rest of the request.
    int largest = MAX_REQUEST - 5 * 4 - (int)strlen(world.root);
    char *value = malloc(largest + 1), *back = malloc(largest + 1);
    for (int at = 0; at <= largest; at++)
        value[at] = (char)(at * 7);
    int sizes[] = {1000, 500000, largest};
    for (int at = 0; at < 3; at++) {
        must(zoo_set(zh, world.root, value, sizes[at], -1));
        int length = largest + 1;
        must(zoo_get(zh, world.root, 0, back, &length, NULL));
        check(length == sizes[at] && memcmp(value, back, length) == 0,
              "%d bytes were read, %d written", length, sizes[at]);
    }
    int64_t session = zoo_client_id(zh)->client_id;
    expect(ZCONNECTIONLOSS, zoo_set(zh, world.root, value, largest + 1, -1));
    struct Stat stat;
    eventually(zoo_exists(zh, world.root, 0, &stat) == ZOK);
    check(stat.version == 3, "what was refused was written: version %d", stat.version);
    check(zoo_client_id(zh)->client_id == session, "the session was lost");
    zookeeper_close(zh);
}

void unicode(void) {
    zhandle_t *zh = rooted();
    char *names[] = {"Ζάβρα", "зебра", "斑馬", "حمار", "e\u0301", "\u00e9",
                     "with space"};
    int count = sizeof names / sizeof names[0];
    for (int at = 0; at < count; at++) {
        const char *path = join(join(world.root, "/"), names[at]);
        const char *data = join(names[at], " 🦓 \xff");
        must(create(zh, path, data, ZOO_PERSISTENT));
        check(strcmp(text_of(zh, path, NULL), data) == 0, "%s has other data", names[at]);
    }
    listed(zh, world.root, names, count);
    // Characters beyond the first plane are no names, as in ZooKeeper's PathUtils.
    expect(ZBADARGUMENTS, create(zh, join(world.root, "/🦓"), "", ZOO_PERSISTENT));
    expect(ZBADARGUMENTS, create(zh, join(world.root, "/\x01"), "", ZOO_PERSISTENT));
    zookeeper_close(zh);
}
