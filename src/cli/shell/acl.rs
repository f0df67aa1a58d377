//! Access control lists as zkCli takes them: `scheme:id:perms[,...]` (ZK: `AclParser`).

use super::output::Output;
use crate::types::{Acl, Id, perms};
use std::io;

/// Reads a list. As in zkCli, an entry that cannot be read and a letter that is no permission are
/// left out with a remark.
///
/// # Errors
/// As writing to standard output.
pub(super) fn parse(out: &mut Output, text: &str) -> io::Result<Vec<Acl>> {
    let mut acl = Vec::new();
    for entry in text.split(',').filter(|entry| !entry.is_empty()) {
        let parts = entry.split_once(':').and_then(|(scheme, rest)| {
            rest.rsplit_once(':').map(|(id, letters)| (scheme, id, letters))
        });
        let Some((scheme, id, letters)) = parts else {
            out.remark(format_args!("{entry} does not have the form scheme:id:perm"))?;
            continue;
        };
        let mut bits = 0;
        for letter in letters.chars() {
            match bit(letter) {
                Some(bit) => bits |= bit,
                None => out.remark(format_args!("Unknown perm type: {letter}"))?,
            }
        }
        acl.push(Acl { perms: bits, id: Id { scheme: scheme.to_owned(), id: id.to_owned() } });
    }
    Ok(acl)
}

fn bit(letter: char) -> Option<i32> {
    Some(match letter {
        'c' => perms::CREATE,
        'd' => perms::DELETE,
        'r' => perms::READ,
        'w' => perms::WRITE,
        'a' => perms::ADMIN,
        _ => return None,
    })
}
