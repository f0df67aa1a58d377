/* What scenarios share. See support.h. */
#include "support.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct world world;

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
    _exit(1);
}

long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

const char *join(const char *left, const char *right) {
    char *joined = NULL;
    check(asprintf(&joined, "%s%s", left, right) >= 0, "no memory");
    return joined;
}

bool connected(zhandle_t *zh) {
    return zoo_state(zh) == ZOO_CONNECTED_STATE;
}

zhandle_t *client_of(const char *servers, int timeout_ms, const clientid_t *id) {
    zhandle_t *zh = zookeeper_init(servers, NULL, timeout_ms, id, NULL, ZOO_NO_LOG_CLIENTENV);
    check(zh != NULL, "zookeeper_init(%s) made no handle", servers);
    eventually(connected(zh));
    return zh;
}

zhandle_t *client(void) {
    return client_of(world.connect, SESSION_MS, NULL);
}

zhandle_t *rooted(void) {
    zhandle_t *zh = client();
    must(create(zh, world.root, "", ZOO_PERSISTENT));
    return zh;
}

const char *server_of(zhandle_t *zh) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    check(zookeeper_get_connected_host(zh, (struct sockaddr *)&address, &length) != NULL,
          "the client does not know its server");
    check(getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0, "the server's address is no address");
    return join(join(host, ":"), port);
}

int server_count(void) {
    int count = 1;
    for (const char *at = world.connect; *at; at++)
        count += *at == ',';
    return count;
}

const char *server_at(int place) {
    char *copy = strdup(world.connect), *rest = copy, *found = NULL;
    for (int at = 0; at <= place; at++)
        found = strsep(&rest, ",");
    return found;
}

int create(zhandle_t *zh, const char *path, const char *data, int mode) {
    return zoo_create(zh, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
}

void set_text(zhandle_t *zh, const char *path, const char *text) {
    must(zoo_set(zh, path, text, (int)strlen(text), -1));
}

const char *text_of(zhandle_t *zh, const char *path, struct Stat *stat) {
    char *buffer = malloc(4096);
    int length = 4095;
    must(zoo_get(zh, path, 0, buffer, &length, stat));
    // A znode without data has the length -1.
    buffer[length < 0 ? 0 : length] = 0;
    return buffer;
}

bool same_stat(const struct Stat *left, const struct Stat *right) {
    return left->czxid == right->czxid && left->mzxid == right->mzxid &&
           left->ctime == right->ctime && left->mtime == right->mtime &&
           left->version == right->version && left->cversion == right->cversion &&
           left->aversion == right->aversion && left->ephemeralOwner == right->ephemeralOwner &&
           left->dataLength == right->dataLength && left->numChildren == right->numChildren &&
           left->pzxid == right->pzxid;
}

// A reply that somebody waits for.
struct reply {
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    bool done;
    int rc;
};

static void sync_done(int rc, const char *value, const void *data) {
    struct reply *reply = (struct reply *)data;
    (void)value;
    pthread_mutex_lock(&reply->mutex);
    reply->done = true;
    reply->rc = rc;
    pthread_cond_signal(&reply->arrived);
    pthread_mutex_unlock(&reply->mutex);
}

int sync_path(zhandle_t *zh, const char *path) {
    struct reply reply = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    int rc = zoo_async(zh, path, sync_done, &reply);
    if (rc != ZOK)
        return rc;
    pthread_mutex_lock(&reply.mutex);
    while (!reply.done)
        pthread_cond_wait(&reply.arrived, &reply.mutex);
    pthread_mutex_unlock(&reply.mutex);
    return reply.rc;
}

bool exists(zhandle_t *zh, const char *path) {
    must(sync_path(zh, path));
    int rc = zoo_exists(zh, path, 0, NULL);
    check(rc == ZOK || rc == ZNONODE, "exists %s: %s", path, zerror(rc));
    return rc == ZOK;
}

// Removes leaves in transactions; anything else makes the transaction fail.
static int remove_leaves(zhandle_t *zh, const char *path, char **names, int count) {
    zoo_op_t operations[count];
    zoo_op_result_t results[count];
    char *paths[count];
    memset(results, 0, sizeof results);
    for (int at = 0; at < count; at++) {
        check(asprintf(&paths[at], "%s/%s", path, names[at]) >= 0, "no memory");
        zoo_delete_op_init(&operations[at], paths[at], -1);
    }
    int rc = zoo_multi(zh, count, operations, results);
    for (int at = 0; at < count; at++)
        free(paths[at]);
    return rc;
}

int remove_tree(zhandle_t *zh, const char *path) {
    enum { BATCH = 500 };
    struct String_vector names;
    int rc = zoo_get_children(zh, path, 0, &names);
    if (rc != ZOK)
        return rc == ZNONODE ? ZOK : rc;
    for (int from = 0; from < names.count && rc == ZOK; from += BATCH) {
        int count = names.count - from < BATCH ? names.count - from : BATCH;
        rc = remove_leaves(zh, path, names.data + from, count);
        if (rc == ZNOTEMPTY || rc == ZNONODE) {
            rc = ZOK;
            for (int at = from; at < from + count && rc == ZOK; at++)
                rc = remove_tree(zh, join(join(path, "/"), names.data[at]));
        }
    }
    deallocate_String_vector(&names);
    if (rc == ZOK)
        rc = zoo_delete(zh, path, -1);
    return rc == ZNONODE ? ZOK : rc;
}

void note_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    struct events *events = context;
    (void)zh;
    (void)state;
    if (type == ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&events->mutex);
    if (events->count < (int)(sizeof events->seen / sizeof events->seen[0])) {
        events->seen[events->count].type = type;
        snprintf(events->seen[events->count].path, PATH_SIZE, "%s", path);
    }
    events->count++;
    pthread_mutex_unlock(&events->mutex);
}

int event_count(struct events *events) {
    pthread_mutex_lock(&events->mutex);
    int count = events->count;
    pthread_mutex_unlock(&events->mutex);
    return count;
}

void fired_once(struct events *events, int type, const char *path) {
    eventually(event_count(events) > 0);
    check(event_count(events) == 1, "%d events of %s instead of one", event_count(events), path);
    check(events->seen[0].type == type && strcmp(events->seen[0].path, path) == 0,
          "event %d of %s instead of %d of %s", events->seen[0].type, events->seen[0].path, type,
          path);
}

const char *ask(const char *question) {
    const char *control = getenv("ZABRA_COMPAT_CONTROL");
    check(control != NULL, "ZABRA_COMPAT_CONTROL is not set: there is nobody to ask for `%s`",
          question);
    char *host = strdup(control), *port = strrchr(host, ':');
    check(port != NULL, "ZABRA_COMPAT_CONTROL is no address: %s", control);
    *port++ = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    check(getaddrinfo(host, port, &hints, &found) == 0, "%s is no address", control);
    int link = socket(found->ai_family, found->ai_socktype, 0);
    check(link >= 0 && connect(link, found->ai_addr, found->ai_addrlen) == 0,
          "the harness does not listen at %s", control);
    freeaddrinfo(found);
    FILE *stream = fdopen(link, "r+");
    check(stream != NULL, "no stream");
    fprintf(stream, "%s\n", question);
    fflush(stream);
    char *answer = calloc(1, 1024);
    check(fgets(answer, 1024, stream) != NULL, "%s: no answer", question);
    fclose(stream);
    answer[strcspn(answer, "\n")] = 0;
    check(strncmp(answer, "ok", 2) == 0, "%s: %s", question, answer);
    return answer[2] ? answer + 3 : answer + 2;
}

void kill_server(const char *address) {
    ask(join("kill ", address));
    if (server_count() == 1)
        ask("restore");
}
