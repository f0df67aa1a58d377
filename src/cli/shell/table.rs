//! All commands of the shell.

use super::command::{Command, nearest};
use super::commands::{
    access, changing, copying, dumping, ensemble, loading, local, quotas, reading, streaming, tree,
    watches,
};
use super::failure::Failure;

/// All commands, in the order in which `help` lists them.
pub(super) const COMMANDS: &[&Command] = &[
    &reading::LS,
    &reading::GET,
    &reading::STAT,
    &reading::GET_ALL_CHILDREN_NUMBER,
    &reading::GET_EPHEMERALS,
    &changing::CREATE,
    &changing::SET,
    &changing::DELETE,
    &changing::DELETEALL,
    &access::GET_ACL,
    &access::SET_ACL,
    &access::ADDAUTH,
    &access::WHOAMI,
    &watches::ADD_WATCH,
    &watches::REMOVEWATCHES,
    &watches::PRINTWATCHES,
    &quotas::LISTQUOTA,
    &quotas::SETQUOTA,
    &quotas::DELQUOTA,
    &ensemble::SYNC,
    &ensemble::CONFIG,
    &ensemble::RECONFIG,
    &ensemble::VERSION,
    &tree::TREE,
    &tree::FIND,
    &streaming::WATCH,
    &copying::CP,
    &copying::MV,
    &dumping::DUMP,
    &loading::LOAD,
    &local::HISTORY,
    &local::REDO,
    &local::CONNECT,
    &local::CLOSE,
    &local::HELP,
    &local::QUIT,
];

/// Names that are other commands' too.
const ALIASES: &[(&str, &str)] = &[("exit", "quit")];

/// The command of this name.
///
/// # Errors
/// There is none; with the nearest one that there is.
pub(super) fn find(name: &str) -> Result<&'static Command, Failure> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let wanted = alias.map_or(name, |(_, name)| name);
    COMMANDS.iter().find(|command| command.name == wanted).copied().ok_or_else(|| {
        let near = nearest(name, COMMANDS.iter().map(|command| command.name));
        let near = near.and_then(|near| COMMANDS.iter().find(|command| command.name == near));
        Failure::NoSuchCommand { name: name.to_owned(), near: near.copied() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_command_has_an_example() {
        let names: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in COMMANDS {
            let first = command.example.split_whitespace().next();
            assert_eq!(first, Some(command.name), "the example of {}", command.name);
            assert!(!command.summary.is_empty());
        }
    }

    #[test]
    fn a_mistyped_name_has_a_nearest_one() {
        for (typed, meant) in [("sl", "ls"), ("craete", "create"), ("GET", "get")] {
            let Err(Failure::NoSuchCommand { near: Some(near), .. }) = find(typed) else {
                panic!("{typed} has no nearest command");
            };
            assert_eq!(near.name, meant);
        }
        assert!(matches!(find("frobnicate"), Err(Failure::NoSuchCommand { near: None, .. })));
    }
}
