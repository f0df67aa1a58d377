//! `tree` and `find`: what there is below a znode.

use super::subtree::{Walk, is_ephemeral};
use crate::cli::shell::Shell;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::Failure;
use crate::cli::shell::render;
use crate::types::Stat;
use glob::Pattern;
use serde_json::json;

pub(in crate::cli::shell) const TREE: Command = Command {
    name: "tree",
    usage: "[-L depth] [path]",
    summary: "Draw a subtree, with the numbers of children and of bytes",
    example: "tree\ntree -L 2 /app",
    flags: &[Flag::valued("L", "depth", "not deeper than so many znodes below the path")],
    operands: (0, 1),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(tree(shell, call)),
};

async fn tree(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let max_depth = call.parsed("L")?.unwrap_or(usize::MAX);
    let top = if call.operand_count() == 0 { "/" } else { call.path(0)? };
    let mut walk = Walk::new(shell.client().await?, top).max_depth(max_depth);
    let (mut znodes, mut bytes) = (0_u64, 0_i64);
    while let Some(found) = walk.next().await? {
        let name = found.path.rsplit_once('/').map_or("", |(_, name)| name);
        let name = if found.is_last.is_empty() { top } else { name };
        let branch = branch(&found.is_last);
        let name = render::printable(name.as_bytes());
        shell.out.line(format_args!("{branch}{name}{}", counts(&found.stat)))?;
        shell.out.json(&json!({
            "path": found.path,
            "numChildren": found.stat.num_children,
            "dataLength": found.stat.data_length,
            "ephemeralOwner": render::hex(found.stat.ephemeral_owner),
        }))?;
        znodes += 1;
        bytes += i64::from(found.stat.data_length);
    }
    let plural = if znodes == 1 { "" } else { "s" };
    shell.out.line(format_args!("\n{znodes} znode{plural}, {bytes} bytes"))?;
    Ok(())
}

/// The lines that lead from the top to a znode.
fn branch(is_last: &[bool]) -> String {
    let Some((own, above)) = is_last.split_last() else { return String::new() };
    let mut text: String = above.iter().map(|last| if *last { "    " } else { "│   " }).collect();
    text.push_str(if *own { "└── " } else { "├── " });
    text
}

/// What there is to say about a znode, in brackets.
fn counts(stat: &Stat) -> String {
    let mut parts = Vec::new();
    match stat.num_children {
        0 => {}
        1 => parts.push("1 child".to_owned()),
        count => parts.push(format!("{count} children")),
    }
    if stat.data_length > 0 {
        parts.push(format!("{} B", stat.data_length));
    }
    if is_ephemeral(stat) {
        parts.push(format!("ephemeral of {:#x}", stat.ephemeral_owner));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

pub(in crate::cli::shell) const FIND: Command = Command {
    name: "find",
    usage: "path [--name glob] [--ephemeral] [--owner session] [--larger size]",
    summary: "Print the paths of the znodes below one, itself included, that fit all conditions",
    example: "find /app --name 'worker-*' --ephemeral\nfind / --owner 0x1000a2b3c4d0001\n\
              find / --larger 100k",
    flags: &[
        Flag::valued("name", "glob", "the last name of the path fits: * ? [a-z]"),
        Flag::new("ephemeral", "it belongs to a session"),
        Flag::valued("owner", "session", "it belongs to this session: 0x and hexadecimal digits"),
        Flag::valued("larger", "size", "it has more data than so many bytes; also 10k, 1M"),
    ],
    operands: (1, 1),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(find(shell, call)),
};

/// What `find` looks for.
struct Conditions {
    name: Option<Pattern>,
    is_ephemeral: bool,
    owner: Option<i64>,
    larger_than: Option<u64>,
}

async fn find(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let conditions = Conditions::read(&call)?;
    let mut walk = Walk::new(shell.client().await?, call.path(0)?);
    while let Some(found) = walk.next().await? {
        if conditions.fit(&found.path, &found.stat) {
            shell.out.line(&found.path)?;
            let stat = render::stat_json(&found.stat);
            shell.out.json(&json!({ "path": found.path, "stat": stat }))?;
        }
    }
    Ok(())
}

impl Conditions {
    fn read(call: &Call) -> Result<Self, Failure> {
        let name = call.value("name").map(Pattern::new).transpose();
        let name = name.map_err(|error| call.usage(format!("--name: {error}")))?;
        let owner = call.value("owner").map(session).transpose();
        let larger_than = call.value("larger").map(size).transpose();
        Ok(Self {
            name,
            is_ephemeral: call.has("ephemeral"),
            owner: owner.map_err(|reason| call.usage(reason))?,
            larger_than: larger_than.map_err(|reason| call.usage(reason))?,
        })
    }

    fn fit(&self, path: &str, stat: &Stat) -> bool {
        let name = path.rsplit_once('/').map_or("", |(_, name)| name);
        let length = u64::try_from(stat.data_length).unwrap_or(0);
        self.name.as_ref().is_none_or(|pattern| pattern.matches(name))
            && (!self.is_ephemeral || is_ephemeral(stat))
            && self.owner.is_none_or(|owner| owner == stat.ephemeral_owner)
            && self.larger_than.is_none_or(|bytes| length > bytes)
    }
}

/// A session's id, as stats show it.
fn session(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map(u64::cast_signed).map_err(|_| {
        format!("--owner needs a session such as 0x1000a2b3c4d0001, and {text:?} is none")
    })
}

/// A number of bytes.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1024),
        None => match text.strip_suffix('M') {
            Some(number) => (number, 1024 * 1024),
            None => (text, 1),
        },
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| format!("--larger needs a size such as 500, 10k or 1M, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_sessions_are_read() {
        assert_eq!(size("500"), Ok(500));
        assert_eq!(size("2k"), Ok(2048));
        assert_eq!(size("1M"), Ok(1 << 20));
        assert!(
            size("1G").is_err() && size("-1").is_err() && size("99999999999999999999").is_err()
        );
        assert_eq!(session("0xff00000000000001"), Ok(0xff00_0000_0000_0001_u64.cast_signed()));
        assert!(session("mine").is_err());
    }

    #[test]
    fn branches_join_siblings() {
        assert_eq!(branch(&[]), "");
        assert_eq!(branch(&[false]), "├── ");
        assert_eq!(branch(&[false, true, true]), "│       └── ");
    }
}
