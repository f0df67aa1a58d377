//! The client port: listening, and taking connections in.

use super::clock::wall_ms;
use super::conns::Refused;
use super::{Shared, connection};
use crate::config::{ClientPorts, Endpoint};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that may wait to be taken in, unless configured otherwise. ZooKeeper's 50 makes
/// clients wait for a second each when many come at once.
const BACKLOG: u32 = 1024;
/// Rest after the system refused a connection, such as for lack of file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Binds the client port.
///
/// # Errors
/// The address does not exist here, or somebody else has it.
pub(crate) fn bind(endpoint: &Endpoint, ports: &ClientPorts) -> io::Result<TcpListener> {
    bind_endpoint(endpoint, i32::try_from(ports.backlog.unwrap_or(BACKLOG)).unwrap_or(i32::MAX))
}

/// Binds a port that `backlog` connections may wait at.
///
/// # Errors
/// As [`bind`].
pub(crate) fn bind_endpoint(endpoint: &Endpoint, backlog: i32) -> io::Result<TcpListener> {
    if endpoint.is_any() {
        // Both families by one socket, where the system has IPv6.
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, endpoint.port));
        return bind_address(any, backlog).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Err(error),
            _ => bind_address((Ipv4Addr::UNSPECIFIED, endpoint.port).into(), backlog),
        });
    }
    let address = (endpoint.host.as_str(), endpoint.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
    bind_address(address, backlog)
}

fn bind_address(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections in until the task is dropped.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener, keep_alive: bool) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => take_in(&shared, stream, remote, keep_alive),
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn take_in(shared: &Arc<Shared>, stream: TcpStream, remote: SocketAddr, keep_alive: bool) {
    // An IPv4 client on the socket of both families.
    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    if let Err(error) = set_options(&stream, keep_alive) {
        tracing::debug!("{remote}: {error}");
        return;
    }
    match shared.conns.add(stream, remote, wall_ms()) {
        Ok(conn) => {
            tokio::spawn(connection::serve(Arc::clone(shared), conn));
        }
        Err(why) => {
            shared.stats.rejected.fetch_add(1, Relaxed);
            match why {
                Refused::TooMany(count) => {
                    tracing::warn!("{remote}: refused: {count} connections, see maxCnxns");
                }
                Refused::TooManyFrom(ip, count) => {
                    tracing::warn!(
                        "{remote}: refused: {count} connections from {ip}, see maxClientCnxns"
                    );
                }
            }
        }
    }
}

fn set_options(stream: &TcpStream, keep_alive: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keep_alive {
        socket2::SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new())?;
    }
    Ok(())
}
