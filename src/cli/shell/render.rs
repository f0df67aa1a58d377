//! How stats, access control lists and data look, as text and as JSON.

use super::output::Output;
use crate::types::{Acl, Stat, perms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;

/// More than this much of a znode's data is not thrown at a terminal.
const TERMINAL_BYTES: usize = 64 * 1024;

/// A stat as zkCli prints it (ZK: `StatPrinter`).
///
/// # Errors
/// As writing to standard output.
pub(in crate::cli) fn stat(out: &mut Output, stat: &Stat) -> io::Result<()> {
    out.line(format_args!("cZxid = {:#x}", stat.czxid))?;
    out.line(format_args!("ctime = {}", time(stat.ctime)))?;
    out.line(format_args!("mZxid = {:#x}", stat.mzxid))?;
    out.line(format_args!("mtime = {}", time(stat.mtime)))?;
    out.line(format_args!("pZxid = {:#x}", stat.pzxid))?;
    out.line(format_args!("cversion = {}", stat.cversion))?;
    out.line(format_args!("dataVersion = {}", stat.version))?;
    out.line(format_args!("aclVersion = {}", stat.aversion))?;
    out.line(format_args!("ephemeralOwner = {:#x}", stat.ephemeral_owner))?;
    out.line(format_args!("dataLength = {}", stat.data_length))?;
    out.line(format_args!("numChildren = {}", stat.num_children))
}

/// A time in milliseconds since 1970 in the local time zone (Java: `Date.toString`).
pub(in crate::cli) fn time(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => {
            let time = time.to_zoned_datetime(TimeZone::system());
            time.strftime("%a %b %d %H:%M:%S %Z %Y").to_string()
        }
        Err(_) => format!("{millis} ms"),
    }
}

/// A stat as JSON. Zxids and the owner are hexadecimal text, as everywhere else: many readers of
/// JSON cannot hold numbers of 64 bits.
pub(in crate::cli) fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": hex(stat.czxid),
        "mzxid": hex(stat.mzxid),
        "pzxid": hex(stat.pzxid),
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": hex(stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// A number of 64 bits as JSON shows it.
pub(in crate::cli) fn hex(number: i64) -> String {
    format!("{number:#x}")
}

/// Data as JSON: text where it is text, else `{"base64": ...}`, and `null` where there is none.
pub(in crate::cli) fn data_json(data: Option<&[u8]>) -> Value {
    match data.map(|data| (data, std::str::from_utf8(data))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((data, Err(_))) => json!({ "base64": BASE64.encode(data) }),
    }
}

/// Data in base64.
pub(in crate::cli) fn base64(data: &[u8]) -> String {
    BASE64.encode(data)
}

/// Data from base64; `None` if it is not.
pub(in crate::cli) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Data for people: what would disturb a terminal is escaped, and only the beginning of much is
/// shown. Where no terminal is, all bytes go out as they are.
///
/// # Errors
/// As writing to standard output.
pub(in crate::cli) fn data(out: &mut Output, data: &[u8]) -> io::Result<()> {
    if !out.is_terminal() {
        return out.bytes(data);
    }
    let shown = &data[..data.len().min(TERMINAL_BYTES)];
    out.line(printable(shown))?;
    if shown.len() < data.len() {
        let rest = data.len() - shown.len();
        out.remark(format_args!("... and {rest} bytes more; all of them go to a file or a pipe"))?;
    }
    Ok(())
}

/// Bytes as text in which nothing can disturb a terminal: control characters but line ends and
/// tabs, and what is not UTF-8, become `\x..`.
pub(in crate::cli) fn printable(data: &[u8]) -> String {
    let mut text = String::with_capacity(data.len());
    for chunk in data.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\t' => text.push(character),
                '\0'..='\u{1f}' | '\u{7f}' => escape(&mut text, &[character as u8]),
                '\u{80}'..='\u{9f}' => {
                    escape(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => text.push(character),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Data as a hex dump with 16 bytes a line, in the frame that zkCli draws.
pub(in crate::cli) fn hex_dump(data: &[u8]) -> String {
    const TOP: &str = "         +-------------------------------------------------+\n\
                       \x20        |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n";
    const EDGE: &str =
        "+--------+-------------------------------------------------+----------------+";
    if data.is_empty() {
        return String::new();
    }
    let mut text = format!("{TOP}{EDGE}");
    for (row, bytes) in data.chunks(16).enumerate() {
        let mut hex = String::new();
        for byte in bytes {
            let _ = write!(hex, " {byte:02x}");
        }
        let is_shown = |byte: &u8| (0x20..0x7f).contains(byte);
        let shown = |byte: &u8| if is_shown(byte) { char::from(*byte) } else { '.' };
        let plain: String = bytes.iter().map(shown).collect();
        let _ = write!(text, "\n|{:08x}|{hex:<48} |{plain:<16}|", row * 16);
    }
    text.push('\n');
    text.push_str(EDGE);
    text
}

/// Permissions as letters (ZK: `ZKUtil.getPermString`).
pub(in crate::cli) fn perms_text(bits: i32) -> String {
    let letters = [
        (perms::CREATE, 'c'),
        (perms::DELETE, 'd'),
        (perms::READ, 'r'),
        (perms::WRITE, 'w'),
        (perms::ADMIN, 'a'),
    ];
    letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| letter).collect()
}

/// An access control list as JSON: `[{"scheme": .., "id": .., "perms": "cdrwa"}]`.
pub(in crate::cli) fn acl_json(acl: &[Acl]) -> Value {
    acl.iter().map(entry_json).collect()
}

fn entry_json(Acl { perms, id }: &Acl) -> Value {
    json!({ "scheme": id.scheme, "id": id.id, "perms": perms_text(*perms) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_disturbs_a_terminal() {
        assert_eq!(
            printable(b"a\tb\n\x1b[2J\xff\xc2\x9b\x7f"),
            "a\tb\n\\x1b[2J\\xff\\xc2\\x9b\\x7f"
        );
        assert_eq!(printable("ü €".as_bytes()), "ü €");
    }

    #[test]
    fn permissions_have_an_order() {
        assert_eq!(perms_text(perms::ALL), "cdrwa");
        assert_eq!(perms_text(perms::READ | perms::ADMIN), "ra");
    }
}
