//! Reads the store into the tree and the sessions that were there.

use crate::replica::{Recovered, Recovery};
use crate::store::{Item, Loaded, Store, StoreError};

/// Reads everything, in the way that `recovery` takes it, and what the store knows besides.
///
/// # Errors
/// Something is lost or damaged; nothing may be served.
pub(crate) fn recover(
    store: &dyn Store,
    mut recovery: Recovery,
) -> Result<(Recovered, Loaded), StoreError> {
    recovery = recovery.expecting(store.expected_znodes());
    let loaded = store.load(&mut |item| {
        let taken = match item {
            Item::Znode(path, record) => recovery.znode(path, record),
            Item::Session(id, timeout_ms) => {
                recovery.session(id, timeout_ms);
                Ok(())
            }
            Item::Mark(mark) => recovery.mark(&mark),
            Item::Entry(entry) => recovery.entry(entry.zxid, entry.payload),
        };
        taken.map_err(|error| error.to_string())
    })?;
    let recovered = recovery.finish().map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok((recovered, loaded))
}
