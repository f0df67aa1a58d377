//! What happened, for whoever looks into a failure. It costs nothing while nobody does.

use bytes::Bytes;
use jute::quorum::QuorumPacket;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use zabra::replica::{Effect, Input};
use zabra::types::Zxid;
use zabra::zab::{self, Action};

/// Lines that are kept.
const KEPT: usize = 80;
/// Characters of a line that are kept.
const WIDTH: usize = 200;

/// The last lines, shared with whoever prints them when all else is lost.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Rc<RefCell<Lines>>>);

#[derive(Default)]
struct Lines {
    last: VecDeque<String>,
    print: bool,
}

impl Trace {
    /// One that keeps the last lines, and prints all of them at once if asked to.
    pub(crate) fn new(print: bool) -> Self {
        Self(Some(Rc::new(RefCell::new(Lines { last: VecDeque::new(), print }))))
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let Some(lines) = &self.0 else { return };
        let mut lines = lines.borrow_mut();
        let mut line = line();
        if let Some((end, _)) = line.char_indices().nth(WIDTH) {
            line.truncate(end);
        }
        if lines.print {
            eprintln!("{line}");
        }
        if lines.last.len() == KEPT {
            lines.last.pop_front();
        }
        lines.last.push_back(line);
    }

    pub(crate) fn last(&self) -> Vec<String> {
        let lines = self.0.as_ref().map(|lines| lines.borrow().last.iter().cloned().collect());
        lines.unwrap_or_default()
    }
}

/// An input in a few words.
pub(crate) fn input_text(input: &Input) -> String {
    match input {
        Input::Quorum(zab::Input::Packet(link, packet)) => {
            format!("{link:?} <- {}", packet_text(packet))
        }
        Input::Quorum(zab::Input::Persisted(zxid)) => format!("persisted {zxid}"),
        Input::Quorum(zab::Input::LogRead(link, entries)) => {
            let zxids = entries.as_ref().map(|entries| {
                let zxids = entries.iter().map(|(zxid, _)| zxid.to_string());
                zxids.collect::<Vec<_>>().join(" ")
            });
            format!("{link:?} log read {zxids:?}")
        }
        Input::Quorum(input) => format!("{input:?}"),
        Input::Request(conn, request) => {
            format!("{conn:?} asks {} {:?}", request.xid, request.request)
        }
        input => format!("{input:?}"),
    }
}

/// An effect in a few words.
pub(crate) fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Quorum(Action::Send(link, packet)) => {
            format!("{link:?} -> {}", packet_text(packet))
        }
        Effect::Quorum(Action::Append(zxid, _)) => format!("append {zxid}"),
        Effect::Quorum(Action::Truncate(zxid)) => format!("truncate {zxid}"),
        Effect::Quorum(action) => format!("{action:?}"),
        effect => format!("{effect:?}"),
    }
}

fn packet_text(packet: &QuorumPacket) -> String {
    let name = match packet.kind {
        1 => "REQUEST",
        2 => "PROPOSAL",
        3 => "ACK",
        4 => "COMMIT",
        5 => "PING",
        6 => "REVALIDATE",
        7 => "SYNC",
        8 => "INFORM",
        10 => "NEWLEADER",
        11 => "FOLLOWERINFO",
        12 => "UPTODATE",
        13 => "DIFF",
        14 => "TRUNC",
        15 => "SNAP",
        16 => "OBSERVERINFO",
        17 => "LEADERINFO",
        18 => "ACKEPOCH",
        _ => "packet",
    };
    let bytes = packet.data.as_ref().map(Bytes::len);
    format!("{name} {} {bytes:?}", Zxid(packet.zxid))
}
