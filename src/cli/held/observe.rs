//! `zabra elect --observe`: a line for each leader.

use super::args::Connection;
use super::exit;
use super::signals::Signals;
use crate::client::ClientError;
use crate::client::recipes::{Leader, Leaders};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};

/// Prints leaders until a signal comes or nobody reads them. Returns the exit code.
pub(super) async fn run(path: &str, connection: &Connection, as_json: bool) -> u8 {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return failed(path, &error),
    };
    tokio::select! {
        code = observe(path, connection, as_json) => code,
        _ = signals.next() => 0,
    }
}

async fn observe(path: &str, connection: &Connection, as_json: bool) -> u8 {
    // A leader that is there still when a session has expired is not shown again.
    let mut shown = None;
    loop {
        let client = match connection.connect().await {
            Ok(client) => client,
            Err(error) => return failed(path, &error),
        };
        let mut leaders = match Leaders::new(&client, path) {
            Ok(leaders) => leaders,
            Err(error) => return failed(path, &error),
        };
        loop {
            let leader = match leaders.next().await {
                Ok(leader) => leader,
                Err(ClientError::SessionExpired) => break,
                Err(error) => return failed(path, &error),
            };
            if shown.as_ref() == Some(&leader) {
                continue;
            }
            let line = if as_json { object(path, leader.as_ref()) } else { line(leader.as_ref()) };
            let mut out = std::io::stdout();
            match writeln!(out, "{line}").and_then(|()| out.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return 0,
                Err(error) => return failed(path, &error),
            }
            shown = Some(leader);
        }
    }
}

/// The token and the value, `-` for no leader. The value is shown so that it stays on its line.
fn line(leader: Option<&Leader>) -> String {
    let Some(leader) = leader else { return "-".to_owned() };
    let value = String::from_utf8_lossy(&leader.value);
    let value: String = value
        .chars()
        .flat_map(|c| {
            let (escaped, plain) = if c.is_control() || c == '\\' {
                (Some(c.escape_default()), None)
            } else {
                (None, Some(c))
            };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    format!("{} {value}", leader.token.0)
}

fn object(path: &str, leader: Option<&Leader>) -> String {
    let leader = leader.map(|leader| {
        let mut object = json!({
            "znode": leader.path,
            "token": leader.token.0,
            "session": format!("0x{:x}", leader.session.0),
        });
        match std::str::from_utf8(&leader.value) {
            Ok(text) => object["value"] = Value::from(text),
            Err(_) => object["valueBase64"] = Value::from(STANDARD.encode(&leader.value)),
        }
        object
    });
    json!({ "path": path, "leader": leader }).to_string()
}

fn failed(path: &str, error: &impl std::fmt::Display) -> u8 {
    eprintln!("zabra elect: {path}: {error}");
    exit::FAILED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{SessionId, Zxid};
    use bytes::Bytes;

    fn leader(value: &'static [u8]) -> Leader {
        let value = Bytes::from_static(value);
        Leader { path: "/e/n".to_owned(), value, token: Zxid(7), session: SessionId(255) }
    }

    #[test]
    fn a_leader_is_one_line_whatever_its_value() {
        assert_eq!(line(None), "-");
        assert_eq!(line(Some(&leader("höst:1".as_bytes()))), "7 höst:1");
        assert_eq!(line(Some(&leader(b"a\nb\\\x1b\xff"))), "7 a\\nb\\\\\\u{1b}\u{fffd}");
    }

    #[test]
    fn json_keeps_every_value() {
        assert_eq!(object("/e", None), r#"{"leader":null,"path":"/e"}"#);
        let shown = object("/e", Some(&leader(b"a\"")));
        let fields = r#"{"session":"0xff","token":7,"value":"a\"","znode":"/e/n"}"#;
        assert_eq!(shown, format!(r#"{{"leader":{fields},"path":"/e"}}"#));
        assert!(object("/e", Some(&leader(b"\xff"))).contains(r#""valueBase64":"/w==""#));
    }
}
