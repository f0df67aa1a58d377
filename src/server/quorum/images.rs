//! Images of the tree on a link: a leader's, on their way out, and a learner's, on their way in.
//!
//! While an image comes in, this server has no tree. Whatever ends that, the link or the server's
//! own doing, what is stored is loaded again.

use super::super::snapshot::{ImageHead, Outgoing, Received, SnapshotError, receive};
use super::super::{Shared, clock, options, recover};
use super::link::Link;
use crate::replica::{Input, Kept, Recovered, Recovery};
use crate::store::Store;
use crate::types::{LinkId, Zxid};
use crate::zab;
use bytes::BytesMut;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Rest before another look at whether the log thread has written what it was given.
const LOG_REST: Duration = Duration::from_millis(2);

/// Sends the tree as it is now.
pub(super) async fn send(shared: &Arc<Shared>, store: Arc<dyn Store>, link: &Link) {
    let sent = async {
        let mut image = Outgoing::open(shared, store).await?;
        while let Some(piece) = image.next().await? {
            if !link.drained().await {
                return Ok(None);
            }
            link.push_bytes(&piece);
        }
        let zxid = image.zxid();
        link.pin_log(image.into_pin());
        Ok::<_, SnapshotError>(Some(zxid))
    };
    match sent.await {
        Ok(Some(zxid)) => {
            tracing::info!("sent an image of the tree as of {zxid} to {}", link.name());
            let input = zab::Input::SnapshotSent(link.id, zxid);
            shared.submit(&mut vec![Input::Quorum(input)]);
        }
        // The link has ended, and the broadcast has heard of that.
        Ok(None) => {}
        Err(SnapshotError::Store(error)) => {
            shared.stop.fail(format!("the stored tree cannot be read: {error}"));
        }
        Err(error) => link.fail(error.to_string()),
    }
}

/// An image that this server waits for or that arrives.
pub(super) struct Arrival<'a> {
    shared: &'a Arc<Shared>,
    store: &'a Arc<dyn Store>,
    /// What was applied before the tree went.
    gone: Option<Zxid>,
}

impl<'a> Arrival<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, store: &'a Arc<dyn Store>) -> Self {
        Self { shared, store, gone: None }
    }

    /// Takes an image off a link, of which `input` has been read already, and puts it into the
    /// place of the tree. If that fails, or is given up, the tree is gone until
    /// [`restore`](Self::restore).
    ///
    /// # Errors
    /// What is wrong with the image or the link.
    pub(super) async fn take(
        &mut self,
        link: LinkId,
        stream: &TcpStream,
        head: ImageHead,
        input: &mut BytesMut,
    ) -> Result<(), SnapshotError> {
        let shared = self.shared;
        while !shared.log.is_idle() {
            tokio::time::sleep(LOG_REST).await;
        }
        self.gone = Some(shared.tree.read().applied_zxid());
        let (zxid, started) = (head.zxid, Instant::now());
        let incoming = shared.drop_tree(head).await?;
        let patience = shared.options.snapshot_patience;
        let mut reader = PatientReader::new(stream, patience);
        let Received { mut tree, sessions } = receive(incoming, &mut reader, input).await?;
        tracing::info!(
            "received an image of the tree as of {zxid}: {} znodes and {} sessions in {} ms",
            tree.node_count(),
            sessions.len(),
            started.elapsed().as_millis()
        );
        if let Some(ensemble) = &shared.config.ensemble {
            options::set_config(&mut tree, ensemble, clock::wall_ms());
        }
        self.gone = None;
        let input = zab::Input::SnapshotReceived(link, zxid);
        shared.put_tree(tree, Kept { sessions, ..Kept::default() }, input);
        Ok(())
    }

    /// Loads what is stored again, if the tree is gone; then the brain hears `input`.
    pub(super) async fn restore(&mut self, input: zab::Input) {
        let (shared, store) = (self.shared, Arc::clone(self.store));
        let Some(decided) = self.gone.take() else {
            return shared.submit(&mut vec![Input::Quorum(input)]);
        };
        // If nothing is written any more, the server is ending.
        let _ = shared.checkpoints.written().await;
        let recovery = Recovery::member(options::tree(&shared.config.tree), decided);
        let loading = tokio::task::spawn_blocking(move || recover::recover(&*store, recovery));
        match loading.await {
            Ok(Ok((recovered, _))) => {
                let Recovered { tree, sessions, session_changes, tail, .. } = recovered;
                tracing::info!("loaded the tree as of {} again", tree.applied_zxid());
                shared.put_tree(tree, Kept { sessions, session_changes, tail }, input);
            }
            Ok(Err(error)) => {
                shared.stop.fail(format!("the stored tree cannot be loaded again: {error}"));
            }
            // The thread has panicked or the server is ending.
            Err(_) => {}
        }
    }
}

/// Reads from a socket, and fails when nothing has come for a while.
struct PatientReader<'a> {
    stream: &'a TcpStream,
    patience: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl<'a> PatientReader<'a> {
    fn new(stream: &'a TcpStream, patience: Duration) -> Self {
        Self { stream, patience, sleep: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl AsyncRead for PatientReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    ready!(self.sleep.as_mut().poll(cx));
                    return Poll::Ready(Err(ErrorKind::TimedOut.into()));
                }
            }
            match self.stream.try_read(buf.initialize_unfilled()) {
                Ok(size) => {
                    buf.advance(size);
                    let deadline = Instant::now() + self.patience;
                    self.sleep.as_mut().reset(deadline);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
