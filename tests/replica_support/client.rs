//! A client that believes nothing it is told.

use super::oracle::Oracle;
use super::{Coverage, Random};
use bytes::{Buf, Bytes};
use jute::client::{
    DataStat, PathOnly, PathVersion, PathWatch, RawAcl, RawId, ReplyHeader, SetDataRequest,
    SetWatches2, WatcherEvent,
};
use jute::{Decode, Decoder};
use std::collections::{BTreeMap, VecDeque};
use zabra::proto::{CreateOp, MultiOp, MultiRequest, OpCode, Request};
use zabra::replica::{ClientRequest, Identities};
use zabra::types::{ConnId, ErrorCode, Id, SessionId, Zxid};

const PATHS: &[&str] = &["/a", "/a/b", "/a/c", "/b", "/b/d", "/k", "/k/x", "/"];
const NO_NODE: i32 = ErrorCode::NoNode.number();

/// What a request was for.
#[derive(Debug)]
pub(super) enum Asked {
    /// The write of a number into the client's own znode.
    OwnWrite(u64),
    /// A read of it.
    OwnRead,
    /// A read that leaves a watch.
    Watching(Kind, &'static str),
    SetWatches {
        since: i64,
    },
    Other {
        is_write: bool,
    },
}

/// Kinds of watches. An exist watch is a data watch that may be left where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Data,
    Exist,
    Child,
}

pub(super) struct Client {
    pub(super) conn: Option<ConnId>,
    pub(super) is_open: bool,
    pub(super) session: Option<SessionId>,
    /// The highest zxid it was told of, in all of its life.
    pub(super) last_zxid: Zxid,
    pub(super) asked: VecDeque<(i32, Asked)>,
    own_path: String,
    next_xid: i32,
    next_number: u64,
    /// What its own znode holds, for certain.
    number: u64,
    /// Numbers that may have been written: the answer was lost.
    perhaps: Vec<u64>,
    /// Watches with the zxid at which they were left.
    watches: BTreeMap<(Kind, String), i64>,
    /// Those of the connection before, while they are registered again.
    restoring: BTreeMap<(Kind, String), i64>,
}

pub(super) fn identities() -> Identities {
    [Id { scheme: "ip".to_owned(), id: "127.0.0.1".to_owned() }].into()
}

impl Client {
    pub(super) fn new(number: usize) -> Self {
        Self {
            conn: None,
            is_open: false,
            session: None,
            last_zxid: Zxid::ZERO,
            asked: VecDeque::new(),
            own_path: format!("/own{number}"),
            next_xid: 1,
            next_number: 1,
            number: 0,
            perhaps: Vec::new(),
            watches: BTreeMap::new(),
            restoring: BTreeMap::new(),
        }
    }

    pub(super) fn established(&mut self, session: SessionId) {
        assert!(self.session.is_none_or(|known| known == session));
        self.session = Some(session);
        self.is_open = true;
    }

    /// The connection is lost, and with it the answers to what was asked.
    pub(super) fn disconnect(&mut self) -> Option<ConnId> {
        for (_, asked) in self.asked.drain(..) {
            if let Asked::OwnWrite(number) = asked {
                self.perhaps.push(number);
            }
        }
        self.is_open = false;
        // Those that were being registered are still wanted; what fired is not among them.
        self.restoring.append(&mut self.watches);
        self.conn.take()
    }

    pub(super) fn forget_session(&mut self) {
        self.session = None;
        self.watches.clear();
        self.restoring.clear();
    }

    /// The first requests on a new connection to a session that goes on.
    pub(super) fn restore(&mut self) -> Vec<ClientRequest> {
        let paths = |wanted: Kind| {
            let keys = self.restoring.keys().filter(|(kind, _)| *kind == wanted);
            Some(keys.map(|(_, path)| path.clone()).collect())
        };
        let since = self.last_zxid.0;
        let request = Request::SetWatches(SetWatches2 {
            relative_zxid: since,
            data_watches: paths(Kind::Data),
            exist_watches: paths(Kind::Exist),
            child_watches: paths(Kind::Child),
            persistent_watches: Some(Vec::new()),
            persistent_recursive_watches: Some(Vec::new()),
        });
        self.asked.push_back((-8, Asked::SetWatches { since }));
        vec![request_of(-8, OpCode::SetWatches, Ok(request))]
    }

    /// Asks for something.
    pub(super) fn ask(&mut self, random: &mut Random) -> ClientRequest {
        let (op, request, asked) = match random.below(20) {
            0..=3 => self.own(random),
            4..=8 => watching(random),
            _ => other(random),
        };
        let xid = self.next_xid;
        self.next_xid += 1;
        // Pings have a number of their own.
        let xid = if op == OpCode::Ping { -2 } else { xid };
        self.asked.push_back((xid, asked));
        request_of(xid, op, request)
    }

    fn own(&mut self, random: &mut Random) -> (OpCode, Result<Request, ErrorCode>, Asked) {
        let path = Some(self.own_path.clone());
        if random.below(3) == 0 {
            let request = PathWatch { path, watch: false };
            return (OpCode::GetData, Ok(Request::GetData(request)), Asked::OwnRead);
        }
        let number = self.next_number;
        self.next_number += 1;
        let data = Some(Bytes::copy_from_slice(&number.to_be_bytes()));
        // Until it is known to be there, it is to be created.
        let (op, request) = if self.number == 0 {
            (OpCode::Create, Request::Create(CreateOp { data, ..create(&self.own_path, 0) }))
        } else {
            let body = SetDataRequest { path, data, version: -1 };
            (OpCode::SetData, Request::SetData(body))
        };
        (op, Ok(request), Asked::OwnWrite(number))
    }

    pub(super) fn receive(
        &mut self,
        mut bytes: Bytes,
        is_reply: bool,
        oracle: &Oracle,
        coverage: &mut Coverage,
    ) {
        let mut replies = 0;
        while !bytes.is_empty() {
            let length = usize::try_from(bytes.get_i32()).expect("a length");
            let mut input = Decoder::new(bytes.split_to(length));
            let header = ReplyHeader::decode(&mut input).expect("a header");
            if header.xid == -1 {
                let event = WatcherEvent::decode(&mut input).expect("an event");
                self.event(&event, header.zxid, oracle, coverage);
            } else {
                assert!(bytes.is_empty(), "a reply is the last of its frames");
                self.reply(&header, input.rest().clone(), oracle, coverage);
                replies += 1;
            }
        }
        assert_eq!(replies, usize::from(is_reply));
    }

    fn reply(
        &mut self,
        header: &ReplyHeader,
        body: Bytes,
        oracle: &Oracle,
        coverage: &mut Coverage,
    ) {
        let ReplyHeader { xid, zxid, err } = *header;
        let (expected, asked) = self.asked.pop_front().expect("something was asked");
        assert_eq!(xid, expected, "replies come in the order of requests");
        assert!(zxid >= self.last_zxid.0, "{zxid} after {}", self.last_zxid.0);
        assert!(zxid <= oracle.applied().0, "nothing is told that is not decided");
        self.last_zxid = Zxid(zxid);
        self.check_watches(zxid, oracle);
        match asked {
            Asked::OwnWrite(number) => {
                coverage.note("acknowledged write");
                // A create may come after one whose answer was lost or is still to come.
                assert!(err == 0 || err == ErrorCode::NodeExists.number(), "{err}");
                if err == 0 {
                    self.number = number;
                    self.perhaps.retain(|lost| *lost > number);
                }
            }
            Asked::OwnRead => self.own_read(err, body),
            Asked::Watching(kind, path) => {
                if err == 0 || (err == NO_NODE && kind == Kind::Exist) {
                    // A watch that is there stays as it is; both stand for one at the server.
                    self.watches.entry((kind, path.to_owned())).or_insert(zxid);
                }
            }
            Asked::SetWatches { since } => self.restored(err, since, zxid, oracle),
            Asked::Other { is_write } => {
                assert!(err <= 0);
                if is_write {
                    coverage.note("acknowledged write");
                }
            }
        }
    }

    fn own_read(&mut self, err: i32, body: Bytes) {
        if err != 0 {
            assert!(err == NO_NODE && self.number == 0, "{err}: {} is lost", self.number);
            return;
        }
        let data = DataStat::from_bytes(body).expect("data and a stat").data.expect("data");
        let number = u64::from_be_bytes(data[..].try_into().expect("a number"));
        let possible = number == self.number || self.perhaps.contains(&number);
        assert!(possible, "{number} instead of {} or {:?}", self.number, self.perhaps);
        self.number = number;
        self.perhaps.retain(|lost| *lost > number);
    }

    /// No reply reflects a change of which a watch has not told yet.
    fn check_watches(&self, zxid: i64, oracle: &Oracle) {
        for ((kind, path), left) in &self.watches {
            let missed = oracle.changed(path, *kind == Kind::Child, *left, zxid);
            assert_eq!(missed, None, "a {kind:?} watch on {path} left at {left} did not fire");
        }
    }

    fn event(&mut self, event: &WatcherEvent, zxid: i64, oracle: &Oracle, coverage: &mut Coverage) {
        if zxid == -1 {
            coverage.note("replayed event");
            return self.missed(event);
        }
        coverage.note("event");
        let kinds: &[Kind] = match event.kind {
            1 | 3 => &[Kind::Data, Kind::Exist],
            2 => &[Kind::Data, Kind::Exist, Kind::Child],
            4 => &[Kind::Child],
            other => panic!("an event of kind {other}"),
        };
        let keys = kinds.iter().map(|kind| (*kind, event.path.clone()));
        let left: Vec<_> = keys.filter_map(|key| self.watches.remove_entry(&key)).collect();
        assert!(!left.is_empty(), "no watch on {} for {event:?}", event.path);
        for ((kind, path), left) in left {
            let due = oracle.changed(&path, kind == Kind::Child, left, i64::MAX);
            assert_eq!(due, Some(zxid), "the first change after {left} of {path}");
        }
    }

    /// An event that setWatches makes up: one for each list.
    fn missed(&mut self, event: &WatcherEvent) {
        let kinds: &[Kind] = match event.kind {
            1 => &[Kind::Exist],
            2 => &[Kind::Data, Kind::Child],
            3 => &[Kind::Data],
            4 => &[Kind::Child],
            other => panic!("an event of kind {other}"),
        };
        let mut keys = kinds.iter().map(|kind| (*kind, event.path.clone()));
        let found = keys.any(|key| self.restoring.remove(&key).is_some());
        assert!(found, "{event:?} was not asked for");
        assert!(matches!(self.asked.front(), Some((-8, _))), "{event:?} is out of turn");
    }

    /// What was registered again waits from now on; nothing that it waited for was passed over.
    fn restored(&mut self, err: i32, since: i64, zxid: i64, oracle: &Oracle) {
        assert_eq!(err, 0);
        for ((kind, path), _) in std::mem::take(&mut self.restoring) {
            match kind {
                Kind::Exist => {
                    assert!(oracle.tree.node(&path).is_none(), "{path} is there");
                }
                Kind::Data | Kind::Child => {
                    let missed = oracle.changed(&path, kind == Kind::Child, since, zxid);
                    assert_eq!(missed, None, "{kind:?} of {path} since {since}");
                }
            }
            self.watches.insert((kind, path), zxid);
        }
    }
}

fn request_of(xid: i32, op: OpCode, request: Result<Request, ErrorCode>) -> ClientRequest {
    ClientRequest { xid, op, request, body: Bytes::new(), identities: identities() }
}

fn create(path: &str, flags: i32) -> CreateOp {
    let id = RawId { scheme: Some("world".to_owned()), id: Some("anyone".to_owned()) };
    CreateOp {
        op: OpCode::Create,
        path: Some(path.to_owned()),
        data: None,
        acl: Some(vec![RawAcl { perms: 31, id }]),
        flags,
        ttl: -1,
    }
}

/// A change of what all clients share.
fn change(random: &mut Random) -> MultiOp {
    let path = *random.pick(PATHS);
    let version = *random.pick(&[-1, -1, 0, 1]);
    match random.below(6) {
        0..=2 => MultiOp::Create(create(path, *random.pick(&[0, 0, 1, 1, 2, 3]))),
        3 => MultiOp::SetData(SetDataRequest { path: Some(path.to_owned()), data: None, version }),
        _ => MultiOp::Delete(PathVersion { path: Some(path.to_owned()), version }),
    }
}

fn other(random: &mut Random) -> (OpCode, Result<Request, ErrorCode>, Asked) {
    let path = Some((*random.pick(PATHS)).to_owned());
    let (op, request) = match random.below(30) {
        0..=13 => match change(random) {
            MultiOp::Create(op) => (OpCode::Create, Ok(Request::Create(op))),
            MultiOp::SetData(op) => (OpCode::SetData, Ok(Request::SetData(op))),
            MultiOp::Delete(op) => (OpCode::Delete, Ok(Request::Delete(op))),
            other => panic!("{other:?} is no change"),
        },
        14..=17 => {
            let ops = (0..random.below(4)).map(|_| change(random)).collect();
            (OpCode::Multi, Ok(Request::Multi(MultiRequest { ops })))
        }
        18 => (OpCode::SetData, Err(ErrorCode::MarshallingError)),
        19 => (OpCode::GetData, Err(ErrorCode::MarshallingError)),
        20..=21 => {
            let op = CreateOp { op: OpCode::CreateContainer, ..create("/k", 4) };
            (OpCode::CreateContainer, Ok(Request::Create(op)))
        }
        22 => (OpCode::CloseSession, Ok(Request::CloseSession)),
        23..=24 => (OpCode::Ping, Ok(Request::Ping)),
        25 => (OpCode::Sync, Ok(Request::Sync(PathOnly { path }))),
        26 => (OpCode::GetEphemerals, Ok(Request::GetEphemerals(PathOnly { path }))),
        27 => (OpCode::WhoAmI, Ok(Request::WhoAmI)),
        _ => (OpCode::Exists, Ok(Request::Exists(PathWatch { path, watch: false }))),
    };
    (op, request, Asked::Other { is_write: op.is_write() })
}

fn watching(random: &mut Random) -> (OpCode, Result<Request, ErrorCode>, Asked) {
    let path = *random.pick(PATHS);
    let body = PathWatch { path: Some(path.to_owned()), watch: true };
    let (op, request, kind) = match random.below(3) {
        0 => (OpCode::GetData, Request::GetData(body), Kind::Data),
        1 => (OpCode::Exists, Request::Exists(body), Kind::Exist),
        _ => (OpCode::GetChildren, Request::GetChildren(body), Kind::Child),
    };
    (op, Ok(request), Asked::Watching(kind, path))
}
