// Scenarios of sessions: expiry, killed servers, and reading across servers.
package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Connections that can be cut, and that are refused from then on until they are allowed again.
type cable struct {
	mutex sync.Mutex
	cut   bool
	links []net.Conn
}

func (c *cable) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.cut {
		return nil, errors.New("cut off")
	}
	link, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		c.links = append(c.links, link)
	}
	return link, err
}

func (c *cable) set(cut bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.cut = cut
	for _, link := range c.links {
		link.Close()
	}
	c.links = nil
}

func sessionExpiry(w *world) {
	other := w.rooted()
	line := &cable{}
	conn := w.clientOf(w.servers, time.Second, line.dial)
	session := conn.SessionID()
	node := w.root + "/ephemeral"
	_, err := conn.Create(node, nil, zk.FlagEphemeral, open)
	must(err)
	_, _, watched, err := conn.GetW(w.root)
	must(err)
	line.set(true)
	eventually("the end of its ephemeral", func() bool { return !existsFor(other, node) })
	line.set(false)
	select {
	case event := <-watched:
		check(event.Err == zk.ErrSessionExpired, "the watch tells %+v", event)
	case <-time.After(waitTime):
		check(false, "the client was not told")
	}
	eventually("a new session", func() bool { return conn.State() == zk.StateHasSession })
	check(conn.SessionID() != session, "the session is the old one")
}

func failover(w *world) {
	other, conn := w.rooted(), w.client()
	session := conn.SessionID()
	ephemeral, node := w.root+"/ephemeral", w.root+"/node"
	_, err := conn.Create(ephemeral, nil, zk.FlagEphemeral, open)
	must(err)
	_, err = conn.Create(node, nil, zk.FlagPersistent, open)
	must(err)
	_, _, changed, err := conn.GetW(node)
	must(err)
	_, _, listed, err := conn.ChildrenW(w.root)
	must(err)

	killed := conn.Server()
	w.kill(killed)
	var stat *zk.Stat
	retried("reading elsewhere", func() error {
		_, stat, err = conn.Get(ephemeral)
		return err
	})
	check(len(w.servers) == 1 || conn.Server() != killed, "it reads from %s, which is dead", killed)
	check(conn.SessionID() == session && stat.EphemeralOwner == session, "it has another session")
	retried("writing", func() error {
		_, err := other.Set(node, []byte("after"), -1)
		return err
	})
	fires(changed, zk.EventNodeDataChanged, node)
	retried("creating", func() error {
		_, err := other.Create(w.root+"/child", nil, zk.FlagPersistent, open)
		if err == zk.ErrNodeExists {
			return nil
		}
		return err
	})
	fires(listed, zk.EventNodeChildrenChanged, w.root)
	w.restore()
}

// Repeats what fails for want of a connection.
func retried(what string, do func() error) {
	eventually(what, func() bool {
		err := do()
		lost := err == zk.ErrConnectionClosed || err == zk.ErrNoServer
		check(err == nil || lost, "%s: %v", what, err)
		return err == nil
	})
}

func leaderKilled(w *world) {
	const each = 50
	w.rooted()
	conn := w.client()
	var acknowledged int32
	stop := make(chan struct{})
	stopped := make(chan string, 1)
	go func() {
		stopped <- attempt(func(*world) { writeUntil(conn, w.root, &acknowledged, stop) }, w)
	}()
	reach := func(count int32) {
		eventually(fmt.Sprintf("%d writes", count),
			func() bool { return atomic.LoadInt32(&acknowledged) >= count || len(stopped) > 0 })
	}
	reach(each)
	w.kill(w.ask("leader")[0])
	reach(atomic.LoadInt32(&acknowledged) + each)
	close(stop)
	reason := <-stopped
	check(reason == "", "the writer: %s", reason)
	w.restore()
	for _, server := range w.servers {
		reader := w.clientOf([]string{server}, sessionTime)
		_, err := reader.Sync(w.root)
		must(err)
		names, _, err := reader.Children(w.root)
		must(err)
		there := map[string]bool{}
		for _, name := range names {
			there[name] = true
		}
		for number := int32(0); number < acknowledged; number++ {
			check(there[writeName(number)], "%s was acknowledged, and %s has it not",
				writeName(number), server)
		}
	}
}

func writeName(number int32) string { return fmt.Sprintf("write-%06d", number) }

func writeUntil(conn *zk.Conn, root string, acknowledged *int32, stop <-chan struct{}) {
	for number := int32(0); ; number++ {
		select {
		case <-stop:
			return
		default:
		}
		retried("a write", func() error {
			_, err := conn.Create(root+"/"+writeName(number), nil, zk.FlagPersistent, open)
			if err == zk.ErrNodeExists {
				// An earlier attempt was done, and its reply lost.
				return nil
			}
			return err
		})
		atomic.StoreInt32(acknowledged, number+1)
	}
}

// The reader is on a follower, if there is one: a leader of Apache ZooKeeper's answers the sync of
// its own clients without waiting for what it has committed and not yet applied.
func syncRead(w *world) {
	w.rooted()
	leader := w.ask("leader")[0]
	follower := leader
	for _, server := range w.servers {
		if server != leader {
			follower = server
		}
	}
	writer := w.clientOf([]string{leader}, sessionTime)
	reader := w.clientOf([]string{follower}, sessionTime)
	_, err := reader.Sync(w.root)
	must(err)
	rounds := 200
	if w.quick {
		rounds = 50
	}
	for round := 1; round <= rounds; round++ {
		text := fmt.Sprint(round)
		_, err := writer.Set(w.root, []byte(text), int32(round-1))
		must(err)
		own, _, err := writer.Get(w.root)
		must(err)
		check(string(own) == text, "its own write %s is read as %s", text, own)
		_, err = reader.Sync(w.root)
		must(err)
		read, stat, err := reader.Get(w.root)
		must(err)
		check(string(read) == text && int(stat.Version) == round,
			"%s is read as %s after sync", text, read)
	}
}
