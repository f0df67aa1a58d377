//! Sockets between servers: bound with some patience, connected to whichever address answers first.

use super::super::listen;
use crate::config::Endpoint;
use socket2::TcpKeepalive;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections that may wait to be taken in.
const BACKLOG: i32 = 128;
/// Rest between two attempts to bind a port, as in ZooKeeper.
const BIND_REST: Duration = Duration::from_secs(1);
/// Rest after the system refused a connection, such as for lack of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Binds a port, at most `tries` times, or until it succeeds if that is 0.
///
/// # Errors
/// The last attempt's.
pub(super) async fn bind(endpoint: &Endpoint, tries: u32) -> io::Result<TcpListener> {
    let mut attempts = 0;
    loop {
        match listen::bind_endpoint(endpoint, BACKLOG) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                attempts += 1;
                if attempts == tries {
                    return Err(error);
                }
                tracing::warn!("cannot listen for servers on {endpoint}: {error}; trying again");
                tokio::time::sleep(BIND_REST).await;
            }
        }
    }
}

/// The next connection.
pub(super) async fn accept(listener: &TcpListener, keep_alive: bool) -> (TcpStream, SocketAddr) {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, remote)| {
            set_options(&stream, keep_alive)?;
            Ok((stream, SocketAddr::new(remote.ip().to_canonical(), remote.port())))
        });
        match accepted {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("a server's connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Connects to a server that has these addresses. All are tried at once, and the first to answer is
/// taken.
///
/// # Errors
/// What came of each address.
pub(super) async fn connect(
    endpoints: &[Endpoint],
    limit: Duration,
    keep_alive: bool,
) -> Result<TcpStream, String> {
    let mut attempts = JoinSet::new();
    for endpoint in endpoints {
        let endpoint = endpoint.clone();
        attempts.spawn(async move {
            let connected = tokio::time::timeout(limit, connect_one(&endpoint, keep_alive)).await;
            match connected {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(format!("{endpoint}: {error}")),
                Err(_) => Err(format!("{endpoint}: no answer in {} ms", limit.as_millis())),
            }
        });
    }
    let mut errors = Vec::new();
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => errors.push(error),
            Err(error) => errors.push(error.to_string()),
        }
    }
    if errors.is_empty() {
        errors.push("it has no address".to_owned());
    }
    Err(errors.join("; "))
}

async fn connect_one(endpoint: &Endpoint, keep_alive: bool) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    if stream.local_addr()? == stream.peer_addr()? {
        // The system may choose the very port that one connects to, if nobody listens there, and
        // then a server would talk to itself.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    set_options(&stream, keep_alive)?;
    Ok(stream)
}

fn set_options(stream: &TcpStream, keep_alive: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keep_alive {
        socket2::SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LONG: Duration = Duration::from_mins(1);

    async fn listener() -> (TcpListener, Endpoint) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        (listener, Endpoint::new("127.0.0.1", port))
    }

    #[tokio::test]
    async fn one_address_that_answers_is_enough() {
        let (listener, alive) = listener().await;
        let dead = Endpoint::new("no such host", 1);
        assert!(connect(&[dead.clone(), alive], LONG, true).await.is_ok());
        let (_, remote) = accept(&listener, true).await;
        assert!(remote.ip().is_loopback());
        let error = connect(&[dead], LONG, false).await.expect_err("no connection");
        assert!(error.starts_with("no such host:1: "), "{error}");
        assert!(connect(&[], LONG, false).await.is_err());
    }

    #[tokio::test]
    async fn a_port_that_somebody_has_cannot_be_bound() {
        let (_listener, taken) = listener().await;
        let error = bind(&taken, 1).await.expect_err("no port");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
