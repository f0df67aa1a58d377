//! The commands of the shell, by what they are about.

pub(super) mod access;
mod archive;
pub(super) mod changing;
pub(super) mod copying;
pub(super) mod dumping;
pub(super) mod ensemble;
pub(super) mod loading;
pub(super) mod local;
pub(super) mod quotas;
pub(super) mod reading;
pub(super) mod streaming;
mod subtree;
pub(super) mod tree;
pub(super) mod watches;
