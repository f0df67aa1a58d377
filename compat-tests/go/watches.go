// The scenario of watches that fire once.
package main

import (
	"github.com/go-zookeeper/zk"
	"time"
)

// Waits for the event of a watch, which is the only one.
func fires(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-events:
		check(event.Type == kind && event.Path == path, "%v of %s instead of %v of %s",
			event.Type, event.Path, kind, path)
	case <-time.After(waitTime):
		check(false, "no event %v of %s", kind, path)
	}
	_, more := <-events
	check(!more, "a watch of %s fired twice", path)
}

func watchOnce(w *world) {
	conn, writer := w.rooted(), w.client()
	node := w.root + "/node"
	found, _, created, err := conn.ExistsW(node)
	must(err)
	check(!found, "%s is there", node)
	_, _, listed, err := conn.ChildrenW(w.root)
	must(err)
	_, err = writer.Create(node, nil, zk.FlagPersistent, open)
	must(err)
	fires(created, zk.EventNodeCreated, node)
	fires(listed, zk.EventNodeChildrenChanged, w.root)

	_, _, changed, err := conn.GetW(node)
	must(err)
	_, err = writer.Set(node, []byte("1"), -1)
	must(err)
	fires(changed, zk.EventNodeDataChanged, node)
	// Nothing is left that could fire: a reply arrives behind every event before it.
	_, err = writer.Set(node, []byte("2"), -1)
	must(err)
	_, err = conn.Sync(node)
	must(err)
	data, _, deleted, err := conn.GetW(node)
	must(err)
	check(string(data) == "2", "read %q after sync", data)
	_, _, emptied, err := conn.ChildrenW(node)
	must(err)
	must(writer.Delete(node, -1))
	fires(deleted, zk.EventNodeDeleted, node)
	fires(emptied, zk.EventNodeDeleted, node)
}
