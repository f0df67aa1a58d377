//! \[progress\] Once nothing goes wrong any more there is one leader, everybody has everything, and
//! writes succeed everywhere.

use super::super::server::Running;
use super::History;
use zabra::tree::Tree;

/// Everything that was ever decided is in every tree, and nothing else. The usage that quotas state
/// is the same, too, of which digests tell nothing.
pub(super) fn check_trees<'a>(history: &History, servers: impl Iterator<Item = &'a Running>) {
    let dump = |tree: &Tree| {
        let all = tree.dump().filter(|(path, _)| path != zabra::tree::CONFIG_PATH);
        all.collect::<Vec<_>>()
    };
    let expected = dump(history.tree());
    for running in servers {
        assert_eq!(running.tree.applied_zxid(), history.last(), "[progress] the last zxid");
        let mut found = dump(&running.tree);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut expected = expected.clone();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected, "[progress] trees differ");
    }
}
