//! Trees that travel: a view of the store to a learner, and one from a leader into the store.

use super::super::net::packets as packet;
use super::super::plan::{MS, Time};
use super::super::queue::{Event, Life};
use super::super::world::World;
use super::boot::load;
use super::{Server, TREE};
use bytes::{Bytes, BytesMut};
use jute::Encode;
use jute::disk::{TreeMark, ZnodeRecord};
use jute::quorum::QuorumPacket;
use zabra::replica::{Input, Kept, Recovered, Recovery};
use zabra::store::{Checkpoint, CheckpointKind, Item, Store};
use zabra::tree::{Tree, TreeLoader};
use zabra::types::{LinkId, SessionId, Zxid};
use zabra::watch::Watches;
use zabra::zab;

/// Znodes that are stored in one piece.
const PIECE: usize = 32;

/// A whole tree as it travels.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) znodes: Vec<(String, ZnodeRecord)>,
    pub(crate) sessions: Vec<(SessionId, i32)>,
    pub(crate) mark: TreeMark,
}

/// A tree that is arriving.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) link: LinkId,
    since: Time,
    zxid: Zxid,
    /// What had been applied to the tree that is gone.
    applied: Zxid,
    image: Option<Image>,
    /// Znodes that have been stored; none before the snapshot has begun.
    stored: Option<usize>,
    is_stepping: bool,
}

impl World {
    /// The log is read for a learner, unless its link is gone.
    pub(crate) fn log_read(&mut self, who: Life, link: LinkId, from: Zxid, max_bytes: usize) {
        let server = who.server;
        if !self.has_link(server, link) {
            return;
        }
        let weighed_down = max_bytes == 0;
        let entries = if weighed_down {
            self.coverage.note("log not read, for the tree was smaller");
            None
        } else {
            self.servers[server].store.read_log(from, max_bytes).ok()
        };
        if entries.is_none() && !weighed_down {
            self.coverage.note("log read that found it trimmed");
        }
        let entries = entries
            .map(|entries| entries.into_iter().map(|entry| (entry.zxid, entry.payload)).collect());
        self.coverage.note("log read");
        self.input(server, Input::Quorum(zab::Input::LogRead(link, entries)));
    }

    /// The tree is read for a learner, once the store has everything that the tree has.
    pub(crate) fn snapshot_view(&mut self, who: Life, link: LinkId) {
        let server = who.server;
        if !self.has_link(server, link) {
            return;
        }
        if !self.servers[server].disk.checkpoints.is_empty() {
            let delay = self.random.delay(self.plan.disk);
            self.after(delay, Event::SnapshotView { who, link });
            return;
        }
        let Some(image) = view(&self.servers[server].store) else {
            // The store is at its end.
            return;
        };
        let zxid = Zxid(image.mark.applied);
        let packet = QuorumPacket { kind: packet::SNAP, zxid: zxid.0, data: None, auth_info: None };
        let leads = self.leads(server);
        if !leads {
            self.coverage.note("snapshot sent by a follower");
        }
        self.checks.sending(server, link, &packet, leads);
        self.send(server, link, packet);
        self.send_image(server, link, image);
        self.coverage.note("snapshot sent");
        let delay = self.random.delay(self.plan.disk) * 3;
        self.after(delay, Event::SnapshotSent { who, link, zxid });
    }

    pub(crate) fn snapshot_sent(&mut self, who: Life, link: LinkId, zxid: Zxid) {
        if self.has_link(who.server, link) {
            self.input(who.server, Input::Quorum(zab::Input::SnapshotSent(link, zxid)));
        }
    }

    /// What comes next on this link is a tree. The present one makes room for it.
    pub(crate) fn receive_snapshot(&mut self, server: usize, link: LinkId, zxid: Zxid) {
        let Server { running: Some(running), .. } = &mut self.servers[server] else { return };
        assert!(running.install.is_none(), "[snapshots] one tree arrives at a time");
        let applied = running.tree.applied_zxid();
        running.tree = Tree::new(TREE);
        running.views.clear();
        running.install = Some(Install {
            link,
            since: self.now,
            zxid,
            applied,
            image: None,
            stored: None,
            is_stepping: false,
        });
        if self.has_link(server, link) {
            self.take_image(server, link);
        } else {
            self.break_off_install(server);
        }
    }

    /// The image has arrived.
    pub(crate) fn image_arrived(&mut self, server: usize, image: Image) {
        let Server { running: Some(running), .. } = &mut self.servers[server] else { return };
        let install = running.install.as_mut().expect("somebody waits for it");
        assert_eq!(image.mark.applied, install.zxid.0, "[snapshots] the image is as announced");
        install.image = Some(image);
        self.poke_install(server);
    }

    /// Goes on storing the image, once nothing older is on its way to the disk.
    pub(crate) fn poke_install(&mut self, server: usize) {
        let delay = self.disk_delay(server);
        let who = self.servers[server].life();
        let Server { running: Some(running), disk, .. } = &mut self.servers[server] else {
            return;
        };
        let Some(install) = &mut running.install else { return };
        let is_free = disk.log_is_idle() && disk.checkpoints.is_empty();
        if install.image.is_some() && !install.is_stepping && is_free {
            install.is_stepping = true;
            self.after(delay, Event::InstallStep(who));
        }
    }

    pub(crate) fn install_step(&mut self, who: Life) {
        let server = who.server;
        let Server { running: Some(running), store, .. } = &mut self.servers[server] else {
            return;
        };
        let Some(install) = &mut running.install else { return };
        install.is_stepping = false;
        let Some(image) = &install.image else { return };
        let checkpoint = match install.stored {
            None => piece(&[], CheckpointKind::SnapshotBegin),
            Some(stored) if stored < image.znodes.len() => {
                let end = (stored + PIECE).min(image.znodes.len());
                piece(&image.znodes[stored..end], CheckpointKind::SnapshotPart)
            }
            Some(_) => {
                let kind = CheckpointKind::SnapshotEnd(image.mark.clone());
                let sessions =
                    image.sessions.iter().map(|(id, timeout)| (*id, Some(*timeout))).collect();
                Checkpoint { sessions, ..piece(&[], kind) }
            }
        };
        let is_last = matches!(checkpoint.kind, CheckpointKind::SnapshotEnd(_));
        let stored = install.stored.map_or(0, |stored| stored + checkpoint.znodes.len());
        install.stored = Some(stored);
        if is_last {
            self.checks.disks.truncating(server, install.zxid);
        }
        if store.checkpoint(&checkpoint).is_err() {
            self.coverage.note("disk failure");
            self.crash(server);
        } else if is_last {
            self.installed(server);
        } else {
            self.poke_install(server);
        }
    }

    /// The image is stored: from now on it is the tree.
    fn installed(&mut self, server: usize) {
        let now = self.servers[server].clock.now(self.now);
        let Server { running: Some(running), .. } = &mut self.servers[server] else { return };
        let install = running.install.take().expect("it was stored");
        let Install { link, zxid, image: Some(image), .. } = install else { return };
        let mut loader = TreeLoader::new(TREE);
        for (path, record) in image.znodes {
            loader.insert(&path, record).expect("[snapshots] the image makes a tree");
        }
        running.tree = loader.finish(&image.mark).expect("[snapshots] the image makes a tree");
        running.watches = Watches::new();
        let kept = Kept {
            sessions: image.sessions.into_iter().collect(),
            session_changes: Vec::new(),
            tail: Vec::new(),
        };
        running.replica.replaced(&running.tree, kept, now);
        self.trace.note(|| format!("{} s{}: installed {zxid}", self.now, server + 1));
        self.coverage.note("snapshot installed");
        self.checks.installed(server, &image.mark);
        self.input(server, Input::Quorum(zab::Input::SnapshotReceived(link, zxid)));
        self.resume_link(server, link);
    }

    /// As the server does: of an image of which nothing has come for initLimit nothing will.
    pub(crate) fn give_up_image(&mut self, server: usize) {
        let patience = self.plan.tick_ms * MS * self.plan.init_limit;
        let Some(running) = &self.servers[server].running else { return };
        let Some(install) = &running.install else { return };
        if install.image.is_some() || self.now - install.since <= patience {
            return;
        }
        let link = install.link;
        self.coverage.note("image given up");
        self.close_link(server, link);
        self.break_off_install(server);
        self.input(server, Input::Quorum(zab::Input::Closed(link)));
    }

    /// The image does not come to its end: what is stored is loaded again.
    pub(crate) fn break_off_install(&mut self, server: usize) {
        let now = self.servers[server].clock.now(self.now);
        let Server { running: Some(running), store, disk, .. } = &mut self.servers[server] else {
            return;
        };
        let Some(install) = running.install.take() else { return };
        self.coverage.note("snapshot broken off");
        // What waits for the checkpoint thread is of the tree that was there.
        for checkpoint in disk.checkpoints.drain(usize::from(disk.is_checkpointing)..) {
            drop(checkpoint);
        }
        let mut recovery = Recovery::member(TREE, install.applied);
        load(store, &mut recovery);
        let recovered = recovery.finish().expect("what was stored is whole");
        let Recovered { tree, sessions, session_changes, tail, .. } = recovered;
        running.tree = tree;
        running.watches = Watches::new();
        let kept = Kept { sessions, session_changes, tail };
        running.replica.replaced(&running.tree, kept, now);
    }
}

fn piece(znodes: &[(String, ZnodeRecord)], kind: CheckpointKind) -> Checkpoint {
    let encoded = |record: &ZnodeRecord| -> Option<Bytes> {
        let mut bytes = BytesMut::new();
        record.encode(&mut bytes);
        Some(bytes.freeze())
    };
    let znodes = znodes.iter().map(|(path, record)| (path.clone(), encoded(record))).collect();
    Checkpoint { znodes, sessions: Vec::new(), kind }
}

/// The stored tree without the log behind it.
fn view(store: &dyn Store) -> Option<Image> {
    let (mut znodes, mut sessions, mut mark) = (Vec::new(), Vec::new(), None);
    let loaded = store.load(&mut |item| {
        match item {
            Item::Znode(path, record) => znodes.push((path.to_owned(), record)),
            Item::Session(id, timeout) => sessions.push((id, timeout)),
            Item::Mark(found) => mark = Some(found),
            Item::Entry(_) => {}
        }
        Ok(())
    });
    loaded.ok()?;
    mark.map(|mark| Image { znodes, sessions, mark })
}
