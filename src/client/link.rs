//! A connection as a stream of frames: buffers, batching, limits and the two idle timers.
//!
//! Everything read from the socket is cut into frames before the next read; everything queued goes
//! out in one write. Knows nothing of requests or sessions.

use super::Loss;
use bytes::{Buf, Bytes, BytesMut};
use jute::DecodeError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;
/// The buffer is filled up to the last this many bytes.
const MIN_READ_BYTES: usize = 4 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) struct Link<S> {
    io: S,
    input: BytesMut,
    /// What is to be written, from the first byte that has not been.
    pub(super) output: BytesMut,
    frame_limit: usize,
    timers: Timers,
}

/// When the server was last heard and spoken to, and when that must be looked at again.
#[derive(Debug)]
struct Timers {
    last_read: Instant,
    last_write: Instant,
    /// The connection is given up after this much silence.
    read_timeout: Duration,
    /// A ping is due after this much without a request.
    ping_interval: Duration,
    alarm: Pin<Box<Sleep>>,
}

/// Longest time without a ping, however long the session timeout (ZK: `MAX_SEND_PING_INTERVAL`).
const MAX_PING_INTERVAL: Duration = Duration::from_secs(10);

/// The head of a reply or notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) xid: i32,
    pub(super) zxid: i64,
    pub(super) err: i32,
}

/// Bytes of a reply's head.
const HEAD_LEN: usize = 16;

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// A connection whose session timeout has not been agreed on yet.
    pub(super) fn new(io: S, timeout: Duration, frame_limit: usize) -> Self {
        let now = Instant::now();
        let mut timers = Timers {
            last_read: now,
            last_write: now,
            read_timeout: Duration::ZERO,
            ping_interval: Duration::ZERO,
            alarm: Box::pin(sleep_until(now)),
        };
        timers.set_timeout(timeout);
        Self { io, input: BytesMut::new(), output: BytesMut::new(), frame_limit, timers }
    }

    /// Keeps the timers by the session timeout that was agreed on.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timers.set_timeout(timeout);
    }

    /// Writes all output, then reads until there is a frame, and returns that.
    pub(super) async fn exchange(&mut self) -> Result<Bytes, Loss> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(loss)) = self.poll_write(cx) {
                return Poll::Ready(Err(loss));
            }
            loop {
                if let Some(frame) = self.next_frame()? {
                    return Poll::Ready(Ok(frame));
                }
                ready!(self.poll_read(cx))?;
            }
        })
        .await
    }

    /// Writes as much output as the socket takes. Ready when none is left.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.output))? {
                0 => return Poll::Ready(Err(Loss::ServerClosed)),
                count => self.output.advance(count),
            }
            self.timers.last_write = Instant::now();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once. Ready when something was read.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        self.make_room();
        // The future holds no state of its own, so it need not outlive one poll.
        let count = ready!(pin!(self.io.read_buf(&mut self.input)).poll(cx))?;
        if count == 0 {
            return Poll::Ready(Err(Loss::ServerClosed));
        }
        self.timers.last_read = Instant::now();
        Poll::Ready(Ok(()))
    }

    /// Makes room for the rest of the frame that has begun, or for some more frames. A buffer whose
    /// frames are all done with is used again rather than replaced.
    fn make_room(&mut self) {
        let begun = self.input.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let frame = usize::try_from(begun).unwrap_or(usize::MAX).min(self.frame_limit) + 4;
        let missing = frame.saturating_sub(self.input.len());
        let room = self.input.capacity() - self.input.len();
        if room < missing.max(MIN_READ_BYTES) {
            self.input.reserve(missing.max(READ_BYTES));
        }
    }

    /// Takes the next frame that has been read in full, without its length.
    pub(super) fn next_frame(&mut self) -> Result<Option<Bytes>, Loss> {
        let Some(length) = self.frame_length()? else { return Ok(None) };
        self.input.advance(4);
        Ok(Some(self.input.split_to(length).freeze()))
    }

    /// Takes the next reply or notification that has been read in full.
    pub(super) fn next_reply(&mut self) -> Result<Option<(Head, Bytes)>, Loss> {
        let Some(length) = self.frame_length()? else { return Ok(None) };
        let Some(body) = length.checked_sub(HEAD_LEN) else {
            let missing = HEAD_LEN - length;
            return Err(Loss::Malformed(DecodeError::Truncated { missing }));
        };
        self.input.advance(4);
        let head = Head {
            xid: self.input.get_i32(),
            zxid: self.input.get_i64(),
            err: self.input.get_i32(),
        };
        let body = if body == 0 { Bytes::new() } else { self.input.split_to(body).freeze() };
        Ok(Some((head, body)))
    }

    /// The length of the next frame, if all of it is there.
    fn frame_length(&self) -> Result<Option<usize>, Loss> {
        let Some(length) = self.input.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        match usize::try_from(length) {
            Ok(count) if count <= self.frame_limit => {
                Ok((self.input.len() - 4 >= count).then_some(count))
            }
            _ => Err(Loss::FrameTooLarge { length, limit: self.frame_limit }),
        }
    }

    /// Waits for the timers. Ready with `Ok` when a ping is due, and with an error when the server
    /// has been silent for too long.
    pub(super) fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        let timers = &mut self.timers;
        while timers.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= timers.last_read + timers.read_timeout {
                return Poll::Ready(Err(Loss::Silence));
            }
            let is_ping_due = now >= timers.last_write + timers.ping_interval;
            if is_ping_due {
                timers.last_write = now;
            }
            timers.set_alarm();
            if is_ping_due {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}

impl Timers {
    fn set_timeout(&mut self, timeout: Duration) {
        self.read_timeout = timeout * 2 / 3;
        self.ping_interval = (timeout / 3).min(MAX_PING_INTERVAL);
        self.set_alarm();
    }

    fn set_alarm(&mut self) {
        let silence = self.last_read + self.read_timeout;
        let ping = self.last_write + self.ping_interval;
        self.alarm.as_mut().reset(silence.min(ping));
    }
}
