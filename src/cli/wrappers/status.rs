//! `zkServer.sh status`: finds the client port and asks the server there for its mode.

use super::environment::{Environment, value};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientPort {
    pub(super) address: String,
    pub(super) port: String,
    pub(super) is_tls: bool,
}

/// Finds the client port where the script does, in this order: `clientPort`; this server's own
/// `server.N` line in the configuration, then in the dynamic one; `secureClientPort`. Remarks are
/// the lines that the script prints on its way.
pub(super) fn find(environment: &Environment, remarks: &mut Vec<String>) -> Option<ClientPort> {
    let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let local = |key| environment.key(key).unwrap_or("localhost").to_owned();
    if let Some(port) = environment.key("clientPort").filter(is_number) {
        let address = local("clientPortAddress");
        return Some(ClientPort { address, port: port.to_owned(), is_tls: false });
    }
    if let Some(client) = own_line(environment, remarks) {
        let (address, port) = match client.rsplit_once(':') {
            Some((address, port)) => (address.trim_matches(['[', ']']).to_owned(), port),
            None => (local("clientPortAddress"), client.as_str()),
        };
        return Some(ClientPort { address, port: port.to_owned(), is_tls: false });
    }
    remarks.push(
        "Client port not found. Looking for secureClientPort in the static config.".to_owned(),
    );
    let Some(port) = environment.key("secureClientPort") else {
        remarks.push(
            "Unable to find either secure or unsecure client port in any configs. Terminating."
                .to_owned(),
        );
        return None;
    };
    let address = local("secureClientPortAddress");
    Some(ClientPort { address, port: port.to_owned(), is_tls: true })
}

/// What stands behind the `;` of this server's own line.
fn own_line(environment: &Environment, remarks: &mut Vec<String>) -> Option<String> {
    let id = environment.data_dir().and_then(|dir| fs::read_to_string(dir.join("myid")).ok());
    let id = id.unwrap_or_default();
    let id = id.trim();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        remarks.push(
            "myid could not be determined, will not able to locate clientPort in the server \
             configs."
                .to_owned(),
        );
        return None;
    }
    let key = format!("server.{id}");
    let client = |text: &str| {
        let (_, client) = value(text, &key)?.rsplit_once(';')?;
        Some(client.trim().to_owned())
    };
    if let Some(found) = client(&environment.text) {
        return Some(found);
    }
    remarks.push(
        "Client port not found in static config file. Looking in dynamic config file.".to_owned(),
    );
    let dynamic = environment.key("dynamicConfigFile").map(Path::new);
    let found = dynamic.and_then(|file| fs::read_to_string(file).ok()).and_then(|t| client(&t));
    if found.is_none() {
        remarks.push("Client port not found in the server configs".to_owned());
    }
    found
}

/// How long to wait for the connection, and for each part of the answer (ZK:
/// `FourLetterWordMain`).
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer to `srvr` is a few hundred bytes.
const MAX_ANSWER: u64 = 64 * 1024;

impl ClientPort {
    /// The line `Mode: ...` of the answer to `srvr`.
    pub(super) fn mode(&self) -> io::Result<String> {
        let port = self.port.parse::<u16>().map_err(io::Error::other)?;
        let mut result = Err(io::Error::other("the name has no address"));
        for address in (self.address.as_str(), port).to_socket_addrs()? {
            result = TcpStream::connect_timeout(&address, PATIENCE);
            if result.is_ok() {
                break;
            }
        }
        let mut stream = result?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        let mode = answer.lines().find(|line| line.contains("Mode"));
        mode.map(str::to_owned).ok_or_else(|| io::Error::other(answer.trim().to_owned()))
    }
}
