/* Scenarios of ACLs, authentication and transactions. */
#include "scenarios.h"
#include "support.h"

#include <string.h>

/* user:right, as the digest scheme writes it: the Base64 of its SHA-1. */
static char digest[] = "user:S0kyYfsRwDoJrADANzip+An/nEc=";

static atomic_int auth_rc;

static void auth_done(int rc, const void *data) {
    (void)data;
    atomic_store(&auth_rc, rc);
}

/* Authenticates and waits for the answer. */
static int add_auth(zhandle_t *zh, const char *scheme, const char *secret) {
    enum { UNANSWERED = 1 };
    atomic_store(&auth_rc, UNANSWERED);
    must(zoo_add_auth(zh, scheme, secret, (int)strlen(secret), auth_done, NULL));
    eventually(atomic_load(&auth_rc) != UNANSWERED);
    return atomic_load(&auth_rc);
}

static int get(zhandle_t *zh, const char *path) {
    char buffer[64];
    int length = sizeof buffer;
    return zoo_get(zh, path, 0, buffer, &length, NULL);
}

void acl_auth(void) {
    zhandle_t *zh = rooted(), *other = client();
    const char *secret = join(world.root, "/secret"), *own = join(world.root, "/own");
    struct ACL entries[] = {{ZOO_PERM_ALL, {"digest", digest}},
                            {ZOO_PERM_READ, {"world", "anyone"}}};
    struct ACL_vector only_user = {1, entries}, readable = {2, entries}, nobody = {0, entries};
    must(zoo_create(zh, secret, "s", 1, &only_user, ZOO_PERSISTENT, NULL, 0));
    expect(ZNOAUTH, get(zh, secret));
    must(add_auth(zh, "digest", "user:wrong"));
    expect(ZNOAUTH, zoo_set(zh, secret, "", 0, -1));
    must(add_auth(zh, "digest", "user:right"));
    must(get(zh, secret));

    struct ACL_vector found;
    struct Stat stat;
    must(zoo_get_acl(zh, secret, &found, &stat));
    check(found.count == 1 && found.data[0].perms == ZOO_PERM_ALL &&
          strcmp(found.data[0].id.id, digest) == 0 && stat.aversion == 0, "another ACL");
    expect(ZBADVERSION, zoo_set_acl(zh, secret, 7, &readable));
    must(zoo_set_acl(zh, secret, 0, &readable));
    must(zoo_get_acl(zh, secret, &found, &stat));
    check(found.count == 2 && stat.aversion == 1 && stat.version == 0, "after setACL");

    must(sync_path(other, secret));
    must(get(other, secret));
    expect(ZNOAUTH, zoo_set(other, secret, "", 0, -1));
    expect(ZNOAUTH, zoo_set_acl(other, secret, -1, &ZOO_OPEN_ACL_UNSAFE));
    must(add_auth(other, "digest", "super:secret"));
    must(zoo_set(other, secret, "by super", 8, -1));

    must(zoo_create(zh, own, "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    must(zoo_get_acl(zh, own, &found, &stat));
    check(found.count == 2 && strcmp(found.data[0].id.scheme, "digest") == 0,
          "`auth` became %d entries", found.count);
    expect(ZINVALIDACL, zoo_create(zh, join(world.root, "/none"), "", 0, &nobody, ZOO_PERSISTENT,
                                   NULL, 0));
    zhandle_t *refused = client();
    expect(ZAUTHFAILED, add_auth(refused, "unknown", "x"));
    check(zoo_state(refused) == ZOO_AUTH_FAILED_STATE, "its state is %d", zoo_state(refused));
    zookeeper_close(refused);
    zookeeper_close(other);
    zookeeper_close(zh);
}

void multi(void) {
    enum { ALL = 6, PART = 4 };
    zhandle_t *zh = rooted();
    const char *node = join(world.root, "/node"), *other = join(world.root, "/other");
    const char *sequence = join(world.root, "/s-");
    zoo_op_t operations[ALL];
    zoo_op_result_t results[ALL];
    char path[PATH_SIZE], numbered[PATH_SIZE], third[PATH_SIZE];
    struct Stat before, after;
    memset(results, 0, sizeof results);
    zoo_create_op_init(&operations[0], node, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    zoo_create_op_init(&operations[1], sequence, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE,
                       numbered, sizeof numbered);
    zoo_set_op_init(&operations[2], node, "2", 1, 0, &before);
    zoo_check_op_init(&operations[3], node, 1);
    zoo_create_op_init(&operations[4], other, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, third, sizeof third);
    zoo_delete_op_init(&operations[5], other, 0);
    must(zoo_multi(zh, ALL, operations, results));
    check(strcmp(path, node) == 0 && strcmp(numbered, join(sequence, "0000000001")) == 0 &&
          before.version == 1, "the results are %s, %s, %d", path, numbered, before.version);
    check(strcmp(text_of(zh, node, &before), "2") == 0, "it was not done");

    memset(results, 0, sizeof results);
    zoo_set_op_init(&operations[0], node, "3", 1, 1, &after);
    zoo_create_op_init(&operations[1], other, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, third, sizeof third);
    zoo_check_op_init(&operations[2], node, 1);
    zoo_delete_op_init(&operations[3], world.root, -1);
    expect(ZBADVERSION, zoo_multi(zh, PART, operations, results));
    check(results[0].err == ZOK && results[1].err == ZOK && results[2].err == ZBADVERSION &&
          results[3].err == ZRUNTIMEINCONSISTENCY, "the results are %d %d %d %d", results[0].err,
          results[1].err, results[2].err, results[3].err);
    text_of(zh, node, &after);
    check(same_stat(&before, &after), "something was done");
    expect(ZNONODE, zoo_exists(zh, other, 0, NULL));
    zookeeper_close(zh);
}
