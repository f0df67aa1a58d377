// Scenarios of ACLs, authentication and transactions.
package main

import (
	"github.com/go-zookeeper/zk"
)

func aclAuth(w *world) {
	conn := w.rooted()
	secret := w.root + "/secret"
	onlyUser := zk.DigestACL(zk.PermAll, "user", "right")
	_, err := conn.Create(secret, []byte("s"), zk.FlagPersistent, onlyUser)
	must(err)
	_, _, err = conn.Get(secret)
	refused(err, zk.ErrNoAuth)
	must(conn.AddAuth("digest", []byte("user:wrong")))
	_, err = conn.Set(secret, nil, -1)
	refused(err, zk.ErrNoAuth)
	must(conn.AddAuth("digest", []byte("user:right")))
	data, _, err := conn.Get(secret)
	must(err)
	check(string(data) == "s", "read %q", data)

	entries, stat, err := conn.GetACL(secret)
	must(err)
	check(len(entries) == 1 && entries[0] == onlyUser[0] && stat.Aversion == 0,
		"the ACL is %+v, %+v", entries, stat)
	readable := append(zk.WorldACL(zk.PermRead), entries...)
	_, err = conn.SetACL(secret, readable, 7)
	refused(err, zk.ErrBadVersion)
	stat, err = conn.SetACL(secret, readable, 0)
	must(err)
	check(stat.Aversion == 1 && stat.Version == 0, "after setACL: %+v", stat)

	other := w.client()
	_, _, err = other.Get(secret)
	must(err)
	_, err = other.Set(secret, nil, -1)
	refused(err, zk.ErrNoAuth)
	_, err = other.SetACL(secret, open, -1)
	refused(err, zk.ErrNoAuth)
	must(other.AddAuth("digest", []byte("super:secret")))
	_, err = other.Set(secret, []byte("by super"), -1)
	must(err)

	own := w.root + "/own"
	_, err = conn.Create(own, nil, zk.FlagPersistent, zk.AuthACL(zk.PermAll))
	must(err)
	entries, _, err = conn.GetACL(own)
	must(err)
	check(len(entries) == 2 && entries[0].Scheme == "digest", "`auth` became %+v", entries)
	_, err = conn.Create(w.root+"/nobody", nil, zk.FlagPersistent, []zk.ACL{})
	refused(err, zk.ErrInvalidACL)
	refused(w.client().AddAuth("unknown", nil), zk.ErrAuthFailed)
}

func multi(w *world) {
	conn := w.rooted()
	node, other := w.root+"/node", w.root+"/other"
	results, err := conn.Multi(
		&zk.CreateRequest{Path: node, Data: []byte("1"), Acl: open},
		&zk.CreateRequest{Path: w.root + "/s-", Acl: open, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: node, Data: []byte("2"), Version: 0},
		&zk.CheckVersionRequest{Path: node, Version: 1},
		&zk.CreateRequest{Path: other, Acl: open},
		&zk.DeleteRequest{Path: other, Version: 0})
	must(err)
	check(len(results) == 6 && results[0].String == node &&
		results[1].String == w.root+"/s-0000000001" && results[2].Stat.Version == 1,
		"the results are %+v", results)
	data, before, err := conn.Get(node)
	must(err)
	check(string(data) == "2", "read %q", data)

	results, err = conn.Multi(
		&zk.SetDataRequest{Path: node, Data: []byte("3"), Version: 1},
		&zk.CreateRequest{Path: other, Acl: open},
		&zk.CheckVersionRequest{Path: node, Version: 1},
		&zk.DeleteRequest{Path: w.root, Version: -1})
	refused(err, zk.ErrBadVersion)
	check(len(results) == 4 && results[0].Error == nil && results[1].Error == nil &&
		results[2].Error == zk.ErrBadVersion && results[3].Error != nil,
		"the results are %+v", results)
	_, after, err := conn.Get(node)
	must(err)
	check(*before == *after, "something was done: %+v", after)
	found, _, err := conn.Exists(other)
	must(err)
	check(!found, "a part was done")
}
