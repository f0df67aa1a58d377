//! Commands that read znodes.

use crate::cli::shell::Shell;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::render;
use crate::cli::shell::walk::{Walk, keep};
use crate::client::{Client, ClientError};
use crate::types::{ErrorCode, Stat};
use serde_json::json;

const STAT_FLAG: Flag = Flag::new("s", "print the stat too");
const WATCH_FLAG: Flag = Flag::new("w", "leave a watch, which fires once");

pub(in crate::cli::shell) const LS: Command = Command {
    name: "ls",
    usage: "[-s] [-w] [-R] path",
    summary: "List the children of a znode",
    example: "ls /\nls -s /app\nls -R /app",
    flags: &[STAT_FLAG, WATCH_FLAG, Flag::new("R", "all descendants, one path a line")],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(ls(shell, call)),
};

async fn ls(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    if call.has("R") {
        return ls_recursive(shell, &client, path, call.has("w")).await;
    }
    let (mut names, stat) = if call.has("w") {
        let (found, watch) = client.children_and_watch(path).await.at(path)?;
        keep(watch);
        (found.names, found.stat)
    } else {
        let found = client.children2(path).await.at(path)?;
        (found.names, found.stat)
    };
    names.sort();
    shell.out.line(format_args!("[{}]", names.join(", ")))?;
    let mut value = json!({ "path": path, "children": names });
    if call.has("s") {
        render::stat(&mut shell.out, &stat)?;
        value["stat"] = render::stat_json(&stat);
    }
    Ok(shell.out.json(&value)?)
}

/// Prints the paths in zkCli's order: all children of a znode, then what is below each of them.
async fn ls_recursive(
    shell: &mut Shell,
    client: &Client,
    root: &str,
    watch: bool,
) -> Result<(), Failure> {
    let mut walk = Walk::new(root);
    if watch {
        walk = walk.with_watches();
        keep(client.get_and_watch(root).await.at(root)?.1);
    } else {
        client.get(root).await.at(root)?;
    }
    print_path(shell, root)?;
    while let Some(paths) = walk.next(client).await? {
        for path in &paths {
            print_path(shell, path)?;
        }
    }
    Ok(())
}

fn print_path(shell: &mut Shell, path: &str) -> Result<(), Failure> {
    shell.out.line(path)?;
    Ok(shell.out.json(&json!({ "path": path }))?)
}

pub(in crate::cli::shell) const GET: Command = Command {
    name: "get",
    usage: "[-s] [-w] [-b] [-x] path",
    summary: "Print the data of a znode",
    example: "get /app/config\nget -s -w /app/config\nget -b /app/key > key.base64",
    flags: &[
        STAT_FLAG,
        WATCH_FLAG,
        Flag::new("b", "print the data in base64"),
        Flag::new("x", "print the data as a hex dump"),
    ],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(get(shell, call)),
};

async fn get(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    let found = if call.has("w") {
        let (found, watch) = client.get_and_watch(path).await.at(path)?;
        keep(watch);
        found
    } else {
        client.get(path).await.at(path)?
    };
    let data = found.data.as_deref();
    // zkCli has no other sign of a znode without data.
    let shown = data.unwrap_or(b"null");
    if call.has("x") {
        shell.out.line(render::hex_dump(shown))?;
    } else if call.has("b") {
        shell.out.line(render::base64(shown))?;
    } else {
        render::data(&mut shell.out, shown)?;
    }
    let mut value = json!({ "path": path, "data": render::data_json(data) });
    if call.has("b") {
        value["data"] = data.map(|data| json!({ "base64": render::base64(data) })).into();
    }
    if call.has("s") {
        render::stat(&mut shell.out, &found.stat)?;
        value["stat"] = render::stat_json(&found.stat);
    }
    Ok(shell.out.json(&value)?)
}

pub(in crate::cli::shell) const STAT: Command = Command {
    name: "stat",
    usage: "[-w] path",
    summary: "Print the stat of a znode, if it exists",
    example: "stat /app\nstat -w /app/leader",
    flags: &[Flag::new("w", "leave a watch, which fires once, even if the znode does not exist")],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(stat(shell, call)),
};

async fn stat(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    let found: Option<Stat> = if call.has("w") {
        let (found, watch) = client.exists_and_watch(path).await.at(path)?;
        keep(watch);
        found
    } else {
        client.exists(path).await.at(path)?
    };
    let stat = found.ok_or(ClientError::Api(ErrorCode::NoNode)).at(path)?;
    render::stat(&mut shell.out, &stat)?;
    Ok(shell.out.json(&json!({ "path": path, "stat": render::stat_json(&stat) }))?)
}

pub(in crate::cli::shell) const GET_ALL_CHILDREN_NUMBER: Command = Command {
    name: "getAllChildrenNumber",
    usage: "path",
    summary: "Print how many descendants a znode has",
    example: "getAllChildrenNumber /app",
    flags: &[],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(get_all_children_number(shell, call)),
};

async fn get_all_children_number(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let client = shell.client().await?;
    let count = client.all_children_number(path).await.at(path)?;
    shell.out.line(count)?;
    Ok(shell.out.json(&json!({ "path": path, "count": count }))?)
}

pub(in crate::cli::shell) const GET_EPHEMERALS: Command = Command {
    name: "getEphemerals",
    usage: "path",
    summary: "List this session's ephemerals, all or those whose paths begin so",
    example: "getEphemerals\ngetEphemerals /app",
    flags: &[],
    operands: (0, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(get_ephemerals(shell, call)),
};

async fn get_ephemerals(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let prefix = if call.operand_count() > 0 { call.path(0)? } else { "/" };
    let client = shell.client().await?;
    let mut paths = client.ephemerals(prefix).await.at(prefix)?;
    paths.sort();
    shell.out.line(format_args!("[{}]", paths.join(", ")))?;
    Ok(shell.out.json(&json!({ "ephemerals": paths }))?)
}
