//! One link between a leader and a learner: packets in, packets out, and how it ends.
//!
//! Whoever runs the brain puts packets into the outbox and, at the end of its batch, writes them to
//! the socket itself. What the socket does not take is left to the link's task.

use super::super::Shared;
use super::packets::cut_packet;
use crate::replica::Input;
use crate::types::LinkId;
use crate::zab::{self, LinkError};
use bytes::{Buf, BytesMut};
use jute::Encode;
use jute::quorum::QuorumPacket;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Room made for each read from the socket, and how little of it is worth reading into.
const READ_SIZE: usize = 64 * 1024;
const MIN_READ: usize = 4096;
/// Most bytes that may wait for the other side. A single packet may be larger; it is sent if
/// nothing else waits.
const MAX_WAITING: usize = 64 << 20;
/// With fewer bytes on their way, a link takes more of what there is no hurry for.
const LOW_WATER: usize = 1 << 20;
/// How long a link that is closed may take to send what is on its way.
const FAREWELL: Duration = Duration::from_secs(2);
/// Rest while this server is behind with what it was sent.
const SWAMPED_REST: Duration = Duration::from_millis(5);

/// A link, as everybody else sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) id: LinkId,
    /// Who is at the other end, for the log.
    pub(super) name: String,
    stream: TcpStream,
    outbox: Mutex<Outbox>,
    /// Wakes the writer: the outbox has changed.
    wake: Notify,
    /// Wakes who waits for the outbox to empty.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Outbox {
    bytes: BytesMut,
    /// The link ends once `bytes` are sent.
    closing: Option<Closing>,
    /// It has ended.
    ended: bool,
}

/// Why this server closes a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Closing {
    /// The broadcast says so, and needs not be told.
    Ordered(LinkError),
    /// Something else does.
    Failed(String),
}

impl Link {
    pub(super) fn new(id: LinkId, name: String, stream: TcpStream) -> Self {
        Self {
            id,
            name,
            stream,
            outbox: Mutex::default(),
            wake: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Puts a packet into the outbox.
    pub(super) fn push(&self, packet: &QuorumPacket) {
        let mut outbox = self.outbox.lock();
        if outbox.closing.is_some() || outbox.ended {
            return;
        }
        let size = packet.encoded_len();
        if !outbox.bytes.is_empty() && outbox.bytes.len() + size > MAX_WAITING {
            let waiting = outbox.bytes.len();
            outbox.bytes = BytesMut::new();
            let why = format!("it does not take what it is sent: {waiting} bytes wait");
            outbox.closing = Some(Closing::Failed(why));
            return;
        }
        outbox.bytes.reserve(size);
        packet.encode(&mut outbox.bytes);
    }

    /// Ends the link after what is on its way, as the broadcast says.
    pub(super) fn close(&self, why: LinkError) {
        self.end(Closing::Ordered(why));
    }

    /// Ends the link after what is on its way; the broadcast hears of it.
    pub(super) fn fail(&self, why: String) {
        self.end(Closing::Failed(why));
    }

    fn end(&self, why: Closing) {
        self.outbox.lock().closing.get_or_insert(why);
        self.wake.notify_one();
    }

    /// Sends what is on its way, as far as the socket takes it; the link's task does the rest.
    pub(crate) fn flush(&self) {
        let mut outbox = self.outbox.lock();
        let done = matches!(self.write_some(&mut outbox.bytes), Ok(true));
        if !done || outbox.closing.is_some() {
            self.wake.notify_one();
        }
    }

    /// Whether everything is written.
    fn write_some(&self, bytes: &mut BytesMut) -> io::Result<bool> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(size) => bytes.advance(size),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if bytes.capacity() > LOW_WATER {
            *bytes = BytesMut::new();
        }
        Ok(true)
    }

    /// Waits until little is on its way; false if the link has ended.
    pub(super) async fn drained(&self) -> bool {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            {
                let outbox = self.outbox.lock();
                if outbox.ended || outbox.closing.is_some() {
                    return false;
                }
                if outbox.bytes.len() < LOW_WATER {
                    return true;
                }
            }
            drained.await;
        }
    }

    /// Writes until the link is closed or the socket fails.
    async fn write(&self) -> io::Result<()> {
        let mut deadline = None;
        loop {
            let (done, closing) = {
                let mut outbox = self.outbox.lock();
                let done = self.write_some(&mut outbox.bytes)?;
                if outbox.bytes.len() < LOW_WATER {
                    self.drained.notify_waiters();
                }
                (done, outbox.closing.is_some())
            };
            if closing {
                deadline.get_or_insert_with(|| Instant::now() + FAREWELL);
                if done {
                    return Ok(());
                }
            }
            let late = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                ready = self.stream.writable(), if !done => ready?,
                () = late => return Ok(()),
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.outbox.lock().closing.is_some()
    }
}

/// Serves a link until it ends.
pub(super) async fn serve(shared: &Arc<Shared>, link: &Link) {
    let end = tokio::select! {
        why = read(shared, link) => why,
        result = link.write() => match result {
            Ok(()) => "closed".to_owned(),
            Err(error) => error.to_string(),
        },
    };
    let closing = {
        let mut outbox = link.outbox.lock();
        outbox.ended = true;
        outbox.bytes = BytesMut::new();
        outbox.closing.clone()
    };
    link.drained.notify_waiters();
    let name = &link.name;
    match closing {
        Some(Closing::Ordered(why)) => {
            tracing::info!("closed the link with {name}: {why}");
            return;
        }
        Some(Closing::Failed(why)) => tracing::warn!("closed the link with {name}: {why}"),
        None => tracing::info!("the link with {name} has ended: {end}"),
    }
    shared.submit(&mut vec![Input::Quorum(zab::Input::Closed(link.id))]);
}

/// Hands on what comes, until nothing does; says why.
async fn read(shared: &Arc<Shared>, link: &Link) -> String {
    let limit = shared.options.packet_limit;
    let mut input = BytesMut::new();
    let mut inputs = Vec::new();
    loop {
        if let Err(error) = link.stream.readable().await {
            return error.to_string();
        }
        if input.capacity() - input.len() < MIN_READ {
            input.reserve(READ_SIZE);
        }
        match link.stream.try_read_buf(&mut input) {
            Ok(0) if input.is_empty() => return "the other side closed it".to_owned(),
            Ok(0) => return "the other side closed it within a packet".to_owned(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return error.to_string(),
        }
        let mut bad = None;
        loop {
            match cut_packet(&mut input, limit) {
                Ok(Some(packet)) => {
                    inputs.push(Input::Quorum(zab::Input::Packet(link.id, packet)));
                }
                Ok(None) => break,
                Err(error) => {
                    bad = Some(error);
                    break;
                }
            }
        }
        if link.is_closing() {
            inputs.clear();
        }
        shared.submit(&mut inputs);
        if let Some(error) = bad {
            return error.to_string();
        }
        while shared.is_swamped() {
            tokio::time::sleep(SWAMPED_REST).await;
        }
    }
}
