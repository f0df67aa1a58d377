//! What goes into the broadcast and what comes out of it.

use crate::types::{Epoch, LinkId, ServerId, Zxid};
use bytes::Bytes;
use jute::quorum::QuorumPacket;

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message of another server's election has arrived, as it travelled.
    Notification(ServerId, Bytes),
    /// A stranger has connected to the quorum port: a learner, perhaps.
    Accepted(LinkId),
    /// A stranger has connected to the port for observers.
    AcceptedObserver(LinkId),
    /// The connection that [`Action::Dial`] asked for stands.
    Dialed(LinkId),
    /// The connection that [`Action::Dial`] asked for cannot be had.
    DialFailed(ServerId),
    /// A packet has arrived.
    Packet(LinkId, QuorumPacket),
    /// A link is gone; nothing more comes from it. Not said of a link that [`Action::Close`] ended.
    Closed(LinkId),
    /// The log is durable up to here.
    Persisted(Zxid),
    /// What [`Action::SaveEpochs`] asked for is durable.
    EpochsSaved,
    /// What [`Action::ReadLog`] asked for; `None` if a part of it is gone from the log, or a
    /// snapshot is better. Said when
    /// the link can take more, so that nothing piles up.
    LogRead(LinkId, Option<Vec<(Zxid, Bytes)>>),
    /// What [`Action::SendSnapshot`] asked for has been written to the link: a tree that contains
    /// every transaction up to this zxid, and none behind it.
    SnapshotSent(LinkId, Zxid),
    /// What [`Action::ReceiveSnapshot`] asked for is stored durably, and the tree has been replaced
    /// by it.
    SnapshotReceived(LinkId, Zxid),
    /// What [`Action::AskOracle`] asked for: whether this server may go on without the other one.
    OracleSaid(bool),
    /// Time has passed.
    Tick,
}

/// The epochs that a server must never forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The last epoch that was promised to a new leader.
    pub accepted: Epoch,
    /// The last epoch whose leader was followed.
    pub current: Epoch,
}

/// What is to be done outside, in this order. What concerns the disk is done by one writer, which
/// keeps the order too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a message of the election; it takes the place of an older one to the same server that
    /// has not left yet. Connects if there is no connection.
    Notify(ServerId, Bytes),
    /// Connect to the quorum port of a server, once; then say [`Input::Dialed`] or
    /// [`Input::DialFailed`]. It takes the place of an earlier call that has not been answered.
    Dial(ServerId),
    /// The same, but to the port at which a follower serves observers.
    DialMaster(ServerId),
    /// Send a packet.
    Send(LinkId, QuorumPacket),
    /// Close a link once everything before has been sent, and log why.
    Close(LinkId, LinkError),
    /// Append to the log; then say [`Input::Persisted`].
    Append(Zxid, Bytes),
    /// Remove everything behind this zxid from the log.
    Truncate(Zxid),
    /// Store the epochs durably; then say [`Input::EpochsSaved`].
    SaveEpochs(Epochs),
    /// Read the log from this zxid on, about so many bytes of it; then say [`Input::LogRead`].
    ReadLog {
        /// For whom.
        link: LinkId,
        /// The first zxid wanted.
        from: Zxid,
        /// Bytes of payload after which to stop.
        max_bytes: usize,
        /// If given, say `None`, too, if a snapshot is less work than all from `from` to this zxid,
        /// about (ZK: `ZKDatabase.calculateTxnLogSizeLimit`).
        weigh_to: Option<Zxid>,
    },
    /// Write a SNAP packet and the image of the tree; then say [`Input::SnapshotSent`].
    SendSnapshot(LinkId),
    /// What comes next on this link is an image of a tree; store it in the place of what there is,
    /// as of this zxid. Then call [`Peer::replace_log`](super::Peer::replace_log) and say
    /// [`Input::SnapshotReceived`]. If it breaks off, or nothing comes of it for `initLimit`, load
    /// what is stored again, call the same and say [`Input::Closed`].
    ReceiveSnapshot(LinkId, Zxid),
    /// Ask the oracle of an ensemble of two whether this server may go on alone, now; then say
    /// [`Input::OracleSaid`]. An oracle that cannot be asked says no.
    AskOracle,
    /// Tell the operator.
    Report(Report),
    /// End this server, which cannot go on.
    Stop(Fatal),
}

/// Why a server has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// It would look for a leader among members that are none any more.
    #[error(
        "the ensemble's members were changed by a reconfig, which this server cannot follow. Put \
         the servers that /zookeeper/config shows into its configuration and start it again"
    )]
    Outdated,
}

/// What an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Report {
    /// It looks for a leader, and why.
    #[error("looking for a leader: {0}")]
    Looking(String),
    /// It has been elected.
    #[error("elected, after {0} ms; the log ends with {1}")]
    Elected(u64, Zxid),
    /// Another server has been elected.
    #[error("server {0} was elected, after {1} ms; the log here ends with {2}")]
    Found(ServerId, u64, Zxid),
    /// Clients are served, so many milliseconds after what began the search for a leader.
    #[error("serving in epoch {0}, {1} ms after {2}")]
    Serving(Epoch, u64, &'static str),
    /// How the leader brings this server up to date.
    #[error("synchronising by {0} from {1}, the log here ends with {2}")]
    Synchronising(&'static str, Zxid, Zxid),
    /// A message of an election makes no sense.
    #[error("server {0} sent a notification that cannot be read: {1}")]
    BadNotification(ServerId, String),
    /// The members of the ensemble have changed.
    #[error(
        "the ensemble's members were changed by a reconfig, as of {0}; this server does not know \
         them and will end when it loses its leader. Put the servers that /zookeeper/config shows \
         into its configuration and start it again"
    )]
    Reconfigured(Zxid),
    /// A leader repeated itself, which is harmless.
    #[error("the leader sent {0} again")]
    Repeated(Zxid),
}

/// What happens inside, for whoever owns the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A transaction has come from the leader, and is being logged. It may be decided later.
    Proposed(Zxid, Bytes),
    /// Transactions behind this zxid are no more: a new leader does not have them.
    Dropped(Zxid),
    /// Clients may be served from now on; everything in the log is decided.
    Serving(Serving),
    /// Clients can no longer be served.
    Halted,
    /// A packet about clients has come: from whom this server learns, or from a learner.
    Client(LinkId, QuorumPacket),
    /// A learner is gone.
    LearnerGone(LinkId),
}

/// As what clients are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// As the leader of this epoch.
    Leader(Epoch),
    /// As a follower or an observer: writes go to the leader by this link.
    Learner(LinkId),
}

/// What comes out, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be done outside.
    Do(Action),
    /// To be heard inside.
    Tell(Event),
}

/// Why a link is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The other side says what this protocol does not know, or does not know now.
    #[error("{0}")]
    Protocol(String),
    /// Nothing has been heard for so many milliseconds.
    #[error("nothing was heard of it for {0} ms")]
    Silence(u64),
    /// It has not acknowledged a proposal for so many milliseconds.
    #[error("a proposal has waited {0} ms for its acknowledgement")]
    Slow(u64),
    /// Too many learners are being brought up to date.
    #[error("{0} learners are being brought up to date already; an observer has to wait")]
    Busy(usize),
    /// While it was being brought up to date, the log was trimmed behind what it had.
    #[error("it fell behind what is left of the log")]
    TooSlow,
    /// The same server has connected again.
    #[error("the server has connected again")]
    Replaced,
    /// This server is not, or no longer, what the other side takes it for.
    #[error("this server {0}")]
    Role(&'static str),
}
