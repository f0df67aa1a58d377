//! Images of the tree between servers: from the store to a link, and from a link to the store.
//!
//! # Sending
//! [`Outgoing`] writes what is stored, not what is in memory, so that writes go on meanwhile: the
//! checkpoint thread first brings the store to where the tree is, then a thread that may wait for
//! the disk reads one view of it from end to end. At most 1.5 MiB of the image are in memory. The
//! log behind the image is kept from being trimmed as long as the [`LogPin`] lives that comes with
//! it.
//!
//! # Receiving
//! 1. [`Shared::drop_tree`]: the tree in memory goes, for two might not fit; what it had changed
//!    goes to the checkpoint thread, which takes nothing more of it.
//! 2. [`Incoming`] takes the bytes: znodes go into a new tree and, through the checkpoint thread,
//!    behind what waits there already, into the store, beside what is stored.
//! 3. [`Incoming::finish`]: the image takes the place of what was stored, durably, and the log is
//!    empty. Everything that the log thread was given before must be written by then.
//! 4. [`Shared::put_tree`]: the new tree is the tree, and the brain hears of it.
//!
//! If 2 or 3 fails, or is given up by dropping it, what was stored is as it was: it is to be loaded
//! again, and goes into step 4.
//!
//! # Sharp and fuzzy images
//! An image of Zabra's is of one moment, and says so in the data of its packet SNAP, which Apache
//! ZooKeeper leaves empty and does not look at. Apache ZooKeeper writes its images while
//! transactions are applied. What they lack comes with the transactions behind them, but for the
//! usage that quotas state: so that is counted anew. In an image of one moment it is right, and
//! counting could make it differ from the leader's; see [`crate::tree`]'s quotas.
//!
//! Knows nothing of sockets, nor of what else is said on a link.

mod file;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;

use super::Shared;
use super::checkpoints::{CheckpointQueue, LogPin, Stopping};
use super::options;
use crate::replica::{Input, Kept};
use crate::store::apache::{ImageDecoder, ImageError, ImageItem, write_image};
use crate::store::{Checkpoint, CheckpointKind, Store, StoreError};
use crate::tree::{LoadError, Tree, TreeLoader, TreeOptions};
use crate::types::{SessionId, Zxid};
use crate::zab;
use bytes::{Bytes, BytesMut};
use jute::Encode;
use jute::disk::{TreeMark, ZnodeRecord};
use jute::quorum::QuorumPacket;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, oneshot};

pub(crate) use file::SnapshotFile;

/// The kind of packet that an image follows.
const SNAP: i32 = 15;
/// The data of that packet if the image is of one moment.
const OF_ONE_MOMENT: &[u8] = b"of one moment";
/// Pieces of an image that may wait to be sent, of 256 KiB each.
const PIECES_AHEAD: usize = 4;
/// Bytes of records that go to the store together.
const PART_BYTES: usize = 512 << 10;
/// What a record costs in memory besides its bytes, about.
const RECORD_BYTES: usize = 64;
/// Bytes of an image that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Why an image did not get from one server to another.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The store. If the error is fatal, the server cannot go on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The other server says a zxid that no tree can have.
    #[error("{0} is no zxid of a tree")]
    Zxid(Zxid),
    /// What the other server sends is no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What the other server sends is no tree.
    #[error("the image makes no tree: {0}")]
    Tree(#[from] LoadError),
    /// The link broke.
    #[error("the link broke within an image: {0}")]
    Link(#[from] std::io::Error),
    /// Nothing is stored any more.
    #[error(transparent)]
    Stopping(#[from] Stopping),
}

impl From<oneshot::error::RecvError> for SnapshotError {
    fn from(_: oneshot::error::RecvError) -> Self {
        Self::Stopping(Stopping)
    }
}

/// Whether an image is of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// It has every transaction up to its zxid, and nothing of those behind.
    Sharp,
    /// It may have parts of transactions behind its zxid.
    Fuzzy,
}

impl Focus {
    /// What the packet SNAP in front of an image says of it.
    pub(crate) fn of(packet: &QuorumPacket) -> Self {
        match packet.data.as_deref() {
            Some(OF_ONE_MOMENT) => Self::Sharp,
            _ => Self::Fuzzy,
        }
    }
}

/// What the packet SNAP says of the image behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageHead {
    /// The last transaction that is in it as a whole.
    pub(crate) zxid: Zxid,
    pub(crate) focus: Focus,
}

/// The packet SNAP with the image behind it, piece by piece.
#[derive(Debug)]
pub(crate) struct Outgoing {
    zxid: Zxid,
    pin: LogPin,
    pieces: mpsc::Receiver<Result<Bytes, StoreError>>,
}

impl Outgoing {
    /// Begins to write the tree as it is now.
    ///
    /// # Errors
    /// `Store` or `Stopping`.
    pub(crate) async fn open(
        shared: &Shared,
        store: Arc<dyn Store>,
    ) -> Result<Self, SnapshotError> {
        let pin = shared.checkpoints.pin_log();
        shared.checkpoint_now().await?;
        Self::of_stored(store, pin).await
    }

    /// Begins to write the tree as it is stored.
    async fn of_stored(store: Arc<dyn Store>, pin: LogPin) -> Result<Self, SnapshotError> {
        let (tell_zxid, zxid) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = write(&*store, tell_zxid, &sender) {
                // Whoever gave the image up does not hear why it ends.
                let _ = sender.blocking_send(Err(error));
            }
        });
        let mut outgoing = Self { zxid: Zxid::ZERO, pin, pieces };
        if let Ok(zxid) = zxid.await {
            outgoing.zxid = zxid;
            outgoing.pin.advance(zxid.next());
            return Ok(outgoing);
        }
        match outgoing.pieces.recv().await {
            Some(Err(error)) => Err(error.into()),
            _ => Err(Stopping.into()),
        }
    }

    /// What the tree contains: every transaction up to here, and none behind.
    pub(crate) fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// The next piece; nothing after the last one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        Ok(self.pieces.recv().await.transpose()?)
    }

    /// Keeps the log behind the image. To be held until the other server has been sent what is
    /// there, and to be advanced as that goes on.
    pub(crate) fn into_pin(self) -> LogPin {
        self.pin
    }
}

/// Runs on a thread that may wait for the disk.
fn write(
    store: &dyn Store,
    tell_zxid: oneshot::Sender<Zxid>,
    pieces: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> Result<(), StoreError> {
    let given_up = || StoreError::Refused("nobody takes it any more".to_owned());
    let send = |piece| pieces.blocking_send(Ok(piece)).map_err(|_| given_up());
    let view = store.view()?;
    let zxid = view.mark().map_or(0, |mark| mark.applied);
    let data = Some(Bytes::from_static(OF_ONE_MOMENT));
    let packet = QuorumPacket { kind: SNAP, zxid, data, auth_info: None };
    tell_zxid.send(Zxid(zxid)).map_err(|_| given_up())?;
    send(packet.to_bytes())?;
    write_image(&*view, &mut |piece| send(piece))
}

/// What came in an image.
#[derive(Debug)]
pub(crate) struct Received {
    /// The tree, as it is stored now.
    pub(crate) tree: Tree,
    /// The sessions with their timeouts in milliseconds.
    pub(crate) sessions: BTreeMap<SessionId, i32>,
}

/// An image that is arriving.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    queue: &'a CheckpointQueue,
    head: ImageHead,
    decoder: ImageDecoder,
    loader: TreeLoader,
    sessions: BTreeMap<SessionId, i32>,
    part: Checkpoint,
    part_bytes: usize,
}

impl<'a> Incoming<'a> {
    /// Begins with an image in which no path, data or access control list may have more than
    /// `longest` bytes.
    ///
    /// # Errors
    /// `Zxid`.
    pub(crate) fn begin(
        queue: &'a CheckpointQueue,
        options: TreeOptions,
        head: ImageHead,
        longest: usize,
    ) -> Result<Self, SnapshotError> {
        if !(0..i64::MAX).contains(&head.zxid.0) {
            return Err(SnapshotError::Zxid(head.zxid));
        }
        Ok(Self {
            queue,
            head,
            decoder: ImageDecoder::new(head.zxid, longest),
            loader: TreeLoader::new(options),
            sessions: BTreeMap::new(),
            part: part(CheckpointKind::SnapshotBegin, Vec::new()),
            part_bytes: 0,
        })
    }

    /// Takes what has arrived off the front of `input`; true once the image is complete. What is
    /// behind it stays in `input`.
    ///
    /// # Errors
    /// `Image`, `Tree` or `Stopping`.
    pub(crate) async fn feed(&mut self, input: &mut BytesMut) -> Result<bool, SnapshotError> {
        while let Some(item) = self.decoder.next(input)? {
            match item {
                ImageItem::Session(id, timeout_ms) => {
                    self.sessions.insert(id, timeout_ms);
                    self.part.sessions.push((id, Some(timeout_ms)));
                    self.part_bytes += RECORD_BYTES;
                }
                ImageItem::Znode(path, record) => self.add(path, record)?,
                ImageItem::End => return Ok(true),
            }
            self.pass_on().await?;
        }
        Ok(false)
    }

    fn add(&mut self, path: String, record: ZnodeRecord) -> Result<(), LoadError> {
        let bytes = record.to_bytes();
        self.loader.insert(&path, record)?;
        let path = if path.is_empty() { "/".to_owned() } else { path };
        self.part_bytes += RECORD_BYTES + path.len() + bytes.len();
        self.part.znodes.push((path, Some(bytes)));
        Ok(())
    }

    /// Gives what has gathered to the checkpoint thread, if it is worth it.
    async fn pass_on(&mut self) -> Result<(), Stopping> {
        if self.part_bytes < PART_BYTES {
            return Ok(());
        }
        self.part_bytes = 0;
        let next = part(CheckpointKind::SnapshotPart, Vec::new());
        self.queue.push_part(std::mem::replace(&mut self.part, next)).await
    }

    /// Puts the complete image into the place of what is stored, durably.
    ///
    /// # Errors
    /// `Tree` or `Stopping`.
    pub(crate) async fn finish(self) -> Result<Received, SnapshotError> {
        let Self { queue, head, decoder, loader, sessions, part: last, .. } = self;
        let ImageHead { zxid, focus } = head;
        let awaited = decoder.awaited_acls();
        if awaited > 0 {
            tracing::info!(
                "{awaited} znodes were created or got another access control list while the leader \
                 wrote the image; nobody may use them until the transactions follow"
            );
        }
        let mut tree = match focus {
            Focus::Sharp => loader.finish_unchecked(zxid)?,
            Focus::Fuzzy => loader.finish_fuzzy(zxid)?,
        };
        let mark = TreeMark { applied: zxid.0, digest: tree.digest() };
        // With what the tree has otherwise than the image: a tree that is stored is right.
        let end = part(CheckpointKind::SnapshotEnd(mark), tree.drain_dirty());
        queue.push_part(last).await?;
        queue.push_part(end).await?;
        queue.written().await?;
        Ok(Received { tree, sessions })
    }
}

/// A part of an image that has no sessions yet.
fn part(kind: CheckpointKind, znodes: Vec<(String, Option<Bytes>)>) -> Checkpoint {
    Checkpoint { znodes, sessions: Vec::new(), kind }
}

/// Receives the image behind a packet SNAP of this zxid. `buffered` is what has been read from the
/// link already; when the image is complete, it is what has been read beyond it.
///
/// # Errors
/// As [`Incoming`], and `Link`.
pub(crate) async fn receive(
    mut incoming: Incoming<'_>,
    link: &mut (impl AsyncRead + Unpin),
    buffered: &mut BytesMut,
) -> Result<Received, SnapshotError> {
    while !incoming.feed(buffered).await? {
        buffered.reserve(READ_BYTES);
        if link.read_buf(buffered).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    incoming.finish().await
}

impl Shared {
    /// Brings the stored tree to where the tree is now, and resolves when it is there.
    fn checkpoint_now(&self) -> oneshot::Receiver<()> {
        let written = {
            let mut brain = self.brain.lock();
            let mut tree = self.tree.write();
            self.push_checkpoint(&mut brain, &mut tree);
            // Transactions that changed nothing count too.
            let mark = TreeMark { applied: tree.applied_zxid().0, digest: tree.digest() };
            let kind = CheckpointKind::Changes(mark);
            self.checkpoints.push(Checkpoint { znodes: Vec::new(), sessions: Vec::new(), kind });
            self.checkpoints.written()
        };
        // Whoever came meanwhile left its inputs to the holder of the brain.
        self.submit(&mut Vec::new());
        written
    }

    /// Lets go of the tree in memory, of which the store then has everything, and begins with an
    /// image of the tree. Until [`put_tree`](Self::put_tree) there is an empty tree, which is not
    /// stored; no client may be served.
    ///
    /// # Errors
    /// `Zxid`; then nothing has happened.
    pub(crate) async fn drop_tree(&self, head: ImageHead) -> Result<Incoming<'_>, SnapshotError> {
        let options = options::tree(&self.config.tree);
        let longest = 2 * self.options.frame_limit as usize;
        let incoming = Incoming::begin(&self.checkpoints, options, head, longest)?;
        let dropped = {
            let mut brain = self.brain.lock();
            let mut tree = self.tree.write();
            self.push_checkpoint(&mut brain, &mut tree);
            self.checkpoints.suspend();
            std::mem::replace(&mut *tree, Tree::new(options))
        };
        self.submit(&mut Vec::new());
        // It takes a while until a large one is gone. If the thread cannot be had, it is gone too.
        let _ = tokio::task::spawn_blocking(move || drop(dropped)).await;
        Ok(incoming)
    }

    /// Puts a tree into the place of the one that [`drop_tree`](Self::drop_tree) left, with its
    /// sessions and those changes of them that are not stored. Then the brain hears `input`.
    pub(crate) fn put_tree(&self, tree: Tree, kept: Kept, input: zab::Input) {
        {
            let mut brain = self.brain.lock();
            *self.tree.write() = tree;
            brain.replica.replaced(&self.tree.read(), kept, self.clock.now());
            self.checkpoints.resume();
            self.inbox.lock().push(Input::Quorum(input));
            self.run(&mut brain);
        }
        self.submit(&mut Vec::new());
    }
}
