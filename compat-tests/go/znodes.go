// Scenarios of znodes: creating, reading, writing, listing, and names and data of all kinds.
package main

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

func connectAndClose(w *world) {
	conn := w.rooted()
	data, stat, err := conn.Get("/zookeeper")
	must(err)
	check(len(data) == 0 && stat.NumChildren > 0, "/zookeeper: %q, %+v", data, stat)
	node := w.root + "/ephemeral"
	_, err = conn.Create(node, nil, zk.FlagEphemeral, open)
	must(err)
	other := w.client()
	check(existsFor(other, node), "another client does not see the ephemeral")
	conn.Close()
	check(!existsFor(other, node), "the ephemeral is there after its session was closed")
}

// Whether a znode is there, for a client that has caught up.
func existsFor(conn *zk.Conn, path string) bool {
	_, err := conn.Sync(path)
	must(err)
	found, _, err := conn.Exists(path)
	must(err)
	return found
}

func createModes(w *world) {
	conn := w.rooted()
	create := func(name string, flags int32) string {
		path, err := conn.Create(w.root+"/"+name, []byte(name), flags, open)
		must(err)
		return path
	}
	check(create("plain", zk.FlagPersistent) == w.root+"/plain", "the path of a persistent node")
	for number := 0; number < 3; number++ {
		expected := fmt.Sprintf("%s/s-%010d", w.root, number+1)
		path := create("s-", zk.FlagSequence)
		check(path == expected, "%s instead of %s", path, expected)
	}
	mortal := []string{create("e", zk.FlagEphemeral), create("es-", zk.FlagEphemeralSequential)}
	check(mortal[1] == w.root+"/es-0000000005", "the number of an ephemeral: %s", mortal[1])
	for _, path := range mortal {
		_, stat, err := conn.Get(path)
		must(err)
		check(stat.EphemeralOwner == conn.SessionID(), "%s is owned by %x", path, stat.EphemeralOwner)
	}
	_, err := conn.Create(mortal[0]+"/child", nil, zk.FlagPersistent, open)
	refused(err, zk.ErrNoChildrenForEphemerals)

	container, err := conn.CreateContainer(w.root+"/container", nil, zk.FlagContainer, open)
	must(err)
	_, err = conn.Create(container+"/child", nil, zk.FlagPersistent, open)
	must(err)
	must(conn.Delete(container+"/child", -1))
	outlived, err := conn.CreateTTL(w.root+"/ttl", nil, zk.FlagTTL, open, 200*time.Millisecond)
	must(err)
	numbered, err := conn.CreateTTL(w.root+"/ttl-", nil, zk.FlagPersistentSequentialWithTTL, open,
		200*time.Millisecond)
	must(err)
	check(strings.HasPrefix(numbered, w.root+"/ttl-00000000"), "the path is %s", numbered)
	conn.Close()

	other := w.client()
	for _, path := range append(mortal, container, outlived, numbered) {
		path := path
		eventually("the end of "+path, func() bool { return !existsFor(other, path) })
	}
	check(existsFor(other, w.root+"/plain"), "a persistent node has ended")
}

func readWrite(w *world) {
	conn := w.rooted()
	node := w.root + "/node"
	_, err := conn.Create(node, []byte("one"), zk.FlagPersistent, open)
	must(err)
	data, first, err := conn.Get(node)
	must(err)
	check(string(data) == "one", "read %q", data)
	check(first.Czxid == first.Mzxid && first.Czxid == first.Pzxid && first.Ctime == first.Mtime &&
		first.Version == 0 && first.DataLength == 3 && first.EphemeralOwner == 0,
		"a new node has %+v", first)
	second, err := conn.Set(node, []byte("second"), 0)
	must(err)
	check(second.Mzxid > first.Mzxid && second.Czxid == first.Czxid && second.Version == 1 &&
		second.DataLength == 6 && second.Mtime >= first.Mtime, "after a write: %+v", second)
	_, err = conn.Set(node, []byte("third"), 0)
	refused(err, zk.ErrBadVersion)
	_, err = conn.Set(node, nil, -1)
	must(err)
	data, stat, err := conn.Get(node)
	must(err)
	check(len(data) == 0 && stat.Version == 2, "read %q, %+v", data, stat)

	_, _, err = conn.Get(w.root + "/missing")
	refused(err, zk.ErrNoNode)
	_, err = conn.Set(w.root+"/missing", nil, -1)
	refused(err, zk.ErrNoNode)
	_, err = conn.Create(w.root+"/missing/child", nil, zk.FlagPersistent, open)
	refused(err, zk.ErrNoNode)
	_, err = conn.Create(node, nil, zk.FlagPersistent, open)
	refused(err, zk.ErrNodeExists)
	_, err = conn.Create(node+"/child", nil, zk.FlagPersistent, open)
	must(err)
	refused(conn.Delete(node, -1), zk.ErrNotEmpty)
	must(conn.Delete(node+"/child", -1))
	refused(conn.Delete(node, 1), zk.ErrBadVersion)
	must(conn.Delete(node, 2))
	refused(conn.Delete(node, -1), zk.ErrNoNode)
}

func children(w *world) {
	conn := w.rooted()
	var expected []string
	for number := 0; number < 10; number++ {
		name := fmt.Sprintf("child-%d", number)
		expected = append(expected, name)
		_, err := conn.Create(w.root+"/"+name, nil, zk.FlagPersistent, open)
		must(err)
	}
	names, stat, err := conn.Children(w.root)
	must(err)
	sort.Strings(names)
	check(strings.Join(names, " ") == strings.Join(expected, " "), "listed %v", names)
	check(stat.NumChildren == 10 && stat.Cversion == 10, "ten children: %+v", stat)
	must(conn.Delete(w.root+"/child-3", -1))
	found, stat, err := conn.Exists(w.root)
	must(err)
	check(found && stat.NumChildren == 9 && stat.Cversion == 11 && stat.Pzxid > stat.Mzxid,
		"nine children: %+v", stat)
	_, _, err = conn.Children(w.root + "/child-3")
	refused(err, zk.ErrNoNode)
	names, _, err = conn.Children(w.root + "/child-4")
	must(err)
	check(len(names) == 0, "children of a leaf: %v", names)
}

func unicode(w *world) {
	conn := w.rooted()
	names := []string{"Ζάβρα", "зебра", "斑馬", "حمار وحشي", "e\u0301", "\u00e9",
		"with space", "~!@#$%^&*()"}
	for _, name := range names {
		data := []byte(name + " 🦓 \x00\xff")
		_, err := conn.Create(w.root+"/"+name, data, zk.FlagPersistent, open)
		must(err)
		read, _, err := conn.Get(w.root + "/" + name)
		must(err)
		check(bytes.Equal(read, data), "%s has %q", name, read)
	}
	listed, _, err := conn.Children(w.root)
	must(err)
	sort.Strings(listed)
	sort.Strings(names)
	check(strings.Join(listed, "/") == strings.Join(names, "/"), "listed %q", listed)
}

// A request with more bytes than this is refused: the default of jute.maxbuffer.
const maxRequest = 0xfffff

// A value with which the request that writes it to the path has so many bytes.
func valueFor(path string, request int) []byte {
	// xid, type, and the lengths and the version: five numbers of four bytes.
	return bytes.Repeat([]byte{'v'}, request-5*4-len(path))
}

func largeValues(w *world) {
	conn := w.rooted()
	largest := valueFor(w.root, maxRequest)
	for _, value := range [][]byte{largest[:1000], largest[:500000], largest} {
		_, err := conn.Set(w.root, value, -1)
		must(err)
		read, stat, err := conn.Get(w.root)
		must(err)
		check(bytes.Equal(read, value) && int(stat.DataLength) == len(value),
			"%d bytes were read, %d written", len(read), len(value))
	}
	session := conn.SessionID()
	_, err := conn.Set(w.root, valueFor(w.root, maxRequest+1), -1)
	refused(err, zk.ErrConnectionClosed)
	var stat *zk.Stat
	eventually("reading after a refused request", func() bool {
		_, stat, err = conn.Exists(w.root)
		return err == nil
	})
	check(stat.Version == 3, "what was refused was written: %+v", stat)
	check(conn.SessionID() == session, "the session was lost")
}

// Does something for each number below the count, many at a time, and returns the first error.
func pipelined(count int, do func(number int) error) error {
	const workers = 64
	var group sync.WaitGroup
	failures := make(chan error, workers)
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			for ; number < count; number += workers {
				if err := do(number); err != nil {
					failures <- err
					return
				}
			}
		}(worker)
	}
	group.Wait()
	close(failures)
	return <-failures
}

func ephemerals1000(w *world) {
	const count = 1000
	other := w.rooted()
	conn := w.client()
	must(pipelined(count, func(number int) error {
		_, err := conn.Create(fmt.Sprintf("%s/e-%d", w.root, number), nil, zk.FlagEphemeral, open)
		return err
	}))
	_, err := other.Sync(w.root)
	must(err)
	names, _, err := other.Children(w.root)
	must(err)
	check(len(names) == count, "%d ephemerals", len(names))
	conn.Close()
	_, err = other.Sync(w.root)
	must(err)
	_, stat, err := other.Exists(w.root)
	must(err)
	check(stat.NumChildren == 0, "%d ephemerals outlived their session", stat.NumChildren)
}

func children10000(w *world) {
	const count = 10000
	conn := w.rooted()
	must(pipelined(count, func(number int) error {
		_, err := conn.Create(fmt.Sprintf("%s/child-%05d", w.root, number), nil, zk.FlagPersistent, open)
		return err
	}))
	names, stat, err := conn.Children(w.root)
	must(err)
	check(len(names) == count && stat.NumChildren == count, "%d children", len(names))
	sort.Strings(names)
	for number, name := range names {
		check(name == fmt.Sprintf("child-%05d", number), "%s at %d", name, number)
	}
}
