//! Prep under random requests: however far it runs ahead of the tree, its transactions are those
//! of a leader that applies each at once, and the digests they carry come true.

#![expect(clippy::unnecessary_wraps, reason = "the helpers make fields of records as they are")]

use bytes::Bytes;
use jute::client::{
    PathOnly, PathVersion, PathWatch, RawAcl, RawId, ReconfigRequest, SetAclRequest, SetDataRequest,
};
use jute::disk::ZnodeRecord;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, VecDeque};
use zabra::prep::{Prep, PrepOptions, WriteRequest};
use zabra::proto::{CreateOp, MultiOp, MultiRequest, OpCode, Request};
use zabra::session::Sessions;
use zabra::tree::{Transaction, Tree, TreeLoader, TreeOptions, Txn};
use zabra::types::{ExtendedTypes, Id, Moment, SessionId, Xid, Zxid};

/// Few paths, so that requests meet; some of them bad.
const PATHS: &[&str] = &[
    "/a",
    "/a/b",
    "/a/b/c",
    "/a/c",
    "/b",
    "/b/a",
    "/a/s",
    "/a/",
    "/",
    "/e",
    "/e/x",
    "/q",
    "/q/a",
    "/q/b",
    "/a/s0000000000",
    "/a/s0000000001",
    "/a/s0000000002",
    "/zookeeper",
    "/zookeeper/x",
    "/zookeeper/config",
    "",
    "a",
    "//",
    "/a//b",
    "/a/.",
    "/a\0",
    "/none/x",
    "/\u{1f600}",
];

/// One request, and how far the tree then catches up.
#[derive(Clone, Debug)]
struct Step {
    session: SessionId,
    identities: Vec<Id>,
    request: Request,
    /// How many pending transactions are applied after this request.
    apply: usize,
}

fn path() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        40 => select(PATHS).prop_map(|path| Some(path.to_owned())),
        1 => Just(None),
    ]
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..4).prop_map(Bytes::from))
}

fn raw_acl(perms: i32, scheme: Option<&str>, id: Option<&str>) -> RawAcl {
    RawAcl { perms, id: RawId { scheme: scheme.map(str::to_owned), id: id.map(str::to_owned) } }
}

fn open_acl() -> Option<Vec<RawAcl>> {
    Some(vec![raw_acl(31, Some("world"), Some("anyone"))])
}

fn acl() -> impl Strategy<Value = Option<Vec<RawAcl>>> {
    let scheme = select(&[Some("world"), Some("digest"), Some("auth"), Some("ip"), None][..]);
    let id = select(&[Some("anyone"), Some("u:p"), Some("1.2.3.4"), Some(""), None][..]);
    let entry = (0..32, scheme, id).prop_map(|(perms, scheme, id)| raw_acl(perms, scheme, id));
    prop_oneof![
        12 => Just(open_acl()),
        3 => vec(entry, 0..3).prop_map(Some),
        1 => Just(None),
    ]
}

fn version() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 4 => 0..3_i32, 1 => any::<i32>()]
}

fn create() -> impl Strategy<Value = CreateOp> {
    use OpCode::{Create, Create2, CreateContainer, CreateTtl};
    let op = select(&[Create, Create, Create2, CreateContainer, CreateTtl][..]);
    let flags = prop_oneof![10 => 0..4_i32, 3 => 4..7_i32, 1 => any::<i32>()];
    let ttl = prop_oneof![3 => 1..100_i64, 1 => Just(-1), 1 => any::<i64>()];
    (op, path(), data(), acl(), flags, ttl).prop_map(|(op, path, data, acl, flags, ttl)| {
        let takes_ttl = op == CreateTtl;
        // Mostly a mode that fits.
        let flags = if takes_ttl && (0..2).contains(&flags) { flags + 5 } else { flags };
        CreateOp { op, path, data, acl, flags, ttl: if takes_ttl { ttl } else { -1 } }
    })
}

fn path_version() -> impl Strategy<Value = PathVersion> {
    (path(), version()).prop_map(|(path, version)| PathVersion { path, version })
}

fn set_data() -> impl Strategy<Value = SetDataRequest> {
    (path(), data(), version()).prop_map(|(path, data, version)| SetDataRequest {
        path,
        data,
        version,
    })
}

fn multi() -> impl Strategy<Value = Request> {
    let watch = path().prop_map(|path| PathWatch { path, watch: false });
    let op = prop_oneof![
        12 => create().prop_map(MultiOp::Create),
        6 => path_version().prop_map(MultiOp::Delete),
        6 => set_data().prop_map(MultiOp::SetData),
        6 => path_version().prop_map(MultiOp::Check),
        1 => watch.prop_map(MultiOp::GetData),
    ];
    vec(op, 0..5).prop_map(|ops| Request::Multi(MultiRequest { ops }))
}

fn request() -> impl Strategy<Value = Request> {
    let set_acl = (path(), acl(), version()).prop_map(|(path, acl, version)| SetAclRequest {
        path,
        acl,
        version,
    });
    prop_oneof![
        12 => create().prop_map(Request::Create),
        6 => path_version().prop_map(Request::Delete),
        6 => set_data().prop_map(Request::SetData),
        3 => set_acl.prop_map(Request::SetAcl),
        6 => multi(),
        2 => select(PATHS).prop_map(|path| Request::DeleteContainer(path.to_owned())),
        1 => (1000..5000).prop_map(Request::CreateSession),
        2 => Just(Request::CloseSession),
        1 => Just(Request::Reconfig(ReconfigRequest::default())),
        1 => path().prop_map(|path| Request::GetAcl(PathOnly { path })),
    ]
}

fn identities() -> impl Strategy<Value = Vec<Id>> {
    let id = |scheme: &str, id: &str| Id { scheme: scheme.to_owned(), id: id.to_owned() };
    prop_oneof![
        2 => Just(vec![id("ip", "1.2.3.4")]),
        2 => Just(vec![id("ip", "4.3.2.1"), id("digest", "u:p")]),
        1 => Just(vec![id("super", "")]),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let apply = prop_oneof![6 => Just(0_usize), 2 => 1..4_usize, 1 => Just(usize::MAX)];
    let step = (1..5_i64, identities(), request(), apply).prop_map(
        |(session, identities, request, apply)| Step {
            session: SessionId(session),
            identities,
            request,
            apply,
        },
    );
    vec(step, 1..60)
}

/// A leader that is its own only follower.
struct Leader {
    prep: Prep,
    tree: Tree,
    sessions: Sessions,
    pending: VecDeque<Transaction>,
    zxid: Zxid,
}

impl Leader {
    /// Two sessions are open, and `/q` has hard limits.
    fn new() -> Self {
        let extended_types = ExtendedTypes::On;
        let options = PrepOptions {
            extended_types,
            enforce_quota: true,
            reconfig_enabled: true,
            ..PrepOptions::default()
        };
        let mut leader = Self {
            prep: Prep::new(options),
            tree: Tree::new(TreeOptions { extended_types, digest: true }),
            sessions: Sessions::new(2000),
            pending: VecDeque::new(),
            zxid: Zxid::ZERO,
        };
        leader.sessions.insert(SessionId(1), 5000, Moment(0));
        leader.sessions.insert(SessionId(2), 5000, Moment(0));
        leader.limit_q();
        leader
    }

    fn limit_q(&mut self) {
        let limits = "count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=3";
        let nodes = [
            ("/q", ""),
            ("/zookeeper/quota/q", ""),
            ("/zookeeper/quota/q/zookeeper_limits", limits),
            ("/zookeeper/quota/q/zookeeper_stats", ""),
        ];
        for (path, data) in nodes {
            let op = CreateOp {
                op: OpCode::Create,
                path: Some(path.to_owned()),
                data: Some(Bytes::from_static(data.as_bytes())),
                acl: open_acl(),
                flags: 0,
                ttl: -1,
            };
            self.prepare(SessionId(1), &[], &Request::Create(op));
            self.apply(usize::MAX);
        }
    }

    fn prepare(&mut self, session: SessionId, identities: &[Id], request: &Request) -> Transaction {
        self.zxid = self.zxid.next();
        let request = WriteRequest {
            session,
            cxid: Xid(1),
            request,
            identities,
            owner: None,
            may_be_local: false,
        };
        let wall = 50 * self.zxid.0;
        let txn = self.prep.prepare(&self.tree, &self.sessions, &request, self.zxid, wall);
        self.pending.push_back(txn.clone());
        txn
    }

    /// Applies up to so many pending transactions.
    fn apply(&mut self, count: usize) {
        for _ in 0..count {
            let Some(txn) = self.pending.pop_front() else { return };
            self.tree.apply(&txn, &mut Vec::new());
            let session = SessionId(txn.header.client_id);
            match &txn.body {
                Txn::CreateSession(body) => {
                    self.sessions.insert(session, body.time_out, Moment(0));
                }
                Txn::CloseSession(_) => self.sessions.remove(session),
                _ => {}
            }
            self.prep.applied(Zxid(txn.header.zxid));
            let refused = matches!(txn.body, Txn::Error(_));
            assert_eq!(txn.digest.is_none(), refused, "only refusals carry no digest");
            if let Some(digest) = &txn.digest {
                assert_eq!(digest.tree_digest, self.tree.digest(), "after {txn:?}");
            }
        }
    }
}

/// A tree after each transaction of a history.
type States = Vec<BTreeMap<String, ZnodeRecord>>;

/// Takes an image as ZooKeeper does: node after node, each with its list of children, while the
/// tree goes on. `pace` says how far it goes on from one node to the next.
fn take_image(
    states: &States,
    at: &mut usize,
    pace: &mut impl Iterator<Item = usize>,
    path: &str,
    image: &mut Vec<(String, ZnodeRecord)>,
) {
    *at = (*at + pace.next().unwrap_or(0)).min(states.len() - 1);
    let state = &states[*at];
    let Some(record) = state.get(path) else { return };
    image.push((path.to_owned(), record.clone()));
    let prefix = if path == "/" { path.to_owned() } else { format!("{path}/") };
    let names = state.keys().filter_map(|path| path.strip_prefix(&prefix));
    let children = names.filter(|name| !name.is_empty() && !name.contains('/'));
    for child in children.map(|name| format!("{prefix}{name}")).collect::<Vec<_>>() {
        take_image(states, at, pace, &child, image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn running_ahead_changes_nothing(steps in steps()) {
        let mut at_once = Leader::new();
        let mut ahead = Leader::new();
        for Step { session, identities, request, apply } in &steps {
            let expected = at_once.prepare(*session, identities, request);
            at_once.apply(1);
            let prepared = ahead.prepare(*session, identities, request);
            prop_assert_eq!(prepared, expected, "{:?}", request);
            ahead.apply(*apply);
        }
        ahead.apply(usize::MAX);
        prop_assert_eq!(ahead.prep.pending(), 0);
        prop_assert_eq!(ahead.tree.digest(), at_once.tree.digest());
        prop_assert!(ahead.tree.dump().eq(at_once.tree.dump()));
    }

    /// What is applied after it has travelled is what was prepared.
    #[test]
    fn transactions_survive_their_bytes(steps in steps()) {
        let mut leader = Leader::new();
        for Step { session, identities, request, apply } in &steps {
            let txn = leader.prepare(*session, identities, request);
            prop_assert_eq!(Transaction::from_bytes(txn.to_bytes()), Ok(txn));
            leader.apply(*apply);
        }
    }

    /// A leader sends its tree while it goes on changing; what comes behind the image makes a tree
    /// of it, though the image has some of that already.
    #[test]
    fn an_image_taken_while_writes_went_on_becomes_the_tree(
        steps in steps(),
        before in 0..60_usize,
        pace in vec(0..6_usize, 40),
    ) {
        let mut leader = Leader::new();
        let mut history = Vec::new();
        let mut states = vec![leader.tree.dump().collect::<BTreeMap<_, _>>()];
        let first = leader.zxid;
        for Step { session, identities, request, .. } in &steps {
            history.push(leader.prepare(*session, identities, request));
            leader.apply(1);
            states.push(leader.tree.dump().collect());
        }
        let mut at = before.min(history.len());
        let start = at;
        let mut image = Vec::new();
        take_image(&states, &mut at, &mut pace.into_iter(), "/", &mut image);
        let options = TreeOptions { extended_types: ExtendedTypes::On, digest: true };
        let mut loader = TreeLoader::new(options);
        for (path, record) in image {
            loader.insert(&path, record).expect("parents come first");
        }
        let started = Zxid(first.0 + i64::try_from(start).expect("a short history"));
        let mut tree = loader.finish_fuzzy(started).expect("there is a root");
        for txn in &history[start..] {
            tree.apply(txn, &mut Vec::new());
        }
        prop_assert_eq!(tree.digest(), leader.tree.digest());
        let dump = |tree: &Tree| tree.dump().collect::<BTreeMap<_, _>>();
        prop_assert_eq!(dump(&tree), dump(&leader.tree));
        prop_assert_eq!(tree.last_zxid(), leader.tree.last_zxid());
    }
}
