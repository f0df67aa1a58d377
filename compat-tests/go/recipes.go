// Scenarios of recipes: the lock of the client, an election, and holders that are killed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	holdCommand = "hold"
	holderTime  = 2 * time.Second
	contenders  = 3
)

// How an office is taken and given back; it is below a path that exists.
type office struct {
	take func(conn *zk.Conn, path string) (giveBack func() error, err error)
}

var offices = map[string]office{
	"lock": {func(conn *zk.Conn, path string) (func() error, error) {
		own := zk.NewLock(conn, path, open)
		return own.Unlock, own.Lock()
	}},
	"election": {elect},
}

// The election that ZooKeeper's recipes describe: candidates in a row, each watches the one before.
func elect(conn *zk.Conn, path string) (func() error, error) {
	own, err := conn.Create(path+"/candidate-", nil, zk.FlagEphemeralSequential, open)
	if err != nil {
		return nil, err
	}
	resign := func() error { return conn.Delete(own, -1) }
	for {
		names, _, err := conn.Children(path)
		if err != nil {
			return nil, err
		}
		sort.Strings(names)
		place := sort.SearchStrings(names, strings.TrimPrefix(own, path+"/"))
		if place == 0 {
			return resign, nil
		}
		found, _, gone, err := conn.ExistsW(path + "/" + names[place-1])
		if err != nil {
			return nil, err
		}
		if found {
			<-gone
		}
	}
}

// Takes an office and keeps it until it is killed. A process of its own.
func hold(connection, path string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		// Whoever started it has ended.
		os.Exit(1)
	}()
	conn, err := connect(strings.Split(connection, ","), holderTime)
	must(err)
	name := path[strings.LastIndex(path, "/")+1:]
	_, err = offices[name].take(conn, path)
	must(err)
	_, err = conn.Create(path+"-taken", nil, zk.FlagEphemeral, open)
	must(err)
	fmt.Println("held")
	select {}
}

// Takes the office, sees that it is alone, counts, and gives the office back.
func serve(conn *zk.Conn, name, path string) error {
	giveBack, err := offices[name].take(conn, path)
	if err != nil {
		return err
	}
	// If this is there another one holds the office too.
	if _, err := conn.Create(path+"-taken", nil, zk.FlagEphemeral, open); err != nil {
		return fmt.Errorf("in office, and not alone: %w", err)
	}
	data, _, err := conn.Get(path + "-count")
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(string(data))
	if err != nil {
		return err
	}
	if _, err := conn.Set(path+"-count", []byte(strconv.Itoa(count+1)), -1); err != nil {
		return err
	}
	if err := conn.Delete(path+"-taken", -1); err != nil {
		return err
	}
	return giveBack()
}

// Prepares the path of an office, and who asks for the state of it.
func (w *world) office(name string) (*zk.Conn, string) {
	conn := w.rooted()
	path := w.root + "/" + name
	for _, suffix := range []string{"", "-count"} {
		_, err := conn.Create(path+suffix, []byte("0"), zk.FlagPersistent, open)
		must(err)
	}
	return conn, path
}

// Starts contenders; the channel has a result for each.
func (w *world) contend(name, path string, rounds int) <-chan error {
	results := make(chan error, contenders)
	for contender := 0; contender < contenders; contender++ {
		conn := w.client()
		go func() {
			var err error
			for round := 0; round < rounds && err == nil; round++ {
				err = serve(conn, name, path)
			}
			results <- err
		}()
	}
	return results
}

// Waits for the contenders and demands the count.
func settled(conn *zk.Conn, results <-chan error, path string, expected int) {
	for contender := 0; contender < contenders; contender++ {
		select {
		case err := <-results:
			must(err)
		case <-time.After(waitTime):
			check(false, "a contender still waits")
		}
	}
	_, err := conn.Sync(path)
	must(err)
	data, _, err := conn.Get(path + "-count")
	must(err)
	check(string(data) == strconv.Itoa(expected), "%s times in office, not %d", data, expected)
}

func killedHolder(w *world, name string) {
	conn, path := w.office(name)
	holder := exec.Command(os.Args[0], holdCommand, strings.Join(w.servers, ","), path)
	output, err := holder.StdoutPipe()
	must(err)
	_, err = holder.StdinPipe()
	must(err)
	holder.Stderr = os.Stderr
	must(holder.Start())
	end := func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	}
	w.after = append(w.after, end)
	line, err := bufio.NewReader(output).ReadString('\n')
	check(err == nil && line == "held\n", "the holder says %q, %v", line, err)

	results := w.contend(name, path, 1)
	eventually("contenders in line", func() bool {
		_, stat, err := conn.Exists(path)
		must(err)
		return stat.NumChildren == contenders+1
	})
	_, stat, err := conn.Get(path + "-count")
	must(err)
	check(stat.Version == 0, "somebody was in office beside the holder")
	end()
	settled(conn, results, path, contenders)
}

func lockKilledHolder(w *world)     { killedHolder(w, "lock") }
func electionKilledHolder(w *world) { killedHolder(w, "election") }

func lock(w *world) {
	rounds := 20
	if w.quick {
		rounds = 5
	}
	conn, path := w.office("lock")
	settled(conn, w.contend("lock", path, rounds), path, contenders*rounds)

	own := zk.NewLock(conn, path, open)
	refused(own.Unlock(), zk.ErrNotLocked)
	must(own.Lock())
	refused(own.Lock(), zk.ErrDeadlock)
	must(own.Unlock())
}

func protectedCreate(w *world) {
	conn := w.rooted()
	path, err := conn.CreateProtectedEphemeralSequential(w.root+"/p-", []byte("p"), open)
	must(err)
	check(strings.HasPrefix(path, w.root+"/_c_") && strings.HasSuffix(path, "-p-0000000000"),
		"the path is %s", path)
	_, stat, err := conn.Get(path)
	must(err)
	check(stat.EphemeralOwner == conn.SessionID(), "%s has no owner", path)
}
