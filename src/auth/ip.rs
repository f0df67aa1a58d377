//! The `ip` scheme: the address a client comes from (ZK: `IPAuthenticationProvider`).
//!
//! Addresses in ACLs are read as ZooKeeper reads them, which is not how the standard library does:
//! leading zeros and signs are taken, addresses of one family written in the other's form are not.

use crate::types::Id;
use std::net::IpAddr;

/// The identity of everyone who connects from an address. IPv6 addresses are written in full, as
/// Java writes them, and IPv4 addresses in IPv6 clothes as the IPv4 addresses that they are.
#[must_use]
pub fn ip_identity(remote: IpAddr) -> Id {
    let id = match remote.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:x}")).join(":"),
    };
    Id { scheme: "ip".to_owned(), id }
}

/// An address, or a network of addresses of which the first bits are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    bits: u128,
    /// Length of an address of this family: 32 or 128.
    width: u32,
    /// How many leading bits count.
    prefix: u32,
}

/// Whether an id may stand in an ACL: an address, or an address, a slash and a number of bits.
pub(super) fn is_valid(id: &str) -> bool {
    parse_network(id).is_some()
}

/// Whether a client's address is the one in an ACL, or lies in its network.
pub(super) fn matches(client: &str, expression: &str) -> bool {
    let Some(network) = parse_network(expression) else { return false };
    let Some((bits, width)) = parse_address(client) else { return false };
    let host_bits = network.width - network.prefix;
    let differing = (bits ^ network.bits).checked_shr(host_bits).unwrap_or(0);
    width == network.width && differing == 0
}

fn parse_network(text: &str) -> Option<Network> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let (bits, width) = parse_address(address)?;
    let prefix = match prefix {
        Some(prefix) => prefix.parse::<i32>().ok().and_then(|prefix| u32::try_from(prefix).ok())?,
        None => width,
    };
    (prefix <= width).then_some(Network { bits, width, prefix })
}

/// The bits of an address and how many there are.
fn parse_address(text: &str) -> Option<(u128, u32)> {
    if text.contains(':') {
        Some((u128::from_be_bytes(parse_v6(text)?), 128))
    } else {
        Some((u128::from(u32::from_be_bytes(parse_v4(text)?)), 32))
    }
}

fn parse_v4(text: &str) -> Option<[u8; 4]> {
    let mut parts = text.split('.');
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        *byte = parts.next()?.parse::<i32>().ok().and_then(|part| u8::try_from(part).ok())?;
    }
    parts.next().is_none().then_some(bytes)
}

fn parse_v6(text: &str) -> Option<[u8; 16]> {
    let mut halves = text.split("::");
    let (first, second) = (segments(halves.next()?)?, halves.next());
    let second = match second {
        Some(second) => segments(second)?,
        None => Vec::new(),
    };
    let count = first.len() + second.len();
    let compressed = text.contains("::");
    if halves.next().is_some() || if compressed { count >= 8 } else { count != 8 } {
        return None;
    }
    let mut bytes = [0; 16];
    let start_of_second = 16 - 2 * second.len();
    place(&mut bytes, &first);
    place(&mut bytes[start_of_second..], &second);
    Some(bytes)
}

/// The segments on one side of a `::`, of which there may be none.
fn segments(text: &str) -> Option<Vec<[u8; 2]>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(':').map(segment).collect()
}

/// One to four hexadecimal digits. Java lets a sign take the place of a digit.
fn segment(text: &str) -> Option<[u8; 2]> {
    if text.len() > 4 {
        return None;
    }
    let [_, _, high, low] = i32::from_str_radix(text, 16).ok()?.to_be_bytes();
    Some([high, low])
}

fn place(bytes: &mut [u8], segments: &[[u8; 2]]) {
    for (target, segment) in bytes.chunks_exact_mut(2).zip(segments) {
        target.copy_from_slice(segment);
    }
}
