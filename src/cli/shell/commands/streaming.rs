//! `watch`: events as they come, until Ctrl-C.

use crate::cli::shell::Shell;
use crate::cli::shell::announcer::Announcer;
use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::render;
use crate::client::{AddWatchMode, Client, EventType, Notice, WatcherType};
use serde_json::{Value, json};

pub(in crate::cli::shell) const WATCH: Command = Command {
    name: "watch",
    usage: "[-r] path",
    summary: "Print the events of a znode, one a line, until Ctrl-C",
    example: "watch /app/config\nwatch -r /app\nwatch --json -r / | jq -r .path",
    flags: &[Flag::new("r", "and of all below it")],
    operands: (1, 1),
    origin: Origin::Zabra,
    interrupt: Interrupt::Ends,
    run: |shell, call| Box::pin(watch(shell, call)),
};

async fn watch(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.path(0)?;
    let (mode, kind) = if call.has("r") {
        (AddWatchMode::PersistentRecursive, WatcherType::PersistentRecursive)
    } else {
        (AddWatchMode::Persistent, WatcherType::Persistent)
    };
    let client = shell.client().await?;
    let mut events = client.add_watch(path, mode).await.at(path)?;
    let _watch = Removal { client, path: path.to_owned(), kind };
    let Shell { out, session, .. } = shell;
    let _quiet = session.announcer().map(Quiet::new);
    loop {
        match events.next().await.at(path)? {
            Notice::Event(event) => {
                let kind = name(event.kind);
                // Events made up after a reconnection have no transaction.
                let zxid = (event.zxid.0 > 0).then(|| render::hex(event.zxid.0));
                let shown = zxid.as_deref().unwrap_or("-");
                out.line(format_args!("{kind} {} {shown}", event.path))?;
                out.json(&json!({ "type": kind, "path": event.path, "zxid": zxid }))?;
            }
            Notice::Gap => {
                out.remark("events may be missing here: the connection was lost")?;
                out.json(&json!({ "type": "Gap", "path": path, "zxid": Value::Null }))?;
            }
        }
        out.flush()?;
    }
}

/// Removes the watch in the background when it is dropped: an interrupted command cannot wait.
struct Removal {
    client: Client,
    path: String,
    kind: WatcherType,
}

impl Drop for Removal {
    fn drop(&mut self) {
        let (client, path, kind) = (self.client.clone(), std::mem::take(&mut self.path), self.kind);
        tokio::spawn(async move { client.remove_watches(&path, kind).await });
    }
}

/// The events of this watch would be told a second time, as those of all watches are.
struct Quiet<'a> {
    announcer: &'a Announcer,
    before: bool,
}

impl<'a> Quiet<'a> {
    fn new(announcer: &'a Announcer) -> Self {
        let before = announcer.tells_events();
        announcer.tell_events(false);
        Self { announcer, before }
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.announcer.tell_events(self.before);
    }
}

/// ZooKeeper's name of a kind of event.
const fn name(kind: EventType) -> &'static str {
    match kind {
        EventType::Created => "NodeCreated",
        EventType::Deleted => "NodeDeleted",
        EventType::DataChanged => "NodeDataChanged",
        EventType::ChildrenChanged => "NodeChildrenChanged",
    }
}
