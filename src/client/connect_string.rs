//! Connect strings: `host:port[,host:port...][/chroot]` (ZK: `ConnectStringParser`).

use super::ClientError;
use crate::types::path;
use std::str::FromStr;

/// The port of a server that is named without one.
const DEFAULT_PORT: u16 = 2181;

/// A parsed connect string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    /// The servers, each as `host:port`; at least one.
    pub servers: Vec<String>,
    /// The znode that the client takes for its root; `None` for the real one.
    pub chroot: Option<String>,
}

impl FromStr for ConnectString {
    type Err = ClientError;

    /// # Errors
    /// `InvalidConnectString` with what is wrong, `InvalidPath` for the chroot.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = match chroot {
            "" | "/" => None,
            path => {
                path::validate(path)?;
                Some(path.to_owned())
            }
        };
        let servers = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        let servers = servers.map(with_port).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ClientError::InvalidConnectString("it names no server"));
        }
        Ok(Self { servers, chroot })
    }
}

/// Completes `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address to `host:port`.
fn with_port(server: &str) -> Result<String, ClientError> {
    let after_address = server.rfind(']').map_or(0, |at| at + 1);
    let is_bare_v6 = after_address == 0 && server.matches(':').count() > 1;
    if is_bare_v6 {
        return Ok(format!("[{server}]:{DEFAULT_PORT}"));
    }
    match server[after_address..].rsplit_once(':') {
        None => Ok(format!("{server}:{DEFAULT_PORT}")),
        Some((_, port)) => match port.parse::<u16>() {
            Ok(_) => Ok(server.to_owned()),
            Err(_) => Err(ClientError::InvalidConnectString("a port is not a number below 65536")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Vec<String>, Option<String>), ClientError> {
        text.parse().map(|ConnectString { servers, chroot }| (servers, chroot))
    }

    #[test]
    fn servers_and_chroot_are_told_apart() {
        let servers = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(parse("a:1,b:2/app/x"), Ok((servers(&["a:1", "b:2"]), Some("/app/x".into()))));
        assert_eq!(parse("a, b:2 ,"), Ok((servers(&["a:2181", "b:2"]), None)));
        assert_eq!(parse("a/"), Ok((servers(&["a:2181"]), None)));
        assert_eq!(
            parse("[::1],[::1]:99,fe80::1"),
            Ok((servers(&["[::1]:2181", "[::1]:99", "[fe80::1]:2181"]), None))
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "/app", ",", "a:b", "a:70000"] {
            let refused = matches!(parse(text), Err(ClientError::InvalidConnectString(_)));
            assert!(refused, "{text}");
        }
        assert!(matches!(parse("a:1/app/"), Err(ClientError::InvalidPath(_))));
    }
}
