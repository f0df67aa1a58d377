//! The first bytes on a connection to the election port: who connects, and where to find it
//! (ZK: `QuorumCnxManager.InitialMessage`).
//!
//! Nothing is answered to them. ZooKeeper reads the addresses with a single read, so they must
//! leave in one piece.

use crate::config::Endpoint;
use crate::types::ServerId;
use bytes::{BufMut, Bytes, BytesMut};
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// One address follows.
const VERSION_1: i64 = -65_536;
/// Several addresses may follow, which servers before 3.6 do not understand.
const VERSION_2: i64 = -65_535;
/// Most bytes of the addresses.
const MAX_ADDRESSES: usize = 2048;

/// What a server says of itself when it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Its id, as it says.
    pub(super) server: ServerId,
    /// Where it listens for elections; none if it does not say.
    pub(super) addresses: Vec<Endpoint>,
}

impl Greeting {
    /// The bytes. Without `several` only the first address is told.
    pub(super) fn encode(&self, several: bool) -> Bytes {
        let told = if several { self.addresses.len() } else { 1 };
        let addresses: Vec<String> =
            self.addresses.iter().take(told).map(Endpoint::to_string).collect();
        let addresses = addresses.join("|");
        let mut out = BytesMut::with_capacity(20 + addresses.len());
        out.put_i64(if several { VERSION_2 } else { VERSION_1 });
        out.put_i64(self.server.0);
        jute::put_blob(&mut out, addresses.as_bytes());
        out.freeze()
    }

    /// Reads it off a connection, and not a byte more.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Self, String> {
        let broken = |error: std::io::Error| format!("it ends within its first message: {error}");
        let version = from.read_i64().await.map_err(broken)?;
        if version >= 0 {
            // Servers before 3.5 begin with their id, and say no more.
            return Ok(Self { server: ServerId(version), addresses: Vec::new() });
        }
        if version != VERSION_1 && version != VERSION_2 {
            return Err(format!("it speaks version {version} of the election's connections"));
        }
        let server = ServerId(from.read_i64().await.map_err(broken)?);
        let length = from.read_i32().await.map_err(broken)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| (1..=MAX_ADDRESSES).contains(length))
            .ok_or_else(|| format!("server {server} sends {length} bytes of addresses"))?;
        let mut text = vec![0; length];
        from.read_exact(&mut text).await.map_err(broken)?;
        let text = String::from_utf8_lossy(&text);
        let addresses = text.trim_end_matches('|').split('|').map(address);
        let addresses: Option<Vec<Endpoint>> = addresses.collect();
        let mut addresses =
            addresses.ok_or_else(|| format!("server {server} says that it is at {:?}", &*text))?;
        addresses.retain(|address| !is_wildcard(&address.host));
        Ok(Self { server, addresses })
    }
}

/// Reads `host:port`, an IPv6 host in brackets.
fn address(text: &str) -> Option<Endpoint> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => inside.split_once("]:")?,
        None => text.split_once(':')?,
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then(|| Endpoint::new(host, port))
}

/// Whether a host stands for all addresses of a machine, and so for none that one could connect to.
fn is_wildcard(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(version: i64, server: i64, addresses: &[u8]) -> Vec<u8> {
        let length = i32::try_from(addresses.len()).expect("a length").to_be_bytes();
        [&version.to_be_bytes()[..], &server.to_be_bytes(), &length, addresses].concat()
    }

    async fn read(bytes: &[u8]) -> Result<Greeting, String> {
        Greeting::read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn a_greeting_is_what_zookeeper_sends() {
        // Captured from ZooKeeper 3.8.
        let theirs = bytes(VERSION_1, 2, b"127.0.0.1:23202");
        let addresses = vec![Endpoint::new("127.0.0.1", 23202)];
        let greeting = Greeting { server: ServerId(2), addresses };
        assert_eq!(greeting.encode(false), theirs);
        assert_eq!(read(&theirs).await, Ok(greeting));
    }

    #[tokio::test]
    async fn several_addresses_need_the_second_version() {
        let addresses = vec![Endpoint::new("a", 1), Endpoint::new("::1", 2)];
        let greeting = Greeting { server: ServerId(7), addresses };
        assert_eq!(greeting.encode(true), bytes(VERSION_2, 7, b"a:1|[::1]:2"));
        assert_eq!(greeting.encode(false), bytes(VERSION_1, 7, b"a:1"));
        assert_eq!(read(&greeting.encode(true)).await, Ok(greeting));
    }

    #[tokio::test]
    async fn an_old_server_says_its_id_alone() {
        let expected = Greeting { server: ServerId(3), addresses: Vec::new() };
        assert_eq!(read(&3_i64.to_be_bytes()).await, Ok(expected));
    }

    #[tokio::test]
    async fn addresses_that_nobody_can_connect_to_do_not_count() {
        let theirs = bytes(VERSION_2, 3, b"0.0.0.0:1|[::]:2|h:3|");
        let expected = Greeting { server: ServerId(3), addresses: vec![Endpoint::new("h", 3)] };
        assert_eq!(read(&theirs).await, Ok(expected));
    }

    #[tokio::test]
    async fn what_is_no_greeting_is_refused() {
        let whole = bytes(VERSION_1, 2, b"127.0.0.1:23202");
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).await.is_err(), "{end}");
        }
        let table = [
            bytes(-1, 2, b"h:1"),
            bytes(VERSION_1, 2, b""),
            bytes(VERSION_1, 2, &[b'x'; MAX_ADDRESSES + 1]),
            bytes(VERSION_1, 2, b"h"),
            bytes(VERSION_1, 2, b"h:"),
            bytes(VERSION_1, 2, b":1"),
            bytes(VERSION_1, 2, b"h:65536"),
            bytes(VERSION_1, 2, b"[::1"),
            bytes(VERSION_1, 2, b"h:1||h:2"),
            b"GET / HTTP/1.1\r\nHost: zookeeper\r\n\r\n".map(|byte| byte | 0x80).to_vec(),
        ];
        for (index, garbage) in table.iter().enumerate() {
            assert!(read(garbage).await.is_err(), "{index}");
        }
    }
}
