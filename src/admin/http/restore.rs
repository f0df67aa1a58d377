//! The command `restore` (ZK: `Commands.RestoreCommand`).

use super::super::json::Json;
use super::snapshot::answer;
use super::{Admin, Answer, json};
use crate::server::{RestoreError, Upload};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const COMMAND: &str = "restore";
/// Pieces of what is uploaded that may wait for the disk.
const PIECES: usize = 8;
/// How long whoever uploads may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a tree is not taken in.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("what was sent breaks off: {0}")]
    Broken(hyper::Error),
    #[error("nothing has come for {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the server is stopping")]
    Stopping,
}

/// Takes in a snapshot file of ZooKeeper's. Nothing changes until all of it is checked and stored;
/// then the server begins anew with it.
pub(super) async fn restore(admin: &Arc<Admin>, body: Incoming) -> Answer {
    // Whoever sends it may go before it is answered; what has begun is done to its end.
    let done = tokio::spawn(restore_to_the_end(Arc::clone(admin), body)).await;
    done.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server is stopping"))
}

async fn restore_to_the_end(admin: Arc<Admin>, body: Incoming) -> Answer {
    let admin = &admin;
    let (shared, images) = (&admin.shared, &admin.shared.stats.images);
    if !shared.config.admin.restore {
        return answer(StatusCode::SERVICE_UNAVAILABLE, COMMAND);
    }
    if shared.config.ensemble.is_some() {
        let why = "a member of an ensemble would be brought back to what the others have: stop all \
                   of them, run `zabra import` with this snapshot for each, and start them";
        return refusal(StatusCode::CONFLICT, why);
    }
    let Some(_restoring) = admin.limits.restoring() else {
        images.restores_limited.fetch_add(1, Relaxed);
        return answer(StatusCode::TOO_MANY_REQUESTS, COMMAND);
    };
    let started = Instant::now();
    match take(admin, body).await {
        Ok(zxid) => {
            images.restored_ms.add(u64::try_from(started.elapsed().as_millis()).unwrap_or(0));
            shared.change_over();
            let fields = [
                ("last_zxid", Json::Whole(zxid)),
                ("command", COMMAND.into()),
                ("error", Json::Null),
            ];
            json(StatusCode::OK, &Json::object(fields))
        }
        Err(error) => {
            images.restore_errors.fetch_add(1, Relaxed);
            tracing::warn!("restore: {error}; nothing has changed");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

fn refusal(status: StatusCode, why: &str) -> Answer {
    json(status, &Json::object([("command", Json::from(COMMAND)), ("error", why.into())]))
}

/// Takes in all that is sent; the last zxid of it.
async fn take(admin: &Arc<Admin>, mut body: Incoming) -> Result<i64, Failed> {
    let (sender, mut pieces) = mpsc::channel(PIECES);
    let (shared, store) = (Arc::clone(&admin.shared), Arc::clone(&admin.store));
    let storing = tokio::task::spawn_blocking(move || {
        let mut upload = Upload::begin(&shared, store)?;
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Data(data) => upload.write(&data)?,
                Piece::End => return upload.finish().map(Some),
            }
        }
        Ok::<_, RestoreError>(None)
    });
    let sent = send(&mut body, &sender).await;
    drop(sender);
    let stored = storing.await.map_err(|_| Failed::Stopping)??;
    sent?;
    stored.map(|zxid| zxid.0).ok_or(Failed::Stopping)
}

/// What goes to the disk. Without an end, whoever sends has broken off.
enum Piece {
    Data(Bytes),
    End,
}

async fn send(body: &mut Incoming, sender: &mpsc::Sender<Piece>) -> Result<(), Failed> {
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
        let piece = match frame.map_err(|_| Failed::Silent)? {
            Some(frame) => {
                Piece::Data(frame.map_err(Failed::Broken)?.into_data().unwrap_or_default())
            }
            None => Piece::End,
        };
        let is_end = matches!(piece, Piece::End);
        // If the other side has failed, it says why.
        if sender.send(piece).await.is_err() || is_end {
            return Ok(());
        }
    }
}
