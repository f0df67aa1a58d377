//! Permission bits of access control lists, and the common lists.

use super::{Acl, Id};

/// Read data, stat and the list of children.
pub const READ: i32 = 1;
/// Change the data.
pub const WRITE: i32 = 2;
/// Create children.
pub const CREATE: i32 = 4;
/// Delete children.
pub const DELETE: i32 = 8;
/// Change the access control list.
pub const ADMIN: i32 = 16;
/// All of them.
pub const ALL: i32 = READ | WRITE | CREATE | DELETE | ADMIN;

/// The identity that everyone has.
#[must_use]
pub fn anyone() -> Id {
    Id { scheme: "world".to_owned(), id: "anyone".to_owned() }
}

/// `world:anyone` with the given permissions.
#[must_use]
pub fn world(perms: i32) -> Vec<Acl> {
    vec![Acl { perms, id: anyone() }]
}
