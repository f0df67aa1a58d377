//! What a user can choose about a client.

use crate::types::SessionId;
use jute::client::AuthPacket;
use std::time::Duration;

/// A session's identity and the secret that lets a client go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// The session's id.
    pub id: SessionId,
    /// Its password, 16 bytes.
    pub password: Vec<u8>,
}

/// How a client connects and how much it may hold.
#[derive(Clone, Debug)]
pub struct Options {
    /// The session timeout to ask for; servers grant one within their bounds. Default 30 s.
    pub session_timeout: Duration,
    /// How long [`super::Client::connect`] waits for the first connection. Default 30 s.
    pub connect_timeout: Duration,
    /// Whether a server without a quorum will do. Default false.
    pub read_only: bool,
    /// The session to go on with, instead of a new one.
    pub resume: Option<SessionKey>,
    /// Credentials for every connection of the session.
    pub auth: Vec<(String, Vec<u8>)>,
    /// The largest frame to send or accept, in bytes (ZK: `jute.maxbuffer`). Default 1048575.
    pub frame_limit: usize,
    /// How many requests may be queued or unanswered; further ones wait. Default 4096.
    pub max_outstanding: usize,
    /// How many notices a persistent watch holds before it drops some and says so. Default 1024.
    pub watch_capacity: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
            read_only: false,
            resume: None,
            auth: Vec::new(),
            frame_limit: 0xf_ffff,
            max_outstanding: 4096,
            watch_capacity: 1024,
        }
    }
}

impl Options {
    /// The auth packets for the credentials.
    pub(super) fn auth_packets(&self) -> Vec<AuthPacket> {
        let packet = |(scheme, data): &(String, Vec<u8>)| auth_packet(scheme, data);
        self.auth.iter().map(packet).collect()
    }

    /// The session timeout in milliseconds, as the handshake carries it.
    pub(super) fn timeout_millis(&self) -> i32 {
        i32::try_from(self.session_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// The packet for one credential.
pub(super) fn auth_packet(scheme: &str, data: &[u8]) -> AuthPacket {
    let auth = Some(bytes::Bytes::copy_from_slice(data));
    AuthPacket { kind: 0, scheme: Some(scheme.to_owned()), auth }
}
