/* Scenarios of sessions: expiry, killed servers, and reading across servers. */
#include "scenarios.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_expiry(void) {
    enum { SHORT_MS = 3000 };
    zhandle_t *other = rooted(), *zh = client_of(world.connect, SHORT_MS, NULL);
    const char *node = join(world.root, "/ephemeral");
    must(create(zh, node, "", ZOO_EPHEMERAL));
    clientid_t id = *zoo_client_id(zh);
    zhandle_t *twin = client_of(world.connect, SHORT_MS, &id);
    check(zoo_client_id(twin)->client_id == id.client_id, "the twin has a session of its own");
    must(zookeeper_close(twin));
    check(!exists(other, node), "the ephemeral is there after its session was closed");
    eventually(zoo_state(zh) == ZOO_EXPIRED_SESSION_STATE);
    check(is_unrecoverable(zh) == ZINVALIDSTATE, "the handle is usable");
    check(create(zh, node, "", ZOO_EPHEMERAL) != ZOK, "an expired session creates");
    zookeeper_close(zh);

    // Whoever comes with the id of a session that has ended is told so.
    zh = zookeeper_init(world.connect, NULL, SHORT_MS, &id, NULL, ZOO_NO_LOG_CLIENTENV);
    eventually(zoo_state(zh) == ZOO_EXPIRED_SESSION_STATE);
    zookeeper_close(zh);
    zookeeper_close(other);
}

/* Demands success; whether it came. Without a connection it may be tried again. */
static bool came_through(int rc) {
    check(rc == ZOK || rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT, "%s", zerror(rc));
    return rc == ZOK;
}

/* Creates what may have been created by an attempt whose reply was lost. */
static bool created_by_now(zhandle_t *zh, const char *path) {
    int rc = create(zh, path, "", ZOO_PERSISTENT);
    return rc == ZNODEEXISTS || came_through(rc);
}

void failover(void) {
    zhandle_t *other = rooted(), *zh = client();
    const char *ephemeral = join(world.root, "/ephemeral"), *node = join(world.root, "/node");
    struct events changed = NO_EVENTS, listed = NO_EVENTS;
    struct String_vector names;
    struct Stat stat;
    int64_t session = zoo_client_id(zh)->client_id;
    must(create(zh, ephemeral, "", ZOO_EPHEMERAL));
    must(create(zh, node, "", ZOO_PERSISTENT));
    must(zoo_wexists(zh, node, note_event, &changed, NULL));
    must(zoo_wget_children(zh, world.root, note_event, &listed, &names));

    const char *killed = server_of(zh);
    kill_server(killed);
    eventually(came_through(zoo_exists(zh, ephemeral, 0, &stat)));
    check(server_count() == 1 || strcmp(server_of(zh), killed) != 0, "it reads from a dead server");
    check(zoo_client_id(zh)->client_id == session && stat.ephemeralOwner == session,
          "it has another session");
    eventually(came_through(zoo_set(other, node, "after", 5, -1)));
    fired_once(&changed, ZOO_CHANGED_EVENT, node);
    eventually(created_by_now(other, join(world.root, "/child")));
    fired_once(&listed, ZOO_CHILD_EVENT, world.root);
    ask("restore");
    zookeeper_close(zh);
    zookeeper_close(other);
}

static atomic_int acknowledged;
static atomic_bool enough;

static const char *write_path(int number) {
    char name[32];
    snprintf(name, sizeof name, "/write-%06d", number);
    return join(world.root, name);
}

static void *write_until_enough(void *zh) {
    for (int number = 0; !atomic_load(&enough); number++) {
        const char *path = write_path(number);
        eventually(created_by_now(zh, path));
        atomic_store(&acknowledged, number + 1);
    }
    return NULL;
}

void leader_killed(void) {
    enum { EACH = 50 };
    zookeeper_close(rooted());
    zhandle_t *zh = client();
    pthread_t writer;
    check(pthread_create(&writer, NULL, write_until_enough, zh) == 0, "no thread");
    eventually(atomic_load(&acknowledged) >= EACH);
    kill_server(ask("leader"));
    int so_far = atomic_load(&acknowledged);
    eventually(atomic_load(&acknowledged) >= so_far + EACH);
    atomic_store(&enough, true);
    pthread_join(writer, NULL);
    ask("restore");
    for (int server = 0; server < server_count(); server++) {
        zhandle_t *reader = client_of(server_at(server), SESSION_MS, NULL);
        must(sync_path(reader, world.root));
        for (int number = 0; number < acknowledged; number++)
            check(zoo_exists(reader, write_path(number), 0, NULL) == ZOK,
                  "%s was acknowledged, and %s has it not", write_path(number), server_at(server));
        zookeeper_close(reader);
    }
    zookeeper_close(zh);
}

/* The reader is on a follower, if there is one: a leader of Apache ZooKeeper's answers the sync of
 * its own clients without waiting for what it has committed and not yet applied. */
void sync_read(void) {
    zookeeper_close(rooted());
    const char *leader = ask("leader"), *follower = leader;
    for (int server = 0; server < server_count(); server++)
        if (strcmp(server_at(server), leader) != 0)
            follower = server_at(server);
    zhandle_t *writer = client_of(leader, SESSION_MS, NULL);
    zhandle_t *reader = client_of(follower, SESSION_MS, NULL);
    must(sync_path(reader, world.root));
    must(sync_path(writer, world.root));
    int rounds = world.quick ? 50 : 200;
    for (int round = 1; round <= rounds; round++) {
        char text[16];
        snprintf(text, sizeof text, "%d", round);
        must(zoo_set(writer, world.root, text, (int)strlen(text), round - 1));
        const char *own = text_of(writer, world.root, NULL);
        check(strcmp(own, text) == 0, "its own write %s is read as %s", text, own);
        must(sync_path(reader, world.root));
        const char *read = text_of(reader, world.root, NULL);
        check(strcmp(read, text) == 0, "%s is read as %s after sync", text, read);
    }
    zookeeper_close(reader);
    zookeeper_close(writer);
}
