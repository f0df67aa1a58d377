//! Access control lists, each stored once however many znodes have it
//! (ZK: `ReferenceCountedACLCache`).

use crate::types::{Acl, perms};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A list that znodes, watches and replies share.
pub type SharedAcl = Arc<[Acl]>;

/// A list's place in the table.
pub(super) type AclId = u32;
/// The list that gives everyone everything. It is always there and not counted.
pub(super) const OPEN: AclId = 0;

/// All lists in use.
#[derive(Debug)]
pub(super) struct AclTable {
    entries: Vec<Entry>,
    free: Vec<AclId>,
    index: HashTable<AclId>,
}

#[derive(Debug)]
struct Entry {
    acl: SharedAcl,
    users: u32,
}

impl Default for AclTable {
    fn default() -> Self {
        let open = Entry { acl: perms::world(perms::ALL).into(), users: 0 };
        Self { entries: vec![open], free: Vec::new(), index: HashTable::new() }
    }
}

impl AclTable {
    /// The list with this id.
    pub(super) fn get(&self, id: AclId) -> &SharedAcl {
        &self.entries[id as usize].acl
    }

    /// The list as it is stored: nothing for the open one.
    pub(super) fn stored(&self, id: AclId) -> Option<&[Acl]> {
        (id != OPEN).then(|| &**self.get(id))
    }

    /// One more user of a list; none means the open one.
    pub(super) fn intern(&mut self, acl: Option<&[Acl]>) -> AclId {
        let Some(acl) = acl.filter(|acl| **acl != **self.get(OPEN)) else { return OPEN };
        let hash = hash(acl);
        let entries = &self.entries;
        let found = self.index.find(hash, |id| *entries[*id as usize].acl == *acl).copied();
        let id = found.unwrap_or_else(|| self.insert(hash, acl));
        self.entries[id as usize].users += 1;
        id
    }

    /// One user less of a list.
    pub(super) fn release(&mut self, id: AclId) {
        if id == OPEN {
            return;
        }
        let entry = &mut self.entries[id as usize];
        assert!(entry.users > 0, "a list was released more often than taken");
        entry.users -= 1;
        if entry.users > 0 {
            return;
        }
        let hash = hash(&entry.acl);
        entry.acl = SharedAcl::default();
        if let Ok(found) = self.index.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        self.free.push(id);
    }

    /// How many different lists are in use besides the open one.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn insert(&mut self, hash_of_acl: u64, acl: &[Acl]) -> AclId {
        let entry = Entry { acl: acl.into(), users: 0 };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            let id = AclId::try_from(self.entries.len()).unwrap_or(AclId::MAX);
            assert!(id < AclId::MAX, "four billion lists");
            self.entries.push(entry);
            id
        };
        let entries = &self.entries;
        self.index.insert_unique(hash_of_acl, id, |id| hash(&entries[*id as usize].acl));
        id
    }
}

fn hash(acl: &[Acl]) -> u64 {
    FixedState::default().hash_one(acl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_stored_once_until_nobody_has_them() {
        let mut table = AclTable::default();
        let read = perms::world(perms::READ);
        let first = table.intern(Some(&read));
        assert_eq!(table.intern(Some(&read)), first);
        assert_eq!((table.len(), &**table.get(first)), (1, &*read));
        table.release(first);
        assert_eq!(table.len(), 1);
        table.release(first);
        assert_eq!(table.len(), 0);
        let write = perms::world(perms::WRITE);
        assert_eq!(table.intern(Some(&write)), first, "the place is used again");
        assert_eq!(table.stored(first), Some(&*write));
    }

    #[test]
    fn the_open_list_needs_no_place() {
        let mut table = AclTable::default();
        assert_eq!(table.intern(None), OPEN);
        assert_eq!(table.intern(Some(&perms::world(perms::ALL))), OPEN);
        table.release(OPEN);
        assert_eq!((table.stored(OPEN), table.len()), (None, 0));
        assert_ne!(table.intern(Some(&[])), OPEN, "an empty list stays one");
    }
}
