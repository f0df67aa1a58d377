/* Scenarios of watches that fire once, and of their removal. */
#include "scenarios.h"
#include "support.h"

#include <string.h>

void watch_once(void) {
    zhandle_t *zh = rooted(), *writer = client();
    const char *node = join(world.root, "/node");
    struct events created = NO_EVENTS, listed = NO_EVENTS, changed = NO_EVENTS,
                  deleted = NO_EVENTS, emptied = NO_EVENTS;
    struct String_vector names;
    char buffer[16];
    int length = sizeof buffer;
    expect(ZNONODE, zoo_wexists(zh, node, note_event, &created, NULL));
    must(zoo_wget_children(zh, world.root, note_event, &listed, &names));
    must(create(writer, node, "", ZOO_PERSISTENT));
    fired_once(&created, ZOO_CREATED_EVENT, node);
    fired_once(&listed, ZOO_CHILD_EVENT, world.root);

    must(zoo_wget(zh, node, note_event, &changed, buffer, &length, NULL));
    set_text(writer, node, "1");
    fired_once(&changed, ZOO_CHANGED_EVENT, node);
    set_text(writer, node, "2");
    // Behind this reply nothing is on its way that could have been told of the second write.
    must(sync_path(zh, node));
    fired_once(&changed, ZOO_CHANGED_EVENT, node);

    length = sizeof buffer;
    must(zoo_wget(zh, node, note_event, &deleted, buffer, &length, NULL));
    must(zoo_wget_children(zh, node, note_event, &emptied, &names));
    must(zoo_delete(writer, node, -1));
    fired_once(&deleted, ZOO_DELETED_EVENT, node);
    fired_once(&emptied, ZOO_DELETED_EVENT, node);
    zookeeper_close(writer);
    zookeeper_close(zh);
}

void remove_watches(void) {
    zhandle_t *zh = rooted();
    struct events data = NO_EVENTS, listed = NO_EVENTS;
    struct String_vector names;
    must(zoo_wexists(zh, world.root, note_event, &data, NULL));
    must(zoo_wget_children(zh, world.root, note_event, &listed, &names));
    must(zoo_remove_watches(zh, world.root, ZWATCHTYPE_DATA, note_event, &data, 0));
    expect(ZNOWATCHER, zoo_remove_watches(zh, world.root, ZWATCHTYPE_DATA, note_event, &data, 0));
    set_text(zh, world.root, "x");
    must(create(zh, join(world.root, "/child"), "", ZOO_PERSISTENT));
    fired_once(&listed, ZOO_CHILD_EVENT, world.root);
    check(event_count(&data) == 0, "a removed watch has fired");
    zookeeper_close(zh);
}
