/* The scenarios, by the files they are in. Each is the life of a process. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

/* znodes.c */
void connect_and_close(void);
void create_modes(void);
void read_write(void);
void children(void);
void chroot_client(void);
void large_values(void);
void unicode(void);

/* many.c: the asynchronous API */
void ephemerals_1000(void);
void children_10000(void);
void async_order(void);

/* access.c */
void acl_auth(void);
void multi(void);

/* watches.c */
void watch_once(void);
void remove_watches(void);

/* sessions.c */
void session_expiry(void);
void failover(void);
void leader_killed(void);
void sync_read(void);

/* recipes.c */
void lock_killed_holder(void);
void election_killed_holder(void);
/* The life of the holder that is killed: takes the office at this path, and keeps it. */
void hold(const char *path);

#endif
