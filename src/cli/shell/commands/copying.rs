//! `cp` and `mv`: subtrees, all of it or nothing.

use super::subtree::{Contents, Found, Walk, below, is_ephemeral, is_systems, under};
use crate::cli::shell::Shell;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::client::{Client, ClientError, Transaction};
use serde_json::json;

const CHUNKED: Flag =
    Flag::new("chunked", "in several transactions if need be: not all or nothing");

pub(in crate::cli::shell) const CP: Command = Command {
    name: "cp",
    usage: "[--chunked] from to",
    summary: "Copy a subtree to a path that does not exist, in one transaction",
    example: "cp /app/config /app/config.bak\ncp --chunked /app /old/app",
    flags: &[CHUNKED],
    operands: (2, 2),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(copy(shell, call, false)),
};

pub(in crate::cli::shell) const MV: Command = Command {
    name: "mv",
    usage: "[--chunked] from to",
    summary: "Move a subtree to a path that does not exist, in one transaction",
    example: "mv /app/config.new /app/config\nmv --chunked /app /old/app",
    flags: &[CHUNKED],
    operands: (2, 2),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(copy(shell, call, true)),
};

/// With `--chunked`, no transaction has more data or operations than these, unless one znode has.
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNK_OPS: usize = 500;

/// One operation of a transaction.
enum Op<'a> {
    Create { path: String, contents: &'a Contents },
    Delete { path: &'a str, version: i32 },
}

async fn copy(shell: &mut Shell, call: Call, moves: bool) -> Result<(), Failure> {
    let (from, to) = (call.path(0)?, call.path(1)?);
    check(from, to, moves)?;
    let client = shell.client().await?;
    let mut walk = Walk::new(client.clone(), from).with_contents();
    let (mut znodes, mut ephemerals) = (Vec::new(), Vec::new());
    while let Some(found) = walk.next().await? {
        if is_ephemeral(&found.stat) {
            ephemerals.push(found.path);
        } else {
            znodes.push(found);
        }
    }
    if let Some(first) = ephemerals.first().filter(|_| moves || znodes.is_empty()) {
        return Err(Failure::Refused(format!(
            "{first} is an ephemeral: it belongs to a session, and another cannot have it"
        )));
    }
    let creations = znodes.iter().filter_map(|found| creation(found, from, to));
    let deletions = znodes
        .iter()
        .rev()
        .filter(|_| moves)
        .map(|found| Op::Delete { path: &found.path, version: found.stat.version });
    let ops: Vec<_> = creations.chain(deletions).collect();
    execute(&client, &ops, call.has("chunked"), to).await?;
    if !ephemerals.is_empty() {
        let count = ephemerals.len();
        shell.out.remark(format_args!("{count} ephemerals left out, such as {}", ephemerals[0]))?;
    }
    let (done, count) = (if moves { "moved" } else { "copied" }, znodes.len());
    shell.out.line(format_args!("{done} {count} znodes"))?;
    Ok(shell.out.json(&json!({ "from": from, "to": to, done: count, "leftOut": ephemerals }))?)
}

fn check(from: &str, to: &str, moves: bool) -> Result<(), Failure> {
    let refused = |reason: String| Err(Failure::Refused(reason));
    let above = from.trim_end_matches('/');
    if to == from || to.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')) {
        return refused(format!("{to} is in {from} itself"));
    }
    if is_systems(to) || (moves && is_systems(from)) {
        return refused("/zookeeper is the servers' own".to_owned());
    }
    Ok(())
}

/// The creation of a copy of a znode.
fn creation<'a>(found: &'a Found, from: &str, to: &str) -> Option<Op<'a>> {
    let contents = found.contents.as_ref()?;
    let path = under(to, below(from, &found.path));
    Some(Op::Create { path, contents })
}

impl Op<'_> {
    fn path(&self) -> &str {
        match self {
            Self::Create { path, .. } => path,
            Self::Delete { path, .. } => path,
        }
    }

    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let data = match self {
            Self::Create { contents, .. } => contents.size(),
            Self::Delete { .. } => 0,
        };
        self.path().len() + data + 40
    }

    fn add(&self, transaction: Transaction) -> Transaction {
        match self {
            Self::Create { path, contents } => contents.create(transaction, path),
            Self::Delete { path, version } => transaction.delete(path, Some(*version)),
        }
    }
}

/// Executes the operations in one transaction, or in several.
async fn execute(
    client: &Client,
    mut ops: &[Op<'_>],
    chunked: bool,
    to: &str,
) -> Result<(), Failure> {
    while !ops.is_empty() {
        let count = if chunked { chunk(ops) } else { ops.len() };
        let (now, later) = ops.split_at(count);
        let transaction = now.iter().fold(Transaction::new(), |all, op| op.add(all));
        match client.multi(&transaction).await {
            Ok(_) => ops = later,
            Err(ClientError::RequestTooLarge { length, limit }) if !chunked => {
                return Err(Failure::Refused(format!(
                    "this takes {length} bytes in one transaction, and {limit} are allowed; \
                     --chunked does it in several, which is not all or nothing"
                )));
            }
            Err(ClientError::Multi { index, code }) => {
                let path = now.get(index).map_or(to, Op::path);
                return Err(ClientError::Api(code)).at(path);
            }
            Err(error) => return Err(error).at(to),
        }
    }
    Ok(())
}

/// How many operations go into the next transaction.
fn chunk(ops: &[Op<'_>]) -> usize {
    let sizes = ops.iter().scan(0, |sum, op| {
        *sum += op.size();
        Some(*sum)
    });
    sizes.take(CHUNK_OPS).take_while(|sum| *sum <= CHUNK_BYTES).count().max(1)
}
