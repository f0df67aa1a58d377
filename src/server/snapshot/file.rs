//! The tree as a snapshot file of ZooKeeper's, for whoever asks a running server for one
//! (ZK: `ZooKeeperServer.takeSnapshot`).

use super::{PIECES_AHEAD, Shared, SnapshotError};
use crate::store::apache::{Trailer, write_snapshot};
use crate::store::{Store, StoreError};
use crate::types::Zxid;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// A snapshot file, piece by piece.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    /// What the tree contains: every transaction up to here, and none behind.
    pub(crate) zxid: Zxid,
    /// All bytes of it.
    pub(crate) size: u64,
    /// Its pieces, or why it breaks off.
    pub(crate) pieces: mpsc::Receiver<Result<Bytes, StoreError>>,
}

impl Shared {
    /// Begins to write the tree as it is now. Writes go on meanwhile.
    ///
    /// # Errors
    /// `Store` or `Stopping`.
    pub(crate) async fn snapshot_file(
        &self,
        store: Arc<dyn Store>,
    ) -> Result<SnapshotFile, SnapshotError> {
        self.checkpoint_now().await?;
        let (tell, told) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        tokio::task::spawn_blocking(move || write(&*store, tell, &sender));
        let (zxid, size) = told.await??;
        Ok(SnapshotFile { zxid, size, pieces })
    }
}

/// Runs on a thread that may wait for the disk. The same view is read twice: whoever asked wants to
/// know the size first, and no file is made here.
fn write(
    store: &dyn Store,
    tell: oneshot::Sender<Result<(Zxid, u64), StoreError>>,
    pieces: &mpsc::Sender<Result<Bytes, StoreError>>,
) {
    let measured = store.view().and_then(|view| {
        let mut size = 0;
        write_snapshot(&*view, Trailer::DigestAndZxid, &mut |piece| {
            size += piece.len() as u64;
            Ok(())
        })?;
        Ok((view, size))
    });
    let (view, size) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            // If nobody listens any more, nobody misses it.
            let _ = tell.send(Err(error));
            return;
        }
    };
    let zxid = Zxid(view.mark().map_or(0, |mark| mark.applied));
    if tell.send(Ok((zxid, size))).is_err() {
        return;
    }
    let given_up = || StoreError::Refused("nobody takes it any more".to_owned());
    let sent = write_snapshot(&*view, Trailer::DigestAndZxid, &mut |piece| {
        pieces.blocking_send(Ok(piece)).map_err(|_| given_up())
    });
    if let Err(error) = sent {
        let _ = pieces.blocking_send(Err(error));
    }
}
