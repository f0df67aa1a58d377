//! The shell's session with the servers.

use super::arguments::Settings;
use super::failure::Failure;
use crate::client::{Client, ClientError, Options};
use std::time::Duration;

/// The shell's session: made when it is first needed.
#[derive(Debug)]
pub(super) struct Session {
    servers: String,
    options: Options,
    client: Option<Client>,
    /// Whether the user has closed it, so that none is made without being asked for.
    is_closed: bool,
}

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
        Self { servers: settings.servers, options, client: None, is_closed: false }
    }

    /// The client.
    pub(super) async fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        if self.is_closed {
            return Err(Failure::Closed);
        }
        let client = Client::begin(&self.servers, self.options.clone())?;
        match client.ready().await {
            Ok(()) => {}
            Err(ClientError::NotConnected) => return Err(Failure::NotConnected(client.attempts())),
            Err(error) => return Err(error.into()),
        }
        self.client = Some(client.clone());
        Ok(client)
    }

    /// Ends the session, and makes no other until it is asked to.
    pub(super) async fn close(&mut self) {
        self.is_closed = true;
        if let Some(client) = self.client.take() {
            // If the servers do not hear of it, they find out by themselves.
            let _ = tokio::time::timeout(CLOSING, client.close()).await;
        }
    }
}
