/* Runs the scenarios with libzookeeper-mt against running servers. Started by `run`.
 *
 * It knows the order of the scenarios and how results are printed. Every scenario, and what clears
 * up after it, is a process of its own: it may end anywhere, and its threads with it. */
#include "scenarios.h"
#include "support.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENARIO_MS = 90000, REASON_SIZE = 8192 };

/* One without a function is beyond the API of this client; `lacks` says why. */
static const struct scenario {
    const char *name;
    void (*run)(void);
    const char *lacks;
} scenarios[] = {
    {"connect", connect_and_close, NULL},
    {"create_modes", create_modes, NULL},
    {"read_write", read_write, NULL},
    {"children", children, NULL},
    {"acl_auth", acl_auth, NULL},
    {"multi", multi, NULL},
    {"watch_once", watch_once, NULL},
    {"watch_persistent", NULL, "libzookeeper-mt has no addWatch"},
    {"watch_recursive", NULL, "libzookeeper-mt has no addWatch"},
    {"session_expiry", session_expiry, NULL},
    {"failover", failover, NULL},
    {"leader_killed", leader_killed, NULL},
    {"chroot", chroot_client, NULL},
    {"large_values", large_values, NULL},
    {"ephemerals_1000", ephemerals_1000, NULL},
    {"unicode", unicode, NULL},
    {"children_10000", children_10000, NULL},
    {"lock_killed_holder", lock_killed_holder, NULL},
    {"election_killed_holder", election_killed_holder, NULL},
    {"sync_read", sync_read, NULL},
    {"async_order", async_order, NULL},
    {"remove_watches", remove_watches, NULL},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* Clears up: starts what the scenario killed, and removes its znodes. */
static void clear_up(void) {
    if (getenv("ZABRA_COMPAT_CONTROL"))
        ask("restore");
    zhandle_t *zh = client();
    eventually(remove_tree(zh, world.root) == ZOK);
    zookeeper_close(zh);
}

/* Reads what the process says until it ends or its time is over; whether it ended in time. */
static bool listen_to(int from, char *reason) {
    long end = now_ms() + SCENARIO_MS;
    size_t length = 0;
    for (long left; (left = end - now_ms()) > 0;) {
        struct pollfd readable = {.fd = from, .events = POLLIN};
        if (poll(&readable, 1, (int)left) <= 0)
            continue;
        char piece[512];
        ssize_t count = read(from, piece, sizeof piece);
        if (count <= 0)
            return true;
        if (length + count < REASON_SIZE) {
            memcpy(reason + length, piece, count);
            length += count;
        }
    }
    return false;
}

/* Runs the function as a process. Whether it went well; if not the reason is written. */
static bool attempt(void (*run)(void), char *reason) {
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    pid_t child = fork();
    check(child >= 0, "no process");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        run();
        fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    memset(reason, 0, REASON_SIZE);
    bool in_time = listen_to(ends[0], reason);
    close(ends[0]);
    if (!in_time)
        kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (!in_time)
        snprintf(reason, REASON_SIZE, "took more than %d seconds", SCENARIO_MS / 1000);
    else if (WIFSIGNALED(status))
        snprintf(reason, REASON_SIZE, "ended by signal %d", WTERMSIG(status));
    return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs one scenario and prints its line; whether it did not fail. */
static bool report(const struct scenario *one) {
    if (!one->run) {
        printf("none %s: %s\n", one->name, one->lacks);
        fflush(stdout);
        return true;
    }
    char reason[REASON_SIZE], left[REASON_SIZE];
    snprintf(world.root, sizeof world.root, "/compat-c-%s-%d-%ld", one->name, getpid(), now_ms());
    bool good = attempt(one->run, reason);
    if (!attempt(clear_up, left)) {
        snprintf(reason + strlen(reason), REASON_SIZE - strlen(reason), "%sclearing up: %.1000s",
                 good ? "" : "; ", left);
        good = false;
    }
    if (good) {
        printf("ok %s\n", one->name);
    } else {
        printf("FAIL %s: ", one->name);
        for (const char *at = reason; *at; at++)
            printf(*at == '\n' ? "\n    " : "%c", *at);
        printf("\n");
    }
    fflush(stdout);
    return good;
}

int main(int count, char **words) {
    const char *only = "", *connect = NULL;
    bool list = false;
    for (int at = 1; at < count; at++) {
        if (strcmp(words[at], "--only") == 0 && at + 1 < count)
            only = words[++at];
        else if (strcmp(words[at], "--quick") == 0)
            world.quick = true;
        else if (strcmp(words[at], "--list") == 0)
            list = true;
        else
            connect = words[at];
    }
    if (!list && !connect) {
        fprintf(stderr, "usage: run [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]\n");
        return 2;
    }
    snprintf(world.connect, sizeof world.connect, "%s", connect ? connect : "");
    // Scenarios break connections on purpose; what the client says about that is no result.
    zoo_set_log_stream(fopen("/dev/null", "w"));
    if (getenv("COMPAT_HOLD")) {
        hold(getenv("COMPAT_HOLD"));
        return 1;
    }
    bool good = true;
    for (int at = 0; at < SCENARIOS; at++) {
        if (!strstr(scenarios[at].name, only))
            continue;
        if (list)
            printf("%s\n", scenarios[at].name);
        else
            good = report(&scenarios[at]) && good;
    }
    return good ? 0 : 1;
}
