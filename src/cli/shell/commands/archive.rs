//! The file of `dump` and `load`: JSON lines.
//!
//! The first line is `{"zabra-dump":1,"path":"/app"}`: the format's version and the top of the
//! subtree. Each further line is a znode, parents before their children:
//! `{"path":"/a/b","data":"text","acl":[["world","anyone","cdrwa"]]}`, the path as it follows the
//! top's, empty for the top itself. Data that are not UTF-8 are `{"base64":"..."}`; without the
//! field the znode has none, which is not the same as `""`. A list that is open to all is left out;
//! ephemerals are marked by `"ephemeral":true`. The last line is `{"znodes":3,"bytes":9}`: without
//! it the file is not complete.

use super::subtree::{Contents, Found, below, is_ephemeral};
use crate::types::{Acl, Id, perms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read};

/// The first line.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Header {
    /// The version of the format.
    #[serde(rename = "zabra-dump")]
    pub(super) version: u32,
    /// The top of the subtree.
    pub(super) path: String,
}

/// The last line.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Totals {
    pub(super) znodes: u64,
    /// Of data.
    pub(super) bytes: u64,
}

impl Totals {
    /// Counts a znode.
    ///
    /// # Errors
    /// As [`Line::contents`].
    pub(super) fn add(&mut self, line: &Line) -> Result<(), String> {
        self.znodes += 1;
        self.bytes += line.contents()?.data.map_or(0, |data| data.len() as u64);
        Ok(())
    }
}

/// A line that is a znode.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<(String, String, String)>>,
    /// Whether it belonged to a session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ephemeral: bool,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Data {
    Text(String),
    Binary { base64: String },
}

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;
/// Of one line: servers take a megabyte of data unless told otherwise.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// What a line of a file is.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    Znode(Line),
    End(Totals),
}

impl Line {
    /// The line for a znode below a top.
    pub(super) fn new(top: &str, found: &Found) -> Self {
        let contents = found.contents.as_ref();
        let data = contents.and_then(|contents| contents.data.as_deref());
        let data = data.map(|data| match std::str::from_utf8(data) {
            Ok(text) => Data::Text(text.to_owned()),
            Err(_) => Data::Binary { base64: BASE64.encode(data) },
        });
        let acl = contents.map(|contents| &contents.acl);
        let acl = acl.filter(|acl| **acl != perms::world(perms::ALL)).map(|acl| {
            let entry = |Acl { perms, id }: &Acl| {
                (id.scheme.clone(), id.id.clone(), crate::cli::shell::render::perms_text(*perms))
            };
            acl.iter().map(entry).collect()
        });
        let (path, ephemeral) = (below(top, &found.path).to_owned(), is_ephemeral(&found.stat));
        Self { path, data, acl, ephemeral }
    }

    /// What the znode holds.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn contents(&self) -> Result<Contents, String> {
        let data = match &self.data {
            None => None,
            Some(Data::Text(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Some(Data::Binary { base64 }) => {
                let data = BASE64.decode(base64).map_err(|error| format!("base64: {error}"))?;
                Some(Bytes::from(data))
            }
        };
        let acl = match &self.acl {
            None => perms::world(perms::ALL),
            Some(entries) => entries.iter().map(acl).collect::<Result<_, _>>()?,
        };
        Ok(Contents { data, acl })
    }
}

fn acl((scheme, id, letters): &(String, String, String)) -> Result<Acl, String> {
    let bit = |letter| match letter {
        'c' => Ok(perms::CREATE),
        'd' => Ok(perms::DELETE),
        'r' => Ok(perms::READ),
        'w' => Ok(perms::WRITE),
        'a' => Ok(perms::ADMIN),
        other => Err(format!("acl: {other:?} is none of the permissions cdrwa")),
    };
    let perms = letters.chars().map(bit).try_fold(0, |all, bit| bit.map(|bit| all | bit))?;
    Ok(Acl { perms, id: Id { scheme: scheme.clone(), id: id.clone() } })
}

/// Reads a file line by line.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    text: Vec<u8>,
    /// How many lines have been read.
    lines: u64,
    /// How many bytes the complete lines have that were read.
    pub(super) bytes: u64,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, text: Vec::new(), lines: 0, bytes: 0 }
    }

    /// The first line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn header(&mut self) -> Result<Header, String> {
        let is_there = self.line()?;
        let header = serde_json::from_slice::<Header>(&self.text);
        match header {
            Ok(header) if is_there && header.version == VERSION => Ok(header),
            Ok(header) if is_there => Err(format!(
                "line 1: version {} of the format; this program reads {VERSION}",
                header.version
            )),
            _ => Err("line 1: not a file that dump has written".to_owned()),
        }
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, String> {
        if !self.line()? {
            return Ok(None);
        }
        // Most lines are znodes; the last one has no field in common with them.
        match serde_json::from_slice(&self.text) {
            Ok(line) => Ok(Some(Entry::Znode(line))),
            Err(error) => match serde_json::from_slice(&self.text) {
                Ok(totals) => Ok(Some(Entry::End(totals))),
                Err(_) => Err(self.here(error)),
            },
        }
    }

    /// A message about the line that was read last.
    pub(super) fn here(&self, reason: impl std::fmt::Display) -> String {
        format!("line {}: {reason}", self.lines)
    }

    /// Reads a line. One that has no end was not written to its end, and is none.
    fn line(&mut self) -> Result<bool, String> {
        self.text.clear();
        let mut limited = (&mut self.input).take(MAX_LINE);
        let read = limited.read_until(b'\n', &mut self.text);
        let at = self.lines + 1;
        let count = read.map_err(|error: io::Error| format!("line {at}: {error}"))?;
        if self.text.last() != Some(&b'\n') {
            if count as u64 == MAX_LINE {
                return Err(format!("line {at}: more than {MAX_LINE} bytes"));
            }
            return Ok(false);
        }
        self.lines = at;
        self.bytes += count as u64;
        Ok(true)
    }
}
