//! Hash maps whose order depends on nothing but their content.

use foldhash::fast::FixedState;

/// A hash map with a fixed seed: what the core does must not depend on chance.
pub type Map<K, V> = hashbrown::HashMap<K, V, FixedState>;
/// A hash set with a fixed seed.
pub type Set<T> = hashbrown::HashSet<T, FixedState>;
