//! Commands about watches.

use crate::cli::shell::Shell;
use crate::cli::shell::announcer::Announcer;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::client::{AddWatchMode, WatcherType};
use serde_json::json;

pub(in crate::cli::shell) const ADD_WATCH: Command = Command {
    name: "addWatch",
    usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - \
            default is PERSISTENT_RECURSIVE",
    summary: "Leave a watch that stays",
    example: "addWatch /app\naddWatch -m PERSISTENT /app",
    flags: &[Flag::valued(
        "m",
        "mode",
        "PERSISTENT: only this znode; PERSISTENT_RECURSIVE: and all below",
    )],
    operands: (1, 1),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(add_watch(shell, call)),
};

async fn add_watch(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let mode = match call.value("m").map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(_) => return Err(Failure::Usage { command: call.command, reason: None }),
    };
    let path = call.path(0)?;
    let client = shell.client().await?;
    let mut watch = client.add_watch(path, mode).await.at(path)?;
    // It is kept, so that it is set again on a later connection; its events come with all others.
    tokio::spawn(async move { while watch.next().await.is_ok() {} });
    Ok(shell.out.json(&json!({ "path": path, "mode": format!("{mode:?}") }))?)
}

pub(in crate::cli::shell) const REMOVEWATCHES: Command = Command {
    name: "removewatches",
    usage: "path [-c|-d|-p|-r|-a] [-l]",
    summary: "Remove the watches of this session on a znode",
    example: "removewatches /app\nremovewatches -d /app",
    flags: &[
        Flag::new("c", "only those on its children"),
        Flag::new("d", "only those on its data"),
        Flag::new("p", "only persistent ones"),
        Flag::new("r", "only persistent recursive ones"),
        Flag::new("a", "all, as without an option"),
        Flag::new("l", "without a connection, wait for one (zkCli removes them locally then)"),
    ],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(removewatches(shell, call)),
};

async fn removewatches(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let kinds = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ];
    let kind = kinds.into_iter().find(|(flag, _)| call.has(flag));
    let kind = kind.map_or(WatcherType::Any, |(_, kind)| kind);
    let path = call.path(0)?;
    let client = shell.client().await?;
    let removed = client.remove_watches(path, kind).await.at(path)?;
    for kind in &removed {
        if let Some(announcer) = shell.session.announcer() {
            announcer.removed(path, *kind);
        }
    }
    let removed: Vec<_> = removed.iter().map(|kind| format!("{kind:?}")).collect();
    Ok(shell.out.json(&json!({ "path": path, "removed": removed }))?)
}

pub(in crate::cli::shell) const PRINTWATCHES: Command = Command {
    name: "printwatches",
    usage: "on|off",
    summary: "Choose whether watch events are printed, or tell whether they are",
    example: "printwatches off\nprintwatches",
    flags: &[],
    operands: (0, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(async move { printwatches(shell, &call) }),
};

fn printwatches(shell: &mut Shell, call: &Call) -> Result<(), Failure> {
    match (call.operand_count(), call.operand(0)) {
        (0, _) => {
            let is_on = shell.session.announcer().is_none_or(Announcer::tells_events);
            shell.out.line(format_args!("printwatches is {}", if is_on { "on" } else { "off" }))?;
            Ok(shell.out.json(&json!({ "printwatches": is_on }))?)
        }
        (_, choice @ ("on" | "off")) => {
            if let Some(announcer) = shell.session.announcer() {
                announcer.tell_events(choice == "on");
            }
            Ok(shell.out.json(&json!({ "printwatches": choice == "on" }))?)
        }
        _ => Err(call.usage("it is either on or off")),
    }
}
