//! The grammar of one server of an ensemble: the value of `server.N`.
//!
//! `<addr>[|<addr>...][;[<client host>:]<client port>][;[<host>:]<secure client port>]`, where
//! `<addr>` is `<host>:<port>:<election port>[:participant|:observer]`, and an IPv6 host stands in
//! brackets. As in ZooKeeper (`QuorumPeer.QuorumServer`), empty parts at the end do not count, and
//! `;;2281` is a secure port without a plain one.

use std::fmt;
use std::net::Ipv6Addr;

use super::options::{Endpoint, bracketed};

/// What a server is in its ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It votes.
    #[default]
    Participant,
    /// It only learns what was decided.
    Observer,
}

impl Role {
    /// The role of this name, in letters of any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "participant" => Some(Self::Participant),
            "observer" => Some(Self::Observer),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        })
    }
}

/// One address of a server, as the other servers see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberAddress {
    /// A name, an IPv4 address or an IPv6 address without brackets.
    pub host: String,
    /// Where followers connect to their leader.
    pub port: u16,
    /// Where votes are exchanged; never the same as `port`.
    pub election_port: u16,
}

/// One server of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its addresses, sorted by host; at least one.
    pub addresses: Vec<MemberAddress>,
    /// Whether it votes.
    pub role: Role,
    /// Where its clients connect, if its entry says so.
    pub client: Option<Endpoint>,
    /// Where its clients connect with TLS, if its entry says so.
    pub secure_client: Option<Endpoint>,
}

const FORM: &str = "must be host:port:electionPort or host:port:electionPort:role, and after a \
     semicolon the client port or host:port";

impl Member {
    /// Reads an entry. Several addresses need `multi_address`. The error says what is allowed.
    pub fn parse(text: &str, multi_address: bool) -> Result<Self, String> {
        let parts = split(text, ';');
        let [servers, clients @ ..] = parts.as_slice() else { return Err(FORM.to_owned()) };
        if clients.len() > 2 {
            return Err(FORM.to_owned());
        }
        let mut roles = Vec::new();
        let mut addresses = Vec::new();
        for server in split(servers, '|') {
            let (address, role) = MemberAddress::parse(server)?;
            addresses.push(address);
            roles.extend(role);
        }
        if addresses.len() > 1 && !multi_address {
            return Err("has several addresses, which need multiAddress.enabled=true".to_owned());
        }
        if roles.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err("must give all its addresses the same role".to_owned());
        }
        addresses.sort_by_key(|address| (java_host(&address.host), address.port));
        addresses.dedup();
        let port = |index: usize| clients.get(index).filter(|part| !part.is_empty());
        Ok(Self {
            addresses,
            role: roles.first().copied().unwrap_or_default(),
            client: port(0).map(|part| client_endpoint(part)).transpose()?,
            secure_client: port(1).map(|part| client_endpoint(part)).transpose()?,
        })
    }

    /// Whether it votes.
    pub fn is_voter(&self) -> bool {
        self.role == Role::Participant
    }
}

impl fmt::Display for Member {
    /// The entry as `/zookeeper/config` has it: the role always stands there, after all addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let separator = if index == 0 { "" } else { "|" };
            let host = bracketed(&java_host(&address.host));
            write!(f, "{separator}{host}:{}:{}", address.port, address.election_port)?;
        }
        write!(f, ":{}", self.role)?;
        if let Some(endpoint) = &self.client {
            write!(f, ";{}:{}", bracketed(&java_host(&endpoint.host)), endpoint.port)?;
        }
        if let Some(endpoint) = &self.secure_client {
            let separator = if self.client.is_none() { ";;" } else { ";" };
            write!(f, "{separator}{}:{}", bracketed(&java_host(&endpoint.host)), endpoint.port)?;
        }
        Ok(())
    }
}

/// A host as Java shows it: an IPv6 address in full, an IPv4 address within IPv6 as IPv4. Servers
/// compare their configurations as text, so ours must look like theirs.
fn java_host(host: &str) -> String {
    let Ok(address) = host.parse::<Ipv6Addr>() else { return host.to_owned() };
    match address.to_ipv4_mapped() {
        Some(address) => address.to_string(),
        None => address.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

impl MemberAddress {
    fn parse(text: &str) -> Result<(Self, Option<Role>), String> {
        let parts = host_and_rest(text)?;
        let (host, port, election_port, role) = match parts.as_slice() {
            [host, port, election_port] => (host, port, election_port, None),
            [host, port, election_port, role] => (host, port, election_port, Some(role)),
            _ => return Err(FORM.to_owned()),
        };
        let role = role.map(|name| {
            let unknown = || format!("has the role \"{name}\"; it must be participant or observer");
            Role::parse(name).ok_or_else(unknown)
        });
        let address = Self {
            host: named_host(host)?,
            port: port_number(port, 1)?,
            election_port: port_number(election_port, 1)?,
        };
        if address.port == address.election_port {
            let port = address.port;
            return Err(format!("must have two different ports, not {port} twice"));
        }
        Ok((address, role.transpose()?))
    }
}

fn client_endpoint(text: &str) -> Result<Endpoint, String> {
    match host_and_rest(text)?.as_slice() {
        [port] => Ok(Endpoint::any(port_number(port, 0)?)),
        [host, port] => Ok(Endpoint::new(named_host(host)?, port_number(port, 0)?)),
        _ => Err(FORM.to_owned()),
    }
}

fn named_host(host: &str) -> Result<String, String> {
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(format!("has the host \"{host}\"; it must be a name or an address"));
    }
    Ok(host.to_owned())
}

fn port_number(text: &str, min: u16) -> Result<u16, String> {
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    let port = if is_number { text.parse().ok() } else { None };
    port.filter(|port| *port >= min)
        .ok_or_else(|| format!("has the port \"{text}\"; it must be a number from {min} to 65535"))
}

/// Splits at colons, except within the brackets of an IPv6 host.
fn host_and_rest(text: &str) -> Result<Vec<&str>, String> {
    let Some(inside) = text.strip_prefix('[') else { return Ok(split(text, ':')) };
    let Some((host, rest)) = inside.split_once(']') else {
        return Err("has a [ without its ]".to_owned());
    };
    let mut parts = vec![host];
    match rest.strip_prefix(':') {
        Some(rest) => parts.extend(split(rest, ':')),
        None if rest.is_empty() => {}
        None => return Err("must have a colon after ]".to_owned()),
    }
    Ok(parts)
}

/// Java's `split`: without empty parts at the end.
fn split(text: &str, separator: char) -> Vec<&str> {
    text.trim_end_matches(separator).split(separator).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        Member::parse(text, true).map(|member| member.to_string())
    }

    #[test]
    fn entries_are_read_and_written_in_full() {
        let table = [
            ("zoo1:2888:3888", "zoo1:2888:3888:participant"),
            ("zoo1:2888:3888:observer", "zoo1:2888:3888:observer"),
            ("zoo1:2888:3888:OBSERVER;2181", "zoo1:2888:3888:observer;0.0.0.0:2181"),
            ("zoo1:2888:3888;zoo1:2181", "zoo1:2888:3888:participant;zoo1:2181"),
            ("zoo1:2888:3888;0", "zoo1:2888:3888:participant;0.0.0.0:0"),
            ("zoo1:2888:3888:;", "zoo1:2888:3888:participant"),
            ("zoo1:2888:3888;2181;2281", "zoo1:2888:3888:participant;0.0.0.0:2181;0.0.0.0:2281"),
            ("zoo1:2888:3888;;2281", "zoo1:2888:3888:participant;;0.0.0.0:2281"),
            ("zoo1:2888:3888;;h:2281", "zoo1:2888:3888:participant;;h:2281"),
            ("[::1]:2888:3888", "[0:0:0:0:0:0:0:1]:2888:3888:participant"),
            (
                "[2001:db8::1]:1:2:observer;[::]:3",
                "[2001:db8:0:0:0:0:0:1]:1:2:observer;[0:0:0:0:0:0:0:0]:3",
            ),
            ("10.0.0.1:1:2|[::1]:3:4", "[0:0:0:0:0:0:0:1]:3:4|10.0.0.1:1:2:participant"),
            ("a:1:2|a:1:2", "a:1:2:participant"),
            ("[::ffff:10.0.0.1]:1:2", "10.0.0.1:1:2:participant"),
            ("[fe80::1%eth0]:1:2", "[fe80::1%eth0]:1:2:participant"),
            ("10.0.0.1:2888:3888", "10.0.0.1:2888:3888:participant"),
            ("b:1:2|a:3:4:observer;5", "a:3:4|b:1:2:observer;0.0.0.0:5"),
            ("a:1:2:observer|b:3:4:observer", "a:1:2|b:3:4:observer"),
            ("[::2]:1:2|[::1]:3:4", "[0:0:0:0:0:0:0:1]:3:4|[0:0:0:0:0:0:0:2]:1:2:participant"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
            assert_eq!(shown(expected).as_deref(), Ok(expected), "{expected}");
        }
    }

    #[test]
    fn other_entries_are_refused() {
        let port =
            |text, min| format!("has the port \"{text}\"; it must be a number from {min} to 65535");
        let role = |text| format!("has the role \"{text}\"; it must be participant or observer");
        let host = |text| format!("has the host \"{text}\"; it must be a name or an address");
        let table = [
            ("", FORM.to_owned()),
            (";2181", FORM.to_owned()),
            ("|", FORM.to_owned()),
            ("zoo1", FORM.to_owned()),
            ("zoo1:2888", FORM.to_owned()),
            ("::1:2888:3888", FORM.to_owned()),
            ("zoo1:2888:3888:observer:x", FORM.to_owned()),
            ("zoo1:2888:3888;1;2;3", FORM.to_owned()),
            ("zoo1:2888:3888;a:b:1", FORM.to_owned()),
            (":2888:3888", host("")),
            ("a b:2888:3888", host("a b")),
            ("zoo1:abc:3888", port("abc", 1)),
            ("zoo1:2888:0", port("0", 1)),
            ("zoo1:2888:65536", port("65536", 1)),
            ("zoo1:+2888:3888", port("+2888", 1)),
            ("zoo1:: 3888", port("", 1)),
            ("zoo1:2888:3888;abc", port("abc", 0)),
            ("zoo1:2888:3888:leader", role("leader")),
            ("zoo1:2888:2888", "must have two different ports, not 2888 twice".to_owned()),
            ("[::1:2888:3888", "has a [ without its ]".to_owned()),
            ("[::1]2888:3888", "must have a colon after ]".to_owned()),
            (
                "a:1:2:observer|b:3:4:participant",
                "must give all its addresses the same role".into(),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn several_addresses_must_be_enabled() {
        let error = Member::parse("a:1:2|b:3:4", false);
        let expected = "has several addresses, which need multiAddress.enabled=true";
        assert_eq!(error, Err(expected.to_owned()));
    }
}
