//! Commands of the shell itself.

use crate::cli::shell::command::{Call, Command, Interrupt, Origin};
use crate::cli::shell::failure::Failure;
use crate::cli::shell::{Shell, table, words};
use serde_json::json;

pub(in crate::cli::shell) const HELP: Command = Command {
    name: "help",
    usage: "[command]",
    summary: "List the commands, or tell about one",
    example: "help\nhelp create",
    flags: &[],
    operands: (0, 1),
    origin: Origin::Zabra,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(async move { help(shell, &call) }),
};

fn help(shell: &mut Shell, call: &Call) -> Result<(), Failure> {
    if call.operand_count() > 0 {
        let command = table::find(call.operand(0))?;
        shell.out.line(command.help())?;
        return Ok(shell.out.json(&json!({
            "command": command.name, "usage": command.usage_line(), "summary": command.summary
        }))?);
    }
    for command in table::COMMANDS {
        shell.out.line(format_args!("{:<21} {}", command.name, command.summary))?;
    }
    let all: serde_json::Map<_, _> = table::COMMANDS
        .iter()
        .map(|command| (command.name.to_owned(), command.usage_line().into()))
        .collect();
    Ok(shell.out.json(&all)?)
}

pub(in crate::cli::shell) const HISTORY: Command = Command {
    name: "history",
    usage: "",
    summary: "List the last commands of this shell",
    example: "history",
    flags: &[],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, _| Box::pin(async { history(shell) }),
};

/// How many commands `history` lists, itself among them.
const HISTORY_LINES: usize = 11;

fn history(shell: &mut Shell) -> Result<(), Failure> {
    let lines: Vec<_> = shell.lines.iter().enumerate().collect();
    for (index, line) in lines.iter().skip(lines.len().saturating_sub(HISTORY_LINES)) {
        shell.out.line(format_args!("{index} - {line}"))?;
        shell.out.json(&json!({ "index": index, "line": line }))?;
    }
    Ok(())
}

pub(in crate::cli::shell) const REDO: Command = Command {
    name: "redo",
    usage: "cmdno",
    summary: "Run a command of this shell again, by the number that history shows",
    example: "redo 3",
    flags: &[],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(redo(shell, call)),
};

async fn redo(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let index = call.operand(0).parse::<i64>();
    let index = index.map_err(|_| call.usage("it needs the number of a command"))?;
    // The last line is this very redo.
    let before = shell.lines.len().saturating_sub(1);
    let index = usize::try_from(index).ok().filter(|index| *index < before);
    let line = index.and_then(|index| shell.lines.get(index)).cloned();
    let line = line.ok_or_else(|| Failure::Refused("Command index out of range".to_owned()))?;
    let words = words::split(&line);
    if words.first().is_some_and(|word| word == "redo") {
        return Err(Failure::Refused("No redoing redos".to_owned()));
    }
    if let Some(last) = shell.lines.last_mut() {
        *last = line;
    }
    shell.dispatch(&words).await
}

pub(in crate::cli::shell) const CONNECT: Command = Command {
    name: "connect",
    usage: "host:port",
    summary: "End the session and begin another one, perhaps at other servers",
    example: "connect host1:2181,host2:2181/app\nconnect",
    flags: &[],
    operands: (0, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(connect(shell, call)),
};

async fn connect(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let servers = (call.operand_count() > 0).then(|| call.operand(0));
    shell.session.connect(servers).await?;
    Ok(shell.out.json(&json!({ "servers": shell.session.place().0 }))?)
}

pub(in crate::cli::shell) const CLOSE: Command = Command {
    name: "close",
    usage: "",
    summary: "End the session, and with it its ephemerals and watches",
    example: "close",
    flags: &[],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, _| {
        Box::pin(async {
            shell.session.close().await;
            Ok(())
        })
    },
};

pub(in crate::cli::shell) const QUIT: Command = Command {
    name: "quit",
    usage: "",
    summary: "End the session and the shell",
    example: "quit",
    flags: &[],
    operands: (0, 0),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, _| {
        Box::pin(async {
            shell.is_done = true;
            Ok(())
        })
    },
};
