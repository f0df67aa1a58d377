//! The shell's session with the servers.

use super::announcer::Announcer;
use super::arguments::Settings;
use super::failure::Failure;
use crate::client::{Attempts, Client, ClientError, ConnectString, Options, SessionState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// The shell's session: made when it is first needed, and again when it has expired.
#[derive(Debug)]
pub(super) struct Session {
    servers: String,
    options: Options,
    /// Shared with the completion of paths.
    client: Current,
    /// Who tells of events; none where only one command is run.
    announcer: Option<Arc<Announcer>>,
    /// Whether the user has closed it, so that none is made without being asked for.
    is_closed: bool,
}

/// The client of the moment.
pub(super) type Current = Arc<Mutex<Option<Client>>>;

/// How long the end of a session may take when the shell ends.
const CLOSING: Duration = Duration::from_secs(2);

impl Session {
    pub(super) fn new(settings: Settings) -> Self {
        let options = Options {
            session_timeout: settings.timeout,
            connect_timeout: settings.patience,
            read_only: settings.read_only,
            ..Options::default()
        };
        let client = Current::default();
        Self { servers: settings.servers, options, client, announcer: None, is_closed: false }
    }

    /// Connects in the background from now on, and tells of what happens.
    pub(super) fn announce_by(&mut self, announcer: Arc<Announcer>) -> Result<(), Failure> {
        self.announcer = Some(announcer);
        self.begin().map(drop)
    }

    /// The client: connected where only one command is run, else perhaps still connecting.
    pub(super) async fn client(&mut self) -> Result<Client, Failure> {
        let current = self.client.lock().clone();
        let client = match current {
            None if self.is_closed => return Err(Failure::Closed),
            None => self.begin()?,
            Some(client) => client,
        };
        let Some(announcer) = self.announcer.clone() else {
            return match client.ready().await {
                Ok(()) => Ok(client),
                Err(ClientError::NotConnected) => Err(Failure::NotConnected(client.attempts())),
                Err(error) => Err(error.into()),
            };
        };
        match client.state().get() {
            SessionState::Expired => {
                announcer
                    .note("a new session begins, without the old one's ephemerals and watches");
                return self.begin();
            }
            SessionState::AuthFailed => return Err(ClientError::AuthFailed.into()),
            SessionState::Closed => return Err(Failure::Closed),
            SessionState::Connecting if !client.attempts().servers.is_empty() => {
                announcer.note(&format!("not connected: {}; Ctrl-C gives up", client.attempts()));
            }
            _ => {}
        }
        Ok(client)
    }

    fn begin(&mut self) -> Result<Client, Failure> {
        let client = Client::begin(&self.servers, self.options.clone())?;
        if let Some(announcer) = &self.announcer {
            tokio::spawn(Arc::clone(announcer).follow(client.clone()));
        }
        *self.client.lock() = Some(client.clone());
        Ok(client)
    }

    /// Waits for the connection, but not for long.
    pub(super) async fn settle(&self, patience: Duration) {
        let Some(mut states) = self.client.lock().as_ref().map(Client::state) else { return };
        let settled = async {
            while states.get() == SessionState::Connecting {
                states.changed().await;
            }
        };
        // It is made in the background, however long that takes.
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// What has been tried to connect.
    pub(super) fn attempts(&self) -> Attempts {
        self.client.lock().as_ref().map(Client::attempts).unwrap_or_default()
    }

    /// Ends the session, and makes no other until it is asked to.
    pub(super) async fn close(&mut self) {
        self.is_closed = true;
        let client = self.client.lock().take();
        if let Some(client) = client {
            // If the servers do not hear of it, they find out by themselves.
            if tokio::time::timeout(CLOSING, client.close()).await.is_err() {
                client.abandon();
            }
        }
    }

    /// Ends the session and begins another one, perhaps at other servers.
    pub(super) async fn connect(&mut self, servers: Option<&str>) -> Result<(), Failure> {
        if let Some(servers) = servers {
            // Nothing is given up for a connect string that cannot be.
            servers.parse::<ConnectString>()?;
        }
        self.close().await;
        self.is_closed = false;
        if let Some(servers) = servers {
            servers.clone_into(&mut self.servers);
            // Other servers are not told secrets that they were not given.
            self.options.auth.clear();
        }
        self.begin().map(drop)
    }

    /// Repeats the credentials if this session expires and another one takes its place.
    pub(super) fn remember_auth(&mut self, scheme: &str, auth: &[u8]) {
        let auth = (scheme.to_owned(), auth.to_vec());
        if !self.options.auth.contains(&auth) {
            self.options.auth.push(auth);
        }
    }

    /// The znode that the shell takes for the root.
    pub(super) fn chroot(&self) -> Option<String> {
        self.servers.parse::<ConnectString>().ok()?.chroot
    }

    /// The servers and the state, as the prompt shows them.
    pub(super) fn place(&self) -> (&str, &'static str) {
        let state = self.client.lock().as_ref().map(|client| client.state().get());
        let state = match state {
            None | Some(SessionState::Closed | SessionState::Expired) => "CLOSED",
            Some(SessionState::Connecting) => "CONNECTING",
            Some(SessionState::Connected) => "CONNECTED",
            Some(SessionState::ReadOnly) => "CONNECTEDREADONLY",
            Some(SessionState::AuthFailed) => "AUTH_FAILED",
        };
        (&self.servers, state)
    }

    /// The client of the moment, for those who look at it now and then.
    pub(super) fn current(&self) -> Current {
        Arc::clone(&self.client)
    }

    /// Who tells of events, if anybody does.
    pub(super) fn announcer(&self) -> Option<&Announcer> {
        self.announcer.as_deref()
    }
}
