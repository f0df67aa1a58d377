// What scenarios share: clients, a path of their own, waiting, and the control port of the harness.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	sessionTime = 20 * time.Second
	waitTime    = 30 * time.Second
)

var open = zk.WorldACL(zk.PermAll)

type world struct {
	servers []string
	quick   bool
	root    string
	conns   []*zk.Conn
	// Whether a server may be down that was not started again.
	broken bool
	// What else has to end after the scenario.
	after []func()
}

func newWorld(connect, name string, quick bool) *world {
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	return &world{
		servers: strings.Split(connect, ","),
		quick:   quick,
		root:    fmt.Sprintf("/compat-go-%s-%08x", name, random.Uint32()),
	}
}

// Ends the scenario if the condition does not hold.
func check(condition bool, format string, arguments ...interface{}) {
	if !condition {
		panic(failure{fmt.Sprintf(format, arguments...)})
	}
}

func must(err error) {
	if err != nil {
		panic(failure{err.Error()})
	}
}

// Demands exactly this error.
func refused(err, expected error) {
	check(err == expected, "%v instead of: %v", err, expected)
}

// Waits until the condition holds: the order of events is the server's, the delay is not.
func eventually(what string, condition func() bool) {
	deadline := time.Now().Add(waitTime)
	for !condition() {
		check(time.Now().Before(deadline), "never happened: %s", what)
		time.Sleep(10 * time.Millisecond)
	}
}

// A client of all servers with a session.
func (w *world) client() *zk.Conn {
	return w.clientOf(w.servers, sessionTime)
}

func (w *world) clientOf(servers []string, timeout time.Duration, dial ...zk.Dialer) *zk.Conn {
	conn, err := connect(servers, timeout, dial...)
	must(err)
	w.conns = append(w.conns, conn)
	eventually("a session", func() bool { return conn.State() == zk.StateHasSession })
	return conn
}

func connect(servers []string, timeout time.Duration, dial ...zk.Dialer) (*zk.Conn, error) {
	dialer := zk.Dialer(net.DialTimeout)
	if len(dial) > 0 {
		dialer = dial[0]
	}
	// Scenarios break connections on purpose; what the client says about that is no result.
	quiet := log.New(io.Discard, "", 0)
	conn, _, err := zk.Connect(servers, timeout, zk.WithDialer(dialer), zk.WithLogger(quiet))
	return conn, err
}

// A client, and the path of this scenario, which exists.
func (w *world) rooted() *zk.Conn {
	conn := w.client()
	_, err := conn.Create(w.root, nil, zk.FlagPersistent, open)
	must(err)
	return conn
}

// Ends what the scenario left, and restores the servers.
func (w *world) close() {
	for _, end := range w.after {
		end()
	}
	if w.broken {
		w.ask("restore")
	}
	for _, conn := range w.conns {
		conn.Close()
	}
	cleaner, err := connect(w.servers, sessionTime)
	must(err)
	defer cleaner.Close()
	eventually("the removal of "+w.root, func() bool { return removeTree(cleaner, w.root) == nil })
}

func removeTree(conn *zk.Conn, path string) error {
	names, _, err := conn.Children(path)
	if err == zk.ErrNoNode {
		return nil
	}
	for len(names) > 0 && err == nil {
		batch := names
		if len(batch) > 500 {
			batch = names[:500]
		}
		names = names[len(batch):]
		var operations []interface{}
		for _, name := range batch {
			operations = append(operations, &zk.DeleteRequest{Path: path + "/" + name, Version: -1})
		}
		if _, err = conn.Multi(operations...); err == zk.ErrNotEmpty || err == zk.ErrNoNode {
			err = removeEach(conn, path, batch)
		}
	}
	if err == nil {
		err = conn.Delete(path, -1)
	}
	if err == zk.ErrNoNode {
		return nil
	}
	return err
}

func removeEach(conn *zk.Conn, path string, names []string) error {
	for _, name := range names {
		if err := removeTree(conn, path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// Asks the harness; the words behind `ok`.
func (w *world) ask(question string) []string {
	address := os.Getenv("ZABRA_COMPAT_CONTROL")
	check(address != "", "ZABRA_COMPAT_CONTROL is not set: there is nobody to ask for `%s`", question)
	link, err := net.Dial("tcp", address)
	must(err)
	defer link.Close()
	_, err = fmt.Fprintln(link, question)
	must(err)
	answer, err := bufio.NewReader(link).ReadString('\n')
	must(err)
	words := strings.Fields(answer)
	check(len(words) > 0 && words[0] == "ok", "%s: %s", question, strings.TrimSpace(answer))
	return words[1:]
}

// Kills a server. If there is no other one it comes back at once.
func (w *world) kill(server string) {
	w.broken = true
	w.ask("kill " + server)
	if len(w.servers) == 1 {
		w.restore()
	}
}

// Starts all servers that do not run.
func (w *world) restore() {
	w.ask("restore")
	w.broken = false
}
