//! Commands that create, change and delete znodes.

use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::{Shell, acl, paths, render, walk};
use crate::client::{Client, ClientError, CreateMode, CreateOptions, Transaction};
use crate::types::{EphemeralOwner, ErrorCode};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

pub(in crate::cli::shell) const CREATE: Command = Command {
    name: "create",
    usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
    summary: "Create a znode",
    example: "create /app\ncreate -e -s /app/member- \"$(hostname)\"\n\
              create /app/secret x digest:ann:BASE64HASH:cdrwa",
    flags: &[
        Flag::new("s", "sequential: the server appends a number"),
        Flag::new("e", "ephemeral: ends with the session"),
        Flag::new("c", "container: ends some time after its last child"),
        Flag::valued("t", "ttl", "ends when unchanged and childless for so many milliseconds"),
    ],
    operands: (1, 3),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(create(shell, call)),
};

async fn create(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let mut options = CreateOptions::from(mode(&call)?);
    if call.has("t") {
        options.ttl = Some(ttl(&call)?);
    }
    let path = call.operand(0);
    let check = if options.mode.is_sequential() { paths::check_prefix } else { paths::check };
    check(path).map_err(Failure::Refused)?;
    if call.operand_count() > 2 {
        options.acl = acl::parse(&mut shell.out, call.operand(2))?;
        if options.acl.is_empty() {
            shell.out.remark("KeeperErrorCode = InvalidACL")?;
            return Err(ClientError::Api(ErrorCode::InvalidAcl).into());
        }
    }
    let data =
        (call.operand_count() > 1).then(|| Bytes::copy_from_slice(call.operand(1).as_bytes()));
    let client = shell.client().await?;
    let created = client.create(path, data, options).await;
    if created == Err(ClientError::Api(ErrorCode::InvalidAcl)) {
        shell.out.remark(format_args!("KeeperErrorCode = InvalidACL for {path}"))?;
    }
    if created == Err(ClientError::Api(ErrorCode::EphemeralOnLocalSession)) {
        shell.out.remark("Unable to create ephemeral node on a local session")?;
    }
    let created = created.at(path)?;
    shell.out.remark(format_args!("Created {}", created.path))?;
    Ok(shell.out.json(&json!({ "created": created.path }))?)
}

fn mode(call: &Call) -> Result<CreateMode, Failure> {
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    Ok(match (call.has("c"), call.has("t"), call.has("e"), call.has("s")) {
        (true, _, true, _) | (true, _, _, true) => {
            return refused(
                "-c cannot be combined with -s or -e. \
                 Containers cannot be ephemeral or sequential.",
            );
        }
        (_, true, true, _) => return refused("TTLs cannot be used with Ephemeral znodes"),
        (true, true, ..) => return refused("TTLs cannot be used with Container znodes"),
        (true, ..) => CreateMode::Container,
        (_, true, _, true) => CreateMode::PersistentSequentialWithTtl,
        (_, true, ..) => CreateMode::PersistentWithTtl,
        (_, _, true, true) => CreateMode::EphemeralSequential,
        (_, _, true, _) => CreateMode::Ephemeral,
        (.., true) => CreateMode::PersistentSequential,
        _ => CreateMode::Persistent,
    })
}

fn ttl(call: &Call) -> Result<Duration, Failure> {
    let millis = call.value("t").and_then(|value| value.parse::<i64>().ok());
    let millis =
        millis.ok_or_else(|| Failure::Refused("-t argument must be a long value".into()))?;
    match u64::try_from(millis) {
        Ok(positive @ 1..) if millis <= EphemeralOwner::MAX_TTL => {
            Ok(Duration::from_millis(positive))
        }
        _ => Err(Failure::Refused(format!(
            "ttl must be positive and cannot be larger than: {}",
            EphemeralOwner::MAX_TTL
        ))),
    }
}

pub(in crate::cli::shell) const SET: Command = Command {
    name: "set",
    usage: "path data [-s] [-v version] [-b]",
    summary: "Change the data of a znode",
    example: "set /app/config \"a=1 b=2\"\nset -v 3 /app/config new\nset -b /app/key AAEC",
    flags: &[
        Flag::new("s", "print the new stat"),
        Flag::valued("v", "version", "only if this is the version of the data"),
        Flag::new("b", "the data are given in base64"),
    ],
    operands: (2, 2),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(set(shell, call)),
};

async fn set(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let data = if call.has("b") {
        render::from_base64(call.operand(1))
            .ok_or_else(|| Failure::Refused("the data are not base64".to_owned()))?
    } else {
        call.operand(1).as_bytes().to_vec()
    };
    let version = call.version("v")?;
    let path = call.path(0)?;
    let client = shell.client().await?;
    let stat = client.set(path, Bytes::from(data), version).await.at(path)?;
    if call.has("s") {
        render::stat(&mut shell.out, &stat)?;
    }
    Ok(shell.out.json(&json!({ "path": path, "stat": render::stat_json(&stat) }))?)
}

pub(in crate::cli::shell) const DELETE: Command = Command {
    name: "delete",
    usage: "[-v version] path",
    summary: "Delete a znode that has no children",
    example: "delete /app/old\ndelete -v 3 /app/config",
    flags: &[Flag::valued("v", "version", "only if this is the version of the data")],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(delete(shell, call)),
};

async fn delete(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let version = call.version("v")?;
    let path = call.path(0)?;
    let client = shell.client().await?;
    client.delete(path, version).await.at(path)?;
    Ok(shell.out.json(&json!({ "deleted": path }))?)
}

pub(in crate::cli::shell) const DELETEALL: Command = Command {
    name: "deleteall",
    usage: "path [-b batch size]",
    summary: "Delete a znode and all its descendants",
    example: "deleteall /app/old\ndeleteall -b 100 /app/old",
    flags: &[Flag::valued(
        "b",
        "size",
        "so many in one transaction [default: 1000]; 0: no transactions",
    )],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(deleteall(shell, call)),
};

/// How much of paths goes into one transaction, well below the limit on requests.
const BATCH_BYTES: usize = 256 * 1024;

async fn deleteall(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let batch: i32 = match call.value("b").map(str::parse) {
        None => 1000,
        Some(Ok(batch)) => batch,
        Some(Err(_)) => return Err(Failure::Refused("-b argument must be an int value".into())),
    };
    let path = call.path(0)?;
    let client = shell.client().await?;
    let mut paths = walk::subtree(&client, path).await?;
    let count = paths.len();
    match usize::try_from(batch) {
        Ok(batch @ 1..) => {
            while !paths.is_empty() {
                delete_batch(&client, &mut paths, batch).await?;
            }
        }
        _ => {
            while let Some(path) = paths.pop() {
                client.delete(&path, None).await.at(&path)?;
            }
        }
    }
    Ok(shell.out.json(&json!({ "deleted": path, "count": count }))?)
}

/// Deletes the last paths in one transaction.
async fn delete_batch(
    client: &Client,
    paths: &mut Vec<String>,
    batch: usize,
) -> Result<(), Failure> {
    let mut transaction = Transaction::new();
    let mut bytes = 0;
    let mut chosen = Vec::new();
    while chosen.len() < batch && bytes < BATCH_BYTES {
        let Some(path) = paths.pop() else { break };
        bytes += path.len();
        transaction = transaction.delete(&path, None);
        chosen.push(path);
    }
    match client.multi(&transaction).await {
        Ok(_) => Ok(()),
        Err(ClientError::Multi { index, code }) => {
            let path = chosen.get(index).map_or("", String::as_str);
            Err(Failure::Remark(format!(
                "Failed to delete some node(s) in the subtree! ({code} for {path})"
            )))
        }
        Err(error) => Err(error.into()),
    }
}
