//! The order of checks. Each case breaks one rule and as many of those that are looked at later
//! as can be broken with it: the code says which came first.

use super::*;
use ErrorCode::{
    BadArguments, BadVersion, InvalidAcl, MarshallingError, NoAuth, NoChildrenForEphemerals,
    NoNode, NodeExists, NotEmpty, ReconfigDisabled, SessionExpired, Unimplemented,
};

/// `/locked` lets nobody do anything, `/ephemeral` is Alice's, `/full/child` exists.
fn furnished(options: PrepOptions) -> Bench {
    let mut bench = Bench::new(options);
    bench.run_all(&[
        create("/full", 0),
        create("/full/child", 0),
        create("/ephemeral", 1),
        create("/locked", 0),
        create("/locked/child", 0),
        create("/locked/child/grandchild", 0),
        set_acl("/locked/child", raw_acl(0, "world", "anyone"), -1),
        set_acl("/locked", raw_acl(0, "world", "anyone"), -1),
    ]);
    bench
}

#[track_caller]
fn expect(cases: Vec<(SessionId, Request, ErrorCode)>) {
    let mut bench = furnished(options());
    for (session, request, code) in cases {
        let before = bench.tree.digest();
        let txn = bench.prepare(session, &request);
        assert_eq!(txn.body, refused(code), "{request:?}");
        assert_eq!(txn.digest, None, "a refused request carries no digest");
        assert_eq!((txn.header.kind, Zxid(txn.header.zxid)), (-1, bench.zxid));
        bench.apply();
        assert_eq!(bench.tree.digest(), before);
    }
}

fn create_of(op: OpCode, path: Option<&str>, flags: i32, ttl: i64, acl: bool) -> Request {
    let acl = if acl { open_acl() } else { None };
    Request::Create(CreateOp { acl, ..create_op(op, path, flags, ttl) })
}

#[test]
fn create_checks_in_zookeepers_order() {
    use OpCode::{Create, Create2, CreateContainer, CreateTtl};
    let max = 0xff_ffff_ffff;
    expect(vec![
        (NOBODY, create_of(Create, None, 7, -1, false), BadArguments),
        (NOBODY, create_of(Create2, None, -1, -1, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 5, 0, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 6, max + 1, false), BadArguments),
        (NOBODY, create_of(Create, None, 5, -1, false), BadArguments),
        (NOBODY, create_of(CreateContainer, None, 6, -1, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 0, 0, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 1, 5, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 0, -1, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 4, -1, false), BadArguments),
        (NOBODY, create_of(CreateTtl, None, 5, max, false), SessionExpired),
        (NOBODY, create_of(Create, None, 1, -1, false), SessionExpired),
        (CLOSING, create_of(Create, None, 0, -1, false), SessionExpired),
        (CLOSING, create_of(Create, None, 1, -1, false), SessionExpired),
        (ALICE, create_of(Create, None, 0, -1, false), MarshallingError),
        (ALICE, create_of(Create, Some(""), 0, -1, false), BadArguments),
        (ALICE, create_of(Create, Some("name"), 0, -1, false), BadArguments),
        (ALICE, create_of(Create, Some("/none/\0"), 0, -1, false), BadArguments),
        (ALICE, create_of(Create, Some("/none/./"), 0, -1, false), InvalidAcl),
        (ALICE, create_of(Create, Some("/none/./x"), 0, -1, true), NoNode),
        (ALICE, create_of(Create, Some("none/x"), 0, -1, true), NoNode),
        (ALICE, create_of(Create, Some("/full//x"), 0, -1, true), NoNode),
        (ALICE, create_of(Create, Some("/locked/."), 0, -1, true), NoAuth),
        (ALICE, create_of(Create, Some("/full/."), 0, -1, true), BadArguments),
        (ALICE, create_of(Create, Some("/full/"), 0, -1, true), BadArguments),
        (ALICE, create_of(Create, Some("//full"), 0, -1, true), BadArguments),
        (ALICE, create_of(Create, Some("/full/\u{1f600}"), 0, -1, true), BadArguments),
        (ALICE, create_of(Create, Some("/full"), 0, -1, true), NodeExists),
        (ALICE, create_of(Create, Some("/"), 0, -1, true), NodeExists),
        (ALICE, create_of(Create, Some("/ephemeral/x"), 0, -1, true), NoChildrenForEphemerals),
        (ALICE, create_of(CreateTtl, Some("/ephemeral/x"), 5, 9, true), NoChildrenForEphemerals),
    ]);
}

#[test]
fn ttl_znodes_need_extended_types() {
    let mut bench = furnished(PrepOptions { extended_types: ExtendedTypes::Off, ..options() });
    let cases = [
        (create_of(OpCode::CreateTtl, None, 5, -1, false), Unimplemented),
        (create_of(OpCode::Create, None, 6, -1, false), Unimplemented),
        (create_of(OpCode::CreateTtl, None, 0, -1, false), BadArguments),
    ];
    for (request, code) in cases {
        assert_eq!(bench.prepare(NOBODY, &request).body, refused(code), "{request:?}");
    }
}

#[test]
fn delete_checks_in_zookeepers_order() {
    let nameless = Request::Delete(PathVersion { path: None, version: 0 });
    expect(vec![
        (NOBODY, nameless.clone(), SessionExpired),
        (CLOSING, delete("/", -1), SessionExpired),
        (ALICE, nameless, MarshallingError),
        (ALICE, delete("", 9), BadArguments),
        (ALICE, delete("name", 9), BadArguments),
        (ALICE, delete("/none/\0", 9), BadArguments),
        (ALICE, delete("/", 9), BadArguments),
        (ALICE, delete("/zookeeper", 9), BadArguments),
        (ALICE, delete("/zookeeper/quota", 9), BadArguments),
        (ALICE, delete("/zookeeper/config", 9), BadArguments),
        (ALICE, delete("/none/x", 9), NoNode),
        (ALICE, delete("/full/child/", 9), NoNode),
        (ALICE, delete("/full//child", 9), NoNode),
        (ALICE, delete("//full", 9), NoNode),
        (ALICE, delete("/locked/none", 9), NoAuth),
        (ALICE, delete("/locked/child", 9), NoAuth),
        (ALICE, delete("/full/none", 9), NoNode),
        (ALICE, delete("/full", 9), BadVersion),
        (ALICE, delete("/full", -2), BadVersion),
        (ALICE, delete("/full", -1), NotEmpty),
        (ALICE, delete("/full", 0), NotEmpty),
    ]);
}

#[test]
fn set_data_checks_in_zookeepers_order() {
    let nameless = Request::SetData(SetDataRequest { path: None, ..new_data("", b"", 0) });
    expect(vec![
        (NOBODY, nameless.clone(), SessionExpired),
        (CLOSING, set_data("x", b"", 9), SessionExpired),
        (ALICE, nameless, BadArguments),
        (ALICE, set_data("", b"", 9), BadArguments),
        (ALICE, set_data("/full/", b"", 9), BadArguments),
        (ALICE, set_data("/none", b"", 9), NoNode),
        (ALICE, set_data("/locked", b"", 9), NoAuth),
        (ALICE, set_data("/zookeeper/config", b"", 9), NoAuth),
        (ALICE, set_data("/full", b"", 9), BadVersion),
        (ALICE, set_data("/full", b"", -2), BadVersion),
    ]);
}

#[test]
fn set_acl_checks_in_zookeepers_order() {
    let nameless = Request::SetAcl(SetAclRequest { path: None, acl: open_acl(), version: 0 });
    expect(vec![
        (NOBODY, nameless.clone(), SessionExpired),
        (CLOSING, set_acl("x", None, 9), SessionExpired),
        (ALICE, nameless, BadArguments),
        (ALICE, set_acl("/full/", None, 9), BadArguments),
        (ALICE, set_acl("/none", None, 9), InvalidAcl),
        (ALICE, set_acl("/none", Some(Vec::new()), 9), InvalidAcl),
        (ALICE, set_acl("/none", raw_acl(31, "auth", ""), 9), InvalidAcl),
        (ALICE, set_acl("/none", open_acl(), 9), NoNode),
        (ALICE, set_acl("/locked", open_acl(), 9), NoAuth),
        (ALICE, set_acl("/full", open_acl(), 9), BadVersion),
        // It is the list's version that counts, and that of /locked/child is 1.
        (ALICE, set_acl("/full", open_acl(), 1), BadVersion),
    ]);
}

#[test]
fn check_checks_in_zookeepers_order() {
    let cases = [
        (NOBODY, "x", 9, SessionExpired),
        (ALICE, "/full/", 9, BadArguments),
        (ALICE, "/none", 9, NoNode),
        (ALICE, "/locked", 9, NoAuth),
        (ALICE, "/full", 9, BadVersion),
    ];
    let mut bench = furnished(options());
    for (session, path, version, code) in cases {
        let request = multi([Request::Check(path_version(path, version))]);
        let txn = bench.prepare(session, &request);
        assert_eq!(txn.body, Txn::Multi(vec![refused(code)]), "{path}");
    }
}

#[test]
fn delete_container_takes_what_may_go() {
    let mut bench = furnished(options());
    bench.run_all(&[
        create_with(OpCode::CreateContainer, "/box", 4, -1),
        create_with(OpCode::CreateContainer, "/used", 4, -1),
        create("/used/child", 0),
        create_with(OpCode::CreateTtl, "/young", 5, 1_000_000),
        create_with(OpCode::CreateTtl, "/old", 5, 1),
        create("/plain", 0),
    ]);
    let cases = [
        ("/", Err(BadArguments)),
        ("box", Err(BadArguments)),
        ("/none", Err(NoNode)),
        ("/used", Err(NotEmpty)),
        ("/ephemeral", Err(BadVersion)),
        ("/plain", Err(BadVersion)),
        ("/young", Err(BadVersion)),
        ("/old", Ok(())),
        ("/box", Ok(())),
        ("/box", Err(NoNode)),
    ];
    for (path, expected) in cases {
        // The server itself has no session, and no permission is asked for.
        let txn = bench.prepare(SessionId(0), &Request::DeleteContainer(path.to_owned())).body;
        match expected {
            Err(code) => assert_eq!(txn, refused(code), "{path}"),
            Ok(()) => assert!(matches!(txn, Txn::DeleteContainer(_)), "{path}: {txn:?}"),
        }
    }
    bench.apply();
}

#[test]
fn a_ttl_must_have_passed() {
    let mut bench = bench();
    bench.run_all(&[create_with(OpCode::CreateTtl, "/a", 5, 9), set_data("/a", b"x", -1)]);
    // The test's clock goes on by one millisecond for each request.
    bench.zxid = Zxid(bench.zxid.0 + 8);
    let request = Request::DeleteContainer("/a".to_owned());
    assert_eq!(bench.prepare(SessionId(0), &request).body, refused(BadVersion));
    assert!(matches!(bench.prepare(SessionId(0), &request).body, Txn::DeleteContainer(_)));
}

#[test]
fn reconfig_is_refused() {
    let request = || Request::Reconfig(jute::client::ReconfigRequest::default());
    expect(vec![(NOBODY, request(), ReconfigDisabled), (ALICE, request(), ReconfigDisabled)]);
    let alone = PrepOptions { standalone: true, ..options() };
    let mut bench = Bench::new(alone.clone());
    assert_eq!(bench.prepare(NOBODY, &request()).body, refused(ErrorCode::UnknownSession));
    assert_eq!(bench.prepare(ALICE, &request()).body, refused(Unimplemented));
    let mut bench = Bench::new(PrepOptions { reconfig_enabled: false, ..alone });
    assert_eq!(bench.prepare(ALICE, &request()).body, refused(ReconfigDisabled));
}

#[test]
fn an_unknown_session_has_two_names() {
    let mut bench = Bench::new(PrepOptions { standalone: true, ..options() });
    let cases = [
        (NOBODY, create("/x", 0), ErrorCode::UnknownSession),
        (NOBODY, create("/x", 1), SessionExpired),
        (NOBODY, delete("/x", 0), ErrorCode::UnknownSession),
        (NOBODY, set_data("/x", b"", 0), ErrorCode::UnknownSession),
        (NOBODY, set_acl("/x", None, 0), ErrorCode::UnknownSession),
        (CLOSING, create("/x", 0), SessionExpired),
    ];
    for (session, request, code) in cases {
        assert_eq!(bench.prepare(session, &request).body, refused(code), "{request:?}");
    }
}

#[test]
fn what_is_no_write_is_refused() {
    expect(vec![
        (ALICE, Request::Ping, Unimplemented),
        (ALICE, Request::WhoAmI, Unimplemented),
        (ALICE, Request::Check(path_version("/full", -1)), Unimplemented),
    ]);
}

#[test]
fn permissions_are_the_parents_or_the_znodes() {
    use perms::{ADMIN, CREATE, DELETE, READ, WRITE};
    // Which single permission of which list lets a request pass.
    let cases = [
        (create("/p/n/new", 0), "/p/n", CREATE),
        (delete("/p/n", -1), "/p", DELETE),
        (set_data("/p/n", b"", -1), "/p/n", WRITE),
        (set_acl("/p/n", open_acl(), -1), "/p/n", ADMIN),
        (multi([Request::Check(path_version("/p/n", -1))]), "/p/n", READ),
    ];
    for (request, where_it_counts, needed) in cases {
        for path in ["/p", "/p/n"] {
            for perm in [READ, WRITE, CREATE, DELETE, ADMIN] {
                let mut bench = bench();
                bench.run_all(&[
                    create("/p", 0),
                    create("/p/n", 0),
                    set_acl(path, raw_acl(perm, "world", "anyone"), -1),
                ]);
                let passes = path != where_it_counts || perm == needed;
                let expected = if passes { 0 } else { NoAuth.number() };
                let code = match bench.run(&request) {
                    Txn::Error(code) => code,
                    Txn::Multi(parts) if parts == [refused(NoAuth)] => NoAuth.number(),
                    _ => 0,
                };
                assert_eq!(code, expected, "{request:?} with {perm} on {path}");
            }
        }
    }
}

#[test]
fn super_users_and_skip_acl_pass() {
    let request = set_data("/locked", b"x", -1);
    let mut bench = furnished(options());
    assert_eq!(bench.run(&request), refused(NoAuth));
    bench.identities = vec![Id { scheme: "super".to_owned(), id: String::new() }];
    assert!(matches!(bench.run(&request), Txn::SetData(_)));

    let auth = AuthOptions { skip_acl: true, ..AuthOptions::default() };
    let mut bench = furnished(PrepOptions { auth, ..options() });
    assert!(matches!(bench.run(&request), Txn::SetData(_)));
}
