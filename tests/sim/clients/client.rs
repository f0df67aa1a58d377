//! A client that believes nothing it is told.

use super::super::checks::Checks;
use super::super::coverage::Coverage;
use super::super::plan::Time;
use super::super::random::Random;
use super::requests::{self, Choice, Knowledge, Request, encoded};
use super::watching::{Kind, Watching};
use bytes::{Buf, Bytes};
use jute::client::{DataStat, Names, ReplyHeader, SetWatches2, Stat, WatcherEvent};
use jute::{Decode, Decoder};
use std::collections::{BTreeMap, VecDeque};
use zabra::proto::OpCode;
use zabra::replica::CloseReason;
use zabra::types::{ConnId, ErrorCode, SessionId, Zxid};

const NO_NODE: i32 = ErrorCode::NoNode.number();
/// Requests that may wait for their answers.
const MAX_ASKED: usize = 20;
/// The xids of requests that have none of their own.
const PING: i32 = -2;
const SET_WATCHES: i32 = -8;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Data,
    Exists,
    Children,
}

/// What a request was for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// With the last write that had been acknowledged to anybody when it was asked for.
    Write {
        op: OpCode,
        floor: Zxid,
    },
    Read {
        read: Read,
        path: &'static str,
        watch: Option<Kind>,
    },
    /// With what must be seen afterwards.
    Sync {
        floor: Zxid,
    },
    SetWatches {
        since: i64,
    },
    Ping,
}

/// Frames of a server.
pub(super) struct News {
    pub(super) bytes: Bytes,
    pub(super) is_reply: bool,
    /// Whether no newer epoch had begun than that of the server's leader.
    pub(super) is_fresh: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) conn: Option<ConnId>,
    pub(crate) is_open: bool,
    pub(crate) session: Option<SessionId>,
    pub(crate) timeout_ms: i32,
    /// When something was last heard of its server, or asked after silence.
    pub(crate) heard: Time,
    /// The highest zxid it was told of, in the life of its session.
    pub(crate) last_zxid: Zxid,
    /// The only server that it turns to.
    pub(crate) fixed_server: Option<usize>,
    /// It asks for nothing any more.
    pub(crate) is_hushed: bool,
    /// How many of its writes succeeded.
    pub(crate) written: usize,
    /// What its syncs have shown to be past.
    seen_by_sync: Zxid,
    asked: VecDeque<(i32, Asked)>,
    next_xid: i32,
    next_number: u64,
    versions: BTreeMap<String, i32>,
    watching: Watching,
}

impl Client {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            conn: None,
            is_open: false,
            session: None,
            timeout_ms: 0,
            heard: 0,
            last_zxid: Zxid::ZERO,
            fixed_server: None,
            is_hushed: false,
            written: 0,
            seen_by_sync: Zxid::ZERO,
            asked: VecDeque::new(),
            next_xid: 1,
            next_number: number as u64 * 1_000_000,
            versions: BTreeMap::new(),
            watching: Watching::default(),
        }
    }

    pub(crate) fn waits_for_answer(&self) -> bool {
        !self.is_open || !self.asked.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        let is_closing =
            matches!(self.asked.back(), Some((_, Asked::Write { op: OpCode::CloseSession, .. })));
        self.asked.len() < MAX_ASKED && !is_closing
    }

    fn is_closing(&self) -> bool {
        matches!(self.asked.back(), Some((_, Asked::Write { op: OpCode::CloseSession, .. })))
    }

    /// After silence, the wait for an answer begins with the question.
    pub(super) fn note_asked(&mut self, now: Time) {
        if self.asked.len() <= 1 {
            self.heard = now;
        }
    }

    pub(super) fn connecting(&mut self, conn: ConnId, now: Time) {
        (self.conn, self.heard) = (Some(conn), now);
    }

    pub(super) fn established(&mut self, session: SessionId, timeout_ms: i32) {
        assert!(
            self.session.is_none_or(|known| known == session),
            "[sessions] {session} instead of {:?}",
            self.session
        );
        self.session = Some(session);
        self.timeout_ms = timeout_ms;
        self.is_open = true;
    }

    /// The connection is lost, and with it the answers to what was asked.
    pub(super) fn disconnect(&mut self) -> Option<ConnId> {
        if self.is_closing() {
            // Nobody goes on with a session that was to end.
            self.session = None;
            self.watching = Watching::default();
        }
        self.asked.clear();
        self.is_open = false;
        self.watching.disconnect();
        self.conn.take()
    }

    /// The server has closed the connection.
    pub(super) fn closed(&mut self, why: CloseReason) {
        if matches!(
            why,
            CloseReason::SessionGone | CloseReason::SessionExpired | CloseReason::ClientRequest
        ) {
            self.session = None;
            self.watching = Watching::default();
            // A new session begins with nothing seen, but it may as well keep it: servers that are
            // behind then refuse it, as they would refuse the old one.
        }
        self.disconnect();
    }

    /// The first requests on a new connection to a session that goes on.
    pub(super) fn restore(&mut self) -> Option<Request> {
        let since = self.last_zxid.0;
        let [data, exist, child] = self.watching.to_restore()?;
        let body = encoded(&SetWatches2 {
            relative_zxid: since,
            data_watches: Some(data),
            exist_watches: Some(exist),
            child_watches: Some(child),
            persistent_watches: Some(Vec::new()),
            persistent_recursive_watches: Some(Vec::new()),
        });
        self.asked.push_back((SET_WATCHES, Asked::SetWatches { since }));
        Some(Request { xid: SET_WATCHES, op: OpCode::SetWatches2, body })
    }

    pub(super) fn ping(&mut self) -> Request {
        self.asked.push_back((PING, Asked::Ping));
        Request { xid: PING, op: OpCode::Ping, body: Bytes::new() }
    }

    /// Asks for something.
    pub(super) fn choose(&mut self, random: &mut Random, floor: Zxid, is_calm: bool) -> Request {
        self.next_number += 1;
        let versions = &self.versions;
        let version = |path: &str| versions.get(path).copied().unwrap_or(0);
        let knows = Knowledge { number: self.next_number, version: &version, floor, is_calm };
        let Choice { op, body, asked } = requests::choose(random, &knows);
        self.ask(op, body, asked)
    }

    /// A write that succeeds wherever a write can.
    pub(crate) fn certain_write(&mut self, floor: Zxid) -> Request {
        self.next_number += 1;
        let op = OpCode::Create;
        let body = requests::create("/certain-", 2, self.next_number);
        self.ask(op, body, Asked::Write { op, floor })
    }

    fn ask(&mut self, op: OpCode, body: Bytes, asked: Asked) -> Request {
        let xid = self.next_xid;
        self.next_xid += 1;
        self.asked.push_back((xid, asked));
        Request { xid, op, body }
    }

    pub(super) fn receive(&mut self, news: News, checks: &mut Checks, coverage: &mut Coverage) {
        let News { mut bytes, is_reply, is_fresh } = news;
        if !self.is_open {
            // The refusal of a first frame.
            assert!(!is_reply, "[sessions] a reply on a connection without a session");
            return;
        }
        let mut replies = 0;
        while !bytes.is_empty() {
            let length = usize::try_from(bytes.get_i32()).expect("a length");
            let mut input = Decoder::new(bytes.split_to(length));
            let header = ReplyHeader::decode(&mut input).expect("a header");
            if header.xid == -1 {
                let event = WatcherEvent::decode(&mut input).expect("an event");
                let is_due = matches!(self.asked.front(), Some((SET_WATCHES, _)));
                self.watching.event(&event, header.zxid, is_due, &checks.history, coverage);
            } else {
                self.reply(&header, input.rest().clone(), is_fresh, checks, coverage);
                replies += 1;
            }
        }
        assert_eq!(replies, usize::from(is_reply), "[replies] one for each request");
    }

    fn reply(
        &mut self,
        header: &ReplyHeader,
        body: Bytes,
        is_fresh: bool,
        checks: &mut Checks,
        coverage: &mut Coverage,
    ) {
        let ReplyHeader { xid, zxid, err } = *header;
        let (expected, asked) = self.asked.pop_front().expect("[replies] nothing was asked");
        assert_eq!(xid, expected, "[replies] they come in the order of requests");
        assert!(
            zxid >= self.last_zxid.0,
            "[session order] {} after {}",
            Zxid(zxid),
            self.last_zxid
        );
        let shown = checks.history.shown();
        assert!(zxid <= shown.0, "[commit] {} is told, {shown} is decided", Zxid(zxid));
        self.last_zxid = Zxid(zxid);
        self.watching.check(zxid, &checks.history);
        match asked {
            Asked::Write { op, floor } => {
                let session = self.session.expect("an open session");
                checks.write_answered(session, header, &body, op, floor);
                if err == 0 {
                    self.written += 1;
                    coverage.note("successful write");
                }
            }
            Asked::Read { read, path, watch } => {
                assert!(
                    zxid >= self.seen_by_sync.0,
                    "[sync] {} is behind {}",
                    Zxid(zxid),
                    self.seen_by_sync
                );
                self.read(read, path, header, body, checks);
                if let Some(kind) = watch
                    && (err == 0 || (err == NO_NODE && kind == Kind::Exist))
                {
                    self.watching.left(kind, path, zxid);
                }
            }
            Asked::Sync { floor } => {
                coverage.note("sync");
                assert_eq!(err, 0, "[sync] it cannot fail");
                if is_fresh {
                    self.seen_by_sync = self.seen_by_sync.max(floor);
                }
            }
            Asked::SetWatches { since } => {
                assert_eq!(err, 0, "[watches] setWatches cannot fail");
                self.watching.restored(since, zxid, &checks.history);
            }
            Asked::Ping => {}
        }
    }

    fn read(&mut self, read: Read, path: &str, header: &ReplyHeader, body: Bytes, checks: &Checks) {
        let at = Zxid(header.zxid);
        let is = checks.history.node_at(path, at);
        if header.err != 0 {
            assert_eq!(header.err, NO_NODE, "[reads] {path} at {at}");
            assert!(is.is_none(), "[reads] {path} is said not to be there at {at}: {is:?}");
            return;
        }
        let is = is.unwrap_or_else(|| panic!("[reads] {path} is said to be there at {at}"));
        match read {
            Read::Data => {
                let DataStat { data, stat } = DataStat::from_bytes(body).expect("data and stat");
                assert_eq!(data, is.data, "[reads] data of {path} at {at}");
                self.note_stat(path, &stat, checks, at);
            }
            Read::Exists => {
                let stat = Stat::from_bytes(body).expect("a stat");
                self.note_stat(path, &stat, checks, at);
            }
            Read::Children => {
                let mut names = Names::from_bytes(body).expect("names").names;
                names.sort();
                let there = checks.history.children_at(path, at);
                assert_eq!(names, there, "[reads] children of {path} at {at}");
            }
        }
    }

    fn note_stat(&mut self, path: &str, stat: &Stat, checks: &Checks, at: Zxid) {
        let is = checks.history.node_at(path, at).expect("it was looked at");
        assert_eq!(
            (stat.czxid, stat.mzxid, stat.version, stat.ephemeral_owner),
            (is.czxid, is.mzxid, is.version, is.owner),
            "[reads] stat of {path} at {at}"
        );
        self.versions.insert(path.to_owned(), stat.version);
    }
}
