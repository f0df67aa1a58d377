//! One link between a leader and a learner: packets in, packets out, and how it ends.
//!
//! Whoever runs the brain puts packets into the outbox and, at the end of its batch, writes them to
//! the socket itself. What the socket does not take is left to the link's task.

use super::super::Shared;
use super::super::checkpoints::LogPin;
use super::super::clock::wall_ms;
use super::super::snapshot::{Focus, ImageHead};
use super::images::Arrival;
use super::packets::{BadPacket, NEWLEADER, SNAP, cut_packet, introduced};
use crate::replica::Input;
use crate::store::Store;
use crate::types::{LinkId, ServerId, Zxid};
use crate::zab::{self, LinkError};
use bytes::{Buf, BytesMut};
use jute::Encode;
use jute::quorum::QuorumPacket;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
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
    /// Where the other end is.
    address: String,
    /// Which server is there, if it is known.
    server: OnceLock<ServerId>,
    stream: TcpStream,
    /// When it was made, milliseconds since the Unix epoch.
    since_wall: i64,
    /// Packets that came and that went.
    received: AtomicU64,
    sent: AtomicU64,
    outbox: Mutex<Outbox>,
    /// Wakes the writer: the outbox has changed.
    wake: Notify,
    /// Wakes who waits for the outbox to empty.
    drained: Notify,
    /// The image that the reader is to take, and what wakes it for that.
    image: Mutex<Option<Zxid>>,
    image_wake: Notify,
}

/// What there is to see of a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkFigures {
    /// Where the other end is.
    pub(crate) address: String,
    /// When it was made, milliseconds since the Unix epoch.
    pub(crate) since_wall: i64,
    /// Bytes that wait to be sent.
    pub(crate) waiting_bytes: usize,
    /// Packets received.
    pub(crate) received: u64,
    /// Packets sent, or on their way.
    pub(crate) sent: u64,
}

#[derive(Debug, Default)]
struct Outbox {
    bytes: BytesMut,
    /// Keeps what the other side has yet to be sent in the log.
    pin: Option<LogPin>,
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
    pub(super) fn new(
        id: LinkId,
        address: String,
        server: Option<ServerId>,
        stream: TcpStream,
    ) -> Self {
        Self {
            id,
            address,
            server: server.map_or_else(OnceLock::new, OnceLock::from),
            stream,
            since_wall: wall_ms(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            outbox: Mutex::default(),
            wake: Notify::new(),
            drained: Notify::new(),
            image: Mutex::default(),
            image_wake: Notify::new(),
        }
    }

    /// Who is at the other end, for the log.
    pub(super) fn name(&self) -> String {
        match self.server.get() {
            Some(server) => format!("server {server} at {}", self.address),
            None => self.address.clone(),
        }
    }

    /// What there is to see of it.
    pub(crate) fn figures(&self) -> LinkFigures {
        LinkFigures {
            address: self.address.clone(),
            since_wall: self.since_wall,
            waiting_bytes: self.outbox.lock().bytes.len(),
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
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
        if packet.kind == NEWLEADER {
            // Nothing is read from the log for it any more.
            outbox.pin = None;
        }
        self.sent.fetch_add(1, Relaxed);
        outbox.bytes.reserve(size);
        packet.encode(&mut outbox.bytes);
    }

    /// Sends bytes as they are.
    pub(super) fn push_bytes(&self, bytes: &[u8]) {
        let mut outbox = self.outbox.lock();
        if outbox.closing.is_none() && !outbox.ended {
            outbox.bytes.extend_from_slice(bytes);
        }
        drop(outbox);
        self.flush();
    }

    /// Keeps the log for this link, instead of what was kept before.
    pub(super) fn pin_log(&self, pin: LogPin) {
        let mut outbox = self.outbox.lock();
        if !outbox.ended {
            outbox.pin = Some(pin);
        }
    }

    /// The log is read for this link from here on; what is before may go.
    pub(super) fn advance_pin(&self, from: Zxid, make: impl FnOnce() -> LogPin) {
        let mut outbox = self.outbox.lock();
        if !outbox.ended {
            outbox.pin.get_or_insert_with(make).advance(from);
        }
    }

    /// What the reader waits for behind a SNAP: to be told that it is to take the image.
    pub(super) fn expect_image(&self, zxid: Zxid) {
        *self.image.lock() = Some(zxid);
        self.image_wake.notify_one();
    }

    async fn image(&self) -> Zxid {
        loop {
            if let Some(zxid) = self.image.lock().take() {
                return zxid;
            }
            self.image_wake.notified().await;
        }
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
pub(super) async fn serve(shared: &Arc<Shared>, store: &Arc<dyn Store>, link: &Link) {
    let mut arrival = Arrival::new(shared, store);
    let end = tokio::select! {
        why = read(shared, link, &mut arrival) => why,
        result = link.write() => match result {
            Ok(()) => "closed".to_owned(),
            Err(error) => error.to_string(),
        },
    };
    let closing = {
        let mut outbox = link.outbox.lock();
        outbox.ended = true;
        outbox.bytes = BytesMut::new();
        outbox.pin = None;
        outbox.closing.clone()
    };
    link.drained.notify_waiters();
    let name = link.name();
    match closing {
        Some(Closing::Ordered(why)) => {
            tracing::info!("closed the link with {name}: {why}");
            return arrival.restore(zab::Input::Tick).await;
        }
        Some(Closing::Failed(why)) => tracing::warn!("closed the link with {name}: {why}"),
        None => tracing::info!("the link with {name} has ended: {end}"),
    }
    arrival.restore(zab::Input::Closed(link.id)).await;
}

/// Hands on what comes, until nothing does; says why.
async fn read(shared: &Arc<Shared>, link: &Link, arrival: &mut Arrival<'_>) -> String {
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
        loop {
            let next = read_packets(link, &mut input, limit, &mut inputs);
            if link.is_closing() {
                inputs.clear();
            }
            shared.submit(&mut inputs);
            match next {
                Ok(None) => break,
                Ok(Some(focus)) => {
                    let head = ImageHead { zxid: link.image().await, focus };
                    let taken = arrival.take(link.id, &link.stream, head, &mut input).await;
                    if let Err(error) = taken {
                        return error.to_string();
                    }
                }
                Err(error) => return error.to_string(),
            }
        }
        while shared.is_swamped() {
            tokio::time::sleep(SWAMPED_REST).await;
        }
    }
}

/// Takes the whole packets that have arrived, up to one that an image follows.
fn read_packets(
    link: &Link,
    input: &mut BytesMut,
    limit: usize,
    inputs: &mut Vec<Input>,
) -> Result<Option<Focus>, BadPacket> {
    while let Some(packet) = cut_packet(input, limit)? {
        link.received.fetch_add(1, Relaxed);
        let image = (packet.kind == SNAP).then(|| Focus::of(&packet));
        if let Some(server) = introduced(&packet) {
            // Only what it says first counts.
            let _ = link.server.set(server);
        }
        inputs.push(Input::Quorum(zab::Input::Packet(link.id, packet)));
        if image.is_some() {
            return Ok(image);
        }
    }
    Ok(None)
}
