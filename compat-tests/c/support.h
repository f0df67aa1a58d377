/* What scenarios share: demands, clients, watches, waiting, and the control port of the harness.
 *
 * A scenario is a process of its own: a demand that is not met prints why and ends it. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <zookeeper/zookeeper.h>

enum {
    PATH_SIZE = 512,
    SESSION_MS = 20000,
    WAIT_MS = 30000,
    /* A request with more bytes is refused: the default of jute.maxbuffer. */
    MAX_REQUEST = 0xfffff,
};

/* What the command line and the harness say. */
struct world {
    char connect[1024];
    char root[PATH_SIZE];
    bool quick;
};
extern struct world world;

/* The events of one watch or of one session, in the order in which they came. */
struct events {
    pthread_mutex_t mutex;
    int count;
    struct { int type; char path[PATH_SIZE]; } seen[16];
};
#define NO_EVENTS {.mutex = PTHREAD_MUTEX_INITIALIZER}

/* Ends the scenario as failed. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define check(condition, ...) do { if (!(condition)) fail(__VA_ARGS__); } while (0)
/* Demands the result of a call. */
#define expect(rc, call) do { \
        int expect_rc = (call); \
        if (expect_rc != (rc)) \
            fail("%s:%d: %s: %s instead of: %s", __FILE__, __LINE__, #call, zerror(expect_rc), \
                 zerror(rc)); \
    } while (0)
#define must(call) expect(ZOK, call)
/* Waits until the condition holds: the order of events is the server's, the delay is not. */
#define eventually(condition) do { \
        long eventually_end = now_ms() + WAIT_MS; \
        while (!(condition)) { \
            check(now_ms() < eventually_end, "%s:%d: never happened: %s", __FILE__, __LINE__, \
                  #condition); \
            sleep_ms(10); \
        } \
    } while (0)

long now_ms(void);
void sleep_ms(int ms);

/* Joins two texts; the result lives as long as the process. */
const char *join(const char *left, const char *right);

/* A client with a session. */
zhandle_t *client(void);
zhandle_t *client_of(const char *servers, int timeout_ms, const clientid_t *id);
/* A client, and the path of this scenario, which exists. */
zhandle_t *rooted(void);
/* Whether the client has a session and a connection. */
bool connected(zhandle_t *zh);
/* The server that the client is connected to, as HOST:PORT. */
const char *server_of(zhandle_t *zh);
/* The address at this place of the connection string. */
const char *server_at(int place);
int server_count(void);

int create(zhandle_t *zh, const char *path, const char *data, int mode);
void set_text(zhandle_t *zh, const char *path, const char *text);
/* The data of a znode as text; it lives as long as the process. */
const char *text_of(zhandle_t *zh, const char *path, struct Stat *stat);
bool same_stat(const struct Stat *left, const struct Stat *right);
/* Waits until the client's server has all that is decided. */
int sync_path(zhandle_t *zh, const char *path);
/* Whether a znode is there, for a client that has caught up. */
bool exists(zhandle_t *zh, const char *path);
/* Removes a znode and what is below it. */
int remove_tree(zhandle_t *zh, const char *path);

/* A watcher; its context is `struct events`. Events of the session are left out. */
void note_event(zhandle_t *zh, int type, int state, const char *path, void *context);
int event_count(struct events *events);
/* Waits for an event, which must be the only one. */
void fired_once(struct events *events, int type, const char *path);

/* Asks the harness; the words behind `ok`. */
const char *ask(const char *question);
/* Kills a server. If there is no other one it comes back at once. */
void kill_server(const char *address);

#endif
