//! Why a command failed: what is printed, and the exit code (ZK: `CliWrapperException`).

use super::command::Command;
use crate::client::{Attempts, ClientError};
use crate::types::ErrorCode;
use std::io;

/// Why a command failed.
#[derive(Debug)]
pub(in crate::cli) enum Failure {
    /// The command was called in a way that it does not know.
    Usage {
        /// The command.
        command: &'static Command,
        /// What is wrong; `None` where something is missing, which the usage shows.
        reason: Option<String>,
    },
    /// There is no command of this name.
    NoSuchCommand {
        /// What was typed.
        name: String,
        /// The command that may have been meant.
        near: Option<&'static Command>,
    },
    /// What was asked for cannot be done, for this reason.
    Refused(String),
    /// The same, where zkCli says so and calls it a success.
    Remark(String),
    /// A request failed.
    Client {
        /// How.
        error: ClientError,
        /// The path it was for, if it was for one.
        path: Option<String>,
    },
    /// There is no connection, and this has been tried.
    NotConnected(Attempts),
    /// The session was closed.
    Closed,
    /// The user has given up waiting.
    Interrupted,
    /// The output could not be written.
    Output(io::Error),
}

/// The exit code of zkCli for a command that does not exist.
pub(super) const ZKCLI_NO_SUCH_COMMAND: u8 = 127;

/// Adds the path of a request to its failure.
pub(in crate::cli) trait At<T> {
    /// The same result; a failure is one of this path.
    fn at(self, path: &str) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, ClientError> {
    fn at(self, path: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::Client { error, path: Some(path.to_owned()) })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client { error, path: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// The exit code of a shell that ends with it.
    pub(super) fn exit_code(&self, json: bool) -> u8 {
        match self {
            Self::Remark(_) if !json => 0,
            Self::Interrupted => 130,
            _ => 1,
        }
    }

    /// A word for programs: ZooKeeper's name of the error where it is one of ZooKeeper's.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Usage { .. } | Self::NoSuchCommand { .. } => "Usage".to_owned(),
            Self::Refused(_) | Self::Remark(_) => "Refused".to_owned(),
            Self::Client { error: ClientError::Api(code), .. }
            | Self::Client { error: ClientError::Multi { code, .. }, .. } => format!("{code:?}"),
            Self::Client { error: ClientError::ConnectionLoss(_), .. } => "ConnectionLoss".into(),
            Self::Client { error, .. } => {
                let name = format!("{error:?}");
                name.split(['(', ' ']).next().unwrap_or_default().to_owned()
            }
            Self::NotConnected(_) | Self::Closed => "NotConnected".to_owned(),
            Self::Interrupted => "Interrupted".to_owned(),
            Self::Output(_) => "Output".to_owned(),
        }
    }

    /// The path that the failed request was for.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Client { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// What is printed; `None` for nothing.
    pub(super) fn message(&self) -> Option<String> {
        Some(match self {
            Self::Usage { command, reason: None } => command.usage_line(),
            Self::Usage { command, reason: Some(reason) } => {
                format!("{}: {reason}\nusage: {}", command.name, command.usage_line())
            }
            Self::NoSuchCommand { name, near: Some(near) } => {
                let usage = near.usage_line();
                format!("Command not found: {name}; did you mean {}?\nusage: {usage}", near.name)
            }
            Self::NoSuchCommand { name, near: None } => {
                format!("Command not found: {name}\nusage: help [command]")
            }
            Self::Refused(text) | Self::Remark(text) => text.clone(),
            Self::Client { error, path } => client_message(*error, path.as_deref()),
            Self::NotConnected(attempts) => {
                format!("cannot connect: {attempts}; nothing was sent")
            }
            Self::Closed => "Not connected".to_owned(),
            Self::Interrupted => "interrupted; what had been sent may take place or not".to_owned(),
            // Whoever reads the output has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Self::Output(error) => format!("cannot write the output: {error}"),
        })
    }
}

/// What zkCli prints for the error, and more where that leaves a question open.
fn client_message(error: ClientError, path: Option<&str>) -> String {
    let code = match error {
        ClientError::Api(code) | ClientError::Multi { code, .. } => code,
        ClientError::ConnectionLoss(loss) => {
            let of = path.map(|path| format!(" for {path}")).unwrap_or_default();
            return format!(
                "KeeperErrorCode = ConnectionLoss{of}: the connection was lost ({loss}) after the \
                 request was sent and before it was answered; whether it took place is not known"
            );
        }
        error => return error.to_string(),
    };
    let shown = path.unwrap_or("null");
    match code {
        ErrorCode::NoNode => format!("Node does not exist: {shown}"),
        ErrorCode::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {shown}"),
        ErrorCode::NodeExists => format!("Node already exists: {shown}"),
        ErrorCode::NotEmpty => format!("Node not empty: {shown}"),
        ErrorCode::NotReadOnly => format!("Not a read-only call: {shown}"),
        ErrorCode::InvalidAcl => format!("Acl is not valid : {shown}"),
        ErrorCode::NoAuth => format!("Insufficient permission : {shown}"),
        ErrorCode::BadArguments => format!("Arguments are not valid : {shown}"),
        ErrorCode::BadVersion => format!("version No is not valid : {shown}"),
        ErrorCode::QuotaExceeded => format!("Quota has exceeded : {shown}"),
        ErrorCode::ReconfigInProgress => "Another reconfiguration is in progress -- concurrent \
                                          reconfigs not supported (yet)"
            .to_owned(),
        ErrorCode::NewConfigNoQuorum => {
            "No quorum of new config is connected and up-to-date with the leader of last \
             commmitted config - try invoking reconfiguration after new servers are connected and \
             synced"
                .to_owned()
        }
        code => match path {
            Some(path) => format!("KeeperErrorCode = {code} for {path}"),
            None => format!("KeeperErrorCode = {code}"),
        },
    }
}
