//! The commands of the shell, by what they are about.

pub(super) mod access;
pub(super) mod changing;
pub(super) mod ensemble;
pub(super) mod local;
pub(super) mod quotas;
pub(super) mod reading;
pub(super) mod watches;
