// Runs the scenarios with github.com/go-zookeeper/zk against running servers. Started by `run`.
//
// It knows the order of the scenarios and how results are printed; what a scenario does is in the
// other files.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const scenarioTime = 90 * time.Second

// A scenario panics if something is not as it should be. One without a function is beyond the API
// of this client; `lacks` says why.
type scenario struct {
	name  string
	run   func(*world)
	lacks string
}

var scenarios = []scenario{
	{name: "connect", run: connectAndClose},
	{name: "create_modes", run: createModes},
	{name: "read_write", run: readWrite},
	{name: "children", run: children},
	{name: "acl_auth", run: aclAuth},
	{name: "multi", run: multi},
	{name: "watch_once", run: watchOnce},
	{name: "watch_persistent", lacks: "zk.Conn has no addWatch"},
	{name: "watch_recursive", lacks: "zk.Conn has no addWatch"},
	{name: "session_expiry", run: sessionExpiry},
	{name: "failover", run: failover},
	{name: "leader_killed", run: leaderKilled},
	{name: "chroot", lacks: "zk.Connect takes no chroot"},
	{name: "large_values", run: largeValues},
	{name: "ephemerals_1000", run: ephemerals1000},
	{name: "unicode", run: unicode},
	{name: "children_10000", run: children10000},
	{name: "lock_killed_holder", run: lockKilledHolder},
	{name: "election_killed_holder", run: electionKilledHolder},
	{name: "sync_read", run: syncRead},
	{name: "lock", run: lock},
	{name: "protected_create", run: protectedCreate},
}

// What a scenario says when it panics on purpose.
type failure struct{ reason string }

func main() {
	if len(os.Args) == 4 && os.Args[1] == holdCommand {
		hold(os.Args[2], os.Args[3])
		return
	}
	only := flag.String("only", "", "run the scenarios with this text in their names")
	quick := flag.Bool("quick", false, "smaller loads")
	list := flag.Bool("list", false, "print the names of the scenarios")
	flag.Parse()
	if *list {
		for _, one := range scenarios {
			if strings.Contains(one.name, *only) {
				fmt.Println(one.name)
			}
		}
		return
	}
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: run [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]")
		os.Exit(2)
	}
	good := true
	for _, one := range scenarios {
		if strings.Contains(one.name, *only) {
			good = report(one, newWorld(flag.Arg(0), one.name, *quick)) && good
		}
	}
	if !good {
		os.Exit(1)
	}
}

// Runs one scenario and prints its line; whether it did not fail.
func report(one scenario, w *world) bool {
	if one.run == nil {
		fmt.Printf("none %s: %s\n", one.name, one.lacks)
		return true
	}
	done := make(chan string, 1)
	go func() { done <- attempt(one.run, w) }()
	var reason string
	select {
	case reason = <-done:
	case <-time.After(scenarioTime):
		reason = fmt.Sprintf("took more than %s", scenarioTime)
	}
	if left := attempt((*world).close, w); reason == "" {
		reason = left
	}
	if reason != "" {
		fmt.Printf("FAIL %s: %s\n", one.name, strings.ReplaceAll(reason, "\n", "\n    "))
		return false
	}
	fmt.Printf("ok %s\n", one.name)
	return true
}

// Why the function panicked, or nothing.
func attempt(run func(*world), w *world) (reason string) {
	defer func() {
		switch raised := recover().(type) {
		case nil:
		case failure:
			reason = raised.reason + "\n" + ownLines(debug.Stack())
		default:
			reason = fmt.Sprintf("%v\n%s", raised, ownLines(debug.Stack()))
		}
	}()
	run(w)
	return ""
}

// The places of a stack that are in this program.
func ownLines(stack []byte) string {
	var found []string
	for _, line := range strings.Split(string(stack), "\n") {
		if strings.Contains(line, "/compat-tests/go/") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}
