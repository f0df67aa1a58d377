//! The commands of the shell, by what they are about.

pub(super) mod changing;
pub(super) mod local;
pub(super) mod reading;
