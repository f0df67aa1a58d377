//! Who wants to be told of changes to which paths (ZK: `WatchManager` and its use by `DataTree`).
//!
//! There are four kinds of watches and two tables in ZooKeeper's eyes: the *data* table holds
//! one-shot data and exist watches, persistent and recursive ones; the *child* table holds one-shot
//! child watches and the persistent ones again. Here a watch is one record, and the two tables show
//! in what fires it and in how it is counted.
//!
//! | change | tells | event | about |
//! |---|---|---|---|
//! | created | data table of the path | created | the path |
//! | | child table of the parent | children changed | the parent |
//! | deleted | data table of the path | deleted | the path |
//! | | child table of the path, but nobody twice | deleted | the path |
//! | | child table of the parent | children changed | the parent |
//! | data changed | data table of the path | data changed | the path |
//!
//! The data table of a path includes the recursive watches on its ancestors. Each row tells a
//! connection once, however many of its watches match, and takes its one-shot watches away.
//!
//! Knows nothing of the tree, sessions or sockets, nor of access control: it names whose ACL
//! decides, and the caller looks.

mod paths;
mod registry;
mod slab;
mod table;
#[cfg(test)]
mod tests;

pub use registry::{Summary, WatchKind};
pub use table::{Notice, Watches, WhichAcl};
