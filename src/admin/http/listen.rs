//! A port that HTTP is spoken on.

use super::Answer;
use crate::config::Endpoint;
use crate::server::{Shared, bind_endpoint};
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections that may wait to be taken in.
const BACKLOG: i32 = 64;
/// Connections that are served at a time; others wait. Who looks at a server needs few.
const MAX_CONNECTIONS: usize = 64;
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// Rest after the system refused a connection.
const REST: Duration = Duration::from_millis(50);

/// The body of an answer: all at once, or as it is made.
pub(super) type Bodies = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {endpoint}: {error}")]
pub(crate) struct Failed {
    key: &'static str,
    endpoint: Endpoint,
    error: io::Error,
}

/// A port that is had.
pub(super) struct Port {
    listener: TcpListener,
    idle: Duration,
    pub(super) address: SocketAddr,
}

impl Port {
    /// Binds the port that a key of the configuration names. A connection may be silent for `idle`.
    pub(super) fn bind(
        endpoint: &Endpoint,
        key: &'static str,
        idle: Duration,
    ) -> Result<Self, Failed> {
        let bound = bind_endpoint(endpoint, BACKLOG);
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            bound.map_err(|error| Failed { key, endpoint: endpoint.clone(), error })?;
        Ok(Self { listener, idle, address })
    }

    /// Answers requests until the server is to stop, and then those that are being answered.
    pub(super) async fn serve<F, A>(self, shared: Arc<Shared>, answer: F)
    where
        F: Fn(Request<Incoming>, SocketAddr) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                while connections.try_join_next().is_some() {}
                match self.listener.accept().await {
                    Ok((stream, remote)) => {
                        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                        let (answer, idle) = (answer.clone(), self.idle);
                        let shared = Arc::clone(&shared);
                        connections.spawn(async move {
                            converse(stream, remote, idle, &shared, answer).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("an HTTP connection could not be accepted: {error}");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = shared.stopping() => {}
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

async fn converse<F, A>(
    stream: TcpStream,
    remote: SocketAddr,
    idle: Duration,
    shared: &Shared,
    answer: F,
) where
    F: Fn(Request<Incoming>, SocketAddr) -> A + Send + Sync,
    A: Future<Output = Answer> + Send,
{
    let service = service_fn(|request| {
        let answer = answer(request, remote);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MAX_HEAD)
        // Whoever says no more may still wait for the answer; and whoever is gone has asked.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shared.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("{remote}: {error}");
    }
}
