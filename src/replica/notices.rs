//! Notifications: what changed is told to the connections that watch, as far as they may know.

use super::{Effect, Replica};
use crate::proto::Event;
use crate::tree::{Change, SharedAcl};
use crate::types::{Zxid, perms};
use crate::watch::{Notice, Watches, WhichAcl};
use bytes::BytesMut;

impl Replica {
    /// Fires the watches that wait for a change.
    pub(super) fn notify(
        &mut self,
        watches: &mut Watches,
        change: &Change,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let mut notices = std::mem::take(&mut self.notices);
        let (acl, parent_acl) = match change {
            Change::Created { path, acl, parent_acl, .. } => {
                watches.fire_created(path, &mut notices);
                (acl, parent_acl)
            }
            Change::Deleted { path, acl, parent_acl } => {
                watches.fire_deleted(path, &mut notices);
                (acl, parent_acl)
            }
            Change::DataChanged { path, acl, .. } => {
                watches.fire_data_changed(path, &mut notices);
                (acl, acl)
            }
        };
        self.send_notices(&notices, acl, parent_acl, zxid, out);
        notices.clear();
        self.notices = notices;
    }

    fn send_notices(
        &self,
        notices: &[Notice],
        acl: &SharedAcl,
        parent_acl: &SharedAcl,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        // Notices of one event follow each other and share a frame.
        for run in notices.chunk_by(|a, b| a.event == b.event && a.path == b.path) {
            let mut frame = BytesMut::new();
            Event { kind: run[0].event, path: run[0].path.to_string(), zxid }
                .encode_frame(&mut frame);
            let frame = frame.freeze();
            for notice in run {
                let acl = match notice.acl {
                    WhichAcl::Node => acl,
                    WhichAcl::Parent => parent_acl,
                };
                let Some(client) = self.clients.get(&notice.conn) else { continue };
                if self.auth().allows(acl, perms::READ, &client.identities) {
                    out.push(Effect::Notify(notice.conn, frame.clone()));
                }
            }
        }
    }
}
